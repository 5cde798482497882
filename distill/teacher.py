"""Stage 2 of 7: problems -> the teacher's traces."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any

from distill import ask, engines, hub, source
from distill.config import ComputeConfig, EngineConfig, PromptConfig, TeacherConfig
from distill.engines import Completion, Refusal
from distill.micro import scripted_teacher
from distill.prompt import Parsed, messages, parse_foreign
from distill.store import content_hash, local_path, write_json
from distill.trace import Problem, Trace, read_problems, write_any, write_records
from distill.trace_formats import Response, UnusableRowError, as_problem, recorded

VERSION = 2

Counts = dict[str, int]


def pins(teacher: TeacherConfig, *rest: Any) -> dict[str, Any]:
    """What decides the traces from outside: weights and engine, or the commit of a data set."""
    if teacher.name == "recorded":
        return source.pins(teacher)
    if teacher.name != "model":
        return {}
    model, _, engine = _asked(teacher)
    return {
        "model": hub.resolve_served(model, teacher.revision, engine),
        "engine": engines.pins(engine),
    }


WITHOUT_THOUGHT = "without_thought.jsonl"
"""Whole replies of a model without a thought, by `teacher.prompt`: for `convert_traces` to part;
`verify_traces` bears few of them."""


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
    if teacher.name not in TEACHERS:
        raise ValueError(f"unknown teacher {teacher.name!r}; known: {', '.join(sorted(TEACHERS))}")
    asked = read_problems(problems / "problems.jsonl")
    counts: Counts = {}
    traces = TEACHERS[teacher.name](teacher, asked, counts, compute, out)
    count = write_records(out / "traces.jsonl", traces)
    told = {"traces": count}
    if teacher.name != "recorded":  # there it only bounds them
        told["samples_per_problem"] = teacher.samples
    write_json(out / "summary.json", told | counts)
    (out / "rows.jsonl").unlink(missing_ok=True)


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


def _model(
    teacher: TeacherConfig,
    problems: Iterator[Problem],
    counts: Counts,
    compute: ComputeConfig,
    out: Path,
) -> Iterator[Trace]:
    """A model, asked by `teacher.prompt`. Traces are in the order of the problems.

    Replies without a thought go to a file of their own, prompts that a server refuses to another.
    """
    name, prompt, engine = _asked(teacher)
    wanted = [(problem, sample) for problem in problems for sample in range(teacher.samples)]
    replies = ask.converse(
        hub.served(name, teacher.revision, engine),
        engine,
        teacher.sampling,
        [messages(prompt, problem.question) for problem, _ in wanted],
        [f"{problem.id}:{sample}" for problem, sample in wanted],
        thought_open=prompt.thought_open,
        keep=out / "rows.jsonl",
        compute=compute,
    )
    folder = local_path(name)
    label = content_hash(folder)[:12] if folder else name
    counts |= {"cut_off": 0, "unclosed": 0}
    bare: list[Trace] = []
    refused: list[dict[str, str]] = []
    for (problem, sample), reply in zip(wanted, replies, strict=True):
        if isinstance(reply, Refusal):
            refused.append({"place": f"{problem.id}:{sample}", "why": reply.why})
            continue
        parsed = _taken_apart(prompt, reply)
        counts["cut_off"] += reply.finish_reason == "length"
        counts["unclosed"] += not parsed.closed
        trace = Trace.of(
            problem,
            label,
            sample,
            parsed.thought,
            parsed.solution,
            finish_reason=reply.finish_reason,
            tokens=reply.tokens,
        )
        if trace.thought.strip():
            yield trace
        else:
            bare.append(trace)
    counts |= {"without_thought": len(bare), "refused": len(refused)}
    write_any(out / WITHOUT_THOUGHT, [asdict(trace) for trace in bare])
    write_any(out / "rejected.jsonl", refused)


def _taken_apart(prompt: PromptConfig, reply: Completion) -> Parsed:
    """Thought and solution of a reply; a server may have parted them already.

    Behind a server the opening of a thought may be missing; a reply that was cut off before it
    closed one is then thought to its end.
    """
    if reply.reasoning is not None:
        closed = bool(reply.text) or reply.finish_reason != "length"
        return Parsed(reply.reasoning, reply.text, closed)
    parsed = parse_foreign(prompt, reply.text)
    if not parsed.thought and reply.finish_reason == "length":
        return Parsed(parsed.solution or parsed.thought, "", closed=False)
    return parsed


def _recorded(
    teacher: TeacherConfig,
    problems: Iterator[Problem],
    counts: Counts,
    compute: ComputeConfig,
    out: Path,
) -> Iterator[Trace]:
    """Traces that somebody made before, in the order of their rows.

    The k-th trace of a problem is its sample k. A thought that never closes is one of a teacher
    that was cut off.
    """
    asked = {problem.id: problem for problem in problems}
    samples: Counter[str] = Counter()
    rejected: list[tuple[str, str]] = []
    counts |= {"rows": 0, "rejected": 0, "cut_off": 0, "of_other_problems": 0, "beyond_samples": 0}
    for place, row in source.rows(teacher):
        counts["rows"] += 1
        if isinstance(row, str):
            rejected.append((place, row))
            continue
        try:
            read = recorded(row, teacher)
        except UnusableRowError as error:
            rejected.append((place, str(error)))
            continue
        responses = []
        for response in read.responses:
            try:
                responses.append((response, _published(teacher.prompt, response)))
            except UnusableRowError as error:
                rejected.append((place, str(error)))
        problem = asked.get(as_problem(read, teacher).id)
        if problem is None:
            counts["of_other_problems"] += 1
            continue
        for response, (thought, solution) in responses:
            sample = samples[problem.id]
            if sample == teacher.samples:
                counts["beyond_samples"] += 1
                continue
            samples[problem.id] += 1
            reason = response.finish_reason if solution else "length"
            counts["cut_off"] += reason == "length"
            yield Trace.of(
                problem, response.teacher, sample, thought, solution, finish_reason=reason
            )
    counts["rejected"] = source.set_aside(out, rejected, counts["rows"], teacher)


def _published(prompt: PromptConfig | None, response: Response) -> tuple[str, str]:
    """Thought and solution of a response. Raises UnusableRowError if there is no thought."""
    parts = response.parts
    if parts is None:
        if prompt is None:
            raise ValueError(
                "teacher.prompt must say how whole texts are taken apart into thought and "
                "solution: add `+prompt@teacher.prompt=think` (or sky_t1, plain)"
            )
        parsed = parse_foreign(prompt, response.text)
        parts = parsed.thought, parsed.solution
    if not parts[0].strip():
        raise UnusableRowError("no thought")
    return parts[0], parts[1] if parts[1].strip() else ""


def _asked(teacher: TeacherConfig) -> tuple[str, PromptConfig, EngineConfig]:
    """What teacher `model` cannot do without."""
    for field in ("model", "prompt", "engine"):
        if not getattr(teacher, field):
            raise ValueError(f"teacher.name=model needs teacher.{field}, and it is not set")
    assert teacher.model and teacher.prompt and teacher.engine
    return teacher.model, teacher.prompt, teacher.engine


TEACHERS: dict[
    str,
    Callable[[TeacherConfig, Iterator[Problem], Counts, ComputeConfig, Path], Iterator[Trace]],
] = {"scripted": _scripted, "model": _model, "recorded": _recorded}
