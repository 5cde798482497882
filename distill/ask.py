"""LEAF. Conversations -> a model's replies, kept row by row; models that are asked about texts."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from distill import engines, hub
from distill.config import AskConfig, ComputeConfig, EngineConfig, SamplingConfig
from distill.engines import Completion
from distill.kept import append, kept_rows
from distill.prompt import Chat, chat_ids, conversation, opening
from distill.store import canonical_json
from distill.trace import digest

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
) -> list[Completion]:
    """Ask a model about every text, equal texts once.

    Args:
        config: the model, its messages, its sampling and engine.
        fills: for each text, what `{question}`, `{answer}`, `{thought}` and `{solution}` stand for
            in the user message. Texts are filled in as they are: their own braces mean nothing.
        keep: JSON lines file of the replies so far, left behind; a killed call continues from it.
        compute: devices, concurrency, progress bar.

    Returns:
        The reply to every text, in order, without token ids.

    Raises:
        ValueError: the user message names a field that a text does not give.
    """
    chats = [conversation(config.system, _filled(config.user, fill)) for fill in fills]
    keys = [digest(canonical_json(chat)) for chat in chats]
    asked = dict(zip(keys, chats, strict=True))
    model = hub.served(config.model, config.revision, config.engine) if asked else None
    replies = (
        converse(
            model,
            config.engine,
            config.sampling,
            list(asked.values()),
            list(asked),
            keep=keep,
            compute=compute,
        )
        if model
        else []
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
) -> list[Completion]:
    """A reply to every conversation.

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
    """
    rows = {row.pop("key"): row for row in kept_rows(keep)}
    done = {i for i, key in enumerate(keys) if key in rows}
    if len(done) < len(keys):
        prompts, opened = _prompts(model, engine, chats, thought_open)
        seeds = [int(digest(str(sampling.seed), key), 16) for key in keys]
        completions = engines.generate(
            engine, model, prompts, seeds, sampling, done=done, compute=compute
        )
        with keep.open("a", encoding="utf-8", newline="\n") as file:
            for i, completion in completions:
                if keys[i] in rows:
                    continue
                rows[keys[i]] = _row(completion, opened[i])
                append(file, {"key": keys[i]} | rows[keys[i]], flush=len(rows) % _FLUSH == 0)
    return [Completion(ids=[], **rows[key]) for key in keys]


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
    if engines.wants_messages(engine):
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
