"""The variance of a mean over problems and training runs, as if both were drawn again.

`Var(mean) = Var(problem means) / N + V_seed / S - MS_error / (N S)`: the components of a two-way
table of N problems by S runs without replication (Searle, Casella & McCulloch, Variance Components,
1992). Three runs say little about how much their recipe's accuracy varies over seeds, so the arms
of a section help each other: `Spread` is the variance of runs that all of them share, and
`V_seed` of an arm is a mean of the section's and its own, as in moderated tests (Smyth, Stat. Appl.
Genet. Mol. Biol. 3, 2004). It is taken on the scale of `asin(sqrt(accuracy))`, on which runs vary
alike at 50 and at 95 %. Arms whose runs vary by far more than the others' keep their own variance.
Student's t has Satterthwaite's degrees of freedom. Simulated intervals cover the truth in 95 to
98 % of cases and tests raise 1.5 to 4 % false alarms with three and five runs; with two the arm
that varies most is covered in 80 %. Beside other rules: `tests/bench/bench_intervals.py`.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from distill.evaluation.intervals import TINY

LEAST = 0.5
"""Share of the variance between problems that is always kept, since the component of the seeds can
be estimated below zero. Chosen by simulation: at 0 intervals of two seeds can vanish, at 1 they are
too wide where seeds do not matter."""

SHARED = 3.0
"""Degrees of freedom with which the section's variance counts in that of an arm, which has S - 1 of
its own. By simulation with three runs an arm: in a section like the recorded one, where arms vary
very unequally, one variance for all covers the arm that varies most in 73 % of cases and this in
92; where arms vary alike, each arm's own variance makes intervals of differences a fifth wider."""

APART = 0.99
"""Quantile of the ratio of variances above which an arm's runs vary by more than the others'."""

EDGE = 0.01
"""Arms whose accuracy is closer than this to 0 or 100 % cannot vary and do not tell how others
do."""


@dataclass(frozen=True)
class Spread:
    """How much runs of one arm differ, from all arms of a section that have several."""

    variance: float
    """Of asin(sqrt(accuracy)) of a run, given the problems; mean over the arms."""

    freedom: float
    """Its degrees of freedom."""

    noise: float
    """The part of `variance` that is due to single answers: zero with enough samples."""

    apart: frozenset[str]
    """Runs of arms that vary by more than the others, see `APART`."""

    def of_runs(self, accuracy: float) -> float:
        """Standard deviation of a run's true accuracy around its arm's, without single answers."""
        return math.sqrt(max(0.0, self.variance - self.noise) * _slope(accuracy))


def pooled(arms: Iterable[pd.DataFrame]) -> Spread | None:
    """The spread of the runs of a section's arms; None where no arm has several that can vary.

    Args:
        arms: problems by runs, columns are the runs' names; arms of one run say nothing.
    """
    tables = [arm for arm in arms if arm.shape[1] > 1 and EDGE <= arm.to_numpy().mean() <= 1 - EDGE]
    if not tables:
        return None
    variances, freedoms = (np.array(part) for part in zip(*map(_own, tables), strict=True))
    noise = np.array(
        [
            error_variance(table.to_numpy()) / len(table) / _slope(float(table.to_numpy().mean()))
            if len(table) > 1
            else 0.0
            for table in tables
        ]
    )
    apart = {
        run
        for at, table in enumerate(tables)
        if _varies_more(variances, freedoms, noise, at)
        for run in map(str, table.columns)
    }
    mean, freedom = _mean(variances, freedoms)
    return Spread(mean, freedom, float(noise.mean()), frozenset(apart))


def is_apart(arm: pd.Series | pd.DataFrame, spread: Spread | None) -> bool:
    """Whether an arm's runs vary by more than those of the section's other arms."""
    runs = arm.columns if isinstance(arm, pd.DataFrame) else ()
    return spread is not None and any(str(run) in spread.apart for run in runs)


def run_variance(arm: pd.DataFrame, spread: Spread | None) -> tuple[float, float]:
    """Variance of a run's accuracy given the problems, and its degrees of freedom.

    Args:
        arm: N problems by S >= 2 runs.
        spread: of its section; None: the arm is alone.

    Returns:
        variance: of the mean of one run; the arm's own, or moderated by its section's.
        freedom: of `variance`, not more than `Spread.freedom` for several arms together.
    """
    means = arm.to_numpy().mean(axis=0)
    if spread is None or is_apart(arm, spread):
        return float(means.var(ddof=1)), len(means) - 1.0
    own, freedom = _own(arm)
    together = (SHARED * spread.variance + freedom * own) / (SHARED + freedom)
    return together * _slope(float(means.mean())), SHARED + freedom


def error_variance(table: np.ndarray) -> float:
    """MS_error of N >= 2 problems by S >= 2 seeds: what neither problem nor seed explains."""
    n, seeds = table.shape
    error = table - table.mean(axis=1, keepdims=True) - table.mean(axis=0) + table.mean()
    return float((error**2).sum()) / ((seeds - 1) * (n - 1))


def mean_variance(
    delta: np.ndarray,
    parts: Sequence[tuple[pd.DataFrame, float]],
    spread: Spread | Sequence[Spread | None] | None = None,
    problem_freedom: float | None = None,
) -> tuple[float, float]:
    """Variance of a weighted mean over problems and runs, and its degrees of freedom.

    Args:
        delta: the weighted sum by problem, N >= 2.
        parts: the tables that it sums, with their weights; runs of different tables are
            independent, and a table of one run adds no variance of runs.
        spread: of the section of these tables, or one for each of them.
        problem_freedom: degrees of freedom of the variance between problems; None: N - 1.
    """
    n = len(delta)
    problems = float(delta.var(ddof=1)) / n
    own = n - 1.0 if problem_freedom is None else problem_freedom
    spreads = spread if isinstance(spread, Sequence) else [spread] * len(parts)
    total, squares, fewest = problems, problems**2 / own, own
    moderated: dict[Spread, list[tuple[float, float]]] = {}
    for (table, weight), of in zip(parts, spreads, strict=True):
        seeds = table.shape[1]
        if seeds < 2:
            continue
        variance, freedom = run_variance(table, of)
        between = weight**2 * variance / seeds
        within = weight**2 * error_variance(table.to_numpy()) / (n * seeds)
        total += between - within
        squares += within**2 / ((seeds - 1) * (n - 1))
        fewest = min(fewest, freedom)
        if of is None or is_apart(table, of):
            squares += between**2 / freedom
        else:
            moderated.setdefault(of, []).append((between, freedom))
    for of, shares in moderated.items():
        alone = sum(between**2 / freedom for between, freedom in shares)
        squares += max(alone, sum(between for between, _ in shares) ** 2 / of.freedom)
        fewest = min(fewest, of.freedom)
    if total <= LEAST * problems:
        return LEAST * problems, own
    return total, max(total**2 / squares, fewest)


def _own(arm: pd.DataFrame) -> tuple[float, float]:
    """Variance of asin(sqrt(accuracy)) over an arm's runs, and its degrees of freedom."""
    means = arm.to_numpy().mean(axis=0)
    variance = float(np.arcsin(np.sqrt(means)).var(ddof=1))
    return variance if variance > TINY else 0.0, len(means) - 1.0


def _mean(variances: np.ndarray, freedoms: np.ndarray) -> tuple[float, float]:
    """The mean of variances, and its degrees of freedom by Satterthwaite."""
    squares = float((variances**2 / freedoms).sum())
    freedom = float(variances.sum()) ** 2 / squares if squares else float(freedoms.sum())
    return float(variances.mean()), freedom


def _varies_more(variances: np.ndarray, freedoms: np.ndarray, noise: np.ndarray, at: int) -> bool:
    """Whether one arm's variance exceeds `APART` of its ratios to the mean of the others.

    The others count with no less than their noise: few answers often agree by chance.
    """
    from scipy.special import fdtri

    if len(variances) < 2:
        return False
    mean, freedom = _mean(np.delete(variances, at), np.delete(freedoms, at))
    least = max(mean, float(np.delete(noise, at).mean()))
    return bool(variances[at] > least * fdtri(freedoms[at], freedom, APART))


def _slope(accuracy: float) -> float:
    """Square of the derivative of an accuracy by its angle asin(sqrt(accuracy))."""
    return 4 * accuracy * (1 - accuracy)
