"""Stage 2 of 7: problems -> the teacher's traces."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from distill.compute import ComputeConfig
from distill.data import source
from distill.models import engines, hub
from distill.store.artifacts import write_json
from distill.teachers.config import TeacherConfig
from distill.teachers.model import _asked, _model
from distill.teachers.recorded import _recorded
from distill.teachers.scripted import _scripted
from distill.trace.records import Counts, Problem, Trace, read_problems, write_records

VERSION = 2


def pins(teacher: TeacherConfig, *rest: Any) -> dict[str, Any]:
    """What decides the traces from outside: weights and engine, or the commit of a data set."""
    if teacher.kind == "recorded":
        return source.pins(teacher)
    if teacher.kind != "model":
        return {}
    model, _, engine = _asked(teacher)
    return {
        "model": hub.resolve_served(model, teacher.revision, engine),
        "engine": engines.pins(engine),
    }


def sample_traces(
    teacher: TeacherConfig,
    problems: Path,
    *,
    compute: ComputeConfig,
    out: Path,
) -> None:
    """Write up to `teacher.samples` traces of every problem to `out/traces.jsonl`.

    A model's responses are kept in `rows.jsonl` while they are made; a killed call continues.
    Rows of a recorded teacher that hold no trace, and prompts that a server refuses, are named in
    `rejected.jsonl`; a model's whole replies without a thought are in `without_thought.jsonl`.

    Args:
        teacher: who writes the traces.
        problems: artifact with their problems.
        compute: devices, concurrency, progress bar.
        out: the stage's folder.

    Raises:
        ValueError: no such teacher; a field that it needs is not set; more rows of a recorded
            teacher hold no trace than `teacher.max_rejected` allows; or more prompts of a model are
            refused than `compute.max_unusable` allows.
    """
    asked = read_problems(problems / "problems.jsonl")
    counts: Counts = {}
    traces = TEACHERS[teacher.kind](teacher, asked, counts, compute, out)
    count = write_records(out / "traces.jsonl", traces)
    told = {"traces": count}
    if teacher.kind != "recorded":  # there it only bounds them
        told["samples_per_problem"] = teacher.samples
    write_json(out / "summary.json", told | counts)
    (out / "rows.jsonl").unlink(missing_ok=True)


TEACHERS: dict[
    str,
    Callable[[TeacherConfig, Iterator[Problem], Counts, ComputeConfig, Path], Iterator[Trace]],
] = {"scripted": _scripted, "model": _model, "recorded": _recorded}
