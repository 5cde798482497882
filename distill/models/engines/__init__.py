"""Engines that generate text with a model: a module each, with `LIBRARIES`, `generate`, `free`."""

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
from distill.models.template import DATE
from distill.store.identity import version

Prompt = list[int] | list[dict[str, str]]
"""Token ids; or, where `engine.wants_messages`, messages with `role` and `content`."""


class EngineError(RuntimeError):
    """An engine stopped, or could not complete some of the prompts; the message says what to do."""


@dataclass(frozen=True)
class Completion:
    """A model's response to a prompt."""

    ids: list[int]
    """Token ids without the end token; empty if a server does not return them."""

    text: str
    """The same as text, with special tokens written out."""

    finish_reason: Literal["stop", "length"]
    """`length` if it was cut at `sampling.max_new_tokens`, or at the engine's context length
    (`engine.context`, or the server's)."""

    tokens: int
    """Tokens generated, including the end token."""

    reasoning: str | None = None
    """The thought, if a chat server returns it separately; `text` is then what follows it."""

    model: str | None = None
    """The model's name as a server's reply gives it."""


@dataclass(frozen=True)
class Refusal:
    """A prompt that an engine will not complete, however often it is sent."""

    why: str
    """The engine's reason, such as a content filter, or a prompt that is too long."""

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
    """Complete prompts; the caller keeps track of which are pending.

    For k samples of a problem pass its prompt k times, each with its own seed. A prompt at which an
    engine keeps failing stays pending; all others are completed before the error is raised.

    Args:
        engine: which engine, and its options.
        model: weights and tokenizer.
        prompts: token ids, not text, so that every engine gets the same; or messages.
        seeds: of each prompt's own stream of random numbers; read if `sampling.temperature` > 0.
        sampling: how tokens are drawn.
        done: indices of prompts whose completions the caller has.
        compute: device, threads, progress bar.

    Yields:
        Index of the prompt, and its completion or refusal, in the order in which they finish.

    Raises:
        ValueError: there is not one seed per prompt.
        ModuleNotFoundError: the engine's package is not installed.
        EngineError: the engine stopped, or could not complete some of the prompts.
    """
    from tqdm import tqdm

    if len(seeds) != len(prompts):
        raise ValueError(f"{len(prompts)} prompts need as many seeds, got {len(seeds)}")
    module = _module(engine.kind)
    free(but=engine.kind)
    made = module.generate(engine, model, prompts, seeds, sampling, done=done, compute=compute)
    new = (reply for reply in made if reply[0] not in done)  # a batch may hold some that are done
    total = {"total": len(prompts), "initial": len(done)}
    return iter(tqdm(new, "generate", disable=not compute.progress, **total))


def free(but: str = "") -> None:
    """Release the memory of every model that an engine keeps for its next call, `but` one's."""
    for name in {*ENGINES} - {but}:
        if module := sys.modules.get(f"{__name__}.{name}"):
            module.free()


def absent(kind: str) -> str:
    """Why such an engine cannot run here, where it needs a package that is not; else empty."""
    return getattr(_module(kind), "absent", str)()


def pins(engine: EngineConfig) -> dict[str, str | None]:
    """What decides what the engine generates: versions of libraries, the date in prompts."""
    libraries = {name: version(name) for name in _module(engine.kind).LIBRARIES}
    return libraries | ({} if engine.wants_messages else {"date": DATE})


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"{__name__}.{name}")


def end_tokens(stated: int | list[int] | None, tokenizer: Any) -> set[int]:
    """Tokens that end a response: those stated by a generation config, and the tokenizer's."""
    return {*(stated if isinstance(stated, list) else [stated]), tokenizer.eos_token_id} - {None}


def completed(ids: Sequence[int], ends: Collection[int], tokenizer: Any) -> Completion:
    """The completion that generated tokens make, of which the last may be one of `ends`."""
    stopped = bool(ids) and ids[-1] in ends
    kept = list(ids[:-1] if stopped else ids)
    text = tokenizer.decode(kept, clean_up_tokenization_spaces=False)
    return Completion(kept, text, "stop" if stopped else "length", len(ids))


def raise_failed(failed: Mapping[int, str], asked: int) -> None:
    """Raise EngineError if any of the `asked` prompts failed: index of the prompt -> reason."""
    if failed:
        reasons = "; ".join(f"{n} × {why}" for why, n in Counter(failed.values()).most_common(3))
        raise EngineError(
            f"{len(failed)} of {asked} prompts could not be completed and stay pending, the first "
            f"of them number {min(failed)}: {reasons}"
        )
