"""Have a model rewrite raw traces into thought and solution; optional, before verification.

In the paper GPT-4o-mini reformats raw traces of QwQ, almost word for word (arXiv:2502.07374,
section 3.1). The rewriting is not checked for faithfulness; `summary.json` says how much longer or
shorter it made the texts.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from distill.compute import ComputeConfig
from distill.models.annotate import (
    FAILED,
    Failed,
    ReplyError,
    annotate,
    annotator_pins,
    limit_failed,
)
from distill.models.config import AskConfig, PromptConfig
from distill.models.converse import REPLIES
from distill.models.engines import Completion
from distill.models.prompt import parse
from distill.store.artifacts import read_json, write_json
from distill.trace.records import WITHOUT_THOUGHT, Trace, read_rows, read_traces, write_records

VERSION = 4

SECTIONS = PromptConfig(
    name="sections",
    thought_open="<|begin_of_thought|>\n\n",
    thought_close="\n\n<|end_of_thought|>\n\n<|begin_of_solution|>\n\n",
    solution_close="\n\n<|end_of_solution|>",
)
"""The form of a reply, whatever prompt the student is trained with later."""


CUT_OFF = "the reply was cut off before it held a thought"
"""Why a teacher's reply is lost before a model is asked about it."""


def pins(convert: AskConfig, *rest: Any) -> dict[str, Any]:
    """What decides the replies from outside: weights and engine."""
    return annotator_pins(convert)


def convert_traces(convert: AskConfig, traces: Path, *, compute: ComputeConfig, out: Path) -> None:
    """Rewrite every trace that was not cut off; those that were stay as they are.

    Reads and writes `traces.jsonl`; the teacher's replies without a thought come after the others.
    A trace whose rewriting was refused or cut off, or lacks a section, is dropped and named in
    `failed.jsonl`; so is a reply that was cut off before it held a thought. `summary.json` counts
    them and gives `length_ratio`: characters after per character before, over the rewritten traces.

    Raises:
        ValueError: more traces failed than `compute.max_unusable` allows.
    """
    bare_file = traces / WITHOUT_THOUGHT
    bare = list(read_traces(bare_file)) if bare_file.is_file() else []
    raw = [*read_traces(traces / "traces.jsonl"), *bare]
    whole = [trace for trace in raw if trace.finish_reason != "length"]
    lost = [Failed(trace.id, CUT_OFF) for trace in bare if trace.finish_reason == "length"]
    made, failed = annotate(convert, whole, _rewritten, failed=lost, compute=compute, out=out)
    dropped = {call.id for call in failed}
    kept = [made.get(trace.id, trace) for trace in raw if trace.id not in dropped]
    count = write_records(out / "traces.jsonl", kept)
    before = sum(len(t.thought) + len(t.solution) for t in whole if t.id in made)
    after = sum(len(t.thought) + len(t.solution) for t in made.values())
    counts = {
        "traces": count,
        "converted": len(made),
        "cut_off": len(raw) - len(whole),
        "failed": len(failed),
        "length_ratio": after / before if before else None,
    }
    write_json(out / "summary.json", counts)
    (out / REPLIES).unlink(missing_ok=True)


def served(convert: AskConfig, *inputs: Path, compute: ComputeConfig, out: Path) -> None:
    """Check `compute.max_unusable` whenever the rewritten traces are used."""
    counts = read_json(out / "summary.json")
    asked = counts["traces"] + counts["failed"] - counts["cut_off"]
    failed = read_rows(out / FAILED) if counts["failed"] else ()
    limit_failed(asked + sum(row["why"] == CUT_OFF for row in failed), compute, out)


def _rewritten(trace: Trace, reply: Completion) -> Trace:
    if reply.finish_reason == "length":
        raise ReplyError("the rewriting was cut off")
    parsed = parse(SECTIONS, reply.text)
    if not parsed.closed or not parsed.thought.strip() or not parsed.solution.strip():
        raise ReplyError("the rewriting lacks a section")
    return replace(trace, thought=parsed.thought, solution=parsed.solution)
