"""What runs a model to generate: a module each, with `LIBRARIES`, `generate` and `free`."""

import importlib
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

from distill.compute import ComputeConfig
from distill.models.config import ENGINES, EngineConfig, SamplingConfig
from distill.models.hub import Model
from distill.store.identity import version

Prompt = list[int] | list[dict[str, str]]
"""Token ids; or, where `engine.wants_messages`, messages with `role` and `content`."""


@dataclass(frozen=True)
class Completion:
    """What a model wrote after a prompt."""

    ids: list[int]
    """Token ids, without the end token; empty where a server does not give them."""

    text: str
    """The same as text, special tokens written out."""

    finish_reason: Literal["stop", "length"]
    """`length` where it was cut at `sampling.max_new_tokens`, or at the end of what the engine can
    hold (`engine.context`, or the server's)."""

    tokens: int
    """Tokens generated, the end token counted."""

    reasoning: str | None = None
    """The thought, where a chat server gives it apart; `text` is then what follows it."""


@dataclass(frozen=True)
class Refusal:
    """A prompt that an engine will not complete, however often it is asked."""

    why: str
    """In the server's words: its content filter, or a prompt that is too long for it."""

    def __str__(self) -> str:
        """The reason alone."""
        return self.why


def generate(
    engine: EngineConfig,
    model: Model,
    prompts: Sequence[Prompt],
    seeds: Sequence[int],
    sampling: SamplingConfig,
    *,
    done: Collection[int] = frozenset(),
    compute: ComputeConfig,
) -> Iterator[tuple[int, Completion | Refusal]]:
    """Complete prompts; what is owed and how far it got is the caller's to keep.

    k samples of a problem are its prompt k times, each with a seed of its own. An engine may give
    prompts again that are done, where they were generated side by side with one that is owed.
    A prompt at which an engine keeps failing stays owed; all others are generated before the error.

    Args:
        engine: which, and its number format.
        model: weights and tokenizer.
        prompts: token ids, not text, so that every engine sees the same; or messages.
        seeds: of each prompt's own stream of draws; read if `sampling.temperature` > 0.
        sampling: how tokens are drawn.
        done: indices of prompts whose completions the caller has.
        compute: device, threads, progress bar.

    Yields:
        Index of the prompt, and its completion or its refusal, as they get ready.

    Raises:
        ValueError: there is no such engine.
        ModuleNotFoundError: the engine's package is not installed.
        RuntimeError: the engine stopped, or prompts are left that it could not complete.
    """
    if len(seeds) != len(prompts):
        raise ValueError(f"{len(prompts)} prompts need as many seeds, got {len(seeds)}")
    module = _module(engine.kind)
    free(but=engine.kind)
    return module.generate(engine, model, prompts, seeds, sampling, done=done, compute=compute)


def free(but: str = "") -> None:
    """Give back the memory of every model that an engine keeps for its next call.

    Args:
        but: the engine that keeps its model.
    """
    for name in ENGINES:
        if name == but:
            continue
        module = sys.modules.get(f"{__name__}.{name}")
        if module:
            module.free()


def pins(engine: EngineConfig) -> dict[str, str | None]:
    """Versions of the libraries that decide what the engine generates."""
    return {name: version(name) for name in _module(engine.kind).LIBRARIES}


def _module(name: str) -> ModuleType:
    if name not in ENGINES:
        raise ValueError(f"engine.kind must be one of {', '.join(ENGINES)}; got {name!r}")
    return importlib.import_module(f"{__name__}.{name}")


def completed(ids: Sequence[int], ends: Collection[int], tokenizer: Any) -> Completion:
    """What a model generated.

    Args:
        ids: its tokens, of which the last may be one that ends a response.
        ends: tokens that do.
        tokenizer: the model's.
    """
    stopped = bool(ids) and ids[-1] in ends
    kept = list(ids[:-1] if stopped else ids)
    text = tokenizer.decode(kept, clean_up_tokenization_spaces=False)
    return Completion(kept, text, "stop" if stopped else "length", len(ids))


def raise_failed(failed: Mapping[int, str], asked: int) -> None:
    """Say how many prompts were not completed, and why.

    Args:
        failed: index of a prompt -> why.
        asked: how many there were in all.

    Raises:
        RuntimeError: there is one.
    """
    if failed:
        reasons = "; ".join(f"{n} × {why}" for why, n in Counter(failed.values()).most_common(3))
        raise RuntimeError(
            f"{len(failed)} of {asked} prompts could not be completed and stay owed, the first of "
            f"them number {min(failed)}: {reasons}"
        )
