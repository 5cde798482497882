"""The operators that damage traces: one file each, with one public function of the same name.

An operator maps a corpus to a corpus, trace by trace. Each trace has its own stream of random
draws, so its damage does not depend on order, subset or number of workers; and damage is nested:
with one seed, what is damaged at a fraction is damaged at every larger one.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from random import Random

import numpy as np

from distill.corruptions.config import CorruptionConfig
from distill.corruptions.declare import STEP_RULES as STEP_RULES
from distill.corruptions.declare import declares as declares
from distill.corruptions.locate import locate
from distill.trace.keywords import DEFAULT
from distill.trace.records import Trace
from distill.trace.steps import Starts, Steps, split


@dataclass(frozen=True)
class Damaged:
    r"""What an operator made of one trace.

    Four of the six steps of a thought were drawn and shuffled; one of them stayed where it was:

    >>> from distill.corruptions.operators.shuffle_steps import shuffle_steps
    >>> from distill.trace.records import Problem
    >>> problem = Problem.of("Use + or - between 2 4 1 7 to make 0.", "2+4+1-7", "sign_puzzle", "")
    >>> thought = "Let me try 2+4+1+7.\n\n14.\n\nNo.\n\nWait, 2+4+1-7.\n\n0.\n\nYes."
    >>> trace = Trace.of(problem, "scripted", 0, thought, r"So \boxed{2+4+1-7}.")
    >>> (made,) = shuffle_steps([trace], CorruptionConfig("shuffle_steps", 0.67), Borrow())
    >>> made.trace.thought
    'Yes.\n\n14.\n\nNo.\n\nLet me try 2+4+1+7.\n\n0.\n\nWait, 2+4+1-7.'
    >>> made.units, made.damaged
    (6, 3)
    """

    trace: Trace
    """The trace afterwards; equal to the one before where nothing was damaged."""

    units: int
    """Units that could be damaged, of the kind that the operator's docstring names."""

    damaged: int
    """Units whose text is another afterwards, is gone, or stands at another place. A unit that was
    drawn and by chance stays what and where it was does not count."""

    places: int | None = None
    """Where one unit is changed in several places of the text: in how many; else None."""


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

    keywords: str = DEFAULT
    """Name of the list of reflection keywords, see `distill.trace.keywords`."""


Operator = Callable[[Iterable[Trace], CorruptionConfig, Borrow], Iterator[Damaged]]
"""(corpus, config, borrow) -> one `Damaged` for each trace of the corpus, in order."""


def operator(kind: str, target: str | None = None) -> Operator:
    """The function of a corruption's `kind` and `_target_`.

    Raises:
        ValueError: see `distill.corruptions.locate.locate`.
    """
    return locate(kind, target).function


def with_steps(
    corpus: Iterable[Trace], config: CorruptionConfig, borrow: Borrow
) -> Iterator[tuple[Trace, Steps]]:
    """Each trace with its thought split by `config.steps`."""
    for trace in corpus:
        yield trace, split(trace.thought, str(config.steps), borrow.starts, borrow.keywords)


def stream(config: CorruptionConfig, trace: Trace) -> Random:
    """The trace's own stream of random draws."""
    return Random(f"{config.seed}:{trace.id}")


def draw_units(rng: Random, total: int, fraction: float) -> list[int]:
    """Which of `total` units are damaged: the first round(fraction * total) of a random order.

    The draws do not depend on the fraction, so a smaller fraction gives a prefix of a larger one.
    """
    order = np.frombuffer(rng.randbytes(8 * total), "<u8").argsort(kind="stable")
    return order[: round(fraction * total)].tolist()
