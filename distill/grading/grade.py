"""Grading decides whether a solution is right; each kind of problem has a grader.

Graders compare texts and exact numbers at once. What needs algebra (`distill.grading.workers`) or
runs a program (`distill.sandbox`) is collected and done afterwards, in other processes.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from distill.compute import ComputeConfig
from distill.grading import answers, countdown, equivalence, workers
from distill.grading.config import GradingConfig
from distill.micro import sign_puzzle
from distill.sandbox.start import Choice
from distill.store.identity import version
from distill.trace.boxes import boxes
from distill.trace.records import Problem

VERSION = 4
"""Part of the identity of everything graded; raise it when a verdict can change."""


@dataclass(frozen=True)
class Verdict:
    """A grader's judgement of one solution."""

    correct: bool | None
    """None: undecided."""

    answer: str | None
    """The answer that was read; None if there is none."""

    why: str
    """The reason, in a few words."""


def pins() -> dict[str, Any]:
    """Versions that decide verdicts besides the configuration: our rules and the libraries."""
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
    """Grade pairs of problem and solution; the verdicts are those of `grade`, in order.

    Equal answers to the same gold answer are compared once, by up to `compute.workers` processes.

    Raises:
        ValueError: no grader for a kind of problem.
    """
    from tqdm import tqdm

    verdicts = []
    for problem, text in items:
        verdict = _grader(problem)(problem, text, how, compute)
        if isinstance(verdict, _Algebra):
            workers.start()
        verdicts.append(verdict)
    pending = list(dict.fromkeys(v for v in verdicts if not isinstance(v, Verdict)))
    most = compute.workers or len(os.sched_getaffinity(0))
    algebra = sum(isinstance(task, _Algebra) for task in pending)
    threads = min(most, 1 + len(pending) - algebra + algebra // _WORTH_A_PROCESS)
    with ThreadPoolExecutor(threads) as pool:
        made = pool.map(lambda task: task(), pending)
        bar = tqdm(made, "grading", len(pending), disable=not compute.progress or not pending)
        done = dict(zip(pending, bar, strict=True))
    return [v if isinstance(v, Verdict) else done[v] for v in verdicts]


@dataclass(frozen=True)
class _Algebra:
    """A symbolic comparison still to be run."""

    gold: str
    answer: str
    percent: bool
    tolerance: float

    def __call__(self) -> Verdict:
        correct, why = workers.compare(self.gold, self.answer, self.percent, self.tolerance)
        return Verdict(correct, self.answer, why)


@dataclass(frozen=True)
class _Program:
    """Tests of a program still to be run."""

    problem: Problem
    code: str
    choice: Choice

    def __call__(self) -> Verdict:
        from distill.grading import code_tests

        graded = code_tests.grade_code(self.problem, self.code, choice=self.choice)
        return Verdict(graded[0], self.code, graded[1])


_Grader = Callable[[Problem, str, GradingConfig, ComputeConfig], Verdict | _Algebra | _Program]


class _NeedsAlgebra(Exception):
    """Raised where texts and exact numbers do not decide a comparison."""


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


def _choice(problem: Problem, solution: str, *rest: Any) -> Verdict:
    """The letter of an option, boxed or announced, or alone on the last line."""
    last = (solution.strip().splitlines() or [""])[-1]
    answer = answers.extract(solution) or last
    gold, named = answers.letter(problem.answer), answers.letter(answer)
    if gold is None:
        return Verdict(None, named, f"the gold answer {problem.answer!r} names no option")
    if named is None:
        return Verdict(False, None, "no option is named")
    return Verdict(named == gold, named, f"option {named}")


def _countdown(problem: Problem, solution: str, *rest: Any) -> Verdict:
    """An expression of the numbers, each used once, whose exact value is the target."""
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
    choice = Choice(compute.sandbox, compute.sandbox_image, compute.unsandboxed_code)
    return _Program(problem, code, choice)


def _sign_puzzle(problem: Problem, solution: str, *rest: Any) -> Verdict:
    """The last boxed expression has the numbers in order and the target as its exact value."""
    boxed = boxes(solution)
    if not boxed:
        return Verdict(False, None, "no boxed answer")
    answer = boxed[-1].content
    correct, why = sign_puzzle.check(problem.question, answer)
    return Verdict(correct, answer, why)


_WORTH_A_PROCESS = 16
"""Comparisons that take as long as the start of another worker, about a second."""
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
        known = ", ".join(sorted(GRADERS))
        raise ValueError(f"no grader for kind {problem.kind!r}; known: {known}")
    return GRADERS[problem.kind]
