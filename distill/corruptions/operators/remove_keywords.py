"""Does the student need the words of reflection? arXiv:2502.07374, section 4.1."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from distill.corruptions.config import CorruptionConfig
from distill.corruptions.operators import Damaged, batches, draw_units, stream
from distill.trace.keywords import Bounds, keyword_bounds
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
"""Start, end and what comes there; None drops the sentence that stands there."""


def remove_keywords(
    corpus: Iterable[Trace], config: CorruptionConfig, pool: Iterable[Trace]
) -> Iterator[Damaged]:
    """Take reflection keywords (`keywords.txt`) out of the thoughts; the text around stays whole.

    The solution stays as it is.

    By `config.unit`:

    * `sentence`, the paper's: the whole sentence that holds a keyword goes, with all it says.
    * `keyword`: the word or phrase goes, with the comma after it, and what it said stays; where it
      opened a sentence, the next word takes its capital. "Wait, let me try 5." -> "Let me try 5."

    By `config.mode`:

    * `units`, the paper's: round(fraction * N) of a thought's N units go. At 100 % no keyword is
      left.
    * `traces`, the released code's: a thought is treated fully, with probability fraction, or not
      at all. The unit that is counted is then the trace.

    The released code does not strike sentences: it has GPT-4o-mini rewrite the trace without its
    reflections. That is unit `reflection`: the pool holds the corpus as a model rewrote it (see
    `distill/corruptions/rewrite.py`), in the same order. The paper has the model find the
    sentences, too.
    """
    if config.unit == "reflection":
        pairs = zip(corpus, pool, strict=True)
        return (_take(trace, rewritten, config) for trace, rewritten in pairs)
    return (damaged for batch in batches(corpus) for damaged in _remove(batch, config))


def _take(trace: Trace, rewritten: Trace, config: CorruptionConfig) -> Damaged:
    drawn = stream(config, trace).random() < config.fraction
    if rewritten == trace:
        return Damaged(trace, 0, 0)
    return Damaged(rewritten if drawn else trace, 1, int(drawn))


def _remove(batch: list[Trace], config: CorruptionConfig) -> Iterator[Damaged]:
    strike = _strike_sentences if config.unit == "sentence" else _strike_keywords
    thoughts, counts, whole = [], [], []
    found = keyword_bounds([trace.thought for trace in batch])
    for index, (trace, bounds) in enumerate(zip(batch, found, strict=True)):
        total = _count(bounds, config)
        places, units, damaged = _draw(trace, total, config)
        thoughts.append(strike(trace.thought, bounds, places) if places else trace.thought)
        counts.append((units, damaged))
        if places and len(places) == total:
            whole.append(index)
    # What is struck can bring a phrase together, as in "let me wait think again".
    while whole:
        found = keyword_bounds([thoughts[index] for index in whole])
        left = [(index, bounds) for index, bounds in zip(whole, found, strict=True) if bounds.hits]
        for index, bounds in left:
            thoughts[index] = strike(thoughts[index], bounds, range(_count(bounds, config)))
        whole = [index for index, _ in left]
    for trace, thought, (units, damaged) in zip(batch, thoughts, counts, strict=True):
        yield Damaged(replace(trace, thought=thought) if damaged else trace, units, damaged)


def _draw(trace: Trace, total: int, config: CorruptionConfig) -> tuple[Sequence[int], int, int]:
    """Which of `total` places are struck, ascending; units there are; units damaged."""
    rng = stream(config, trace)
    if config.mode == "traces":
        treated = total > 0 and rng.random() < config.fraction
        return range(total if treated else 0), min(total, 1), int(treated)
    places = draw_units(rng, total, config.fraction)
    return sorted(places), total, len(places)


def _count(bounds: Bounds, config: CorruptionConfig) -> int:
    return len(bounds.starts if config.unit == "sentence" else bounds.hits)


def _strike_sentences(thought: str, bounds: Bounds, places: Sequence[int]) -> str:
    """The thought without the sentences at these places, ascending."""
    return _put(thought, [(bounds.starts[place], bounds.ends[place], None) for place in places])


def _strike_keywords(thought: str, bounds: Bounds, places: Sequence[int]) -> str:
    """The thought without the keywords at these places; a sentence that was nothing else goes."""
    edits = []
    for owner, struck in groupby(places, bounds.owners.__getitem__):
        hits = [bounds.hits[place] for place in struck]
        edits.append(_edit(thought, bounds.starts[owner], bounds.ends[owner], hits))
    return _put(thought, edits)


def _edit(thought: str, start: int, end: int, hits: list[tuple[int, int]]) -> _Edit:
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


def _without(thought: str, begin: int, stop: int, hits: list[tuple[int, int]]) -> str:
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
