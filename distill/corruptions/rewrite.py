"""Have a model remove the reflections of selected traces, for the corruption that asks for it.

In the released code of arXiv:2502.07374 (NovaSky-AI/SkyThought, branch `corrupt`, tag_output.py)
GPT-4o-mini rewrites a share of the responses, and whatever comes back is trained on, error messages
included. Here only the thought is rewritten, so that all arms have the same solutions; and that of
every selected trace, so that all corruption rates draw on one artifact.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from distill.compute import ComputeConfig
from distill.corruptions.config import CorruptionConfig
from distill.corruptions.edit_answer import occurrence
from distill.corruptions.operators import Borrow
from distill.corruptions.operators.remove_keywords import remove_keywords
from distill.grading.answers import extract
from distill.models.annotate import ReplyError, annotate, annotator_pins, limit_failed
from distill.models.config import AskConfig
from distill.models.converse import REPLIES
from distill.models.engines import Completion
from distill.store.artifacts import read_json, write_json
from distill.store.identity import content_hash
from distill.trace.keywords import DEFAULT, PIN, count_keywords, list_file
from distill.trace.records import Trace, read_traces, write_records

VERSION = 4

OPEN, CLOSE = "<|begin_of_thought|>", "<|end_of_thought|>"
"""What a reply must put the rewritten thought between."""

BY_RULE = CorruptionConfig("remove_keywords", 1.0, unit="sentence")
"""What becomes of a thought whose rewriting cannot be used."""


def pins(model: AskConfig, traces: Any, keywords: str = DEFAULT) -> dict[str, Any]:
    """What decides the thoughts from outside: weights, engine, and the keywords of `BY_RULE`."""
    return annotator_pins(model) | {PIN: content_hash(list_file(keywords))}


def rewrite_traces(
    model: AskConfig,
    traces: Path,
    keywords: str = DEFAULT,
    *,
    compute: ComputeConfig,
    out: Path,
) -> None:
    """Rewrite every thought without its reflections; all else stays.

    Reads and writes `traces.jsonl`: the same traces in the same order, so that every arm trains on
    the same problems. A rewriting cannot be used if it was refused or cut off, lacks its marks, is
    empty, equals a thought with keywords, or no longer states the final answer where the thought
    did. Such a trace is neither kept as it is nor dropped: it loses its sentences with keywords
    (`BY_RULE`), and is named in `failed.jsonl`. A thought without text is not asked about.
    `keywords` names the list, see `distill.trace.keywords`.

    `summary.json` counts them and the keywords before and after, and gives `length_ratio`:
    characters of thought after per character before.

    Raises:
        ValueError: more rewritings cannot be used than `compute.max_unusable` allows.
    """
    before = list(read_traces(traces / "traces.jsonl"))
    asked = [trace for trace in before if trace.thought.strip()]
    parse = partial(_rewritten, keywords=keywords)
    made, failed = annotate(model, asked, parse, compute=compute, out=out)
    by_rule = {call.id for call in failed}
    after = [_by_rule(t, keywords) if t.id in by_rule else made.get(t.id, t) for t in before]
    write_records(out / "traces.jsonl", after)
    length = sum(len(trace.thought) for trace in before)
    counts = {
        "traces": len(before),
        "rewritten": len(made),
        "failed": len(failed),
        "keywords_before": sum(count_keywords(trace.thought, keywords) for trace in before),
        "keywords_after": sum(count_keywords(trace.thought, keywords) for trace in after),
        "length_ratio": sum(len(t.thought) for t in after) / length if length else None,
    }
    write_json(out / "summary.json", counts)
    (out / REPLIES).unlink(missing_ok=True)


def served(model: AskConfig, traces: Path, *rest: Any, compute: ComputeConfig, out: Path) -> None:
    """Check `compute.max_unusable` whenever the replies are used."""
    given = traces / "traces.jsonl"
    if read_json(out / "summary.json")["failed"] and given.exists():
        asked = sum(bool(t.thought.strip()) for t in read_traces(given))
        limit_failed(asked, compute, out)


def _rewritten(trace: Trace, reply: Completion, keywords: str) -> Trace:
    if reply.finish_reason == "length":
        raise ReplyError("the rewriting was cut off")
    _, opened, rest = reply.text.partition(OPEN)
    text, closed, _ = rest.partition(CLOSE)
    if not opened or not closed:
        raise ReplyError("the rewriting lacks its marks")
    old, new = trace.thought.strip(), text.strip()
    if not new:
        raise ReplyError("the rewriting is empty")
    if new == old and count_keywords(old, keywords):
        raise ReplyError("the rewriting changes nothing")
    answer = (extract(trace.solution) or trace.problem.answer).strip()
    if answer and (stated := occurrence(answer)).search(old) and not stated.search(new):
        raise ReplyError("the rewriting loses the answer")
    return replace(trace, thought=trace.thought.replace(old, new, 1))  # blanks around it stay


def _by_rule(trace: Trace, keywords: str) -> Trace:
    (item,) = remove_keywords([trace], BY_RULE, Borrow(keywords=keywords))
    return item.trace
