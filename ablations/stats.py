"""Intervals of a score and of the difference between two arms, by problem.

The unit is the problem: samples and training seeds of one problem are averaged first, since they
share its difficulty. What these intervals say is how the score would move with other problems of
the same kind. What they do not say is how it would move with another training seed, teacher corpus
or base student: with several seeds given, their mean is what is judged, and how much single seeds
scatter is not in the interval.
"""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

DRAWS = 10_000
"""Bootstrap draws."""

SEED = 0
"""Of the bootstrap: the same frame gives the same interval."""

Z = 1.959963984540054
"""Two-sided 95 % quantile of the normal distribution."""


@dataclass(frozen=True)
class Estimate:
    """A number in [-1, 1] with its 95 % interval and the number of problems behind it."""

    value: float
    low: float
    high: float
    problems: int


def by_problem(rows: pd.DataFrame) -> pd.Series:
    """Share of right samples of each problem, over all samples and seeds; undecided: not right.

    Args:
        rows: one row per (run, problem, sample) with `cell`, `problem_id`, `sample`, `correct`.

    Returns:
        Indexed by `problem_id`, in [0, 1].

    Raises:
        ValueError: a problem has more samples than another, so that a mean would not be of equals.
    """
    counts = rows.groupby("problem_id").size()
    if counts.nunique() > 1:
        raise ValueError(
            f"{counts.min()} samples of problem {counts.idxmin()}, but {counts.max()} of "
            f"{counts.idxmax()}: runs of one arm must be scored on the same problems"
        )
    right = rows["correct"].eq(True).fillna(False).astype(float)
    return right.groupby(rows["problem_id"]).mean()


def accuracy(shares: pd.Series) -> Estimate:
    """Mean over problems with Wilson's interval at the effective number of trials.

    That number is what an independent trial each would need for the same standard error; with one
    sample of each problem it is their count, and the interval is Wilson's own. It stays honest at 0
    and 100 %, where a bootstrap has no width.

    Args:
        shares: of right samples by problem, n >= 1 values in [0, 1].
    """
    n, mean = len(shares), float(shares.mean())
    trials = float(n)
    if shares.nunique() > 1:
        trials = n * mean * (1 - mean) / float(np.mean((shares - mean) ** 2))
    middle = (mean + Z * Z / (2 * trials)) / (1 + Z * Z / trials)
    half = (
        Z / (1 + Z * Z / trials) * math.sqrt(mean * (1 - mean) / trials + (Z / (2 * trials)) ** 2)
    )
    return Estimate(mean, max(0.0, middle - half), min(1.0, middle + half), n)


def difference(arm: pd.Series, reference: pd.Series) -> Estimate:
    """Mean of arm minus reference on the same problems, with a bootstrap by problem.

    The draws are of problems with both their scores, so what a problem's difficulty adds to both
    cancels. Where the difference is the same on every problem the bootstrap has no width; then the
    interval is what n problems could have missed, `1 - 0.025 ** (1 / n)` to both sides.

    Args:
        arm: share of right samples by problem; n >= 1 problems.
        reference: the same problems in any order.

    Raises:
        ValueError: the problems are not the same.
    """
    delta = _paired(arm, reference)
    n = len(delta)
    values, counts = np.unique(delta, return_counts=True)
    if len(values) == 1:
        missed = 1 - 0.025 ** (1 / n)
        low, high = max(-1.0, values[0] - missed), min(1.0, values[0] + missed)
        return Estimate(float(values[0]), float(low), float(high), n)
    drawn = np.random.default_rng(SEED).multinomial(n, counts / n, size=DRAWS)
    low, high = np.quantile(drawn @ values / n, [0.025, 0.975])
    return Estimate(float(delta.mean()), float(low), float(high), n)


def mcnemar(arm: pd.Series, reference: pd.Series) -> float:
    """Exact two-sided p that neither of two runs, one sample of each problem, is the better.

    The problems that one solves and the other does not are fair coin flips if so (McNemar 1947,
    exact form).

    Args:
        arm: 0 or 1 by problem.
        reference: 0 or 1, the same problems.

    Raises:
        ValueError: the problems differ, or a share is neither 0 nor 1.
    """
    delta = _paired(arm, reference)
    if not (arm.isin([0, 1]).all() and reference.isin([0, 1]).all()):
        raise ValueError(
            "McNemar's test takes one sample of each problem; average several with `difference`"
        )
    better, worse = int((delta > 0).sum()), int((delta < 0).sum())
    flips = better + worse
    tail = sum(math.comb(flips, k) for k in range(min(better, worse) + 1))
    return min(1.0, 2 * tail / 2**flips)


def _paired(arm: pd.Series, reference: pd.Series) -> np.ndarray:
    if not arm.index.sort_values().equals(reference.index.sort_values()):
        shared = len(arm.index.intersection(reference.index))
        raise ValueError(
            f"an arm was scored on {len(arm)} problems and its reference on {len(reference)}, "
            f"{shared} of them shared; a paired difference needs the same problems"
        )
    return (arm - reference.reindex(arm.index)).to_numpy()
