"""Sample traces of the scripted teacher of the embedded world."""

from collections.abc import Iterable, Iterator
from random import Random

from distill.micro import scripted_teacher
from distill.teachers.config import TeacherConfig
from distill.trace.records import Problem, Trace


def scripted_traces(teacher: TeacherConfig, problems: Iterable[Problem]) -> Iterator[Trace]:
    """`teacher.samples` traces of every problem; see `distill/micro/scripted_teacher.py`."""
    for problem in problems:
        for sample in range(teacher.samples):
            rng = Random(f"{teacher.seed}:{problem.id}:{sample}")
            slip = rng.random() < teacher.slip_rate
            thought, solution = scripted_teacher.write(problem.question, rng, slip)
            yield Trace.of(problem, "scripted", sample, thought, solution)
