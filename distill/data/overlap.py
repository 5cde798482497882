"""Find near duplicates among questions, and questions that overlap with a benchmark.

Both are exact, where MinHash would be approximate, so that no overlap is missed. They compare runs
of words: lower case, split at white space, as s1 (arXiv:2501.19393) and open-r1
(scripts/decontaminate.py) do. A text shorter than a run is one piece.
"""

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from math import ceil

SHINGLE = 5
"""Words in a run; the sets of runs are compared for near duplicates."""

_SLOTS = 1 << 20
"""Counters of how often a piece occurs; pieces that share one are counted together, which costs
time but never changes a result, and bounds memory for any number of questions."""


@dataclass(frozen=True)
class Overlap:
    """A question of a benchmark, by its index, that shares words in a row with a problem."""

    index: int
    shared: int
    """Pieces of it that the problem has too, of the `pieces` that it has."""

    pieces: int
    words: str
    """The longest run of words that both have."""

    others: int
    """How many more questions of the benchmark share a run; stock phrases are in many."""


def pieces(text: str, length: int) -> list[str]:
    """Every run of `length` words of a text, in order; the whole text where it has fewer."""
    words = text.lower().split()
    if len(words) <= length:
        return [" ".join(words)] if words else []
    return [" ".join(words[i : i + length]) for i in range(len(words) - length + 1)]


class Benchmark:
    """An index of questions that no problem should overlap with; memory grows with them only."""

    def __init__(self, questions: Iterable[str], length: int) -> None:
        """Index every run of `length` words of the questions."""
        self.length = length
        self._sizes: list[int] = []
        self._places: defaultdict[str, list[int]] = defaultdict(list)
        for index, question in enumerate(questions):
            found = dict.fromkeys(pieces(question, length))
            self._sizes.append(len(found))
            for piece in found:
                self._places[piece].append(index)

    def overlap(self, question: str) -> Overlap | None:
        """The benchmark question of which this has the largest share; None without a shared run."""
        own = pieces(question, self.length)
        known = [self._places[piece] for piece in dict.fromkeys(own) if piece in self._places]
        if not known:
            return None
        hits = Counter(chain.from_iterable(known))
        index = max(hits, key=lambda i: (hits[i] / self._sizes[i], -i))
        positions = [i for i, piece in enumerate(own) if index in self._places.get(piece, ())]
        words = self._longest(own, positions)
        return Overlap(index, hits[index], self._sizes[index], words, len(hits) - 1)

    def _longest(self, own: Sequence[str], positions: Sequence[int]) -> str:
        """The words of the longest sequence of adjacent shared pieces."""
        runs = groupby(enumerate(positions), key=lambda pair: pair[1] - pair[0])
        first, *rest = max(([position for _, position in run] for _, run in runs), key=len)
        return " ".join([own[first], *(own[position].rpartition(" ")[2] for position in rest)])


def near_duplicates(questions: Sequence[str], similarity: float) -> dict[int, tuple[int, float]]:
    """Which questions repeat an earlier one that is kept.

    A question repeats another if the Jaccard similarity of their sets of runs of `SHINGLE` words is
    at least `similarity`. Exact, by prefix filtering (Chaudhuri et al., ICDE 2006): sets that are
    so similar share one of their rarest pieces, so only those are looked up.

    Of each group of repeats the first in this order is kept; `similarity` is in (0, 1].

    Returns:
        Index of a question that repeats another -> index of the earliest kept one that it repeats,
        and their similarity.
    """
    sets = [array("q", {hash(piece) for piece in pieces(q, SHINGLE)}) for q in questions]
    counts = array("L", bytes(_SLOTS * array("L").itemsize))
    for one in sets:
        for piece in one:
            counts[piece % _SLOTS] += 1
    postings: defaultdict[int, list[int]] = defaultdict(list)
    repeats: dict[int, tuple[int, float]] = {}
    for index, one in enumerate(sets):
        rare = sorted(one, key=lambda piece: (counts[piece % _SLOTS], piece))
        prefix = rare[: len(one) - ceil(similarity * len(one) - 1e-9) + 1]
        candidates = sorted({earlier for piece in prefix for earlier in postings.get(piece, ())})
        own = set(one)
        for earlier in candidates:
            jaccard = _jaccard(own, sets[earlier], similarity)
            if jaccard >= similarity:
                repeats[index] = (earlier, jaccard)
                break
        else:
            for piece in prefix:
                postings[piece].append(index)
    return repeats


def _jaccard(own: set[int], other: "array[int]", least: float) -> float:
    """Similarity of two sets; 0 where their sizes alone keep it below `least`."""
    small, large = sorted((len(own), len(other)))
    if not large or small < least * large:
        return 0.0
    shared = sum(piece in own for piece in other)
    return shared / (len(own) + len(other) - shared)
