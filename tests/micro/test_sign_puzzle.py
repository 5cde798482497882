"""The task: distinct problems, disjoint splits, an exact checker."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.micro import sign_puzzle

QUESTION = "Use + or - between 6 1 1 3 to make 9."


def everything(split: str) -> list[sign_puzzle.SignPuzzle]:
    with pytest.raises(ValueError, match=r"count must be in 0\.\.(\d+)") as caught:
        sign_puzzle.problems(split, 10**6, 0)
    limit = int(str(caught.value).split("0..")[1].split()[0])
    return sign_puzzle.problems(split, limit, 0)


def test_splits_are_distinct_disjoint_and_large_enough() -> None:
    tuples = {}
    for split in sign_puzzle.SPLITS:
        drawn = everything(split)
        assert len(set(drawn)) == len(drawn) >= 1000
        tuples[split] = {puzzle.numbers for puzzle in drawn}
        assert all(sign_puzzle.split_of(numbers) == split for numbers in tuples[split])
    for one, other in itertools.combinations(sign_puzzle.SPLITS, 2):
        assert not tuples[one] & tuples[other]
    assert 0.03 < len(tuples["test"]) / sum(map(len, tuples.values())) < 0.07


def test_problems_are_nested_seeded_and_solvable() -> None:
    drawn = sign_puzzle.problems("validation", 200, 3)
    assert drawn[:50] == sign_puzzle.problems("validation", 50, 3)
    assert drawn != sign_puzzle.problems("validation", 200, 4)
    for puzzle in drawn:
        assert sign_puzzle.check(puzzle.question, puzzle.answer) == (True, "right")
        assert puzzle.target != sum(puzzle.numbers)
        assert sign_puzzle.parse_question(puzzle.question) == puzzle


def test_bad_requests_name_value_and_choices() -> None:
    with pytest.raises(ValueError, match=r"'dev'.*train, validation, test"):
        sign_puzzle.problems("dev", 1, 0)
    with pytest.raises(ValueError, match="got -1"):
        sign_puzzle.problems("test", -1, 0)
    with pytest.raises(ValueError, match="not a sign puzzle"):
        sign_puzzle.parse_question("Use + or - between 6 10 to make 9.")
    with pytest.raises(ValueError, match="not a sign puzzle"):
        sign_puzzle.check("What is 1+1?", "1+1")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("6+1-1+3", "right"),
        (" 6 + 1 - 1 + 3 ", "right"),
        ("6-1+1+3", "right"),
        ("6+1+1+3", "makes 11, not 9"),
        ("3+6-1+1", "the numbers are not"),
        ("6+1-1", "the numbers are not"),
        ("6+1-1+3+1-1", "the numbers are not"),
        ("6+11-3", "the numbers are not"),
        ("6+1 1+3", "not numbers"),
        ("06+1-1+3", "the numbers are not"),
        ("6+1-1+3=9", "not numbers"),
        ("+6+1-1+3", "not numbers"),
        ("6--1+1+3", "not numbers"),
        ("6+1-1+3\n", "not numbers"),
        ("6+1-1+٣", "not numbers"),
        ("6+1−1+3", "not numbers"),  # noqa: RUF001 - U+2212, not a hyphen
        ("(6+1)-1+3", "not numbers"),
        ("9", "the numbers are not"),
        ("9" * 5000, "the numbers are not"),
        ("__import__('os')", "not numbers"),
        ("", "not numbers"),
    ],
)
def test_checker_is_exact(answer: str, why: str) -> None:
    right, reason = sign_puzzle.check(QUESTION, answer)
    assert right == (why == "right")
    assert reason.startswith(why)


def test_running_total_below_zero_is_wrong() -> None:
    question = "Use + or - between 1 3 5 2 to make 5."
    assert sign_puzzle.check(question, "1-3+5+2") == (False, "a running total is negative")


@settings(deadline=None)
@given(st.text(max_size=30))
def test_checker_survives_any_text(answer: str) -> None:
    right, _ = sign_puzzle.check(QUESTION, answer)
    if right:  # an independent oracle: Python's own arithmetic
        assert set(answer) <= set("6113+- ")
        assert eval(answer) == 9


@settings(deadline=None)
@given(st.lists(st.sampled_from("+-"), min_size=3, max_size=3))
def test_checker_agrees_with_python(signs: list[str]) -> None:
    answer = f"6{signs[0]}1{signs[1]}1{signs[2]}3"
    assert sign_puzzle.check(QUESTION, answer)[0] == (eval(answer) == 9)
