"""Schemas of published problems: one function each, from a row to its problem.

The function's name is the format's, and mostly that of a YAML in `conf/dataset/`. A field that a
row has under another name is found by `columns`; the field's own name is accepted beside it, so a
local copy with plain names needs no more than its path.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from distill.data import code_formats
from distill.data.columns import UnusableRowError, unusable
from distill.data.countdown_search import expression
from distill.grading import answers
from distill.trace.records import digest

Row = Mapping[str, Any]
Columns = Mapping[str, str]

_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3})")
_NUMBER = re.compile(r"\d+(\.\d+)?")


@dataclass(frozen=True)
class Read:
    """What a row says of its problem; the fields of `distill.trace.records.Problem`."""

    question: str
    answer: str
    kind: str = "math"
    difficulty: float | None = None
    tests: tuple[str, ...] = ()
    tolerance: float = 0.0

    part: str = ""
    """Which part of a mixed data set it is from; takes the split's place in `Problem.source`."""


def read(name: str, row: Row, columns: Columns) -> Read:
    """Read one row by the function of `FORMATS` with this name.

    Raises:
        UnusableRowError: it lacks a column, a question, or what decides whether an answer is right.
        ValueError: there is no such format.
    """
    if name not in FORMATS:
        raise ValueError(
            f"dataset.format must be one of {', '.join(sorted(FORMATS))}; got {name!r}"
        )
    try:
        made = FORMATS[name](row, columns)
    except (TypeError, KeyError, AttributeError, IndexError, ValueError) as error:
        raise unusable(error) from error
    if not made.question.strip():
        raise UnusableRowError("no question")
    if made.kind == "code" and not made.tests:
        raise UnusableRowError("no tests")
    if made.kind != "code" and not made.answer.strip():
        raise UnusableRowError("no answer")
    return made


def json_lines(row: Row, columns: Columns) -> Read:
    """Plain rows: `question`, `answer`, and where there are any `kind`, `difficulty`, `tests`.

    `tests` is a list in the schema of `distill/grading/code_tests.py`, its items objects or JSON
    texts.
    """
    tests = _value(row, columns, "tests") or []
    if not isinstance(tests, list | tuple):
        raise UnusableRowError("tests is no list in the schema of distill/grading/code_tests.py")
    kind = str(_value(row, columns, "kind") or "math")
    return Read(
        _text(row, columns, "question"),
        _text(row, columns, "answer") if kind != "code" else "",
        kind,
        _difficulty(row, columns),
        tuple(test if isinstance(test, str) else json.dumps(test) for test in tests),
    )


def numina_math(row: Row, columns: Columns) -> Read:
    """`AI-MO/NuminaMath-CoT`: `problem`, `solution`, `source` (`amc_aime`, `math`, ...).

    The answer is what the solution boxes; proofs box none and are unusable.
    """
    return Read(
        _text(row, columns, "problem"),
        _stated(_text(row, columns, "solution")),
        difficulty=_difficulty(row, columns),
        part=_text(row, columns, "source"),
    )


def math(row: Row, columns: Columns) -> Read:
    """MATH (arXiv:2103.03874): `problem`, `solution` with a boxed answer, `level` (`Level 5`)."""
    level = _NUMBER.search(str(_value(row, columns, "level") or ""))
    stated = _value(row, columns, "answer") or _stated(_text(row, columns, "solution"))
    question = _text(row, columns, "problem")
    return Read(question, str(stated), difficulty=float(level[0]) if level else None)


def gsm8k(row: Row, columns: Columns) -> Read:
    """GSM8K (arXiv:2110.14168): `question`, and `answer` that ends in `#### 1,234`."""
    answer = _text(row, columns, "answer").rpartition("####")[2].strip()
    return Read(_text(row, columns, "question"), _THOUSANDS.sub("", answer))


def still_2(row: Row, columns: Columns) -> Read:
    """`RUC-AIBOX/long_form_thought_data_5k`: `question`, `combined_text`, `domain`.

    It has no reference answers: the answer is what the published solution ends in.
    """
    solution = _text(row, columns, "combined_text").rpartition("<|begin_of_solution|>")[2]
    return Read(
        _text(row, columns, "question"), _stated(solution), part=_text(row, columns, "domain")
    )


def olympiadbench(row: Row, columns: Columns) -> Read:
    """OlympiadBench (arXiv:2402.14008), open-ended: `question`, `final_answer`, `unit`, `context`.

    `final_answer` is a list; several values are one answer, parted by commas. The unit is asked for
    in the question and is no part of the answer; `error` is how far from it a number may be, of
    several errors the least.
    """
    context = str(_value(row, columns, "context") or "").strip()
    unit = str(_value(row, columns, "unit") or "").strip()
    question = "\n\n".join(filter(None, (context, _text(row, columns, "question"))))
    given = _value(row, columns, "final_answer")
    if given is None:
        raise UnusableRowError("no final_answer")
    parts = [given] if isinstance(given, str) else given
    asked = f"{question}\n\nGive the answer in ${unit}$, without the unit." if unit else question
    answer = ", ".join(str(part).strip() for part in parts)
    error = _value(row, columns, "error") or 0.0
    try:
        tolerance = min(float(part or 0) for part in str(error).split(","))
    except ValueError:
        tolerance = -1.0
    if not 0 <= tolerance < float("inf"):
        raise UnusableRowError(f"error is {error!r}, not one number >= 0 or several parted by ','")
    return Read(asked, answer, tolerance=tolerance)


def gpqa(row: Row, columns: Columns) -> Read:
    """GPQA (arXiv:2311.12022): `Question`, `Correct Answer`, `Incorrect Answer 1` to `3`."""
    right = _text(row, columns, "Correct Answer").strip()
    wrong = [_text(row, columns, f"Incorrect Answer {i}").strip() for i in (1, 2, 3)]
    question = _text(row, columns, "Question").strip()
    options = sorted([right, *wrong])
    Random(digest(question, *options)).shuffle(options)
    return _choice(question, options, options.index(right))


def mmlu(row: Row, columns: Columns) -> Read:
    """MMLU (arXiv:2009.03300): `question`, `choices`, `answer` (an index); the order stays."""
    options = [str(option) for option in _value(row, columns, "choices") or []]
    answer = _value(row, columns, "answer")
    if not isinstance(answer, int) or not 0 <= answer < len(options):
        raise UnusableRowError(f"answer {answer!r} is no index of {len(options)} choices")
    return _choice(_text(row, columns, "question").strip(), options, answer)


def countdown(row: Row, columns: Columns) -> Read:
    """Countdown: `nums` and `target`, or a whole `question`; `answer` is one right expression.

    Without an answer one is searched for; rows that have no solution are unusable.
    """
    numbers, target = _value(row, columns, "nums"), _value(row, columns, "target")
    question, answer = _value(row, columns, "question"), _value(row, columns, "answer")
    if numbers is None or target is None:
        raise UnusableRowError(f"no nums or no target; has {', '.join(row)}")
    answer = answer or expression([int(number) for number in numbers], int(target))
    if answer is None:
        raise UnusableRowError(f"{list(numbers)} do not make {target}")
    asked = (
        f"Using the numbers {list(numbers)}, each exactly once, and + - * / with brackets, write "
        f"an expression that equals {target}."
    )
    return Read(str(question or asked), str(answer), "countdown")


def apps(row: Row, columns: Columns) -> Read:
    """APPS (arXiv:2105.09938) and TACO (arXiv:2312.14852): `question`, `input_output`.

    And `starter_code`, which goes with the question. Without tests a row is unusable.
    """
    text = _text(row, columns, "input_output")
    starter = str(_value(row, columns, "starter_code") or "")
    asked = code_formats.asked(_text(row, columns, "question"), starter, '"fn_name"' in text)
    return Read(asked, "", "code", tests=_tests(code_formats.input_output, text))


def taco(row: Row, columns: Columns) -> Read:
    """TACO: the schema of APPS."""
    return apps(row, columns)


def humaneval(row: Row, columns: Columns) -> Read:
    """HumanEval (arXiv:2107.03374): `prompt`, `test`, `entry_point`."""
    prompt, name = _text(row, columns, "prompt"), _text(row, columns, "entry_point")
    tests = code_formats.humaneval(prompt, _text(row, columns, "test"), name)
    return Read(code_formats.to_complete(prompt), "", "code", tests=tests)


def mbpp(row: Row, columns: Columns) -> Read:
    """MBPP (arXiv:2108.07732): `text`, `test_list`, `test_setup_code`; the tests are shown."""
    tests = [str(test) for test in _value(row, columns, "test_list") or []]
    setup = str(_value(row, columns, "test_setup_code") or "")
    asked = f"{_text(row, columns, 'text')}\n\nIt should pass these tests:\n\n" + "\n".join(tests)
    return Read(asked, "", "code", tests=code_formats.mbpp(setup, tests))


def livecodebench(row: Row, columns: Columns) -> Read:
    """LiveCodeBench (arXiv:2403.07974) as Parquet (`lighteval/code_generation_lite`).

    `question_content`, `starter_code`, `public_test_cases`, `private_test_cases`, and `metadata`
    with the function's name; see `distill/data/code_formats.py` for how the private tests are
    packed.
    """
    starter = _text(row, columns, "starter_code")
    texts = [_text(row, columns, f"{part}_test_cases") for part in ("public", "private")]
    metadata = _text(row, columns, "metadata")
    asked = code_formats.asked(_text(row, columns, "question_content"), starter, bool(starter))
    tests = _tests(lambda packed: code_formats.livecodebench(packed, metadata), texts)
    return Read(asked, "", "code", tests=tests)


FORMATS: dict[str, Callable[[Row, Columns], Read]] = {
    one.__name__: one
    for one in (
        json_lines,
        numina_math,
        math,
        gsm8k,
        still_2,
        olympiadbench,
        gpqa,
        mmlu,
        countdown,
        apps,
        taco,
        humaneval,
        mbpp,
        livecodebench,
    )
}
"""Name of a format -> how a row of it is read."""


def _choice(question: str, options: Sequence[str], right: int) -> Read:
    lines = [f"{chr(ord('A') + i)}) {option}" for i, option in enumerate(options)]
    return Read(f"{question}\n\n" + "\n".join(lines), chr(ord("A") + right), "choice")


def _stated(solution: str) -> str:
    return answers.extract(solution) or ""


def _tests(made: Callable[[Any], tuple[str, ...]], packed: Any) -> tuple[str, ...]:
    try:
        return made(packed)
    except (ValueError, TypeError, KeyError) as error:
        raise UnusableRowError(f"no tests: {type(error).__name__}: {error}") from error


def _text(row: Row, columns: Columns, field: str) -> str:
    for name in (columns.get(field, field), field):
        if name in row:
            return "" if row[name] is None else str(row[name])
    raise UnusableRowError(
        f"no column {columns.get(field, field)} for {field}; has {', '.join(row)}"
    )


def _value(row: Row, columns: Columns, field: str) -> Any:
    return row.get(columns.get(field, field), row.get(field))


def _difficulty(row: Row, columns: Columns) -> float | None:
    value = _value(row, columns, "difficulty")
    found = _NUMBER.search(str(value)) if value is not None else None
    return float(found[0]) if found else None
