"""How often do 95 % intervals cover the truth, by how much runs of an arm vary is estimated?

Sections of arms are simulated whose truth is known, and each rule of `RULES` judges the same
answers. Run: python tests/bench/bench_intervals.py [--answers 300000] [--csv FILE].

The rules are written here for many sections at once, so that minutes suffice.
`tests/ablations/statistics/test_calibration.py` compares `moderated` with the functions in use,
interval by interval, and holds the bounds that it keeps over the same grid.
"""

import argparse
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from unittest.mock import patch

import numpy as np
import pandas as pd
from scipy.special import fdtri, ndtr, stdtr, stdtrit

from ablations.statistics import significance
from distill.evaluation.variance import APART, EDGE, LEAST, SHARED

ACCURACIES = np.fromstring(
    "0.98 0.80 0.95 0.89 0.45 0.94 0.96 0.98 0.63 0.155 0.08 0.66 0.33 0.425 0.42 0.19 0.30 0.70",
    sep=" ",
)
"""Of 18 arms of the embedded task, about as they were recorded."""

SDS = np.fromstring(
    "0.02 0.10 0.15 0.12 0.02 0.08 0.02 0.05 0.03 0.06 0.02 0.03 0.03 0.02 0.28 0.08 0.03 0.04",
    sep=" ",
)
"""Of asin(sqrt(accuracy)) of the runs of the same arms: they vary very unequally."""

EQUAL = 0.05
"""Standard deviation of the runs of every arm where arms vary equally: 5 points at 50 %."""

SHARES = 0.85, 0.10, 0.05
"""Of what makes a problem hard: common to all, an arm's own, a run's own."""

RULES = "old", "own", "pooled", "pooled unless apart", "moderated"
"""old: each arm's own runs, N - 1 degrees of freedom over problems, and a bootstrap of a difference
of single runs. own: each arm's own runs, without the others. pooled: one variance for all arms.
pooled unless apart: the same, without arms that vary by more than the others, which have their own.
moderated: as in use."""

DOSES = 0.0, 0.33, 0.67, 1.0
"""Of the simulated slopes."""

MOST = 300
"""Sections of a setting, at most."""

ANSWERS = 300_000
"""Numbers of (arm, problem, run) of a setting, by which its sections are counted."""

DRAWS = 1000
"""Of a bootstrap or of a sign-flip test, here; 10,000 in use."""


@dataclass(frozen=True)
class Setting:
    """Of what a section is simulated."""

    problems: int
    samples: int
    seeds: int

    accuracy: float | None
    """Of every arm; None: `ACCURACIES`."""

    scatter: str
    """Of the runs of an arm: "equal", "unequal" (`SDS`) or "none"."""

    arms: int = 18

    @property
    def accuracies(self) -> np.ndarray:
        """True ones, by arm."""
        return (
            ACCURACIES[: self.arms] if self.accuracy is None else np.full(self.arms, self.accuracy)
        )

    @property
    def sds(self) -> np.ndarray:
        """Of asin(sqrt(accuracy)) over runs, by arm; an arm close to 0 or 100 % varies by less."""
        angle = np.arcsin(np.sqrt(self.accuracies))
        most = np.minimum(angle, np.pi / 2 - angle) / 2
        sds = {"equal": np.full(self.arms, EQUAL), "unequal": SDS[: self.arms], "none": 0 * most}
        return sds[self.scatter] if self.accuracy is None else np.minimum(sds[self.scatter], most)


GRID = [
    Setting(*made)
    for made in product(
        (30, 500), (1, 16), (1, 3, 5), (0.02, 0.5, 0.98), ("equal", "unequal", "none")
    )
]
"""108 settings."""

AS_RECORDED = [
    Setting(*made, None, "unequal") for made in product((30, 500), (1, 16), (1, 2, 3, 5))
]
"""Sections like the recorded one: unequal in accuracy and in how much runs vary."""


def sections(
    rng: np.random.Generator, setting: Setting, many: int
) -> tuple[np.ndarray, np.ndarray]:
    """Shares of right samples, and the true accuracies of the runs.

    A run's accuracy is sin(angle)^2 with a normal angle, whose mean over runs is that of the arm. A
    problem's chance has a power distribution whose mean is the run's accuracy, uniform at 50 %.

    Returns:
        sections by arms by problems by runs, and sections by arms by runs.
    """
    runs = (many, setting.arms, setting.seeds)
    sds = setting.sds[:, None]
    middle = np.arccos((1 - 2 * setting.accuracies[:, None]) * np.exp(2 * sds**2)) / 2
    right = np.sin(middle + sds * rng.standard_normal(runs)) ** 2
    sizes = (many, 1, 1), (many, setting.arms, 1), runs
    hard = np.zeros((many, setting.arms, setting.problems, setting.seeds), dtype=np.float32)
    for share, (*rest, last) in zip(SHARES, sizes, strict=True):
        drawn = rng.standard_normal((*rest, setting.problems, last), dtype=np.float32)
        hard += np.float32(math.sqrt(share)) * drawn
    odds = np.clip(right / (1 - right), 1e-6, 1e6)[:, :, None, :].astype(np.float32)
    hard = ndtr(hard)
    low = odds < 1
    chance = np.where(low, hard, 1 - hard) ** np.where(low, 1 / odds, odds)
    chance = np.where(low, chance, 1 - chance)
    if setting.samples == 1:
        return (rng.random(chance.shape, dtype=np.float32) < chance).astype(float), right
    return rng.binomial(setting.samples, chance) / setting.samples, right


@dataclass
class Runs:
    """How much the runs of each arm of each section vary, by one rule; arrays sections by arms."""

    variance: np.ndarray
    freedom: np.ndarray
    alone: np.ndarray
    """Whether the variance is of the arm's own runs alone."""
    together: np.ndarray
    """Degrees of freedom of the section's variance; by section."""
    error: np.ndarray
    """MS_error."""
    seeds: int


def runs_by(rule: str, shares: np.ndarray) -> Runs:
    """The variance of a run's accuracy as a rule has it, of two runs an arm or more."""
    *_, n, seeds = shares.shape
    means, own = shares.mean(axis=2), seeds - 1
    error = shares - shares.mean(axis=3, keepdims=True) - means[:, :, None, :]
    error = ((error + means.mean(axis=2)[:, :, None, None]) ** 2).sum(axis=(2, 3))
    error /= (n - 1) * own
    middle, by_arm = means.mean(axis=2), means.var(axis=2, ddof=1)
    none = np.zeros(middle.shape, dtype=bool)
    degrees = np.full(middle.shape, float(own))
    if rule in ("old", "own"):
        return Runs(by_arm, degrees, ~none, np.full(len(middle), np.inf), error, seeds)
    angle = np.arcsin(np.sqrt(means)).var(axis=2, ddof=1)
    angle[angle < 1e-12] = 0.0
    tells = (middle >= EDGE) & (middle <= 1 - EDGE)
    with np.errstate(invalid="ignore", divide="ignore"):
        noise = error / n / (4 * middle * (1 - middle))
    apart = none.copy()
    for at in range(middle.shape[1]):
        others = tells.copy()
        others[:, at] = False
        mean, freedom = _pooled(angle, others, own)
        known = tells[:, at] & others.any(axis=1)
        with np.errstate(invalid="ignore"):
            least = np.maximum(mean, np.where(others, noise, 0).sum(axis=1) / others.sum(axis=1))
            apart[:, at] = known & (angle[:, at] > least * fdtri(own, freedom, APART))
    if rule == "pooled":
        apart = none
    kept = tells & ~apart if rule == "pooled unless apart" else tells
    mean, freedom = _pooled(angle, kept, own)
    share = SHARED / (SHARED + own) if rule == "moderated" else 1.0
    variance = (share * mean[:, None] + (1 - share) * angle) * 4 * middle * (1 - middle)
    alone = apart | ~kept.any(axis=1)[:, None]
    shared = np.where(rule == "moderated", SHARED + own, freedom[:, None])
    variance, degrees = np.where(alone, by_arm, variance), np.where(alone, own, shared)
    return Runs(variance, degrees, alone, freedom, error, seeds)


def contrasts(
    means: np.ndarray, weights: np.ndarray, runs: Runs | None, kurtosis: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Value, variance and its degrees of freedom of a weighted sum of arms, by section.

    `means`: of the runs, sections by arms by problems. `runs` is None for one run an arm;
    `kurtosis`: whether the degrees of freedom over problems are from the kurtosis, or N - 1.
    """
    n, used = means.shape[2], weights != 0
    delta = np.einsum("san,a->sn", means[:, used], weights[used])
    problems = delta.var(axis=1, ddof=1) / n
    over = np.full(len(delta), n - 1.0)
    if kurtosis:
        centred = delta - delta.mean(axis=1, keepdims=True)
        second = (centred**2).mean(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            excess = np.maximum(0, (centred**4).mean(axis=1) / second**2 - 3)
            over = np.where(second < 1e-12, over, np.maximum(1, 2 / (2 / (n - 1) + excess / n)))
    if runs is None:
        return delta.mean(axis=1), problems, over
    seeds = runs.seeds
    square = weights[used] ** 2
    between = square * runs.variance[:, used] / seeds
    within = square * runs.error[:, used] / (n * seeds)
    alone, freedom = runs.alone[:, used], runs.freedom[:, used]
    total = problems + (between - within).sum(axis=1)
    squares = problems**2 / over + (within**2).sum(axis=1) / ((seeds - 1) * (n - 1))
    squares += (alone * between**2 / freedom).sum(axis=1)
    by_arm = (~alone * between**2 / freedom).sum(axis=1)
    together = (~alone * between).sum(axis=1) ** 2 / runs.together
    squares += np.maximum(by_arm, together)
    fewest = np.minimum(over, freedom.min(axis=1))
    fewest = np.where(alone.all(axis=1), fewest, np.minimum(fewest, runs.together))
    least = total <= LEAST * problems
    with np.errstate(invalid="ignore", divide="ignore"):
        degrees = np.where(least, over, np.maximum(total**2 / squares, fewest))
    return delta.mean(axis=1), np.maximum(total, LEAST * problems), degrees


def wilson(
    share: np.ndarray, n: int, variance: np.ndarray, freedom: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's interval at the effective number of trials; N trials where nothing varies."""
    known = variance > 1e-12
    with np.errstate(invalid="ignore", divide="ignore"):
        trials = np.where(known, share * (1 - share) / variance, n)
    z = stdtrit(np.where(known, freedom, np.inf), 0.975)
    z = np.where(known, z, 1.959963984540054)
    shrunk = 1 + z**2 / trials
    middle = (share + z**2 / (2 * trials)) / shrunk
    half = z / shrunk * np.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    return np.clip(np.minimum(share, middle - half), 0, 1), np.clip(
        np.maximum(share, middle + half), 0, 1
    )


def accuracies(
    rule: str, means: np.ndarray, at: int, runs: Runs | None
) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the interval of one arm's accuracy, by section."""
    weights = np.eye(means.shape[1])[at]
    share, variance, freedom = contrasts(means, weights, runs, rule != "old")
    if runs is None:
        variance = np.where(np.isin(means[:, at], (0, 1)).all(axis=1), 0, variance)
    return wilson(share, means.shape[2], variance, freedom)


def sums(
    rule: str, means: np.ndarray, weights: np.ndarray, runs: Runs | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ends of the interval of a weighted sum, and p (NaN with one run), by section."""
    n, used = means.shape[2], weights != 0
    value, variance, freedom = contrasts(means, weights, runs, rule != "old")
    missed = (1 - 0.025 ** (1 / n)) * np.abs(weights).sum() / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        half = np.where(variance < 1e-12, missed, stdtrit(freedom, 0.975) * np.sqrt(variance))
        p = 2 * stdtr(freedom, -np.abs(value) / np.sqrt(variance))
    p = np.where(variance < 1e-12, np.where(np.abs(value) < 1e-9, 1, 0), p)
    low, high = value - half, value + half
    if runs is None:
        p = np.full(len(p), math.nan)
        delta = np.einsum("san,a->sn", means[:, used], weights[used])
        if rule == "old":
            ends = [bootstrap(one) if np.ptp(one) else None for one in delta]
            both = [(low[i], high[i]) if made is None else made for i, made in enumerate(ends)]
            low, high = np.array(both).T
            p = np.array([significance.sign_flip(one) for one in delta])
        elif rule != "old" and used.sum() == 2:
            single = np.isin(means[:, used], (0, 1)).all(axis=(1, 2))
            better, worse = ((sign * delta > 0).sum(axis=1) + 1 for sign in (1, -1))
            middle = (better - worse) / (n + 2)
            around = 1.959963984540054 * np.sqrt(((better + worse) / (n + 2) - middle**2) / (n + 2))
            low = np.where(single, np.minimum(value, middle - around), low)
            high = np.where(single, np.maximum(value, middle + around), high)
    if used.sum() == 2:
        low, high = np.maximum(low, -1), np.minimum(high, 1)
    return low, high, p


def asked_sums(arms: int) -> dict[str, list[np.ndarray]]:
    """Weights, by arm, of what is estimated of a section besides accuracies; each sums to 0."""
    one, half = np.eye(arms), arms // 2
    doses = np.array(DOSES) - np.mean(DOSES)
    line = doses / (doses**2).sum()
    made = {"difference": [one[at] - one[at + half] for at in range(half)]}
    fours = [one[at : at + 4] for at in range(0, arms - 3, 4)]
    made["slope"] = [line @ four for four in fours]
    # slopes of b to dose 1 and of d to dose 0.5, averaged, minus that of c to dose 0.5
    made["slope_contrast"] = [(b - a + 2 * (d - a)) / 2 - 2 * (c - a) for a, b, c, d in fours]
    made["structure_minus_content"] = [(a + b - c - d) / 2 for a, b, c, d in fours]
    return made


def judged(
    settings: Sequence[Setting],
    answers: int = ANSWERS,
    rules: Sequence[str] = RULES,
    seed: int = 20261128,
) -> pd.DataFrame:
    """One row per setting, rule, kind of estimate and place (arm).

    Args:
        settings: what to simulate.
        answers: of a setting, see `ANSWERS`.
        rules: some of `RULES`.
        seed: of the simulation.

    Returns:
        The fields of `Setting`; rule, kind, place; sections; and over these: covers: share of the
        intervals with the truth; alarms: of equal recipes, those that are significant at 5 %, NaN
        where nothing is tested; mean_half, median_half: of half the interval's width.
    """
    rows = []
    for number, setting in enumerate(settings):
        rng = np.random.default_rng([seed, number])
        many = answers // (setting.problems * setting.seeds * setting.arms)
        many = min(max(many, 4), MOST)
        shares, right = sections(rng, setting, many)
        once = setting.seeds == 1
        truth = right[..., 0] if once else np.tile(setting.accuracies, (many, 1))
        equal = np.ptp(setting.accuracies) == 0
        for rule in rules if not once else [r for r in rules if r in ("old", "moderated")]:
            runs = None if once else runs_by(rule, shares)
            fields = vars(setting) | {"rule": rule, "sections": many}
            for kind, place, weights, (low, high, p) in _estimates(rule, shares, runs):
                true = truth @ weights
                covers = ((low - 1e-9 <= true) & (true <= high + 1e-9)).mean()
                tested = equal and kind != "accuracy" and not np.isnan(p).any()
                alarms = (p <= 0.05).mean() if tested else math.nan
                half = (high - low) / 2
                found = {"kind": kind, "place": place, "covers": covers, "alarms": alarms}
                found |= {"mean_half": half.mean(), "median_half": np.median(half)}
                rows.append(fields | found)
    return pd.DataFrame(rows).fillna({"accuracy": "recorded"})


def table(rows: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Means of `judged` over all else than `by`, in per cent; worst: coverage of the worst place.

    The median half-width is the mean of the settings' medians.
    """
    groups = rows.groupby(list(by), sort=False)
    places = rows.groupby([*by, "place"], sort=False)["covers"].mean()
    made = groups[["covers", "alarms", "mean_half", "median_half"]].mean()
    made.insert(1, "worst", places.groupby(list(by), sort=False).min())
    return 100 * made


def bootstrap(delta: np.ndarray) -> tuple[float, float]:
    """Percentiles of the mean over problems drawn again, widened from N to N - 1."""
    n = len(delta)
    values, counts = np.unique(delta, return_counts=True)
    drawn = np.random.default_rng(0).multinomial(n, counts / n, size=DRAWS) @ values / n
    tail = float(ndtr(math.sqrt(n / (n - 1)) * stdtrit(n - 1, 0.025)))
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return float(low), float(high)


def main() -> None:
    """Print the rules side by side: over the grid, and over sections like the recorded one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", type=int, default=ANSWERS, help="simulated of each setting")
    parser.add_argument("--csv", help="write coverage, alarms and widths of each setting there")
    asked = parser.parse_args()
    begun, found = time.process_time(), []
    for name, settings in (("108 settings", GRID), ("as recorded", AS_RECORDED)):
        with patch.object(significance, "DRAWS", DRAWS):
            rows = judged(settings, asked.answers)
        for by in (["kind", "rule", "scatter", "seeds"], ["kind", "rule"]):
            print(f"\n{name}, per cent\n{table(rows, by).round(1).to_string()}", flush=True)
        found.append(table(rows, [*Setting.__dataclass_fields__, "kind", "rule"]))
    if asked.csv:
        pd.concat(found).to_csv(asked.csv)
    print(f"\n{time.process_time() - begun:.0f} s CPU")


def _estimates(
    rule: str, shares: np.ndarray, runs: Runs | None
) -> Iterator[tuple[str, int, np.ndarray, tuple[np.ndarray, np.ndarray, np.ndarray]]]:
    """Kind, place, weights, and ends and p by section, of all that is estimated of a section."""
    arms, means = shares.shape[1], shares.mean(axis=3)
    for at, weights in enumerate(np.eye(arms)):
        low, high = accuracies(rule, means, at, runs)
        yield "accuracy", at, weights, (low, high, np.full(len(low), math.nan))
    for kind, asked in asked_sums(arms).items():
        if kind != "difference" and runs is None:
            continue
        for at, weights in enumerate(asked):
            yield kind, at, weights, sums(rule, means, weights, runs)


def _pooled(variances: np.ndarray, which: np.ndarray, own: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean variance of some arms of each section, and Satterthwaite's degrees of freedom."""
    chosen = np.where(which, variances, 0.0)
    total, squares = chosen.sum(axis=1), (chosen**2).sum(axis=1) / own
    count = which.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        freedom = np.where(squares > 0, total**2 / squares, own * count)
        return total / count, np.where(count > 0, freedom, np.inf)


if __name__ == "__main__":
    main()
