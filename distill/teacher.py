"""Stage 2 of 7: problems -> the teacher's traces."""

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from distill.config import TeacherConfig
from distill.micro import scripted_teacher
from distill.store import write_json
from distill.trace import Problem, Trace, read_problems, write_records

VERSION = 2


def sample_traces(teacher: TeacherConfig, problems: Path, *, out: Path) -> None:
    """Write `teacher.samples` traces of every problem, in the problems' order.

    Raises:
        ValueError: no such teacher.
    """
    if teacher.name not in TEACHERS:
        raise ValueError(f"unknown teacher {teacher.name!r}; known: {', '.join(sorted(TEACHERS))}")
    traces = TEACHERS[teacher.name](teacher, read_problems(problems / "problems.jsonl"))
    count = write_records(out / "traces.jsonl", traces)
    write_json(out / "summary.json", {"traces": count, "samples_per_problem": teacher.samples})


def _scripted(teacher: TeacherConfig, problems: Iterator[Problem]) -> Iterator[Trace]:
    """The embedded world's teacher; see `distill/micro/scripted_teacher.py`."""
    for problem in problems:
        for sample in range(teacher.samples):
            rng = Random(f"{teacher.seed}:{problem.id}:{sample}")
            slip = rng.random() < teacher.slip_rate
            thought, solution = scripted_teacher.write(problem.question, rng, slip)
            yield Trace.of(problem, "scripted", sample, thought, solution)


TEACHERS: dict[str, Callable[[TeacherConfig, Iterator[Problem]], Iterator[Trace]]] = {
    "scripted": _scripted
}
