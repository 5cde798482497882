"""A comparison made by hand becomes texts: each number in its place, and notes where they apply."""

import pandas as pd
import pytest

from ablations.papers import grids
from ablations.papers.comparison import AVERAGE, COMPARISON, STANDS_IN
from ablations.papers.grids import paper_grids

SECTION = {"student": "micro", "training": "micro_sft", "size": 1000}
OURS = {"state": "done", "ours": 0.5, "low": 0.4, "high": 0.625, "n": "30×4×2"}
THEIRS = {"published": 0.25, "verified": True, "note": "text"}


def number(row, benchmark="aime24", metric="accuracy", **told):
    """One row of a comparison; what is not told is missing, as pandas has it after a merge."""
    named = {"row": row, "benchmark": benchmark, "metric": metric}
    told = named | {"state": "not run"} | SECTION | told
    if {"ours", "published"} <= set(told):
        told.setdefault("difference", told["ours"] - told["published"])
    return told


def comparison(*numbers):
    return pd.DataFrame(numbers).reindex(columns=list(COMPARISON)).astype({"note": object})


def table(*numbers):
    """The only grid, as one dict of texts per row."""
    ((grid,), _) = paper_grids(comparison(*numbers), "T")
    return [dict(zip(grid.header, row, strict=True)) for row in grid.rows]


def note(*numbers):
    return paper_grids(comparison(*numbers), "T")[1]


def test_ours_has_its_interval_and_n_and_stands_before_the_published_number_and_the_difference():
    (row,) = table(number("x", **OURS, **THEIRS))
    assert row == {
        "row": "x",
        "AIME24, ours": "50.0 [40.0, 62.5] n=30×4×2",
        "AIME24, published": "25.0",
        "difference": "+25.0",
    }
    assert list(row) == ["row", "AIME24, ours", "AIME24, published", "difference"]


def test_how_answers_were_read_is_told_where_it_was_recorded():
    for read, told in (
        ({"boxed": 0.375, "undecided": 0.0625}, ", boxed 37.5, undecided 6.2"),
        ({"boxed": 0.375}, ", boxed 37.5"),
        ({"undecided": 0.0}, ", undecided 0.0"),
    ):
        (row,) = table(number("x", **OURS, **read))
        assert row["AIME24, ours"] == "50.0 [40.0, 62.5] n=30×4×2" + told


def test_a_difference_has_its_sign_and_no_n_and_a_number_that_is_no_share_no_interval():
    change = OURS | {"ours": 0.0625, "low": -0.01, "high": 0.135}
    (row,) = table(number("x", metric="change", **change, **THEIRS | {"published": -0.125}))
    assert row["AIME24, ours"] == "+6.2 [-1.0, +13.5]"
    assert (row["AIME24, published"], row["difference"]) == ("-12.5", "+18.8")
    tokens = {"state": "done", "ours": 3456.7, "n": "30×4×2"}
    (row,) = table(number("x", metric="tokens", **tokens, **THEIRS | {"published": 4000}))
    texts = ["x", "3,457", "4,000", "-543"]
    assert list(row.values()) == texts


def test_numbers_that_are_no_shares_have_three_digits_below_100_and_are_whole_from_there():
    for value, text in ((0.01234, "0.0123"), (41.75, "41.8"), (99.4, "99.4"), (100.0, "100")):
        (row,) = table(number("x", metric="keywords", **THEIRS | {"published": value}))
        assert row["AIME24, published"] == text
    less = {"state": "done", "ours": 1.0}
    (row,) = table(number("x", metric="keywords", **less, **THEIRS | {"published": 201.0}))
    assert row["difference"] == "-200"


def test_a_row_of_one_side_alone_says_what_the_other_lacks():
    rows = table(
        number("both", **OURS, **THEIRS),
        number("theirs", **THEIRS),
        number("ours", **OURS),
        number("elsewhere", "amc23", **OURS),
    )
    at = {row["row"]: row for row in rows}
    assert at["theirs"]["AIME24, ours"] == "not run"
    assert at["theirs"]["AIME24, published"] == "25.0" and at["theirs"]["difference"] == ""
    assert at["ours"]["AIME24, published"] == "-" and at["ours"]["difference"] == ""
    assert [*at["elsewhere"].values()][1:] == ["not run", "-", "", "50.0 [40.0, 62.5] n=30×4×2"]
    assert [*at] == ["both", "theirs", "ours", "elsewhere"]


def test_a_column_that_would_be_empty_is_not_there():
    assert [*table(number("x", **OURS))[0]] == ["row", "AIME24, ours"]
    rows = table(number("x", **THEIRS), number("y", **THEIRS))
    assert rows == [
        {"row": name, "ours": "not run", "AIME24, published": "25.0"} for name in ("x", "y")
    ]
    rows = table(number("x", **OURS), number("x", "amc23", **THEIRS))
    assert [*rows[0]] == ["row", "AIME24, ours", "AMC23, published"]
    assert rows[0]["AMC23, published"] == "25.0"


def test_an_unfinished_arm_of_ours_is_not_run_whatever_it_has():
    (row, _) = table(number("x", state="not run", ours=0.5, **THEIRS), number("y", **OURS))
    assert row["AIME24, ours"] == "not run"


def test_there_is_a_grid_for_each_section_and_metric_in_one_order_named_by_what_is_known():
    made, _ = paper_grids(
        comparison(
            number("x", metric="keywords", **THEIRS),
            number("x", metric="accuracy", **THEIRS),
            number("x", metric="accuracy", student=None, **THEIRS),
            number("x", metric="rating", **THEIRS | {"published": 900}),
        ),
        "Table 9",
    )
    assert [grid.title for grid in made] == [
        "Table 9: accuracy, %; ours: micro, micro_sft, 1000",
        "Table 9: reflection keywords per response; ours: micro, micro_sft, 1000",
        "Table 9: rating; ours: micro, micro_sft, 1000",
        "Table 9: accuracy, %; ours: micro_sft, 1000",
    ]
    assert made[2].rows == [["x", "not run", "900"]]


def test_the_recomputed_average_has_the_digits_by_which_it_differs_from_the_printed_one():
    rows = table(
        number("x", AVERAGE, **THEIRS | {"published": 0.5415}),
        number("x", "average", **THEIRS | {"published": 0.567}),
    )
    assert rows[0]["Average of the four, published"] == "54.15"
    assert rows[0]["Average (printed), published"] == "56.7"
    change = number("x", AVERAGE, "change", **THEIRS | {"published": -0.1215})
    assert table(change)[0]["Average of the four, published"] == "-12.2"


def test_a_published_number_that_was_not_verified_or_is_a_misprint_is_marked_and_noted():
    doubtful = THEIRS | {"verified": False}
    misprint = THEIRS | {"note": "misprint: it should be 26"}
    rows = table(number("x", **doubtful), number("y", **misprint), number("z", **THEIRS))
    assert [row["AIME24, published"] for row in rows] == ["25.0†", "25.0*", "25.0"]
    both = table(number("x", **misprint | {"verified": False}))
    assert both[0]["AIME24, published"] == "25.0†*"

    plain = note(number("z", **THEIRS))
    assert plain == grids.COLUMNS_NOTE
    assert note(number("z", **OURS)) == plain  # what is not published is not unverified
    assert note(number("x", **doubtful)) == f"{plain}\n{grids.UNVERIFIED}"
    twice = note(number("y", **misprint), number("z", **misprint), number("x", **THEIRS))
    assert twice == f"{plain}\n* misprint: it should be 26."


@pytest.mark.parametrize("own_average", [False, True])
def test_the_papers_average_stands_beside_a_benchmark_that_the_paper_lacks_and_not_twice(
    own_average,
):
    stand_in = THEIRS | {"note": STANDS_IN}
    numbers = [
        number("x", "sign_puzzle", "change", **OURS, **stand_in),
        number("x", AVERAGE, "change", **(OURS if own_average else {}), **THEIRS),
        number("x", "aime24", "change", **THEIRS | {"published": 0.375}),
    ]
    ((grid,), told) = paper_grids(comparison(*numbers), "T")
    average = ["Average of the four, ours", "Average of the four, published", "difference"]
    assert list(grid.header) == [
        *("row", "sign_puzzle, ours", "Average of the four, published", "difference"),
        *(average if own_average else []),
        "AIME24, published",
    ]
    mine = "+50.0 [+40.0, +62.5]"
    assert grid.rows == [
        ["x", mine, "+25.0", "+25.0", *([mine, "+25.0", "+25.0"] * own_average), "+37.5"]
    ]
    assert told == f"{grids.COLUMNS_NOTE}\n{grids.STAND_IN}"
