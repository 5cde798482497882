"""Schemas of published problems: one function each, from a row's fields to its problem.

The function's name is the format's, and mostly that of a YAML in `conf/dataset/`. Fields that a
source has in other columns are found by `columns`; see `distill/data/columns.py`.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from distill.data import code_formats
from distill.data.columns import Fields, Formats, RowError
from distill.grading import answers
from distill.grading.countdown import expression
from distill.trace.records import digest

_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3})")
_NUMBER = re.compile(r"\d+(\.\d+)?")


@dataclass(frozen=True)
class Read:
    """The problem that a row holds; the fields of `distill.trace.records.Problem`."""

    question: str
    answer: str
    kind: str = "math"
    difficulty: float | None = None
    tests: tuple[str, ...] = ()
    tolerance: float = 0.0

    part: str = ""
    """Which part of a mixed data set it is from; takes the split's place in `Problem.source`."""


def _complete(made: Read) -> Read:
    """Reject a row without a question, or without what decides if an answer is right."""
    if not made.question.strip():
        raise RowError("no question")
    if made.kind == "code" and not made.tests:
        raise RowError("no tests")
    if made.kind != "code" and not made.answer.strip():
        raise RowError("no answer")
    return made


FORMATS = Formats("dataset.format", _complete)
_format, reader = FORMATS.declare, FORMATS.reader


@_format("question", "answer", "kind", "difficulty", "tests")
def json_lines(row: Fields) -> Read:
    """Plain rows: `question`, `answer`, and where there are any `kind`, `difficulty`, `tests`.

    `tests` is a list in the schema of `distill/grading/code_tests.py`, its items objects or JSON
    texts.
    """
    tests = row.value("tests") or []
    if not isinstance(tests, list | tuple):
        raise RowError("tests is not a list in the schema of distill/grading/code_tests.py")
    kind = str(row.value("kind") or "math")
    return Read(
        row.text("question"),
        row.text("answer") if kind != "code" else "",
        kind,
        _difficulty(row),
        tuple(test if isinstance(test, str) else json.dumps(test) for test in tests),
    )


@_format("problem", "solution", "source", "difficulty")
def numina_math(row: Fields) -> Read:
    """`AI-MO/NuminaMath-CoT`: `problem`, `solution`, `source` (`amc_aime`, `math`, ...).

    The answer is what the solution boxes; proofs box none and are rejected.
    """
    answer = answers.extract(row.text("solution")) or ""
    difficulty = _difficulty(row)
    return Read(row.text("problem"), answer, difficulty=difficulty, part=row.text("source"))


@_format("problem", "solution", "answer", "level")
def math(row: Fields) -> Read:
    """MATH (arXiv:2103.03874): `problem`, `solution` with a boxed answer, `level` (`Level 5`)."""
    level = _NUMBER.search(str(row.value("level") or ""))
    stated = row.value("answer") or answers.extract(row.text("solution")) or ""
    question = row.text("problem")
    return Read(question, str(stated), difficulty=float(level[0]) if level else None)


@_format("question", "answer")
def gsm8k(row: Fields) -> Read:
    """GSM8K (arXiv:2110.14168): `question`, and `answer` that ends in `#### 1,234`."""
    answer = row.text("answer").rpartition("####")[2].strip()
    return Read(row.text("question"), _THOUSANDS.sub("", answer))


@_format("question", "combined_text", "domain")
def still_2(row: Fields) -> Read:
    """`RUC-AIBOX/long_form_thought_data_5k`: `question`, `combined_text`, `domain`.

    It has no reference answers: the answer is what the published solution ends in.
    """
    solution = row.text("combined_text").rpartition("<|begin_of_solution|>")[2]
    return Read(row.text("question"), answers.extract(solution) or "", part=row.text("domain"))


@_format("question", "context", "final_answer", "unit", "error")
def olympiadbench(row: Fields) -> Read:
    """OlympiadBench (arXiv:2402.14008), open-ended: `question`, `final_answer`, `unit`, `context`.

    `final_answer` is a list; several values are one answer, separated by commas. The question
    names the unit, which is no part of the answer; `error` is how far from it a number may be, of
    several errors the least.
    """
    context = str(row.value("context") or "").strip()
    unit = str(row.value("unit") or "").strip()
    question = "\n\n".join(filter(None, (context, row.text("question"))))
    given = row.value("final_answer")
    if given is None:
        raise RowError("no final_answer")
    parts = [given] if isinstance(given, str) else given
    asked = f"{question}\n\nGive the answer in ${unit}$, without the unit." if unit else question
    answer = ", ".join(str(part).strip() for part in parts)
    error = row.value("error") or 0.0
    try:
        tolerance = min(float(part or 0) for part in str(error).split(","))
    except ValueError:
        tolerance = -1.0
    if not 0 <= tolerance < float("inf"):
        raise RowError(f"error is {error!r}, not one number >= 0 or several separated by ','")
    return Read(asked, answer, tolerance=tolerance)


@_format(
    "Question", "Correct Answer", "Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3"
)
def gpqa(row: Fields) -> Read:
    """GPQA (arXiv:2311.12022): `Question`, `Correct Answer`, `Incorrect Answer 1` to `3`."""
    right = row.text("Correct Answer").strip()
    wrong = [row.text(f"Incorrect Answer {i}").strip() for i in (1, 2, 3)]
    question = row.text("Question").strip()
    options = sorted([right, *wrong])
    Random(digest(question, *options)).shuffle(options)
    return _choice(question, options, options.index(right))


@_format("question", "choices", "answer")
def mmlu(row: Fields) -> Read:
    """MMLU (arXiv:2009.03300): `question`, `choices`, `answer` (an index); the order stays."""
    options = [str(option) for option in row.value("choices") or []]
    answer = row.value("answer")
    if not isinstance(answer, int) or not 0 <= answer < len(options):
        raise RowError(f"answer {answer!r} is no index of {len(options)} choices")
    return _choice(row.text("question").strip(), options, answer)


@_format("nums", "target", "question", "answer")
def countdown(row: Fields) -> Read:
    """Countdown: `nums` and `target`, or a whole `question`; `answer` is one right expression.

    Without an answer one is searched for; rows that have no solution are rejected.
    """
    numbers, target = row.value("nums"), row.value("target")
    question, answer = row.value("question"), row.value("answer")
    if numbers is None or target is None:
        raise RowError(f"no nums or no target; has {', '.join(row.row)}")
    answer = answer or expression([int(number) for number in numbers], int(target))
    if answer is None:
        raise RowError(f"{list(numbers)} do not make {target}")
    asked = (
        f"Using the numbers {list(numbers)}, each exactly once, and + - * / with brackets, write "
        f"an expression that equals {target}."
    )
    return Read(str(question or asked), str(answer), "countdown")


@_format("question", "input_output", "starter_code")
def apps(row: Fields) -> Read:
    """APPS (arXiv:2105.09938) and TACO (arXiv:2312.14852): `question`, `input_output`.

    And `starter_code`, which is shown with the question. Without tests a row is rejected.
    """
    text = row.text("input_output")
    starter = str(row.value("starter_code") or "")
    asked = code_formats.program_question(row.text("question"), starter, '"fn_name"' in text)
    return Read(asked, "", "code", tests=_tests(code_formats.input_output, text))


@_format("question", "input_output", "starter_code")
def taco(row: Fields) -> Read:
    """TACO: the schema of APPS."""
    return apps(row)


@_format("prompt", "test", "entry_point")
def humaneval(row: Fields) -> Read:
    """HumanEval (arXiv:2107.03374): `prompt`, `test`, `entry_point`."""
    prompt, name = row.text("prompt"), row.text("entry_point")
    tests = code_formats.humaneval(prompt, row.text("test"), name)
    return Read(code_formats.completion_question(prompt), "", "code", tests=tests)


@_format("text", "test_list", "test_setup_code")
def mbpp(row: Fields) -> Read:
    """MBPP (arXiv:2108.07732): `text`, `test_list`, `test_setup_code`; the tests are shown."""
    tests = [str(test) for test in row.value("test_list") or []]
    setup = str(row.value("test_setup_code") or "")
    asked = f"{row.text('text')}\n\nIt should pass these tests:\n\n" + "\n".join(tests)
    return Read(asked, "", "code", tests=code_formats.mbpp(setup, tests))


@_format("question_content", "starter_code", "public_test_cases", "private_test_cases", "metadata")
def livecodebench(row: Fields) -> Read:
    """LiveCodeBench (arXiv:2403.07974) as Parquet (`lighteval/code_generation_lite`).

    `question_content`, `starter_code`, `public_test_cases`, `private_test_cases`, and `metadata`
    with the function's name; see `distill/data/code_formats.py` for how the private tests are
    packed.
    """
    starter = row.text("starter_code")
    texts = [row.text(f"{part}_test_cases") for part in ("public", "private")]
    metadata = row.text("metadata")
    asked = code_formats.program_question(row.text("question_content"), starter, bool(starter))
    tests = _tests(lambda packed: code_formats.livecodebench(packed, metadata), texts)
    return Read(asked, "", "code", tests=tests)


def _choice(question: str, options: Sequence[str], right: int) -> Read:
    lines = [f"{chr(ord('A') + i)}) {option}" for i, option in enumerate(options)]
    return Read(f"{question}\n\n" + "\n".join(lines), chr(ord("A") + right), "choice")


def _tests(made: Callable[[Any], tuple[str, ...]], packed: Any) -> tuple[str, ...]:
    try:
        return made(packed)
    except (ValueError, TypeError, KeyError) as error:
        raise RowError(f"no tests: {type(error).__name__}: {error}") from error


def _difficulty(row: Fields) -> float | None:
    value = row.value("difficulty")
    found = _NUMBER.search(str(value)) if value is not None else None
    return float(found[0]) if found else None
