r"""Where a text states its final answer: in sentences that conclude, not wherever the number is.

A sentence may go over lines and formulas set apart: "The sum is\n\[25 + 8 = 33\]\nso it is 33."
"""

import re
from collections.abc import Iterator

from distill.trace.boxes import boxes

_ANNOUNCES = re.compile(r"answer|答案", re.IGNORECASE)
_BLANKS = re.compile("\\s+|(?<=[。\uff01\uff1f])")
_FULL_STOP = re.compile("[.!?…。\uff01\uff1f][\"')\\]*_$]{0,4}$")
_GOES_ON = re.compile(r"(?:[:,={(+\-*/]|\\\[|\$\$|\b(?:is|are|be|equals?|of|to|and|or))$")
_CONTINUES = re.compile(r"[a-z]|\\\[|\\\]|\$\$|\\end|\\boxed|[=+,;.)}&]")
_EQUALS = re.compile(r"(?:=|≈|\\approx|\\equiv)[\s$({*\\]*(?:boxed\{|text\{)*$")
_TAKEN = re.compile(
    r"(?:[+/^_×·]|\d\s*\*|(?:\d|[)}\]]|\b[a-zA-Z])\s*[-\u2212]|\\(?:cdot|times|div)"
    r"|(?:\b[a-zA-Z]|[0-9})])\(|\\(?:[dt]?frac|sqrt|binom)(?:\{[^{}]*\})?\{)(?:[\s${]|\\\()*$"
)
"""Before an operand: an operator, or the bracket of a function, a fraction or a root."""
_TAKES = re.compile(
    r"(?:[\s$]|\\\))*(?:[+/×·]|\^(?!\{?\\(?:circ|text|mathrm))|\\(?:cdot|times|div)|\*\w"
    r"|[-\u2212]\s*(?:\d|[\\(]|[a-zA-Z]\b))|\(|[a-fi-kn-rt-zπ√](?![a-zA-Z])|\\(?:pi|sqrt|frac)"
)
"""After an operand: an operator, or a factor."""
_LAST = 3
"""Sentences at a text's end, of its last paragraph, that conclude it."""


def final_statements(text: str, stated: re.Pattern[str]) -> list[re.Match[str]]:
    """The places of `stated` in the sentences that give the text's final answer, in order.

    These are sentences with a box that states it; that speak of the answer; the last ones of the
    last paragraph; and the one with the last equation whose right side it is. A text without any
    concludes in the sentence that states it last. In such a sentence every place counts, so that no
    sentence contradicts itself, but not where the number is an operand (the 3 of `3 + 4`, `f(3)`).
    """
    places = [match for match in stated.finditer(text) if not _is_operand(text, match)]
    if not places:
        return []
    found = [(a, b) for a, b in sentences(text) if any(a <= m.start() < b for m in places)]
    marks = {match.start() for match in _ANNOUNCES.finditer(text)}
    marks |= {box.start for box in boxes(text) if stated.search(box.content)}
    marks |= {
        place.start()
        for place in [
            m for m in places if _EQUALS.search(text[max(0, m.start() - 24) : m.start()])
        ][-1:]
    }
    least = _last_paragraph(text)
    final = [(a, b) for a, b in found if a >= least or any(a <= mark < b for mark in marks)]
    return [m for m in places for a, b in final or found[-1:] if a <= m.start() < b]


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each sentence, in order; together they are the whole text."""
    begin = 0
    for blanks in _BLANKS.finditer(text):
        before, after = text[max(begin, blanks.start() - 12) : blanks.start()], blanks.end()
        if _ends(before, blanks[0], text[after : after + 8]):
            yield begin, after
            begin = after
    yield begin, len(text)


def _ends(before: str, blanks: str, after: str) -> bool:
    """Whether these blanks part two sentences."""
    if _FULL_STOP.search(before):
        return not re.match("[a-z]", after)
    return "\n" in blanks and not _GOES_ON.search(before) and not _CONTINUES.match(after)


def _last_paragraph(text: str) -> int:
    """Where its last sentences begin: at most `_LAST`, none before its last blank line."""
    body = text.rstrip()
    begins = [a for a, b in sentences(body) if b > a][-_LAST:]
    parted = [a for a in begins[1:] if re.search(r"\n[^\S\n]*\n\s*$", body[:a])]
    return parted[-1] if parted else (begins[0] if begins else 0)


def _is_operand(text: str, place: re.Match[str]) -> bool:
    """Whether something is reckoned with the place, so that it is not stated."""
    before, after = (
        text[max(0, place.start() - 48) : place.start()],
        text[place.end() : place.end() + 24],
    )
    return bool(_TAKEN.search(before) or _TAKES.match(after))
