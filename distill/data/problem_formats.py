"""Schemas of published problems: one function each, from a row's fields to its problem.

The function's name is the format's, and mostly that of a YAML in `conf/dataset/`. Fields that a
source has in other columns are found by `columns`; see `distill/data/columns.py`.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from distill.data import code_formats
from distill.data.chat import dialogue
from distill.data.fields import Fields, Formats
from distill.data.gold import check_gold
from distill.data.values import RowError, no_answer, whole, written
from distill.data.values import answer as stated_answer
from distill.grading import answers
from distill.grading.countdown import expression
from distill.trace.records import digest

_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3})")

_SOLUTION = "<|begin_of_solution|>"
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

_MOST_NUMBERS = 6
"""A search through all expressions of more numbers takes hours."""


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
        raise RowError(code_formats.NO_TESTS)
    if made.kind != "code" and not made.answer.strip():
        raise RowError("no answer")
    check_gold(made.kind, made.answer)
    return made


FORMATS = Formats("dataset.format", _complete)
_format, reader = FORMATS.declare, FORMATS.reader


@_format("question", "answer", "kind", "difficulty", "tests")
def json_lines(row: Fields) -> Read:
    """Plain rows: `question`, `answer`, and where there are any `kind`, `difficulty`, `tests`.

    `tests` is as in `distill.data.code_formats.own`; with them the kind is `code`.
    """
    return _plain(row, row.text("question"))


@_format("messages", "answer", "kind", "difficulty", "tests")
def messages(row: Fields) -> Read:
    """Chat messages: the question is the user's turn in `messages`; the rest as in `json_lines`.

    See `distill/data/chat.py`; a reply of the assistant is not read.
    """
    return _plain(row, dialogue(row, "messages").question)


@_format("conversations", "answer", "kind", "difficulty", "tests")
def sharegpt(row: Fields) -> Read:
    """The same in `conversations`."""
    return _plain(row, dialogue(row, "conversations").question)


@_format("problem", "solution", "source", "difficulty")
def numina_math(row: Fields) -> Read:
    """`AI-MO/NuminaMath-CoT`: `problem`, `solution`, `source` (`amc_aime`, `math`, ...).

    The answer is what the solution boxes; proofs box none and are rejected.
    """
    answer = answers.extract(row.text("solution")) or ""
    return Read(row.text("problem"), answer, difficulty=row.level(), part=row.text("source"))


@_format("problem", "solution", "answer", "level")
def math(row: Fields) -> Read:
    """MATH (arXiv:2103.03874): `problem`, `solution` with a boxed answer, `level` (`Level 5`)."""
    if row.value("answer") is None:
        stated = answers.extract(row.text("solution")) or ""
    else:
        stated = row.answer()
    return Read(row.text("problem"), stated, difficulty=row.level("level"))


@_format("question", "answer")
def gsm8k(row: Fields) -> Read:
    """GSM8K (arXiv:2110.14168): `question`, and `answer` that ends in `#### 1,234`."""
    _, mark, answer = row.text("answer").rpartition("####")
    if not mark:
        raise RowError("no ####: the answer is what follows this mark")
    if "\n" in answer.strip():
        raise RowError("several lines after ####: the answer is one")
    return Read(row.text("question"), _THOUSANDS.sub("", stated_answer(answer, "answer")))


@_format("question", "combined_text", "domain")
def still_2(row: Fields) -> Read:
    """`RUC-AIBOX/long_form_thought_data_5k`: `question`, `combined_text`, `domain`.

    It has no reference answers: the answer is what the published solution ends in.
    """
    _, mark, solution = row.text("combined_text").rpartition(_SOLUTION)
    if not mark:
        raise RowError(f"no {_SOLUTION}: the answer is in the solution that follows it")
    return Read(row.text("question"), answers.extract(solution) or "", part=row.text("domain"))


@_format("question", "context", "final_answer", "unit", "error")
def olympiadbench(row: Fields) -> Read:
    """OlympiadBench (arXiv:2402.14008), open-ended: `question`, `final_answer`, `unit`, `context`.

    `final_answer` is a list; several values are one answer, separated by commas. The question
    names the unit, which is no part of the answer; `error` is how far from it a number may be, of
    several errors the least.
    """
    context, unit = row.optional("context").strip(), row.optional("unit").strip()
    question = "\n\n".join(filter(None, (context, row.text("question"))))
    given = row.value("final_answer")
    if given is None:
        raise RowError("no final_answer")
    parts = row.texts("final_answer") if isinstance(given, list) else [row.answer("final_answer")]
    if any(no_answer(part.strip()) for part in parts):
        raise RowError(f"no final_answer: {', '.join(parts)!r} says that there is none")
    asked = f"{question}\n\nGive the answer in ${unit}$, without the unit." if unit else question
    return Read(asked, ", ".join(part.strip() for part in parts), tolerance=_tolerance(row))


def _tolerance(row: Fields) -> float:
    error = written(row.value("error"), "error")
    try:
        tolerance = min(float(part or 0) for part in error.split(","))
    except ValueError:
        tolerance = -1.0
    if not 0 <= tolerance < float("inf"):
        raise RowError(f"error is not a number >= 0, nor several separated by ',': {error!r}")
    return tolerance


@_format(
    "Question", "Correct Answer", "Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3"
)
def gpqa(row: Fields) -> Read:
    """GPQA (arXiv:2311.12022): `Question`, `Correct Answer`, `Incorrect Answer 1` to `3`."""
    names = ("Correct Answer", *(f"Incorrect Answer {i}" for i in (1, 2, 3)))
    right, *wrong = [written(row.needed(name), row.name(name)).strip() for name in names]
    question = row.text("Question").strip()
    options = sorted([right, *wrong])
    Random(digest(question, *options)).shuffle(options)
    return _choice(question, options, options.index(right))


@_format("question", "choices", "answer")
def mmlu(row: Fields) -> Read:
    """MMLU (arXiv:2009.03300): `question`, `choices`, `answer` (an index); the order stays."""
    options, answer = row.texts("choices"), row.whole("answer")
    if not 0 <= answer < len(options):
        raise RowError(f"answer is no index of choices: {answer} of {len(options)}, from 0")
    return _choice(row.text("question").strip(), options, answer)


@_format("nums", "target", "question", "answer")
def countdown(row: Fields) -> Read:
    """Countdown: `nums` and `target`, and optionally a `question` and an `answer` that is right.

    Without an answer one is searched for; rows that have no solution are rejected.
    """
    if row.value("nums") is None or row.value("target") is None:
        raise RowError(f"no nums or no target: has {', '.join(row.row)}")
    numbers = [whole(number, "an item of nums") for number in row.items("nums")]
    target = row.whole("target")
    answer = row.optional("answer")
    if not answer and len(numbers) > _MOST_NUMBERS:
        raise RowError(f"no answer: one is searched for up to {_MOST_NUMBERS} nums")
    answer = answer or expression(numbers, target) or ""
    if not answer:
        raise RowError(f"no solution: {numbers} do not make {target}")
    asked = (
        f"Using the numbers {numbers}, each exactly once, and + - * / with brackets, write "
        f"an expression that equals {target}."
    )
    return Read(row.optional("question", asked), answer, "countdown")


@_format("question", "input_output", "starter_code")
def apps(row: Fields) -> Read:
    """APPS (arXiv:2105.09938) and TACO (arXiv:2312.14852): `question`, `input_output`.

    And `starter_code`, which is shown with the question. Without tests a row is rejected.
    """
    text = row.text("input_output")
    starter = row.optional("starter_code")
    asked = code_formats.program_question(row.text("question"), starter, '"fn_name"' in text)
    return Read(asked, "", "code", tests=_tests(code_formats.input_output, text))


@_format("question", "input_output", "starter_code")
def taco(row: Fields) -> Read:
    """TACO: the schema of APPS."""
    return apps(row)


@_format("prompt", "test", "entry_point")
def humaneval(row: Fields) -> Read:
    """HumanEval (arXiv:2107.03374): `prompt`, `test`, `entry_point`."""
    prompt, test, name = (row.text(field) for field in ("prompt", "test", "entry_point"))
    if not (prompt.strip() and test.strip() and name.isidentifier()):
        raise RowError("no tests: prompt, test and the name in entry_point are needed")
    tests = code_formats.humaneval(prompt, test, name)
    return Read(code_formats.completion_question(prompt), "", "code", tests=tests)


@_format("text", "test_list", "test_setup_code")
def mbpp(row: Fields) -> Read:
    """MBPP (arXiv:2108.07732): `text`, `test_list`, `test_setup_code`; the tests are shown."""
    tests, setup = row.texts("test_list"), row.optional("test_setup_code")
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


def _plain(row: Fields, question: str) -> Read:
    kind, tests = code_formats.kind_and_tests(row)
    return Read(question, row.answer() if kind != "code" else "", kind, row.level(), tests)


def _choice(question: str, options: Sequence[str], right: int) -> Read:
    if not all(option.strip() for option in options) or len(options) > len(_LETTERS):
        raise RowError(f"an option is empty, or there are more than {len(_LETTERS)}")
    if options.count(options[right]) > 1:
        raise RowError("the right option is there twice")
    lines = [f"{letter}) {option}" for letter, option in zip(_LETTERS, options, strict=False)]
    return Read(f"{question}\n\n" + "\n".join(lines), _LETTERS[right], "choice")


def _tests(made: Callable[[Any], tuple[str, ...]], packed: Any) -> tuple[str, ...]:
    try:
        return made(packed)
    except ValueError as error:
        raise RowError(f"no tests: {error}") from error
