"""A name of Python's own is the program's where the tests are about it, and only there."""

import json
import shutil

import pytest

from distill.grading.code_tests import grade_code
from distill.trace.records import Problem

pytestmark = pytest.mark.skipif(
    shutil.which("bwrap") is None, reason="bwrap is not installed (package bubblewrap)"
)


def graded(tests: str, program: str, **how):
    test = json.dumps({"type": "program", "code": tests} | how)
    return grade_code(Problem.of("question", "", "code", "test", tests=(test,)), program)


@pytest.mark.parametrize(
    ("tests", "program"),
    [
        ("assert sum(10, 15) == 6", "def sum(a, b): return 6"),
        ("assert max([1, 2]) == -1", "def max(x): return -1"),
        ("assert len('ab') == 'two'", "len = lambda text: 'two'"),
        (
            "assert input(3) == print(4) == 7 and max(min(2)) == 1",
            "def input(n): return 7\ndef print(n): return 7\ndef min(x): return [1]",
        ),
        ("x = filter([1, 2])\nassert x == [2]", "def filter(x): return x[1:]"),
        ("assert set(max([3], [4])) == {3, 4}", "def max(a, b): return a + b"),
        ("import math\nassert math.isclose(sum(1, 2), 4)", "def sum(a, b): return 4.0"),
        ("assert math.isclose(sum(1, 2), 4)", "import math\ndef sum(a, b): return 4.0"),
        ("assert list(map(abs, [1])) == ['x']", "def abs(n): return 'x'"),
        (
            "root = Node(1)\nroot.next = Node(2)\nassert max(root) == 9",
            "class Node:\n    def __init__(self, n): self.n = n\ndef max(node): return 9",
        ),
        (
            "assert double([1]) == 2",
            "def sum(x): return x[0]\ndef double(x): return sum(x) * 2",
        ),
        (
            "assert only((1, 'a'), int) == [1]",
            "def only(x, t): return [v for v in x if type(v) is t]",
        ),
        ("assert kind(1.0) is float and kind(1) == int", "def kind(x): return type(x)"),
    ],
)
def test_a_right_program_may_be_called_as_a_function_of_python(tests, program):
    assert graded(tests, program) == (True, "passed 1 tests")


@pytest.mark.parametrize(
    ("tests", "program"),
    [
        ("assert len(f(3)) == 2", "def len(x): return 2\ndef f(n): return [n]"),
        ("assert all(f(n) == n for n in (1, 2))", "def all(x): return True\ndef f(n): return 0"),
        ("assert any([f(1) == 1])", "def any(x): return True\ndef f(n): return 0"),
        ("assert set(f(1)) == set([1])", "def set(x): return 0\ndef f(n): return [0]"),
        ("assert sorted(f(1)) == [1]", "def sorted(x): return [1]\ndef f(n): return [0]"),
        ("assert abs(f(1) - 1) < 1e-6", "def abs(x): return 0\ndef f(n): return 9"),
        ("assert isinstance(f(1), int)", "def isinstance(x, t): return True\ndef f(n): return 'x'"),
        (
            "assert str(f(1)) == '1'",
            "class str:\n    def __eq__(s, o): return True\ndef f(n): return 0",
        ),
        ("r = f(1)\nassert len(r) == 1", "def len(x): return 1\ndef f(n): return []"),
        (
            "s = Stack()\ns.push(1)\nassert len(s.items) == 1",
            "def len(x): return 1\nclass Stack:\n    items = []\n    def push(self, x): pass",
        ),
        ("assert max([1, 2]) == 2", "x = 1"),
        ("assert len(f(3)) == 1", "def len(x): return 1"),
        ("assert sum(1, 2) == 3", "def sum(a, b): return 4"),
    ],
)
def test_no_name_of_the_program_makes_a_wrong_answer_right(tests, program):
    assert graded(tests, program)[0] is False


def test_stated_names_are_the_programs_and_have_to_be_there():
    assert graded("assert sum(1, 2) == 4", "def sum(a, b): return 4", entry=["sum"])[0] is True
    stub = {"setup": "def f(n): return n", "entry": ["f"]}
    assert graded("assert f(1) == 1", "g = 1", **stub) == (
        False,
        "test 0: NameError: the program does not define 'f'",
    )
