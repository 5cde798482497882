"""Does the student need numbers that are right? arXiv:2502.07374, section 4.1."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from random import Random

import numpy as np

from distill.corruptions.config import CorruptionConfig
from distill.corruptions.operators import Damaged, stream
from distill.trace.records import Trace

_ZERO = ord("0")
_LARGEST = 10
"""What a number can become at most."""
_TEN, _GONE, _EDGE = 0xFD, 0xFE, 0xFF  # no text has these bytes in UTF-8
_WORD = np.array([chr(code).isalnum() or code == ord("_") for code in range(128)] + [False] * 128)


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
    texts = [trace.thought, trace.solution] if config.scope == "response" else [trace.thought]
    codes = _joined(texts)
    units, damaged = redraw(codes, config.fraction, rng, image)
    if not damaged:
        return Damaged(trace, units, 0)
    thought, solution, *_ = *_parted(codes), trace.solution
    return Damaged(replace(trace, thought=thought, solution=solution), units, damaged)


def _joined(texts: list[str]) -> np.ndarray:
    """The texts in UTF-8, an edge around each; shape (bytes,), writable."""
    encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
    edge = bytes([_EDGE])
    return np.frombuffer(bytearray(edge + edge.join(encoded) + edge), np.uint8)


def _parted(codes: np.ndarray) -> list[str]:
    """The texts of such an array."""
    whole = codes.tobytes().translate(None, bytes([_GONE])).replace(bytes([_TEN]), b"10")
    return [text.decode("utf-8", "surrogatepass") for text in whole.split(bytes([_EDGE]))[1:-1]]


def _redraw_digits(
    codes: np.ndarray, fraction: float, rng: Random, image: np.ndarray | None
) -> tuple[int, int]:
    """Redraw digits in place; how many there are; how many were redrawn."""
    places = np.flatnonzero(_is_digit(codes))
    chosen, values = _draw(rng, len(places), fraction)
    hit = places[chosen]
    codes[hit] = _ZERO + (values[chosen] % 10 if image is None else image[codes[hit] - _ZERO])
    return len(places), len(hit)


def _redraw_numbers(
    codes: np.ndarray, fraction: float, rng: Random, image: np.ndarray | None
) -> tuple[int, int]:
    """Redraw standalone numbers in place; how many there are; how many were redrawn."""
    starts, ends = _numbers(codes)
    chosen, values = _draw(rng, len(starts), fraction)
    begin = starts[chosen]
    inside = _ranges(begin, ends[chosen] - begin)
    if image is not None:
        hit = inside[_is_digit(codes[inside])]
        codes[hit] = _ZERO + image[codes[hit] - _ZERO]
        return len(starts), len(chosen)
    new = values[chosen] % (_LARGEST + 1)
    codes[inside] = _GONE
    codes[begin] = np.where(new == _LARGEST, _TEN, _ZERO + new)
    return len(starts), len(chosen)


def _ranges(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The places of all characters of the spans, one span after the other."""
    before = np.cumsum(lengths) - lengths
    return np.arange(lengths.sum()) + np.repeat(starts - before, lengths)


def _numbers(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    r"""Start and end of what `\b\d+(\.\d+)?\b` finds, for ASCII digits."""
    digit = _is_digit(codes)
    edges = np.flatnonzero(digit[1:] != digit[:-1]) + 1
    starts, ends = edges[::2], edges[1::2].copy()
    opens, closes = ~_is_word(codes, starts - 1), ~_is_word(codes, ends)
    joined = (ends[:-1] + 1 == starts[1:]) & (codes[ends[:-1]] == ord(".")) & closes[1:]
    for run in np.flatnonzero(joined).tolist():
        if opens[run]:  # "1.2.3" is 1.2 and 3, as the second run is no longer free to open one
            ends[run], opens[run + 1] = ends[run + 1], False
    found = opens & closes
    return starts[found], ends[found]


def _is_digit(codes: np.ndarray) -> np.ndarray:
    return codes - codes.dtype.type(_ZERO) < 10  # unsigned: what is below "0" wraps to above 10


def _is_word(codes: np.ndarray, places: np.ndarray) -> np.ndarray:
    r"""Whether the characters that have a byte at these places are of `\w`."""
    near = codes[places]
    found = _WORD[near]
    wide = np.flatnonzero((near >= 0x80) & (near != _EDGE))
    if len(wide):
        first = places[wide]
        for _ in range(3):
            first = first - (codes[first] & 0xC0 == 0x80)
        after = first + 2 + (codes[first] >= 0xE0) + (codes[first] >= 0xF0)
        encoded = codes.tobytes()
        spans = zip(first.tolist(), after.tolist(), strict=True)
        found[wide] = [_is_wide_word(encoded[start:end]) for start, end in spans]
    return found


@cache
def _is_wide_word(encoded: bytes) -> bool:
    return encoded.decode("utf-8", "surrogatepass").isalnum()


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
