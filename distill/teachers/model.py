"""Sample traces of a language model."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from distill.compute import ComputeConfig
from distill.models import converse, hub
from distill.models.config import EngineConfig, PromptConfig
from distill.models.engines import Completion, Refusal
from distill.models.prompt import Parsed, messages, parse_foreign
from distill.store.identity import content_hash, local_path
from distill.teachers.config import TeacherConfig
from distill.trace.records import WITHOUT_THOUGHT, Counts, Problem, Trace, write_any


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
    replies = converse.converse(
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


def _asked(teacher: TeacherConfig) -> tuple[str, PromptConfig, EngineConfig]:
    """What teacher `model` cannot do without."""
    for field in ("model", "prompt", "engine"):
        if not getattr(teacher, field):
            raise ValueError(f"teacher.kind=model needs teacher.{field}, and it is not set")
    assert teacher.model and teacher.prompt and teacher.engine
    return teacher.model, teacher.prompt, teacher.engine
