"""Does the student need every step? arXiv:2502.07374, section 4.2."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import accumulate
from operator import add

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
from distill.trace.steps import Steps, join, keep


@declares(
    "structure",
    "steps deleted",
    "#e69f00",
    drawn_at_all=False,
    mode=("random", "prefix"),
    steps=(*STEP_RULES, "model"),
)
def delete_steps(
    corpus: Iterable[Trace], config: CorruptionConfig, borrow: Borrow
) -> Iterator[Damaged]:
    """Drop a share of each thought's steps; at 100 % only the solution is left.

    The unit is a step (`config.steps`). By `config.mode`:

    * `random`, the paper's: round(fraction * N) of N steps drawn at random.
    * `prefix`, our control for length: the thought is cut after a whole step, where its length in
      characters is nearest to what `random` keeps with the same seed. Order and continuity are
      kept, so what `random` costs beyond it is not due to shorter thoughts.

    The paper publishes no code. Its steps, which a model finds, are `steps: model`.
    """
    split = with_steps(corpus, config, borrow)
    return (_delete(trace, parts, config) for trace, parts in split)


def _delete(trace: Trace, parts: Steps, config: CorruptionConfig) -> Damaged:
    total = len(parts.steps)
    dropped = set(draw_units(stream(config, trace), total, config.fraction))
    if not dropped:
        return Damaged(trace, total, 0)
    kept = keep(parts, [place for place in range(total) if place not in dropped])
    if config.mode == "prefix":
        kept = _prefix(parts, len(join(kept)))
    return Damaged(replace(trace, thought=join(kept)), total, total - len(kept.steps))


def _prefix(parts: Steps, characters: int) -> Steps:
    """The first steps, as many as come nearest to this length; in a tie, the fewer."""
    around = len(parts.lead) + len(parts.separators[-1])
    sizes = [*map(len, parts.steps)]
    starts = accumulate(map(add, sizes, map(len, parts.separators)), initial=around)
    lengths = [0, *map(add, starts, sizes)]
    more = bisect_left(lengths, characters, 1, len(sizes))
    fewer = characters - lengths[more - 1] <= lengths[more] - characters
    return keep(parts, range(more - fewer))
