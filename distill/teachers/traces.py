"""Sample traces of a teacher, or read recorded ones."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from distill.compute import ComputeConfig
from distill.data import source, trace_formats
from distill.models import engines, hub
from distill.models.annotate import limit_failed, report_failed
from distill.models.converse import REPLIES
from distill.store.artifacts import read_json, write_json
from distill.teachers.config import TeacherConfig
from distill.teachers.model import model_traces, required
from distill.teachers.recorded import recorded_traces
from distill.teachers.scripted import scripted_traces
from distill.teachers.tally import Item, Tally
from distill.trace.records import (
    WITHOUT_THOUGHT,
    read_problems,
    record_row,
    write_any,
    write_records,
)

VERSION = 4

COUNTS = {
    "scripted": (),
    "recorded": ("cut_off", "of_other_problems", "beyond_samples"),
    "model": ("cut_off", "unclosed", "without_thought", "failed"),
    "trained": ("cut_off", "unclosed", "without_thought", "failed"),
}
"""Kind of a teacher -> what `summary.json` counts besides its traces and, where they are recorded,
`rows`, `rejected` and the `reasons`; see `distill.data.source.report_rejected`."""


def pins(teacher: TeacherConfig, *rest: Any) -> dict[str, Any]:
    """What decides the traces from outside: weights and engine, or the commit of a data set."""
    match teacher.kind:
        case "recorded":
            return source.pins(teacher) | {"reading": trace_formats.READING}
        case "model":
            model, _, engine = required(teacher)
            resolved = hub.resolve_model(model, teacher.revision, engine)
            return {"model": resolved, "engine": engines.pins(engine)}
        case "trained":
            return {"engine": engines.pins(required(teacher)[2])}
    return {}


def sample_traces(
    teacher: TeacherConfig,
    problems: Path,
    student: Path | None = None,
    *,
    compute: ComputeConfig,
    out: Path,
) -> None:
    """Write up to `teacher.samples` traces of every problem to `out/traces.jsonl`.

    `student` is the artifact of the whole model that another run has trained, for teacher
    `trained`.

    A model's replies are cached in `rows.jsonl`; a killed call continues from there. Rows of a
    recorded teacher that hold no trace are named in `rejected.jsonl`, prompts that a server refuses
    in `failed.jsonl`; a model's replies without a thought are in `without_thought.jsonl`, unless
    `teacher.bare` makes thoughts of them, which are counted as `bare`.

    Raises:
        ValueError: a field that the teacher needs is not set; more rows of a recorded teacher hold
            no trace than `teacher.max_rejected` allows; or more prompts of a model are refused than
            `compute.max_unusable` allows.
    """
    tally = Tally()
    items = _items(teacher, problems, student, tally, compute, out)
    count = write_records(out / "traces.jsonl", tally.traces(items))
    rejected = source.report_rejected(tally.rejected, tally.counts["rows"], teacher, out)
    calls = count + len(tally.without_thought) + len(tally.failed)
    report_failed(tally.failed, calls, compute, out)
    write_any(out / WITHOUT_THOUGHT, list(map(record_row, tally.without_thought)))
    summary: dict[str, Any] = {"traces": count}
    if teacher.kind == "recorded":
        summary |= rejected
    else:
        summary["samples_per_problem"] = teacher.samples
    counted = (*COUNTS[teacher.kind], *(("bare",) if teacher.bare == "thought" else ()))
    summary |= {name: tally.counts[name] for name in counted}
    write_json(out / "summary.json", summary)
    (out / REPLIES).unlink(missing_ok=True)


def served(teacher: TeacherConfig, *inputs: Path | None, compute: ComputeConfig, out: Path) -> None:
    """Check `teacher.max_rejected` and `compute.max_unusable` whenever the traces are used."""
    counts = read_json(out / "summary.json")
    source.limit_rejected(counts.get("rows", 0), teacher, out)
    calls = counts["traces"] + counts.get("without_thought", 0) + counts.get("failed", 0)
    limit_failed(calls, compute, out)


def _items(
    teacher: TeacherConfig,
    problems: Path,
    student: Path | None,
    tally: Tally,
    compute: ComputeConfig,
    out: Path,
) -> Iterator[Item]:
    asked = read_problems(problems / "problems.jsonl")
    match teacher.kind:
        case "scripted":
            return scripted_traces(teacher, asked)
        case "recorded":
            return recorded_traces(teacher, asked, tally.rows(source.rows(teacher)))
        case "model" | "trained":
            return model_traces(teacher, asked, student, compute=compute, out=out)
    raise ValueError(f"teacher.kind must be one of {', '.join(COUNTS)}; got {teacher.kind!r}")
