"""Reflection keywords, which mark a turn of thought, and the sentences of a text that hold them.

The lists are data, `keywords/*.txt`: `paper` is that of arXiv:2502.07374, appendix B; `default`,
ours, is from before that appendix was at hand (its bytes are in keys, its comments too);
`extended` is both together. The field `keywords` of a run names one of them.
"""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

_FOLDER = Path(__file__).with_suffix("")

LISTS = tuple(sorted(path.stem for path in _FOLDER.glob("*.txt")))
"""Names of the lists."""

DEFAULT = "default"
"""The list that is read where none is named."""

PIN = "keywords.txt"
"""What the content of a list is called in the identity of what read it."""

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


def list_file(name: str) -> Path:
    """The file of a list. Raises ValueError unless `name` is one of `LISTS`."""
    if name not in LISTS:
        raise ValueError(f"keywords must be one of {', '.join(LISTS)}; got {name!r}")
    return _FOLDER / f"{name}.txt"


@cache
def keywords(name: str = DEFAULT) -> tuple[str, ...]:
    """The keywords of a list in lower case, longest first.

    Raises:
        ValueError: there is no such list, or a keyword is not plain ASCII words, so it could not be
            found.
    """
    lines = list_file(name).read_text(encoding="utf-8").splitlines()
    found = {line.strip().lower() for line in lines if line.strip() and not line.startswith("#")}
    for keyword in found:
        if not keyword.isascii() or not re.fullmatch(r"\w.*\w", keyword):
            raise ValueError(
                f"{name}.txt: a keyword must be ASCII and begin and end with a letter, a digit or "
                f"an underscore; got {keyword!r}"
            )
    return tuple(sorted(found, key=lambda keyword: (-len(keyword), keyword)))


def find_keywords(text: str, name: str = DEFAULT) -> list[tuple[int, int]]:
    """Start and end of every keyword of a list in the text, in order; no two overlap.

    Keywords are whole words in any case: `But` and `but`, never `butter`.
    """
    heads, keyword = _patterns(name)
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


def count_keywords(text: str, name: str = DEFAULT) -> int:
    """How many reflection keywords of a list the text has."""
    return len(find_keywords(text, name))


def keyword_sentences(text: str, name: str = DEFAULT) -> list[Sentence]:
    """The sentences that hold a keyword of a list, in order.

    A sentence ends with its line, or at `.`, `!`, `?` or an ellipsis (and up to two closing quotes
    or brackets) before white space and anything but a lower-case letter, so that "e.g. this" is no
    end.
    """
    found: list[Sentence] = []
    end = 0  # of the last sentence found
    for hit in find_keywords(text, name):
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


def openings(text: str, name: str = DEFAULT) -> list[int]:
    """Where the sentences start that open with a keyword, list numbers and quotes aside."""
    found = keyword_sentences(text, name)
    return [start for start, _, hits in found if _OPENING.fullmatch(text, start, hits[0][0])]


def _end(text: str, place: int) -> int:
    """Where the sentence that begins here ends: after its mark or line end."""
    match = _END.search(text, place)
    return match.end() if match else len(text)


@cache
def _patterns(name: str) -> tuple[tuple[str, ...], re.Pattern[str]]:
    """The first two words of keywords, each once; a pattern of all, ASCII letters in any case."""
    heads = {" ".join(keyword.split(" ")[:2]) for keyword in keywords(name)}
    whole = "|".join(map(re.escape, keywords(name)))
    return tuple(sorted(heads)), re.compile(rf"\b(?ai:{whole})\b")
