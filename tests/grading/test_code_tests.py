"""Programs are judged by all tests of their problem; of a failure the first reason is named.

They run as ordinary processes here: sandboxes, which change no verdict, are tests/sandbox.
"""

import json
from functools import partial

import pytest

from distill.grading import code_tests
from distill.grading.code_tests import same_output, same_value
from distill.sandbox.box import Limits
from distill.sandbox.start import Choice
from distill.trace.records import Problem

graded = partial(
    code_tests.grade_code, choice=Choice("none"), limits=Limits(cpu_seconds=1, wall_seconds=60)
)
ADD = "def add(a, b): return a + b"


def problem(*tests: dict) -> Problem:
    return Problem.of("question", "", "code", "test", tests=tuple(map(json.dumps, tests)))


def squares(*numbers: int) -> list[dict]:
    return [{"type": "stdin", "input": str(n), "output": str(n * n)} for n in numbers]


def sums(*expected: object, **more: object) -> list[dict]:
    """Tests of `add(2, 3)`."""
    return [
        {"type": "call", "function": "add", "arguments": [2, 3], "expected": value} | more
        for value in expected
    ]


def asserted(code: str, **more: object) -> dict:
    return {"type": "program", "code": code} | more


FAILURES = {
    "another output": (squares(0, 1, 2), "print(int(input()) * 2)", "test 1: another output"),
    "no output": (squares(0), "", "test 0: another output"),
    "an error": (squares(3), "print(1 / 0)", "test 0: ZeroDivisionError: division by zero"),
    "a status after the right output": (
        squares(3), "print(9)\nraise SystemExit(3)", "test 0: ended with status 3 and no answer",
    ),
    "time": (squares(3), "while True: pass", "test 0: out of time"),
    "another value": (sums(5, 6), ADD, "test 1: another value"),
    "another type": (sums("5"), ADD, "test 0: another value"),
    "no value": (sums(5), "def add(a, b): return open", "test 0: no plain value: an object of"),
    "no function": (sums(5), "x = 1", "test 0: NameError: the program defines neither"),
    "a call that ends": (sums(5), "def add(a, b): exit(4)", "test 0: ended with status 4"),
    "an assertion": (
        [asserted("assert add(1, 2) == 3"), asserted("assert add(1, 2) == 4")], ADD,
        "test 1: AssertionError",
    ),
    "an error in a call": (
        [asserted("assert add(1, None) == 3")], ADD, "test 0: TypeError: unsupported operand",
    ),
    "the end of the program": (
        [asserted("assert add(1, 2) == 3")], "import os\ndef add(a, b): os._exit(3)",
        "test 0: ended with status 3 and no answer",
    ),
    "one kind of tests of two": (
        [*sums(6), *squares(2)], "print(4)\n" + ADD, "test 0: another value",
    ),
    "a number in the order of all": (
        [asserted("pass"), *sums(5), *squares(1)], "print(2)\n" + ADD, "test 2: another output",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("tests", "code", "why"), FAILURES.values(), ids=FAILURES)
def test_verdict_names_the_first_failing_test_and_the_reason(tests, code, why):
    passed, said = graded(problem(*tests), code)
    assert passed is False and said.startswith(why), said


@pytest.mark.parametrize(
    ("tests", "code"),
    [
        (squares(0, 1, 12), "print(int(input()) ** 2, ' \\n')"),
        (sums(5, 5.0), ADD),
        (sums([5, {"1": [2]}]), "def add(a, b): return (a + b, {1: (2,)})"),
        (sums(5.1, tolerance=0.1), ADD),
        (sums(5, imports=True), "def add(*x: List[int]): return reduce(int.__add__, x)"),
        ([asserted("assert add(1, 2) == 3"), asserted("assert not add(0, 0)")], ADD),
        ([*sums(5), *squares(2), asserted("assert add('a', 'b') == 'ab'")], "print(4)\n" + ADD),
        (
            [asserted("assert add(1, 1) == 2", imports=True)],
            "def add(*x: List[int]): return reduce(int.__add__, x)",
        ),
    ],
)
def test_a_program_passes_that_passes_all_tests_of_every_kind(tests, code):
    assert graded(problem(*tests), code) == (True, f"passed {len(tests)} tests")


def test_tests_that_do_not_run_or_are_not_there_leave_a_program_undecided():
    assert graded(problem(), "print(1)") == (None, "no tests")
    passed, why = graded(problem(asserted("assert add(1, 2) == 3"), asserted("assert (")), ADD)
    assert passed is None and why.startswith("test 1: unusable")


def test_a_program_that_does_not_load_fails_by_its_own_error_whatever_the_tests_catch():
    caught = "try:\n    f()\n    assert False\nexcept OSError: pass"
    for _ in range(5):
        assert graded(problem(asserted(caught)), "def f(: pass") == (
            False,
            "test 0: SyntaxError: invalid syntax",
        )


def test_helpers_of_the_setup_are_not_the_programs():
    one = {"setup": "def poly(x): return x - 3", "entry": ["root"]}
    test = problem(asserted("assert poly(root()) == 0", **one))
    assert graded(test, "def poly(x): return 0\ndef root(): return 9")[0] is False
    assert graded(test, "def root(): return 3")[0] is True


def test_test_outside_the_schema_is_named():
    for shape in ({"type": "shell"}, ["stdin"], {}):
        with pytest.raises(ValueError, match=r"type .*; known: stdin, call, program"):
            graded(problem(shape), "")
    with pytest.raises(ValueError, match=r"lacks \['output'\].*unknown \['outputs'\]"):
        graded(problem({"type": "stdin", "input": "", "outputs": ""}), "")
    with pytest.raises(ValueError, match=r"lacks \[\].*unknown \['output'\]"):
        graded(problem(*squares(2), asserted("pass", output="")), "print(4)")


@pytest.mark.parametrize(
    ("got", "expected", "tolerance", "same"),
    [
        ("1.0  2 \n", "1 2", 0, True), ("1.01", "1", 0, False), ("1.01", "1", 0.1, True),
        ("nan", "1", 0.1, False), ("nan", "nan", 0, True), ("a b", "a  c", 0, False),
        ("a  b", "a b", 0, False), ("1 2", "1\n2", 0, False), ("1 2", "1 2 3", 0, False),
        ("\n 1\n2  \n\n", "1\n 2", 0, True), ("1\n\n2", "1\n2", 0, False), ("", " \n", 0, True),
        ("1e3", "1000", 0, True), ("1001", "1000", 0.001, True), ("1002", "1000", 0.001, False),
        ("0.001", "0", 0.001, True), ("0.002", "0", 0.001, False), ("-5", "5", 0.5, False),
        ("9" * 30 + "8", "9" * 31, 0, False), ("x 1", "x 1.0", 0, False),
    ],
)  # fmt: skip
def test_printed_numbers_are_compared_as_the_source_says(got, expected, tolerance, same):
    assert same_output(got, expected, tolerance) is same


@pytest.mark.parametrize(
    ("got", "expected", "tolerance", "same"),
    [
        ((1, [2.0]), [1, [2]], 0, True), ([1], [1, 2], 0, False), ([1, 2], [2, 1], 0, False),
        ({1: [2]}, {"1": (2,)}, 0, True), ({1: 2}, {"1": 3}, 0, False), ({}, {"1": 2}, 0, False),
        ({"1": 2, "3": 4}, {"1": 2}, 0, False), ([], {}, 0, False), ("1", 1, 0, False),
        (1e6 + 1, 1e6, 1e-5, True), (1e6 + 1, 1e6, 0, False), (1e6 + 20, 1e6, 1e-5, False),
        (0.001, 0, 0.001, True), (0.002, 0, 0.001, False), (-5.0, -5.1, 0.1, True),
        ([1.05], (1,), 0.1, True), ({"a": 1.05}, {"a": 1}, 0.1, True), ("1.05", "1", 0.1, False),
        (10**400, 1.0, 0.1, False), (1.0, 10**400, 0.1, False), (10**400, 10**400, 0.1, True),
        (None, None, 0, True), (None, 0, 0.1, False), (True, 1, 0, True),
    ],
)  # fmt: skip
def test_returned_values_are_compared_as_the_source_says(got, expected, tolerance, same):
    assert same_value(got, expected, tolerance) is same
