"""Does the student need the words of reflection? arXiv:2502.07374, section 4.1."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import count

from distill.config import CorruptionConfig
from distill.corruptions import Damaged, draw_units, stream
from distill.keywords import Sentence, find_keywords, keyword_sentences
from distill.trace import Trace

_BLANKS = re.compile(r"\s*")
_OPENING = re.compile(r"(?:\d{1,3}[.)]\s)?\W*")
_AFTER_OPENING = re.compile(r"[,;:.!?…\u2013\u2014]*\s*")
_AFTER_WORD = re.compile(r",?\s*")
_CLOSING = tuple(".!?…,;:)]")
# A word that may take a capital: no name of mathematics, such as x, or ab in "ab = 3".
_WORD = re.compile(r"(?:[a-z][a-z]+|[ai])(?=[\s,.;:!?'\u2019-]|$)(?!\s*[=+*/^<>_-])")


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
    sentences = keyword_sentences(trace.thought)
    strike = _strike_sentences if config.unit == "sentence" else _strike_keywords
    total = len(sentences) if config.unit == "sentence" else sum(len(s.hits) for s in sentences)
    if config.mode == "traces":
        places = list(range(total)) if rng.random() < config.fraction else []
        units, damaged = min(total, 1), min(len(places), 1)
    else:
        places = draw_units(rng, total, config.fraction)
        units, damaged = total, len(places)
    if not places:
        return Damaged(trace, units, 0)
    thought = strike(trace.thought, sentences, set(places))
    # What is struck can bring a phrase together, as in "let me wait think again".
    while len(places) == total and (hits := len(find_keywords(thought))):
        thought = strike(thought, keyword_sentences(thought), set(range(hits)))
    return Damaged(replace(trace, thought=thought), units, damaged)


def _strike_sentences(thought: str, sentences: list[Sentence], places: set[int]) -> str:
    """The thought without the sentences at these places."""
    return _put(thought, [(s.start, s.end, "") for i, s in enumerate(sentences) if i in places])


def _strike_keywords(thought: str, sentences: list[Sentence], places: set[int]) -> str:
    """The thought without the keywords at these places; a sentence that was nothing else goes."""
    place = count()
    edits = []
    for sentence in sentences:
        hits = [hit for hit in sentence.hits if next(place) in places]
        if hits:
            edits.append((sentence.start, sentence.end, _without(thought, sentence, hits)))
    return _put(thought, edits)


def _put(text: str, edits: list[tuple[int, int, str]]) -> str:
    """The text with new sentences at (start, end), ascending; an empty one is dropped.

    Where sentences are dropped, the blanks with the most line ends among those around them stay, so
    that paragraphs stay parted and no blank is doubled. The text ends as it did.
    """
    out: list[str] = []
    blanks, at = "", 0
    for start, end, new in edits:
        before = text[at:start]
        kept = before.rstrip()
        if kept:
            out += blanks, kept
            blanks = ""
        blanks += before[len(kept) :]
        after = _BLANKS.match(text, end)
        at = after.end() if after else end
        if new:
            out += blanks, new
            blanks = text[end:at]
        elif out:
            blanks = max(text[end:at], blanks, key=_line_ends)
    if at < len(text):
        return "".join((*out, blanks, text[at:]))
    return "".join((*out, text[len(text.rstrip()) :])) if out else ""


def _line_ends(blanks: str) -> int:
    return blanks.count("\n")


def _without(thought: str, sentence: Sentence, hits: list[tuple[int, int]]) -> str:
    """The sentence without the keywords at `hits`; empty where no word is left."""
    left, at = "", sentence.start
    opening = None
    for start, end in hits:
        left += thought[at:start]
        opens = _OPENING.fullmatch(left) is not None
        after = (_AFTER_OPENING if opens else _AFTER_WORD).match(thought, end, sentence.end)
        at = after.end() if after else end
        if opens:
            opening = len(left)
        elif at >= sentence.end or thought[at] in _CLOSING:
            left = left.rstrip(" ,;")
    left += thought[at : sentence.end]
    if opening is None:
        return left
    rest = left[opening:]
    if thought[hits[0][0]].isupper() and _WORD.match(rest):
        rest = rest[0].upper() + rest[1:]
    return left[:opening] + rest if any(map(str.isalnum, rest)) else ""
