"""What difference to the uncorrupted arm could the design of a study show?"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd
from rich.box import SIMPLE
from rich.console import Group
from rich.table import Table
from rich.text import Text

from ablations.findings import seed_spread
from ablations.findings.sections import with_bases
from ablations.findings.study import Section
from ablations.reference import problem_counts
from ablations.render.grid import Grid
from ablations.render.wording import per_cent
from ablations.results.arms import ARM, UNCORRUPTED
from ablations.results.runs import planned_runs
from ablations.statistics.power import (
    POWER,
    Assumptions,
    Design,
    detectable,
    measured,
    runs_for,
)

if TYPE_CHECKING:
    from ablations.studies.plan import Planned

MORE_SAMPLES = 16
MORE_SEEDS = (3, 5)
"""What tables ask for in place of the design's own."""

MEANING = (
    f"Points of accuracy that are found with {per_cent(POWER, 0)} power at two-sided 5 %, one "
    "comparison at a time. These runs: with the seeds that they have. The recipes: with any other "
    "seeds, which one seed cannot test."
)
"""What the numbers of `detectable_effects` are."""

NOTE = (
    f"{MEANING} Then: the recipes with that many seeds on both sides, and these runs with that "
    "many samples per problem; empty where it gains nothing."
)
"""Below the grids."""

HEADER = (
    *("compared with uncorrupted", "n", "seeds", "found", "these runs", "the recipes"),
    *(*(f"{seeds} seeds" for seeds in MORE_SEEDS), f"{MORE_SAMPLES} samples"),
)
"""Of every grid."""


def frame(planned: Sequence["Planned"]) -> pd.DataFrame:
    """One row per section and design by which its arms are compared with its uncorrupted arm.

    Seeds are the runs of an arm; the untrained student is an arm of every section scored like it.

    Returns:
        section: benchmark, student and training.
        trained: whether the arms were trained, or are the base, which no seed can change.
        greedy: whether answers are not drawn at random, so that more samples would be the same.
        design: None if there is no uncorrupted arm to compare with, or the number of problems is
            not known yet.
        arms: how many are compared so.
    """
    runs = with_bases(planned_runs(planned))
    runs = runs[runs["benchmark"].notna()]
    configs = {one.key: one.cell.config for one in planned}
    found: Counter[tuple[str, bool, bool, Design | None]] = Counter()
    like = ["benchmark", "evaluation_setting", "training_setting"]
    for (benchmark, scored, _), section in runs[runs["method"] != "none"].groupby(like):
        first = section.iloc[0]
        name = f"{benchmark}, {first['student']}, {first['training']}"
        evaluation = configs[first["cell"]].evaluation
        asked = evaluation.benchmarks[str(benchmark)]
        greedy = (asked.sampling or evaluation.sampling).temperature == 0
        problems = asked.dataset.problems or problem_counts().get(asked.dataset.name)
        arms = section.groupby(list(ARM), dropna=False)["cell"].nunique()
        uncorrupted = arms.index.get_level_values("corruption") == "none"
        reference = int(arms[uncorrupted].sum())
        compared = [(True, int(seeds)) for seeds in arms[~uncorrupted]]
        if ((runs["method"] == "none") & (runs["evaluation_setting"] == scored)).any():
            compared.append((False, 1))
        for trained, seeds in compared:
            design = None
            if problems and reference:
                drawn = 1 if greedy else asked.samples
                design = Design(problems, drawn, (seeds, reference), len(arms))
            found[name, trained, greedy, design] += 1
    rows = [(*comparison, arms) for comparison, arms in found.items()]
    return pd.DataFrame(rows, columns=["section", "trained", "greedy", "design", "arms"])


def expected_runs(planned: Sequence["Planned"], points: float, most: int) -> dict[str, int]:
    """Runs of an arm for differences to uncorrupted of +- `points`, by section.

    At the usual variances; `most + 1` where `most` do not suffice.
    """
    rows = frame(planned)
    designs = rows[rows["trained"] & rows["design"].notna()].drop_duplicates("section")
    return {
        str(one["section"]): runs_for(points / 100, one["design"], Assumptions(), most)
        for _, one in designs.iterrows()
    }


def grid(comparisons: pd.DataFrame) -> Grid:
    """The rows of `frame` as texts, at the usual variances; `NOTE` belongs below."""
    rows = []
    for _, one in comparisons.iterrows():
        name = f"{one['section']}: {one['arms']} {'damaged' if one['trained'] else 'untrained'}"
        design = one["design"]
        if design is None:
            rows.append([name, "?", *[""] * (len(HEADER) - 2)])
            continue
        texts = detectable_effects(design, Assumptions(), one["greedy"], one["trained"])
        n = f"{design.problems}×{design.samples}"
        rows.append([name, n, *texts[:1], "not run", *texts[1:]])
    return Grid("At the variance assumed", HEADER, rows)


def measured_grid(section: Section) -> Grid | None:
    """The same for the arms of a section that were run, at the variance that they have.

    None where there is nothing to compare, or no uncorrupted arm to compare with.
    """
    done, rows = section.done, []
    reference = done[done["kind"] == "uncorrupted"]
    if len(reference) != 1 or len(done) < 2:
        return None
    shares = {arm["arm"]: pd.DataFrame(section.shares(arm)) for _, arm in done.iterrows()}
    uncorrupted, trained = shares[UNCORRUPTED], int((done["kind"] != "base").sum())
    for _, arm in done[done["kind"] != "uncorrupted"].iterrows():
        mine = shares[arm["arm"]]
        samples = 1 if section.greedy else int(arm["samples"])
        design = Design(len(mine), samples, (mine.shape[1], uncorrupted.shape[1]), trained)
        assumed = measured(mine, uncorrupted, samples, section.spread)
        found = f"{100 * arm['difference']:+.1f}"
        texts = detectable_effects(design, assumed, section.greedy, arm["kind"] != "base")
        n = f"{len(mine)}×{arm['samples']:.0f}"
        rows.append([arm["arm"], n, *texts[:1], found, *texts[1:]])
    return Grid(f"{section.title}: at the variance measured", HEADER, rows)


def detectable_effects(
    design: Design, assumed: Assumptions, greedy: bool, trained: bool
) -> list[str]:
    """Smallest detectable differences of a design as texts, in points; empty where none is new.

    Args:
        design: its own samples and seeds.
        assumed: variances, measured or not.
        greedy: see `frame`.
        trained: see `frame`.

    Returns:
        The seeds; then what is detectable between these runs, between the recipes, with
        `MORE_SEEDS`, and with `MORE_SAMPLES`.
    """
    fixed = replace(assumed, seed_sd=0.0)
    single = max(design.seeds) == 1
    texts = [" to ".join(str(seeds) for seeds in dict.fromkeys(design.seeds))]
    texts.append(_points(detectable(design, fixed)))
    texts.append("" if single else _points(detectable(design, assumed)))
    for seeds in MORE_SEEDS:
        more = replace(design, seeds=(seeds if trained else 1, seeds))
        enough = all(has >= asked for has, asked in zip(design.seeds, more.seeds, strict=True))
        texts.append("" if enough else _points(detectable(more, assumed)))
    more = replace(design, samples=MORE_SAMPLES)
    pointless = greedy or design.samples >= MORE_SAMPLES
    return [*texts, "" if pointless else _points(detectable(more, fixed if single else assumed))]


def power_table(planned: Sequence["Planned"]) -> Group:
    """The rows of `frame` for a terminal, one table per section, at the usual variances.

    Empty without a comparison; the variances are printed, next to those measured over seeds.
    """
    assumed, comparisons = Assumptions(), frame(planned)
    if comparisons.empty:
        return Group()
    sections = comparisons.groupby("section", sort=False)
    notes = Text(
        f"{MEANING} Assumed: "
        f"accuracy {per_cent(assumed.accuracy, 0)}, correlation of answers to a problem "
        f"{assumed.correlation:.2f}, arms differ by problem by {100 * assumed.interaction_sd:.0f} "
        f"points (sd), training seeds by {100 * assumed.seed_sd:.1f} (sd).",
        style="dim",
    )
    try:
        spread = seed_spread.sentence(seed_spread.of_study(planned[0].cell.config))
    except ValueError as error:  # records without their rows: no reason not to plan
        spread = f"not known, {error}"
    notes.append(f" Training seeds as measured: {spread}." if spread else "")
    if comparisons["greedy"].any():
        notes.append(" Greedy answers do not vary: more samples gain nothing.")
    title = Text("\nSmallest difference to uncorrupted that the study could show", style="bold")
    return Group(title, *(_table(str(name), part, assumed) for name, part in sections), notes)


def _table(section: str, comparisons: pd.DataFrame, assumed: Assumptions) -> Table:
    design = comparisons["design"].iloc[0]
    size = f": {design.problems} problems × {design.samples}" if design else ""
    table = Table(header_style="bold", title=section + size, title_justify="left", box=SIMPLE)
    table.add_column("compared")
    more = *(f"{seeds}\nseeds" for seeds in MORE_SEEDS), f"{MORE_SAMPLES}\nsamples"
    for name in ("arms", "seeds", "these\nruns", "the\nrecipes", *more):
        table.add_column(name, justify="right")
    for _, one in comparisons.iterrows():
        texts = ["?"] * (4 + len(MORE_SEEDS))
        if one["design"] is not None:
            texts = detectable_effects(one["design"], assumed, one["greedy"], one["trained"])
        table.add_row("damaged" if one["trained"] else "the base", str(one["arms"]), *texts)
    return table


def _points(share: float) -> str:
    return f"{100 * share:.1f}" if share < 1 else "> 100"
