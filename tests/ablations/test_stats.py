"""Intervals against independent computations. Run: pytest tests/ablations/test_stats.py."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, bootstrap

from ablations import stats


def series(values):
    return pd.Series([float(v) for v in values], index=[f"p{i}" for i in range(len(values))])


@given(st.lists(st.booleans(), min_size=1, max_size=200))
def test_with_one_sample_each_the_interval_is_wilsons(right):
    estimate = stats.accuracy(series(right))
    wilson = binomtest(sum(right), len(right)).proportion_ci(method="wilson")
    assert (estimate.low, estimate.high) == pytest.approx((wilson.low, wilson.high), abs=1e-9)
    assert estimate.value == pytest.approx(sum(right) / len(right))
    assert estimate.problems == len(right)


@given(st.lists(st.sampled_from([0, 0.25, 0.5, 1.0]), min_size=1, max_size=50))
def test_an_accuracy_is_inside_its_interval_and_the_interval_inside_0_and_1(shares):
    estimate = stats.accuracy(series(shares))
    assert 0 <= estimate.low <= estimate.value + 1e-12
    assert estimate.value - 1e-12 <= estimate.high <= 1
    assert estimate.low < estimate.high


def test_more_samples_of_a_problem_narrow_the_interval_only_as_far_as_problems_differ():
    rng = np.random.default_rng(0)
    difficulty = rng.random(300)
    one = stats.accuracy(series(rng.random(300) < difficulty))
    many = stats.accuracy(series((rng.random((64, 300)) < difficulty).mean(axis=0)))
    width = 2 * stats.Z * difficulty.std() / np.sqrt(300)
    assert many.high - many.low < one.high - one.low
    assert many.high - many.low == pytest.approx(width, rel=0.1)


def test_the_bootstrap_of_a_difference_is_that_of_scipy_on_the_paired_differences():
    rng = np.random.default_rng(1)
    arm, reference = rng.random(200) < 0.6, rng.random(200) < 0.8
    estimate = stats.difference(series(arm), series(reference))
    delta = arm.astype(float) - reference
    oracle = bootstrap((delta,), np.mean, n_resamples=9_999, method="percentile", rng=2)
    expected = oracle.confidence_interval
    assert (estimate.low, estimate.high) == pytest.approx(tuple(expected), abs=0.01)
    assert estimate.value == pytest.approx(delta.mean())


def test_pairing_takes_out_what_the_problems_difficulty_adds_to_both():
    rng = np.random.default_rng(3)
    reference = rng.random(400)
    arm = (reference - 0.05 + rng.normal(0, 0.02, 400)).clip(0, 1)
    estimate = stats.difference(series(arm), series(reference))
    alone = stats.accuracy(series(arm))
    assert estimate.high - estimate.low < (alone.high - alone.low) / 10


def test_the_order_of_the_problems_does_not_matter():
    arm, reference = series([1, 0, 0, 1]), series([0, 0, 1, 1])
    assert stats.difference(arm, reference) == stats.difference(arm[::-1], reference)


def test_equal_answers_everywhere_are_no_proof_of_no_difference():
    estimate = stats.difference(series([1] * 20), series([1] * 20))
    assert estimate.value == 0
    assert estimate.high == -estimate.low == pytest.approx(binomtest(0, 20).proportion_ci().high)


def test_arms_scored_on_other_problems_are_not_compared():
    with pytest.raises(ValueError, match="3 problems and its reference on 2, 2 of them shared"):
        stats.difference(series([1, 0, 1]), series([1, 0]))


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_mcnemar_is_the_exact_binomial_test_of_the_problems_that_only_one_solves(pairs):
    arm, reference = zip(*pairs, strict=True)
    better = sum(a and not b for a, b in pairs)
    worse = sum(b and not a for a, b in pairs)
    p = stats.mcnemar(series(arm), series(reference))
    expected = binomtest(better, better + worse).pvalue if better + worse else 1.0
    assert p == pytest.approx(expected)


def test_mcnemar_refuses_shares_of_several_samples():
    with pytest.raises(ValueError, match="one sample"):
        stats.mcnemar(series([0.5, 1]), series([0, 1]))


def test_samples_and_seeds_of_a_problem_are_averaged_and_undecided_is_not_right():
    rows = pd.DataFrame(
        {
            "cell": ["a", "a", "b", "b"],
            "problem_id": ["p", "q", "p", "q"],
            "sample": 0,
            "correct": pd.array([True, None, False, True], dtype="boolean"),
        }
    )
    assert stats.by_problem(rows).to_dict() == {"p": 0.5, "q": 0.5}


def test_runs_scored_on_other_problems_are_not_one_arm():
    rows = pd.DataFrame({"cell": ["a", "a", "b"], "problem_id": ["p", "q", "p"], "correct": True})
    with pytest.raises(ValueError, match="1 samples of problem q, but 2 of p"):
        stats.by_problem(rows)
