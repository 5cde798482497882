"""A thought as steps: an unchanged thought is put together again byte for byte.

The paper (arXiv:2502.07374, section 4.2) has Llama-3.3-70B part a thought where it backtracks,
validates itself or reflects: steps `model`, see `distill/corruptions/segment.py`. Two rules stand
for it: `blank_line`, for traces that part their steps so, and `reflection`, which begins a step at
each sentence that opens with a reflection keyword.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress, pairwise

from distill.trace.keywords import openings
from distill.trace.records import digest

_LEADING_LINES = re.compile(r"\s*\n")
_BLANK_LINES = re.compile(r"(\n(?:[^\S\n]*\n)+)")

Starts = Mapping[str, Sequence[int]]
"""Digest of a thought -> places where a model said that its steps begin, ascending."""


@dataclass(frozen=True)
class Steps:
    """The N >= 0 steps of a thought and the white space between; the solution is never a step."""

    lead: str
    """White space before the first step; all of the text where there is no step."""

    steps: tuple[str, ...]
    """N texts, none of them empty, none ending in white space."""

    separators: tuple[str, ...]
    """N texts of white space; the k-th follows the k-th step, the last one ends the thought."""


def split(thought: str, rule: str, starts: Starts | None = None) -> Steps:
    """Take a thought apart; `join(split(thought, rule)) == thought` for every text.

    Args:
        thought: any text.
        rule: one of `config.STEP_RULES`, or `model`.
        starts: of rule `model`, what was said of this thought among others.

    Raises:
        ValueError: unknown rule, or rule `model` without `starts`.
        KeyError: the model was asked about other thoughts, not this one.
    """
    if rule == "model" and starts is not None:
        return cut(thought, starts[digest(thought)])
    if rule not in _RULES:
        raise ValueError(f"unknown rule of steps {rule!r}; known: {', '.join(_RULES)}")
    return _RULES[rule](thought)


def join(parts: Steps) -> str:
    """The text again: each step followed by its separator."""
    texts = [parts.lead, *("",) * (2 * len(parts.steps))]
    texts[1::2], texts[2::2] = parts.steps, parts.separators
    return "".join(texts)


def cut(text: str, starts: Sequence[int]) -> Steps:
    """Take a text apart at the given places, ascending; a piece of more than blanks is a step."""
    leading = _LEADING_LINES.match(text)
    begin = leading.end() if leading else 0
    places = [begin, *(start for start in starts if start > begin)]
    pieces = [text[a:b].rstrip() for a, b in pairwise([*places, len(text)])]
    begins, steps = [*compress(places, pieces), len(text)], tuple(filter(None, pieces))
    spans = zip(pairwise(begins), steps, strict=True)
    separators = tuple([text[start + len(step) : end] for (start, end), step in spans])
    return Steps(text[: begins[0]], steps, separators)


def keep(parts: Steps, places: Sequence[int]) -> Steps:
    """Only the steps at the given places, ascending; no step left gives the empty text.

    Where steps between two kept ones are dropped, the separator with the most line ends stays (the
    last of several), so that paragraphs stay parted and no blank is doubled. The thought ends as it
    did.
    """
    if not places:
        return Steps("", (), ())
    separators = [
        parts.separators[a] if b == a + 1 else max(reversed(parts.separators[a:b]), key=_line_ends)
        for a, b in pairwise(places)
    ]
    steps = tuple(parts.steps[place] for place in places)
    return Steps(parts.lead, steps, (*separators, parts.separators[-1]))


def _line_ends(separator: str) -> int:
    return separator.count("\n")


def _at_blank_lines(text: str) -> Steps:
    leading = _LEADING_LINES.match(text)
    begin = leading.end() if leading else 0
    body = text[begin:].rstrip()
    pieces = _BLANK_LINES.split(body)
    steps = pieces[::2]
    if body and steps == [step.rstrip() for step in steps]:
        return Steps(text[:begin], tuple(steps), (*pieces[1::2], text[begin + len(body) :]))
    return cut(text, [match.end() for match in _BLANK_LINES.finditer(text)])


def _at_reflections(text: str) -> Steps:
    return cut(text, openings(text))


_RULES: dict[str, Callable[[str], Steps]] = {
    "blank_line": _at_blank_lines,
    "reflection": _at_reflections,
}
