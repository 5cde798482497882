"""Does the student need the steps in order, or only the steps? arXiv:2502.07374, section 4.2."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from operator import ne

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


@declares("structure", "steps shuffled", "#d55e00", steps=(*STEP_RULES, "model"))
def shuffle_steps(
    corpus: Iterable[Trace], config: CorruptionConfig, borrow: Borrow
) -> Iterator[Damaged]:
    """Permute a random share of each thought's steps among the places they came from.

    The unit is a step (`config.steps`). Of N steps round(fraction * N) are permuted, every
    permutation being equally likely; separators stay in their places, and the solution last. A step
    is damaged if another text then stands in its place: of n steps permuted one stays on average. A
    single step cannot move: where fewer than two are drawn, nothing is damaged. The paper publishes
    no code. Its steps, which a model finds, are `steps: model`.
    """
    split = with_steps(corpus, config, borrow)
    return (_shuffle(trace, parts, config) for trace, parts in split)


def _shuffle(trace: Trace, parts: Steps, config: CorruptionConfig) -> Damaged:
    total = len(parts.steps)
    if total < 2:
        return Damaged(trace, 0, 0)
    places = draw_units(stream(config, trace), total, config.fraction)
    if len(places) < 2:
        return Damaged(trace, total, 0)
    steps = list(parts.steps)
    # The places come in random order, so the sorted ones' steps are permuted at random.
    for place, source in zip(places, sorted(places), strict=True):
        steps[place] = parts.steps[source]
    thought = join(Steps(parts.lead, tuple(steps), parts.separators))
    return Damaged(replace(trace, thought=thought), total, sum(map(ne, steps, parts.steps)))
