"""Sample traces of a language model, one that is there or one that another run has trained."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from distill.compute import ComputeConfig
from distill.models import hub
from distill.models.annotate import Failed
from distill.models.config import EngineConfig, PromptConfig
from distill.models.converse import REPLIES, converse
from distill.models.engines import Completion, Refusal
from distill.models.prompt import Parsed, messages, parse_foreign
from distill.store.identity import content_hash, local_path
from distill.teachers.bare import split_bare
from distill.teachers.config import TeacherConfig
from distill.teachers.tally import Event
from distill.trace.records import Problem, Trace


def model_traces(
    teacher: TeacherConfig,
    problems: Iterable[Problem],
    student: Path | None = None,
    *,
    compute: ComputeConfig,
    out: Path,
) -> Iterator[Trace | Failed | Event]:
    """`teacher.samples` traces of every problem, in the order of the problems.

    Replies are cached in `out`, the stage's folder; a killed call continues from there. `student`
    is the artifact of the whole model that teacher `trained` is.

    Yields:
        Traces, also those without a thought; the prompts that a server refuses; and an event for
        each reply whose thought never ends, or is bare and counts as one.

    Raises:
        ValueError: a field is not set, or more prompts are refused than `compute.max_unusable`
            allows.
    """
    name, prompt, engine = required(teacher, student)
    wanted = [(problem, sample) for problem in problems for sample in range(teacher.samples)]
    keys = [f"{problem.id}:{sample}" for problem, sample in wanted]
    replies = converse(
        hub.model_of(name, teacher.revision, engine),
        engine,
        teacher.sampling,
        [messages(prompt, problem.question) for problem, _ in wanted],
        keys,
        thought_open=prompt.thought_open,
        keep=out / REPLIES,
        compute=compute,
    )
    folder = local_path(name)
    label = content_hash(folder)[:12] if folder else name
    for (problem, sample), key, reply in zip(wanted, keys, replies, strict=True):
        if isinstance(reply, Refusal):
            yield Failed(key, f"refused: {reply}")
            continue
        parsed = _parsed(prompt, reply)
        if not parsed.closed:
            yield "unclosed"
        bare = teacher.bare == "thought" and not parsed.thought.strip()
        if bare and (split := split_bare(prompt, reply.text)):
            parsed = split
            yield "bare"
        ended = {"finish_reason": reply.finish_reason, "tokens": reply.tokens}
        yield Trace.of(problem, label, sample, parsed.thought, parsed.solution, **ended)


def required(
    teacher: TeacherConfig, student: Path | None = None
) -> tuple[str, PromptConfig, EngineConfig]:
    """Model, prompt and engine of a teacher. Raises ValueError where one is not set."""
    own = ("student",) if teacher.kind == "trained" else ("model",)
    for field in (*own, "prompt", "engine"):
        if not getattr(teacher, field):
            kind = f"teacher.kind={teacher.kind}"
            raise ValueError(f"{kind} needs teacher.{field}, and it is not set")
    assert teacher.prompt and teacher.engine
    name = str(student / "model") if student else teacher.model or ""
    return name, teacher.prompt, teacher.engine


def _parsed(prompt: PromptConfig, reply: Completion) -> Parsed:
    """Thought and solution of a reply; a server may have separated them already.

    Behind a server the opening of a thought may be missing; a reply that was cut off before it
    closed one is then a thought to its end.
    """
    if reply.reasoning is not None:
        closed = bool(reply.text) or reply.finish_reason != "length"
        return Parsed(reply.reasoning, reply.text, closed)
    parsed = parse_foreign(prompt, reply.text)
    if not parsed.thought and reply.finish_reason == "length":
        return Parsed(parsed.solution or parsed.thought, "", closed=False)
    return parsed
