"""What more traces buy: frame of runs -> gain from each size to the next."""

import math
from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import pairwise
from typing import Any

import pandas as pd

from ablations.findings.arms import arm_shares
from ablations.render.grid import Grid
from ablations.render.wording import interval, per_cent, points, verdict
from ablations.statistics.intervals import TINY, Estimate, Shares, contrast, difference

SERIES = ("benchmark", "student", "training", "teacher", "dataset", "evaluation_setting")
"""What students that differ in nothing but the number of traces share."""

COLUMNS = (
    *SERIES,
    *("from", "to", "doublings", "value", "low", "high", "problems", "seeds", "p"),
    "share",
)
"""Of `gains`; see there."""


def gains(runs: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """One row per series and step from one size of the training set to the next.

    Args:
        runs: see `ablations.results.runs.runs`; students of damaged traces are left out.
        samples: of these runs.

    Returns:
        `SERIES` and:

        from, to: traces; 0 is the untrained student, whose step comes first where it was run.
        doublings: log2 of `to` over `from`; NaN from 0.
        value, low, high, problems, seeds, p: `stats.difference` of the accuracies; an untrained
            student has no seeds, so `seeds` from 0 are those of the trained one.
        share: of the gain from the first to the last size; NaN where nothing was gained.

    Raises:
        ValueError: students of one size were trained by different settings.
    """
    rows = [row for key, sizes in _series(runs, samples) for row in _steps(key, sizes)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def whole_gain(runs: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """One row per series: the gain from its first size to its last, in the columns of `gains`."""
    rows = [
        row
        for key, sizes in _series(runs, samples)
        for row in _steps(key, {size: sizes[size] for size in (min(sizes), max(sizes))})
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def slowing(runs: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """Gain of the last doubling minus that of the first, by series of three sizes or more.

    Returns:
        `SERIES`, `sizes` and `value` to `p` of `gains`; negative where doublings buy less and less.
    """
    rows = []
    for key, sizes in _series(runs, samples):
        trained = [(size, shares) for size, shares in sorted(sizes.items()) if size]
        if len(trained) < 3:
            continue
        weights = [0.0] * len(trained)
        for place, sign in ((0, -1), (len(trained) - 2, 1)):
            doublings = math.log2(trained[place + 1][0] / trained[place][0])
            weights[place] -= sign / doublings
            weights[place + 1] += sign / doublings
        used = [(s, w) for (_, s), w in zip(trained, weights, strict=True) if w]
        change = contrast([s for s, _ in used], [w for _, w in used])
        rows.append(key | {"sizes": [size for size, _ in trained]} | asdict(change))
    columns = [*SERIES, "sizes", *Estimate.__dataclass_fields__]
    return pd.DataFrame(rows, columns=columns)


def gains_grid(gains: pd.DataFrame, title: str) -> Grid:
    """The gains of one series as texts, in points of accuracy."""
    rows = [
        [
            f"{row['from']:,.0f} to {row['to']:,.0f}",
            interval(row["value"], row["low"], row["high"], "+"),
            "" if pd.isna(row["doublings"]) else f"{100 * row['value'] / row['doublings']:+.1f}",
            per_cent(row["share"], 0),
            f"{row['problems']}, {row['seeds']}",
        ]
        for _, row in gains.iterrows()
    ]
    header = ("traces", "gain, points [95 %]", "for each doubling", "of the whole gain")
    return Grid(title, (*header, "n: problems, seeds"), rows)


def gains_sentence(gains: pd.DataFrame, whole: pd.DataFrame, slowing: pd.DataFrame) -> str:
    """What one series says: how much of the gain is there at each size; whether doublings buy less.

    Args:
        gains: the rows of one series of `gains`.
        whole: the row of the same series of `whole_gain`.
        slowing: the row of the same series of `slowing`, or none.
    """
    gain = whole.iloc[0]
    asked = f"from {gain['from']:,.0f} to {gain['to']:,.0f} traces"
    if pd.isna(gain["share"]):
        return f"Nothing was gained {asked}: {points(gain)}."
    told = f"Gained {asked}: {points(gain)}."
    if len(gains) > 1:
        shares = zip(gains["share"].cumsum(), gains["to"], strict=True)
        reached = [f"{per_cent(share, 0)} at {size:,.0f}" for share, size in shares]
        told += f" Share of it reached: {', '.join(reached[:-1])}."
    if slowing.empty:
        return f"{told} Fewer than three sizes: whether doublings buy less and less is not known."
    change = slowing.iloc[0]
    buys = verdict(change, "buys less than", "cannot be told apart from", "buys more than")
    return f"{told} The last doubling {buys} the first: {points(change)}."


def _series(
    runs: pd.DataFrame, samples: pd.DataFrame
) -> Iterator[tuple[dict[str, Any], dict[int, Shares]]]:
    """What each series shares, and its scores by size; 0 is the untrained student."""
    done = runs[runs["accuracy"].notna() & (runs["corruption"] == "none")]
    trained, bases = (done[(done["method"] == "none") == yes] for yes in (False, True))
    for values, part in trained.groupby(list(SERIES), sort=False):
        key: dict[str, Any] = dict(zip(SERIES, values, strict=True))
        like = ["benchmark", "evaluation_setting"]
        own = bases[(bases[like] == part[like].iloc[0]).all(axis=1)]
        sizes: dict[int, Shares] = {0: arm_shares(own, samples)} if len(own) else {}
        for size, arm in part.groupby("size"):
            if arm["training_setting"].nunique() > 1:
                raise ValueError(
                    f"students of {size:,.0f} traces were trained by several settings: "
                    f"{', '.join(arm['label'])}; give runs that differ in size alone"
                )
            sizes[int(arm["size"].iloc[0])] = arm_shares(arm, samples)
        yield key, sizes


def _steps(key: dict[str, Any], sizes: dict[int, Shares]) -> Iterator[dict[str, Any]]:
    order = sorted(sizes)
    whole = difference(sizes[order[-1]], sizes[order[0]]).value
    for less, more in pairwise(order):
        gain = difference(sizes[more], sizes[less])
        if not less:
            gain = replace(gain, seeds=sizes[more].shape[1])
        doublings = math.log2(more / less) if less else math.nan
        share = gain.value / whole if whole > TINY else math.nan
        told = {"from": less, "to": more, "doublings": doublings, "share": share}
        yield key | told | asdict(gain)
