"""Programs are run against the tests of their problem, out of whose reach the verdict is made.

Each of `Problem.tests` is a JSON object of one of these types:

    {"type": "stdin", "input": text, "output": text}
        The program reads `input` and must print `output`: each line the same text, or the same
        decimal numbers; white space at the ends of lines and of the text does not count (the rule
        of LiveCodeBench's testing_util.py). An exit status other than 0 fails.
    {"type": "call", "function": name, "arguments": [...], "expected": value}
        The function, or the method of class `Solution`, must return `expected`. Tuples count as
        lists and keys of a dict as text, since `expected` is JSON (APPS, TACO, LiveCodeBench).
    {"type": "program", "code": text, "setup": text, "entry": [names]}
        `code` has assertions (HumanEval, MBPP). It runs in a sandbox of its own and calls the
        program, which is in another, through a socket that carries plain data. So the program sees
        the arguments and nothing else: no test, no expected value, no frame of the harness. `entry`
        are the names that the program supplies; if left out, all that `code` uses and does not
        define. A name of Python's own, such as `sum`, is then the program's only where nothing else
        of the program's is tested. `setup` runs before `code`, in the same sandbox: HumanEval's
        prompt, so that its helper functions are the benchmark's own.

The expected value of a `stdin` or `call` test does not enter the sandbox either. Optional in each:
    "tolerance": numbers may differ by that much, absolute or relative, if the source says so.
    "imports": true: what LeetCode takes for granted (`List`, `heappush`, ...) need not be imported.
"""

import json
import platform
import socket
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from decimal import Decimal
from functools import partial
from typing import Any

from distill.sandbox import start
from distill.sandbox.box import Box, Limits, Result
from distill.sandbox.roles import decode
from distill.trace.records import Problem

VERSION = 3
"""Part of the identity of everything graded; raise it when a verdict can change."""


def pins() -> dict[str, Any]:
    """What decides verdicts on programs: these rules, and the Python that runs the programs."""
    return {"code_tests": VERSION, "python": platform.python_version()}


_REQUIRED = {
    "stdin": {"input", "output"},
    "call": {"function", "arguments", "expected"},
    "program": {"code"},
}
_OPTIONAL = {"type", "tolerance", "imports", "setup", "entry"}


def grade_code(
    problem: Problem,
    code: str,
    *,
    limits: Limits | None = None,
    choice: start.Choice | None = None,
) -> tuple[bool | None, str]:
    """Run a Python program against the tests of a problem, up to the first that fails.

    All `stdin` tests share a sandbox, as do all `call` tests, with a process for each test; a
    `program` test takes two sandboxes. `limits` are for each test; `choice` is of the sandbox.

    Returns:
        Whether it passes, and why not. None: undecided, because there are no tests or they do not
        run even before they call the program.

    Raises:
        ValueError: a test does not follow the schema.
        SandboxUnavailableError: the chosen sandbox does not work here, or none does.
    """
    tests = [_test(text, problem.id) for text in problem.tests]
    if not tests:
        return None, "no tests"
    begin = partial(start.started, limits=limits, choice=choice)
    for kind, grade in _GRADERS.items():
        chosen = [(number, test) for number, test in enumerate(tests) if test["type"] == kind]
        if chosen:
            passed, why = grade(chosen, code, begin)
            if not passed:
                return passed, why
    return True, f"passed {len(tests)} tests"


def same_output(got: str, expected: str, tolerance: float = 0.0) -> bool:
    """Whether a printed text equals the expected one by the rule of `stdin` tests."""
    left, right = ([line.strip() for line in text.strip().split("\n")] for text in (got, expected))
    return len(left) == len(right) and all(
        one == other or _same_numbers(one.split(), other.split(), tolerance)
        for one, other in zip(left, right, strict=True)
    )


def same_value(got: Any, expected: Any, tolerance: float = 0.0) -> bool:
    """Whether a returned value equals the expected one by the rule of `call` tests."""
    if isinstance(got, list | tuple) and isinstance(expected, list | tuple):
        return len(got) == len(expected) and all(
            same_value(one, other, tolerance) for one, other in zip(got, expected, strict=True)
        )
    if isinstance(got, dict) and isinstance(expected, dict):
        left, right = ({str(key): value for key, value in side.items()} for side in (got, expected))
        return left.keys() == right.keys() and all(
            same_value(left[key], right[key], tolerance) for key in left
        )
    numbers = isinstance(got, int | float) and isinstance(expected, int | float)
    if numbers and tolerance and got != expected:
        try:
            return bool(abs(got - expected) <= tolerance * max(1.0, abs(expected)))
        except OverflowError:  # an integer too large for a float
            return False
    return bool(got == expected)


def _same_numbers(got: Sequence[str], expected: Sequence[str], tolerance: float) -> bool:
    if len(got) != len(expected):
        return False
    for one, other in zip(got, expected, strict=True):
        try:
            left, right = Decimal(one), Decimal(other)
            gap = Decimal(tolerance) * max(Decimal(1), abs(right))
            if left != right and not abs(left - right) <= gap:
                return False
        except ArithmeticError:  # not a number, NaN, or out of range
            return False
    return True


_Numbered = list[tuple[int, dict[str, Any]]]
_Begin = Callable[..., AbstractContextManager[Box]]
_Verdict = tuple[bool | None, str]


def _grade_stdin(tests: _Numbered, code: str, begin: _Begin) -> _Verdict:
    def judge(test: dict[str, Any], result: Result) -> str:
        if result.exit != 0:
            return _failure(result)
        same = same_output(result.stdout, test["output"], test.get("tolerance", 0.0))
        return "" if same else "another output"

    cases = [{"stdin": test["input"], "imports": test.get("imports")} for _, test in tests]
    with begin({"role": "stdin", "program": code, "cases": cases}) as box:
        return _first_failure(tests, box, judge)


def _grade_calls(tests: _Numbered, code: str, begin: _Begin) -> _Verdict:
    def judge(test: dict[str, Any], result: Result) -> str:
        if result.ended or not result.value:
            return _failure(result)
        try:
            value = decode(json.loads(result.value), _not_plain)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            return f"no plain value: {error}"
        same = same_value(value, test["expected"], test.get("tolerance", 0.0))
        return "" if same else "another value"

    names = ("function", "arguments", "imports")
    cases = [{name: test.get(name) for name in names} for _, test in tests]
    with begin({"role": "call", "program": code, "cases": cases}) as box:
        return _first_failure(tests, box, judge)


def _first_failure(
    tests: _Numbered, box: Box, judge: Callable[[dict[str, Any], Result], str]
) -> _Verdict:
    for (number, test), result in zip(tests, box.results(), strict=True):
        if why := judge(test, result):
            return False, f"test {number}: {why}"
    return True, ""


def _grade_programs(tests: _Numbered, code: str, begin: _Begin) -> _Verdict:
    for number, test in tests:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            served = {"socket": theirs.fileno(), "imports": test.get("imports")}
            check = {"socket": ours.fileno(), "code": test["code"]}
            check |= {"setup": test.get("setup", ""), "entry": test.get("entry")}
            serving = {"role": "serve", "program": code, "cases": [served]}
            checking = {"role": "check", "program": "", "cases": [check]}
            with (
                begin(serving, sockets=[theirs.fileno()]) as program,
                begin(checking, sockets=[ours.fileno()]) as checker,
            ):
                ours.close()
                theirs.close()
                verdict = next(checker.results())
                if verdict.value == "passed" and verdict.exit == 0:
                    continue
                if verdict.value.startswith("unusable"):
                    return None, f"test {number}: {verdict.value}"
                why = verdict.value.removeprefix("failed: ") or _failure(verdict)
                if why == "EOFError: the program ended":
                    why = _failure(next(program.results()))
                return False, f"test {number}: {why}"
    return True, ""


def _failure(result: Result) -> str:
    if result.ended:
        down = "the program brought the sandbox down"
        return {"time": "out of time", "memory": "out of memory"}.get(result.ended, down)
    last = result.stderr.strip().rpartition("\n")[2]
    return last[:200] or f"ended with status {result.exit} and no answer"


def _not_plain(index: int) -> Any:
    raise ValueError("an object of the program's own")


def _test(text: str, problem: str) -> dict[str, Any]:
    test = json.loads(text)
    kind = test.get("type") if isinstance(test, dict) else None
    if kind not in _REQUIRED:
        known = ", ".join(_REQUIRED)
        raise ValueError(f"a test of problem {problem} has type {kind!r}; known: {known}")
    missing = _REQUIRED[kind] - set(test)
    unknown = set(test) - _REQUIRED[kind] - _OPTIONAL
    if missing or unknown:
        raise ValueError(
            f"a {kind} test of problem {problem} lacks {sorted(missing)} and has unknown "
            f"{sorted(unknown)}; it needs {sorted(_REQUIRED[kind])}"
        )
    return dict(test)


_GRADERS = {"stdin": _grade_stdin, "call": _grade_calls, "program": _grade_programs}
