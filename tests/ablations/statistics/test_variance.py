"""Variances are those of a sample, without bias however small it is; draws have a fixed seed."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from ablations.statistics import intervals
from ablations.statistics.power import measured
from ablations.statistics.significance import sign_flip
from ablations.statistics.variance import (
    bootstrap,
    error_variance,
    mean_variance,
    seed_sd,
    seed_variance,
)
from distill.evaluation.intervals import t_quantile, wilson


@pytest.mark.parametrize("n", [2, 3])
def test_the_variance_over_problems_is_right_on_average_over_all_samples_of_them(n):
    population = np.array([0.0, 0.25, 1.0])
    found = [
        mean_variance(np.array(drawn), [(np.array(drawn)[:, None], 1.0)])[0]
        for drawn in product(population, repeat=n)
    ]
    assert np.mean(found) == pytest.approx(population.var() / n)


def tables(n, seeds):
    """Every table of n problems by this many seeds whose parts are each +1 or -1 as likely."""
    for drawn in product([-1.0, 1.0], repeat=seeds + n * seeds):
        skill, own = np.array(drawn[:seeds]), np.array(drawn[seeds:]).reshape(n, seeds)
        yield 0.5 * np.arange(n)[:, None] + 0.3 * skill + 0.1 * own


@pytest.mark.parametrize(("n", "seeds"), [(2, 2), (2, 3), (3, 2)])
def test_the_parts_of_the_variance_are_right_on_average_over_all_tables(n, seeds):
    every = list(tables(n, seeds))
    assert np.mean([error_variance(table) for table in every]) == pytest.approx(0.1**2)
    components = [seed_variance(table)[0] for table in every]
    assert np.mean(components) == pytest.approx(0.3**2 / seeds)


def test_the_degrees_of_freedom_are_satterthwaites_by_hand():
    table = np.array([[0.0, 1.0, 0.5], [0.5, 1.0, 1.0], [0.0, 0.5, 1.0], [0.25, 0.25, 0.25]])
    n, seeds = table.shape
    between = np.var(table.mean(axis=0), ddof=1) / seeds
    error = sum(
        (table[i, j] - table[i].mean() - table[:, j].mean() + table.mean()) ** 2
        for i in range(n)
        for j in range(seeds)
    ) / ((n - 1) * (seeds - 1))
    within = error / (n * seeds)
    component, spread = seed_variance(table)
    assert component == pytest.approx(between - within)
    assert spread == pytest.approx(between**2 / (seeds - 1) + within**2 / ((seeds - 1) * (n - 1)))
    weight = -0.5
    delta = weight * table.mean(axis=1)
    problems = np.var(delta, ddof=1) / n
    total, freedom = mean_variance(delta, [(table, weight)])
    assert total == pytest.approx(problems + weight**2 * component)
    expected = total**2 / (problems**2 / (n - 1) + weight**4 * spread)
    assert freedom == pytest.approx(max(expected, seeds - 1))


def test_degrees_of_freedom_are_no_fewer_than_those_of_the_seeds():
    table = np.tile([[0.0, 0.5, 1.0]], (50, 1)) + np.linspace(0, 1e-3, 50)[:, None]
    total, freedom = mean_variance(table.mean(axis=1), [(table, 1.0)])
    assert total == pytest.approx(np.var([0, 0.5, 1], ddof=1) / 3, rel=1e-3)
    assert freedom == pytest.approx(2, rel=1e-2)
    mixed = [(table, 1.0), (table[:, :1], -1.0)]
    assert mean_variance(table.mean(axis=1) - table[:, 0], mixed)[1] >= 2


def test_a_component_below_zero_takes_no_more_than_half_of_the_variance_between_problems():
    rng = np.random.default_rng(3)
    pure = rng.random((6, 1)) * np.ones((1, 2)) + np.array([[0.3, -0.3]] * 3 + [[-0.3, 0.3]] * 3)
    delta = pure.mean(axis=1)
    between = np.var(delta, ddof=1) / 6
    assert seed_variance(pure)[0] < 0
    total, freedom = mean_variance(delta, [(pure, 1.0)])
    assert total == pytest.approx(max(between + seed_variance(pure)[0], between / 2))
    assert total >= between / 2 and freedom > 0


def test_the_scatter_of_seeds_is_averaged_over_arms_and_is_no_root_of_a_negative():
    wide, none = np.tile([[0.2, 0.6]], (40, 1)), np.tile([[0.4, 0.4]], (40, 1))
    assert seed_sd([wide]) == pytest.approx(np.std([0.2, 0.6], ddof=1))
    assert seed_sd([wide, none]) == pytest.approx(seed_sd([wide]) / np.sqrt(2))
    crossed = np.array([[0.0, 1.0], [1.0, 0.0]])
    assert seed_variance(crossed)[0] < 0 and seed_sd([crossed]) == 0


def test_an_interval_of_few_shares_is_by_hand_that_of_a_sample():
    shares = pd.Series([0.0, 0.5, 0.5, 1.0])
    variance = (0.25 + 0 + 0 + 0.25) / 3 / 4
    found = intervals.accuracy(shares)
    assert (found.low, found.high) == pytest.approx(wilson(0.5, 4, variance, 3))
    trials, z = 0.25 / variance, t_quantile(3)
    half = z / (1 + z * z / trials) * np.sqrt(0.25 / trials + z * z / (4 * trials**2))
    assert found.high - 0.5 == pytest.approx(half) == 0.5 - found.low


def test_a_difference_over_seeds_is_by_hand_students():
    rng = np.random.default_rng(4)
    arm, reference = (pd.DataFrame(rng.random((12, seeds))) for seeds in (3, 4))
    found = intervals.difference(arm, reference)
    delta = (arm.mean(axis=1) - reference.mean(axis=1)).to_numpy()
    parts = [(arm.to_numpy(), 1.0), (reference.to_numpy(), -1.0)]
    variance, freedom = mean_variance(delta, parts)
    half = t_quantile(freedom) * np.sqrt(variance)
    assert (found.low, found.high) == pytest.approx((delta.mean() - half, delta.mean() + half))


def test_what_two_arms_measure_of_themselves_is_by_hand():
    arm, reference = pd.Series([1.0, 0.5, 0.0, 0.0]), pd.Series([0.0, 0.5, 1.0, 1.0])
    found = measured(arm, reference, 2)
    accuracy = (0.375 + 0.625) / 2
    answers = [np.mean(s * (1 - s)) * 2 for s in (arm, reference)]  # k / (k - 1) = 2
    between = np.var([1.0, 0.0, -1.0, -1.0], ddof=1)
    assert found.accuracy == accuracy
    assert found.interaction_sd == pytest.approx(np.sqrt(between - sum(answers) / 2))
    assert found.correlation == pytest.approx(1 - np.mean(answers) / accuracy / (1 - accuracy))


def test_an_interval_of_the_bootstrap_is_wider_by_n_over_n_minus_1():
    delta = np.random.default_rng(5).normal(0, 1, 12)
    low, high = bootstrap(delta)
    half = t_quantile(11) * np.sqrt(np.var(delta, ddof=1) / 12)
    assert (high - low) / 2 == pytest.approx(half, rel=0.08)
    assert (high + low) / 2 == pytest.approx(delta.mean(), abs=0.15)


def test_the_same_answers_have_the_same_interval_and_p_each_time_and_in_any_state_of_chance():
    delta = np.random.default_rng(6).normal(0.1, 1, 25)
    arm, reference = pd.Series(delta), pd.Series(np.zeros(25))
    seen = []
    for state in (0, 1):
        np.random.seed(state)
        seen.append(
            (bootstrap(delta), sign_flip(delta), intervals.contrast([arm, reference], [1, -1]))
        )
    assert seen[0] == seen[1]
    rng = np.random.default_rng(7)
    others = [sign_flip(rng.normal(0.1, 1, 25)) for _ in range(5)]
    assert len(set(others)) == 5, "the draws are many enough to tell differences apart"


def test_flips_are_of_the_sum_and_counted_on_both_sides():
    delta = np.array([0.3, 0.2, -0.1, 0.4, 0.25])
    sums = [abs(np.dot(signs, np.abs(delta))) for signs in product([-1, 1], repeat=5)]
    total = delta.sum()
    exact = np.mean([(s > total + 1e-9) + (abs(s - total) < 1e-9) / 2 for s in sums])
    assert sign_flip(delta) == pytest.approx(exact, abs=0.012)
    assert sign_flip(-delta) == sign_flip(delta)
    assert sign_flip(np.array([0.5, -0.5])) == 1
    assert sign_flip(np.ones(200)) == pytest.approx(0.5 / 10_001)
