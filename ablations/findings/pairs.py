"""Which runs differ from each other on the same problems?"""

from itertools import combinations
from typing import Any

import pandas as pd

from ablations.render.grid import Grid
from ablations.render.wording import LEVEL, interval, points
from ablations.statistics.intervals import Estimate, by_seed, difference
from ablations.statistics.significance import holm


def frame(samples: pd.DataFrame) -> pd.DataFrame:
    """One row per benchmark and pair of runs that were scored on it.

    Returns:
        benchmark, one, other: names of the runs.
        value, low, high, problems, seeds, p: `intervals.difference`, one minus other.
        p_holm: p adjusted for all pairs of the benchmark.
    """
    rows: list[dict[str, Any]] = []
    for benchmark, part in samples.groupby("benchmark"):
        shares = {run: by_seed(answers) for run, answers in part.groupby("student")}
        made = [
            {"benchmark": benchmark, "one": one, "other": other}
            | vars(difference(shares[one], shares[other], of_runs=True))
            for one, other in combinations(shares, 2)
        ]
        adjusted = holm([row["p"] for row in made])
        rows += [row | {"p_holm": p} for row, p in zip(made, adjusted, strict=True)]
    columns = ["benchmark", "one", "other", *Estimate.__dataclass_fields__, "p_holm"]
    return pd.DataFrame(rows, columns=columns)


def grid(pairs: pd.DataFrame, title: str) -> Grid:
    """The pairs as texts, in points."""
    rows = []
    for _, pair in pairs.iterrows():
        change = interval(pair["value"], pair["low"], pair["high"], "+")
        tests = [f"{pair['p']:.2g}", f"{pair['p_holm']:.2g}"]
        rows.append([pair["benchmark"], pair["one"], pair["other"], change, *tests])
    header = ("benchmark", "one", "other", "one minus other [95 %]", "p", "p (Holm)")
    return Grid(title, header, rows)


def sentence(pairs: pd.DataFrame) -> str:
    """How many pairs differ, and by how much those that differ most."""
    if pairs.empty:
        return "No two runs were scored on the same problems."
    differ = int((pairs["p_holm"] < LEVEL).sum())
    widest = pairs.iloc[int(pairs["value"].abs().argmax())]
    return (
        f"Of {len(pairs)} pairs of runs {differ} differ (Holm-adjusted p < {LEVEL}); the largest "
        f"difference, between {widest['one']} and {widest['other']}, is {points(widest)}."
    )
