"""Optional stage after 2: traces -> traces rewritten by a model into thought and solution.

The paper has GPT-4o-mini reformat raw traces of QwQ, almost word by word, before they are verified
(arXiv:2502.07374, section 3.1). A model's rewriting is not checked for faithfulness; how much
longer or shorter it made the texts is in the summary.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from distill.compute import ComputeConfig
from distill.models import converse
from distill.models.config import AskConfig, PromptConfig
from distill.models.engines import Completion, Refusal
from distill.models.prompt import parse
from distill.store.artifacts import write_json
from distill.trace.records import WITHOUT_THOUGHT, Trace, read_traces, write_records

VERSION = 2

SECTIONS = PromptConfig(
    name="sections",
    thought_open="<|begin_of_thought|>\n\n",
    thought_close="\n\n<|end_of_thought|>\n\n<|begin_of_solution|>\n\n",
    solution_close="\n\n<|end_of_solution|>",
)
"""What the model must reply in, whatever prompt the student is trained with later."""


def pins(convert: AskConfig, *rest: Any) -> dict[str, Any]:
    """What decides the replies from outside."""
    return converse.pins(convert)


def convert_traces(convert: AskConfig, traces: Path, *, compute: ComputeConfig, out: Path) -> None:
    """Rewrite every trace that was not cut off; those that were pass as they are.

    Reads and writes `traces.jsonl`; replies without a thought, which a teacher set aside, come
    after the others. A trace whose rewriting was refused or cut off, or lacks a section, is left
    out and named in `unusable.jsonl`; so is a reply that was cut off before it held a thought.
    `summary.json` counts them and gives `length_ratio`: characters after for each character before,
    over the rewritten traces.

    Raises:
        ValueError: more traces are left out than `compute.max_unusable` allows.
    """
    bare_file = traces / WITHOUT_THOUGHT
    bare = list(read_traces(bare_file)) if bare_file.is_file() else []
    raw = [*read_traces(traces / "traces.jsonl"), *bare]
    whole = [trace for trace in raw if trace.finish_reason != "length"]
    texts = [converse.texts(trace) for trace in whole]
    replies = converse.ask(convert, texts, keep=out / "rows.jsonl", compute=compute)
    rewritten = {t.id: _rewritten(t, r) for t, r in zip(whole, replies, strict=True)}
    good = {name: trace for name, trace in rewritten.items() if isinstance(trace, Trace)}
    bad = {name: why for name, why in rewritten.items() if isinstance(why, str)}
    lost = [trace for trace in bare if trace.finish_reason == "length"]
    bad |= {t.id: "the reply was cut off before it held a thought" for t in lost}
    converse.set_aside(bad, len(raw), out / "unusable.jsonl", compute)
    kept = [good.get(trace.id, trace) for trace in raw if trace.id not in bad]
    count = write_records(out / "traces.jsonl", kept)
    before = sum(len(t.thought) + len(t.solution) for t in whole if t.id in good)
    after = sum(len(t.thought) + len(t.solution) for t in good.values())
    counts = {
        "traces": count,
        "converted": len(good),
        "cut_off": len(raw) - len(whole),
        "unusable": len(bad),
        "length_ratio": after / before if before else None,
    }
    write_json(out / "summary.json", counts)
    (out / "rows.jsonl").unlink(missing_ok=True)


def _rewritten(trace: Trace, reply: Completion | Refusal) -> Trace | str:
    """The trace as rewritten, or why it is not."""
    if isinstance(reply, Refusal):
        return f"refused: {reply}"
    if reply.finish_reason == "length":
        return "the rewriting was cut off"
    parsed = parse(SECTIONS, reply.text)
    if not parsed.closed or not parsed.thought.strip() or not parsed.solution.strip():
        return "the rewriting lacks a section"
    return replace(trace, thought=parsed.thought, solution=parsed.solution)
