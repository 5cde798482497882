"""Schemas of published traces: one function each, from a row's fields to problem and responses.

The function's name is the format's, also of its YAML in `conf/teacher/`. Fields that a source has
in other columns are found by `columns`; see `distill/data/columns.py`.
"""

from dataclasses import dataclass

from distill.data import code_formats
from distill.data.columns import Fields, Formats, RowError
from distill.data.config import SourceConfig
from distill.grading import answers
from distill.trace.records import Problem

PREFIX = r"Return your final response within \boxed{}. "
"""What the pipelines of Sky-T1 and OpenThoughts put before a question that asks for no program."""

CODE_PREFIX = "Generate an executable Python function generated from the given prompt."
"""What they put before a question that asks for a program."""

_CLOSES = ("<|end_of_thought|>", "</think>")

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
    answer: str
    """Empty where the source gives none; no grader can then decide."""

    responses: tuple[Response, ...]
    kind: str = "math"
    difficulty: float | None = None
    tests: tuple[str, ...] = ()
    """Of a program; empty where the source gives none; no grader can then decide."""


def _complete(read: Recorded) -> Recorded:
    if not read.question:
        raise RowError("no question")
    return read


FORMATS = Formats("a recorded teacher's format", _complete)
_format, reader = FORMATS.declare, FORMATS.reader


def as_problem(read: Recorded, source: SourceConfig) -> Problem:
    """The problem of a row that was read."""
    place = source.hub or "local"
    more = {"difficulty": read.difficulty, "tests": read.tests}
    return Problem.of(read.question, read.answer, read.kind, place, **more)


@_format(
    "question",
    "answer",
    "thought",
    "solution",
    "text",
    "truncated",
    "teacher",
    "kind",
    "difficulty",
)
def json_lines(row: Fields) -> Recorded:
    """Plain rows: `question`, `answer`, and `thought` and `solution`, or all of it as `text`.

    `text` is read if `columns` names it. Optional are `truncated` (true where the teacher was cut
    off), `teacher`, `kind` and `difficulty`.
    """
    thinks = "text" not in row.columns
    parts = (row.text("thought"), row.text("solution")) if thinks else None
    text = "" if thinks else row.text("text")
    reason = "length" if row.value("truncated") else "stop"
    response = Response(str(row.value("teacher") or "recorded"), text, parts, reason)
    difficulty = None if row.value("difficulty") is None else float(row.value("difficulty"))
    question, kind = row.text("question").strip(), str(row.value("kind") or "math")
    return Recorded(question, _answer(row), (response,), kind, difficulty)


@_format("conversations")
def bespoke_stratos_17k(row: Fields) -> Recorded:
    """`bespokelabs/Bespoke-Stratos-17k`: `system` and `conversations` of user and assistant.

    It has no reference answers; its authors kept only traces that they verified as right. The
    answer of a problem is the one that its trace ends in.
    """
    return _conversation(row, "DeepSeek-R1")


@_format("conversations")
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
    if row.value("domain") != "code":
        reference = _reference(row.text("ground_truth_solution"))
        return Recorded(question, reference, responses)
    try:
        tests = code_formats.input_output(row.text("test_cases"))
    except (ValueError, KeyError, TypeError) as error:
        raise RowError(f"test_cases are not as in TACO: {error}") from error
    if question:
        called = '"type": "call"' in "".join(tests[:1])
        question = code_formats.program_question(question, row.text("starter_code"), called)
    return Recorded(question, "", responses, "code", tests=tests)


@_format("question", "solution", "deepseek_thinking_trajectory", "deepseek_attempt")
def s1k_1_1(row: Fields) -> Recorded:
    """`simplescaling/s1K-1.1`: `question`, `solution` (an answer, or a worked solution).

    And `deepseek_thinking_trajectory` with `deepseek_attempt`; the traces of Gemini next to
    them are read by `teacher.columns`.
    """
    parts = (row.text("deepseek_thinking_trajectory"), row.text("deepseek_attempt"))
    reference = _reference(row.text("solution"))
    response = Response("DeepSeek-R1", parts=parts)
    return Recorded(row.text("question").strip(), reference, (response,))


@_format("question", "solution", "answer")
def limo(row: Fields) -> Recorded:
    """`GAIR/LIMO`: `question`, `solution` (a whole trace up to its final answer) and `answer`."""
    response = Response("LIMO", row.text("solution"))
    return Recorded(row.text("question").strip(), _answer(row), (response,))


@_format("problem", "answer", "generations", "finish_reasons")
def openr1_math_220k(row: Fields) -> Recorded:
    """`open-r1/OpenR1-Math-220k`: `problem`, `answer`, and several `generations` a row.

    `finish_reasons`, where there are any, say which of them were cut off.
    """
    texts = row.value("generations")
    if texts is None or not len(texts):
        raise RowError("no generations")
    reasons = row.value("finish_reasons")
    reasons = ["stop"] * len(texts) if reasons is None else reasons
    responses = tuple(
        Response("DeepSeek-R1", text, finish_reason="length" if why == "length" else "stop")
        for text, why in zip(texts, reasons, strict=True)
    )
    return Recorded(row.text("problem").strip(), _answer(row), responses)


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
    return Recorded(question, answer, (Response("NuminaMath-CoT", parts=parts),))


def _conversation(row: Fields, teacher: str) -> Recorded:
    turns = row.value("conversations")
    if turns is None or len(turns) != 2:
        raise RowError("conversations must hold a question and a response")
    question, text = (str(turn["value"]) for turn in turns)
    solution = text
    for close in _CLOSES:
        solution = solution.rpartition(close)[2]
    kind = "code" if question.startswith(CODE_PREFIX) else "math"
    answer = "" if kind == "code" else answers.extract(solution) or ""
    return Recorded(question.removeprefix(PREFIX).strip(), answer, (Response(teacher, text),), kind)


def _reference(text: str) -> str:
    """The answer of a worked solution; the whole text where it is short; else empty."""
    stated = answers.extract(text)
    return stated if stated else text.strip() if len(text.strip()) <= _LONGEST_ANSWER else ""


def _answer(row: Fields) -> str:
    answer = row.text("answer").strip()
    if not answer:
        raise RowError("no answer")
    return answer
