"""Tests hold on a machine of any speed and leave nothing in the checkout that git would track."""

import ast
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from distill.run.record import FAILED, RUN
from distill.store.canonical import RECIPE
from distill.store.identity import CHECKOUT

FILES = [
    path
    for path in sorted(Path(__file__).parent.rglob("*.py"))
    if path.parent.name not in ("bench", "fixtures")
]
CLOCKS = {"time", "monotonic", "perf_counter", "time_ns", "monotonic_ns", "perf_counter_ns"}
"""Functions of `time` that tell how much time has passed, whatever has been done in it; those that
count processor time may be compared."""


def _tells_time(node: ast.expr, timed: set[str]) -> bool:
    """Whether an expression calls a clock, or uses a name in `timed`."""
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and part.id in timed:
            return True
        if isinstance(part, ast.Call):
            match part.func:
                case ast.Attribute(ast.Name("time"), name) if name in CLOCKS:
                    return True
                case ast.Name(name) if name in CLOCKS - {"time"}:
                    return True
    return False


def _timed_names(tree: ast.AST) -> set[str]:
    """Names of values and functions that hold or return what a clock said."""
    timed: set[str] = set()
    while True:
        found = set(timed)
        for node in ast.walk(tree):
            value = getattr(node, "value", None)
            if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.NamedExpr):
                if value is not None and _tells_time(value, timed):
                    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                    found |= {
                        part.id
                        for target in targets
                        for part in ast.walk(target)
                        if isinstance(part, ast.Name)
                    }
            elif isinstance(node, ast.FunctionDef):
                returned = [r.value for r in ast.walk(node) if isinstance(r, ast.Return)]
                if any(value is not None and _tells_time(value, timed) for value in returned):
                    found.add(node.name)
        if found == timed:
            return timed
        timed = found


def clock_comparisons(tree: ast.AST) -> Iterator[int]:
    """Lines that compare what a clock said; the condition of a `while`, a deadline, may."""
    timed = _timed_names(tree)
    deadlines = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.While)
        for part in ast.walk(node.test)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and id(node) not in deadlines:
            sides = (node.left, *node.comparators)
            yield from [node.lineno for side in sides if _tells_time(side, timed)][:1]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_test_is_decided_by_the_clock(path):
    assert not list(clock_comparisons(ast.parse(path.read_text(encoding="utf-8"))))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_example_has_a_deadline(path):
    """The first example imports what the others use, and may wait for other processes."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.keyword) and node.arg == "deadline":
            assert isinstance(node.value, ast.Constant) and node.value.value is None, node.lineno


def test_hypothesis_measures_no_time_where_nothing_is_said():
    assert settings.default.deadline is None
    assert settings().deadline is None and settings(max_examples=5).deadline is None


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        ("begun = time.monotonic()\nwork()\nassert time.monotonic() - begun < 5", [3]),
        ("a = perf_counter()\nspent = perf_counter() - a\nassert 1 < spent", [3]),
        ("def timed():\n    a = time.time()\n    return time.time() - a\nassert timed() < 5", [4]),
        ("if time.monotonic() > end: fail()", [1]),
        ("end = time.monotonic() + 9\nwhile runs() and time.monotonic() < end: wait()", []),
        ("a = time.process_time()\nassert time.process_time() - a < 5", []),
    ],
)
def test_a_comparison_with_the_clock_is_found_unless_it_is_the_deadline_of_a_loop(code, lines):
    assert list(clock_comparisons(ast.parse(code))) == lines


def left_by_runs(files: Iterable[str]) -> list[str]:
    """The files that a run writes, where none is kept on purpose."""
    kept = ("analysis/results/", "tests/fixtures/")
    made = {RECIPE, RUN, FAILED}
    return [
        file
        for file in files
        if not file.startswith(kept) and (Path(file).name in made or file.endswith(".lock"))
    ]


def test_git_tracks_nothing_that_a_run_left_in_the_checkout():
    if not (CHECKOUT / ".git").exists():
        pytest.skip("no checkout of git")
    tracked = subprocess.check_output(["git", "ls-files", "-z"], cwd=CHECKOUT, text=True)
    assert left_by_runs(tracked.split("\0")) == []


def test_records_recipes_and_locks_are_found_unless_they_are_kept_on_purpose():
    made = ["single/0/run.json", "load_problems/0/recipe.json", "load_problems/0.lock"]
    kept = ["analysis/results/size/0/run.json", "tests/fixtures/formats/3/run.json", "README.md"]
    assert left_by_runs([*made, *kept]) == made
