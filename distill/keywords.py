"""Reflection keywords: the words that show a turn of thought, and where a text has them."""

import re
import string
from functools import cache
from itertools import chain, pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from distill.characters import BLANK, CLOSER, ELLIPSIS, stand_ins

KEYWORDS = Path(__file__).parent / "corruptions" / "keywords.txt"
"""The list as data, with its sources."""

_MARKER = re.compile(r"\s*(\d{1,3}[.)][^\S\n]+)")
_MARKER_LENGTHS = range(3, 8)
_OPENING = re.compile(r"(?:\d{1,3}[.)]\s)?\W*")
_BLANKS = re.compile(r"\s*")

# What a character is to the bounds of sentences.
_OTHER, _DIGIT, _CLOSER, _LOWER, _BLANK, _NEW_LINE, _END = range(7)
_KINDS = np.full(256, _OTHER, np.uint8)
_KINDS[list(b"0123456789_")] = _DIGIT  # what stands for a wide digit, too
_KINDS[[*b"\"')]*", CLOSER]] = _CLOSER
_KINDS[list(string.ascii_lowercase.encode())] = _LOWER
_KINDS[[*(code for code in range(128) if chr(code).isspace()), BLANK]] = _BLANK
_KINDS[list(b"\n")] = _NEW_LINE
_KINDS[[*b".!?", ELLIPSIS]] = _END
_KINDS_OF = _KINDS.tobytes()
_AFTER = b"\n" * 4
"""Put after a text, so that what follows a place can be looked at without asking for its end."""
_IN_WORD = np.array(
    [chr(code).isalnum() or code == ord("_") for code in range(128)] + [False] * 128
)


class Sentence(NamedTuple):
    """A sentence that holds reflection keywords."""

    start: int
    """Where its first character stands in the text; a list marker before it belongs to it."""

    end: int
    """Where it ends; the blanks after it do not belong to it."""

    hits: list[tuple[int, int]]
    """Start and end, in the text, of every keyword in it; at least one."""


class Bounds(NamedTuple):
    """The N sentences of a text that hold its M reflection keywords."""

    starts: np.ndarray
    """Shape (N,); see `Sentence.start`."""

    ends: np.ndarray
    """Shape (N,); see `Sentence.end`."""

    firsts: np.ndarray
    """Shape (N,): the place in `hits` of the first keyword of each."""

    hits: np.ndarray
    """Shape (M, 2): start and end of every keyword."""


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
    starts, ends = _find(text, _padded(text))
    return list(zip(starts.tolist(), ends.tolist(), strict=True))


def count_keywords(text: str) -> int:
    """How many reflection keywords the text has."""
    return len(_find(text, _padded(text))[0])


def keyword_sentences(text: str) -> list[Sentence]:
    """The sentences that hold a keyword, in order.

    A sentence ends with its line, or at `.`, `!`, `?` or an ellipsis (and up to two closing quotes
    or brackets) before a blank and anything but a lower-case letter, so that "e.g. this" is no end.
    """
    starts, ends, firsts, hits = keyword_bounds(text)
    spans = list(map(tuple, hits.tolist()))
    bounds = [*firsts.tolist(), len(spans)]
    groups = [spans[a:b] for a, b in pairwise(bounds)]
    return list(map(Sentence, starts.tolist(), ends.tolist(), groups))


def openings(text: str) -> list[int]:
    """Where the sentences start that open with a keyword, marks of lists and quotes aside."""
    starts, _, firsts, hits = keyword_bounds(text)
    return [
        start
        for start, first in zip(starts.tolist(), hits[firsts, 0].tolist(), strict=True)
        if start == first or _OPENING.fullmatch(text, start, first)
    ]


def keyword_bounds(text: str) -> Bounds:
    """The sentences of `keyword_sentences` as arrays, for many of them at once."""
    characters = _padded(text)
    hits = np.stack(_find(text, characters), axis=1)
    if not len(hits):
        return Bounds(hits[:, 0], hits[:, 0], hits[:, 0], hits)
    kinds = np.frombuffer(characters.translate(_KINDS_OF), np.uint8)
    cuts = _cuts(text, kinds)
    places = cuts.searchsorted(hits[:, 0])
    firsts = np.concatenate(([True], places[1:] != places[:-1])).nonzero()[0]
    after = places[firsts]
    before = cuts[after - 1]
    starts, ends = before + 1, cuts[after]
    for i in _blank(kinds[starts]).nonzero()[0].tolist():
        starts[i] = _skip(text, starts[i])
    for i in _blank(kinds[ends - 1]).nonzero()[0].tolist():
        ends[i] = starts[i] + len(text[starts[i] : ends[i]].rstrip())
    # The dot of a list's "1." is no end.
    line = cuts[np.maximum(after - 2, 0)]
    maybe = (kinds[before - 2] == _DIGIT) & (kinds[line] == _NEW_LINE)
    for i in maybe.nonzero()[0].tolist():
        marker = _MARKER.fullmatch(text, line[i] + 1, starts[i])
        if marker and len(marker[1]) in _MARKER_LENGTHS:
            starts[i] = marker.start(1)
    return Bounds(starts, ends, firsts, hits)


def _padded(text: str) -> bytes:
    """A byte for each character, and `_AFTER`."""
    return stand_ins(text).tobytes() + _AFTER


def _find(text: str, characters: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Starts and ends of the keywords."""
    lower = characters.lower()
    codes = np.frombuffer(lower, np.uint8)
    words, phrases, phrase = _matchers()
    places = [_places(lower, word) for word in words]
    starts = np.fromiter(chain.from_iterable(places), np.intp)
    ends = starts + np.repeat([0, *map(len, words)], [0, *map(len, places)])
    whole = ~(_IN_WORD[codes[starts - 1]] | _IN_WORD[codes[ends]])
    starts, ends = starts[whole], ends[whole]
    begun = [place for needle in phrases for place in _places(lower, needle)]
    others = [match.span() for place in begun if (match := phrase.match(lower, place))]
    if others:
        spans = np.array(others)
        starts, ends = np.append(starts, spans[:, 0]), np.append(ends, spans[:, 1])
    order = starts.argsort(kind="stable")
    starts, ends = starts[order], ends[order]
    if (starts[1:] < ends[:-1]).any():
        apart = _apart(starts.tolist(), ends.tolist())
        starts, ends = starts[apart], ends[apart]
    return starts, ends


def _places(lower: bytes, needle: bytes) -> list[int]:
    """Where the needle stands."""
    places = []
    place = lower.find(needle)
    while place >= 0:
        places.append(place)
        place = lower.find(needle, place + 1)
    return places


def _apart(starts: list[int], ends: list[int]) -> list[int]:
    """Which spans are left when none may begin within one before."""
    kept, done = [], 0
    for place, (start, end) in enumerate(zip(starts, ends, strict=True)):
        if start >= done:
            kept.append(place)
            done = end
    return kept


def _cuts(text: str, kinds: np.ndarray) -> np.ndarray:
    """Blanks where a sentence ends, ascending, from -1 before the text to its length after it."""
    marks = (kinds[: len(text) + 1] >= _NEW_LINE).nonzero()[0]
    ending = kinds[marks] == _END
    cuts = marks + ending
    for _ in range(2):
        cuts += ending & (kinds[cuts] == _CLOSER)
    here, following = kinds[cuts], kinds[cuts + 1]
    parted = _blank(here) & ((following != _LOWER) | (here == _NEW_LINE))
    for i in ((here == _BLANK) & (following == _BLANK)).nonzero()[0].tolist():
        parted[i] = kinds[_skip(text, cuts[i])] != _LOWER
    return np.concatenate(([-1], cuts[parted]))


def _blank(kinds: np.ndarray) -> np.ndarray:
    return (kinds == _BLANK) | (kinds == _NEW_LINE)


def _skip(text: str, place: int) -> int:
    """The first place from this one on that holds no blank."""
    blanks = _BLANKS.match(text, place)
    return blanks.end() if blanks else place


@cache
def _matchers() -> tuple[tuple[bytes, ...], tuple[bytes, ...], re.Pattern[bytes]]:
    """Keywords that their letters confirm; how the others begin, and what confirms those.

    The first are single words that begin no other keyword; of the others the first two words.
    """
    words = {
        keyword
        for keyword in keywords()
        if " " not in keyword and sum(other.startswith(keyword) for other in keywords()) == 1
    }
    phrases = {" ".join(keyword.split()[:2]) for keyword in keywords() if keyword not in words}
    longer = [k for k in keywords() if any(k.startswith(phrase) for phrase in phrases)]
    pattern = "|".join(map(re.escape, longer)).encode()
    return (
        tuple(word.encode() for word in sorted(words)),
        tuple(phrase.encode() for phrase in sorted(phrases)),
        re.compile(rb"\b(?:%b)\b" % pattern),
    )
