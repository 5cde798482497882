"""Intervals of scores and of differences between arms, over problems and training runs.

Problems are a sample of all such problems and runs a sample of what a recipe gives; samples of one
problem share its difficulty and are averaged first. An arm is a frame of problems by runs. One run
tells nothing about others: such an interval covers problems only, and the estimate is one of these
runs, not of their recipes (`Estimate.recipes`). With several runs the interval covers both, with
the help of the section's other arms, see `distill.evaluation.variance`.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from ablations.statistics.significance import mcnemar, same_problems, sign_flip
from distill.evaluation.intervals import TINY, Z, freedom, t_quantile, wilson
from distill.evaluation.variance import Spread, mean_variance

Shares = pd.Series | pd.DataFrame
"""Share of right samples: by problem (rows) and training run (columns), or by problem of a student
that was not trained, which no seed changes."""

Spreads = Spread | Sequence[Spread | None] | None
"""Of the runs of all arms, or of each arm's; None: each arm's runs alone."""


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval, and the numbers of problems and seeds behind it."""

    value: float
    low: float
    high: float
    problems: int

    seeds: int = 1
    """Training runs of the trained arm with the fewest; 1: the interval does not cover seeds."""

    p: float | None = None
    """Two-sided, of the hypothesis that the value is 0; None where nothing is compared. Where
    `recipes` is false it is about these runs alone, and NaN unless it was asked for."""

    recipes: bool = True
    """Whether the estimate holds for the recipes: every trained arm has several runs, or nothing
    was trained."""

    half_90: float = float("nan")
    """Half of the width of the 90 % interval around `value`, for `equivalent`; NaN where nothing is
    compared."""

    once: bool = False
    """Whether every trained arm has one run alone."""

    def row(self) -> dict[str, Any]:
        """The fields as columns of a table of recipes: p is NaN where it is of these runs alone."""
        return asdict(self) | {"p": self.p if self.recipes else math.nan}

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
    return complete(by_run(rows))


def by_run(rows: pd.DataFrame) -> pd.DataFrame:
    """As `by_seed`, of runs of any arms: NaN where a run was not scored on a problem."""
    right = rows["correct"].eq(True).fillna(False).astype(float)
    return right.groupby([rows["problem_id"], rows["cell"]]).mean().unstack()


def complete(shares: pd.DataFrame) -> pd.DataFrame:
    """The shares of one arm's runs; raises ValueError unless all have the same problems."""
    if shares.isna().any(axis=None):
        problems = shares.notna().sum()
        raise ValueError(
            f"cell {problems.idxmin()} has {problems.min()} of {len(shares)} problems: "
            "runs of one arm must be scored on the same problems"
        )
    return shares


def accuracy(shares: Shares, spread: Spread | None = None) -> Estimate:
    """Mean over problems and runs with its interval, see `distill.evaluation.intervals.wilson`.

    With one run it is the interval that the run itself reports; takes n >= 1 problems. `spread` is
    that of the section's runs.
    """
    table = _table(shares)
    n, mean, variance, degrees = len(table), float(table.to_numpy().mean()), 0.0, math.inf
    if n > 1 and _single_answers(shares) is None:
        means = table.to_numpy().mean(axis=1)
        variance, degrees = mean_variance(means, [(table, 1.0)], spread, freedom(means))
    ends = wilson(mean, n, variance, degrees)
    recipes = _is_of_recipe(shares)
    return Estimate(mean, *ends, n, table.shape[1], recipes=recipes, once=not recipes)


def difference(
    arm: Shares, reference: Shares, spread: Spreads = None, *, of_runs: bool = False
) -> Estimate:
    """Mean of arm minus reference on the same problems, see `contrast`; inside [-1, 1].

    With one sample of each problem and one run on either side p is `significance.mcnemar` and the
    interval Bonett and Price's (J. Educ. Behav. Stat. 37, 2012), which covers the truth where only
    a handful of answers differ.
    """
    made = contrast([arm, reference], [1, -1], spread, of_runs=of_runs)
    one, other = (_single_answers(shares) for shares in (arm, reference))
    if one is not None and other is not None:
        p = mcnemar(one, other) if made.recipes or of_runs else math.nan
        (low, high), (low_90, high_90) = (_adjusted_wald(one, other, z) for z in (Z, Z_90))
        half = max(made.value - low_90, high_90 - made.value)
        made = replace(made, low=low, high=high, p=p, half_90=half)
    return replace(made, low=max(-1.0, made.low), high=min(1.0, made.high))


def contrast(
    arms: Sequence[Shares],
    weights: Sequence[float],
    spread: Spreads = None,
    *,
    of_runs: bool = False,
) -> Estimate:
    """A weighted sum of arms' accuracies, paired by problem, with interval and p.

    A problem's difficulty, which all arms share, cancels where the weights sum to 0. Student's
    interval; with one run of every arm over problems alone, and p by a sign-flip test; with more
    runs over problems and runs, see `distill.evaluation.variance`. Where the sum is the same on
    every problem, the interval is what n problems could have missed, `1 - 0.025 ** (1 / n)`.

    Args:
        arms: scored on the same n >= 1 problems; an arm of one run adds no variance of runs. Every
            run of every arm was trained independently.
        weights: one per arm; no arm may be given twice.
        spread: of the section's runs, or one for each arm where they are of several.
        of_runs: whether p is computed also where it is of these runs alone. Tables of recipes do
            not show such a p, and flipping signs takes longer than all the rest.

    Raises:
        ValueError: the problems differ.
    """
    from scipy.special import stdtr

    for arm in arms[1:]:
        same_problems(arms[0], arm)
    tables = [_table(arm.reindex(arms[0].index)) for arm in arms]
    parts = list(zip(tables, weights, strict=True))
    delta = np.sum([weight * t.to_numpy().mean(axis=1) for t, weight in parts], axis=0)
    value, n, once = float(delta.mean()), len(delta), all(t.shape[1] == 1 for t in tables)
    trained = [table.shape[1] for table, arm in zip(tables, arms, strict=True) if _trained(arm)]
    variance, degrees = mean_variance(delta, parts, spread, freedom(delta)) if n > 1 else (0.0, 0.0)
    if variance < TINY:
        half = [(1 - tail ** (1 / n)) * float(np.abs(weights).sum()) / 2 for tail in (0.025, 0.05)]
    else:
        half = [t_quantile(degrees, level) * math.sqrt(variance) for level in (0.95, 0.9)]
    recipes = all(_is_of_recipe(arm) for arm in arms)
    if not (recipes or of_runs):
        p = math.nan
    elif once or variance < TINY:
        p = sign_flip(delta)
    else:
        p = 2 * float(stdtr(degrees, -abs(value) / math.sqrt(variance)))
    ends, seeds = (value - half[0], value + half[0]), min(trained, default=1)
    return Estimate(value, *ends, n, seeds, p, recipes, half[1], once and bool(trained))


def equivalent(estimate: Estimate, margin: float) -> bool:
    """Whether a difference is smaller than a margin either way, by two one-sided tests at 5 %.

    That is, whether the 90 % interval lies within the margin (Schuirmann, J. Pharmacokinet.
    Biopharm. 15, 1987). A large p alone is no sign of equality.
    """
    return abs(estimate.value) + estimate.half_90 < margin


Z_90 = 1.6448536269514722
"""Two-sided 90 % quantile of the normal distribution."""


def _adjusted_wald(arm: pd.Series, reference: pd.Series, z: float) -> tuple[float, float]:
    """Bonett and Price's interval of a difference of paired shares: one more answer of each kind.

    It contains the difference itself also where all answers differ the same way.
    """
    delta = (arm - reference.reindex(arm.index)).to_numpy()
    n = len(delta) + 2
    better, worse = (int((sign * delta > 0).sum()) + 1 for sign in (1, -1))
    middle = (better - worse) / n
    half = z * math.sqrt(((better + worse) / n - middle**2) / n)
    value = float(delta.mean())
    return min(value, middle - half), max(value, middle + half)


def _table(shares: Shares) -> pd.DataFrame:
    """N problems by S runs."""
    return shares if isinstance(shares, pd.DataFrame) else shares.to_frame()


def _trained(shares: Shares) -> bool:
    return isinstance(shares, pd.DataFrame)


def _is_of_recipe(shares: Shares) -> bool:
    """Whether other runs of the same recipe are known, or could not differ."""
    return not _trained(shares) or _table(shares).shape[1] > 1


def _single_answers(shares: Shares) -> pd.Series | None:
    """One answer per problem, right or wrong; None if there are more."""
    table = _table(shares).to_numpy()
    if table.shape[1] > 1 or not np.isin(table, (0, 1)).all():
        return None
    return pd.Series(table[:, 0], index=shares.index)
