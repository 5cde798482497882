r"""Stage 4a, where it is asked for: traces -> where a model says that their steps begin.

The paper has Llama-3.3-70B part thoughts at backtracking, self-validation and reflection
(arXiv:2502.07374, section 4.2). The model is shown the thought as numbered sentences and replies
with numbers, never with text that could replace the trace's.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from distill.compute import ComputeConfig
from distill.models import converse
from distill.models.config import AskConfig
from distill.models.engines import Completion, Refusal
from distill.store.artifacts import write_json
from distill.store.identity import content_hash
from distill.trace.keywords import KEYWORDS, openings
from distill.trace.records import digest, read_rows, read_traces, write_rows
from distill.trace.steps import Starts, cut

VERSION = 2

_SENTENCE = re.compile(r"\n\s*|[.!?…][\"')\]*]{0,2}\s++(?![a-z])")
"""What parts two sentences; the second begins where it ends."""

_NUMBERS = re.compile(r"\[\[([\d\s,]*)\]\]")


def pins(model: AskConfig, *rest: Any) -> dict[str, Any]:
    """What decides the steps from outside: weights, engine, and the keywords of the rule."""
    return converse.pins(model) | {KEYWORDS.name: content_hash(KEYWORDS)}


def segment_traces(model: AskConfig, traces: Path, *, compute: ComputeConfig, out: Path) -> None:
    """Ask where the steps of every thought begin.

    Reads `traces.jsonl`. Writes `starts.jsonl`, a row for each thought: its digest and where its
    steps begin, characters from its own beginning. A reply cannot be used if it was refused or cut
    off, or its last double brackets do not hold numbers of this thought's sentences, ascending.
    Such a thought falls into steps by rule `reflection`, and its trace is named in
    `unusable.jsonl`. A thought without text is not asked about. `summary.json` counts traces,
    steps and unusable replies.

    Raises:
        ValueError: more replies cannot be used than `compute.max_unusable` allows.
    """
    before = list(read_traces(traces / "traces.jsonl"))
    asked = [trace for trace in before if trace.thought.strip()]
    places = [sentences(trace.thought) for trace in asked]
    texts = [
        converse.texts(trace) | {"thought": _numbered(trace.thought, begins)}
        for trace, begins in zip(asked, places, strict=True)
    ]
    replies = converse.ask(model, texts, keep=out / "rows.jsonl", compute=compute)
    said: dict[str, list[int]] = {}
    unusable: dict[str, str] = {}
    for trace, begins, reply in zip(asked, places, replies, strict=True):
        numbers = _numbers(reply, len(begins))
        if isinstance(numbers, str):
            unusable[trace.id] = numbers
            said[trace.id] = openings(trace.thought)
        else:
            said[trace.id] = [begins[number - 1] for number in numbers]
    converse.set_aside(unusable, len(asked), out / "unusable.jsonl", compute)
    starts = [said.get(trace.id, []) for trace in before]
    named = zip(before, starts, strict=True)
    rows = ({"thought": digest(trace.thought), "starts": places} for trace, places in named)
    write_rows(out / "starts.jsonl", rows)
    counts = {
        "traces": len(before),
        "steps": sum(len(cut(t.thought, s).steps) for t, s in zip(before, starts, strict=True)),
        "unusable": len(unusable),
    }
    write_json(out / "summary.json", counts)
    (out / "rows.jsonl").unlink(missing_ok=True)


def read_starts(folder: Path) -> Starts:
    """What `segment_traces` wrote; equal thoughts fall into equal steps."""
    return {row["thought"]: row["starts"] for row in read_rows(folder / "starts.jsonl")}


def sentences(thought: str) -> list[int]:
    """Where its sentences begin: each line, and what follows a full stop within it."""
    begin = len(thought) - len(thought.lstrip())
    ends = (match.end() for match in _SENTENCE.finditer(thought.rstrip(), begin))
    return [begin, *ends]


def _numbered(thought: str, begins: Sequence[int]) -> str:
    pieces = (thought[a:b].strip() for a, b in zip(begins, [*begins[1:], None], strict=True))
    return "\n".join(f"[{number}] {piece}" for number, piece in enumerate(pieces, 1))


def _numbers(reply: Completion | Refusal, total: int) -> list[int] | str:
    """The numbers of the sentences that open a step, or why there are none."""
    if isinstance(reply, Refusal):
        return f"refused: {reply}"
    if reply.finish_reason == "length":
        return "the reply was cut off"
    found = _NUMBERS.findall(reply.text)
    numbers = [int(n) for n in found[-1].replace(",", " ").split()] if found else []
    if not numbers:
        return "the reply gives no numbers"
    if numbers != sorted(set(numbers)):
        return "the reply's numbers do not ascend"
    if not 1 <= numbers[0] <= numbers[-1] <= total:
        return "the reply numbers other sentences"
    return numbers
