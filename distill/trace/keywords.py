"""Reflection keywords, which mark a turn of thought, and the sentences of a text that hold them."""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

KEYWORDS = Path(__file__).parent / "keywords.txt"
"""The list as data, with its sources."""

_LIST_NUMBER = re.compile(
    r"^[^\S\n]*+(?:\d\.[^\S\n]{1,5}+|\d\d\.[^\S\n]{1,4}+|\d{3}\.[^\S\n]{1,3}+)(?!\s)", re.MULTILINE
)
"""A number such as "12. " at the beginning of a line; its full stop ends no sentence."""

_END = re.compile(r"[\n.!?…](?:(?<=\n)|[\"')\]*\u201d\u2019]{0,2}+(?=\n|\s(?!\s*+[a-z])))")
_BLANKS = re.compile(r"\s*")
_OPENING = re.compile(r"(?:\d{1,3}[.)]\s)?\W*")


class Sentence(NamedTuple):
    """A sentence that holds reflection keywords."""

    start: int
    """Where its first character stands in the text; a list number before it belongs to it."""

    end: int
    """Where it ends; the white space after it does not belong to it."""

    hits: list[tuple[int, int]]
    """Start and end, in the text, of every keyword in it; at least one."""


@cache
def keywords() -> tuple[str, ...]:
    """The keywords of `keywords.txt` in lower case, longest first.

    Raises:
        ValueError: a keyword is not plain ASCII words, so it could not be found.
    """
    lines = KEYWORDS.read_text(encoding="utf-8").splitlines()
    found = {line.strip().lower() for line in lines if line.strip() and not line.startswith("#")}
    for keyword in found:
        if not keyword.isascii() or not re.fullmatch(r"\w.*\w", keyword):
            raise ValueError(
                f"{KEYWORDS.name}: a keyword must be ASCII and begin and end with a letter, a "
                f"digit or an underscore; got {keyword!r}"
            )
    return tuple(sorted(found, key=lambda keyword: (-len(keyword), keyword)))


def find_keywords(text: str) -> list[tuple[int, int]]:
    """Start and end of every keyword in the text, in order; no two overlap.

    Keywords are whole words in any case: `But` and `but`, never `butter`.
    """
    heads, keyword = _patterns()
    lower = text.lower()
    if len(lower) != len(text):  # "İ" becomes two characters, so that places would not agree
        return [match.span() for match in keyword.finditer(text)]
    places = []
    for head in heads:  # a search for each is several times faster than one pattern for all
        place = lower.find(head)
        while place >= 0:
            places.append(place)
            place = lower.find(head, place + 1)
    found: list[tuple[int, int]] = []
    end = 0
    for place in sorted(places):
        if place >= end and (match := keyword.match(text, place)):
            found.append(match.span())
            end = match.end()
    return found


def count_keywords(text: str) -> int:
    """How many reflection keywords the text has."""
    return len(find_keywords(text))


def keyword_sentences(text: str) -> list[Sentence]:
    """The sentences that hold a keyword, in order.

    A sentence ends with its line, or at `.`, `!`, `?` or an ellipsis (and up to two closing quotes
    or brackets) before white space and anything but a lower-case letter, so that "e.g. this" is no
    end.
    """
    found: list[Sentence] = []
    end = 0  # of the last sentence found
    for hit in find_keywords(text):
        if found and hit[0] < end:
            found[-1].hits.append(hit)
            continue
        start = text.rfind("\n", max(end - 1, 0), hit[0]) + 1 or end
        number = _LIST_NUMBER.match(text, start)
        end = _end(text, number.end() if number else start)
        while end <= hit[0]:
            start, end = end, _end(text, end)
        start = _BLANKS.match(text, start).end()  # type: ignore[union-attr]  # it always matches
        found.append(Sentence(start, start + len(text[start:end].rstrip()), [hit]))
    return found


def openings(text: str) -> list[int]:
    """Where the sentences start that open with a keyword, list numbers and quotes aside."""
    found = keyword_sentences(text)
    return [start for start, _, hits in found if _OPENING.fullmatch(text, start, hits[0][0])]


def _end(text: str, place: int) -> int:
    """Where the sentence that begins here ends: after its mark or line end."""
    match = _END.search(text, place)
    return match.end() if match else len(text)


@cache
def _patterns() -> tuple[tuple[str, ...], re.Pattern[str]]:
    """The first two words of keywords, each once; a pattern of all, ASCII letters in any case."""
    heads = {" ".join(keyword.split(" ")[:2]) for keyword in keywords()}
    whole = "|".join(map(re.escape, keywords()))
    return tuple(sorted(heads)), re.compile(rf"\b(?ai:{whole})\b")
