"""Batched chat completion with an on-disk cache that survives interruption."""

from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from distill.compute import ComputeConfig
from distill.models import engines, hub
from distill.models.config import EngineConfig, SamplingConfig
from distill.models.control import UnwritableError
from distill.models.engines import Completion, Refusal
from distill.models.prompt import Chat, chat_ids, opening
from distill.store.artifacts import write_json
from distill.store.resume import append, kept_rows
from distill.trace.records import digest

REPLIES = "rows.jsonl"
"""File of the replies so far; the stage deletes it once its own files are written."""

SERVED = "served.json"
"""File that names the models which answered, as a server's replies name them: name -> replies."""

_FLUSH = 64
"""Every how many replies the cache is forced to disk, so that they survive a power cut too."""


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
    """A reply to every conversation, or why the server refused it.

    Refusals are not cached: a call that continues asks again, in case the server was fixed. Where
    replies name the model, `served.json` beside `keep` counts them by that name.

    Args:
        model: weights and tokenizer, or a server's name for them.
        engine: what generates.
        sampling: how replies are drawn, each from its own stream: `sampling.seed` and its key.
        chats: conversations; a chat server gets them as they are, every other engine as the token
            ids that the tokenizer's chat template makes of them.
        keys: name of each of them in `keep`; distinct.
        thought_open: opening of a thought, put back before replies whose chat template wrote it.
        keep: JSON lines file of the replies so far, not deleted here; a killed call continues from
            it.
        compute: devices, concurrency, progress bar.

    Returns:
        The replies in order, without token ids. A conversation that the tokenizer cannot write as
        text is refused without being sent.

    Raises:
        ValueError: more are refused than `compute.max_unusable` allows; the other replies stay
            cached.
    """
    rows = {row.pop("key"): row for row in kept_rows(keep)}
    done = {i for i, key in enumerate(keys) if key in rows}
    refused: dict[str, Refusal] = {}
    if len(done) < len(keys):
        prompts, opened, unwritable = _prompts(model, engine, chats, thought_open)
        refused = {keys[i]: Refusal(why) for i, why in unwritable.items() if i not in done}
        asked = [i for i in range(len(keys)) if i not in unwritable]
        seeds = [int(digest(str(sampling.seed), keys[i]), 16) for i in asked]
        completions = engines.generate(
            engine,
            model,
            [prompts[i] for i in asked],
            seeds,
            sampling,
            done={place for place, i in enumerate(asked) if i in done},
            compute=compute,
        )
        with keep.open("a", encoding="utf-8", newline="\n") as file:
            for place, made in completions:
                i = asked[place]
                if isinstance(made, Refusal):
                    refused[keys[i]] = made
                elif keys[i] not in rows:
                    rows[keys[i]] = _row(made, opened[i])
                    append(file, {"key": keys[i]} | rows[keys[i]], flush=len(rows) % _FLUSH == 0)
    named = Counter(rows[key]["model"] for key in keys if rows.get(key, {}).get("model"))
    if named:
        write_json(keep.with_name(SERVED), dict(sorted(named.items())))
    if len(refused) > compute.max_unusable * len(keys):
        reasons = "; ".join(f"{name}: {refusal}" for name, refusal in islice(refused.items(), 5))
        raise ValueError(
            f"{len(refused)} of {len(keys)} prompts are refused for good, more than "
            f"compute.max_unusable={compute.max_unusable} allows; the other replies are kept. "
            f"{reasons}"
        )
    return [refused.get(key) or Completion(ids=[], **rows[key]) for key in keys]


def _row(completion: Completion, opened: str) -> dict[str, Any]:
    return {
        "text": opened + completion.text,
        "finish_reason": completion.finish_reason,
        "tokens": completion.tokens,
        "reasoning": completion.reasoning,
    } | ({"model": completion.model} if completion.model else {})


def _prompts(
    model: hub.Model, engine: EngineConfig, chats: Sequence[Chat], thought_open: str
) -> tuple[Sequence[engines.Prompt], list[str], dict[int, str]]:
    """What the engine is given, and what the chat template already wrote of each reply.

    The third is why the tokenizer cannot write some of them; their prompts are empty.
    """
    if engine.wants_messages:
        return list(chats), [""] * len(chats), {}
    tokenizer = hub.load_tokenizer(model)
    prompts: list[engines.Prompt] = []
    opened: list[str] = []
    unwritable: dict[int, str] = {}
    for i, chat in enumerate(chats):
        try:
            ids = chat_ids(tokenizer, chat)
        except UnwritableError as error:
            ids, unwritable[i] = [], f"the tokenizer cannot write it as text: {error}"
        prompts.append(ids)
        opened.append(opening(tokenizer, ids, thought_open))
    return prompts, opened, unwritable
