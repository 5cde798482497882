"""Find the traces of a problem that give its most frequent answer (arXiv:2203.11171)."""

from collections.abc import Sequence

from distill.grading import answers, equivalence, options
from distill.trace.records import Trace


def majority(traces: Sequence[Trace]) -> list[Trace]:
    """The traces that give the most frequent answer among the traces of one problem, in order.

    Answers are one where they are the same text or exact number (`distill.grading.equivalence`,
    without algebra), or are all right by their verdicts. Of equally frequent answers the one that
    was given first wins. Traces that were cut off or state no answer have no vote.

    Raises:
        ValueError: the problem asks for a program: no two of them are the same answer.
    """
    if traces and traces[0].problem.kind == "code":
        raise ValueError(
            "selection.by=majority has no vote over programs, and problem "
            f"{traces[0].problem.id} is of kind code; take sample or score"
        )
    votes: list[tuple[str, list[Trace]]] = []
    for trace in traces:
        if (answer := _answer(trace)) is not None:
            same = (given for first, given in votes if _same(first, answer, given[0], trace))
            if (given := next(same, None)) is not None:
                given.append(trace)
            else:
                votes.append((answer, [trace]))
    return max((given for _, given in votes), key=len, default=[])


def _answer(trace: Trace) -> str | None:
    if trace.finish_reason == "length":
        return None
    found = answers.read(trace.solution)
    if trace.problem.kind == "choice":
        named = answers.letter(found.answer) if found.answer else None
        return named or options.option(trace.solution)
    return found.answer


def _same(first: str, answer: str, one: Trace, other: Trace) -> bool:
    if one.correct is not None and other.correct is not None and one.correct != other.correct:
        return False
    if one.correct and other.correct:
        return True
    comparison = equivalence.Comparison(lambda gold, answer: (None, "algebra is not asked"))
    return comparison.equal(first, answer)[0] is True
