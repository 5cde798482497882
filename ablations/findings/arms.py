"""Tables of a study: frame of runs -> frame of arms."""

from typing import Any

import pandas as pd

from ablations.render import grid
from ablations.render.grid import Grid
from ablations.render.wording import interval, p_value, per_cent, sampled
from ablations.results.arms import ARM, KINDS, NAMES, arm_name, place
from ablations.results.settings import SETTINGS
from ablations.statistics import intervals
from ablations.statistics.intervals import Estimate
from ablations.statistics.significance import holm

SECTION = ("benchmark", "student", "training", "size", "teacher", "dataset", *SETTINGS)
"""What the arms of one section share."""

COLUMNS = (
    *SECTION,
    *("method", *ARM),
    *("arm", "kind", "state", "problems", "samples", "runs", "accuracy", "low", "high"),
    *("difference", "difference_low", "difference_high", "p", "p_holm"),
    *("truncated", "damaged_share", "rows", "tokens", "keywords", "majority"),
)
"""Of `table`; see there."""

MEANS = ("truncated", "damaged_share", "rows", "tokens", "keywords", "majority")
"""Columns that are means over an arm's runs."""


def table(
    runs: pd.DataFrame, samples: pd.DataFrame, planned: pd.DataFrame | None = None
) -> pd.DataFrame:
    """One row per arm and section: base, correct, then the damaged ones in the paper's order.

    A section is what is trained and scored alike; runs that differ in nothing but seeds are one
    arm. The base (`training=none`) stands in every section whose students were scored as it was.
    Sections are in the order of `SECTION`, sizes that of numbers.

    Args:
        runs: one row per (run, benchmark), see `ablations.results.runs.runs`.
        samples: one row per (run, benchmark, problem, sample) of the same runs.
        planned: in the columns of `runs`, the cells that the study asks for; arms without a run
            are rows with `state` "not run".

    Returns:
        `SECTION`, `method`, `ARM`, and:

        arm, kind, state: its name; base, correct, content or structure; "done" or "not run".
        problems, samples, runs: n, responses a problem and run, and runs averaged (their seeds).
        accuracy, low, high: `stats.accuracy`; covers seeds where there are several.
        difference, difference_low, difference_high, p: `stats.difference` to `correct` of the same
            section.
        p_holm: p adjusted for all comparisons of the section, see `significance.holm`.
        truncated: share of responses cut at the token limit.
        damaged_share: of the units in the selected traces.
        rows: traces trained on.
        tokens, keywords: of a response, means.
        majority: share of problems whose most frequent answer is right; several samples only.
    """
    asked = runs if planned is None else pd.concat([runs, planned], ignore_index=True)
    asked = asked[asked["benchmark"].notna()]
    votes = [name for name in map(str, asked) if name.startswith("cons@")]
    majority = asked[votes].astype(float).max(axis=1) if votes else float("nan")
    asked = asked.assign(majority=majority)
    sections = asked[asked["method"] != "none"].drop_duplicates(list(SECTION))
    sections = pd.concat([sections, _lonely_bases(asked, sections)]).sort_values(list(SECTION))
    rows = [row for _, section in sections.iterrows() for row in _section(section, asked, samples)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def in_sections(asked: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """The arms that a study asks for, in the sections of recorded runs.

    Records outlive the configs that they were made by, so settings are not compared: a section of
    the runs takes the arms asked of its own training and size, whatever the student. What is asked
    of a training and size that no run has stays as it is.

    Args:
        asked: see `ablations.results.runs.asked_runs`.
        runs: see `ablations.results.runs.runs`.

    Returns:
        In the columns of `runs`, for `table`.
    """
    trained = runs[(runs["method"] != "none") & runs["benchmark"].notna()]
    sections = trained.drop_duplicates(list(SECTION))
    if sections.empty:
        return asked
    like, untrained = ["training", "size"], asked["method"] == "none"
    arms, bases = asked[~untrained], asked[untrained]
    run = arms.set_index(like).index.isin(sections.set_index(like).index)
    parts = [arms[~run]]
    for _, section in sections.iterrows():
        mine = (arms["training"] == section["training"]) & (arms["size"] == section["size"])
        shared = {name: section[name] for name in SECTION}
        parts.append(arms[mine].assign(**shared))
        parts.append(bases.assign(**shared | {"training": "none", "training_setting": None}))
    return pd.concat(parts, ignore_index=True)


def section_runs(section: pd.Series, runs: pd.DataFrame) -> pd.DataFrame:
    """Those trained and scored as a section says, and the base where it was scored like them."""
    return runs[
        (runs["benchmark"] == section["benchmark"])
        & (runs["evaluation_setting"] == section["evaluation_setting"])
        & ((runs["training_setting"] == section["training_setting"]) | (runs["method"] == "none"))
    ]


def arm_shares(runs: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """Share of right samples by problem and run (`stats.by_seed`), of one arm's runs."""
    chosen = samples["cell"].isin(runs["cell"]) & samples["benchmark"].isin(runs["benchmark"])
    return intervals.by_seed(samples[chosen])


def _lonely_bases(asked: pd.DataFrame, sections: pd.DataFrame) -> pd.DataFrame:
    """Untrained students that no trained one was scored like: a section each."""
    bases = asked[asked["method"] == "none"].drop_duplicates(["benchmark", "evaluation_setting"])
    return bases[~bases["evaluation_setting"].isin(sections["evaluation_setting"])]


def _section(
    section: pd.Series, asked: pd.DataFrame, samples: pd.DataFrame
) -> list[dict[str, Any]]:
    """The rows of one section."""
    mine = section_runs(section, asked)
    mine = mine.assign(arm=[arm_name(run) for _, run in mine.iterrows()])
    arms = sorted((part for _, part in mine.groupby("arm")), key=lambda part: place(part.iloc[0]))
    done = [part[part["accuracy"].notna()] for part in arms]
    shares = {
        part["arm"].iloc[0]: None if run.empty else arm_shares(run, samples)
        for part, run in zip(arms, done, strict=True)
    }
    shared = {name: section[name] for name in SECTION}
    rows = [shared | _arm(part, shares) for part in arms]
    adjusted = holm([row.get("p", float("nan")) for row in rows])
    return [row | {"p_holm": p} for row, p in zip(rows, adjusted, strict=True)]


def _arm(part: pd.DataFrame, shares: dict[str, pd.DataFrame | None]) -> dict[str, Any]:
    first, done = part.iloc[0], part[part["accuracy"].notna()]
    neutral = "base" if first["method"] == "none" else "correct"
    row = {name: first[name] for name in ("method", *ARM, "arm")}
    row |= {"kind": KINDS.get(first["corruption"], neutral), "state": "not run"}
    mine, correct = shares[first["arm"]], shares.get(NAMES["none"])
    if mine is None:
        return row
    row |= {"samples": int(done["samples"].iloc[0]), "runs": mine.shape[1], "state": "done"}
    row |= _estimate("accuracy", "", intervals.accuracy(mine)) | {"problems": len(mine)}
    if correct is not None and first["arm"] != NAMES["none"]:
        change = intervals.difference(mine, correct)
        row |= _estimate("difference", "difference_", change) | {"p": change.p}
    return row | {name: done[name].astype(float).mean() for name in MEANS}


def _estimate(name: str, prefix: str, estimate: Estimate) -> dict[str, float]:
    return {name: estimate.value, f"{prefix}low": estimate.low, f"{prefix}high": estimate.high}


ALWAYS = ("benchmark", "student", "training")
"""Named above every section; the rest of `SECTION` only where it differs."""


HEADER = (
    *("arm", "n", "accuracy [95 %]", "difference to correct [95 %]", "p", "p (Holm)"),
    *("truncated", "damaged", "traces", "tokens"),
)


NOTE = """\
n: problems × samples a problem × runs (training and corruption seeds). Accuracy: per cent, with a
95 % interval clustered by problem. Difference: points, paired by problem. p: two-sided, exact where
both are one run with one sample a problem; Holm: adjusted for all comparisons of the section.
Intervals and p cover training seeds only where every trained side has several runs, never another
teacher corpus or base student. Damaged: share of the units in the selected traces. Traces: trained
on. Tokens: of a response."""
"""Below every table."""


def markdown(table: pd.DataFrame) -> str:
    """The table for people: percent, each score with its n and its interval, a title a section."""
    return grid.markdown(grids(table), NOTE).rstrip("\n")


def grids(table: pd.DataFrame) -> list[Grid]:
    """The same as texts, for any of `formats.FORMATS`; `NOTE` belongs below.

    Args:
        table: see `ablations.findings.arms.table`.
    """
    made = []
    for _, part in table.groupby(list(SECTION), sort=False, dropna=False):
        title = ", ".join(f"{name} {part[name].iloc[0]}" for name in _varying(table))
        made.append(Grid(title, HEADER, [_line(run) for _, run in part.iterrows()]))
    return made


def _varying(table: pd.DataFrame) -> list[str]:
    """What tells the sections apart; the hashes of their settings only where nothing else does."""
    names = [name for name in SECTION if name not in SETTINGS]
    shown = {name: table[name].nunique(dropna=False) > 1 or name in ALWAYS for name in names}
    sections = table[list(SECTION)].drop_duplicates()
    if sections.duplicated(names).any():
        shown |= {name: sections[name].nunique() > 1 for name in SETTINGS}
    return [name for name, yes in shown.items() if yes]


def _line(run: pd.Series) -> list[str]:
    if run["state"] != "done":
        return [run["arm"], run["state"], *[""] * (len(HEADER) - 2)]
    shares = [per_cent(run["truncated"]), per_cent(run["damaged_share"])]
    means = ["" if pd.isna(run[name]) else f"{run[name]:.0f}" for name in ("rows", "tokens")]
    change = (run["difference"], run["difference_low"], run["difference_high"])
    scores = [interval(run["accuracy"], run["low"], run["high"]), interval(*change, "+")]
    tests = [p_value(run["p"]), p_value(run["p_holm"])]
    return [run["arm"], sampled(run), *scores, *tests, *shares, *means]
