"""Outputs of others read again: which arms differ at all, and what truncation does to them."""

from itertools import combinations
from typing import Any

import pandas as pd

from ablations.render.grid import Grid
from ablations.render.wording import LEVEL, interval, per_cent, points
from ablations.statistics.intervals import accuracy, by_seed, difference
from ablations.statistics.significance import holm


def pairs(samples: pd.DataFrame) -> pd.DataFrame:
    """One row per benchmark and pair of runs that were scored on it.

    Args:
        samples: see `ablations.results.runs.samples`; a `student` is a run.

    Returns:
        benchmark, one, other: names of the runs.
        value, low, high, problems, seeds, p: `stats.difference`, one minus other.
        p_holm: p adjusted for all pairs of the benchmark.
    """
    rows: list[dict[str, Any]] = []
    for benchmark, part in samples.groupby("benchmark"):
        shares = {run: by_seed(answers) for run, answers in part.groupby("student")}
        made = [
            {"benchmark": benchmark, "one": one, "other": other}
            | vars(difference(shares[one], shares[other]))
            for one, other in combinations(shares, 2)
        ]
        adjusted = holm([row["p"] for row in made])
        rows += [row | {"p_holm": p} for row, p in zip(made, adjusted, strict=True)]
    columns = ["benchmark", "one", "other", "value", "low", "high", "problems", "seeds", "p"]
    return pd.DataFrame(rows, columns=[*columns, "p_holm"])


def truncation(samples: pd.DataFrame) -> pd.DataFrame:
    """One row per run and benchmark whose truncated responses are known.

    Args:
        samples: see `ablations.results.runs.samples`.

    Returns:
        student, benchmark, responses; and shares of 1:

        accuracy, low, high: `stats.accuracy`.
        truncated: of the responses.
        finished: accuracy of those that were not truncated.
        wrong_truncated: of the wrong responses, how many were truncated; NaN without wrong ones.
        at_most: accuracy, had every truncated response been right.
    """
    rows = []
    for (student, benchmark), part in samples.groupby(["student", "benchmark"]):
        if part["truncated"].isna().any():
            continue
        right, cut = part["correct"].eq(True), part["truncated"].astype(bool)
        alone = accuracy(by_seed(part))
        rows.append(
            {
                "student": student,
                "benchmark": benchmark,
                "responses": len(part),
                "accuracy": alone.value,
                "low": alone.low,
                "high": alone.high,
                "truncated": cut.mean(),
                "finished": right[~cut].mean(),
                "wrong_truncated": cut[~right].mean(),
                "at_most": (right | cut).mean(),
            }
        )
    columns = ["student", "benchmark", "responses", "accuracy", "low", "high"]
    names = [*columns, "truncated", "finished", "wrong_truncated", "at_most"]
    return pd.DataFrame(rows, columns=names)


def pairs_grid(pairs: pd.DataFrame, title: str) -> Grid:
    """The pairs as texts, in points."""
    rows = [
        [
            pair["benchmark"],
            pair["one"],
            pair["other"],
            interval(pair["value"], pair["low"], pair["high"], "+"),
            f"{pair['p']:.2g}",
            f"{pair['p_holm']:.2g}",
        ]
        for _, pair in pairs.iterrows()
    ]
    header = ("benchmark", "one", "other", "one minus other [95 %]", "p", "p (Holm)")
    return Grid(title, header, rows)


def truncation_grid(arms: pd.DataFrame, title: str) -> Grid:
    """The runs as texts, in per cent."""
    rows = [
        [
            arm["student"],
            arm["benchmark"],
            str(arm["responses"]),
            interval(arm["accuracy"], arm["low"], arm["high"]),
            *(
                "" if pd.isna(arm[name]) else f"{100 * arm[name]:.1f}"
                for name in ("truncated", "finished", "wrong_truncated", "at_most")
            ),
        ]
        for _, arm in arms.iterrows()
    ]
    header = ("run", "benchmark", "responses", "accuracy [95 %]", "truncated")
    more = ("accuracy of the finished", "of the wrong, truncated", "accuracy, were they right")
    return Grid(title, (*header, *more), rows)


def reread_sentence(pairs: pd.DataFrame, truncation: pd.DataFrame) -> str:
    """How many pairs are told apart, and how far truncation could have moved the scores."""
    told = ["No two runs were scored on the same problems."]
    if len(pairs):
        apart = int((pairs["p_holm"] < LEVEL).sum())
        widest = pairs.iloc[int(pairs["value"].abs().argmax())]
        told = [
            f"Of {len(pairs)} pairs of arms {apart} are told apart (Holm); the widest apart, "
            f"{widest['one']} and {widest['other']}, differ by {points(widest)}."
        ]
    cut = truncation[truncation["truncated"] > 0]
    if len(cut):
        wrong = cut["wrong_truncated"]
        told.append(
            f"In {len(cut)} of {len(truncation)} runs responses were truncated: "
            f"{per_cent(wrong.min(), 0)} to {per_cent(wrong.max(), 0)} of their wrong ones, worth "
            f"up to {100 * (cut['at_most'] - cut['accuracy']).max():.1f} points."
        )
    return " ".join(told)
