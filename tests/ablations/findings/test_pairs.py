"""Pairs of runs, and their truncated responses."""

import pandas as pd
import pytest

from ablations.findings import pairs, truncation


def rows(student, right, cut=(), n=30, benchmark="amc23"):
    """One answer to each of n problems: those below `right` are right, those in `cut` truncated."""
    return pd.DataFrame(
        {
            "student": student,
            "cell": student,
            "benchmark": benchmark,
            "problem_id": [f"p{i}" for i in range(n)],
            "correct": [i < right for i in range(n)],
            "truncated": [i in cut for i in range(n)],
        }
    )


ANSWERS = pd.concat([rows("a", 24), rows("b", 23, range(23, 29)), rows("c", 5, [4, 5])])


def test_every_pair_on_one_benchmark_is_tested_and_adjusted():
    found = pairs.frame(pd.concat([ANSWERS, rows("a", 3, benchmark="aime24")]))
    assert list(zip(found["one"], found["other"], strict=True)) == [
        ("a", "b"),
        ("a", "c"),
        ("b", "c"),
    ]
    assert found["value"].tolist() == pytest.approx([1 / 30, 19 / 30, 18 / 30])
    assert (found["p_holm"] > found["p"]).tolist() == [False, True, True]


def test_truncation_says_what_the_cut_responses_could_be_worth():
    cut = truncation.frame(ANSWERS).set_index("student")
    assert cut["truncated"].to_dict() == pytest.approx({"a": 0, "b": 0.2, "c": 2 / 30})
    assert cut["undecided"].to_dict() == {"a": 0, "b": 0, "c": 0}
    unsure = ANSWERS.assign(
        correct=ANSWERS["correct"].astype(object).where(ANSWERS["student"] != "c")
    )
    assert (
        truncation.frame(unsure.replace({"correct": {float("nan"): None}})).iloc[2]["undecided"]
        == 1
    )
    assert cut.loc["b", "finished"] == pytest.approx(23 / 24)
    assert cut.loc["b", "wrong_truncated"] == pytest.approx(6 / 7)
    assert cut.loc["b", "at_most"] == pytest.approx(29 / 30)
    assert cut.loc["c", "at_most"] == pytest.approx(6 / 30), "a right one is not counted twice"


def test_runs_whose_truncation_nobody_recorded_are_left_out():
    unknown = ANSWERS.assign(truncated=ANSWERS["truncated"].where(ANSWERS["student"] != "a"))
    assert truncation.frame(unknown)["student"].tolist() == ["b", "c"]


def test_a_run_without_wrong_responses_has_no_share_of_them():
    cut = truncation.frame(rows("a", 30))
    assert cut["wrong_truncated"].isna().all()
    assert truncation.grid(cut, "Truncated").rows[0][-2:] == ["", "100.0"]


def test_the_sentence_counts_the_pairs_that_differ():
    told = pairs.sentence(pairs.frame(ANSWERS))
    assert told.startswith("Of 3 pairs of runs 2 differ (Holm-adjusted p < 0.05); the largest")
    assert "between a and c, is +63.3 points" in told


def test_the_sentence_says_what_truncation_could_have_cost():
    told = truncation.sentence(truncation.frame(ANSWERS))
    assert "In 2 of 3 runs responses were truncated: 4 % to 86 % of their wrong ones" in told
    assert "worth up to 20.0 points" in told
