"""How much of a trace's text a corruption changed, in one measure for all operators."""

import re

from rapidfuzz.distance import Indel

from distill.trace.records import Trace

# Kana and ideographs, which no white space separates into words.
_APART = "\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = re.compile(rf"[{_APART}]|\d|[^\W\d_{_APART}]+|[^\w\s]|_")


def words(text: str) -> list[str]:
    """What `changed` counts: each digit, run of letters, kana, ideograph and other sign by itself.

    White space is no word. Letters of either case differ.

    >>> words("Wait, 2x = 14.")
    ['Wait', ',', '2', 'x', '=', '1', '4', '.']
    """
    return _WORD.findall(text)


def changed(before: Trace, after: Trace) -> float:
    """The share of the words of two traces that had to be deleted or inserted, from 0 to 1.

    Of n words before and m after, thought and solution together, this is (n + m - 2 L) / (n + m)
    with L the length of their longest common subsequence: 0 where all words stayed in order (or
    there are none), 1 where no word is common. A share f of words replaced by others is f; deleted,
    it is f / (2 - f), since the words that stay are in both traces; a step that moved is deleted in
    one place and inserted in another. Time grows with n m / 64.
    """
    old, new = (words(trace.thought) + words(trace.solution) for trace in (before, after))
    return Indel.normalized_distance(old, new)
