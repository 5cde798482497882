"""The variance of a mean over problems and training seeds, as if both were drawn again.

`Var(mean) = Var(problem means) / N + (MS_seed - MS_error) / (N S)`: the components of a two-way
table of N problems by S seeds without replication, and Student's t at Satterthwaite's degrees of
freedom (Searle, Casella & McCulloch, Variance Components, 1992). A bootstrap over seeds and
problems takes the few seeds that were run for all that there are, and its intervals miss the truth
too often, see `tests/ablations/statistics/test_calibration.py`.

With five seeds, intervals cover in 95 % of cases. With fewer they do not quite, where seeds vary:
of simulated intervals of one arm 92 % cover with three seeds and 88 % with two; tests of two arms
raise up to 6 % false alarms with three seeds and 9 % with two, with `pair_seeds` up to 8 and 15 %.
"""

import math
from collections.abc import Sequence

import numpy as np

from ablations.statistics.significance import DRAWS, SEED

TAIL = 0.025
"""Of a 95 % interval: the probability outside of it on either side."""

LEAST = 0.5
"""Share of the variance between problems that is always kept, since the component of the seeds can
be estimated below zero. Chosen by simulation: at 0 intervals of two seeds can vanish, at 1 they are
too wide where seeds do not matter."""


def seed_variance(table: np.ndarray) -> tuple[float, float]:
    """Component of training seeds in the variance of an arm's mean, and the variance of it.

    Args:
        table: N >= 2 problems by S >= 2 seeds.

    Returns:
        component: (MS_seed - MS_error) / (N S), unbiased, so that it can be negative.
        variance: of the component, halved, as Satterthwaite (Biometrics Bull. 2, 1946) needs it.
    """
    n, seeds = table.shape
    between = table.mean(axis=0).var(ddof=1) / seeds
    within = error_variance(table) / (n * seeds)
    spread = between**2 / (seeds - 1) + within**2 / ((seeds - 1) * (n - 1))
    return float(between - within), float(spread)


def error_variance(table: np.ndarray) -> float:
    """MS_error of N >= 2 problems by S >= 2 seeds: what neither problem nor seed explains."""
    n, seeds = table.shape
    error = table - table.mean(axis=1, keepdims=True) - table.mean(axis=0) + table.mean()
    return float((error**2).sum()) / ((seeds - 1) * (n - 1))


def seed_sd(tables: Sequence[np.ndarray]) -> float:
    """Standard deviation of an arm's true accuracy over training seeds, from arms of several."""
    components = [seed_variance(table)[0] * table.shape[1] for table in tables]
    return math.sqrt(max(0.0, float(np.mean(components))))


def mean_variance(
    delta: np.ndarray, parts: Sequence[tuple[np.ndarray, float]]
) -> tuple[float, float]:
    """Variance of a mean over problems and seeds, and its degrees of freedom.

    `delta` is the weighted sum by problem, `parts` the tables that it sums, with their weights.
    """
    problems, n = float(delta.var(ddof=1)) / len(delta), len(delta)
    several = [(table, weight) for table, weight in parts if table.shape[1] > 1]
    added = [(weight, *seed_variance(table)) for table, weight in several]
    total = problems + sum(weight**2 * component for weight, component, _ in added)
    if not several or total <= LEAST * problems:
        return max(total, LEAST * problems), n - 1
    spread = problems**2 / (n - 1) + sum(weight**4 * spread for weight, _, spread in added)
    fewest = min(table.shape[1] for table, _ in several)
    return total, max(total**2 / spread, fewest - 1)


def bootstrap(delta: np.ndarray, tail: float = TAIL) -> tuple[float, float]:
    """Interval of the mean of one value per problem, from `DRAWS` draws of problems; see `TAIL`."""
    from scipy.special import ndtr, stdtrit

    n = len(delta)
    values, counts = np.unique(delta, return_counts=True)
    drawn = np.random.default_rng(SEED).multinomial(n, counts / n, size=DRAWS) @ values / n
    wider = float(ndtr(-math.sqrt(n / (n - 1)) * stdtrit(n - 1, 1 - tail)))
    low, high = np.quantile(drawn, [wider, 1 - wider])
    return float(low), float(high)
