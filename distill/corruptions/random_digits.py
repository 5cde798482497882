"""Does the student need numbers that are right? arXiv:2502.07374, section 4.1."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from random import Random

import numpy as np

from distill.characters import code_points, text_of
from distill.config import CorruptionConfig
from distill.corruptions import Damaged, stream
from distill.trace import Trace

_ZERO = ord("0")
_LARGEST = 10
"""What a number can become at most."""
_WORD = np.array([chr(code).isalnum() or code == ord("_") for code in range(0x3000)])


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
    text: str, fraction: float, rng: Random, image: np.ndarray | None
) -> tuple[str, int, int]:
    """The text with its digits redrawn; how many it has; how many were redrawn."""
    codes = code_points(text)
    places = np.flatnonzero(_is_digit(codes))
    chosen, values = _draw(rng, len(places), fraction)
    hit = places[chosen]
    codes[hit] = _ZERO + (values[chosen] % 10 if image is None else image[codes[hit] - _ZERO])
    return text_of(codes), len(places), len(hit)


def _redraw_numbers(
    text: str, fraction: float, rng: Random, image: np.ndarray | None
) -> tuple[str, int, int]:
    """The text with its standalone numbers redrawn; how many it has; how many were redrawn."""
    codes = code_points(text)
    starts, ends = _numbers(codes)
    chosen, values = _draw(rng, len(starts), fraction)
    begin, lengths = starts[chosen], (ends - starts)[chosen]
    inside = _ranges(begin, lengths)
    if image is not None:
        hit = inside[_is_digit(codes[inside])]
        codes[hit] = _ZERO + image[codes[hit] - _ZERO]
        return text_of(codes), len(starts), len(chosen)
    new = values[chosen] % (_LARGEST + 1)
    ten, long = new == _LARGEST, lengths > 1
    codes[begin] = _ZERO + np.where(ten, 1, new)
    # The 0 of a 10 takes the place of the second character, if there is one, else a new place.
    codes[begin[ten & long] + 1] = _ZERO
    kept = np.ones(len(codes), bool)
    kept[inside] = False
    kept[begin] = kept[begin[ten & long] + 1] = True
    added = begin[ten & ~long] + 1
    codes, kept = np.insert(codes, added, _ZERO), np.insert(kept, added, True)
    return text_of(codes[kept]), len(starts), len(chosen)


def _ranges(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The places of all characters of the spans, one span after the other."""
    before = np.cumsum(lengths) - lengths
    return np.arange(lengths.sum()) + np.repeat(starts - before, lengths)


def _numbers(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    r"""Start and end of what `\b\d+(\.\d+)?\b` finds, for ASCII digits."""
    padded = np.zeros(len(codes) + 2, codes.dtype)
    padded[1:-1] = codes
    digit = _is_digit(padded)
    edges = np.flatnonzero(digit[1:] != digit[:-1])
    starts, ends = edges[::2], edges[1::2].copy()
    opens, closes = ~_is_word(padded[starts]), ~_is_word(padded[ends + 1])
    joined = (ends[:-1] + 1 == starts[1:]) & (padded[ends[:-1] + 1] == ord(".")) & closes[1:]
    for run in np.flatnonzero(joined).tolist():
        if opens[run]:  # "1.2.3" is 1.2 and 3, as the second run is no longer free to open one
            ends[run], opens[run + 1] = ends[run + 1], False
    found = opens & closes
    return starts[found], ends[found]


def _is_digit(codes: np.ndarray) -> np.ndarray:
    return codes - codes.dtype.type(_ZERO) < 10  # unsigned: what is below "0" wraps to above 10


def _is_word(codes: np.ndarray) -> np.ndarray:
    r"""Whether each character is one of `\w`."""
    found = _WORD[np.minimum(codes.astype(np.intp), len(_WORD) - 1)]
    for place in np.flatnonzero(codes >= len(_WORD)).tolist():
        found[place] = chr(codes[place]).isalnum()
    return found


def _draw(rng: Random, total: int, fraction: float) -> tuple[np.ndarray, np.ndarray]:
    """Places of the damaged among `total` units, and a value in [0, 2**32) for every unit."""
    draws = np.frombuffer(rng.randbytes(8 * total), "<u4").reshape(total, 2)
    return np.flatnonzero(draws[:, 0] < fraction * 2.0**32), draws[:, 1]


def _permutation(rng: Random) -> np.ndarray:
    """A random permutation of the ten digits that leaves none where it was, shape (10,)."""
    image = list(range(10))
    while any(digit == place for place, digit in enumerate(image)):
        rng.shuffle(image)
    return np.array(image, np.uint8)
