"""How much accuracy do more traces buy?"""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pandas as pd

from ablations.findings.sections import Finding, arm_shares, of_one_setting
from ablations.render.grid import Grid
from ablations.render.wording import interval, of_these_runs, per_cent, points, verdict
from ablations.statistics.intervals import TINY, Estimate, Shares, contrast, difference
from distill.evaluation.variance import Spread, pooled

SERIES = (
    *("benchmark", "student", "training", "teacher", "dataset", "refers"),
    "evaluation_setting",
)
"""What students share that differ only in the number of traces."""


def frame(runs: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """One row per series and step from one training-set size to the next, uncorrupted traces only.

    Returns:
        `SERIES` and:

        from, to: traces; 0 is the untrained student, whose step comes first where it was run.
        doublings: log2 of `to` over `from`; NaN from 0.
        value, low, high, problems, seeds, p: `intervals.difference` of the accuracies; an untrained
            student has no seeds, so `seeds` from 0 are those of the trained one.
        undecided: share of the responses of the larger size without a verdict; they are not right.
        share: of the gain from the first to the last size; NaN where nothing was gained.

    Raises:
        ValueError: students of one size were trained with different settings.
    """
    rows = [
        row
        for key, sizes, undecided in _series(runs, samples)
        for row in _steps(key, sizes, _spread(sizes), undecided)
    ]
    return _frame(rows)


def whole_gain(runs: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """One row per series: the gain from its first size to its last, in the columns of `frame`."""
    rows: list[dict[str, Any]] = []
    for key, sizes, undecided in _series(runs, samples):
        ends = {size: sizes[size] for size in (min(sizes), max(sizes))}
        rows += _steps(key, ends, _spread(sizes), undecided)
    return _frame(rows)


def slowing(runs: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """Gain of the last doubling minus that of the first, by series of three sizes or more.

    Returns:
        `SERIES`, `sizes` and `value` to `p` of `frame`; negative where the last doubling gains less
        than the first.
    """
    rows = []
    for key, sizes, _ in _series(runs, samples):
        trained = [(size, shares) for size, shares in sorted(sizes.items()) if size]
        if len(trained) < 3:
            continue
        weights = [0.0] * len(trained)
        for place, sign in ((0, -1), (len(trained) - 2, 1)):
            doublings = math.log2(trained[place + 1][0] / trained[place][0])
            weights[place] -= sign / doublings
            weights[place + 1] += sign / doublings
        used = [(s, w) for (_, s), w in zip(trained, weights, strict=True) if w]
        change = contrast([s for s, _ in used], [w for _, w in used], _spread(sizes))
        rows.append(key | {"sizes": [size for size, _ in trained]} | change.row())
    return pd.DataFrame(rows, columns=[*SERIES, "sizes", *Estimate.__dataclass_fields__])


def grid(steps: pd.DataFrame, title: str) -> Grid:
    """The steps of one series as texts, in points of accuracy."""
    rows = [
        [
            f"{row['from']:,.0f} to {row['to']:,.0f}",
            interval(row["value"], row["low"], row["high"], "+"),
            "" if pd.isna(row["doublings"]) else f"{100 * row['value'] / row['doublings']:+.1f}",
            per_cent(row["share"], 0),
            f"{row['problems']}, {row['seeds']}",
            per_cent(row["undecided"]),
        ]
        for _, row in steps.iterrows()
    ]
    header = ("traces", "gain, points [95 %]", "per doubling", "share of the whole gain")
    return Grid(title, (*header, "n: problems, seeds", "undecided"), rows)


def sentence(steps: pd.DataFrame, whole: pd.DataFrame, slowing: pd.DataFrame) -> str:
    """How much of the gain of one series each size has, and whether later doublings gain less.

    Takes the rows of the series of `frame`, of `whole_gain` and of `slowing`, which may be none.
    """
    gain = whole.iloc[0]
    sizes = f"from {gain['from']:,.0f} to {gain['to']:,.0f} traces"
    if pd.isna(gain["share"]):
        return of_these_runs(f"Nothing was gained {sizes}: {points(gain)}.", gain)
    said = of_these_runs(f"The gain {sizes} is {points(gain)}.", gain)
    if len(steps) > 1:
        shares = zip(steps["share"].cumsum(), steps["to"], strict=True)
        reached = [f"{per_cent(share, 0)} at {size:,.0f}" for share, size in shares]
        said += f" Share of it reached: {', '.join(reached[:-1])}."
    if slowing.empty:
        return f"{said} With fewer than three sizes, diminishing returns cannot be tested."
    change = slowing.iloc[0]
    gains = verdict(change, "gains less than", "cannot be told apart from", "gains more than")
    last = f"The last doubling {gains} the first: {points(change)}."
    return f"{said} {of_these_runs(last, change)}"


def findings(runs: pd.DataFrame, samples: pd.DataFrame) -> list[Finding]:
    """The answer of every series with two training-set sizes or more; arguments as of `frame`."""
    frames = [made(runs, samples) for made in (frame, whole_gain, slowing)]
    found = []
    for key, steps in frames[0].groupby(list(SERIES), sort=False):
        if (steps["from"] > 0).any():
            own = [one[(one[list(SERIES)] == list(key)).all(axis=1)] for one in frames]
            names = ("benchmark", "student", "training")
            title = ", ".join(f"{name} {steps[name].iloc[0]}" for name in names)
            title += f", {other}" if (other := steps["refers"].iloc[0]) else ""
            found.append(Finding(title, sentence(*own), grid(steps, title), steps))
    return found


def comparable(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs that `frame` accepts: of series with one setting for each size."""
    return of_one_setting(runs, SERIES, ("size",))


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    columns = [*SERIES, "from", "to", "doublings", *Estimate.__dataclass_fields__, "share"]
    columns.append("undecided")
    return pd.DataFrame(rows, columns=columns)


def _series(
    runs: pd.DataFrame, samples: pd.DataFrame
) -> Iterator[tuple[dict[str, Any], dict[int, Shares], dict[int, float]]]:
    """What each series shares, its scores by size, and the shares without a verdict.

    Size 0 is the untrained student.
    """
    done = runs[runs["accuracy"].notna() & (runs["corruption"] == "none")]
    trained, bases = (done[(done["method"] == "none") == yes] for yes in (False, True))
    for values, part in trained.groupby(list(SERIES), sort=False):
        key: dict[str, Any] = dict(zip(SERIES, values, strict=True))
        like = ["benchmark", "evaluation_setting"]
        own = bases[(bases[like] == part[like].iloc[0]).all(axis=1)]
        sizes: dict[int, Shares] = {0: arm_shares(own, samples)} if len(own) else {}
        undecided = {0: own["undecided"].astype(float).mean()}
        for size, arm in part.groupby("size"):
            if arm["training_setting"].nunique() > 1:
                raise ValueError(
                    f"students of {size:,.0f} traces were trained with several settings: "
                    f"{', '.join(arm['label'])}; give runs that differ in size alone"
                )
            sizes[int(arm["size"].iloc[0])] = arm_shares(arm, samples)
            undecided[int(arm["size"].iloc[0])] = arm["undecided"].astype(float).mean()
        yield key, sizes, undecided


def _spread(sizes: dict[int, Shares]) -> Spread | None:
    return pooled([shares for shares in sizes.values() if isinstance(shares, pd.DataFrame)])


def _steps(
    key: dict[str, Any],
    sizes: dict[int, Shares],
    spread: Spread | None,
    undecided: dict[int, float],
) -> Iterator[dict[str, Any]]:
    order = sorted(sizes)
    whole = difference(sizes[order[-1]], sizes[order[0]]).value
    for less, more in pairwise(order):
        gain = difference(sizes[more], sizes[less], spread)
        doublings = math.log2(more / less) if less else math.nan
        share = gain.value / whole if whole > TINY else math.nan
        step = {"from": less, "to": more, "doublings": doublings, "share": share}
        step |= {"undecided": undecided[more]}
        yield key | step | gain.row()
