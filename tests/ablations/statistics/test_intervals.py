"""Intervals against independent computations."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, chi2, kurtosis, multinomial, norm
from scipy.stats import t as student

from ablations.statistics import intervals
from ablations.statistics.dose import slope, slope_contrast, structure_minus_content
from ablations.statistics.significance import holm, mcnemar, sign_flip
from distill.evaluation.intervals import Z, freedom, run_interval, t_quantile, wilson
from distill.evaluation.scores import scores
from distill.evaluation.variance import Spread, mean_variance, pooled, run_variance


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
    told = ("accuracy", "problems", "standard_error", "freedom")
    assert run_interval({name: summary[name] for name in told}) == pytest.approx(ends, abs=1e-12)


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


@pytest.mark.parametrize(
    ("better", "worse", "n"),
    [(0, 0, 20), (3, 0, 8), (8, 0, 8), (0, 5, 5), (5, 1, 12), (40, 60, 400)],
)
def test_the_interval_of_two_runs_of_one_answer_is_bonett_and_prices(better, worse, n):
    arm = series([1] * better + [0] * (n - better))
    reference = series([0] * better + [1] * worse + [0] * (n - better - worse))
    found, value = intervals.difference(arm, reference[::-1]), (better - worse) / n
    one, other = (better + 1) / (n + 2), (worse + 1) / (n + 2)
    middle, error = one - other, np.sqrt((one + other - (one - other) ** 2) / (n + 2))
    half, half_90 = (norm.ppf(level) * error for level in (0.975, 0.95))
    assert found.low == pytest.approx(max(-1, min(value, middle - half)))
    assert found.high == pytest.approx(min(1, max(value, middle + half)))
    assert found.value == pytest.approx(value)
    low_90, high_90 = min(value, middle - half_90), max(value, middle + half_90)
    assert found.half_90 == pytest.approx(max(value - low_90, high_90 - value))


def test_a_difference_of_shares_that_are_no_single_answers_is_students_over_problems():
    rng = np.random.default_rng(1)
    arm, reference = (series(rng.integers(0, 5, 50) / 4) for _ in range(2))
    found, delta = intervals.difference(arm, reference), (arm - reference).to_numpy()
    half = t_quantile(freedom(delta)) * delta.std(ddof=1) / np.sqrt(50)
    assert (found.low, found.high) == pytest.approx((delta.mean() - half, delta.mean() + half))
    assert found.p == sign_flip(delta)


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
    once = intervals.difference(series([1] * 20), series([1] * 20))
    often = intervals.difference(series([0.5] * 20), series([0.5] * 20))
    assert once.value == often.value == 0
    assert once.high == -once.low > 0.08
    for level, half in ((0.95, often.high), (0.9, often.half_90)):
        assert half == pytest.approx(binomtest(0, 20).proportion_ci(level).high)
    assert often.low == -often.high
    weighted = intervals.contrast([series([0.5] * 20)] * 3, [0.5, 1, -1.5])
    assert weighted.high == pytest.approx(1.5 * often.high), "of half of all the weights' sizes"


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
        pd.DataFrame(
            rng.normal(0, 0.2, (50, 1)) + rng.normal(0, 0.1, (1, 5)) + rng.normal(0, 0.3, (50, 5))
        )
        for _ in range(2000)
    ]
    means = [(table.to_numpy().mean(axis=1), table) for table in draws]
    estimated = np.mean([mean_variance(mean, [(table, 1.0)])[0] for mean, table in means])
    assert estimated == pytest.approx(np.var([mean.mean() for mean, _ in means]), rel=0.08)
    of_runs = np.mean([run_variance(table, None)[0] for table in draws])
    assert of_runs == pytest.approx(0.1**2 + 0.3**2 / 50, rel=0.08)


@given(st.lists(st.sampled_from([0, 0.25, 0.5, 1.0]), min_size=2, max_size=50))
def test_the_degrees_of_freedom_are_by_hand_from_the_kurtosis(shares):
    n, found = len(shares), freedom(shares)
    assert 1 <= found <= n - 1
    if len(set(shares)) == 1:
        assert found == n - 1
        return
    excess = max(0.0, float(kurtosis(shares)))  # by moments, less 3
    assert found == pytest.approx(max(1.0, 2 / (2 / (n - 1) + excess / n)))


def test_a_handful_of_problems_that_make_the_variance_have_few_degrees_of_freedom():
    # one of 100: the second moment is 0.0099, the fourth 0.99^4 / 100 + 0.99 * 0.01^4
    excess = (0.99**4 / 100 + 0.99 * 0.01**4) / 0.0099**2 - 3
    assert freedom([0.0] * 99 + [1.0]) == pytest.approx(2 / (2 / 99 + excess / 100), abs=1e-9)
    assert excess > 90
    assert freedom([0.0, 1.0] * 50) == pytest.approx(99)
    assert freedom([0.0] * 10 + [1e-7]) == 10, "rounding is no variance"


def test_the_degrees_of_freedom_say_how_a_simulated_variance_varies():
    """Of exponential numbers, whose excess is 6: Var(s^2) / s^4 = 2 / freedom."""
    rng, n = np.random.default_rng(9), 2000
    variances = rng.exponential(1, (4000, n)).var(axis=1, ddof=1)
    expected = 2 / (variances.var() / variances.mean() ** 2)
    found = np.mean([freedom(rng.exponential(1, n)) for _ in range(60)])
    assert found == pytest.approx(expected, rel=0.1)
    assert expected == pytest.approx(2 / (2 / (n - 1) + 6 / n), rel=0.1)
    spread = chi2.ppf([0.1, 0.9], expected) / expected
    assert np.quantile(variances, [0.1, 0.9]) == pytest.approx(spread, rel=0.02)


def test_of_records_without_degrees_of_freedom_the_interval_has_one_less_than_problems():
    told = {"accuracy": 0.4, "problems": 12, "standard_error": 0.1}
    expected = wilson(0.4, 12, 0.1**2, 11)
    assert run_interval(told) == run_interval(told | {"freedom": None}) == expected
    assert run_interval(told | {"freedom": 3.5}) == wilson(0.4, 12, 0.1**2, 3.5) != expected


def test_of_one_problem_the_interval_is_wilsons_of_one_trial():
    told = {"accuracy": 0.5, "problems": 1, "standard_error": None, "freedom": None}
    assert run_interval(told) == wilson(0.5, 1)
    assert intervals.accuracy(series([0.5])).high == wilson(0.5, 1)[1]


def test_the_interval_of_several_runs_has_the_spread_of_its_section():
    rng = np.random.default_rng(6)
    arms = [
        pd.DataFrame((rng.random((80, 3)) < share) * 1.0, columns=list(names))
        for share, names in ((0.5, "abc"), (0.3, "def"), (0.7, "ghi"))
    ]
    spread = pooled(arms)
    means = arms[0].to_numpy().mean(axis=1)
    expected = mean_variance(means, [(arms[0], 1.0)], spread, freedom(means))
    found = intervals.accuracy(arms[0], spread)
    assert (found.low, found.high) == wilson(means.mean(), 80, *expected)
    alone = intervals.accuracy(arms[0])
    assert (alone.low, alone.high) != (found.low, found.high)
    made = intervals.difference(arms[0], arms[1], spread)
    assert made == intervals.difference(arms[0], arms[1], [spread, spread])
    assert made != intervals.difference(arms[0], arms[1], [spread, None])


def test_one_run_is_no_estimate_of_its_recipe_and_an_untrained_student_is_one():
    rng = np.random.default_rng(7)
    untrained = series(rng.integers(0, 2, 40))
    once = untrained[::-1].set_axis(untrained.index).to_frame("run")
    often = pd.DataFrame(rng.random((40, 3)), index=untrained.index)
    assert intervals.accuracy(untrained).recipes and not intervals.accuracy(once).recipes
    assert intervals.accuracy(often).recipes
    for arms, recipes, seeds in (
        ((untrained, often), True, 3),
        ((often, often.iloc[:, ::-1] * 0.5), True, 3),
        ((often, once), False, 1),
        ((untrained, once), False, 1),
        ((untrained, untrained * 0.5), True, 1),
    ):
        for of in (
            intervals.difference,
            lambda *two, **how: intervals.contrast(two, [1, -1], **how),
        ):
            made, asked = of(*arms), of(*arms, of_runs=True)
            assert (made.recipes, made.seeds) == (recipes, seeds)
            assert 0 < asked.p <= 1 and (made.p == asked.p if recipes else np.isnan(made.p))
            for each in (made, asked):
                assert each.row()["p"] == asked.p if recipes else np.isnan(each.row()["p"])
    assert intervals.accuracy(once).low == intervals.accuracy(untrained[::-1]).low
    assert intervals.accuracy(once).row()["p"] is not None
    both = [intervals.difference(one, often) for one in (untrained, untrained.to_frame())]
    assert (both[0].low, both[0].high) == (both[1].low, both[1].high), "but for what is said of it"


def test_the_row_of_an_estimate_has_its_fields():
    made = intervals.difference(series([1, 0, 1, 1]), series([0, 0, 1, 0]))
    assert made.row() == vars(made)
    assert made.columns("gap", "gap_") == {"gap": 0.5, "gap_low": made.low, "gap_high": made.high}


@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize("margin", [0.02, 0.05, 0.1])
def test_arms_are_equivalent_where_both_one_sided_tests_say_so(seeds, margin):
    rng, said = np.random.default_rng(8), []
    for shift in np.linspace(-0.1, 0.1, 21):
        base = rng.random((60, 1)) * 0.5 + 0.25
        arm, reference = (pd.DataFrame(base + rng.normal(0, 0.08, (60, seeds))) for _ in range(2))
        made = intervals.difference(arm + shift, reference)
        delta = (arm + shift).mean(axis=1).to_numpy() - reference.mean(axis=1).to_numpy()
        parts = [(arm, 1.0), (reference, -1.0)]
        variance, degrees = mean_variance(delta, parts, None, freedom(delta))
        error = np.sqrt(variance)
        below, above = (
            student.sf((margin - side * delta.mean()) / error, degrees) for side in (1, -1)
        )
        assert intervals.equivalent(made, margin) is bool(max(below, above) < 0.05)
        said.append(intervals.equivalent(made, margin))
    assert (any(said) and not all(said)) or margin == 0.02


def test_equivalence_needs_a_difference_that_is_strictly_within_the_margin():
    made = intervals.Estimate(-0.25, -0.75, 0.25, 10, half_90=0.25)
    assert not intervals.equivalent(made, 0.5) and intervals.equivalent(made, 0.5001)
    assert not intervals.equivalent(intervals.Estimate(0.0, -0.1, 0.1, 10), 0.5), "nothing compared"


def test_where_several_seeds_always_agree_p_is_that_of_flips_and_the_interval_has_a_width():
    arms = [pd.DataFrame(np.full((9, 3), share)) for share in (0.75, 0.5)]
    found = intervals.contrast(arms, [1, -1], Spread(0.0, 4.0, 0.0, frozenset()))
    half = 1 - 0.025 ** (1 / 9)
    assert (found.low, found.high) == pytest.approx((0.25 - half, 0.25 + half))
    assert found.p == sign_flip(np.full(9, 0.25)) < 0.01
    one = intervals.contrast([arm.iloc[:1] for arm in arms], [1, -1])
    assert (one.problems, one.low, one.high) == (1, pytest.approx(-0.725), pytest.approx(1.225))


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
