"""Trivial programs per second are measured through the sandbox: `make bench`.

Next to the rate stands the processor time of a program with its sandboxes, which depends less on
what else the machine does: two cores run at best `2 / seconds` programs per second. The plain
figure is the same Python started without a sandbox.
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from distill.grading.code_tests import grade_code
from distill.trace.records import Problem

PROGRAMS = 200
CORES = 2
TARGET = 50
"""Programs per second on two cores."""
TESTS = {
    "stdin": (
        {"type": "stdin", "input": "2 3", "output": "5"},
        "print(sum(map(int, input().split())))",
    ),
    "call": (
        {"type": "call", "function": "add", "arguments": [2, 3], "expected": 5},
        "def add(a, b): return a + b",
    ),
    "program": (
        {"type": "program", "code": "assert add(2, 3) == 5"},
        "def add(a, b): return a + b",
    ),
}


def main() -> None:
    """Print a line for each type of test."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    seconds, processor = _timed(lambda _: subprocess.run([sys.executable, "-c", ""], check=True))
    print(f"{'plain python':14s}{PROGRAMS / seconds:8.1f} programs/s{processor * 1e3:8.1f} ms each")
    for kind, (test, code) in TESTS.items():
        problem = Problem.of("question", "", "code", "bench", tests=(json.dumps(test),))

        def graded(_: int, problem: Problem = problem, code: str = code) -> None:
            passed, why = grade_code(problem, code)
            assert passed, why

        seconds, processor = _timed(graded)
        rate, best = PROGRAMS / seconds, CORES / processor
        verdict = "" if rate >= TARGET else f"  below {TARGET}; idle cores would give {best:.0f}"
        print(f"{kind:14s}{rate:8.1f} programs/s{processor * 1e3:8.1f} ms each{verdict}")


def _timed(work: Callable[[int], object]) -> tuple[float, float]:
    """Seconds for all programs, and processor seconds per program with its children."""
    start, before = time.monotonic(), _processor()
    with ThreadPoolExecutor(CORES) as pool:
        list(pool.map(work, range(PROGRAMS)))
    return time.monotonic() - start, (_processor() - before) / PROGRAMS


def _processor() -> float:
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


if __name__ == "__main__":
    main()
