"""Reflection keywords: the words that show a turn of thought, and where a text has them."""

import re
import string
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from distill.characters import code_points

KEYWORDS = Path(__file__).parent / "corruptions" / "keywords.txt"
"""The list as data, with its sources."""

_MARKER = re.compile(r"\d{1,3}[.)][^\S\n]+")
_MARKER_LENGTHS = range(3, 8)
_OPENING = re.compile(r"(?:\d{1,3}[.)]\s)?\W*")

_END, _CLOSER, _LOWER, _BLANK, _NEW_LINE = 1, 2, 3, 4, 5
_ALL = np.zeros(0x3002, np.uint8)  # the last white space of Unicode is U+3000
_ALL[[code for code in range(0x3001) if chr(code).isspace()]] = _BLANK
_ALL[[ord(c) for c in string.ascii_lowercase]] = _LOWER
_ALL[[ord(c) for c in ".!?\u2026"]] = _END
_ALL[[ord(c) for c in "\"')]*\u201d\u2019"]] = _CLOSER
_ALL[ord("\n")] = _NEW_LINE
_ASCII = _ALL[:128].tobytes() + bytes(128)


class Sentence(NamedTuple):
    """A sentence that holds reflection keywords."""

    start: int
    """Where its first character stands in the text; a list marker before it belongs to it."""

    end: int
    """Where it ends; the blanks after it do not belong to it."""

    hits: list[tuple[int, int]]
    """Start and end, in the text, of every keyword in it; at least one."""

    def opens(self, text: str) -> bool:
        """Whether it opens with a keyword, marks of lists and quotes aside."""
        return _OPENING.fullmatch(text, self.start, self.hits[0][0]) is not None


@cache
def keywords() -> tuple[str, ...]:
    """The keywords of `keywords.txt`, in lower case, the longest first.

    Raises:
        ValueError: a keyword is not plain ASCII words, so that it could not be found.
    """
    lines = KEYWORDS.read_text(encoding="utf-8").splitlines()
    found = {line.strip().lower() for line in lines if line.strip() and not line.startswith("#")}
    for keyword in found:
        if not keyword.isascii() or not re.fullmatch(r"\w.*\w", keyword):
            raise ValueError(
                f"{KEYWORDS.name}: {keyword!r} must be ASCII that begins and ends in a word"
            )
    return tuple(sorted(found, key=lambda keyword: (-len(keyword), keyword)))


def find_keywords(text: str) -> list[tuple[int, int]]:
    """Start and end of every keyword in the text, in order; none overlaps another.

    Keywords are whole words in any case: `But` and `but`, never `butter`.
    """
    # As long as the text, so that places agree, and several times faster to search.
    shadow = text.encode("ascii", "replace").lower()
    needles, keyword = _matchers()
    places = []
    for needle in needles:
        place = shadow.find(needle)
        while place >= 0:
            places.append(place)
            place = shadow.find(needle, place + len(needle))
    hits: list[tuple[int, int]] = []
    done = 0
    for place in sorted(places):
        if place >= done and (match := keyword.match(text, place)):
            hits.append(match.span())
            done = match.end()
    return hits


def count_keywords(text: str) -> int:
    """How many reflection keywords the text has."""
    return len(find_keywords(text))


def keyword_sentences(text: str) -> list[Sentence]:
    """The sentences that hold a keyword, in order.

    A sentence ends with its line, or at `.`, `!`, `?` or an ellipsis (and up to two closing quotes
    or brackets) before a blank and anything but a lower-case letter, so that "e.g. this" is no end.
    """
    hits = find_keywords(text)
    if not hits:
        return []
    starts, ends, new_line = _bounds(text)
    places = np.searchsorted(starts, [hit[0] for hit in hits], "right") - 1
    before = np.where(new_line[places - 1], starts[places - 1], starts[places])
    bounds = np.stack((starts[places], ends[places], before), axis=1).tolist()
    sentences: list[Sentence] = []
    done = 0
    for hit, (start, end, marker) in zip(hits, bounds, strict=True):
        if hit[0] < done:
            sentences[-1].hits.append(hit)
            continue
        # The dot of a list's "1." is no end.
        if start - marker in _MARKER_LENGTHS and _MARKER.fullmatch(text, marker, start):
            start = marker
        sentences.append(Sentence(start, end, [hit]))
        done = end
    return sentences


def _bounds(text: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Start and end of every sentence of the text, and whether it is the first of its line."""
    kinds = _kinds(text)
    blank = np.ones(len(kinds) + 2, bool)
    np.greater_equal(kinds, _BLANK, out=blank[1:-1])
    edges = np.flatnonzero(blank[1:] != blank[:-1])
    starts, ends = edges[::2], edges[1::2]  # of words
    last = kinds[ends - 1]
    for back in (2, 3):
        last = np.where(last == _CLOSER, kinds[np.maximum(ends - back, 0)], last)
    new_line = np.zeros(len(starts) + 1, bool)
    new_line[np.searchsorted(starts, np.flatnonzero(kinds == _NEW_LINE))] = True
    first = new_line[:-1].copy()
    first[1:] |= (last[:-1] == _END) & (kinds[starts[1:]] != _LOWER)
    first[:1] = new_line[:1] = True
    words = np.flatnonzero(first)
    return starts[words], ends[np.append(words[1:] - 1, len(ends) - 1)], new_line[words]


def _kinds(text: str) -> np.ndarray:
    """What each character is to the bounds of sentences; blanks are the two highest."""
    kinds = np.frombuffer(bytearray(text.encode("ascii", "replace").translate(_ASCII)), np.uint8)
    if not text.isascii():
        codes = code_points(text)
        wide = np.flatnonzero(codes > 127)
        kinds[wide] = _ALL[np.minimum(codes[wide], len(_ALL) - 1)]
    return kinds


@cache
def _matchers() -> tuple[tuple[bytes, ...], re.Pattern[str]]:
    """What to look for, the first two words of every keyword, and what confirms a keyword."""
    needles = sorted({" ".join(keyword.split()[:2]).encode() for keyword in keywords()})
    pattern = "|".join(map(re.escape, keywords()))
    return tuple(needles), re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE)
