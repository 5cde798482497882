"""Which of the expectations that a study states did hold, which failed, and which are open?

The judge is the interval of left minus right, paired by problem. A group of arms at one corruption
rate is their mean; at all rates it is the accuracy of uncorrupted traces plus the mean slope of its
operators, so that structure minus content is `ablations.statistics.dose.slope_contrast`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ablations.findings.arms import varying
from ablations.findings.sections import SECTION, arm_shares, section_spread
from ablations.render.grid import Grid
from ablations.render.wording import interval, p_value
from ablations.results.arms import ARM, UNCORRUPTED, arm_name, place
from ablations.results.runs import asked_runs
from ablations.results.settings import SETTINGS
from ablations.statistics.dose import slope_weights
from ablations.statistics.intervals import Estimate, contrast, difference, equivalent
from ablations.statistics.significance import holm
from ablations.studies.cells import Cell
from distill.evaluation.variance import Spread
from distill.expectations import ALIKE, BASE, GROUPS, MORE, Expectation, Term, parse
from distill.run.expectations import is_meant

HELD, FAILED, OPEN, NOT_RUN = "held", "failed", "open", "not run"
VERDICTS = (HELD, FAILED, OPEN, NOT_RUN)

BELONGS = {"method": ("method", "training"), "teacher": ("teacher", "dataset")}
"""Field by which arms are told apart -> columns that may then differ; usually its own."""

NOTE = """\
Difference: points, paired by problem; a group of arms without a rate is the accuracy of uncorrupted
traces plus the mean slope of its operators. An expected < or > held if the 95 % interval lies on
the expected side (beyond the points of `by`), and failed if it lies on the other side of that mark.
An expected ~ held if the 90 % interval lies inside the margin (two one-sided tests at 5 %), and
failed if the 95 % interval lies outside of it. The others are open. p: of < and > without `by`,
two-sided, that there is no difference; Holm: adjusted for all of the study's that have one. These
runs: an arm has one run, and another training seed could turn the verdict. Stated: whether all of
the runs were recorded with the expectation in their study (before), or not (after)."""
"""Below the grids."""

HEADER = (
    *("expectation", "verdict", "left minus right [95 %]", "90 % interval", "p", "p (Holm)"),
    *("n: problems, seeds", "stated"),
)
"""Of every grid."""


Spreads = dict[tuple[Any, ...], Spread | None]
"""Benchmark and settings of a section -> how much its runs differ; each is computed once."""


@dataclass(frozen=True)
class Expected:
    """An expectation of a study, and the arms that it speaks of."""

    expectation: Expectation

    arms: Mapping[Term, pd.DataFrame]
    """Rows of `ablations.results.runs.asked_runs` with their `arm`, one for each arm; none where
    the command line left the arm out."""


def expected(cells: Sequence[Cell]) -> list[Expected]:
    """The expectations of a study, each once."""
    asked = asked_runs(cells)
    asked = asked.assign(arm=[arm_name(run) for _, run in asked.iterrows()])
    labels = [cell.label for cell in cells]
    made = []
    for text in dict.fromkeys(text for cell in cells for text in cell.config.study.expect):
        expectation = parse(text)
        arms = {}
        for term, _ in expectation.terms:
            meant = [
                label
                for label, cell in zip(labels, cells, strict=True)
                if is_meant(term, cell.config)
            ]
            arms[term] = asked[asked["label"].isin(meant)]
        made.append(Expected(expectation, arms))
    return made


def frame(
    expectations: Sequence[Expected],
    arms: pd.DataFrame,
    runs: pd.DataFrame,
    samples: pd.DataFrame,
    stated: Mapping[str, Sequence[str]] | None = None,
) -> pd.DataFrame:
    """One row per expectation and section, or students that differ in the fields it names.

    Args:
        expectations: of the study, see `expected`.
        arms: of the study, run or not, see `ablations.findings.arms.frame`.
        runs: its recorded runs.
        samples: their responses.
        stated: a run's key (`cell`) -> the expectations that its record states; None: all.

    Returns:
        section, expectation: what its students share; the text.
        verdict: one of `VERDICTS`.
        missing: arms without which it cannot be judged, or why it cannot.
        value, low, high, problems: `intervals.difference` or `intervals.contrast`, left minus
            right, shares of 1; NaN where it was not judged.
        p: that of the same, of `<` and `>` without a margin.
        low_90, high_90: of `~`, the interval that is judged.
        seeds, recipes: see `Estimate`; where `recipes` is false the verdict is one on these runs
            and on no others. `seeds` is 0 where it was not judged.
        p_holm: p adjusted for all rows.
        stated: whether all runs that it was judged by state it.
    """
    done = runs[runs["accuracy"].notna()]
    done = done.assign(arm=[arm_name(run) for _, run in done.iterrows()])
    spreads: Spreads = {}
    rows = [
        row for one in expectations for row in _judged(one, arms, done, samples, stated, spreads)
    ]
    columns = [
        *("section", "expectation", "verdict", "missing", *Estimate.__dataclass_fields__),
        *("low_90", "high_90", "stated"),
    ]
    made = pd.DataFrame(rows, columns=columns)
    return made.assign(p_holm=holm(made["p"].astype(float).tolist()))


def grids(judged: pd.DataFrame) -> list[Grid]:
    """The rows of `frame` as texts, one grid per section; `NOTE` belongs below."""
    made = []
    for section, part in judged.groupby("section", sort=False):
        rows = [_line(row) for _, row in part.iterrows()]
        made.append(Grid(f"Expectations: {section}", HEADER, rows))
    return made


def sentence(judged: pd.DataFrame) -> str:
    """How many expectations held, failed and are open, and which failed."""
    if judged.empty:
        return "The study states no expectation that can be judged."
    counts = judged["verdict"].value_counts()
    told = ", ".join(f"{counts.get(verdict, 0)} {verdict}" for verdict in VERDICTS)
    said = f"Of {len(judged)} expectations, counted in each section: {told}."
    several = judged["section"].nunique() > 1
    failed = [
        row["expectation"] + (f" ({row['section']})" if several else "")
        for _, row in judged[judged["verdict"] == FAILED].iterrows()
    ]
    said += f" Failed: {'; '.join(failed)}." if failed else ""
    done = judged[judged["verdict"] != NOT_RUN]
    single = int(done["recipes"].eq(False).sum())
    if single:
        said += f" {single} of the verdicts are on these runs only: an arm has one training run."
    later = int((~done["stated"].astype(bool)).sum())
    if later:
        said += f" {later} were written down after runs that judge them."
    return said


def verdict(expectation: Expectation, estimate: Estimate) -> str:
    """`HELD`, `FAILED` or `OPEN`, by the interval of left minus right."""
    margin, low, high = expectation.margin, estimate.low, estimate.high
    if expectation.relation == ALIKE:
        if equivalent(estimate, margin):
            return HELD
        return FAILED if low > margin or high < -margin else OPEN
    if expectation.relation == MORE:
        low, high = -high, -low
    if high < -margin:
        return HELD
    return FAILED if low > -margin else OPEN


def _judged(
    one: Expected,
    arms: pd.DataFrame,
    done: pd.DataFrame,
    samples: pd.DataFrame,
    stated: Mapping[str, Sequence[str]] | None,
    spreads: Spreads,
) -> Iterator[dict[str, Any]]:
    """A row for each group of students that are alike in all that the expectation does not name."""
    expectation = one.expectation
    named = varying(arms)
    columns = _alike(expectation)
    trained = arms[arms["method"] != "none"]
    for values, _ in trained.groupby(columns, sort=False, dropna=False):
        shared = dict(zip(columns, values, strict=True))
        title = ", ".join(f"{name} {shared[name]}" for name in named if name in shared)
        row: dict[str, Any] = {"section": title, "expectation": expectation.text, "seeds": 0}
        sides, missing = _sides(one, shared, done)
        if missing:
            yield row | {"verdict": NOT_RUN, "missing": ", ".join(missing), "stated": False}
            continue
        used, weights = zip(*sides, strict=True)
        estimate = _estimate(used, weights, done, samples, spreads)
        if expectation.relation == ALIKE:
            row |= {"low_90": estimate.value - estimate.half_90}
            row |= {"high_90": estimate.value + estimate.half_90}
        row |= estimate.row()
        if expectation.margin:
            row["p"] = None  # that of no difference is not asked
        cells = {cell for part in used for cell in part["cell"]}
        known = stated is None or all(expectation.text in stated.get(c, ()) for c in cells)
        yield row | {"verdict": verdict(expectation, estimate), "missing": "", "stated": known}


def _estimate(
    used: Sequence[pd.DataFrame],
    weights: Sequence[float],
    done: pd.DataFrame,
    samples: pd.DataFrame,
    spreads: Spreads,
) -> Estimate:
    """Left minus right, of the runs of each arm and its weight; `spreads` takes what it lacked."""
    shares = [arm_shares(part, samples) for part in used]
    like = ["benchmark", *SETTINGS]
    places = [tuple(part[like].iloc[0]) for part in used]
    for setting in {*places} - {*spreads}:
        mine = done[(done[like] == list(setting)).all(axis=1)]
        spreads[setting] = section_spread(mine, samples)
    known = [spreads[setting] for setting in places]
    if sorted(weights) == [-1, 1]:
        order = 1 if weights[0] == 1 else -1
        arm, reference = shares[::order]
        return difference(arm, reference, known[::order])
    return contrast(shares, weights, known)


def _alike(expectation: Expectation) -> list[str]:
    """Columns of a section in which the arms agree: those that the expectation does not name."""
    free = {column for name in expectation.fields for column in BELONGS.get(name, (name,))}
    if {*expectation.fields} - {"student"}:
        free.add(SETTINGS[0])
    if "student" in expectation.fields:
        free |= {*SETTINGS}
    return [column for column in SECTION if column not in free]


def _sides(
    one: Expected, shared: Mapping[str, Any], done: pd.DataFrame
) -> tuple[list[tuple[pd.DataFrame, float]], list[str]]:
    """Runs of each arm with its weight in left minus right, and what stands in the way."""
    like = pd.Series(True, index=done.index)
    for name, value in shared.items():
        like &= done[name].isna() if pd.isna(value) else done[name] == value
    mine = done[like & (done["method"] != "none")]
    scored = done["benchmark"].eq(shared["benchmark"]) & done["method"].eq("none")
    if "student" not in one.expectation.fields:
        scored &= done["evaluation_setting"] == shared["evaluation_setting"]
    sums: dict[frozenset[Any], tuple[pd.DataFrame, float]] = {}
    missing: dict[str, None] = {}
    for term, sign in one.expectation.terms:
        asked = one.arms[term]
        if asked.empty:
            missing[str(term)] = None
        among = done[scored] if term.name == BASE else mine
        for name, _ in term.fields:
            among = among[among[name].isin(asked[name])]
        for arm, weight in _weights(term, asked).items():
            part = among[among["arm"] == arm]
            if part.empty:
                missing[arm if not term.fields else f"{arm} of {term}"] = None
            elif part["training_setting"].nunique() > 1:
                missing[f"{arm} was trained with several settings"] = None
            found = frozenset(part["cell"])
            _, before = sums.get(found, (part, 0.0))
            sums[found] = part, before + sign * weight
    sides = [(part, weight) for part, weight in sums.values() if abs(weight) > 1e-9]
    return sides, list(missing) or ([] if sides else ["both sides are the same runs"])


def _weights(term: Term, asked: pd.DataFrame) -> dict[str, float]:
    """Each arm that a term names and its weight in the term's score; the weights sum to 1."""
    arms = asked.drop_duplicates("arm")
    arms = arms.iloc[sorted(range(len(arms)), key=lambda i: place(arms.iloc[i]))]
    if term.name not in GROUPS or term.rate is not None:
        return dict.fromkeys(arms["arm"], 1 / max(1, len(arms)))
    damaged = arms[arms["arm"] != UNCORRUPTED]
    operators = damaged.groupby([name for name in ARM if name != "fraction"], dropna=False)
    made = {UNCORRUPTED: 1.0} if len(damaged) else {}
    for _, operator in operators:
        begin, others = slope_weights(operator["fraction"].tolist())
        made[UNCORRUPTED] += begin / len(operators)
        for arm, weight in zip(operator["arm"], others, strict=True):
            made[arm] = weight / len(operators)
    return made


def _line(row: pd.Series) -> list[str]:
    if row["verdict"] == NOT_RUN:
        return [row["expectation"], f"{NOT_RUN}: {row['missing']}", *[""] * (len(HEADER) - 2)]
    told = row["verdict"] + ("" if row["recipes"] else ", these runs")
    inner = interval(row["low_90"], row["low_90"], row["high_90"], "+").partition(" ")[2]
    tests = [p_value(row["p"]), p_value(row["p_holm"])]
    n = f"{row['problems']:.0f}, {row['seeds']:.0f}"
    change = interval(row["value"], row["low"], row["high"], "+")
    stated = "before" if row["stated"] else "after"
    return [row["expectation"], told, change, inner, *tests, n, stated]
