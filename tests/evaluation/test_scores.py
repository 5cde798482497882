"""Scores of rows made by hand, and their intervals, against sums on paper and scipy."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t

from distill.evaluation.intervals import run_interval, t_quantile, wilson
from distill.evaluation.scores import UNREAD, scores, warning, write_samples


def row(problem="p", sample=0, correct=False, **told):
    read = {"extracted": "1", "boxed": True, "thought_closed": True, "truncated": False}
    kept = {"problem_id": problem, "sample": sample, "correct": correct, "tokens": 8, "keywords": 2}
    return kept | read | told


def test_every_share_counts_the_rows_that_it_names_and_every_mean_those_that_have_it():
    rows = [
        row("a", 0, True, tokens=10, keywords=0),
        row("a", 1, True, boxed=False, extracted="2", tokens=20),
        row("b", 0, False, extracted=None, boxed=False, truncated=True, tokens=30),
        row("b", 1, False, extracted=None, boxed=False, thought_closed=False, truncated=True),
        row("c", 0, None, extracted=None, boxed=None, tokens=None, keywords=None),
        row("c", 1, None, tokens=2),
        row("d", 0, False, x=0.5),
        row("d", 1, True, x=None),
    ]
    made = scores(rows)
    assert (made["problems"], made["samples"]) == (4, 2)
    assert made["accuracy"] == 3 / 8
    assert made["accuracy_boxed"] == 2 / 7  # nobody looked at one row
    assert (made["truncated"], made["unclosed"]) == (2 / 8, 1 / 8)
    assert made["unread"] == 1 / 8  # neither the one that never closed nor the refused one
    assert made["undecided"] == 2 / 8
    assert made["tokens"] == (10 + 20 + 30 + 8 + 2 + 8 + 8) / 7
    assert made["keywords"] == 2 * 6 / 7
    assert made["x"] == 0.5
    shares = (1, 0, 0, 0.5)
    variance = sum((share - 3 / 8) ** 2 for share in shares) / 3
    assert made["standard_error"] == pytest.approx(math.sqrt(variance / 4))
    assert (made["pass@2"], made["cons@2"]) == (2 / 4, 1 / 4)


def test_of_two_answers_given_equally_often_the_first_is_the_consensus_also_if_it_is_right():
    tied = [row("a", 0, True), row("a", 1, False, extracted="2")]
    assert scores(tied)["cons@2"] == 1
    assert scores([one | {"sample": 1 - one["sample"]} for one in tied[::-1]])["cons@2"] == 0


@pytest.mark.parametrize(
    ("samples", "budgets"),
    [
        (1, []),
        (2, [2]),
        (3, [2, 3]),
        (4, [2, 4]),
        (6, [2, 4, 6]),
        (8, [2, 4, 8]),
        (9, [2, 4, 8, 9]),
    ],
)
def test_pass_at_k_is_reported_at_powers_of_two_and_at_all_samples(samples, budgets):
    made = scores([row("a", k, k == 0) for k in range(samples)])
    shown = {name: made[name] for name in made if name.startswith("pass@")}
    assert shown == {f"pass@{k}": pytest.approx(k / samples) for k in budgets}
    assert [name for name in made if name.startswith("cons@")] == (
        [f"cons@{samples}"] if budgets else []
    )


def test_the_warning_begins_beyond_its_share_and_tells_what_was_cut_off_before_an_answer():
    unread = row(extracted=None, boxed=False)
    cut = unread | {"truncated": True}
    others = [
        row(),
        row(correct=True),
        row(extracted=None, correct=None, boxed=None),  # refused
        row(extracted=None, boxed=False, thought_closed=False, truncated=True),
        row(truncated=True),
    ] * 40
    told = warning([*others, unread, *[cut] * 10], "statement")
    assert told.startswith("11 of 211 responses (5.2 %) have no readable answer")
    assert ", 10 of them cut off at sampling.max_new_tokens; grading.fallback=last_number" in told
    assert "reads more than statement; accuracy_boxed" in told
    allowed = int(UNREAD * 100)
    assert warning([row()] * (100 - allowed) + [unread] * allowed, "none") is None
    assert warning([row()] * (99 - allowed) + [unread] * (allowed + 1), "none")
    assert "max_new_tokens; accuracy_boxed" in warning([unread], "last_number")


def test_samples_have_the_columns_of_all_rows_and_are_null_where_a_row_has_none(tmp_path):
    import pyarrow
    from pyarrow import parquet

    rows = [row("a", y=1), row("b", correct=None, x=0.25)]
    write_samples(tmp_path / "s.parquet", rows)
    read = parquet.read_table(tmp_path / "s.parquet")
    assert read.column_names[-2:] == ["y", "x"]
    assert read.schema.field("y").type == read.schema.field("x").type == pyarrow.float64()
    assert read.schema.field("tokens").type == pyarrow.int32()
    assert read.column("x").to_pylist() == [None, 0.25]
    assert read.column("correct").to_pylist() == [False, None]
    assert read.column("question").to_pylist() == [None, None]


@given(st.floats(1, 1e6))
def test_the_quantile_is_students(freedom):
    assert t_quantile(freedom) == pytest.approx(t.ppf(0.975, freedom))


@pytest.mark.parametrize(("share", "variance", "freedom"), [(0.3, 0.004, 20), (0.8, 0.001, 299)])
def test_the_bounds_with_a_variance_are_where_the_score_test_is_at_students_quantile(
    share, variance, freedom
):
    trials = share * (1 - share) / variance
    for bound in wilson(share, 20, variance, freedom):
        deviation = abs(share - bound) / math.sqrt(bound * (1 - bound) / trials)
        assert deviation == pytest.approx(t.ppf(0.975, freedom))


@given(st.floats(0, 1), st.integers(1, 500))
def test_a_variance_that_is_rounding_is_none(share, problems):
    assert wilson(share, problems, 1e-17, problems - 1) == wilson(share, problems)


def told(error, **more):
    return {"accuracy": 0.3, "problems": 30, "standard_error": error} | more


def test_the_interval_of_a_run_has_the_degrees_of_freedom_of_its_summary_or_n_minus_1():
    error = 0.05
    assert run_interval(told(error)) == wilson(0.3, 30, error**2, 29)
    assert run_interval(told(error, freedom=7.5)) == wilson(0.3, 30, error**2, 7.5)
    assert run_interval(told(None)) == run_interval(told(0.0)) == wilson(0.3, 30)
    largest = math.sqrt(0.3 * 0.7 / 29)  # all samples of a problem agree
    assert run_interval(told(largest, freedom=9)) == wilson(0.3, 30)
    assert run_interval(told(largest * (1 - 1e-12))) == wilson(0.3, 30)
    assert run_interval(told(largest * 0.999)) != wilson(0.3, 30)


@given(st.integers(1, 300), st.data())
def test_an_interval_reflects_with_its_share(problems, data):
    share = data.draw(st.integers(0, problems)) / problems
    low, high = wilson(share, problems)
    assert wilson(1 - share, problems) == pytest.approx((1 - high, 1 - low))
    assert 0 <= low <= share <= high <= 1
