"""The power of a planned study for a terminal: what it could show, and what more would buy."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rich.box import SIMPLE
from rich.console import Group
from rich.table import Table
from rich.text import Text

from ablations.findings.seed_spread import measured_spreads
from ablations.findings.study import Section
from ablations.reference import SIZES
from ablations.render.grid import Grid
from ablations.render.wording import per_cent
from ablations.results.arms import ARM, NAMES
from ablations.results.runs import planned_runs
from ablations.statistics.power import POWER, Assumptions, Design, detectable, measured

if TYPE_CHECKING:
    from ablations.studies.plan import Planned


MORE_SAMPLES = 16
MORE_SEEDS = (3, 5)
"""What the table asks for in place of the design's own."""

SHOWN = (
    f"Points of accuracy that are found with {per_cent(POWER, 0)} power at two-sided 5 %, one "
    "comparison at a time. These runs: with their seeds as they fell. The recipes: with any other "
    "seeds, which one seed cannot test."
)
"""What the numbers of `bought` are."""


@dataclass(frozen=True)
class Comparison:
    """Arms of one section that are compared with its correct arm by the same design."""

    section: str
    """Benchmark, student and training."""

    trained: bool
    """Whether the arms were trained, or are the base, which no seed can move."""

    arms: int
    """How many."""

    design: Design | None
    """None: no correct arm to compare with, or nobody knows yet how many problems there are."""

    greedy: bool
    """Whether answers are not drawn at random, so that more samples would be the same ones."""


def comparisons(planned: Sequence["Planned"]) -> list[Comparison]:
    """Every arm of a study against the correct arm of its section, those of equal design together.

    Seeds are the runs of an arm; the untrained student is an arm of every section scored like it.
    """
    cells = planned_runs(planned)
    cells = cells[cells["benchmark"].notna()]
    if cells.empty:
        return []
    configs = {one.key: one.cell.config for one in planned}
    found: Counter[tuple[str, bool, Design | None, bool]] = Counter()
    trained = cells[cells["method"] != "none"]
    for (benchmark, scored, _), section in trained.groupby(
        ["benchmark", "evaluation_setting", "training_setting"]
    ):
        first = section.iloc[0]
        name = f"{benchmark}, {first['student']}, {first['training']}"
        evaluation = configs[first["cell"]].evaluation
        asked = evaluation.benchmarks[str(benchmark)]
        greedy = (asked.sampling or evaluation.sampling).temperature == 0
        problems = asked.dataset.problems or SIZES.get(asked.dataset.name)
        samples = 1 if greedy else asked.samples
        arms = section.groupby(list(ARM), dropna=False)["cell"].nunique()
        undamaged = arms.index.get_level_values("corruption") == "none"
        correct = int(arms[undamaged].sum())
        bases = cells[(cells["method"] == "none") & (cells["evaluation_setting"] == scored)]
        compared = [(True, int(seeds)) for seeds in arms[~undamaged]]
        for is_trained, seeds in [*compared, *([(False, 1)] if len(bases) else [])]:
            design = Design(problems, samples, (seeds, correct)) if problems and correct else None
            found[name, is_trained, design, greedy] += 1
    return [
        Comparison(name, is_trained, arms, design, greedy)
        for (name, is_trained, design, greedy), arms in found.items()
    ]


def power_table(planned: Sequence["Planned"], assumed: Assumptions | None = None) -> Group:
    """What differences to the correct arm a study could show, in points, and what more would buy.

    Args:
        planned: its cells.
        assumed: variances; default: those of a study without any result, which are printed.
    """
    assumed = assumed or Assumptions()
    rows = comparisons(planned)
    tables = [
        _table(section, [row for row in rows if row.section == section], assumed)
        for section in dict.fromkeys(row.section for row in rows)
    ]
    notes = Text(
        f"{SHOWN} Assumed: "
        f"accuracy {per_cent(assumed.accuracy, 0)}, correlation of answers to a problem "
        f"{assumed.correlation:.2f}, arms differ by problem by {100 * assumed.interaction_sd:.0f} "
        f"points (sd), training seeds by {100 * assumed.seed_sd:.1f} (sd).",
        style="dim",
    )
    try:
        measured = "; ".join(map(str, measured_spreads(planned)))
    except ValueError as error:  # records without their rows: no reason not to plan
        measured = f"not known, {error}"
    notes.append(f" Training seeds as measured: {measured}." if measured else "")
    if any(row.greedy for row in rows):
        notes.append(" Greedy answers do not vary: more samples buy nothing.")
    title = Text("\nSmallest difference to correct traces that the study could show", style="bold")
    return Group(title, *tables, notes) if rows else Group()


def _table(section: str, rows: Sequence[Comparison], assumed: Assumptions) -> Table:
    design = rows[0].design
    size = f": {design.problems} problems × {design.samples}" if design else ""
    table = Table(header_style="bold", title=section + size, title_justify="left", box=SIMPLE)
    table.add_column("compared")
    more = *(f"{seeds}\nseeds" for seeds in MORE_SEEDS), f"{MORE_SAMPLES}\nsamples"
    for name in ("arms", "seeds", "these\nruns", "the\nrecipes", *more):
        table.add_column(name, justify="right")
    for row in rows:
        name = "damaged" if row.trained else "the base"
        texts = ["?"] * (4 + len(MORE_SEEDS))
        if row.design is not None:
            texts = bought(row.design, assumed, row.greedy, row.trained)
        table.add_row(name, str(row.arms), *texts)
    return table


def bought(design: Design, assumed: Assumptions, greedy: bool, trained: bool) -> list[str]:
    """Seeds, then what is detectable: these runs, the recipes, with more seeds, more samples.

    Args:
        design: its own samples and seeds.
        assumed: variances, measured or not.
        greedy: see `Comparison`.
        trained: see `Comparison`.
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


def _points(share: float) -> str:
    return f"{100 * share:.1f}" if share < 1 else "> 100"


HEADER = (
    *("compared with correct", "n", "seeds", "found", "these runs", "the recipes"),
    *(*(f"{seeds} seeds" for seeds in MORE_SEEDS), f"{MORE_SAMPLES} samples"),
)


NOTE = (
    f"{SHOWN} Then: the recipes with that many seeds on both sides, and these runs with that many "
    "samples a problem; empty where it buys nothing."
)


def measured_power(section: Section) -> Grid | None:
    """The smallest difference that each arm's design shows, at the variance that was measured."""
    done, rows = section.done, []
    reference = done[done["kind"] == "correct"]
    if len(reference) != 1 or len(done) < 2:
        return None
    shares = {arm["arm"]: section.shares(arm) for _, arm in done.iterrows()}
    correct = shares[NAMES["none"]]
    for _, arm in done[done["kind"] != "correct"].iterrows():
        mine = shares[arm["arm"]]
        samples = 1 if section.greedy else int(arm["samples"])
        design = Design(len(mine), samples, (mine.shape[1], correct.shape[1]))
        assumed = measured(mine, correct, samples)
        found = f"{100 * arm['difference']:+.1f}"
        texts = bought(design, assumed, section.greedy, arm["kind"] != "base")
        rows.append(
            [arm["arm"], f"{len(mine)}×{arm['samples']:.0f}", *texts[:1], found, *texts[1:]]
        )
    return Grid(f"{section.title}: at the variance measured", HEADER, rows)


def assumed_power(comparisons: list[Comparison]) -> Grid:
    """The same before anything was run, at the usual variances."""
    rows = []
    for one in comparisons:
        name = f"{one.section}: {one.arms} {'damaged' if one.trained else 'untrained'}"
        if one.design is None:
            rows.append([name, "?", *[""] * (len(HEADER) - 2)])
            continue
        texts = bought(one.design, Assumptions(), one.greedy, one.trained)
        n = f"{one.design.problems}×{one.design.samples}"
        rows.append([name, n, *texts[:1], "not run", *texts[1:]])
    return Grid("At the variance assumed", HEADER, rows)
