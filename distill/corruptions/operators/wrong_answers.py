"""Does the student need traces that end in the correct answer? arXiv:2502.07374, section 4.1."""

import hashlib
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator

from distill.corruptions.config import CorruptionConfig
from distill.corruptions.edit_answer import edit_answer
from distill.corruptions.operators import Borrow, Damaged, declares, stream
from distill.trace.records import Trace


@declares("content", "wrong answers", "#0072b2", mode=("natural", "matched", "edited"))
def wrong_answers(
    corpus: Iterable[Trace], config: CorruptionConfig, borrow: Borrow
) -> Iterator[Damaged]:
    """Give traces a wrong final answer, each with probability `config.fraction`.

    The unit is a trace. By `config.mode`:

    * `natural`, the paper's and the released code's: traces drawn are replaced by random donors
      that were graded wrong, each used once. They are of other problems, on the whole harder ones.
    * `matched`, our control: replaced by a wrong trace of the same problem where there is one, else
      by the one nearest in length (characters of thought and solution), each used once.
    * `edited`, our control: the trace stays, and its final answer is replaced by another of the
      same shape where thought and solution conclude (`edit_answer`). A trace that is wrong already,
      or whose answer cannot be edited, is left as it is and is no unit.

    `natural` and `matched` choose among donors, so the wrong trace that comes in depends on the
    corpus; whether a trace is replaced does not. They read corpus and donors twice (an iterator is
    held in memory), and hold ids and lengths; `matched` also holds the wrong traces that it uses.

    Raises:
        ValueError: there are fewer wrong donors than are asked for.
    """
    if config.mode == "edited":
        return (_edited(trace, config) for trace in corpus)
    corpus, donors = _readable_twice(corpus), _readable_twice(borrow.donors)
    return (_natural if config.mode == "natural" else _matched)(corpus, config, donors)


def _is_wrong(trace: Trace) -> bool:
    """Whether the trace comes to a wrong answer; one that was cut off comes to none."""
    return trace.correct is False and trace.finish_reason != "length"


def _natural(
    corpus: Iterable[Trace], config: CorruptionConfig, donors: Iterable[Trace]
) -> Iterator[Damaged]:
    ids = {trace.id: stream(config, trace).random() < config.fraction for trace in corpus}
    wanted = sum(ids.values())
    wrong = sorted(
        (hashlib.sha256(f"{config.seed}:{trace.id}".encode()).digest(), trace.id)
        for trace in donors
        if _is_wrong(trace) and trace.id not in ids
    )
    _enough(len(wrong), wanted)
    chosen = {name for _, name in wrong[:wanted]}
    replacements = (trace for trace in donors if trace.id in chosen)
    for trace in corpus:
        drawn = ids[trace.id]
        yield Damaged(next(replacements) if drawn else trace, 1, int(drawn))


def _matched(
    corpus: Iterable[Trace], config: CorruptionConfig, donors: Iterable[Trace]
) -> Iterator[Damaged]:
    rows = [(stream(config, t).random(), t.id, t.problem.id, _length(t)) for t in corpus]
    ids, problems = {row[1] for row in rows}, {row[2] for row in rows}
    unused = _Unused((t for t in donors if _is_wrong(t) and t.id not in ids), problems)
    # In the order of their draws, so that a smaller fraction's partners are a larger one's too.
    drawn = sorted(row for row in rows if row[0] < config.fraction)
    _enough(len(unused), len(drawn))
    partner = {name: unused.take(problem, length) for _, name, problem, length in drawn}
    wanted = set(partner.values())
    held = {trace.id: trace for trace in donors if trace.id in wanted}
    for trace in corpus:
        other = partner.get(trace.id)
        yield Damaged(held[other] if other else trace, 1, int(other is not None))


class _Unused:
    """Wrong traces that have not been used yet, as (length, id)."""

    def __init__(self, wrong: Iterable[Trace], problems: set[str]) -> None:
        """Args: wrong: the traces. problems: those of the corpus; their traces are used last."""
        self.own: dict[str, list[tuple[int, str]]] = defaultdict(list)
        self.others: list[tuple[int, str]] = []
        for trace in wrong:
            rows = self.own[trace.problem.id] if trace.problem.id in problems else self.others
            rows.append((_length(trace), trace.id))
        for rows in [*self.own.values(), self.others]:
            rows.sort()

    def __len__(self) -> int:
        return len(self.others) + sum(map(len, self.own.values()))

    def take(self, problem: str, length: int) -> str:
        """Id of the nearest in length: of this problem, else of one not in the corpus, else any."""
        groups = [self.own.get(problem), self.others]
        rows = next(filter(None, groups), None)
        if rows is None:
            left = filter(None, self.own.values())
            rows = min(left, key=lambda rows: abs(rows[_nearest(rows, length)][0] - length))
        return rows.pop(_nearest(rows, length))[1]


def _nearest(rows: list[tuple[int, str]], length: int) -> int:
    place = bisect_left(rows, (length, ""))
    near = range(max(place - 1, 0), min(place + 1, len(rows)))
    return min(near, key=lambda i: abs(rows[i][0] - length))


def _edited(trace: Trace, config: CorruptionConfig) -> Damaged:
    rng = stream(config, trace)
    drawn = rng.random() < config.fraction
    edited = None if trace.correct is False else edit_answer(trace, rng)
    if edited is None:
        return Damaged(trace, 0, 0)
    return Damaged(edited.trace, 1, 1, edited.changed) if drawn else Damaged(trace, 1, 0)


def _length(trace: Trace) -> int:
    return len(trace.thought) + len(trace.solution)


def _enough(available: int, wanted: int) -> None:
    if available < wanted:
        raise ValueError(
            f"wrong_answers needs {wanted} verified traces graded wrong, but there are "
            f"{available}; sample more, take a smaller size or fraction, or use mode 'edited'"
        )


def _readable_twice(traces: Iterable[Trace]) -> Iterable[Trace]:
    return list(traces) if iter(traces) is traces else traces
