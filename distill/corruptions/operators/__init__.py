"""The operators that damage traces: one file each, with one public function of the same name.

An operator maps a corpus to a corpus, trace by trace. A trace's damage is drawn from a stream of
its own, so it depends on no order, subset or number of workers; and it is nested: with one seed,
what is damaged at a fraction is damaged at every larger one.
"""

import pkgutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from random import Random

import numpy as np

from distill.corruptions.config import CorruptionConfig
from distill.trace.records import Trace
from distill.trace.steps import Starts, Steps, split


@dataclass(frozen=True)
class Damaged:
    """What an operator made of one trace."""

    trace: Trace
    """The trace after it; equal to the one before where nothing was damaged."""

    units: int
    """Units that could be damaged; 0 where there are none. The operator names its unit."""

    damaged: int
    """Units redrawn, removed, replaced or moved; chance may give one its old text or place."""


@dataclass(frozen=True)
class Borrow:
    """What an operator may draw on besides the corpus; most operators read none of it."""

    donors: Iterable[Trace] = ()
    """What wrong answers and foreign steps are taken from: every verified trace, correct and wrong;
    with steps `model` the corpus, since the model was asked about no others."""

    rewritten: Iterable[Trace] = ()
    """Unit `reflection` only: the corpus as a model rewrote it, in the same order."""

    starts: Starts | None = None
    """Steps `model` only: where a model said that steps begin, by thought."""


Operator = Callable[[Iterable[Trace], CorruptionConfig, Borrow], Iterator[Damaged]]
"""(corpus, config, borrow) -> one `Damaged` for each trace of the corpus, in order."""


def operator(name: str) -> Operator:
    """The function `name` of the file `name`.

    Raises:
        ValueError: no file has this name.
    """
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    if name not in names:
        raise ValueError(f"unknown corruption {name!r}; known: {', '.join(names)}")
    return getattr(import_module(f"{__name__}.{name}"), name)


def with_steps(
    corpus: Iterable[Trace], config: CorruptionConfig, starts: Starts | None
) -> Iterator[tuple[Trace, Steps]]:
    """Each trace and its thought taken apart by `config.steps`; `starts` as for `steps.split`."""
    for trace in corpus:
        yield trace, split(trace.thought, str(config.steps), starts)


def stream(config: CorruptionConfig, trace: Trace) -> Random:
    """The trace's own stream of draws."""
    return Random(f"{config.seed}:{trace.id}")


def draw_units(rng: Random, total: int, fraction: float) -> list[int]:
    """Which of `total` units are damaged: the first round(fraction * total) of a random order.

    The draws do not depend on the fraction, so a smaller fraction gives a prefix of a larger one.
    """
    order = np.frombuffer(rng.randbytes(8 * total), "<u8").argsort(kind="stable")
    return order[: round(fraction * total)].tolist()
