"""Variances are by hand those of the textbooks, and without bias however small a sample is."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy.stats import f
from scipy.stats import t as student

from ablations.statistics import intervals
from ablations.statistics.power import measured
from ablations.statistics.significance import sign_flip
from distill.evaluation.intervals import freedom, t_quantile, wilson
from distill.evaluation.variance import (
    Spread,
    error_variance,
    is_apart,
    mean_variance,
    pooled,
    run_variance,
)


def runs_of(*shares, problems=40, name="a"):
    """An arm whose runs have these accuracies, alike on all problems."""
    names = [f"{name}{at}" for at in range(len(shares))]
    return pd.DataFrame(np.tile(shares, (problems, 1)), columns=names)


def angles(arm):
    return np.arcsin(np.sqrt(arm.to_numpy().mean(axis=0)))


def errors(table):
    """MS_error, cell by cell."""
    n, seeds = table.shape
    return sum(
        (table[i, j] - table[i].mean() - table[:, j].mean() + table.mean()) ** 2
        for i in range(n)
        for j in range(seeds)
    ) / ((n - 1) * (seeds - 1))


@pytest.mark.parametrize("n", [2, 3])
def test_the_variance_over_problems_is_right_on_average_over_all_samples_of_them(n):
    population = np.array([0.0, 0.25, 1.0])
    found = [
        mean_variance(np.array(drawn), [(pd.DataFrame(drawn), 1.0)])[0]
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
    error = np.mean([error_variance(table) for table in every])
    assert error == pytest.approx(0.1**2)
    of_runs = np.mean([run_variance(pd.DataFrame(table), None)[0] for table in every])
    assert of_runs - error / n == pytest.approx(0.3**2)


def test_of_a_lone_arm_variance_and_degrees_of_freedom_are_satterthwaites_by_hand():
    table = np.array([[0.0, 1.0, 0.5], [0.5, 1.0, 1.0], [0.0, 0.5, 1.0], [0.25, 0.25, 0.25]])
    n, seeds = table.shape
    of_runs = np.var(table.mean(axis=0), ddof=1)
    assert run_variance(pd.DataFrame(table), None) == pytest.approx((of_runs, seeds - 1))
    weight = -0.5
    between, within = weight**2 * of_runs / seeds, weight**2 * errors(table) / (n * seeds)
    delta = weight * table.mean(axis=1)
    problems = np.var(delta, ddof=1) / n
    for asked, over in ((None, n - 1), (1.5, 1.5)):
        total, degrees = mean_variance(
            delta, [(pd.DataFrame(table), weight)], problem_freedom=asked
        )
        assert total == pytest.approx(problems + between - within)
        squares = problems**2 / over + between**2 / (seeds - 1)
        squares += within**2 / ((seeds - 1) * (n - 1))
        assert degrees == pytest.approx(max(total**2 / squares, min(seeds - 1, over)))


def test_the_spread_of_a_section_is_by_hand_the_mean_over_its_arms():
    arms = [runs_of(0.5, 0.6), runs_of(0.2, 0.25, 0.35, name="b"), runs_of(0.9, 0.95, name="c")]
    found = pooled([*arms, runs_of(0.4, name="once")])
    of_arms = np.array([np.var(angles(arm), ddof=1) for arm in arms])
    assert found.variance == pytest.approx(of_arms.mean())
    assert found.freedom == pytest.approx(of_arms.sum() ** 2 / (of_arms**2 / [1, 2, 1]).sum())
    assert found.noise == pytest.approx(0, abs=1e-12), "runs differ alike on every problem"


def test_the_noise_of_a_spread_is_what_single_answers_add_to_it():
    rng = np.random.default_rng(0)
    arms = [pd.DataFrame((rng.random((50, 3)) < share) * 1.0) for share in (0.3, 0.8)]
    expected = [
        errors(arm.to_numpy()) / 50 / (4 * arm.to_numpy().mean() * (1 - arm.to_numpy().mean()))
        for arm in arms
    ]
    assert pooled(arms).noise == pytest.approx(np.mean(expected))
    found = Spread(0.01, 9, 0.004, frozenset())
    assert found.of_runs(0.2) == pytest.approx(np.sqrt(0.006 * 4 * 0.2 * 0.8))
    assert Spread(0.004, 9, 0.01, frozenset()).of_runs(0.2) == 0


def test_the_noise_of_simulated_runs_that_differ_by_their_answers_alone_is_their_variance():
    rng = np.random.default_rng(1)
    made = [
        pooled([pd.DataFrame((rng.random((100, 5)) < 0.4) * 1.0) for _ in range(8)])
        for _ in range(40)
    ]
    ratio = np.mean([spread.noise for spread in made]) / np.mean([s.variance for s in made])
    assert ratio == pytest.approx(1, abs=0.1)


def test_angles_vary_alike_where_accuracies_of_the_same_answers_do_not():
    rng = np.random.default_rng(2)
    runs = np.sin(np.arcsin(np.sqrt([[0.5], [0.95]])) + 0.04 * rng.standard_normal((2, 400))) ** 2
    middle, high = (pooled([pd.DataFrame(one[None])]).variance for one in runs)
    assert (middle, high) == pytest.approx((0.04**2, 0.04**2), rel=0.2)
    assert runs[0].var() > 3 * runs[1].var()


@pytest.mark.parametrize("share", [0.005, 0.995])
def test_arms_close_to_0_or_100_percent_do_not_tell_how_others_vary(share):
    arms = [runs_of(0.5, 0.55), runs_of(0.4, 0.42, name="b")]
    edge = runs_of(share - 0.003, share + 0.003, name="edge")
    assert pooled([*arms, edge]) == pooled(arms)
    assert pooled([edge, runs_of(0.5, name="once")]) is None
    assert pooled([]) is None
    inside = runs_of(0.01, 0.01, 0.01, name="inside")
    assert pooled([*arms, inside]) != pooled(arms), "1 % itself counts"


@pytest.mark.parametrize("beyond", [True, False])
def test_an_arm_is_apart_beyond_the_99_percent_quantile_of_its_ratio_of_variances(beyond):
    others = [
        runs_of(0.5, 0.52, 0.55),
        runs_of(0.3, 0.33, name="b"),
        runs_of(0.7, 0.74, 0.72, 0.77, name="c"),
        runs_of(0.2, 0.24, 0.22, 0.21, name="d"),
    ]
    of_arms = np.array([np.var(angles(arm), ddof=1) for arm in others])
    degrees = of_arms.sum() ** 2 / (of_arms**2 / [2, 1, 3, 3]).sum()
    limit = of_arms.mean() * f.ppf(0.99, 2, degrees)
    # three runs at middle - d, middle, middle + d vary by d^2 on the scale of angles
    step = np.sqrt(limit * (1.001 if beyond else 0.999))
    wide = runs_of(*np.sin(np.pi / 4 + step * np.array([-1, 0, 1])) ** 2, name="wide")
    found = pooled([*others, wide])
    assert found.apart == (frozenset(wide.columns) if beyond else frozenset())
    assert is_apart(wide, found) is beyond
    assert not is_apart(others[0], found)
    assert not is_apart(wide, None)
    assert not is_apart(wide.iloc[:, 0], found), "an untrained student has no runs"
    assert is_apart(wide.iloc[:, :1], found) is beyond


def test_an_arm_alone_is_never_apart():
    assert pooled([runs_of(0.1, 0.9)]).apart == frozenset()


def test_no_arm_is_apart_because_the_few_answers_of_the_others_happen_to_agree():
    """Runs of the others have equal accuracies, but on other problems: they are noisy."""
    agree = pd.DataFrame({"a0": [1.0, 1, 0, 0], "a1": [0.0, 0, 1, 1]})
    differ = pd.DataFrame({"b0": [1.0, 1, 0, 0], "b1": [1.0, 1, 1, 0]})
    assert pooled([agree]).variance == 0 and pooled([differ]).variance > 0
    assert pooled([agree, differ]).apart == frozenset()
    noise = pooled([agree]).noise
    assert noise == pytest.approx(errors(agree.to_numpy()) / 4)  # the slope at 50 % is 1
    # 24 of 25 others have neither spread nor noise: the mean of the noise is what counts
    others = [agree, *(runs_of(0.5, 0.5, problems=4, name=f"{at}-") for at in range(24))]
    for step, beyond in ((0.999, False), (1.001, True)):
        # two runs at middle -+ d vary by 2 d^2 on the scale of angles
        turn = np.sqrt(step * noise / 25 * f.ppf(0.99, 1, 25) / 2)
        wide = runs_of(*np.sin(np.pi / 4 + turn * np.array([-1, 1])) ** 2, problems=4, name="w")
        assert pooled([wide, *others]).apart == (frozenset(wide.columns) if beyond else frozenset())


def test_rounding_is_no_spread_by_which_an_arm_could_be_apart():
    thirds = np.array([1 / 3, 2 / 3, 0.1, 0.7, 0.2])
    table = pd.DataFrame({"a0": thirds, "a1": thirds[::-1]})
    table["a0"] += 1e-15
    found = pooled([table, runs_of(0.5, 0.5, name="b"), runs_of(0.25, 0.25, name="c")])
    assert (found.variance, found.apart) == (0, frozenset())


def test_runs_that_never_differ_have_a_spread_of_zero_with_the_freedom_of_all_of_them():
    found = pooled([runs_of(0.5, 0.5, 0.5), runs_of(0.3, 0.3, name="b")])
    assert (found.variance, found.freedom, found.apart) == (0, 3, frozenset())
    assert run_variance(runs_of(0.5, 0.5), found)[0] == 0


def test_a_moderated_variance_is_by_hand_a_mean_of_the_sections_and_the_arms_own():
    spread = Spread(0.008, 20.0, 0.0, frozenset({"z0"}))
    arm = runs_of(0.5, 0.6, 0.64)
    own, mean = np.var(angles(arm), ddof=1), 0.58
    found, degrees = run_variance(arm, spread)
    together = (3 * 0.008 + 2 * own) / 5
    assert (found, degrees) == (pytest.approx(together * 4 * mean * (1 - mean)), 5)
    apart = runs_of(0.5, 0.6, 0.64, name="z")
    assert run_variance(apart, spread) == pytest.approx((np.var([0.5, 0.6, 0.64], ddof=1), 2))


def by_hand(n, delta, parts, over):
    """The total, and the sum of squared parts over their degrees of freedom.

    `parts`: (table, weight, variance of a run, degrees of freedom); the last two of one run are 0.
    """
    problems = np.var(delta, ddof=1) / n
    total, squares, between = problems, problems**2 / over, []
    for table, weight, of_runs, degrees in parts:
        seeds = table.shape[1]
        within = weight**2 * errors(table.to_numpy()) / n / seeds
        between.append((weight**2 * of_runs / seeds, degrees))
        total += between[-1][0] - within
        squares += within**2 / (n - 1) / (seeds - 1)
    return total, squares, between


def noisy(rng, *shares, name="a", problems=60):
    table = runs_of(*shares, problems=problems, name=name)
    return table + rng.normal(0, 0.05, table.shape)


@pytest.mark.parametrize("known", [1.5, 4.0, 50.0])
def test_arms_of_one_section_do_not_know_more_of_the_spread_than_the_section_does(known):
    rng = np.random.default_rng(3)
    arms = [noisy(rng, 0.5, 0.6, 0.7), noisy(rng, 0.4, 0.5, name="b")]
    spread = Spread(0.02, known, 0.0, frozenset())
    delta = (arms[0].mean(axis=1) - arms[1].mean(axis=1)).to_numpy()
    own = [run_variance(arm, spread) for arm in arms]
    parts = [(arm, weight, *one) for arm, weight, one in zip(arms, (1, -1), own, strict=True)]
    total, squares, between = by_hand(60, delta, parts, 30.0)
    by_arm = sum(part**2 / degrees for part, degrees in between)
    together = sum(part for part, _ in between) ** 2 / known
    squares += max(by_arm, together)
    found = mean_variance(delta, list(zip(arms, (1.0, -1.0), strict=True)), spread, 30.0)
    assert found[0] == pytest.approx(total)
    assert found[1] == pytest.approx(max(total**2 / squares, min(5, 4, known)))
    assert (together > by_arm) is (known < 5), "both branches are taken"


def test_arms_of_different_sections_and_arms_apart_know_their_spread_independently():
    rng = np.random.default_rng(4)
    arms = [
        noisy(rng, 0.5, 0.6, 0.7),
        noisy(rng, 0.4, 0.5, name="b"),
        noisy(rng, 0.2, 0.6, 0.7, name="z"),
        noisy(rng, 0.5, 0.58, name="lone"),
        noisy(rng, 0.5, name="once"),
    ]
    spreads = [Spread(0.02, 2.0, 0.0, frozenset()), Spread(0.01, 3.0, 0.0, frozenset({"z1"}))]
    of = [spreads[0], spreads[1], spreads[1], None, spreads[0]]
    weights = [1.0, -0.5, 0.5, 0.25, -1.25]
    delta = np.sum(
        [w * arm.to_numpy().mean(axis=1) for w, arm in zip(weights, arms, strict=True)], axis=0
    )
    own = [run_variance(arm, one) for arm, one in zip(arms[:4], of[:4], strict=True)]
    assert [degrees for _, degrees in own] == [5, 4, 2, 1]
    parts = [(arm, w, *one) for arm, w, one in zip(arms[:4], weights[:4], own, strict=True)]
    total, squares, between = by_hand(60, delta, parts, 59)
    squares += between[0][0] ** 2 / 2 + between[1][0] ** 2 / 3
    squares += between[2][0] ** 2 / 2 + between[3][0] ** 2 / 1
    found = mean_variance(delta, list(zip(arms, weights, strict=True)), of)
    assert found == pytest.approx((total, max(total**2 / squares, 1)))


def test_degrees_of_freedom_are_no_fewer_than_those_of_the_fewest():
    table = runs_of(0.0, 0.5, 1.0, problems=50) + np.linspace(0, 1e-3, 50)[:, None]
    total, degrees = mean_variance(table.mean(axis=1).to_numpy(), [(table, 1.0)])
    assert total == pytest.approx(np.var([0, 0.5, 1], ddof=1) / 3, rel=1e-3)
    assert degrees == pytest.approx(2, rel=1e-2)
    mixed = [(table, 1.0), (table.iloc[:, :1], -1.0)]
    delta = (table.mean(axis=1) - table.iloc[:, 0]).to_numpy()
    assert mean_variance(delta, mixed)[1] >= 2
    table = runs_of(0.1, 0.5, 0.9, problems=50) + np.linspace(0, 1e-3, 50)[:, None]
    mean, spread = table.mean(axis=1).to_numpy(), Spread(0.1, 1.25, 0.0, frozenset())
    assert mean_variance(mean, [(table, 1.0)], spread)[1] == pytest.approx(1.25, rel=1e-2)


def test_many_runs_do_not_make_up_for_a_handful_of_problems():
    """Where runs hardly vary, degrees of freedom are those of the variance between problems."""
    table = pd.DataFrame(np.outer([0.1, 0.2, 0.9], np.ones(9)) + np.linspace(0, 1e-3, 9))
    spread = Spread(1e-6, 50.0, 0.0, frozenset())
    for asked, over in ((None, 2.0), (1.25, 1.25)):
        for of in (None, spread):
            made = mean_variance(
                table.mean(axis=1).to_numpy(), [(table, 1.0)], of, problem_freedom=asked
            )
            assert made[1] == pytest.approx(over, rel=1e-2)


@pytest.mark.parametrize("step", [0.1, 0.3])
def test_a_component_below_zero_takes_no_more_than_half_of_the_variance_between_problems(step):
    rng = np.random.default_rng(3)
    signs = np.array([[1, -1]] * 3 + [[-1, 1]] * 3)
    pure = pd.DataFrame(rng.random((6, 1)) * np.ones((1, 2)) + step * signs)
    delta = pure.mean(axis=1).to_numpy()
    between = np.var(delta, ddof=1) / 6
    component = np.var(pure.to_numpy().mean(axis=0), ddof=1) / 2 - errors(pure.to_numpy()) / 12
    assert component < 0
    total, degrees = mean_variance(delta, [(pure, 1.0)], problem_freedom=3.5)
    assert total == pytest.approx(max(between + component, between / 2))
    kept = between + component > between / 2
    assert kept is np.bool_(step < 0.2)
    assert (degrees == 3.5) is not kept


def test_an_interval_of_few_shares_is_by_hand_that_of_a_sample():
    shares = pd.Series([0.0, 0.5, 0.5, 1.0])
    variance = (0.25 + 0 + 0 + 0.25) / 3 / 4
    found = intervals.accuracy(shares)
    assert (found.low, found.high) == pytest.approx(wilson(0.5, 4, variance, 3))
    trials, z = 0.25 / variance, t_quantile(3)
    half = z / (1 + z * z / trials) * np.sqrt(0.25 / trials + z * z / (4 * trials**2))
    assert found.high - 0.5 == pytest.approx(half) == 0.5 - found.low


@pytest.mark.parametrize("spread", [None, Spread(0.01, 7.0, 0.0, frozenset())])
def test_a_difference_over_seeds_is_by_hand_students(spread):
    rng = np.random.default_rng(4)
    arm, reference = (pd.DataFrame(rng.random((12, seeds))) for seeds in (3, 4))
    found = intervals.difference(arm, reference, spread)
    delta = (arm.mean(axis=1) - reference.mean(axis=1)).to_numpy()
    of, degrees = mean_variance(delta, [(arm, 1.0), (reference, -1.0)], spread, freedom(delta))
    half = t_quantile(degrees) * np.sqrt(of)
    assert (found.low, found.high) == pytest.approx((delta.mean() - half, delta.mean() + half))
    assert found.half_90 == pytest.approx(student.ppf(0.95, degrees) * np.sqrt(of))
    assert found.p == pytest.approx(2 * student.sf(abs(delta.mean()) / np.sqrt(of), degrees))


def test_what_two_arms_measure_of_themselves_is_by_hand():
    arm, reference = pd.Series([1.0, 0.5, 0.0, 0.0]), pd.Series([0.0, 0.5, 1.0, 1.0])
    found = measured(arm, reference, 2)
    accuracy = (0.375 + 0.625) / 2
    answers = [np.mean(s * (1 - s)) * 2 for s in (arm, reference)]  # k / (k - 1) = 2
    between = np.var([1.0, 0.0, -1.0, -1.0], ddof=1)
    assert found.accuracy == accuracy
    assert found.interaction_sd == pytest.approx(np.sqrt(between - sum(answers) / 2))
    assert found.correlation == pytest.approx(1 - np.mean(answers) / accuracy / (1 - accuracy))


def test_the_same_answers_have_the_same_interval_and_p_each_time_and_in_any_state_of_chance():
    delta = np.random.default_rng(6).normal(0.1, 1, 25)
    arm, reference = pd.Series(delta), pd.Series(np.zeros(25))
    seen = []
    for state in (0, 1):
        np.random.seed(state)
        seen.append((sign_flip(delta), intervals.contrast([arm, reference], [1, -1])))
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
