"""Problems and traces, the records that stages pass on, and their JSON lines files."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Problem:
    """A question with a checkable answer."""

    id: str
    """Hash of kind, question and answer: the same problem has the same id in every data set."""

    question: str
    answer: str
    kind: str
    """Which grader checks it: a key of `distill.grading.grade.GRADERS`."""

    source: str
    """Data set and split it was taken from."""

    difficulty: float | None = None
    """On the source's own scale; None where it gives none."""

    tests: tuple[str, ...] = ()
    """Code problems only: the tests that a solution must pass."""

    tolerance: float = 0.0
    """Mathematics only: how far a number may be from the answer, where the source says so."""

    @classmethod
    def of(cls, question: str, answer: str, kind: str, source: str, **more: Any) -> "Problem":
        """Make a problem; its id is computed from its content."""
        return cls(digest(kind, question, answer), question, answer, kind, source, **more)


@dataclass(frozen=True)
class Trace:
    r"""What a teacher wrote on a problem: its reasoning (the thought) and its solution.

    A verified one, as it stands on one line of `traces.jsonl`::

        {"id": "0f89e49f9a6d82ff", "problem": {"id": "fb6a6e64c9b57347", "question": "Use + or -
        between 2 4 1 7 to make 0.", "answer": "2+4+1-7", "kind": "sign_puzzle", "source": "train",
        "difficulty": null, "tests": [], "tolerance": 0.0}, "teacher": "scripted", "sample": 0,
        "thought": "First, let me try 2+4+1+7.\n\n2+4=6, 6+1=7, 7+7=14.\n\n14 is not
        0.\n\nWait, let me try 2+4+1-7.\n\n2+4=6, 6+1=7, 7-7=0.\n\n0 is 0. Yes.\n\nLet me
        verify: 2+4=6, 6+1=7, 7-7=0. Right.", "solution": "So \\boxed{2+4+1-7}.", "correct": true,
        "why": "right", "finish_reason": "stop", "tokens": null}
    """

    id: str
    """Hash of problem id, teacher and sample index."""

    problem: Problem
    teacher: str
    sample: int
    """Index of the sample among those of this problem, from 0."""

    thought: str
    solution: str
    correct: bool | None = None
    """Verdict on the solution; None while unverified or undecided."""

    why: str = ""
    """Reason for the verdict."""

    finish_reason: str = "stop"
    """`stop`, or `length` where the teacher was cut off."""

    tokens: int | None = None
    """Tokens the teacher generated, in its own tokenizer; None where unknown."""

    score: float | None = None
    """What a reward model gives the solution, on its own scale; None where none was asked."""

    flaws: tuple[str, ...] = ()
    """How it is badly written: rules of `distill/teachers/quality.py`, where they were looked at.
    It is not selected."""

    @classmethod
    def of(
        cls, problem: Problem, teacher: str, sample: int, thought: str, solution: str, **more: Any
    ) -> "Trace":
        """Make a trace; its id is computed from its problem, teacher and sample index."""
        name = digest(problem.id, teacher, str(sample))
        return cls(name, problem, teacher, sample, thought, solution, **more)


def digest(*parts: str) -> str:
    """First 16 hex digits of the SHA-256 of the parts; the id of a record."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def read_problems(path: Path) -> Iterator[Problem]:
    """Problems of a JSON lines file, in order."""
    return (_problem(row) for row in read_rows(path))


def read_traces(path: Path) -> Iterator[Trace]:
    """Traces of a JSON lines file, in order."""
    return map(_trace, read_rows(path))


def write_records(path: Path, records: Iterable[Problem | Trace]) -> int:
    """Write problems or traces as JSON lines; returns how many."""
    return write_rows(path, map(record_row, records))


def record_row(record: Problem | Trace) -> dict[str, Any]:
    """A record as one object; a field of `_WHERE_SAID` is left out where it says nothing."""
    row = vars(record)
    if isinstance(record, Trace):
        row = row | {"problem": vars(record.problem)}
    return {n: value for n, value in row.items() if n not in _WHERE_SAID or value not in (None, ())}


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Objects of a JSON lines file. Raises ValueError naming a line that is not JSON."""
    return (row for _, row in _placed(path))


def placed_traces(path: Path) -> Iterator[tuple[int, Trace]]:
    """Traces of a JSON lines file, in order, each with its place, for `traces_at`."""
    return ((place, _trace(row)) for place, row in _placed(path))


def traces_at(path: Path, places: Iterable[int]) -> Iterator[Trace]:
    """The traces in these places of the file, in this order; one at a time is in memory."""
    with path.open("rb") as file:
        for place in places:
            file.seek(place)
            yield _trace(json.loads(_text(file.readline())))


def _placed(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    place = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                yield place, json.loads(_text(line))
            except json.JSONDecodeError as error:
                raise ValueError(f"{path}:{number} is not JSON: {error}") from error
            place += len(line)


def _text(line: bytes) -> str:
    return line.decode("utf-8", "surrogatepass")


def write_rows(path: Path, rows: Iterable[dict[str, Any]]) -> int:
    """Write objects as JSON lines; returns how many."""
    count = 0
    with path.open("w", encoding="utf-8", errors="surrogatepass", newline="\n") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            count += 1
    return count


def write_any(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write objects as JSON lines; without any, no file is left, not even a killed attempt's."""
    path.unlink(missing_ok=True)
    if rows:
        write_rows(path, rows)


_WHERE_SAID = ("score", "flaws")
"""Fields of traces that only some verifications fill."""


def _trace(row: dict[str, Any]) -> Trace:
    flaws = tuple(row.get("flaws", ()))
    return Trace(**row | {"problem": _problem(row["problem"]), "flaws": flaws})


def _problem(row: dict[str, Any]) -> Problem:
    return Problem(**row | {"tests": tuple(row.get("tests", ()))})


WITHOUT_THOUGHT = "without_thought.jsonl"
"""A teacher's replies in which `teacher.prompt` finds no thought: `convert_traces` splits them, and
`verify_traces` tolerates few of them."""
