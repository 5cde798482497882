"""The smallest difference between two arms that a design can show, before anything runs.

Var(difference) = (interaction_sd^2 + sampling) / problems + seeds, where `sampling` is the variance
of single answers around a problem's chance and `seeds` that of training runs around the recipe; the
test is that of `ablations.statistics.intervals.contrast`. Neither the spread of runs that the
design will have nor the one that the test will estimate is known beforehand: the power is a mean
over both. At accuracy 0.5 and uniform difficulty this gives AIME24 (30 problems, one sample) a
power of 0.06 for the 3.2 points by which arms of arXiv:2502.07374 differ, and with 16 samples 0.08.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import pandas as pd

from ablations.statistics.intervals import Shares
from ablations.statistics.significance import same_problems
from distill.evaluation.intervals import t_quantile
from distill.evaluation.variance import LEAST, SHARED, Spread, error_variance, pooled, run_variance

POWER = 0.8
"""Share of studies in which a difference of the size called detectable is found."""

NODES = 25
"""Equally likely true variances of runs over which the power is averaged."""

DRAWS = 400
"""Equally likely estimates of variances over which it is averaged."""

SURE = 5.0
"""Normal quantile beyond which a chance is as good as 0 or 1."""

STEPS = 20
"""Secants at most; 3 to 8 suffice."""


@dataclass(frozen=True)
class Assumptions:
    """How much answers, arms and runs vary; the defaults are for a design without any result."""

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

    seed_freedom: float = 14.0
    """Degrees of freedom of `seed_sd`, which is not known either; infinite: it is."""

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

    arms: int = 0
    """Trained arms of the section, whose runs tell together how much runs vary; 0: these alone."""


def power(difference: float, design: Design, assumed: Assumptions) -> float:
    """Probability that the two-sided test at 5 % finds two arms different.

    Args:
        difference: true difference of accuracies, in [-1, 1].
        design: problems, samples and seeds of both arms.
        assumed: variances.
    """
    from scipy.special import ndtr

    true, found = _errors(design, assumed, 0.95)
    sides = (ndtr((side * abs(difference) - found) / true) for side in (1, -1))
    return float(sum(sides).mean())


def detectable(design: Design, assumed: Assumptions) -> float:
    """Smallest difference of accuracies that is found with probability `POWER`; may exceed 1."""
    if design.problems < 2:
        return math.inf
    return _smallest(lambda difference: power(difference, design, assumed))


def runs_for(half_width: float, design: Design, assumed: Assumptions, most: int) -> int:
    """Runs of both arms for a 95 % interval of their difference of this half-width, in the median.

    Args:
        half_width: in shares of 1.
        design: its problems, samples and arms; its seeds, or two, are the least.
        assumed: variances.
        most: where even that many do not suffice, `most + 1` is returned.
    """
    for seeds in range(max(*design.seeds, 2), most + 1):
        _, half = _errors(replace(design, seeds=(seeds, seeds)), assumed, 0.95)
        if np.median(half) <= half_width:
            return seeds
    return most + 1


def equivalence_margin(design: Design, assumed: Assumptions) -> float:
    """Smallest margin inside which two equal arms are shown to be with probability `POWER`.

    By two one-sided tests at 5 %: the 90 % interval must lie inside. As a share of 1; may exceed
    it.
    """
    from scipy.special import ndtr

    if design.problems < 2:
        return math.inf
    true, half = _errors(design, assumed, 0.9)

    def shown(margin: float) -> float:
        room = np.maximum(margin - half, 0) / true
        return float((2 * ndtr(room) - 1).mean())

    return _smallest(shown)


def measured(
    arm: Shares, reference: Shares, samples: int, spread: Spread | None = None
) -> Assumptions:
    """The assumptions as measured on two arms; what these cannot show is left as assumed.

    Args:
        arm: N problems (by S seeds), see `intervals.by_seed`; with one, nothing can be measured.
        reference: the same problems, in any order.
        samples: answers behind each share; with one and a single seed, the variance of answers
            cannot be separated from the interaction of problem and arm.
        spread: of the section's runs; None: of these two arms' alone.

    Raises:
        ValueError: the problems differ.
    """
    same_problems(arm, reference)
    reference, usual = reference.reindex(arm.index), Assumptions()
    if len(arm) < 2:
        return usual
    frames = [pd.DataFrame(shares) for shares in (arm, reference)]
    tables = [frame.to_numpy(dtype=float) for frame in frames]
    accuracy = float(np.mean([table.mean() for table in tables]))
    answer = np.array([_answer_variance(table, samples) for table in tables])
    delta = np.subtract(*(table.mean(axis=1) for table in tables))
    between = float(delta.var(ddof=1))
    runs = np.array([samples * table.shape[1] for table in tables])
    interaction = between - float((answer / runs).sum())
    if np.isnan(answer).any():
        interaction = min(usual.interaction_sd**2, between)
        answer = (between - interaction) / (1 / runs).sum() * np.ones(2)
    of_runs = spread or pooled(frames)
    known = [
        (run_variance(frame, of_runs)[0] - error_variance(table) / len(table))
        for frame, table in zip(frames, tables, strict=True)
        if table.shape[1] > 1
    ]
    most = accuracy * (1 - accuracy)
    return Assumptions(
        accuracy,
        correlation=max(0.0, 1 - float(answer.mean()) / most) if most else usual.correlation,
        interaction_sd=math.sqrt(max(0.0, interaction)),
        seed_sd=math.sqrt(max(0.0, float(np.mean(known)))) if known else usual.seed_sd,
        seed_freedom=of_runs.freedom if of_runs and known else usual.seed_freedom,
    )


def _smallest(chance: Callable[[float], float]) -> float:
    """Where a rising chance reaches `POWER`, by bisection: importing a solver takes a second.

    A chance is a mean over thousands of cases. Once the root is enclosed, which takes half as many
    chances as the bisection has steps, most steps need none.
    """
    least, most = 0.0, 1.0
    while chance(most) < POWER:
        least, most = most, 2 * most
    below, above = _enclosed(chance, least, most)
    while most - least > 1e-5 * most:
        middle = (least + most) / 2
        is_below = middle <= below or (middle < above and chance(middle) < POWER)
        least, most = (middle, most) if is_below else (least, middle)
    return most


def _enclosed(chance: Callable[[float], float], below: float, above: float) -> tuple[float, float]:
    """Close points on either side of the root, from far ones.

    By secants on the scale of normal quantiles, on which a chance of this kind is almost a line.
    """
    from scipy.special import ndtri

    last, at = (above, SURE), (below + above) / 2
    for _ in range(STEPS):
        here = at, float(np.clip(ndtri(chance(at)), -SURE, SURE) - ndtri(POWER))
        below, above = (at, above) if here[1] < 0 else (below, at)
        close = 1e-6 * above
        if above - below <= 2 * close:
            break
        rise = (here[1] - last[1]) / (here[0] - last[0])
        guess = at - here[1] / rise if rise > 0 else below
        if abs(guess - at) < close:  # then a step beyond the root, so that it is enclosed
            guess += close if here[1] < 0 else -close
        last, at = here, guess if below < guess < above else (below + above) / 2
    return below, above


@lru_cache(maxsize=256)
def _errors(design: Design, assumed: Assumptions, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Standard error of the difference (rows), and half of its interval (columns).

    Rows are equally likely true variances of runs, columns what the test may estimate then, by the
    steps of `variance.mean_variance`.
    """
    from scipy.special import stdtrit

    n = design.problems
    answers = [assumed.answer_variance / (design.samples * seeds * n) for seeds in design.seeds]
    problems = assumed.interaction_sd**2 / n + sum(answers)
    nodes = NODES if assumed.seed_sd else 1  # variances that are all 0 are one
    true = assumed.seed_sd**2 / _chances(assumed.seed_freedom, nodes)[:, None]
    guessed = _chances(n - 1.0, DRAWS)
    if max(design.seeds) == 1:
        error = np.sqrt(problems + 2 * true)
        return error, t_quantile(n - 1, level) * error * np.sqrt(guessed)
    arms = [(s, within) for s, within in zip(design.seeds, answers, strict=True) if s > 1]
    found, claimed = _spreads(tuple(s for s, _ in arms), design.arms)
    between = [(true / s + a) * ratio for (s, a), ratio in zip(arms, found, strict=True)]
    own = [SHARED + s - 1 for s, _ in arms]
    total = problems * guessed - sum(a for _, a in arms) + sum(between)
    by_arm = sum(part**2 / freedom for part, freedom in zip(between, own, strict=True))
    squares = (problems * guessed) ** 2 / (n - 1) + np.maximum(by_arm, sum(between) ** 2 / claimed)
    squares += sum(a**2 / ((n - 1) * (s - 1)) for s, a in arms)
    least = LEAST * problems * guessed
    degrees = np.maximum(total**2 / squares, np.minimum(claimed, min(*own, n - 1)))
    degrees = np.where(total > least, degrees, n - 1)
    variance = problems + sum(true / s for s, _ in arms)
    quantiles = stdtrit(degrees, (1 + level) / 2)
    return np.sqrt(variance), quantiles * np.sqrt(np.maximum(total, least))


@lru_cache(maxsize=64)
def _spreads(seeds: tuple[int, ...], arms: int) -> tuple[np.ndarray, np.ndarray]:
    """What a section may tell of its spread: equally likely cases, from draws of a fixed seed.

    Args:
        seeds: runs of the compared arms that have several; the section's other arms have as many.
        arms: of the section; at least the compared ones.

    Returns:
        ratios: the moderated variance of each compared arm (rows) to the true one.
        freedom: that `variance.pooled` would claim.
    """
    rest = [float(np.mean(seeds))] * (arms - len(seeds))
    own = np.array([*seeds, *rest])[:, None] - 1
    cases = np.array([_chances(float(freedom), DRAWS) for freedom in own[:, 0]])
    cases = np.random.default_rng(0).permuted(cases, axis=1)
    freedom = cases.sum(axis=0) ** 2 / (cases**2 / own).sum(axis=0)
    compared = slice(len(seeds))
    ratios = (SHARED * cases.mean(axis=0) + own[compared] * cases[compared]) / (
        SHARED + own[compared]
    )
    return ratios, freedom


@lru_cache(maxsize=256)
def _chances(freedom: float, count: int) -> np.ndarray:
    """Equally likely ratios of an estimated variance to the true one."""
    from scipy.special import chdtri

    if math.isinf(freedom):
        return np.ones(1)
    return chdtri(freedom, (np.arange(count) + 0.5)[::-1] / count) / freedom


def _answer_variance(table: np.ndarray, samples: int) -> float:
    """Variance of one answer around its chance: from samples, else from seeds; NaN with neither.

    From seeds it includes the interaction of seeds and problems, which costs the same power.
    """
    if samples > 1:
        return float((table * (1 - table)).mean() * samples / (samples - 1))
    return math.nan if table.shape[1] == 1 else error_variance(table)
