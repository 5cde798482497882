"""What runs a model to generate: a module each, with `LIBRARIES` and a function `generate`."""

import importlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Literal

from distill.config import ComputeConfig, EngineConfig, SamplingConfig
from distill.hub import Model
from distill.store import version


@dataclass(frozen=True)
class Completion:
    """What a model wrote after a prompt."""

    ids: list[int]
    """Token ids, without the end token."""

    text: str
    """The same as text, special tokens written out."""

    finish_reason: Literal["stop", "length"]
    """`length` where it was cut at `sampling.max_new_tokens`."""

    tokens: int
    """Tokens generated, the end token counted."""


def generate(
    engine: EngineConfig,
    model: Model,
    prompts: Sequence[list[int]],
    seeds: Sequence[int],
    sampling: SamplingConfig,
    *,
    done: Collection[int] = frozenset(),
    compute: ComputeConfig,
) -> Iterator[tuple[int, Completion]]:
    """Complete prompts; what is owed and how far it got is the caller's to keep.

    An engine makes the same completions whether it is asked for all or for the rest: it may give
    prompts again that are done, where they were generated side by side with one that is owed.

    Args:
        engine: which, and its number format and batch.
        model: weights and tokenizer.
        prompts: token ids, not text, so that every engine sees the same.
        seeds: of each prompt's own stream of draws; read if `sampling.temperature` > 0.
        sampling: how tokens are drawn.
        done: indices of prompts whose completions the caller has.
        compute: device, threads, progress bar.

    Yields:
        Index of the prompt, and its completion, as they get ready.

    Raises:
        ValueError: there is no such engine.
    """
    if len(seeds) != len(prompts):
        raise ValueError(f"{len(prompts)} prompts need as many seeds, got {len(seeds)}")
    module = _module(engine.name)
    return module.generate(engine, model, prompts, seeds, sampling, done=done, compute=compute)


def pins(engine: EngineConfig) -> dict[str, str | None]:
    """Versions of the libraries that decide what the engine generates."""
    return {name: version(name) for name in _module(engine.name).LIBRARIES}


def _module(name: str) -> ModuleType:
    known = sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py"))
    if name not in known:
        raise ValueError(f"engine.name must be one of {', '.join(known)}; got {name!r}")
    return importlib.import_module(f"distill.engines.{name}")
