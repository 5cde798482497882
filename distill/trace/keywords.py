"""Reflection keywords: the words that show a turn of thought, and where a text has them."""

import re
import string
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from distill.trace.characters import BLANK, CLOSER, ELLIPSIS, stand_ins

KEYWORDS = Path(__file__).parent / "keywords.txt"
"""The list as data, with its sources."""

_MARKER = re.compile(r"\s*(\d{1,3}[.)][^\S\n]+)")
_MARKER_LENGTHS = range(3, 8)
_OPENING = re.compile(r"(?:\d{1,3}[.)]\s)?\W*")

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
_BLANK_KINDS = bytes((_BLANK, _NEW_LINE))
_BLANKS = re.compile(b"[%b]*" % _BLANK_KINDS)
_BETWEEN = b"\n\0\n"
"""Put after each text: no sentence, run of blanks or keyword goes across, and what follows or
precedes a place can be looked at without asking for an end."""
_LETTER = np.array([chr(code).isalpha() for code in range(128)] + [False] * 128)
_IN_WORD = _LETTER.copy()
_IN_WORD[list(b"0123456789_")] = True
_LOWER_CASE = np.frombuffer(bytes(range(256)).lower(), np.uint8)


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

    starts: list[int]
    """N of them; see `Sentence.start`."""

    ends: list[int]
    """N of them; see `Sentence.end`."""

    hits: list[tuple[int, int]]
    """M of them: start and end of every keyword."""

    owners: list[int]
    """M of them: the place in `starts` of the sentence that holds the keyword; ascending."""


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
    starts, ends = _find(_joined([text])[0])
    return list(zip(starts.tolist(), ends.tolist(), strict=True))


def count_keywords(text: str) -> int:
    """How many reflection keywords the text has."""
    return len(find_keywords(text))


def keyword_sentences(text: str) -> list[Sentence]:
    """The sentences that hold a keyword, in order.

    A sentence ends with its line, or at `.`, `!`, `?` or an ellipsis (and up to two closing quotes
    or brackets) before a blank and anything but a lower-case letter, so that "e.g. this" is no end.
    """
    (bounds,) = keyword_bounds([text])
    sentences = [Sentence(*span, []) for span in zip(bounds.starts, bounds.ends, strict=True)]
    for owner, hit in zip(bounds.owners, bounds.hits, strict=True):
        sentences[owner].hits.append(hit)
    return sentences


def openings(texts: Sequence[str]) -> list[list[int]]:
    """Where each text's sentences start that open with a keyword, marks of lists and quotes aside.

    As with `keyword_bounds`, many texts at once take less time than one by one.
    """
    characters, bases = _joined(texts)
    hits, _ = _find(characters)
    starts, _, owners = _sentences(texts, bases, characters, hits)
    firsts = hits[np.diff(owners, prepend=-1) > 0]
    opened = starts == firsts
    maybe = ~opened & ~_LETTER[np.frombuffer(characters, np.uint8)[starts]]
    for i in maybe.nonzero()[0].tolist():
        owner = int(bases.searchsorted(starts[i], "right")) - 1
        place, first = starts[i] - bases[owner], firsts[i] - bases[owner]
        opened[i] = _OPENING.fullmatch(texts[owner], place, first) is not None
    found = starts[opened]
    cuts = found.searchsorted(bases)
    places = (found - bases[:-1].repeat(np.diff(cuts))).tolist()
    return [places[a:b] for a, b in pairwise(cuts.tolist())]


def keyword_bounds(texts: Sequence[str]) -> list[Bounds]:
    """The sentences of `keyword_sentences` of each text.

    All texts are worked on as one: each of many steps costs microseconds however short a text is.
    """
    characters, bases = _joined(texts)
    begins, stops = _find(characters)
    starts, ends, owners = _sentences(texts, bases, characters, begins)
    cuts, of_hits = starts.searchsorted(bases), begins.searchsorted(bases)
    counts, counts_of_hits = np.diff(cuts), np.diff(of_hits)
    base, base_of_hits = bases[:-1].repeat(counts), bases[:-1].repeat(counts_of_hits)
    hits = list(zip((begins - base_of_hits).tolist(), (stops - base_of_hits).tolist(), strict=True))
    places = (owners - cuts[:-1].repeat(counts_of_hits)).tolist()
    opens, closes = (starts - base).tolist(), (ends - base).tolist()
    return [
        Bounds(opens[a:b], closes[a:b], hits[c:d], places[c:d])
        for (a, c), (b, d) in pairwise(zip(cuts.tolist(), of_hits.tolist(), strict=True))
    ]


def _sentences(
    texts: Sequence[str], bases: np.ndarray, characters: bytes, hits: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Starts and ends of the sentences that hold a hit; the place of each hit's among them."""
    if not len(hits):
        return hits, hits, hits
    letters = characters.translate(_KINDS_OF)
    kinds = np.frombuffer(letters, np.uint8)
    cuts = _cuts(letters, kinds)
    places = cuts.searchsorted(hits)
    opens = np.concatenate(([True], places[1:] != places[:-1]))
    after = places[opens]
    before = cuts[after - 1]
    starts, ends = before + 1, cuts[after]
    for i in _blank(kinds[starts]).nonzero()[0].tolist():
        starts[i] = _skip(letters, starts[i])
    for i in _blank(kinds[ends - 1]).nonzero()[0].tolist():
        ends[i] = starts[i] + len(letters[starts[i] : ends[i]].rstrip(_BLANK_KINDS))
    # The dot of a list's "1." is no end.
    line = cuts[np.maximum(after - 2, 0)]
    maybe = (kinds[before - 2] == _DIGIT) & (kinds[line] == _NEW_LINE)
    for i in maybe.nonzero()[0].tolist():
        owner = int(bases.searchsorted(starts[i], "right")) - 1
        base = bases[owner]
        marker = _MARKER.fullmatch(texts[owner], line[i] + 1 - base, starts[i] - base)
        if marker and len(marker[1]) in _MARKER_LENGTHS:
            starts[i] = base + marker.start(1)
    return starts, ends, opens.cumsum() - 1


def _joined(texts: Sequence[str]) -> tuple[bytes, np.ndarray]:
    """A byte for each character, and `_BETWEEN` after each text; where each begins, and the end."""
    bases = np.cumsum([0, *(len(text) + len(_BETWEEN) for text in texts)])
    return _BETWEEN.join([*(stand_ins(text).tobytes() for text in texts), b""]), bases


def _find(characters: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Starts and ends of the keywords."""
    codes = np.frombuffer(characters, np.uint8)
    needles, longer, tables = _matchers()
    begun, marks = _begun(characters, codes, tables)
    found = []
    known = len(tables) if len(needles) <= _MARKS else 0  # a shared mark tells no letter for sure
    for number, needle in enumerate(needles):
        at = begun[marks & _mark(number) != 0]
        for offset in range(known, len(needle)):
            at = at[_LOWER_CASE[codes[at + offset]] == needle[offset]]
        if needle in longer:
            matches = (longer[needle].match(characters, place) for place in at.tolist())
            spans = [match.span() for match in matches if match]
            found.append(np.array(spans, np.intp).reshape(-1, 2).T)
        else:
            at = at[~_IN_WORD[codes[at + len(needle)]]]
            found.append(np.stack((at, at + len(needle))))
    together = np.concatenate(found, axis=1)
    starts, ends = together[:, together[0].argsort(kind="stable")]
    if (starts[1:] < ends[:-1]).any():
        apart = _apart(starts.tolist(), ends.tolist())
        starts, ends = starts[apart], ends[apart]
    return starts, ends


def _begun(
    characters: bytes, codes: np.ndarray, tables: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where words have the first letters of needles; the marks of these needles."""
    first, second = (np.frombuffer(characters.translate(table), np.uint8) for table in tables[:2])
    near = first[:-1] & second[1:]
    begun = (near != 0).nonzero()[0]
    begun = begun[~_IN_WORD[codes[begun - 1]]]
    marks = near[begun]
    for offset, table in enumerate(tables[2:], 2):
        marks &= table[codes[begun + offset]]
    return begun[marks != 0], marks[marks != 0]


def _apart(starts: list[int], ends: list[int]) -> list[int]:
    """Which spans are left when none may begin within one before."""
    kept, done = [], 0
    for place, (start, end) in enumerate(zip(starts, ends, strict=True)):
        if start >= done:
            kept.append(place)
            done = end
    return kept


def _cuts(letters: bytes, kinds: np.ndarray) -> np.ndarray:
    """Blanks where a sentence ends, ascending, from -1 on; `letters` are the kinds as bytes."""
    marks = (kinds[: 1 - len(_BETWEEN)] >= _NEW_LINE).nonzero()[0]
    ending = kinds[marks] == _END
    cuts = marks + ending
    for _ in range(2):
        cuts += ending & (kinds[cuts] == _CLOSER)
    here, following = kinds[cuts], kinds[cuts + 1]
    parted = _blank(here) & ((following != _LOWER) | (here == _NEW_LINE))
    for i in ((here == _BLANK) & (following == _BLANK)).nonzero()[0].tolist():
        parted[i] = kinds[_skip(letters, cuts[i])] != _LOWER
    return np.concatenate(([-1], cuts[parted]))


def _blank(kinds: np.ndarray) -> np.ndarray:
    return (kinds == _BLANK) | (kinds == _NEW_LINE)


def _skip(letters: bytes, place: int) -> int:
    """The first place from this one on that holds no blank."""
    blanks = _BLANKS.match(letters, place)
    return blanks.end() if blanks else place


@cache
def _matchers() -> tuple[tuple[bytes, ...], dict[bytes, re.Pattern[bytes]], np.ndarray]:
    """What keywords begin with; what confirms those that go on; marks of the first four letters.

    A single word that begins no other keyword stands for itself, any other keyword for its first
    two words and all keywords that begin so. A row has at a character the marks of what may have it
    there: the first is for the first letters, and so on; shape (4, 256), uint8.
    """
    words = {
        keyword
        for keyword in keywords()
        if " " not in keyword and sum(other.startswith(keyword) for other in keywords()) == 1
    }
    twos = {" ".join(keyword.split()[:2]) for keyword in keywords() if keyword not in words}
    longer = {}
    for two in twos:
        own = [re.escape(keyword) for keyword in keywords() if keyword.startswith(two)]
        longer[two.encode()] = re.compile(rf"(?:{'|'.join(own)})\b".encode(), re.IGNORECASE)
    needles = (*(word.encode() for word in sorted(words)), *sorted(longer))
    tables = np.zeros((4, 256), np.uint8)
    for number, needle in enumerate(needles):
        for place, table in enumerate(tables):
            letter = needle[place : place + 1]
            table[list(letter + letter.upper()) or slice(None)] |= _mark(number)
    return needles, longer, tables


_MARKS = 8
"""Bits of a byte; more needles share them."""


def _mark(number: int) -> int:
    """The bit of the needle of this number."""
    return 1 << number % _MARKS
