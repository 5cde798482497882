"""Ask a model about every problem or trace of a stage and parse its replies.

A new annotator is a prompt in `conf/ask/` and a function that parses its replies; `annotate` does
the rest.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from distill.compute import ComputeConfig
from distill.models import engines, hub
from distill.models.config import AskConfig
from distill.models.converse import REPLIES, converse
from distill.models.engines import Completion, Refusal
from distill.models.prompt import conversation
from distill.store.identity import canonical_json
from distill.trace.records import Problem, Trace, digest, read_rows, write_any

FAILED = "failed.jsonl"
"""File of a stage that names the model calls which gave nothing usable: `id` and `why`."""

_FIELD = re.compile(r"\{(question|answer|thought|solution)\}")

Item = TypeVar("Item", Problem, Trace)
Made = TypeVar("Made")


class ReplyError(ValueError):
    """A reply that cannot be used; the message says why."""


@dataclass(frozen=True)
class Failed:
    """A model call that gave nothing usable."""

    id: str
    """Of the problem or trace it was about."""

    why: str


def annotator_pins(config: AskConfig) -> dict[str, Any]:
    """What decides the replies from outside the config: weights and engine."""
    return {
        "model": hub.resolve_model(config.model, config.revision, config.engine),
        "engine": engines.pins(config.engine),
    }


def fields(item: Problem | Trace) -> dict[str, str]:
    """What the user message of an annotator can name of a problem or a trace."""
    if isinstance(item, Problem):
        return {"question": item.question, "answer": item.answer}
    return fields(item.problem) | {"thought": item.thought, "solution": item.solution}


def annotate(
    model: AskConfig,
    items: Sequence[Item],
    parse: Callable[[Item, Completion], Made],
    *,
    fill: Callable[[Item], Mapping[str, str]] = fields,
    failed: Sequence[Failed] = (),
    compute: ComputeConfig,
    out: Path,
) -> tuple[dict[str, Made], list[Failed]]:
    """Ask a model about every problem or trace and parse its replies.

    Args:
        model: the annotator; see `ask`.
        items: what it is asked about; their ids are distinct.
        parse: an item and the reply about it -> what the reply says; raises ReplyError where it
            cannot be used. Refused prompts never get here.
        fill: an item -> the fields of the user message.
        failed: items that failed before they could be asked about; reported with the others.
        compute: devices, concurrency, progress bar, and how many calls may fail.
        out: the stage's folder. Replies are cached in its `rows.jsonl`, from which a killed call
            continues; failed calls are named in its `failed.jsonl`.

    Returns:
        Id -> what was parsed, and the calls that failed, both in the order of the items.

    Raises:
        ValueError: more calls failed than `compute.max_unusable` allows.
    """
    replies = ask(model, [fill(item) for item in items], keep=out / REPLIES, compute=compute)
    made: dict[str, Made] = {}
    lost: list[Failed] = []
    for item, reply in zip(items, replies, strict=True):
        if isinstance(reply, Refusal):
            lost.append(Failed(item.id, f"refused: {reply}"))
            continue
        try:
            made[item.id] = parse(item, reply)
        except ReplyError as error:
            lost.append(Failed(item.id, str(error)))
    lost += failed
    report_failed(lost, len(items) + len(failed), compute, out)
    return made, lost


def report_failed(failed: Sequence[Failed], calls: int, compute: ComputeConfig, out: Path) -> None:
    """Write the failed ones of all `calls` to `out/failed.jsonl`; no file if there are none.

    Raises:
        ValueError: their share is above `compute.max_unusable`; names the most frequent reasons.
    """
    write_any(out / FAILED, [asdict(call) for call in failed])
    limit_failed(calls, compute, out)


def limit_failed(calls: int, compute: ComputeConfig, out: Path) -> None:
    """Stop where too many of all `calls` failed, when they are made and whenever they are used.

    Raises:
        ValueError: the share of `out/failed.jsonl` is above `compute.max_unusable`; names the most
            frequent reasons.
    """
    failed = [Failed(**row) for row in read_rows(out / FAILED)] if (out / FAILED).exists() else []
    if len(failed) > compute.max_unusable * calls:
        reasons = Counter(call.why for call in failed).most_common(5)
        raise ValueError(
            f"{len(failed)} of {calls} replies cannot be used, more than compute.max_unusable="
            f"{compute.max_unusable} allows: {', '.join(f'{n} × {why}' for why, n in reasons)}; "
            f"{out / FAILED} names them. Repeated, the run asks again only what was refused"
        )


def ask(
    config: AskConfig, fills: Sequence[Mapping[str, str]], *, keep: Path, compute: ComputeConfig
) -> list[Completion | Refusal]:
    """The reply of a model about every text, in order; equal texts are asked about once.

    `fills` says for each text what `{question}`, `{answer}`, `{thought}` and `{solution}` stand for
    in the user message. Texts are filled in as they are: their own braces mean nothing. For `keep`
    and the replies see `converse`.

    Raises:
        ValueError: the user message names a field that a text does not give, or more texts are
            refused than `compute.max_unusable` allows.
    """
    if not fills:
        return []
    chats = [conversation(config.system, _filled(config.user, fill)) for fill in fills]
    keys = [digest(canonical_json(chat)) for chat in chats]
    asked = dict(zip(keys, chats, strict=True))
    replies = converse(
        hub.model_of(config.model, config.revision, config.engine),
        config.engine,
        config.sampling,
        list(asked.values()),
        list(asked),
        keep=keep,
        compute=compute,
    )
    by_key = dict(zip(asked, replies, strict=True))
    return [by_key[key] for key in keys]


def _filled(user: str, fill: Mapping[str, str]) -> str:
    missing = {name for name in _FIELD.findall(user) if name not in fill}
    if missing:
        raise ValueError(
            f"the user message names {sorted(missing)}, but here only {sorted(fill)} can be filled"
        )
    return _FIELD.sub(lambda match: fill[match[1]], user)
