"""Does the student need steps that belong to the problem? arXiv:2502.07374, section 4.2."""

import hashlib
import heapq
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import replace
from operator import ne
from random import Random

import numpy as np

from distill.corruptions.config import CorruptionConfig
from distill.corruptions.operators import (
    STEP_RULES,
    Borrow,
    Damaged,
    declares,
    draw_units,
    stream,
    with_steps,
)
from distill.trace.records import Trace
from distill.trace.steps import Steps, join

DONORS = 1000
"""Most correct traces that steps are borrowed from; bounds the memory."""


@declares(
    "structure",
    "steps inserted",
    "#cc79a7",
    mode=("replace", "add"),
    steps=(*STEP_RULES, "model"),
)
def insert_steps(
    corpus: Iterable[Trace], config: CorruptionConfig, borrow: Borrow
) -> Iterator[Damaged]:
    """Put steps of other problems' correct traces into each thought.

    The unit is a step (`config.steps`); round(fraction * N) of N are drawn. By `config.mode`:

    * `replace`, the paper's: the steps drawn are replaced, so the number of steps stays. A step
      that is replaced by an equal text is not damaged.
    * `add`: the borrowed steps come after the steps drawn, so nothing of the trace is lost.

    For each borrowed step a donor is drawn, then one of its steps, both with replacement. Donors
    are the `DONORS` correct traces of `borrow.donors` whose hash with the seed is smallest. The
    paper publishes no code. Its steps, which a model finds, are `steps: model`; donors are then
    from the corpus, since the model is asked about no other traces (the paper, too, borrows from
    training samples).

    Raises:
        ValueError: a trace has steps to damage, but there is no donor of another problem.
    """
    donors = _Donors(config, borrow)
    split = with_steps(corpus, config, borrow)
    return (_insert(trace, parts, config, donors) for trace, parts in split)


class _Donors:
    """Steps to borrow, by donor; donors of one problem are adjacent, so they can be skipped."""

    def __init__(self, config: CorruptionConfig, borrow: Borrow) -> None:
        correct = (trace for trace in borrow.donors if trace.correct and trace.thought.strip())
        chosen = heapq.nsmallest(DONORS, correct, key=lambda trace: _rank(config.seed, trace.id))
        chosen.sort(key=lambda trace: (trace.problem.id, trace.id))
        self.problems = [trace.problem.id for trace in chosen]
        steps = [parts.steps for _, parts in with_steps(chosen, config, borrow)]
        self.steps = [step for own in steps for step in own]
        self.counts = np.array([len(own) for own in steps], np.uint64)
        self.firsts = np.cumsum(self.counts) - self.counts

    def draw(self, problem: str, total: int, places: list[int], rng: Random) -> list[str]:
        """Borrow a step for each of these places out of `total`, none from the same problem."""
        own = bisect_left(self.problems, problem), bisect_right(self.problems, problem)
        others = len(self.problems) - (own[1] - own[0])
        if not others:
            raise ValueError(
                f"insert_steps needs correct traces of other problems than {problem}, but all "
                f"{len(self.problems)} correct donors are of this problem"
            )
        draws = np.frombuffer(rng.randbytes(16 * total), "<u8").reshape(total, 2)[places]
        donors = (draws[:, 0] % others).astype(np.intp)
        donors[donors >= own[0]] += own[1] - own[0]
        chosen = self.firsts[donors] + draws[:, 1] % self.counts[donors]
        return [self.steps[place] for place in chosen.tolist()]


def _insert(trace: Trace, parts: Steps, config: CorruptionConfig, donors: _Donors) -> Damaged:
    total = len(parts.steps)
    rng = stream(config, trace)
    places = draw_units(rng, total, config.fraction)
    if not places:
        return Damaged(trace, total, 0)
    borrowed = donors.draw(trace.problem.id, total, places, rng)
    steps = list(parts.steps)
    # After the last step: the separator before it, if there is one.
    gaps = [*parts.separators[:-1], *parts.separators[-2:-1]] or ["\n\n"]
    for place, step in zip(places, borrowed, strict=True):
        steps[place] = step if config.mode == "replace" else steps[place] + gaps[place] + step
    thought = join(Steps(parts.lead, tuple(steps), parts.separators))
    return Damaged(replace(trace, thought=thought), total, sum(map(ne, steps, parts.steps)))


def _rank(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}:{name}".encode()).digest()
