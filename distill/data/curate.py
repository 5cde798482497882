"""Order problems by quotas and by how different they are; every prefix keeps to both.

Groups take turns by their weights. Within a group the most different problems come first:
farthest-first traversal (Gonzalez 1985), which begins with the first problem and goes on with the
one whose nearest problem among those taken is farthest. Distance is 1 - Jaccard similarity of the
questions' sets of words and pairs of neighbouring words, in lower case, split at white space.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from distill.data.config import CurationConfig
from distill.data.overlap import pieces
from distill.trace.records import Problem

UNKNOWN = "unknown"
"""The group of problems without a difficulty."""


@dataclass(frozen=True)
class Chosen:
    """A problem in its place."""

    problem: Problem
    group: str
    """Empty where problems are not grouped."""

    distance: float | None
    """To the nearest problem of its group before it; None of the first, and without `diverse`."""


def curate(problems: Sequence[Problem], how: CurationConfig) -> Iterator[Chosen]:
    """The problems in the order in which they are taken, lazily.

    Ties between problems go by the given order, between groups by name. Without quotas all groups
    weigh the same, and one that is used up drops out.

    Raises:
        ValueError: quotas name a group that there is not, or one is used up.
    """
    groups: dict[str, list[Problem]] = {}
    for problem in problems:
        groups.setdefault(group_of(problem, how.by), []).append(problem)
    if missing := [name for name in how.quotas if name not in groups]:
        raise ValueError(
            f"selection.problems.quotas names {', '.join(missing)}, but by {how.by} there are "
            f"{', '.join(sorted(groups)) or 'no problems'}"
        )
    weights = dict(sorted((how.quotas or dict.fromkeys(groups, 1.0)).items()))
    queues = {name: _ordered(groups[name], how.diverse) for name in weights}
    taken = dict.fromkeys(weights, 0)
    while queues:
        name = min(queues, key=lambda group: (taken[group] + 1) / weights[group])
        if (found := next(queues[name], None)) is not None:
            taken[name] += 1
            yield Chosen(found[0], name, found[1])
        elif how.quotas:
            raise ValueError(
                f"selection.problems.quotas={dict(how.quotas)}: {name} has only "
                f"{taken[name]} eligible problems, where {sum(taken.values())} are taken; lower "
                "size.traces or its quota"
            )
        else:
            del queues[name]


def group_of(problem: Problem, by: str) -> str:
    """The group of a problem: its kind, the last part of its source, or its difficulty."""
    match by:
        case "domain":
            return problem.kind
        case "source":
            return problem.source.rpartition("/")[2]
        case "difficulty":
            return UNKNOWN if problem.difficulty is None else f"{problem.difficulty:g}"
    return ""


def _ordered(problems: Sequence[Problem], diverse: bool) -> Iterator[tuple[Problem, float | None]]:
    if not diverse:
        return ((problem, None) for problem in problems)
    return ((problems[i], far) for i, far in farthest_first([p.question for p in problems]))


def farthest_first(texts: Sequence[str]) -> Iterator[tuple[int, float | None]]:
    """Index of each text in farthest-first order, and its distance to the nearest before it.

    Takes memory for the pieces of all texts, and time for them at every step.
    """
    import numpy as np
    from scipy.sparse import csr_array

    if not texts:
        return
    index: dict[str, int] = {}
    rows = [{*pieces(text, 1), *pieces(text, 2)} for text in texts]
    columns = [index.setdefault(piece, len(index)) for row in rows for piece in sorted(row)]
    sizes = np.array([len(row) for row in rows])
    starts = np.concatenate([[0], np.cumsum(sizes)])
    shape = (len(texts), max(len(index), 1))
    matrix = csr_array((np.ones(len(columns), dtype=np.int64), columns, starts), shape=shape)
    nearest = np.full(len(texts), 2.0)  # farther than any distance
    distance: float | None = None
    for step in range(len(texts)):
        at = int(np.argmax(nearest))
        if step:
            distance = float(nearest[at])
        yield at, distance
        here = np.zeros(shape[1], dtype=np.int64)
        here[matrix.indices[starts[at] : starts[at + 1]]] = 1
        common = matrix @ here
        union = np.maximum(sizes + sizes[at] - common, 1)
        nearest = np.minimum(nearest, 1 - common / union)  # of those taken it stays -1
        nearest[at] = -1.0
