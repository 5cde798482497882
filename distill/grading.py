"""Is this answer right: one grader a kind of problem."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from distill.micro import sign_puzzle
from distill.trace import Problem

VERSION = 1
"""Part of the identity of everything graded; raise it when a verdict can change."""

_BOXED = re.compile(r"\\boxed\{([^{}]*)\}")


@dataclass(frozen=True)
class Verdict:
    """What a grader says of one solution."""

    correct: bool | None
    """None: undecided."""

    answer: str | None
    """The answer that was read; None where there is none."""

    why: str


def grade(problem: Problem, solution: str) -> Verdict:
    """Grade what follows the thought; the thought itself is never read for an answer.

    Raises:
        ValueError: no grader for this kind of problem.
    """
    if problem.kind not in GRADERS:
        raise ValueError(
            f"no grader for kind {problem.kind!r}; known: {', '.join(sorted(GRADERS))}"
        )
    return GRADERS[problem.kind](problem, solution)


def _sign_puzzle(problem: Problem, solution: str) -> Verdict:
    """Exact: the last boxed expression has the numbers in order and makes the target."""
    boxed = _BOXED.findall(solution)
    if not boxed:
        return Verdict(False, None, "no boxed answer")
    correct, why = sign_puzzle.check(problem.question, boxed[-1])
    return Verdict(correct, boxed[-1], why)


GRADERS: dict[str, Callable[[Problem, str], Verdict]] = {"sign_puzzle": _sign_puzzle}
