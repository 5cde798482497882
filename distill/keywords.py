"""Reflection keywords: the words that show a turn of thought, and where a text has them."""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

KEYWORDS = Path(__file__).parent / "corruptions" / "keywords.txt"
"""The list as data, with its sources."""

_MARKER = re.compile(r"[^\S\n]*(?:(?:\d{1,3}[.)]|[-*•])[^\S\n]+)?")
_BOUNDARY = re.compile(r"""[.!?…]+["')\]*\u201d\u2019]*(?=[^\S\n]+[^\sa-z])""")
_OPENING = re.compile(r"(?:\d{1,3}[.)]\s)?\W*")


class Sentence(NamedTuple):
    """A sentence that holds reflection keywords."""

    start: int
    """Where its first character stands in the text; a list marker before it belongs to it."""

    end: int
    """Where it ends; the blanks after it do not belong to it."""

    hits: list[tuple[int, int]]
    """Start and end, in the text, of every keyword in it; at least one."""

    opens: bool
    """Whether it opens with a keyword."""


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

    A sentence ends with its line, or at `.`, `!`, `?` or an ellipsis (and closing quotes or
    brackets) before a blank and anything but a lower-case letter, so that "e.g. this" is no end.
    """
    sentences: list[Sentence] = []
    done = line_end = 0
    for hit in find_keywords(text):
        if sentences and hit[0] < done:
            sentences[-1].hits.append(hit)
            continue
        if hit[0] >= line_end:
            line_end = text.find("\n", hit[1])
            line_end = len(text) if line_end < 0 else line_end
        start = _start(text, hit[0], done)
        match = _BOUNDARY.search(text, hit[1], line_end)
        done = match.end() if match else start + len(text[start:line_end].rstrip())
        opens = _OPENING.fullmatch(text, start, hit[0]) is not None
        sentences.append(Sentence(start, done, [hit], opens))
    return sentences


def _start(text: str, hit: int, done: int) -> int:
    """Where the sentence with the keyword at `hit` starts; `done` is where the last one ended."""
    line = text.rfind("\n", done, hit) + 1
    begin = _skip_blanks(text, line or done)
    marker = _MARKER.match(text, begin) if line or not done else None
    for match in _BOUNDARY.finditer(text, marker.end() if marker else begin, hit + 1):
        begin = match.end()
    return _skip_blanks(text, begin)


def _skip_blanks(text: str, place: int) -> int:
    while place < len(text) and text[place].isspace():
        place += 1
    return place


@cache
def _matchers() -> tuple[tuple[bytes, ...], re.Pattern[str]]:
    """What to look for, the first two words of every keyword, and what confirms a keyword."""
    needles = sorted({" ".join(keyword.split()[:2]).encode() for keyword in keywords()})
    pattern = "|".join(map(re.escape, keywords()))
    return tuple(needles), re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE)
