"""What a value counts as, and what is no answer.

Run: pytest tests/data/test_values.py
"""

import math
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from distill.data.values import NO_ANSWER, RowError, answer, level, text, texts, truth, whole

NO_TEXT = {
    "a list": ["a"],
    "an object": {"a": "b"},
    "a boolean": True,
    "a number": 4,
    "NaN": math.nan,
    "infinite": -math.inf,
    "bytes": b"a",
    "datetime": datetime(2025, 1, 1, tzinfo=UTC),
}


@pytest.mark.parametrize("word", NO_TEXT)
def test_nothing_but_text_is_text_and_null_is_empty(word):
    with pytest.raises(RowError, match=rf"^thought is {word}, not text$"):
        text(NO_TEXT[word], "thought")
    assert text("['a']", "thought") == "['a']" and text(None, "thought") == ""


NUMBERS = {
    42: "42",
    Decimal("42.00"): "42",
    Decimal("1.50"): "1.5",
    -0.0: "0",
    0.1: "0.1",
    1e-7: "0.0000001",
    -3.25: "-3.25",
    10**40 + 1: str(10**40 + 1),
    2**53 + 1: "9007199254740993",
}


@pytest.mark.parametrize("number", NUMBERS, ids=str)
def test_a_number_in_the_column_of_an_answer_counts_by_its_value(number):
    assert answer(number, "answer") == NUMBERS[number]


@pytest.mark.parametrize("value", [2.0**53, 1e300, True, [4], {"a": 1}, b"4", math.inf])
def test_a_number_that_lost_digits_and_what_is_no_number_are_no_answers(value):
    with pytest.raises(RowError, match=r"^answer is .*(lost|not text)$"):
        answer(value, "answer")


NONE = [
    *sorted(NO_ANSWER),
    "NA",
    " N/A ",
    "Proof.",
    "NaN",
    "#N/A",
    "<NA>",
    "(none)",
    '""',
    "[]",
    math.nan,
]


@pytest.mark.parametrize("value", NONE)
def test_what_data_sets_write_for_no_answer_is_none_and_says_what_it_was(value):
    with pytest.raises(RowError, match=r"^no answer") as error:
        answer(value, "answer")
    if isinstance(value, str) and value.strip():
        assert repr(value.strip()) in str(error.value)


@pytest.mark.parametrize(
    "value",
    [
        "Na",
        r"\text{None}",
        "no solution",
        "nano",
        "-1",
        "0",
        "false",
        "undefined",
        "DNE",
        "$0$",
        "[0]",
        "(-)1",
    ],
)
def test_what_looks_like_it_and_can_be_an_answer_is_one(value):
    assert answer(value, "answer") == value


LEVELS = {
    "Level 5": 5.0,
    "3.5": 3.5,
    "-1": -1.0,
    "level-5": 5.0,
    ".5": 0.5,
    "8/10": 8.0,
    "Level ?": None,
    "hard": None,
    "nan": None,
    "": None,
    4: 4.0,
    Decimal("4.5"): 4.5,
    math.nan: None,
    None: None,
}


@pytest.mark.parametrize("value", LEVELS, ids=str)
def test_a_level_is_the_first_number(value):
    assert level(value, "difficulty") == LEVELS[value]


@pytest.mark.parametrize("value", [True, [5], {"level": 5}, math.inf, 10**400, b"5"])
def test_what_is_no_level_is_refused(value):
    with pytest.raises(RowError, match=r"^difficulty is"):
        level(value, "difficulty")


def test_true_and_false_are_what_they_say_in_text_too():
    assert [truth(v, "truncated") for v in ("false", "False", "0", 0, False)] == [False] * 5
    assert [truth(v, "truncated") for v in ("true", "TRUE", "1", 1.0, True)] == [True] * 5
    assert [truth(v, "truncated") for v in (None, "", math.nan)] == [None] * 3
    for value in ("no", "length", 2, [], {}, ["true"], "truefalse"):
        with pytest.raises(RowError, match=r"^truncated is"):
            truth(value, "truncated")


def test_a_text_is_never_taken_letter_by_letter_nor_a_list_out_of_it():
    for value in ("ab", '["a", "b"]', "['a', 'b']", 7, True, {"a": "b"}, math.nan):
        with pytest.raises(RowError, match=r"^choices is .*, not a list$"):
            texts(value, "choices")
    assert texts(["a", 1.0, ""], "choices") == ["a", "1", ""]
    assert texts(None, "choices") == []
    with pytest.raises(RowError, match=r"^an item of choices is null, not text: 2 of 2$"):
        texts(["a", None], "choices")


def test_a_whole_number_is_whole():
    assert [whole(v, "n") for v in (3, 3.0, "3", " -3 ")] == [3, 3, 3, -3]
    for value in (True, 3.5, "3.5", "three", None, [3], math.nan, "\u00b2"):
        with pytest.raises(RowError, match=r"^n is .*, not a whole number$"):
            whole(value, "n")
