"""Splits two versions of a text into pieces that are equal, removed, inserted or moved."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import groupby

from distill.trace.steps import Steps, split

SIMILAR = 0.75
"""Share of common words above which two steps are one step edited rather than replaced."""

_WORDS = re.compile(r"\d|[^\W\d]+|\s+|[^\w\s]|_")


@dataclass(frozen=True)
class Piece:
    """A stretch of text with one mark."""

    text: str

    kind: str = ""
    """`removed`, `inserted` or `moved`; empty: the same in both texts."""

    origin: int = 0
    """The number before corruption, from 1, of a step of a reordered text; 0 for other texts."""


def mark(before: str, after: str, rule: str) -> tuple[list[Piece], list[Piece]]:
    """The pieces of both texts; joined, they are the texts.

    If both have the same steps in another order, every step is a piece with its number. Otherwise
    the texts are compared step by step, and an edited step word by word. `rule` splits both
    thoughts into steps, see `distill.trace.steps`.
    """
    old, new = split(before, rule), split(after, rule)
    if old.steps != new.steps and sorted(old.steps) == sorted(new.steps):
        return _moved(old, new)
    return _compare(old, new)


def cut(pieces: Sequence[Piece], longest: int) -> tuple[list[Piece], int]:
    """The pieces up to `longest` characters, and how many characters are left."""
    kept, left = [], longest
    for piece in pieces:
        if left > 0:
            kept.append(replace(piece, text=piece.text[:left]))
        left -= len(piece.text)
    return kept, max(0, -left)


def words(before: str, after: str) -> tuple[list[Piece], list[Piece]]:
    """The pieces of both texts, compared by words, digits and punctuation characters."""
    old, new = _WORDS.findall(before), _WORDS.findall(after)
    pieces: tuple[list[Piece], list[Piece]] = [], []
    if not _have_one_shape(old, new):
        for removed, inserted in _changes(old, new):
            _append(pieces, "".join(removed), "".join(inserted))
        return pieces
    for _, pairs in groupby(zip(old, new, strict=True), key=lambda pair: pair[0] == pair[1]):
        stretch = list(pairs)
        _append(pieces, "".join(a for a, _ in stretch), "".join(b for _, b in stretch))
    return pieces


def _moved(before: Steps, after: Steps) -> tuple[list[Piece], list[Piece]]:
    # A step that kept its position did not move, even if another step has the same text.
    stays = [b == a for b, a in zip(before.steps, after.steps, strict=True)]
    places: dict[str, list[int]] = {}
    for number, (step, stay) in enumerate(zip(before.steps, stays, strict=True), 1):
        if not stay:
            places.setdefault(step, []).append(number)
    origins = [
        number if stay else places[step].pop(0)
        for number, (step, stay) in enumerate(zip(after.steps, stays, strict=True), 1)
    ]
    old = _numbered(before, range(1, len(stays) + 1), stays)
    return old, _numbered(after, origins, stays)


def _numbered(parts: Steps, origins: Sequence[int], stays: Sequence[bool]) -> list[Piece]:
    pieces = [Piece(parts.lead)]
    for step, separator, origin, stay in zip(
        parts.steps, parts.separators, origins, stays, strict=True
    ):
        pieces += [Piece(step, "" if stay else "moved", origin), Piece(separator)]
    return _filled(pieces)


def _compare(before: Steps, after: Steps) -> tuple[list[Piece], list[Piece]]:
    pieces: tuple[list[Piece], list[Piece]] = [Piece(before.lead)], [Piece(after.lead)]
    gaps = iter(before.separators), iter(after.separators)

    def add(old: Sequence[Piece], new: Sequence[Piece]) -> None:
        for side, gap, part in zip(pieces, gaps, (old, new), strict=True):
            side.extend([*part, Piece(next(gap))] if part else [])

    for removed, inserted in _changes(before.steps, after.steps):
        if len(removed) == len(inserted):
            for one, other in zip(removed, inserted, strict=True):
                add(*_step(one, other))
        else:
            for step in removed:
                add([Piece(step, "removed")], [])
            for step in inserted:
                add([], [Piece(step, "inserted")])
    return _filled(pieces[0]), _filled(pieces[1])


def _step(before: str, after: str) -> tuple[list[Piece], list[Piece]]:
    """A step that was kept, edited, or replaced by another."""
    old, new = _WORDS.findall(before), _WORDS.findall(after)
    alike = SequenceMatcher(None, old, new, autojunk=False).ratio() > SIMILAR
    if alike or _have_one_shape(old, new):
        return words(before, after)
    return [Piece(before, "removed")], [Piece(after, "inserted")]


def _have_one_shape(old: Sequence[str], new: Sequence[str]) -> bool:
    """Whether they differ in digits and punctuation only, and so can be compared by position."""
    return len(old) == len(new) and list(map(_shape, old)) == list(map(_shape, new))


def _shape(word: str) -> str:
    if word.isdigit():
        return "digit"
    return word if word.isspace() or word.isalpha() else "sign"


def _changes(
    old: Sequence[str], new: Sequence[str]
) -> Iterator[tuple[Sequence[str], Sequence[str]]]:
    """Matching stretches of both, in order."""
    for _, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        yield old[a:b], new[c:d]


def _append(pieces: tuple[list[Piece], list[Piece]], before: str, after: str) -> None:
    kinds = ("", "") if before == after else ("removed", "inserted")
    for side, text, kind in zip(pieces, (before, after), kinds, strict=True):
        side += _filled([Piece(text, kind)])


def _filled(pieces: Sequence[Piece]) -> list[Piece]:
    return [piece for piece in pieces if piece.text]
