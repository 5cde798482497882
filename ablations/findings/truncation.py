"""How much could truncated responses have cost the score of a run?"""

import pandas as pd

from ablations.render.grid import Grid
from ablations.render.wording import interval, per_cent
from ablations.statistics.intervals import accuracy, by_seed

SHARES = ("undecided", "truncated", "finished", "wrong_truncated", "at_most")
"""Columns of `frame` that are shares of responses."""


def frame(samples: pd.DataFrame) -> pd.DataFrame:
    """One row per run and benchmark for which it is known which responses were truncated.

    Returns:
        student, benchmark, responses; and shares of 1:

        accuracy, low, high: `intervals.accuracy`.
        undecided: of the responses, those without a verdict; they are not right.
        truncated: of the responses.
        finished: accuracy of the responses that were not truncated.
        wrong_truncated: of the wrong responses, how many were truncated; NaN without wrong ones.
        at_most: accuracy if every truncated response had been right.
    """
    rows = []
    for (student, benchmark), part in samples.groupby(["student", "benchmark"]):
        if part["truncated"].isna().any():
            continue
        right, cut = part["correct"].eq(True), part["truncated"].astype(bool)
        row = {"student": student, "benchmark": benchmark, "responses": len(part)}
        row |= accuracy(by_seed(part)).columns("accuracy", "")
        row |= {"undecided": part["correct"].isna().mean(), "truncated": cut.mean()}
        row |= {"finished": right[~cut].mean()}
        rows.append(row | {"wrong_truncated": cut[~right].mean(), "at_most": (right | cut).mean()})
    columns = ["student", "benchmark", "responses", "accuracy", "low", "high"]
    return pd.DataFrame(rows, columns=[*columns, *SHARES])


def grid(runs: pd.DataFrame, title: str) -> Grid:
    """The runs as texts, in per cent."""
    rows = []
    for _, run in runs.iterrows():
        scored = [str(run["responses"]), interval(run["accuracy"], run["low"], run["high"])]
        shares = ["" if pd.isna(run[name]) else f"{100 * run[name]:.1f}" for name in SHARES]
        rows.append([run["student"], run["benchmark"], *scored, *shares])
    header = (
        *("run", "benchmark", "responses", "accuracy [95 %]", "undecided", "truncated"),
        *("accuracy if not truncated", "truncated among wrong", "accuracy if truncated were right"),
    )
    return Grid(title, header, rows)


def sentence(runs: pd.DataFrame) -> str:
    """In how many runs responses were truncated, and how far that could have moved the scores."""
    cut = runs[runs["truncated"] > 0]
    if cut.empty:
        return "In no run a response is known to be truncated."
    wrong = cut["wrong_truncated"]
    return (
        f"In {len(cut)} of {len(runs)} runs responses were truncated: {per_cent(wrong.min(), 0)} "
        f"to {per_cent(wrong.max(), 0)} of their wrong ones, worth up to "
        f"{100 * (cut['at_most'] - cut['accuracy']).max():.1f} points."
    )
