"""Is this answer right: one grader a kind of problem.

Cheap comparisons are made here; those that need algebra or run a program go to processes that can
be killed.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from distill.compute import ComputeConfig
from distill.grading import answers, countdown, equivalence
from distill.grading import workers as killable
from distill.grading.config import GradingConfig
from distill.micro import sign_puzzle
from distill.store.identity import version
from distill.trace.boxes import boxes
from distill.trace.records import Problem

VERSION = 3
"""Part of the identity of everything graded; raise it when a verdict can change."""


@dataclass(frozen=True)
class Verdict:
    """What a grader says of one solution."""

    correct: bool | None
    """None: undecided."""

    answer: str | None
    """The answer that was read; None where there is none."""

    why: str


def pins() -> dict[str, Any]:
    """What decides verdicts from outside the configuration."""
    from distill.grading import code_tests

    libraries = ("math-verify", "latex2sympy2_extended", "sympy")
    return {"version": VERSION} | code_tests.pins() | {name: version(name) for name in libraries}


def grade(
    problem: Problem,
    solution: str,
    how: GradingConfig | None = None,
    compute: ComputeConfig | None = None,
) -> Verdict:
    """Grade what follows the thought; the thought itself is never read for an answer.

    Raises:
        ValueError: no grader for this kind of problem.
    """
    verdict = _grader(problem)(problem, solution, how or GradingConfig(), compute or _ALONE)
    return verdict if isinstance(verdict, Verdict) else verdict()


def grade_all(
    items: Sequence[tuple[Problem, str]], how: GradingConfig, compute: ComputeConfig
) -> list[Verdict]:
    """The verdicts on pairs of problem and solution, in order; each distinct answer once.

    Verdicts are those of `grade`. `compute.workers` processes work side by side.

    Raises:
        ValueError: no grader for a kind of problem.
    """
    from tqdm import tqdm

    verdicts = []
    for problem, text in items:
        verdict = _grader(problem)(problem, text, how, compute)
        if isinstance(verdict, _Algebra):
            killable.start()
        verdicts.append(verdict)
    owed = list(dict.fromkeys(v for v in verdicts if not isinstance(v, Verdict)))
    most = compute.workers or len(os.sched_getaffinity(0))
    algebra = sum(isinstance(work, _Algebra) for work in owed)
    workers = min(most, 1 + len(owed) - algebra + algebra // _WORTH_A_PROCESS)
    with ThreadPoolExecutor(workers) as pool:
        work = pool.map(lambda work: work(), owed)
        bar = tqdm(work, "grading", len(owed), disable=not compute.progress or not owed)
        done = dict(zip(owed, bar, strict=True))
    return [v if isinstance(v, Verdict) else done[v] for v in verdicts]


@dataclass(frozen=True)
class _Algebra:
    """A comparison that is owed."""

    gold: str
    answer: str
    percent: bool
    tolerance: float

    def __call__(self) -> Verdict:
        correct, why = killable.compare(self.gold, self.answer, self.percent, self.tolerance)
        return Verdict(correct, self.answer, why)


@dataclass(frozen=True)
class _Program:
    """Tests of a program that are owed."""

    problem: Problem
    code: str
    unsandboxed: bool

    def __call__(self) -> Verdict:
        from distill.grading import code_tests

        correct, why = code_tests.grade_code(
            self.problem, self.code, unsafe_without_sandbox=self.unsandboxed
        )
        return Verdict(correct, self.code, why)


_Grader = Callable[
    [Problem, str, GradingConfig, ComputeConfig], Verdict | _Algebra | _Program
]  # the last two: work that is owed


class _NeedsAlgebra(Exception):
    """Texts and exact numbers do not decide a comparison."""


def _ask_algebra(gold: str, answer: str) -> equivalence.Outcome:
    raise _NeedsAlgebra


def _math(
    problem: Problem, solution: str, how: GradingConfig, compute: ComputeConfig
) -> Verdict | _Algebra:
    """Equal to the gold answer, by the rules of `distill.grading.equivalence`."""
    answer = answers.extract(solution)
    if answer is None:
        return Verdict(False, None, "no answer is boxed or announced")
    try:
        comparison = equivalence.Comparison(_ask_algebra, how.percent, problem.tolerance)
        correct, why = comparison.equal(problem.answer, answer)
    except _NeedsAlgebra:
        return _Algebra(problem.answer, answer, how.percent, problem.tolerance)
    return Verdict(correct, answer, why)


def _choice(problem: Problem, solution: str, how: GradingConfig, compute: ComputeConfig) -> Verdict:
    """The letter of an option: boxed, announced, or alone on the last line."""
    last = (solution.strip().splitlines() or [""])[-1]
    answer = answers.extract(solution) or last
    gold, named = answers.letter(problem.answer), answers.letter(answer)
    if gold is None:
        return Verdict(None, named, f"the gold answer {problem.answer!r} names no option")
    if named is None:
        return Verdict(False, None, "no option is named")
    return Verdict(named == gold, named, f"option {named}")


def _countdown(
    problem: Problem, solution: str, how: GradingConfig, compute: ComputeConfig
) -> Verdict:
    """Exact: an expression of the numbers, each used once, that makes the target."""
    answer = answers.extract(solution)
    if answer is None:
        return Verdict(False, None, "no answer is boxed, tagged or announced")
    correct, why = countdown.check(problem.answer, answer)
    return Verdict(correct, answer, why)


def _code(
    problem: Problem, solution: str, how: GradingConfig, compute: ComputeConfig
) -> Verdict | _Program:
    """The last fenced block passes all tests of the problem, in a sandbox."""
    code = answers.code(solution)
    if code is None:
        return Verdict(False, None, "no fenced block of Python")
    return _Program(problem, code, compute.unsandboxed_code)


def _sign_puzzle(
    problem: Problem, solution: str, how: GradingConfig, compute: ComputeConfig
) -> Verdict:
    """Exact: the last boxed expression has the numbers in order and makes the target."""
    boxed = boxes(solution)
    if not boxed:
        return Verdict(False, None, "no boxed answer")
    answer = boxed[-1].content
    correct, why = sign_puzzle.check(problem.question, answer)
    return Verdict(correct, answer, why)


_WORTH_A_PROCESS = 16
"""Comparisons that outweigh the second in which another process starts."""
_ALONE = ComputeConfig(workers=1, progress=False)

GRADERS: dict[str, _Grader] = {
    "sign_puzzle": _sign_puzzle,
    "math": _math,
    "choice": _choice,
    "countdown": _countdown,
    "code": _code,
}


def _grader(problem: Problem) -> _Grader:
    if problem.kind not in GRADERS:
        raise ValueError(
            f"no grader for kind {problem.kind!r}; known: {', '.join(sorted(GRADERS))}"
        )
    return GRADERS[problem.kind]
