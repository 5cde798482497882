"""Schemas of published traces: one function each, from a row's fields to problem and responses.

The function's name is the format's, also of its YAML in `conf/teacher/`. Fields that a source has
in other columns are found by `columns`; see `distill/data/columns.py`. Besides its own fields every
format reads `kind` and, of programs, `tests`; see `distill.data.code_formats.own`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from distill.data import code_formats
from distill.data.chat import dialogue
from distill.data.config import SourceConfig
from distill.data.fields import Fields, Formats
from distill.data.gold import check_gold
from distill.data.values import RowError, no_answer, text
from distill.grading import answers
from distill.trace.records import Problem

PREFIX = r"Return your final response within \boxed{}. "
"""What the pipelines of Sky-T1 and OpenThoughts put before a question that asks for no program."""

CODE_PREFIX = "Generate an executable Python function generated from the given prompt."
"""What they put before a question that asks for a program."""

READING = 2
"""Part of the identity of what is read from recorded traces; raise it where rows of any format are
read otherwise than before."""

_LONGEST_ANSWER = 100
"""Characters up to which a reference without a marked answer is taken as the answer."""


@dataclass(frozen=True)
class Response:
    """One response of a teacher, as it was published."""

    teacher: str
    text: str = ""
    """All of it, to be split by `teacher.prompt`; empty where `parts` are given."""

    parts: tuple[str, str] | None = None
    """Thought and solution, where they were published separately."""

    finish_reason: str = "stop"


@dataclass(frozen=True)
class Recorded:
    """A problem with the responses of one row."""

    question: str
    responses: tuple[Response | RowError, ...]
    """Of one that cannot be used, why."""

    answer: str = ""
    """Empty where the source gives none; no grader can then decide."""

    kind: str = "math"
    difficulty: float | None = None
    tests: tuple[str, ...] = ()
    """Of a program; empty where the source gives none; no grader can then decide."""


def _complete(read: Recorded) -> Recorded:
    if not read.question:
        raise RowError("no question")
    check_gold(read.kind, read.answer)
    return read


FORMATS = Formats("a recorded teacher's format", _complete)
reader = FORMATS.reader


def _format(*fields: str) -> Callable[[Callable[[Fields], Recorded]], Callable[[Fields], Recorded]]:
    """Declare a format with these fields; every one may have `kind` and `tests` too."""
    return FORMATS.declare(*dict.fromkeys((*fields, "kind", "tests")))


def _decided(row: Fields, answer: Callable[[], str]) -> dict[str, Any]:
    """What a row's problem is decided by: its kind, and the tests of a program or the answer.

    Of a program without tests the answer, if there is one, is a reference that a judge can read.

    Raises:
        RowError: there is no answer, or neither tests nor an answer of a program.
    """
    kind, tests = code_formats.kind_and_tests(row)
    if kind != "code":
        return {"kind": kind, "answer": answer()}
    reference = "" if tests else row.optional("answer").strip()
    if not tests and (not reference or no_answer(reference)):
        raise RowError(code_formats.NO_TESTS)
    return {"kind": kind, "answer": reference, "tests": tests}


def _answer(row: Fields) -> str:
    try:
        return row.answer()
    except RowError as error:
        if row.has("answer"):
            raise
        raise RowError(f"{error}; a program needs a column tests instead") from error


def as_problem(read: Recorded, source: SourceConfig) -> Problem:
    """The problem of a row that was read."""
    place = source.hub or "local"
    more = {"difficulty": read.difficulty, "tests": read.tests}
    return Problem.of(read.question, read.answer, read.kind, place, **more)


_PLAIN = ("answer", "truncated", "teacher", "difficulty")


@_format("question", "thought", "solution", "text", *_PLAIN)
def json_lines(row: Fields) -> Recorded:
    """Plain rows: `question`, `answer`, and `thought` and `solution`, or all of it as `text`.

    `text` is read if `columns` names it. Optional are `truncated` (true where the teacher was cut
    off), `teacher`, `difficulty`.
    """
    if "text" not in row.columns:
        return _plain(row, row.text("question"), parts=(row.text("thought"), row.text("solution")))
    if both := {"thought", "solution"} & {*row.columns}:
        raise RowError(f"columns names text and {', '.join(sorted(both))}: text is the whole")
    return _plain(row, row.text("question"), row.text("text"))


@_format("messages", *_PLAIN)
def messages(row: Fields) -> Recorded:
    """Chat `messages`, a question and a reply; see `distill/data/chat.py`.

    The reply's thought stands apart, or is split off by `teacher.prompt`. Without a column `answer`
    there is no gold answer, and no grader decides; the other fields are as in `json_lines`.
    """
    return _chat(row, "messages")


@_format("conversations", *_PLAIN)
def sharegpt(row: Fields) -> Recorded:
    """The same in `conversations`, the field of ShareGPT."""
    return _chat(row, "conversations")


@_format("conversations", "answer")
def bespoke_stratos_17k(row: Fields) -> Recorded:
    """`bespokelabs/Bespoke-Stratos-17k`: `system` and `conversations` of user and assistant.

    It has no reference answers, though its authors kept only traces that they verified as right:
    without a column `answer` its traces are unchecked.
    """
    return _conversation(row, "DeepSeek-R1")


@_format("conversations", "answer")
def sky_t1_17k(row: Fields) -> Recorded:
    """`NovaSky-AI/Sky-T1_data_17k`: as Bespoke-Stratos, traces of QwQ, rewritten and verified."""
    return _conversation(row, "QwQ-32B-Preview")


@_format(
    "problem",
    "deepseek_reasoning",
    "deepseek_solution",
    "ground_truth_solution",
    "domain",
    "test_cases",
    "starter_code",
)
def openthoughts_114k(row: Fields) -> Recorded:
    """`open-thoughts/OpenThoughts-114k`, subset `metadata`.

    Columns `problem`, `deepseek_reasoning`, `deepseek_solution`, `ground_truth_solution` (a worked
    solution), `domain` (`math`, `code`, `puzzle`, or a science); of programs `test_cases` as in
    TACO, and `starter_code`.
    """
    question = row.text("problem").strip()
    parts = (row.text("deepseek_reasoning"), row.text("deepseek_solution"))
    responses = (Response("DeepSeek-R1", parts=parts),)
    if row.optional("domain") != "code":
        reference = _reference(row.text("ground_truth_solution"))
        return Recorded(question, responses, **_decided(row, lambda: reference))
    try:
        tests = code_formats.own(row.value("tests"))
        tests = tests or code_formats.input_output(row.text("test_cases"))
    except ValueError as error:
        raise RowError(f"test_cases are not as in TACO: {error}") from error
    if question:
        called = '"type": "call"' in "".join(tests[:1])
        question = code_formats.program_question(question, row.optional("starter_code"), called)
    return Recorded(question, responses, kind="code", tests=tests)


@_format("question", "solution", "deepseek_thinking_trajectory", "deepseek_attempt")
def s1k_1_1(row: Fields) -> Recorded:
    """`simplescaling/s1K-1.1`: `question`, `solution` (an answer, or a worked solution).

    And `deepseek_thinking_trajectory` with `deepseek_attempt`; the traces of Gemini next to
    them are read by `teacher.columns`.
    """
    parts = (row.text("deepseek_thinking_trajectory"), row.text("deepseek_attempt"))
    decided = _decided(row, lambda: _reference(row.text("solution")))
    response = Response("DeepSeek-R1", parts=parts)
    return Recorded(row.text("question").strip(), (response,), **decided)


@_format("question", "solution", "answer")
def limo(row: Fields) -> Recorded:
    """`GAIR/LIMO`: `question`, `solution` (a whole trace up to its final answer) and `answer`."""
    response = Response("LIMO", row.text("solution"))
    return Recorded(row.text("question").strip(), (response,), **_decided(row, row.answer))


@_format("problem", "answer", "generations", "finish_reasons")
def openr1_math_220k(row: Fields) -> Recorded:
    """`open-r1/OpenR1-Math-220k`: `problem`, `answer`, and several `generations` a row.

    `finish_reasons`, where there are any, say which of them were cut off.
    """
    texts = row.items("generations")
    reasons = row.items("finish_reasons")
    if not any(isinstance(text, str) for text in texts):
        raise RowError("no generations: none is text" if texts else "no generations")
    if reasons and len(reasons) != len(texts):
        raise RowError(f"not as many finish_reasons as generations: {len(reasons)}, {len(texts)}")
    responses = map(_generation, texts, reasons or [None] * len(texts))
    decided = _decided(row, row.answer)
    return Recorded(row.text("problem").strip(), tuple(responses), **decided)


def _generation(given: Any, reason: Any) -> Response | RowError:
    try:
        if given is None:
            raise RowError("a generation is null, not text")
        whole = text(given, "a generation")
        cut_off = text(reason, "a finish_reason") == "length"
        return Response("DeepSeek-R1", whole, finish_reason="length" if cut_off else "stop")
    except RowError as error:
        return error


@_format("problem", "solution")
def numina_cot(row: Fields) -> Recorded:
    """`AI-MO/NuminaMath-CoT`: `problem`, and `solution`, a worked one that boxes its answer.

    A short trace: the worked solution is the thought, and what it boxes is the solution.
    """
    worked = row.text("solution").strip()
    answer = answers.extract(worked)
    if not answer:
        raise RowError("no answer")
    parts = worked, f"The final answer is $\\boxed{{{answer}}}$."
    question = row.text("problem").strip()
    return Recorded(question, (Response("NuminaMath-CoT", parts=parts),), answer)


def _plain(
    row: Fields,
    question: str,
    whole: str = "",
    parts: tuple[str, str] | None = None,
    needs_answer: bool = True,
) -> Recorded:
    answered = needs_answer or row.has("answer")
    decided = _decided(row, lambda: _answer(row) if answered else "")
    reason = "length" if row.truth("truncated") else "stop"
    response = Response(row.optional("teacher", "recorded"), whole, parts, reason)
    return Recorded(question.strip(), (response,), difficulty=row.level(), **decided)


def _chat(row: Fields, field: str) -> Recorded:
    found = dialogue(row, field)
    if not (found.thought.strip() or found.reply.strip()):
        raise RowError(f"no reply: the assistant says nothing in {row.name(field)}")
    parts = (found.thought, found.reply) if found.thought.strip() else None
    whole = "" if parts else found.reply
    return _plain(row, found.question, whole, parts, needs_answer=False)


def _conversation(row: Fields, teacher: str) -> Recorded:
    found = dialogue(row, "conversations")
    if found.thought or not found.reply.strip():
        raise RowError("conversations must hold a question and a response")
    question = found.question
    decided: dict[str, Any] = {"kind": "code"}
    if row.has("tests") or not question.startswith(CODE_PREFIX):
        decided = _decided(row, lambda: row.answer() if row.has("answer") else "")
    response = Response(teacher, found.reply)
    return Recorded(question.removeprefix(PREFIX).strip(), (response,), **decided)


def _reference(given: str) -> str:
    """The answer of a worked solution; the whole text where it is short; else empty."""
    stated = answers.extract(given)
    short = given.strip() if len(given.strip()) <= _LONGEST_ANSWER else ""
    return stated or ("" if no_answer(short) else short)
