"""The 95 % interval of an accuracy: Wilson's, at its effective number of independent trials.

A run's summary, the terminal and the tables of `ablations` all take their intervals from here, so
that one run has the same interval wherever it is shown.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

Z = 1.959963984540054
"""Two-sided 95 % quantile of the normal distribution."""

TINY = 1e-12
"""Below this a variance of shares is rounding."""


def run_interval(summary: Mapping[str, Any]) -> tuple[float, float]:
    """95 % interval of one run's accuracy, from its summary alone.

    Args:
        summary: of `distill.evaluation.scores.scores`: `accuracy`, `problems`, `standard_error`
            (clustered by problem; None for one problem) and its degrees of `freedom` (n - 1 in
            records that have none). With the largest error, where the samples of every problem
            agree, the interval is Wilson's own with n trials.

    Returns:
        low, high: in [0, 1].
    """
    accuracy, problems = summary["accuracy"], summary["problems"]
    variance = (summary["standard_error"] or 0.0) ** 2
    if math.isclose(variance * (problems - 1), accuracy * (1 - accuracy), rel_tol=1e-9):
        return wilson(accuracy, problems)
    return wilson(accuracy, problems, variance, summary.get("freedom") or problems - 1)


def freedom(values: Sequence[float]) -> float:
    """Degrees of freedom of the variance of one value per problem, from their kurtosis.

    n - 1 where values are spread as a normal distribution; fewer where a handful of problems makes
    the variance, as at accuracies close to 0 or 100 % with many samples, where n - 1 would have
    intervals cover 87 % instead of 95. Var(s^2) = s^4 (2 / (n - 1) + excess / n) (Cramer,
    Mathematical Methods of Statistics, 1946), so the degrees of freedom are 2 / (2 / (n - 1) +
    excess / n).

    Args:
        values: n >= 2 shares or differences of shares.

    Returns:
        In [1, n - 1]; n - 1 where nothing varies.
    """
    n = len(values)
    mean = math.fsum(values) / n
    squares = [(value - mean) ** 2 for value in values]
    second = math.fsum(squares) / n
    if second < TINY:
        return n - 1.0
    excess = math.fsum(square * square for square in squares) / n / second**2 - 3
    return max(1.0, 2 / (2 / (n - 1) + max(0.0, excess) / n))


def wilson(
    share: float, problems: int, variance: float = 0.0, freedom: float = math.inf
) -> tuple[float, float]:
    """Wilson's interval at the number of independent trials that has this variance.

    With a variance that was estimated the quantile is Student's (Dean & Pagano, J. Surv. Stat.
    Methodol. 3, 2015). It stays honest at 0 and 100 %, where a bootstrap has no width.

    Args:
        share: in [0, 1].
        problems: trials where there is no variance to go by: each problem counts once, and the
            quantile is the normal distribution's.
        variance: of `share`; 0: none was estimated, or nothing varies.
        freedom: degrees of freedom of `variance`.

    Returns:
        low, high: in [0, 1], with `share` between them.
    """
    n, z = float(problems), Z
    if variance > TINY:
        n, z = share * (1 - share) / variance, t_quantile(freedom)
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))


def t_quantile(freedom: float, level: float = 0.95) -> float:
    """Student's two-sided quantile; degrees of freedom need not be whole."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + level) / 2))
