"""Intervals of scores and of differences between arms, over problems and training seeds.

Problems are a sample of all such problems and seeds a sample of training runs; samples of one
problem share its difficulty and are averaged first. An arm is a frame of problems by seeds. One
seed tells nothing about others: such an interval covers problems only, and `Estimate.seeds` is 1.
With several seeds the interval covers both, see `ablations.statistics.variance`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ablations.statistics.significance import mcnemar, same_problems, sign_flip
from ablations.statistics.variance import TAIL, bootstrap, mean_variance
from distill.evaluation.intervals import TINY, wilson

Shares = pd.Series | pd.DataFrame
"""Share of right samples: by problem, or by problem (rows) and training seed (columns)."""


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval, and the numbers of problems and seeds behind it."""

    value: float
    low: float
    high: float
    problems: int

    seeds: int = 1
    """Training seeds of the arm with the fewest; 1: the interval does not cover seeds."""

    p: float | None = None
    """Two-sided, of the hypothesis that the value is 0; None where nothing is compared."""

    def columns(self, name: str, prefix: str) -> dict[str, float]:
        """Value and interval as `name`, `<prefix>low` and `<prefix>high` of a frame."""
        return {name: self.value, f"{prefix}low": self.low, f"{prefix}high": self.high}


def by_seed(rows: pd.DataFrame) -> pd.DataFrame:
    """Share of right samples of each problem (rows) in each training run (columns).

    Args:
        rows: one row per (run, problem, sample) of one arm, with `problem_id`, `correct` and
            `cell`, the run's key; an undecided sample is not right. Problems may have different
            numbers of samples.

    Returns:
        N problems by S seeds in [0, 1], sorted; index `problem_id`.

    Raises:
        ValueError: a run was not scored on all the problems of the others.
    """
    right = rows["correct"].eq(True).fillna(False).astype(float)
    shares = right.groupby([rows["problem_id"], rows["cell"]]).mean().unstack()
    if shares.isna().any(axis=None):
        problems = shares.notna().sum()
        raise ValueError(
            f"cell {problems.idxmin()} has {problems.min()} of {len(shares)} problems: "
            "runs of one arm must be scored on the same problems"
        )
    return shares


def accuracy(shares: Shares) -> Estimate:
    """Mean over problems and seeds with its interval, see `distill.evaluation.intervals.wilson`.

    With one seed it is the interval that the run itself reports; takes n >= 1 problems.
    """
    table, variance, freedom = _table(shares), 0.0, math.inf
    n, mean = len(table), float(table.mean())
    if n > 1 and _single_answers(shares) is None:
        variance, freedom = mean_variance(table.mean(axis=1), [(table, 1.0)])
    return Estimate(mean, *wilson(mean, n, variance, freedom), n, table.shape[1])


def difference(
    arm: Shares, reference: Shares, *, pair_seeds: bool = False, tail: float = TAIL
) -> Estimate:
    """Mean of arm minus reference on the same problems, see `contrast`; inside [-1, 1].

    With one sample of each problem and one seed, p is `significance.mcnemar`.
    """
    made = contrast([arm, reference], [1, -1], pair_seeds=pair_seeds, tail=tail)
    single = [_single_answers(shares) for shares in (arm, reference)]
    p = made.p if single[0] is None or single[1] is None else mcnemar(single[0], single[1])
    return replace(made, low=max(-1.0, made.low), high=min(1.0, made.high), p=p)


def contrast(
    arms: Sequence[Shares],
    weights: Sequence[float],
    *,
    pair_seeds: bool = False,
    tail: float = TAIL,
) -> Estimate:
    """A weighted sum of arms' accuracies, paired by problem, with interval and p.

    A problem's difficulty, which all arms share, cancels where the weights sum to 0. With one seed
    per arm: bootstrap by problem, its percentiles widened from n to n - 1 (Hesterberg, Am. Stat.
    69, 2015), and a sign-flip test; where the sum is the same on every problem, the interval is
    what n problems could have missed, `1 - tail ** (1 / n)`. With more seeds: Student's interval
    and test, see `ablations.statistics.variance`.

    Args:
        arms: scored on the same n >= 1 problems; an arm of one seed adds no variance of seeds.
        weights: one per arm; no arm may be given twice.
        pair_seeds: whether runs in the same column belong together, so that what they share (a base
            student) cancels. Otherwise every run of every arm was trained independently.
        tail: probability outside the interval on either side; 0.05 gives a 90 % interval.

    Raises:
        ValueError: the problems differ, or the columns do although `pair_seeds`.
    """
    from scipy.special import stdtr, stdtrit

    for arm in arms[1:]:
        same_problems(arms[0], arm)
        if pair_seeds and not _columns(arm).equals(_columns(arms[0])):
            raise ValueError(
                f"seeds {list(_columns(arms[0]))} and {list(_columns(arm))} are no pairs; "
                "pair_seeds needs the same columns in every arm"
            )
    tables = [_table(arm.reindex(arms[0].index)) for arm in arms]
    parts = list(zip(tables, weights, strict=True))
    delta = np.sum([weight * table.mean(axis=1) for table, weight in parts], axis=0)
    value, n = float(delta.mean()), len(delta)
    seeds = min(table.shape[1] for table in tables)
    if np.ptp(delta) >= TINY and all(table.shape[1] == 1 for table in tables):
        return Estimate(value, *bootstrap(delta, tail), n, seeds, sign_flip(delta))
    if pair_seeds:
        parts = [(np.sum([weight * table for table, weight in parts], axis=0), 1.0)]
    variance, freedom = mean_variance(delta, parts) if n > 1 else (0.0, 0.0)
    if variance < TINY:
        missed = (1 - tail ** (1 / n)) * float(np.abs(weights).sum()) / 2
        return Estimate(value, value - missed, value + missed, n, seeds, sign_flip(delta))
    error = math.sqrt(variance)
    half, t = float(stdtrit(freedom, 1 - tail)) * error, abs(value) / error
    return Estimate(value, value - half, value + half, n, seeds, 2 * float(stdtr(freedom, -t)))


def _table(shares: Shares) -> np.ndarray:
    """N problems by S seeds."""
    return shares.to_numpy(dtype=float).reshape(len(shares), -1)


def _columns(shares: Shares) -> pd.Index:
    return shares.columns if isinstance(shares, pd.DataFrame) else pd.Index([0])


def _single_answers(shares: Shares) -> pd.Series | None:
    """One answer per problem, right or wrong; None if there are more."""
    table = _table(shares)
    if table.shape[1] > 1 or not np.isin(table, (0, 1)).all():
        return None
    return pd.Series(table[:, 0], index=shares.index)
