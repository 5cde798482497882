"""The 95 % interval of an accuracy: Wilson's, at its effective number of independent trials.

A run's summary, the terminal and the tables of `ablations` all take their intervals from here, so
that one run has the same interval wherever it is shown.
"""

import math

Z = 1.959963984540054
"""Two-sided 95 % quantile of the normal distribution."""

TINY = 1e-12
"""Below this a variance of shares is rounding."""


def run_interval(
    accuracy: float, problems: int, standard_error: float | None
) -> tuple[float, float]:
    """95 % interval of one run's accuracy, from its summary alone.

    Args:
        accuracy: mean over problems of the share of right samples, in [0, 1].
        problems: n >= 1.
        standard_error: of the accuracy, clustered by problem; None for one problem. At its largest,
            where the samples of every problem agree, the interval is Wilson's own with n trials.

    Returns:
        low, high: in [0, 1].
    """
    variance = (standard_error or 0.0) ** 2
    if math.isclose(variance * (problems - 1), accuracy * (1 - accuracy), rel_tol=1e-9):
        return wilson(accuracy, problems)
    return wilson(accuracy, problems, variance, problems - 1)


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


def t_quantile(freedom: float) -> float:
    """Student's two-sided 95 % quantile; degrees of freedom need not be whole."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.975))
