"""Sample traces of the scripted teacher of the embedded world."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

from distill.compute import ComputeConfig
from distill.micro import scripted_teacher
from distill.teachers.config import TeacherConfig
from distill.trace.records import Counts, Problem, Trace


def _scripted(
    teacher: TeacherConfig,
    problems: Iterator[Problem],
    counts: Counts,
    compute: ComputeConfig,
    out: Path,
) -> Iterator[Trace]:
    """The embedded world's teacher; see `distill/micro/scripted_teacher.py`."""
    for problem in problems:
        for sample in range(teacher.samples):
            rng = Random(f"{teacher.seed}:{problem.id}:{sample}")
            slip = rng.random() < teacher.slip_rate
            thought, solution = scripted_teacher.write(problem.question, rng, slip)
            yield Trace.of(problem, "scripted", sample, thought, solution)
