"""The records that stages hand on: problems and traces, in and out as JSON lines."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Problem:
    """A question with a checkable answer."""

    id: str
    """Hash of kind, question and answer: the same problem has the same id wherever it comes
    from."""

    question: str
    answer: str
    kind: str
    """Which grader checks it: a key of `distill.grading.grade.GRADERS`."""

    source: str
    """Data set and split it was taken from."""

    difficulty: float | None = None
    """Scale of the source; None where it gives none."""

    tests: tuple[str, ...] = ()
    """Code problems only: the tests a solution must pass."""

    tolerance: float = 0.0
    """Mathematics only: how far from the answer a number may be, where the source says so."""

    @classmethod
    def of(cls, question: str, answer: str, kind: str, source: str, **more: Any) -> "Problem":
        """A problem with the id that its content gives."""
        return cls(digest(kind, question, answer), question, answer, kind, source, **more)


@dataclass(frozen=True)
class Trace:
    """What a teacher wrote on a problem."""

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
    """Reason of the verdict."""

    finish_reason: str = "stop"
    """`stop`, or `length` where the teacher was cut off."""

    tokens: int | None = None
    """Tokens the teacher generated, in its own tokenizer; None where unknown."""

    @classmethod
    def of(
        cls, problem: Problem, teacher: str, sample: int, thought: str, solution: str, **more: Any
    ) -> "Trace":
        """A trace with the id that its origin gives."""
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
    return (Trace(**row | {"problem": _problem(row["problem"])}) for row in read_rows(path))


def write_records(path: Path, records: Iterable[Problem | Trace]) -> int:
    """Write problems or traces as JSON lines; returns how many."""
    return write_rows(path, (asdict(record) for record in records))


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Objects of a JSON lines file. Raises ValueError naming a line that is not JSON."""
    with path.open(encoding="utf-8", errors="surrogatepass", newline="\n") as file:
        for number, line in enumerate(file, 1):
            try:
                yield json.loads(line)
            except json.JSONDecodeError as error:
                raise ValueError(f"{path}:{number} is not JSON: {error}") from error


def write_rows(path: Path, rows: Iterable[dict[str, Any]]) -> int:
    """Write objects as JSON lines; returns how many."""
    count = 0
    with path.open("w", encoding="utf-8", errors="surrogatepass", newline="\n") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            count += 1
    return count


def write_any(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write objects as JSON lines; no file of no objects, not even that of a killed attempt."""
    path.unlink(missing_ok=True)
    if rows:
        write_rows(path, rows)


def _problem(row: dict[str, Any]) -> Problem:
    return Problem(**row | {"tests": tuple(row.get("tests", ()))})


WITHOUT_THOUGHT = "without_thought.jsonl"
"""Whole replies of a model without a thought, by `teacher.prompt`: for `convert_traces` to part;
`verify_traces` bears few of them."""
