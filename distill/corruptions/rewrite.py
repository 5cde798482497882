"""Stage 4a, where it is asked for: traces -> the same, their reflections removed by a model.

The released code of arXiv:2502.07374 (NovaSky-AI/SkyThought, branch `corrupt`, tag_output.py) has
GPT-4o-mini rewrite a share of the responses, and trains on whatever comes back, messages of errors
too. Here the thought alone is rewritten, so that no arm has other solutions; and that of every
selected trace, so that all shares of a curve take from one artifact.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from distill.compute import ComputeConfig
from distill.corruptions.config import CorruptionConfig
from distill.corruptions.edit_answer import occurrence
from distill.corruptions.operators import Borrow
from distill.corruptions.operators.remove_keywords import remove_keywords
from distill.grading.answers import extract
from distill.models import converse
from distill.models.config import AskConfig
from distill.models.engines import Completion, Refusal
from distill.store.artifacts import write_json
from distill.store.identity import content_hash
from distill.trace.keywords import KEYWORDS, count_keywords
from distill.trace.records import Trace, read_traces, write_records

VERSION = 3

OPEN, CLOSE = "<|begin_of_thought|>", "<|end_of_thought|>"
"""What a reply must put the rewritten thought between."""

BY_RULE = CorruptionConfig("remove_keywords", 1.0, unit="sentence")
"""What becomes of a thought whose rewriting cannot be used."""


def pins(model: AskConfig, *rest: Any) -> dict[str, Any]:
    """What decides the thoughts from outside: weights, engine, and the keywords of `BY_RULE`."""
    return converse.pins(model) | {KEYWORDS.name: content_hash(KEYWORDS)}


def rewrite_traces(model: AskConfig, traces: Path, *, compute: ComputeConfig, out: Path) -> None:
    """Rewrite every thought without its reflections; all else stays.

    Reads and writes `traces.jsonl`: the same traces in the same order, so that every arm trains on
    the same problems. A rewriting cannot be used if it was refused or cut off, lacks its marks, is
    empty, is the thought itself with keywords in it, or states the final answer no more where the
    thought did. Such a trace is neither left as it is nor left out: it loses its sentences with
    keywords (`BY_RULE`), and is named in `unusable.jsonl`. A thought without text is not asked
    about.

    `summary.json` counts them and the keywords before and after, and gives `length_ratio`:
    characters of thought after for each before.

    Raises:
        ValueError: more rewritings cannot be used than `compute.max_unusable` allows.
    """
    before = list(read_traces(traces / "traces.jsonl"))
    asked = [trace for trace in before if trace.thought.strip()]
    texts = [converse.texts(trace) for trace in asked]
    replies = converse.ask(model, texts, keep=out / "rows.jsonl", compute=compute)
    said = {t.id: _rewritten(t, reply) for t, reply in zip(asked, replies, strict=True)}
    unusable = {name: made for name, made in said.items() if isinstance(made, str)}
    converse.set_aside(unusable, len(asked), out / "unusable.jsonl", compute)
    after = [_usable(trace, said.get(trace.id, trace)) for trace in before]
    write_records(out / "traces.jsonl", after)
    length = sum(len(trace.thought) for trace in before)
    counts = {
        "traces": len(before),
        "rewritten": len(asked) - len(unusable),
        "unusable": len(unusable),
        "keywords_before": sum(count_keywords(trace.thought) for trace in before),
        "keywords_after": sum(count_keywords(trace.thought) for trace in after),
        "length_ratio": sum(len(t.thought) for t in after) / length if length else None,
    }
    write_json(out / "summary.json", counts)
    (out / "rows.jsonl").unlink(missing_ok=True)


def _rewritten(trace: Trace, reply: Completion | Refusal) -> Trace | str:
    """The trace as rewritten, or why it is not."""
    if isinstance(reply, Refusal):
        return f"refused: {reply}"
    if reply.finish_reason == "length":
        return "the rewriting was cut off"
    _, opened, rest = reply.text.partition(OPEN)
    text, closed, _ = rest.partition(CLOSE)
    if not opened or not closed:
        return "the rewriting lacks its marks"
    old, new = trace.thought.strip(), text.strip()
    if not new:
        return "the rewriting is empty"
    if new == old and count_keywords(old):
        return "the rewriting changes nothing"
    answer = (extract(trace.solution) or trace.problem.answer).strip()
    if answer and (stated := occurrence(answer)).search(old) and not stated.search(new):
        return "the rewriting loses the answer"
    return replace(trace, thought=trace.thought.replace(old, new, 1))  # blanks around it stay


def _usable(trace: Trace, made: Trace | str) -> Trace:
    if isinstance(made, Trace):
        return made
    (item,) = remove_keywords([trace], BY_RULE, Borrow())
    return item.trace
