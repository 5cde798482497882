"""Grading decides whether a solution is right; each kind of problem has a grader.

Graders compare texts and exact numbers at once. What needs algebra (`distill.grading.workers`) or
runs a program (`distill.sandbox`) is collected and done afterwards, in other processes.
"""

import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from distill.compute import ComputeConfig
from distill.grading import (
    answers,
    countdown,
    equivalence,
    options,
    programs,
    statements,
    workers,
)
from distill.grading.config import GradingConfig
from distill.micro import sign_puzzle
from distill.sandbox.start import Choice
from distill.store.identity import version
from distill.trace.records import Problem

VERSION = 5
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

    marked: bool = True
    """Whether the answer stood in the mark that prompts ask for: a box, `<answer>`, `####`, of a
    program its fence. If not, it was read by `grading.fallback`, or there is none."""


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
    items: Sequence[tuple[Problem, str]],
    how: GradingConfig,
    compute: ComputeConfig,
    compared: dict[Any, Verdict] | None = None,
) -> list[Verdict]:
    """Grade pairs of problem and solution; the verdicts are those of `grade`, in order.

    Equal answers to the same gold answer are compared once, by up to `compute.workers` processes.
    So they are in several calls that share `compared`, to which comparisons are added, but no runs
    of programs: it would hold the programs.

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
    compared = {} if compared is None else compared
    tasks = dict.fromkeys(v for v in verdicts if not isinstance(v, Verdict))
    pending = [task for task in tasks if task not in compared]
    most = compute.workers or len(os.sched_getaffinity(0))
    algebra = sum(isinstance(task, _Algebra) for task in pending)
    threads = min(most, 1 + len(pending) - algebra + algebra // _WORTH_A_PROCESS)
    with ThreadPoolExecutor(threads) as pool:
        made = pool.map(lambda task: task(), pending)
        bar = tqdm(made, "grading", len(pending), disable=not compute.progress or not pending)
        done = dict(zip(pending, bar, strict=True))
    compared |= {task: made for task, made in done.items() if isinstance(task, _Algebra)}
    return [v if isinstance(v, Verdict) else done.get(v) or compared[v] for v in verdicts]


@dataclass(frozen=True)
class _Algebra:
    """A symbolic comparison still to be run."""

    gold: str
    answer: str
    percent: bool
    tolerance: float
    marked: bool
    written: str

    def __call__(self) -> Verdict:
        correct, why = workers.compare(self.gold, self.answer, self.percent, self.tolerance)
        return Verdict(correct, self.written, why, self.marked)


@dataclass(frozen=True)
class _Program:
    """Tests of a program still to be run."""

    problem: Problem
    code: str
    choice: Choice
    fenced: bool

    def __call__(self) -> Verdict:
        from distill.grading import code_tests

        graded = code_tests.grade_code(self.problem, self.code, choice=self.choice)
        return Verdict(graded[0], self.code, graded[1], self.fenced)


_Grader = Callable[[Problem, str, GradingConfig, ComputeConfig], Verdict | _Algebra | _Program]


class _NeedsAlgebra(Exception):
    """Raised where texts and exact numbers do not decide a comparison."""


def _ask_algebra(gold: str, answer: str) -> equivalence.Outcome:
    raise _NeedsAlgebra


def _math(
    problem: Problem, solution: str, how: GradingConfig, compute: ComputeConfig
) -> Verdict | _Algebra:
    """Equal to the gold answer, by the rules of `distill.grading.equivalence`."""
    found = answers.read(solution, how.fallback)
    if found.answer is None:
        return _unread(how)
    if _OPTION.fullmatch(problem.answer.strip()):
        named, marked = _named(solution, how.fallback)
        if named and not (found.marked and marked is False and len(found.parts) > 1):
            return _option(problem, named, marked)
    try:
        compared = found.answer if how.percent else found.value or found.answer
        comparison = equivalence.Comparison(_ask_algebra, how.percent, problem.tolerance)
        correct, why = comparison.equal(problem.answer, compared)
    except _NeedsAlgebra:
        rules = how.percent, problem.tolerance
        return _Algebra(problem.answer, compared, *rules, found.marked, found.answer)
    return Verdict(correct, found.answer, why, found.marked)


_OPTION = re.compile(r"\\text(?:bf)?\{\s*\(?[A-J]\)?\s*\}|\([A-J]\)")
"""A gold answer in mathematics that is the letter of an option, not a name."""


def _unread(how: GradingConfig) -> Verdict:
    said = "" if how.fallback == "none" else " or stated"
    return Verdict(False, None, f"no answer is marked{said}", False)


def _choice(problem: Problem, solution: str, how: GradingConfig, *rest: Any) -> Verdict:
    """The letter of an option, boxed or stated, or alone on the last line."""
    named, marked = _named(solution, how.fallback)
    if answers.letter(problem.answer) is None:
        return Verdict(None, named, f"the gold answer {problem.answer!r} names no option", marked)
    if named is None:
        return Verdict(False, None, "no option is named", False)
    return _option(problem, named, marked)


def _named(solution: str, fallback: str) -> tuple[str | None, bool]:
    """The letter of the option that a solution names, and whether it is marked as the answer."""
    found = answers.marked(solution)
    named = answers.letter(found[0]) if len(found) == 1 else None
    if named or fallback == "none":
        return named, named is not None
    return options.option(solution), False


def _option(problem: Problem, named: str, marked: bool) -> Verdict:
    return Verdict(named == answers.letter(problem.answer), named, f"option {named}", marked)


def _countdown(problem: Problem, solution: str, how: GradingConfig, *rest: Any) -> Verdict:
    """An expression of the numbers, each used once, whose exact value is the target."""
    found, marked = _expression(solution, how)
    if found is None:
        return _unread(how)
    correct, why = countdown.check(problem.answer, found)
    return Verdict(correct, found, why, marked)


def _code(
    problem: Problem, solution: str, how: GradingConfig, compute: ComputeConfig
) -> Verdict | _Program:
    """The program of the solution passes all tests of the problem, in a sandbox."""
    found = programs.program(solution, programs.called(problem.tests))
    if found is None or not (found.fenced or how.fallback != "none"):
        return Verdict(False, None, "no fenced block of Python", False)
    choice = Choice(compute.sandbox, compute.sandbox_image, compute.unsandboxed_code)
    return _Program(problem, found.code, choice, found.fenced)


def _sign_puzzle(problem: Problem, solution: str, how: GradingConfig, *rest: Any) -> Verdict:
    """The answer has the numbers in order and the target as its exact value."""
    found, marked = _expression(solution, how)
    if found is None:
        return _unread(how)
    correct, why = sign_puzzle.check(problem.question, found)
    return Verdict(correct, found, why, marked)


def _expression(solution: str, how: GradingConfig) -> tuple[str | None, bool]:
    """The expression that a solution gives as its answer, and whether it is marked."""
    if found := answers.marked(solution):
        return found[-1], True
    return (None if how.fallback == "none" else statements.expression(solution)), False


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


def checkable(problem: Problem) -> bool:
    """Whether a problem has what its grader decides by: an answer, or tests of a program."""
    if problem.kind in _BY_QUESTION:
        return True
    return bool(problem.tests if problem.kind == "code" else problem.answer.strip())


_BY_QUESTION = ("sign_puzzle",)
"""Kinds whose question alone says whether an answer is right."""


def _grader(problem: Problem) -> _Grader:
    if problem.kind not in GRADERS:
        known = ", ".join(sorted(GRADERS))
        raise ValueError(f"no grader for kind {problem.kind!r}; known: {known}")
    return GRADERS[problem.kind]
