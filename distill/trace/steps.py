"""Thoughts are split into steps here and joined again; what was not changed is byte-equal.

The paper (arXiv:2502.07374, section 4.2) has Llama-3.3-70B split a thought where it backtracks,
validates itself or reflects: steps `model`, see `distill/corruptions/segment.py`. Two rules stand
in for it: `blank_line`, for traces whose steps are paragraphs, and `reflection`, which begins a
step at each sentence that opens with a reflection keyword.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress, pairwise

from distill.trace.keywords import DEFAULT, openings
from distill.trace.records import digest

_LEADING_LINES = re.compile(r"\s*\n")
_BLANK_LINES = re.compile(r"(\n(?:[^\S\n]*\n)+)")

Starts = Mapping[str, Sequence[int]]
"""Digest of a thought -> places where a model said that its steps begin, ascending."""


@dataclass(frozen=True)
class Steps:
    r"""The N >= 0 steps of a thought and the white space between; the solution is never a step.

    >>> split("I try 5. It fails.\n\nWait, 6? Yes.\n", "reflection")
    Steps(lead='', steps=('I try 5. It fails.', 'Wait, 6? Yes.'), separators=('\n\n', '\n'))
    """

    lead: str
    """White space before the first step; the whole text where there is no step."""

    steps: tuple[str, ...]
    """N texts, none of them empty, none ending in white space."""

    separators: tuple[str, ...]
    """N white-space texts; the k-th follows the k-th step, the last one ends the thought."""


def split(thought: str, rule: str, starts: Starts | None = None, keywords: str = DEFAULT) -> Steps:
    """Split a thought into steps; `join(split(thought, rule)) == thought` for every text.

    The rule is one of `config.STEP_RULES`, or `model`, which needs `starts`: what the model said of
    this thought and others; `keywords` is the list that rule `reflection` reads.

    Raises:
        ValueError: unknown rule, or rule `model` without `starts`.
        KeyError: the model was not asked about this thought.
    """
    if rule == "model" and starts is not None:
        return cut(thought, starts[digest(thought)])
    if rule not in _RULES:
        raise ValueError(f"unknown step rule {rule!r}; known: {', '.join(_RULES)}")
    return _RULES[rule](thought, keywords)


def join(parts: Steps) -> str:
    """The text that was split: the lead, then each step followed by its separator."""
    texts = [parts.lead, *("",) * (2 * len(parts.steps))]
    texts[1::2], texts[2::2] = parts.steps, parts.separators
    return "".join(texts)


def cut(text: str, starts: Sequence[int]) -> Steps:
    """Split a text at the given places, ascending; a piece that is only white space is no step."""
    leading = _LEADING_LINES.match(text)
    begin = leading.end() if leading else 0
    places = [begin, *(start for start in starts if start > begin)]
    pieces = [text[a:b].rstrip() for a, b in pairwise([*places, len(text)])]
    begins, steps = [*compress(places, pieces), len(text)], tuple(filter(None, pieces))
    spans = zip(pairwise(begins), steps, strict=True)
    separators = tuple([text[start + len(step) : end] for (start, end), step in spans])
    return Steps(text[: begins[0]], steps, separators)


def keep(parts: Steps, places: Sequence[int]) -> Steps:
    """Keep only the steps at the given places, ascending; with none of them the text is empty.

    Where steps between two kept ones are dropped, the separator with the most line ends stays (the
    last of several), so that paragraphs stay separate and no blank is doubled. The thought ends as
    it did.
    """
    if not places:
        return Steps("", (), ())
    separators = [
        max(reversed(parts.separators[a:b]), key=lambda separator: separator.count("\n"))
        for a, b in pairwise(places)
    ]
    steps = tuple(parts.steps[place] for place in places)
    return Steps(parts.lead, steps, (*separators, parts.separators[-1]))


def _at_blank_lines(text: str, keywords: str) -> Steps:
    leading = _LEADING_LINES.match(text)
    begin = leading.end() if leading else 0
    body = text[begin:].rstrip()
    pieces = _BLANK_LINES.split(body)
    steps = pieces[::2]
    if body and steps == [step.rstrip() for step in steps]:
        return Steps(text[:begin], tuple(steps), (*pieces[1::2], text[begin + len(body) :]))
    return cut(text, [match.end() for match in _BLANK_LINES.finditer(text)])


_RULES: dict[str, Callable[[str, str], Steps]] = {
    "blank_line": _at_blank_lines,
    "reflection": lambda text, keywords: cut(text, openings(text, keywords)),
}
