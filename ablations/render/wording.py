"""Words and numbers for estimates, p values and shares in texts and tables."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

LEVEL = 0.05
"""p below which a difference is reported as significant; adjusted if there are several."""


def verdict(estimate: Any, below: str, between: str, above: str) -> str:
    """One of three texts, depending on where the interval lies.

    Args:
        estimate: has `low` and `high`: an `ablations.statistics.intervals.Estimate` or a row.
        below: returned if `high` < 0.
        between: returned if the interval contains 0.
        above: returned if `low` > 0.
    """
    if estimate.high < 0:
        return below
    return above if estimate.low > 0 else between


def per_cent(share: Any, digits: int = 1) -> str:
    """A share of 1 as `43.2 %`; empty if NaN."""
    return "" if pd.isna(share) else f"{100 * share:.{digits}f} %"


def points(estimate: Any) -> str:
    """`-3.2 points of accuracy, 95 % interval [-5.1, -1.3], n = 400 problems, 3 runs an arm`.

    Where an arm was trained once, no number of runs: see `of_these_runs`.

    Args:
        estimate: has `value`, `low`, `high` (shares of 1), `problems`, `seeds` and `recipes`.
    """
    shares = (estimate.value, estimate.low, estimate.high)
    value, low, high = (f"{round(100 * share, 1) + 0.0:+.1f}" for share in shares)
    seeds = f"{estimate.seeds} runs an arm" if estimate.recipes else "another seed may reverse it"
    return (
        f"{value} points of accuracy, 95 % interval [{low}, {high}], "
        f"n = {estimate.problems} problems, {seeds}"
    )


def of_these_runs(said: str, *estimates: Any) -> str:
    """A sentence on estimates, begun with the runs it is of where an arm was trained once.

    Args:
        said: begins with a word that may be written small.
        estimates: have `recipes` and `once`, see `ablations.statistics.intervals.Estimate`.
    """
    if all(one.recipes for one in estimates):
        return said
    which = "each" if all(one.once for one in estimates) else "some"
    return f"In these runs, {which} trained once, {said[0].lower()}{said[1:]}"


def interval(value: Any, low: Any = float("nan"), high: Any = float("nan"), sign: str = "") -> str:
    """Shares in per cent: `43.2 [38.5, 48.1]`, signed where `sign` is `+`; empty without one."""
    if pd.isna(value):
        return ""
    value, low, high = (round(100 * share, 1) + 0.0 for share in (value, low, high))
    shown = f"{value:{sign}.1f}"
    return shown if pd.isna(low) else f"{shown} [{low:{sign}.1f}, {high:{sign}.1f}]"


def of_runs(shares: Sequence[float]) -> str:
    """The accuracies of several runs in per cent, behind their mean: ` (78.8, 73.0, 89.2)`."""
    return f" ({', '.join(f'{100 * share:.1f}' for share in shares)})" if len(shares) > 1 else ""


def sampled(run: pd.Series) -> str:
    """The n of a finished arm: problems × samples per problem × runs."""
    return f"{run['problems']:.0f}×{run['samples']:.0f}×{run['runs']:.0f}"


def p_value(p: Any) -> str:
    """A p value as `0.031` or `<0.0001`; empty if NaN."""
    if pd.isna(p):
        return ""
    return "<0.0001" if p < 1e-4 else f"{p:.2g}"
