"""Does the student need the words of reflection? arXiv:2502.07374, section 4.1."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise, repeat

import numpy as np

from distill.config import CorruptionConfig
from distill.corruptions import Damaged, draw_units, stream
from distill.keywords import Bounds, keyword_bounds
from distill.trace import Trace

_BLANKS = re.compile(r"\s*")
_OPENING = re.compile(r"(?:\d{1,3}[.)]\s)?\W*")
_AFTER_OPENING = re.compile(r"[,;:.!?…\u2013\u2014]*\s*")
_AFTER_WORD = re.compile(r",?\s*")
_CLOSING = tuple(".!?…,;:)]")
# A word that may take a capital: no name of mathematics, such as x, or ab in "ab = 3".
_WORD = re.compile(r"(?:[a-z][a-z]+|[ai])(?=[\s,.;:!?'\u2019-]|$)(?!\s*[=+*/^<>_-])")
_OPENED = re.compile(rf"{_AFTER_OPENING.pattern}(?:(?={_WORD.pattern})([a-z])|(?=.*?[^\W_]).)")

_Edit = tuple[int, int, str | None]
"""Start, end and what comes there; None drops the sentence that stands there."""


def remove_keywords(
    corpus: Iterable[Trace], config: CorruptionConfig, pool: Iterable[Trace]
) -> Iterator[Damaged]:
    """Take reflection keywords (`keywords.txt`) out of the thoughts; the text around stays whole.

    By `config.unit`:

    * `sentence`, the paper's: the whole sentence that holds a keyword goes, with all it says.
    * `keyword`: the word or phrase goes, with the comma after it, and what it said stays; where it
      opened a sentence, the next word takes its capital. "Wait, let me try 5." -> "Let me try 5."

    By `config.mode`:

    * `units`, the paper's: round(fraction * N) of a thought's N units go. At 100 % no keyword is
      left.
    * `traces`, the released code's: a thought is treated fully, with probability fraction, or not
      at all. The unit that is counted is then the trace.

    The released code has GPT-4o-mini rewrite such a trace without its reflections; that, a model
    behind an engine, would be unit `reflection`. The paper has the model find the sentences, too.
    """
    return (_remove(trace, config) for trace in corpus)


def _remove(trace: Trace, config: CorruptionConfig) -> Damaged:
    rng = stream(config, trace)
    bounds = keyword_bounds(trace.thought)
    strike = _strike_sentences if config.unit == "sentence" else _strike_keywords
    total = _count(bounds, config)
    if config.mode == "traces":
        places = list(range(total)) if rng.random() < config.fraction else []
        units, damaged = min(total, 1), min(len(places), 1)
    else:
        places = draw_units(rng, total, config.fraction)
        units, damaged = total, len(places)
    if not places:
        return Damaged(trace, units, 0)
    thought = strike(trace.thought, bounds, sorted(places))
    # What is struck can bring a phrase together, as in "let me wait think again".
    while len(places) == total and len((bounds := keyword_bounds(thought)).hits):
        thought = strike(thought, bounds, list(range(_count(bounds, config))))
    return Damaged(replace(trace, thought=thought), units, damaged)


def _count(bounds: Bounds, config: CorruptionConfig) -> int:
    return len(bounds.starts if config.unit == "sentence" else bounds.hits)


def _strike_sentences(thought: str, bounds: Bounds, places: list[int]) -> str:
    """The thought without the sentences at these places, ascending."""
    starts, ends = bounds.starts[places].tolist(), bounds.ends[places].tolist()
    return _put(thought, zip(starts, ends, repeat(None)))


def _strike_keywords(thought: str, bounds: Bounds, places: list[int]) -> str:
    """The thought without the keywords at these places; a sentence that was nothing else goes."""
    sentences = bounds.firsts.searchsorted(places, "right") - 1
    first = np.flatnonzero(np.diff(sentences, prepend=-1))
    struck = sentences[first]
    starts, ends = bounds.starts[struck].tolist(), bounds.ends[struck].tolist()
    hits = bounds.hits[places].tolist()
    groups = [hits[a:b] for a, b in pairwise([*first.tolist(), len(hits)])]
    return _put(thought, map(_edit, repeat(thought), starts, ends, groups))


def _edit(thought: str, start: int, end: int, hits: list[list[int]]) -> _Edit:
    """What the sentence from start to end becomes without the keywords at `hits`."""
    if len(hits) == 1 and hits[0][0] == start:  # most of them
        opened = _OPENED.match(thought, hits[0][1], end)
        if opened:
            letter, at = opened[1], opened.end()
            capital = letter and thought[start].isupper()
            return (start, at, letter.upper()) if capital else (start, at - 1, "")
    return start, end, _without(thought, start, end, hits) or None


def _put(text: str, edits: Iterable[_Edit]) -> str:
    """The text with the edits made; they ascend.

    Where sentences are dropped, the blanks with the most line ends among those around them stay, so
    that paragraphs stay parted and no blank is doubled. The text ends as it did.
    """
    out: list[str] = []
    blanks, at = "", 0
    for start, end, new in edits:
        before = text[at:start]
        if new is not None:
            out += blanks, before, new
            blanks, at = "", end
            continue
        kept = before.rstrip()
        if kept:
            out += blanks, kept
            blanks = ""
        blanks += before[len(kept) :]
        gap = _BLANKS.match(text, end)
        after = gap[0] if gap else ""
        at = end + len(after)
        if out and after != blanks and after.count("\n") >= blanks.count("\n"):
            blanks = after
    if at < len(text):
        return "".join((*out, blanks, text[at:]))
    return "".join((*out, text[len(text.rstrip()) :])) if out else ""


def _without(thought: str, begin: int, stop: int, hits: list[list[int]]) -> str:
    """The sentence from begin to stop without these keywords; empty where no word is left."""
    left, at = "", begin
    opening = None
    for start, end in hits:
        left += thought[at:start]
        opens = _OPENING.fullmatch(left) is not None
        after = (_AFTER_OPENING if opens else _AFTER_WORD).match(thought, end, stop)
        at = after.end() if after else end
        if opens:
            opening = len(left)
        elif at >= stop or thought[at] in _CLOSING:
            left = left.rstrip(" ,;")
    left += thought[at:stop]
    if opening is None:
        return left
    rest = left[opening:]
    if thought[hits[0][0]].isupper() and _WORD.match(rest):
        rest = rest[0].upper() + rest[1:]
    return left[:opening] + rest if any(map(str.isalnum, rest)) else ""
