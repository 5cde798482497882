"""Conversations -> a model's replies, kept row by row; models that are asked about texts."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from distill.compute import ComputeConfig
from distill.models import engines, hub
from distill.models.config import AskConfig, EngineConfig, SamplingConfig
from distill.models.engines import Completion, Refusal
from distill.models.prompt import Chat, chat_ids, conversation, opening
from distill.store.identity import canonical_json
from distill.store.resume import append, kept_rows
from distill.trace.records import Trace, digest, write_any

_FLUSH = 64
"""Replies between those that survive a power cut too."""

_FIELD = re.compile(r"\{(question|answer|thought|solution)\}")


def pins(config: AskConfig) -> dict[str, Any]:
    """What decides the replies from outside: weights and engine."""
    return {
        "model": hub.resolve_served(config.model, config.revision, config.engine),
        "engine": engines.pins(config.engine),
    }


def ask(
    config: AskConfig,
    fills: Sequence[Mapping[str, str]],
    *,
    keep: Path,
    compute: ComputeConfig,
) -> list[Completion | Refusal]:
    """Ask a model about every text, equal texts once.

    Args:
        config: the model, its messages, its sampling and engine.
        fills: for each text, what `{question}`, `{answer}`, `{thought}` and `{solution}` stand for
            in the user message. Texts are filled in as they are: their own braces mean nothing.
        keep: JSON lines file of the replies so far, left behind; a killed call continues from it.
        compute: devices, concurrency, progress bar.

    Returns:
        The reply to every text, in order; see `converse`.

    Raises:
        ValueError: the user message names a field that a text does not give, or too many texts are
            refused.
    """
    if not fills:
        return []
    chats = [conversation(config.system, _filled(config.user, fill)) for fill in fills]
    keys = [digest(canonical_json(chat)) for chat in chats]
    asked = dict(zip(keys, chats, strict=True))
    replies = converse(
        hub.served(config.model, config.revision, config.engine),
        config.engine,
        config.sampling,
        list(asked.values()),
        list(asked),
        keep=keep,
        compute=compute,
    )
    by_key = dict(zip(asked, replies, strict=True))
    return [by_key[key] for key in keys]


def converse(
    model: hub.Model,
    engine: EngineConfig,
    sampling: SamplingConfig,
    chats: Sequence[Chat],
    keys: Sequence[str],
    *,
    thought_open: str = "",
    keep: Path,
    compute: ComputeConfig,
) -> list[Completion | Refusal]:
    """A reply to every conversation, or why it is refused.

    Refusals are not kept: a call that continues asks again, in case the server was mended.

    Args:
        model: weights and tokenizer, or a server's name for them.
        engine: what generates.
        sampling: how replies are drawn, each from a stream of its own: `sampling.seed` and its key.
        chats: conversations; a server of chats gets them as they are, every other engine as the
            token ids that the tokenizer's chat template makes of them.
        keys: what names each of them in `keep`; distinct.
        thought_open: opening of a thought, put back before replies whose chat template wrote it.
        keep: JSON lines file of the replies so far, left behind; a killed call continues from it.
        compute: devices, concurrency, progress bar.

    Returns:
        The replies in order, without token ids.

    Raises:
        ValueError: more are refused than `compute.max_unusable` allows; the other replies are kept.
    """
    rows = {row.pop("key"): row for row in kept_rows(keep)}
    done = {i for i, key in enumerate(keys) if key in rows}
    refused: dict[str, Refusal] = {}
    if len(done) < len(keys):
        prompts, opened = _prompts(model, engine, chats, thought_open)
        seeds = [int(digest(str(sampling.seed), key), 16) for key in keys]
        completions = engines.generate(
            engine, model, prompts, seeds, sampling, done=done, compute=compute
        )
        with keep.open("a", encoding="utf-8", newline="\n") as file:
            for i, made in completions:
                if isinstance(made, Refusal):
                    refused[keys[i]] = made
                elif keys[i] not in rows:
                    rows[keys[i]] = _row(made, opened[i])
                    append(file, {"key": keys[i]} | rows[keys[i]], flush=len(rows) % _FLUSH == 0)
    if len(refused) > compute.max_unusable * len(keys):
        reasons = "; ".join(f"{name}: {refusal}" for name, refusal in islice(refused.items(), 5))
        raise ValueError(
            f"{len(refused)} of {len(keys)} prompts are refused for good, more than "
            f"compute.max_unusable={compute.max_unusable} allows; what was completed is kept. "
            f"{reasons}"
        )
    return [refused.get(key) or Completion(ids=[], **rows[key]) for key in keys]


def texts(trace: Trace) -> dict[str, str]:
    """What `ask` can fill in of a trace."""
    return {
        "question": trace.problem.question,
        "answer": trace.problem.answer,
        "thought": trace.thought,
        "solution": trace.solution,
    }


def set_aside(unusable: Mapping[str, str], asked: int, file: Path, compute: ComputeConfig) -> None:
    """Name the texts that a model was asked about in vain; stop where they are too many.

    Args:
        unusable: id of a text -> why its reply cannot be used.
        asked: texts asked about.
        file: JSON lines file to name them in, a row each; none where all are usable.
        compute: says how many may be unusable.

    Raises:
        ValueError: more are unusable than `compute.max_unusable` allows.
    """
    write_any(file, [{"id": name, "why": why} for name, why in unusable.items()])
    if len(unusable) > compute.max_unusable * asked:
        reasons = Counter(unusable.values()).most_common(5)
        raise ValueError(
            f"{len(unusable)} of {asked} replies cannot be used, more than compute.max_unusable="
            f"{compute.max_unusable} allows: {', '.join(f'{n} × {why}' for why, n in reasons)}; "
            f"{file} names them, and only what was refused is asked for again"
        )


def _row(completion: Completion, opened: str) -> dict[str, Any]:
    return {
        "text": opened + completion.text,
        "finish_reason": completion.finish_reason,
        "tokens": completion.tokens,
        "reasoning": completion.reasoning,
    }


def _prompts(
    model: hub.Model, engine: EngineConfig, chats: Sequence[Chat], thought_open: str
) -> tuple[Sequence[engines.Prompt], list[str]]:
    """What the engine is given, and what its templates wrote of each reply."""
    if engine.wants_messages:
        return list(chats), [""] * len(chats)
    tokenizer = hub.load_tokenizer(model)
    ids = [chat_ids(tokenizer, chat) for chat in chats]
    return ids, [opening(tokenizer, prompt, thought_open) for prompt in ids]


def _filled(user: str, fill: Mapping[str, str]) -> str:
    missing = {name for name in _FIELD.findall(user) if name not in fill}
    if missing:
        raise ValueError(
            f"the user message names {sorted(missing)}, but here only {sorted(fill)} can be filled"
        )
    return _FIELD.sub(lambda match: fill[match[1]], user)
