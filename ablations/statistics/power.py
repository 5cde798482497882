"""The smallest difference between two arms that a design can show, before anything runs.

Var(difference) = (interaction_sd^2 + sampling) / problems + seeds, where `sampling` is the variance
of single answers around a problem's chance and `seeds` that of training seeds around the recipe;
test and degrees of freedom are those of `ablations.statistics.intervals.contrast`. At accuracy 0.5
and uniform difficulty this gives AIME24 (30 problems, one sample) a power of 0.06 for the 3.2
points by which arms of arXiv:2502.07374 differ, and with 16 samples 0.17.
"""

import math
from dataclasses import dataclass

import numpy as np

from ablations.statistics.intervals import Shares
from ablations.statistics.significance import same_problems
from ablations.statistics.variance import error_variance, seed_sd
from distill.evaluation.intervals import t_quantile

POWER = 0.8
"""Share of studies in which a difference of the size called detectable is found."""


@dataclass(frozen=True)
class Assumptions:
    """How much answers, arms and seeds vary; the defaults are for a design without any result."""

    accuracy: float = 0.5
    """Share of right answers; 0.5 is where it varies most."""

    correlation: float = 1 / 3
    """Of two answers to one problem, in [0, 1]; 1/3 is a difficulty uniform over [0, 1]."""

    interaction_sd: float = 0.1
    """Of the difference between two arms in a problem's chance; more samples do not reduce it."""

    seed_sd: float = 0.035
    """Of an arm's true accuracy over training seeds. Of 14 arms trained on the embedded task with
    two seeds each, the pairs varied by 0.039, of which about 0.017 is due to 400 single answers.
    Eleven checkpoints of one arm of arXiv:2502.07374 vary by 0.043 on AIME24, no more than single
    answers to 30 problems do. `plan` prints next to it what a study's own runs have."""

    @property
    def answer_variance(self) -> float:
        """Of one answer around its problem's chance."""
        return (1 - self.correlation) * self.accuracy * (1 - self.accuracy)


@dataclass(frozen=True)
class Design:
    """What two arms are scored on, and with how many training runs."""

    problems: int
    """Distinct ones, >= 2; with one, nothing is `detectable`."""

    samples: int = 1
    """Independent answers per problem and seed; greedy decoding has one, however often asked."""

    seeds: tuple[int, int] = (1, 1)
    """Training runs of either arm. One next to several adds no variance of seeds, as an untrained
    student does not. With one each it is taken as known, since such a design cannot show it."""


def power(difference: float, design: Design, assumed: Assumptions) -> float:
    """Probability that the two-sided test at 5 % finds two arms different.

    Args:
        difference: true difference of accuracies, in [-1, 1].
        design: problems, samples and seeds of both arms.
        assumed: variances.
    """
    from scipy.special import nctdtr

    error, freedom = _standard_error(design, assumed)
    quantile, shift = t_quantile(freedom), abs(difference) / error
    return float(sum(1 - nctdtr(freedom, side, quantile) for side in (shift, -shift)))


def detectable(design: Design, assumed: Assumptions) -> float:
    """Smallest difference of accuracies that is found with probability `POWER`; may exceed 1."""
    from scipy.special import nctdtrinc

    if design.problems < 2:
        return math.inf
    error, freedom = _standard_error(design, assumed)
    return float(error * nctdtrinc(freedom, 1 - POWER, t_quantile(freedom)))


def equivalence_margin(design: Design, assumed: Assumptions) -> float:
    """Smallest margin inside which two equal arms are shown to be with probability `POWER`.

    By two one-sided tests at 5 %: the 90 % interval must lie inside. Margin = standard error x
    (t at 0.95 + t at (1 + POWER) / 2); as a share of 1, may exceed it.
    """
    from scipy.special import stdtrit

    if design.problems < 2:
        return math.inf
    error, freedom = _standard_error(design, assumed)
    return float(error * (stdtrit(freedom, 0.95) + stdtrit(freedom, (1 + POWER) / 2)))


def measured(arm: Shares, reference: Shares, samples: int) -> Assumptions:
    """The assumptions as measured on two arms; what these cannot show is left as assumed.

    Args:
        arm: N problems (by S seeds), see `intervals.by_seed`; with one, nothing can be measured.
        reference: the same problems, in any order.
        samples: answers behind each share; with one and a single seed, the variance of answers
            cannot be separated from the interaction of problem and arm.

    Raises:
        ValueError: the problems differ.
    """
    same_problems(arm, reference)
    reference, usual = reference.reindex(arm.index), Assumptions()
    if len(arm) < 2:
        return usual
    tables = [shares.to_numpy(dtype=float).reshape(len(shares), -1) for shares in (arm, reference)]
    accuracy = float(np.mean([table.mean() for table in tables]))
    answer = np.array([_answer_variance(table, samples) for table in tables])
    between = float((tables[0].mean(axis=1) - tables[1].mean(axis=1)).var(ddof=1))
    runs = np.array([samples * table.shape[1] for table in tables])
    interaction = between - float((answer / runs).sum())
    if np.isnan(answer).any():
        interaction = min(usual.interaction_sd**2, between)
        answer = (between - interaction) / (1 / runs).sum() * np.ones(2)
    several = [table for table in tables if table.shape[1] > 1]
    most = accuracy * (1 - accuracy)
    return Assumptions(
        accuracy,
        correlation=max(0.0, 1 - float(answer.mean()) / most) if most else usual.correlation,
        interaction_sd=math.sqrt(max(0.0, interaction)),
        seed_sd=seed_sd(several) if several else usual.seed_sd,
    )


def _standard_error(design: Design, assumed: Assumptions) -> tuple[float, float]:
    """Standard error of the difference and its degrees of freedom, as `variance` has them."""
    n, several = design.problems, max(design.seeds) > 1
    answers = [assumed.answer_variance / (design.samples * seeds * n) for seeds in design.seeds]
    problems = assumed.interaction_sd**2 / n + sum(answers)
    if not several:
        return math.sqrt(problems + 2 * assumed.seed_sd**2), n - 1
    total, spread = problems, problems**2 / (n - 1)
    for seeds, within in zip(design.seeds, answers, strict=True):
        if seeds > 1:
            between = assumed.seed_sd**2 / seeds + within
            total += between - within
            spread += (between**2 + within**2 / (n - 1)) / (seeds - 1)
    return math.sqrt(total), total**2 / spread


def _answer_variance(table: np.ndarray, samples: int) -> float:
    """Variance of one answer around its chance: from samples, else from seeds; NaN with neither.

    From seeds it includes the interaction of seeds and problems, which costs the same power.
    """
    if samples > 1:
        return float((table * (1 - table)).mean() * samples / (samples - 1))
    return math.nan if table.shape[1] == 1 else error_variance(table)
