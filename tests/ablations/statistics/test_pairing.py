"""Arms are paired by problem, whatever the order, the samples and the seeds."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from ablations.statistics import intervals
from ablations.statistics.dose import slope, slope_contrast, structure_minus_content
from ablations.statistics.power import measured
from ablations.statistics.significance import mcnemar, sign_flip


def study(seed, arms):
    """Arms that were scored on the same problems, each with one to three seeds of its own."""
    rng = np.random.default_rng([20261128, seed])
    n = int(rng.integers(3, 30))
    seeds = rng.integers(1, 4, arms) if seed % 2 else [1] * arms
    return [pd.DataFrame(rng.random((n, s)), index=[f"p{i}" for i in range(n)]) for s in seeds], rng


def mixed(arm, rng):
    """The same answers with the problems in another order."""
    return arm.iloc[rng.permutation(len(arm))]


def same(one, other):
    """Whether two estimates are the same up to the order in which numbers are added."""
    assert (one.problems, one.seeds) == (other.problems, other.seeds)
    numbers = [(e.value, e.low, e.high, -1 if e.p is None else e.p) for e in (one, other)]
    assert numbers[0] == pytest.approx(numbers[1], abs=1e-9, nan_ok=True)
    return True


@pytest.mark.parametrize("seed", range(12))
def test_problems_in_another_order_are_the_same_pairs(seed):
    (arm, reference), rng = study(seed, 2)
    other = mixed(arm, rng)
    assert same(intervals.difference(other, reference), intervals.difference(arm, reference))
    assert same(intervals.difference(reference, other), intervals.difference(reference, arm))
    assert same(intervals.accuracy(other), intervals.accuracy(arm))
    found, expected = measured(other, reference, 4), measured(arm, reference, 4)
    assert vars(found) == pytest.approx(vars(expected))


@pytest.mark.parametrize("seed", range(12))
def test_every_arm_of_a_contrast_is_paired_with_the_others(seed):
    def estimates(arms):
        reference, *rest = arms
        curves = [{0.5: rest[0], 1.0: rest[1]}], [{0.5: rest[2]}]
        return [
            slope(reference, curves[0][0]),
            slope_contrast(reference, *curves),
            structure_minus_content(*curves)[0],
            intervals.contrast(arms, [0.5, 1.0, -0.25, -1.0]),
        ]

    arms, rng = study(seed, 4)
    others = [mixed(arm, rng) for arm in arms]
    for one, other in zip(estimates(others), estimates(arms), strict=True):
        assert same(one, other)


def test_pairs_are_those_of_the_problems_and_not_of_the_places():
    arm = pd.Series([1.0, 1.0, 0.0, 1.0, 0.0], index=list("abcde"))
    reference = arm[list("ceabd")]  # the same answers: nothing differs on any problem
    found = intervals.difference(arm, reference)
    assert (found.value, found.p, mcnemar(arm, reference)) == (0, 1, 1)
    several = intervals.difference(arm * 0.5, reference * 0.5)
    assert several.high == -several.low == pytest.approx(1 - 0.025 ** (1 / 5))
    assert measured(arm * 0.5, reference * 0.5, 2).interaction_sd == 0


def test_a_problem_that_one_arm_solves_more_often_is_one_pair_whatever_its_samples():
    rows = pd.DataFrame(
        {
            "cell": "a",
            "problem_id": [p for p in "pqrs" for _ in range(4)],
            "correct": [True] * 3 + [False] * 6 + [True] * 6 + [None],
        }
    )
    shares = intervals.by_seed(rows)
    assert shares["a"].tolist() == [0.75, 0.0, 0.75, 0.75]
    reference = pd.DataFrame({"b": [0.5, 0.25, 0.5, 0.25]}, index=shares.index)
    found = intervals.difference(shares, reference, of_runs=True)
    delta = np.array([0.25, -0.25, 0.25, 0.5])
    assert found.value == pytest.approx(delta.mean())
    assert found.p == sign_flip(delta)
    sums = np.abs([np.dot(signs, delta) for signs in product([-1, 1], repeat=4)])
    total = delta.sum()
    exact = np.mean([(s > total + 1e-9) + (abs(s - total) < 1e-9) / 2 for s in sums])
    assert found.p == pytest.approx(exact, abs=0.015)


def test_samples_are_averaged_first_so_that_problems_with_more_of_them_count_no_more():
    many = pd.DataFrame(
        {"cell": "a", "problem_id": ["p"] * 10 + ["q"], "correct": [True] * 10 + [False]}
    )
    assert intervals.accuracy(intervals.by_seed(many)).value == 0.5


def test_one_run_of_one_sample_has_mcnemars_p_and_any_other_design_another():
    right = np.random.default_rng(1).random((2, 40)) < np.array([[0.75], [0.5]])
    arm, reference = (pd.Series(row.astype(float)) for row in right)
    exact = mcnemar(arm, reference)
    assert intervals.difference(arm, reference).p == exact
    twice = [pd.DataFrame({0: one, 1: one[::-1].to_numpy()}) for one in (arm, reference)]
    assert intervals.difference(*twice).p != exact
    for pair in ((arm, twice[1]), (twice[0], reference), (arm, reference * 0.5)):
        assert intervals.difference(*pair).p == intervals.contrast(pair, [1, -1]).p
    halves = intervals.difference(arm * 0.5 + 0.25, reference * 0.5 + 0.25)
    assert halves.p == sign_flip((arm - reference).to_numpy() / 2) != exact


@pytest.mark.parametrize("seeds", [(1, 3), (3, 1), (2, 3)])
def test_the_seeds_of_an_estimate_are_those_of_the_arm_with_the_fewest(seeds):
    rng = np.random.default_rng(2)
    arm, reference = (pd.DataFrame(rng.random((30, count))) for count in seeds)
    found = intervals.difference(arm, reference)
    assert (found.seeds, found.problems) == (min(seeds), 30)
    assert found.value == pytest.approx(arm.to_numpy().mean() - reference.to_numpy().mean())


def test_at_two_shared_rates_each_counts_alike_however_many_operators_it_has():
    flat = {value: pd.Series([value] * 10) for value in (0.1, 0.2, 0.3, 0.5, 0.6, 0.8, 0.9)}
    structure = [{0.3: flat[0.1], 0.6: flat[0.2]}, {0.6: flat[0.3]}, {0.6: flat[0.1]}]
    content = [{0.3: flat[0.9], 0.6: flat[0.8]}, {0.3: flat[0.5], 1.0: flat[0.6]}]
    found, doses = structure_minus_content(structure, content)
    at_30, at_60 = 0.1 - (0.9 + 0.5) / 2, (0.2 + 0.3 + 0.1) / 3 - 0.8
    assert doses == [0.3, 0.6]
    assert found.value == pytest.approx((at_30 + at_60) / 2)


def test_a_line_whose_rates_are_uneven_is_that_of_the_rates_and_not_of_their_order():
    flat = [pd.Series([value] * 10) for value in (0.9, 0.8, 0.3, 0.2)]
    reference, *arms = flat
    doses = [0.1, 0.2, 1.0]
    line = np.polyfit([0, *doses], [0.9, 0.8, 0.3, 0.2], 1)[0]
    for order in ([0, 1, 2], [2, 0, 1]):
        curve = {doses[i]: arms[i] for i in order}
        assert slope(reference, curve).value == pytest.approx(line)
    content = [{0.5: pd.Series([0.7] * 10)}]
    contrast = slope_contrast(reference, [{doses[i]: arms[i] for i in (1, 2, 0)}], content)
    assert contrast.value == pytest.approx(line - (0.7 - 0.9) / 0.5)


@pytest.mark.parametrize("doses", [[], [0.0, 0.5], [0.5, 1.1], [-0.1]])
def test_a_rate_outside_0_to_1_has_no_slope(doses):
    with pytest.raises(ValueError, match=r"one dose or more in \(0, 1\], got"):
        slope(pd.Series([1.0, 0.0]), dict.fromkeys(doses, pd.Series([0.0, 1.0])))


@pytest.mark.parametrize("seed", range(8))
def test_mcnemar_counts_the_problems_that_only_one_run_solves_in_any_order(seed):
    rng = np.random.default_rng([20261128, seed])
    arm, reference = (pd.Series((rng.random(24) < share).astype(float)) for share in (0.8, 0.4))
    found = mcnemar(arm, reference)
    assert mcnemar(arm, reference.iloc[rng.permutation(24)]) == found
    assert mcnemar(arm.iloc[rng.permutation(24)], reference) == found
    assert intervals.difference(arm, reference.iloc[::-1]).p == found
