"""Have a model say where the steps of selected traces begin, for corruptions that ask for it.

In the paper Llama-3.3-70B splits thoughts at backtracking, self-validation and reflection
(arXiv:2502.07374, section 4.2). The model is shown the thought as numbered sentences and replies
with numbers, never with text that could replace the trace's.
"""

import re
from pathlib import Path
from typing import Any

from distill.compute import ComputeConfig
from distill.models.annotate import ReplyError, annotate, annotator_pins, fields, limit_failed
from distill.models.config import AskConfig
from distill.models.converse import REPLIES
from distill.models.engines import Completion
from distill.store.artifacts import read_json, write_json
from distill.store.identity import content_hash
from distill.trace.keywords import DEFAULT, PIN, list_file, openings
from distill.trace.records import Trace, digest, read_rows, read_traces, write_rows
from distill.trace.steps import Starts, cut

VERSION = 4

_SENTENCE = re.compile(r"\n\s*|[.!?…][\"')\]*]{0,2}\s++(?![a-z])")
"""What separates two sentences; the second begins where it ends."""

_NUMBERS = re.compile(r"\[\[([\d\s,]*)\]\]")


def pins(model: AskConfig, traces: Any, keywords: str = DEFAULT) -> dict[str, Any]:
    """What decides the steps from outside: weights, engine, and the keywords of the rule."""
    return annotator_pins(model) | {PIN: content_hash(list_file(keywords))}


def segment_traces(
    model: AskConfig,
    traces: Path,
    keywords: str = DEFAULT,
    *,
    compute: ComputeConfig,
    out: Path,
) -> None:
    """Ask where the steps of every thought begin.

    Reads `traces.jsonl`. Writes `starts.jsonl`, one row per thought: its digest and where its steps
    begin, in characters from its own beginning. A reply cannot be used if it was refused or cut
    off, or its last double brackets do not hold ascending numbers of this thought's sentences. Such
    a thought is split into steps by rule `reflection` with the list `keywords`, and its trace is
    named in `failed.jsonl`. A thought without text is not asked about. `summary.json` counts
    traces, steps and failed calls.

    Raises:
        ValueError: more replies cannot be used than `compute.max_unusable` allows.
    """
    before = list(read_traces(traces / "traces.jsonl"))
    asked = [trace for trace in before if trace.thought.strip()]
    made, failed = annotate(model, asked, _starts, fill=_numbered, compute=compute, out=out)
    by_rule = {call.id for call in failed}
    made |= {t.id: openings(t.thought, keywords) for t in asked if t.id in by_rule}
    split = [(trace.thought, made.get(trace.id, [])) for trace in before]
    rows = ({"thought": digest(thought), "starts": starts} for thought, starts in split)
    write_rows(out / "starts.jsonl", rows)
    counts = {
        "traces": len(before),
        "steps": sum(len(cut(thought, starts).steps) for thought, starts in split),
        "failed": len(failed),
    }
    write_json(out / "summary.json", counts)
    (out / REPLIES).unlink(missing_ok=True)


def served(model: AskConfig, traces: Path, *rest: Any, compute: ComputeConfig, out: Path) -> None:
    """Check `compute.max_unusable` whenever the replies are used."""
    given = traces / "traces.jsonl"
    if read_json(out / "summary.json")["failed"] and given.exists():
        asked = sum(bool(t.thought.strip()) for t in read_traces(given))
        limit_failed(asked, compute, out)


def read_starts(folder: Path) -> Starts:
    """What `segment_traces` wrote; equal thoughts are split into equal steps."""
    return {row["thought"]: row["starts"] for row in read_rows(folder / "starts.jsonl")}


def sentences(thought: str) -> list[int]:
    """Where its sentences begin: at each line, and after each full stop within one."""
    begin = len(thought) - len(thought.lstrip())
    ends = (match.end() for match in _SENTENCE.finditer(thought.rstrip(), begin))
    return [begin, *ends]


def _numbered(trace: Trace) -> dict[str, str]:
    """The fields of the trace, with its thought as numbered sentences."""
    thought, begins = trace.thought, sentences(trace.thought)
    pieces = (thought[a:b].strip() for a, b in zip(begins, [*begins[1:], None], strict=True))
    numbered = "\n".join(f"[{number}] {piece}" for number, piece in enumerate(pieces, 1))
    return fields(trace) | {"thought": numbered}


def _starts(trace: Trace, reply: Completion) -> list[int]:
    """Where the sentences begin whose numbers the reply gives."""
    if reply.finish_reason == "length":
        raise ReplyError("the reply was cut off")
    found = _NUMBERS.findall(reply.text)
    numbers = [int(n) for n in found[-1].replace(",", " ").split()] if found else []
    begins = sentences(trace.thought)
    if not numbers:
        raise ReplyError("the reply gives no numbers")
    if numbers != sorted(set(numbers)):
        raise ReplyError("the reply's numbers do not ascend")
    if not 1 <= numbers[0] <= numbers[-1] <= len(begins):
        raise ReplyError("the reply numbers other sentences")
    return [begins[number - 1] for number in numbers]
