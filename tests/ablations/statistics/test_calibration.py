"""Do 95 % intervals cover 95 %, and do tests raise 5 % of false alarms?

Studies are simulated whose truth is known: problems of unequal difficulty, right answers at random,
and training seeds that differ in skill as a whole and by problem. Numbers asked for: coverage from
93 to 97 %, false alarms from 3.5 to 6.5 %.
"""

import numpy as np
import pandas as pd
import pytest

from ablations.statistics import dose, intervals, significance, variance

DESIGNS = [(n, k, seeds) for n in (30, 500) for k in (1, 16) for seeds in (1, 5)]
DRAWS = 1000
"""Of a bootstrap or a permutation, here; 10,000 in use."""


@pytest.fixture(autouse=True)
def fewer_draws(monkeypatch):
    for module in (significance, variance):
        monkeypatch.setattr(module, "DRAWS", DRAWS)


def study(rng, n, k, seeds, effects, *, seed_sd=0.03, taste_sd=0.1):
    """One frame of shares an arm; true accuracies are 0.5 + effect.

    Difficulty is uniform from 0.2 to 0.8 and common to all arms. An arm likes some problems better
    than another arm does (`taste_sd`, normal, within a fifth either way), and a seed is better than
    another by `seed_sd` as a whole and by half of it at each problem. One seed: its skill is what
    is judged, so there it adds nothing.
    """
    difficulty = rng.uniform(0.2, 0.8, (n, 1))
    arms = []
    for effect in effects:
        taste = np.clip(rng.normal(0, taste_sd, (n, 1)), -0.2, 0.2)
        skill = rng.normal(0, seed_sd, (1, seeds)) if seeds > 1 else 0
        own = rng.normal(0, seed_sd / 2, (n, seeds))
        chance = np.clip(difficulty + effect + taste + skill + own, 0, 1)
        arms.append(pd.DataFrame(rng.binomial(k, chance) / k))
    return arms


def covered(estimates, truth):
    """Share of the intervals in which the truth lies."""
    return np.mean([e.low - 1e-9 <= truth <= e.high + 1e-9 for e in estimates])


def alarms(estimates):
    """Share of the tests that reject at 5 %."""
    return np.mean([e.p <= 0.05 for e in estimates])


def simulate(design, studies, effects, estimate, **spread):
    """`estimate(*arms)` of this many studies."""
    rng = np.random.default_rng([20261121, *design])
    return [estimate(*study(rng, *design, effects, **spread)) for _ in range(studies)]


@pytest.mark.parametrize("design", DESIGNS, ids=str)
def test_the_interval_of_an_accuracy_covers_it(design):
    estimates = simulate(design, 3000, [0.0], intervals.accuracy)
    assert 0.93 <= covered(estimates, 0.5) <= 0.97


@pytest.mark.parametrize("design", DESIGNS, ids=str)
def test_the_interval_of_a_difference_covers_it(design):
    estimates = simulate(design, 1000, [0.0, -0.1], intervals.difference)
    assert 0.93 <= covered(estimates, 0.1) <= 0.97


@pytest.mark.parametrize("design", DESIGNS, ids=str)
def test_equal_arms_are_told_apart_in_5_of_100_studies(design):
    estimates = simulate(design, 1200, [0.0, 0.0], intervals.difference)
    assert 0.035 <= alarms(estimates) <= 0.065
    assert 0.93 <= covered(estimates, 0) <= 0.97


@pytest.mark.parametrize("design", [(30, 1, 5), (30, 16, 5), (500, 1, 5), (500, 16, 5)], ids=str)
def test_equal_arms_with_paired_seeds_are_told_apart_in_5_of_100_studies(design):
    estimates = simulate(design, 1500, [0.0, 0.0], paired_difference)
    assert 0.035 <= alarms(estimates) <= 0.065


def test_a_bootstrap_of_five_seeds_and_the_problems_would_cover_too_little():
    rng = np.random.default_rng(0)
    arms = [study(rng, 300, 16, 5, [0.0], seed_sd=0.06)[0] for _ in range(300)]
    assert np.mean([bootstrap_covers(arm, rng) for arm in arms]) < 0.91
    assert covered([intervals.accuracy(arm) for arm in arms], 0.5) > 0.93


@pytest.mark.slow
@pytest.mark.parametrize("design", DESIGNS, ids=str)
@pytest.mark.parametrize("estimate", ["slope", "slope_contrast", "structure_minus_content"])
def test_contrasts_of_a_study_cover_the_truth_and_raise_5_percent_of_alarms(design, estimate):
    studies = 3000 if design[0] == 30 else 800
    estimates = simulate(design, studies, [0.0] * 5, globals()[f"{estimate}_of"])
    assert 0.93 <= covered(estimates, 0) <= 0.97
    assert 0.035 <= alarms(estimates) <= 0.065


def paired_difference(arm, reference):
    return intervals.difference(arm, reference, pair_seeds=True)


def slope_of(correct, low, high, *_):
    return dose.slope(correct, {0.33: low, 1.0: high})


def slope_contrast_of(correct, *arms):
    curves = {0.33: arms[0], 1.0: arms[1]}, {0.2: arms[2], 1.0: arms[3]}
    return dose.slope_contrast(correct, [curves[0]], [curves[1]])


def structure_minus_content_of(_, *arms):
    structure, content = ([{1.0: arm} for arm in pair] for pair in (arms[:2], arms[2:]))
    return dose.structure_minus_content(structure, content)[0]


def bootstrap_covers(arm, rng):
    """Whether the percentiles of draws of seeds and of problems hold the truth."""
    n, seeds = arm.shape
    table = arm.to_numpy()
    problems = rng.multinomial(n, [1 / n] * n, size=300) / n
    runs = rng.multinomial(seeds, [1 / seeds] * seeds, size=300) / seeds
    low, high = np.quantile(((problems @ table) * runs).sum(axis=1), [0.025, 0.975])
    return low <= 0.5 <= high
