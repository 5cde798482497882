"""The teacher searches for real; a slip makes the answer wrong and the thought agree."""

import random
import re

import pytest

from distill.micro import scripted_teacher, sign_puzzle
from distill.micro.diagnostics import COLUMNS, diagnose

PUZZLES = sign_puzzle.problems("train", 300, 7)
EQUATION = re.compile(r"(\d+)([+-])(\d+)=(\d+)")


def false_equations(text: str) -> set[tuple[str, ...]]:
    return {
        found
        for found in EQUATION.findall(text)
        if int(found[3]) != int(found[0]) + int(found[1] + found[2])
    }


def boxed(solution: str) -> str:
    match = re.fullmatch(r"So \\boxed\{([^}]*)\}\.", solution)
    assert match
    return match[1]


def test_right_traces_search_verify_and_answer() -> None:
    lengths = []
    for number, puzzle in enumerate(PUZZLES):
        thought, solution = scripted_teacher.write(puzzle.question, random.Random(number), False)
        steps = thought.split("\n\n")
        assert boxed(solution) == puzzle.answer
        assert not false_equations(thought)
        assert steps[0].startswith("First, let me try ")
        assert steps[-2].endswith("Yes.")
        assert steps[-1].startswith("Let me verify: ")
        assert all(re.match("Wait, |Alternatively, ", step) for step in steps[3:-1:3])
        lengths.append(len(steps))
    assert max(lengths) > min(lengths) >= 7


def test_slipped_traces_answer_wrong_and_believe_it() -> None:
    right_steps = wrong_steps = 0
    for number, puzzle in enumerate(PUZZLES):
        thought, solution = scripted_teacher.write(puzzle.question, random.Random(number), True)
        assert not sign_puzzle.check(puzzle.question, boxed(solution))[0]
        assert 1 <= len(false_equations(thought)) <= 8
        last, verified = thought.split("\n\n")[-2:]
        assert last == f"{puzzle.target} is {puzzle.target}. Yes."
        assert verified.endswith(f"={puzzle.target}. Right.")
        wrong_steps += thought.count("\n\n")
        right = scripted_teacher.write(puzzle.question, random.Random(number), False)[0]
        right_steps += right.count("\n\n")
    assert wrong_steps > 0.8 * right_steps


def test_draws_come_from_the_caller() -> None:
    question = PUZZLES[0].question
    assert scripted_teacher.write(question, random.Random(5), True) == scripted_teacher.write(
        question, random.Random(5), True
    )


def test_where_no_slip_is_possible_the_trace_is_right() -> None:
    question = "Use + or - between 1 1 to make 2."  # 1-1=0 could slip
    assert scripted_teacher.write(question, random.Random(0), True)[1] == r"So \boxed{1-1}."
    question = "Use + or - between 1 2 to make 3."  # 1-2 is negative: nothing can
    assert scripted_teacher.write(question, random.Random(0), True)[1] == r"So \boxed{1+2}."


def test_unsolvable_is_refused() -> None:
    with pytest.raises(ValueError, match="make 40"):
        scripted_teacher.write("Use + or - between 1 2 3 4 to make 40.", random.Random(0), False)


def test_diagnostics_of_a_right_trace_are_perfect() -> None:
    for puzzle in PUZZLES[:50]:
        thought, solution = scripted_teacher.write(puzzle.question, random.Random(0), False)
        found = diagnose(puzzle.question, f"Thought:\n{thought}\nSolution: {solution}")
        assert tuple(found) == COLUMNS
        assert found["true_equations"] == found["trials_in_order"] == found["stops_after_yes"] == 1
        repeats = found["repeated_steps"]
        assert repeats is not None and repeats < 0.5


def test_diagnostics_see_each_fault() -> None:
    question = "Use + or - between 6 1 1 3 to make 9."
    response = (
        "Thought:\nFirst, let me try 6+1+1-3.\n\n6+1=7, 7+1=9, 9-3=6.\n\n6 is not 9. Yes.\n\n"
        "Wait, let me try 6+1+1-3.\n\n6+1=7, 7+1=9, 9-3=6.\nSolution: \\boxed{6+1+1-3}."
    )
    found = diagnose(question, response)
    assert found["true_equations"] == pytest.approx(4 / 6)
    assert found["trials_in_order"] == 0.5
    assert found["repeated_steps"] == pytest.approx(2 / 5)
    assert found["stops_after_yes"] == 0


def test_diagnostics_of_nothing_are_none() -> None:
    assert set(diagnose(PUZZLES[0].question, "").values()) == {None}
    found = diagnose(PUZZLES[0].question, "Solution: 1+1=2, 2+2=5. So \\boxed{1+1+2}.")
    assert found["true_equations"] == 0.5
    assert found["trials_in_order"] is None
