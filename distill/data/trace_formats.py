"""Schemas of published traces: one function each, from a row to its problem and responses."""

from collections.abc import Callable
from dataclasses import dataclass

from distill.data import code_formats
from distill.data.columns import Columns, Row, UnusableRowError, _text, _value, unusable
from distill.data.config import SourceConfig
from distill.grading import answers
from distill.trace.records import Problem

PREFIX = r"Return your final response within \boxed{}. "
"""What the pipelines of Sky-T1 and OpenThoughts put before a question that is no code."""

CODE_PREFIX = "Generate an executable Python function generated from the given prompt."
"""What they put before a question that asks for a program."""

_CLOSES = ("<|end_of_thought|>", "</think>")

_LONGEST_ANSWER = 100
"""Characters up to which a reference without a marked answer is one itself."""


@dataclass(frozen=True)
class Response:
    """What a teacher wrote, as it was published."""

    teacher: str
    text: str = ""
    """All of it, to be taken apart by `teacher.prompt`; unless `parts` are there."""

    parts: tuple[str, str] | None = None
    """Thought and solution, where they were published apart."""

    finish_reason: str = "stop"


@dataclass(frozen=True)
class Recorded:
    """A problem with the responses of one row."""

    question: str
    answer: str
    """Empty: the source gives none, and no grader can decide."""

    responses: tuple[Response, ...]
    kind: str = "math"
    difficulty: float | None = None
    tests: tuple[str, ...] = ()
    """Of a program; empty: the source gives none, and no grader can decide."""


def recorded(row: Row, source: SourceConfig) -> Recorded:
    """Read one row by the function of `FORMATS` that `source.format` names.

    Raises:
        UnusableRowError: it has no question, no answer where its schema has one, or lacks a column.
        ValueError: there is no such format.
    """
    if source.format not in FORMATS:
        raise ValueError(
            f"a recorded teacher's format must be one of {', '.join(sorted(FORMATS))}; "
            f"got {source.format!r}"
        )
    try:
        read = FORMATS[source.format](row, source.columns)
    except (TypeError, KeyError, AttributeError, IndexError, ValueError) as error:
        raise unusable(error) from error
    if not read.question:
        raise UnusableRowError("no question")
    return read


def problem_of(row: Row, source: SourceConfig) -> Problem | str:
    """The problem of one row, or why it has none. Rows with traces of one problem give equal ones.

    Raises:
        ValueError: `source.format` names no format.
    """
    try:
        return as_problem(recorded(row, source), source)
    except UnusableRowError as error:
        return str(error)


def as_problem(read: Recorded, source: SourceConfig) -> Problem:
    """The problem of a row that was read."""
    place = source.hub or "local"
    more = {"difficulty": read.difficulty, "tests": read.tests}
    return Problem.of(read.question, read.answer, read.kind, place, **more)


def json_lines(row: Row, columns: Columns) -> Recorded:
    """Plain rows: `question`, `answer`, and `thought` and `solution`, or all of it as `text`.

    `text` is read if `columns` names it. Optional are `truncated` (true where the teacher was cut
    off), `teacher`, `kind` and `difficulty`.
    """
    thinks = "text" not in columns
    parts = (_text(row, columns, "thought"), _text(row, columns, "solution")) if thinks else None
    text = "" if thinks else _text(row, columns, "text")
    reason = "length" if _value(row, columns, "truncated") else "stop"
    teacher = str(_value(row, columns, "teacher") or "recorded")
    difficulty = _value(row, columns, "difficulty")
    return Recorded(
        _text(row, columns, "question").strip(),
        _answer(row, columns, "answer"),
        (Response(teacher, text, parts, reason),),
        str(_value(row, columns, "kind") or "math"),
        None if difficulty is None else float(difficulty),
    )


def bespoke_stratos_17k(row: Row, columns: Columns) -> Recorded:
    """`bespokelabs/Bespoke-Stratos-17k`: `system` and `conversations` of user and assistant.

    It has no reference answers; its authors kept what was verified as right. The answer of a
    problem is the one that its trace ends in.
    """
    return _conversation(row, columns, "DeepSeek-R1")


def sky_t1_17k(row: Row, columns: Columns) -> Recorded:
    """`NovaSky-AI/Sky-T1_data_17k`: as Bespoke-Stratos, traces of QwQ, rewritten and verified."""
    return _conversation(row, columns, "QwQ-32B-Preview")


def openthoughts_114k(row: Row, columns: Columns) -> Recorded:
    """`open-thoughts/OpenThoughts-114k`, subset `metadata`.

    Columns `problem`, `deepseek_reasoning`, `deepseek_solution`, `ground_truth_solution` (a worked
    solution), `domain` (`math`, `code`, `puzzle`, or a science); of programs `test_cases` as in
    TACO, and `starter_code`.
    """
    question = _text(row, columns, "problem").strip()
    parts = (_text(row, columns, "deepseek_reasoning"), _text(row, columns, "deepseek_solution"))
    responses = (Response("DeepSeek-R1", parts=parts),)
    if _value(row, columns, "domain") != "code":
        reference = _reference(_text(row, columns, "ground_truth_solution"))
        return Recorded(question, reference, responses)
    try:
        tests = code_formats.input_output(_text(row, columns, "test_cases"))
    except (ValueError, KeyError, TypeError) as error:
        raise UnusableRowError(f"test_cases are not as in TACO: {error}") from error
    if question:
        starter = _text(row, columns, "starter_code")
        question = code_formats.asked(question, starter, '"type": "call"' in "".join(tests[:1]))
    return Recorded(question, "", responses, "code", tests=tests)


def s1k_1_1(row: Row, columns: Columns) -> Recorded:
    """`simplescaling/s1K-1.1`: `question`, `solution` (an answer, or a worked solution).

    And `deepseek_thinking_trajectory` with `deepseek_attempt`; the traces of Gemini beside them are
    read by `teacher.columns`.
    """
    thought = _text(row, columns, "deepseek_thinking_trajectory")
    parts = (thought, _text(row, columns, "deepseek_attempt"))
    return Recorded(
        _text(row, columns, "question").strip(),
        _reference(_text(row, columns, "solution")),
        (Response("DeepSeek-R1", parts=parts),),
    )


def limo(row: Row, columns: Columns) -> Recorded:
    """`GAIR/LIMO`: `question`, `solution` (a whole trace up to its final answer) and `answer`."""
    return Recorded(
        _text(row, columns, "question").strip(),
        _answer(row, columns, "answer"),
        (Response("LIMO", _text(row, columns, "solution")),),
    )


def openr1_math_220k(row: Row, columns: Columns) -> Recorded:
    """`open-r1/OpenR1-Math-220k`: `problem`, `answer`, and several `generations` a row.

    `finish_reasons`, where there are any, say which of them were cut off.
    """
    texts = _value(row, columns, "generations")
    if texts is None or not len(texts):
        raise UnusableRowError("no generations")
    reasons = _value(row, columns, "finish_reasons")
    reasons = ["stop"] * len(texts) if reasons is None else reasons
    return Recorded(
        _text(row, columns, "problem").strip(),
        _answer(row, columns, "answer"),
        tuple(
            Response("DeepSeek-R1", text, finish_reason="length" if why == "length" else "stop")
            for text, why in zip(texts, reasons, strict=True)
        ),
    )


def numina_cot(row: Row, columns: Columns) -> Recorded:
    """`AI-MO/NuminaMath-CoT`: `problem`, and `solution`, a worked one that boxes its answer.

    A short trace: all of the worked solution is the thought, what it boxes is the solution.
    """
    worked = _text(row, columns, "solution").strip()
    answer = answers.extract(worked)
    if not answer:
        raise UnusableRowError("no answer")
    parts = worked, f"The final answer is $\\boxed{{{answer}}}$."
    question = _text(row, columns, "problem").strip()
    return Recorded(question, answer, (Response("NuminaMath-CoT", parts=parts),))


FORMATS: dict[str, Callable[[Row, Columns], Recorded]] = {
    adapter.__name__: adapter
    for adapter in (
        json_lines,
        bespoke_stratos_17k,
        sky_t1_17k,
        openthoughts_114k,
        s1k_1_1,
        limo,
        openr1_math_220k,
        numina_cot,
    )
}
"""Name of a format, also of its YAML in `conf/teacher/` -> how a row of it is read."""


def _conversation(row: Row, columns: Columns, teacher: str) -> Recorded:
    turns = _value(row, columns, "conversations")
    if turns is None or len(turns) != 2:
        raise UnusableRowError("conversations must hold a question and a response")
    question, text = (str(turn["value"]) for turn in turns)
    solution = text
    for close in _CLOSES:
        solution = solution.rpartition(close)[2]
    code = question.startswith(CODE_PREFIX)
    return Recorded(
        question.removeprefix(PREFIX).strip(),
        "" if code else answers.extract(solution) or "",
        (Response(teacher, text),),
        "code" if code else "math",
    )


def _reference(text: str) -> str:
    """The answer of a worked solution; all of it where it is short; empty where it states none."""
    stated = answers.extract(text)
    return stated if stated else text.strip() if len(text.strip()) <= _LONGEST_ANSWER else ""


def _answer(row: Row, columns: Columns, field: str) -> str:
    answer = _text(row, columns, field).strip()
    if not answer:
        raise UnusableRowError("no answer")
    return answer
