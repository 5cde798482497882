"""Does the student need reflection keywords? arXiv:2502.07374, section 4.1."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from operator import itemgetter

from distill.corruptions.config import CorruptionConfig
from distill.corruptions.operators import Borrow, Damaged, declares, draw_units, stream
from distill.trace.keywords import Sentence, keyword_sentences
from distill.trace.records import Trace

_BLANKS = re.compile(r"\s*")
_OPENING = re.compile(r"(?:\d{1,3}[.)]\s)?\W*")
_AFTER_OPENING = re.compile(r"[,;:.!?…\u2013\u2014]*\s*")
_AFTER_WORD = re.compile(r",?\s*")
_CLOSING = tuple(".!?…,;:)]")
# A word that may take a capital: no name of mathematics, such as x, or ab in "ab = 3".
_WORD = re.compile(r"(?:[a-z][a-z]+|[ai])(?=[\s,.;:!?'\u2019-]|$)(?!\s*[=+*/^<>_-])")
_OPENED = re.compile(rf"{_AFTER_OPENING.pattern}(?:(?={_WORD.pattern})([a-z])|(?=.*?[^\W_]).)")

_Edit = tuple[int, int, str | None]
"""Start, end and replacement; None drops the whole sentence."""


@declares(
    "content",
    "keywords removed",
    "#56b4e9",
    drawn_at_all=False,
    unit=("sentence", "keyword", "reflection"),
    mode=("units", "traces"),
)
def remove_keywords(
    corpus: Iterable[Trace], config: CorruptionConfig, borrow: Borrow
) -> Iterator[Damaged]:
    """Remove reflection keywords (`borrow.keywords`) from the thoughts; solutions stay as they are.

    By `config.unit`:

    * `sentence`, the paper's: the whole sentence that holds a keyword is removed.
    * `keyword`: only the word or phrase is removed, with the comma after it; where it opened a
      sentence, the next word takes its capital. "Wait, let me try 5." -> "Let me try 5."
    * `reflection`, the released code's: a model rewrites the trace without its reflections
      (`borrow.rewritten`, see `distill/corruptions/rewrite.py`).

    By `config.mode`:

    * `units`, the paper's: round(fraction * N) of a thought's N units are removed. At 100 % no
      keyword is left.
    * `traces`, the released code's: all units of a thought are removed, with probability fraction,
      or none. The unit that is counted is then the trace.

    The paper has a model find the sentences, too; here they are found by rule.
    """
    if config.unit == "reflection":
        pairs = zip(corpus, borrow.rewritten, strict=True)
        return (_take(trace, rewritten, config) for trace, rewritten in pairs)
    return (_damage(trace, config, borrow.keywords) for trace in corpus)


def _take(trace: Trace, rewritten: Trace, config: CorruptionConfig) -> Damaged:
    drawn = stream(config, trace).random() < config.fraction
    if rewritten == trace:
        return Damaged(trace, 0, 0)
    return Damaged(rewritten if drawn else trace, 1, int(drawn))


def _damage(trace: Trace, config: CorruptionConfig, keywords: str) -> Damaged:
    units = _units(trace.thought, config, keywords)
    places, total, damaged = _draw(trace, len(units), config)
    if not places:
        return Damaged(trace, total, 0)
    thought = _remove_units(trace.thought, [units[place] for place in places], config)
    if len(places) == len(units):
        # A removal can bring a phrase together, as in "let me wait think again".
        while left := _units(thought, config, keywords):
            thought = _remove_units(thought, left, config)
    return Damaged(replace(trace, thought=thought), total, damaged)


def _units(thought: str, config: CorruptionConfig, keywords: str) -> list[Sentence]:
    """Each sentence with keywords, or each keyword alone with its sentence."""
    found = keyword_sentences(thought, keywords)
    if config.unit == "sentence":
        return found
    return [Sentence(start, end, [hit]) for start, end, hits in found for hit in hits]


def _draw(trace: Trace, total: int, config: CorruptionConfig) -> tuple[Sequence[int], int, int]:
    """Which of `total` places are removed, ascending; number of units; number damaged."""
    rng = stream(config, trace)
    if config.mode == "traces":
        treated = total > 0 and rng.random() < config.fraction
        return range(total if treated else 0), min(total, 1), int(treated)
    places = draw_units(rng, total, config.fraction)
    return sorted(places), total, len(places)


def _remove_units(thought: str, units: list[Sentence], config: CorruptionConfig) -> str:
    """The thought without these units; a sentence that held nothing but keywords is dropped."""
    if config.unit == "sentence":
        return _apply(thought, [(start, end, None) for start, end, _ in units])
    edits = []
    for (start, end), own in groupby(units, key=itemgetter(0, 1)):
        edits.append(_edit(thought, start, end, [hit for _, _, hits in own for hit in hits]))
    return _apply(thought, edits)


def _edit(thought: str, start: int, end: int, hits: list[tuple[int, int]]) -> _Edit:
    """How the sentence from start to end is edited so that the keywords at `hits` are gone."""
    if len(hits) == 1 and hits[0][0] == start:  # most of them
        opened = _OPENED.match(thought, hits[0][1], end)
        if opened:
            letter, at = opened[1], opened.end()
            capital = letter and thought[start].isupper()
            return (start, at, letter.upper()) if capital else (start, at - 1, "")
    return start, end, _without(thought, start, end, hits) or None


def _apply(text: str, edits: Iterable[_Edit]) -> str:
    """Apply the edits, which ascend.

    Of the white space around dropped sentences, the one with the most line ends stays, so that
    paragraphs stay separate and no blank is doubled. The text ends as it did.
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


def _without(thought: str, begin: int, stop: int, hits: list[tuple[int, int]]) -> str:
    """The sentence from begin to stop without these keywords; empty if no word is left."""
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
