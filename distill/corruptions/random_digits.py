"""Does the student need numbers that are right? arXiv:2502.07374, section 4.1."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from random import Random

import numpy as np

from distill.config import CorruptionConfig
from distill.corruptions import Damaged, stream
from distill.trace import Trace

# The released code's \b\d+(\.\d+)?\b with its digit first, which finds the same twice as fast.
_NUMBER = re.compile(r"(\d(?<=\b\d)\d*(?:\.\d+)?\b)")
_INTEGERS = tuple(map(str, range(11)))
_ZERO = ord("0")


def random_digits(
    corpus: Iterable[Trace], config: CorruptionConfig, pool: Iterable[Trace]
) -> Iterator[Damaged]:
    """Replace a share of the digits, or of the numbers. Text around them stays byte-equal.

    Each unit is damaged with probability `config.fraction`; what becomes of it is drawn whatever
    the fraction. By `config.unit`:

    * `digit`, the paper's: an ASCII digit becomes a random one, its own again in one case of ten.
    * `number`, the released code's (SkyThought, branch `corrupt`, corrupt_data.py): a standalone
      number such as 1024 or 2.5, not the 2 of `2x`, becomes a random integer from 0 to 10.

    With `config.mode` `consistent` the digits of a damaged unit go through one permutation of the
    ten digits for all of the trace, which keeps none: equal numbers stay equal, the trace agrees
    with itself.

    By `config.scope` the damage is to the `response`, thought and solution with the final answer as
    in the released code, or to the `thought` alone, which keeps the label.
    """
    return (_damage(trace, config) for trace in corpus)


def _damage(trace: Trace, config: CorruptionConfig) -> Damaged:
    rng = stream(config, trace)
    image = _permutation(rng) if config.mode == "consistent" else None
    redraw = _redraw_digits if config.unit == "digit" else _redraw_numbers
    thought, units, damaged = redraw(trace.thought, config.fraction, rng, image)
    solution = trace.solution
    if config.scope == "response":
        solution, found, redrawn = redraw(trace.solution, config.fraction, rng, image)
        units, damaged = units + found, damaged + redrawn
    if not damaged:
        return Damaged(trace, units, 0)
    return Damaged(replace(trace, thought=thought, solution=solution), units, damaged)


def _redraw_digits(
    text: str, fraction: float, rng: Random, image: str | None
) -> tuple[str, int, int]:
    """The text with its digits redrawn; how many it has; how many were redrawn."""
    data = np.frombuffer(bytearray(text, "utf-8", "surrogatepass"), np.uint8)
    places = np.flatnonzero((data - _ZERO) < 10)  # unsigned: below "0" wraps to above 10
    chosen, values = _draw(rng, len(places), fraction)
    hit = places[chosen]
    if image is None:
        data[hit] = _ZERO + values[chosen] % 10
    else:
        data[hit] = np.frombuffer(image.encode(), np.uint8)[data[hit] - _ZERO]
    return data.tobytes().decode("utf-8", "surrogatepass"), len(places), len(hit)


def _redraw_numbers(
    text: str, fraction: float, rng: Random, image: str | None
) -> tuple[str, int, int]:
    """The text with its standalone numbers redrawn; how many it has; how many were redrawn."""
    pieces = _NUMBER.split(text)
    total = len(pieces) // 2
    chosen, values = _draw(rng, total, fraction)
    if image is None:
        new = [_INTEGERS[value] for value in (values[chosen] % len(_INTEGERS)).tolist()]
    else:
        table = str.maketrans("0123456789", image)
        new = [pieces[2 * place + 1].translate(table) for place in chosen.tolist()]
    for place, number in zip((2 * chosen + 1).tolist(), new, strict=True):
        pieces[place] = number
    return "".join(pieces), total, len(new)


def _draw(rng: Random, total: int, fraction: float) -> tuple[np.ndarray, np.ndarray]:
    """Places of the damaged among `total` units, and a value in [0, 2**32) for every unit."""
    draws = np.frombuffer(rng.randbytes(8 * total), "<u4").reshape(total, 2)
    return np.flatnonzero(draws[:, 0] < fraction * 2.0**32), draws[:, 1]


def _permutation(rng: Random) -> str:
    """A random permutation of the ten digits that leaves none where it was."""
    image = list("0123456789")
    while any(digit == str(place) for place, digit in enumerate(image)):
        rng.shuffle(image)
    return "".join(image)
