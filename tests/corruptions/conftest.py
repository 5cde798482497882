"""Traces that the operators are tested on: from the embedded world, awkward ones and real ones."""

import json
import random
from pathlib import Path

import pytest

from distill.micro import scripted_teacher, sign_puzzle
from distill.trace.records import Problem, Trace

REAL = Path(__file__).parents[3] / "shared" / "data" / "traces"
AWKWARD = (
    ("", r"\boxed{5}"),
    ("One step only, no more.", "none"),
    ("   \n \n\t", ""),
    ("No digits here.\n\nNone here.", "nothing"),
    ("Eins: ½ und ٣.\r\n\r\nWait, zwei 2 größer 😀.\r\n \r\nAber 31", "x=31"),
    ("\n\n  lead 1\n\n\n\nWait. But no 22.\n\nEnd 3  \n", r"So \boxed{\frac{1}{2}}"),
    ("\ud800 lone 77 surrogate\n\n\udfff", "7"),
    ("\n\n".join(f"Step {i}: wait, {i}+1={i + 1}." for i in range(3000)), r"\boxed{3000}"),
)


def _trace(index: int, question: str, thought: str, solution: str, correct: bool) -> Trace:
    problem = Problem.of(question, "5", "math", "test")
    return Trace.of(problem, "teacher", index, thought, solution, correct=correct)


@pytest.fixture(scope="session")
def micro() -> list[Trace]:
    """Sixty correct traces of the scripted teacher, on sixty problems."""
    traces = []
    for puzzle in sign_puzzle.problems("train", 60, 0):
        problem = Problem.of(puzzle.question, puzzle.answer, "sign_puzzle", "micro")
        text = scripted_teacher.write(puzzle.question, random.Random(puzzle.question), False)
        traces.append(Trace.of(problem, "scripted", 0, *text, correct=True))
    return traces


@pytest.fixture(scope="session")
def micro_wrong() -> list[Trace]:
    """Wrong traces: a slip on each of sixty problems, thirty of which are also in `micro`."""
    traces = []
    for puzzle in sign_puzzle.problems("train", 90, 0)[30:]:
        problem = Problem.of(puzzle.question, puzzle.answer, "sign_puzzle", "micro")
        text = scripted_teacher.write(puzzle.question, random.Random(puzzle.question), True)
        traces.append(Trace.of(problem, "scripted", 1, *text, correct=False))
    return traces


@pytest.fixture(scope="session")
def awkward() -> list[Trace]:
    """Empty, blank, one step, no digits, Unicode, CRLF, lone surrogates, thousands of steps."""
    return [_trace(i, f"awkward {i}", *text, True) for i, text in enumerate(AWKWARD)]


@pytest.fixture(scope="session")
def real() -> list[Trace]:
    """A hundred whole traces of DeepSeek-R1, QwQ and its students."""
    if not REAL.is_dir():
        pytest.skip("shared/data/traces is not next to this checkout")
    traces = []
    for name in ("deepseek_r1_aime24", "r1distill_qwq_aime25"):
        with (REAL / f"{name}.jsonl").open(encoding="utf-8") as file:
            for index, row in enumerate(map(json.loads, file)):
                problem = Problem.of(row["question"], row["gold_answer"], "math", name)
                text = row["reasoning"] or "", row["solution"] or ""
                traces.append(Trace.of(problem, name, index, *text, correct=bool(row["correct"])))
    return traces[:100]


@pytest.fixture(scope="session")
def corpus(micro: list[Trace], awkward: list[Trace]) -> list[Trace]:
    """What every operator must cope with: traces of the embedded world and the awkward ones."""
    return micro + awkward
