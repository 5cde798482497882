"""Intervals against independent computations."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, bootstrap, multinomial

from ablations.statistics import intervals
from ablations.statistics.dose import slope, slope_contrast, structure_minus_content
from ablations.statistics.significance import holm, mcnemar, sign_flip
from ablations.statistics.variance import mean_variance, seed_variance
from distill.evaluation.intervals import Z, run_interval
from distill.evaluation.scores import scores


def series(values):
    return pd.Series([float(v) for v in values], index=[f"p{i}" for i in range(len(values))])


@given(st.lists(st.booleans(), min_size=1, max_size=200))
def test_with_one_sample_each_the_interval_is_wilsons(right):
    estimate = intervals.accuracy(series(right))
    wilson = binomtest(sum(right), len(right)).proportion_ci(method="wilson")
    assert (estimate.low, estimate.high) == pytest.approx((wilson.low, wilson.high), abs=1e-9)
    assert estimate.value == pytest.approx(sum(right) / len(right))
    assert estimate.problems == len(right)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=50))
def test_a_run_reports_the_interval_that_the_table_has_of_it(right):
    row = {"thought_closed": True, "truncated": False, "tokens": 1, "keywords": 0}
    rows = [
        row | {"problem_id": f"p{i}", "sample": k, "correct": k < count, "extracted": str(k)}
        for i, count in enumerate(right)
        for k in range(4)
    ]
    estimate = intervals.accuracy(intervals.by_seed(pd.DataFrame(rows).assign(cell="a")))
    summary = scores(rows)
    ends = estimate.low, estimate.high
    assert (summary["low"], summary["high"]) == pytest.approx(ends, abs=1e-12)
    told = summary["accuracy"], summary["problems"], summary["standard_error"]
    assert run_interval(*told) == pytest.approx(ends, abs=1e-12)


@given(st.lists(st.sampled_from([0, 0.25, 0.5, 1.0]), min_size=1, max_size=50))
def test_an_accuracy_is_inside_its_interval_and_the_interval_inside_0_and_1(shares):
    estimate = intervals.accuracy(series(shares))
    assert 0 <= estimate.low <= estimate.value + 1e-12
    assert estimate.value - 1e-12 <= estimate.high <= 1
    assert estimate.low < estimate.high


def test_more_samples_of_a_problem_narrow_the_interval_only_as_far_as_problems_differ():
    rng = np.random.default_rng(0)
    difficulty = rng.random(300)
    one = intervals.accuracy(series(rng.random(300) < difficulty))
    many = intervals.accuracy(series((rng.random((64, 300)) < difficulty).mean(axis=0)))
    width = 2 * Z * difficulty.std() / np.sqrt(300)
    assert many.high - many.low < one.high - one.low
    assert many.high - many.low == pytest.approx(width, rel=0.1)


def test_the_bootstrap_of_a_difference_is_that_of_scipy_on_the_paired_differences():
    rng = np.random.default_rng(1)
    arm, reference = rng.random(200) < 0.6, rng.random(200) < 0.8
    estimate = intervals.difference(series(arm), series(reference))
    delta = arm.astype(float) - reference
    oracle = bootstrap((delta,), np.mean, n_resamples=9_999, method="percentile", rng=2)
    expected = oracle.confidence_interval
    assert (estimate.low, estimate.high) == pytest.approx(tuple(expected), abs=0.01)
    assert estimate.value == pytest.approx(delta.mean())


def test_pairing_takes_out_what_the_problems_difficulty_adds_to_both():
    rng = np.random.default_rng(3)
    reference = rng.random(400)
    arm = (reference - 0.05 + rng.normal(0, 0.02, 400)).clip(0, 1)
    estimate = intervals.difference(series(arm), series(reference))
    alone = intervals.accuracy(series(arm))
    assert estimate.high - estimate.low < (alone.high - alone.low) / 10


def test_the_order_of_the_problems_does_not_matter():
    arm, reference = series([1, 0, 0, 1]), series([0, 0, 1, 1])
    assert intervals.difference(arm, reference) == intervals.difference(arm[::-1], reference)


def test_equal_answers_everywhere_are_no_proof_of_no_difference():
    estimate = intervals.difference(series([1] * 20), series([1] * 20))
    assert estimate.value == 0
    assert estimate.high == -estimate.low == pytest.approx(binomtest(0, 20).proportion_ci().high)


def test_arms_scored_on_other_problems_are_not_compared():
    with pytest.raises(ValueError, match="3 problems and its reference on 2, 2 of them shared"):
        intervals.difference(series([1, 0, 1]), series([1, 0]))


@pytest.mark.parametrize(("better", "worse", "n"), [(3, 0, 8), (5, 1, 12), (2, 2, 9), (7, 2, 20)])
def test_mcnemar_is_exact_over_all_tables_at_the_least_favourable_discordance(better, worse, n):
    b, c = np.meshgrid(range(n + 1), range(n + 1))
    tables = np.stack([b, c, n - b - c], axis=-1)[b + c <= n]
    discordant = np.maximum(tables[:, 0] + tables[:, 1], 1)
    statistic = abs(tables[:, 0] - tables[:, 1]) / np.sqrt(discordant)
    as_far = tables[statistic >= abs(better - worse) / np.sqrt(better + worse) - 1e-9]
    worst = max(
        multinomial.pmf(as_far, n, [d / 2, d / 2, 1 - d]).sum() for d in np.linspace(0.005, 1, 200)
    )
    arm = series([1] * better + [0] * (n - better))
    reference = series([0] * better + [1] * worse + [0] * (n - better - worse))
    assert mcnemar(arm, reference) == pytest.approx(worst, abs=1e-9)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_mcnemar_is_symmetric_and_1_where_neither_is_ahead(pairs):
    arm, reference = (series(side) for side in zip(*pairs, strict=True))
    assert mcnemar(arm, reference) == mcnemar(reference, arm)
    assert 0 < mcnemar(arm, reference) <= 1
    assert (arm.sum() != reference.sum()) or mcnemar(arm, reference) == 1


def test_mcnemar_refuses_shares_of_several_samples():
    with pytest.raises(ValueError, match="one sample"):
        mcnemar(series([0.5, 1]), series([0, 1]))


def test_every_problem_has_a_share_in_every_run_and_undecided_is_not_right():
    rows = pd.DataFrame(
        {
            "cell": ["a", "a", "b", "b"],
            "problem_id": ["p", "q", "p", "q"],
            "sample": 0,
            "correct": pd.array([True, None, False, True], dtype="boolean"),
        }
    )
    assert intervals.by_seed(rows).to_dict() == {"a": {"p": 1, "q": 0}, "b": {"p": 0, "q": 1}}


def test_runs_scored_on_other_problems_are_not_one_arm():
    rows = pd.DataFrame({"cell": ["a", "a", "b"], "problem_id": ["p", "q", "p"], "correct": True})
    with pytest.raises(ValueError, match="cell b has 1 of 2 problems"):
        intervals.by_seed(rows)


def test_problems_count_alike_though_their_samples_are_of_uneven_number():
    rows = pd.DataFrame(
        {"cell": "a", "problem_id": ["p", "q", "q", "q"], "correct": [True, False, False, True]}
    )
    assert intervals.by_seed(rows).to_numpy().tolist() == [[1.0], [pytest.approx(1 / 3)]]


def test_seeds_that_scatter_widen_an_interval_and_seeds_that_agree_do_not():
    rng = np.random.default_rng(4)
    share = rng.random((400, 1)) * 0.6
    agree = pd.DataFrame(share + rng.normal(0, 0.01, (400, 5)))
    scatter = agree + np.array([0.0, 0.1, 0.2, 0.3, 0.4])
    widths = [e.high - e.low for e in map(intervals.accuracy, (agree.iloc[:, 0], agree, scatter))]
    assert widths[1] == pytest.approx(widths[0], rel=0.05)
    assert widths[2] > 3 * widths[1]
    assert [intervals.accuracy(t).seeds for t in (agree.iloc[:, 0], agree)] == [1, 5]


def test_arms_that_never_vary_over_problems_and_seeds_have_intervals_all_the_same():
    wrong, right = (pd.DataFrame(np.full((400, 2), answer)) for answer in (0.0, 1.0))
    none = intervals.accuracy(wrong)
    assert (none.value, none.low) == (0, 0) and 0.005 < none.high < 0.02
    apart = intervals.difference(wrong, right)
    assert (apart.value, apart.low) == (-1, -1) and -0.995 < apart.high < -0.98
    assert apart.p is not None and apart.p < 0.001


def test_seeds_that_differ_alike_on_every_problem_leave_the_difference_open():
    one_seed_fails = pd.DataFrame(np.tile([1.0, 1.0, 0.0], (400, 1)))
    found = intervals.difference(one_seed_fails, pd.DataFrame(np.ones((400, 3))))
    assert found.low < -0.9 and found.high > 0.3 and found.p > 0.2


def test_the_variance_is_that_of_a_crossed_two_way_table():
    rng = np.random.default_rng(5)
    draws = [
        rng.normal(0, 0.2, (50, 1)) + rng.normal(0, 0.1, (1, 5)) + rng.normal(0, 0.3, (50, 5))
        for _ in range(2000)
    ]
    estimated = np.mean([mean_variance(t.mean(axis=1), [(t, 1.0)])[0] for t in draws])
    assert estimated == pytest.approx(np.var([t.mean() for t in draws]), rel=0.08)
    seeds = np.mean([seed_variance(t)[0] for t in draws])
    assert seeds == pytest.approx(0.1**2 / 5, rel=0.08)


def test_what_paired_seeds_share_cancels_and_seeds_without_pairs_are_refused():
    rng = np.random.default_rng(6)
    base = rng.random((100, 1)) * 0.5 + np.array([0.0, 0.2, 0.4])
    arm, reference = (pd.DataFrame(base + rng.normal(0, 0.05, (100, 3))) for _ in range(2))
    alone = intervals.difference(arm, reference)
    pairs = intervals.difference(arm, reference, pair_seeds=True)
    assert pairs.high - pairs.low < (alone.high - alone.low) / 5
    with pytest.raises(ValueError, match="no pairs"):
        intervals.difference(arm, reference.rename(columns={0: 7}), pair_seeds=True)


def test_the_sign_flip_test_is_that_of_flipping_each_problem_by_hand():
    delta = np.random.default_rng(7).normal(0.3, 1, 40).round(2)
    signs = np.random.default_rng(8).choice([-1, 1], (50_000, len(delta)))
    expected = np.mean(abs(signs @ delta) >= abs(delta.sum()) - 1e-12)
    assert sign_flip(delta) == pytest.approx(expected, abs=0.015)
    assert sign_flip(np.zeros(5)) == 1


def test_holm_is_the_textbooks_example_and_leaves_out_what_was_not_compared():
    adjusted = holm([0.01, np.nan, 0.04, 0.03, 0.005])
    assert adjusted[[0, 2, 3, 4]] == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert np.isnan(adjusted[1])
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        holm([1.2])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_keeps_the_order_and_never_lowers_a_p(p):
    adjusted = holm(p)
    assert (adjusted >= np.array(p)).all() and (adjusted <= 1).all()
    assert (np.diff(adjusted[np.argsort(p)]) >= 0).all()


def test_a_slope_is_the_least_squares_line_of_the_mean_accuracies():
    rng = np.random.default_rng(10)
    doses = [0.2, 0.5, 1.0]
    arms = [pd.DataFrame(rng.random((60, 3)) - 0.4 * dose) for dose in [0.0, *doses]]
    estimate = slope(arms[0], dict(zip(doses, arms[1:], strict=True)))
    line = np.polyfit([0.0, *doses], [arm.to_numpy().mean() for arm in arms], 1)
    assert estimate.value == pytest.approx(line[0])
    assert estimate.low < line[0] < estimate.high


def test_the_contrast_of_slopes_is_the_difference_of_their_means():
    rng = np.random.default_rng(11)
    correct, *arms = (pd.DataFrame(rng.random((40, 2))) for _ in range(6))
    structure = [{0.33: arms[0], 1.0: arms[1]}, {1.0: arms[2]}]
    content = [{0.2: arms[3], 0.5: arms[4]}]
    means = [np.mean([slope(correct, c).value for c in kind]) for kind in (structure, content)]
    assert slope_contrast(correct, structure, content).value == pytest.approx(means[0] - means[1])


def test_structure_minus_content_averages_arms_at_shared_doses_only():
    flat = [pd.Series([value] * 10) for value in (0.2, 0.4, 0.9, 0.1)]
    structure, content = [{0.5: flat[0]}, {0.5: flat[1]}], [{0.5: flat[2], 0.7: flat[3]}]
    estimate, doses = structure_minus_content(structure, content)
    assert (estimate.value, doses) == (pytest.approx(0.3 - 0.9), [0.5])
    with pytest.raises(ValueError, match="no dose has both kinds"):
        structure_minus_content(structure, [{0.7: flat[3]}])
    with pytest.raises(ValueError, match="1 of structure and 0 of content"):
        structure_minus_content(structure[:1], [])
