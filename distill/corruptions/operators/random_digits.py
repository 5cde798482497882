"""Does the student need correct numbers? arXiv:2502.07374, section 4.1."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from operator import ne
from random import Random

import numpy as np

from distill.corruptions.config import CorruptionConfig
from distill.corruptions.operators import Borrow, Damaged, declares, stream
from distill.trace.records import Trace

_UNITS = {
    "digit": re.compile(r"([0-9])"),
    # `\b[0-9]+(\.[0-9]+)?\b` of the released code, its first digit first: found twice as fast.
    "number": re.compile(r"([0-9](?<!\w[0-9])[0-9]*(?:\.[0-9]+)?\b)"),
}
_VALUES = {"digit": [*"0123456789"], "number": [*"0123456789", "10"]}
"""What a redrawn unit can become."""


@declares(
    "content",
    colour="#0072b2",
    unit=("digit", "number"),
    scope=("response", "thought"),
    mode=("independent", "consistent"),
)
def random_digits(
    corpus: Iterable[Trace], config: CorruptionConfig, borrow: Borrow
) -> Iterator[Damaged]:
    """Replace a share of the digits, or of the numbers; the text around them stays byte-equal.

    Each unit is redrawn with probability `config.fraction`. Its new value is drawn in any case, so
    that it is the same at every fraction. One that is redrawn as what it was is not damaged, so
    that at fraction f a share of about 0.9 f of the digits is. By `config.unit`:

    * `digit`, the paper's: an ASCII digit becomes a random one, in one case of ten the same.
    * `number`, the released code's (SkyThought, branch `corrupt`, corrupt_data.py): a standalone
      number such as 1024 or 2.5, not the 2 of `2x`, becomes a random integer from 0 to 10.

    By `config.mode`:

    * `independent`, as in both: each unit has a draw of its own.
    * `consistent`, our control: one permutation of the ten digits, which maps none to itself, is
      applied to all redrawn units of a trace, so that equal numbers stay equal.

    By `config.scope` the damage is done to the whole `response`, final answer included, as in the
    released code, or only to the `thought`.
    """
    return (_damage(trace, config) for trace in corpus)


def _damage(trace: Trace, config: CorruptionConfig) -> Damaged:
    rng = stream(config, trace)
    image = _permutation(rng) if config.mode == "consistent" else None
    thought, units, damaged = _redraw(trace.thought, config, rng, image)
    solution = trace.solution
    if config.scope == "response":
        solution, more, hit = _redraw(solution, config, rng, image)
        units, damaged = units + more, damaged + hit
    if not damaged:
        return Damaged(trace, units, 0)
    return Damaged(replace(trace, thought=thought, solution=solution), units, damaged)


def _redraw(
    text: str, config: CorruptionConfig, rng: Random, image: dict[int, int] | None
) -> tuple[str, int, int]:
    """The text with a share of its units redrawn; how many there are; how many are now others."""
    unit = str(config.unit)
    pieces = _UNITS[unit].split(text)  # the units are at the odd places
    old = pieces[1::2]
    draws = np.frombuffer(rng.randbytes(8 * len(old)), "<u4").reshape(-1, 2)
    chosen = draws[:, 0] < config.fraction * 2.0**32
    if image is None:
        values = _VALUES[unit]
        new = [values[draw] for draw in (draws[:, 1] % len(values)).tolist()]
    else:
        new = [number.translate(image) for number in old]
    pieces[1::2] = [b if hit else a for a, b, hit in zip(old, new, chosen.tolist(), strict=True)]
    return "".join(pieces), len(old), sum(map(ne, old, pieces[1::2]))


def _permutation(rng: Random) -> dict[int, int]:
    """A random permutation of the ten digits that maps none to itself, for `str.translate`."""
    image = list(range(10))
    while any(digit == place for place, digit in enumerate(image)):
        rng.shuffle(image)
    return str.maketrans("0123456789", "".join(map(str, image)))
