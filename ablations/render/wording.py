"""An estimate in words that claim no more than its interval does."""

from typing import Any

import pandas as pd

LEVEL = 0.05
"""Below this p, adjusted where there are several, a difference is said to be there."""


def verdict(estimate: Any, below: str, between: str, above: str) -> str:
    """The word for where the interval lies: all below 0, with 0 in it, or all above.

    Args:
        estimate: has `low` and `high`; a `stats.Estimate`, or a row with its fields.
        below: said where `high` < 0.
        between: said where 0 is inside.
        above: said where `low` > 0.
    """
    if estimate.high < 0:
        return below
    return above if estimate.low > 0 else between


def per_cent(share: Any, digits: int = 1) -> str:
    """`43.2 %` of a share of 1; empty if NaN."""
    return "" if pd.isna(share) else f"{100 * share:.{digits}f} %"


def points(estimate: Any) -> str:
    """`-3.2 points of accuracy, 95 % interval [-5.1, -1.3], n = 400 problems, 3 training seeds`.

    Args:
        estimate: has `value`, `low`, `high` (shares of 1), `problems` and `seeds`.
    """
    shares = (estimate.value, estimate.low, estimate.high)
    value, low, high = (f"{round(100 * share, 1) + 0.0:+.1f}" for share in shares)
    seeds = "one training seed; the interval covers no other"
    if estimate.seeds > 1:
        seeds = f"{estimate.seeds} training seeds"
    return (
        f"{value} points of accuracy, 95 % interval [{low}, {high}], "
        f"n = {estimate.problems} problems, {seeds}"
    )


def interval(value: Any, low: Any, high: Any, sign: str = "") -> str:
    """Shares in per cent: `43.2 [38.5, 48.1]`, with signs where `sign` is `+`; empty if NaN."""
    if pd.isna(value):
        return ""
    value, low, high = (round(100 * share, 1) + 0.0 for share in (value, low, high))
    shown = f"{value:{sign}.1f}"
    return shown if pd.isna(low) else f"{shown} [{low:{sign}.1f}, {high:{sign}.1f}]"


def sampled(run: pd.Series) -> str:
    """The n of an arm that was run: problems × samples a problem × runs."""
    return f"{run['problems']:.0f}×{run['samples']:.0f}×{run['runs']:.0f}"


def p_value(p: Any) -> str:
    """`0.031`, or a bound of the very small; empty if there is none."""
    if pd.isna(p):
        return ""
    return "<0.0001" if p < 1e-4 else f"{p:.2g}"


ABSENT = "—"
