"""Comparisons of expressions run in worker processes with limits on time and memory.

A comparison can take any time and any memory, and no alarm that Python handles stops it reliably:
math-verify's own works in a main thread only, and not within one long operation. So each runs in
an interpreter of its own, which shares nothing with this one (that may hold torch and threads).
There, a timer of the kernel whose signal has no handler ends the process, whatever it computes;
the next comparison gets a new one. Workers are started when first needed, one for each thread that
compares at the same time, and end with this process, even one that is killed.
"""

import atexit
import json
import os
import resource
import signal
import subprocess
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil

from distill.grading import algebra
from distill.grading.equivalence import Comparison, Outcome

DEADLINE = 3.5
"""Seconds of processor time for one comparison, parsing included. Not of the clock: verdicts do not
depend on how busy the machine is."""
MEMORY = 1 << 30
"""Bytes of address space of a worker."""


def compare(gold: str, answer: str, percent: bool, tolerance: float = 0.0) -> Outcome:
    """Whether two answers are equal, by all rules of `equivalence`; safe in any thread.

    Undecided, with the reason, when the worker ran out of time or memory.

    Raises:
        RuntimeError: no worker can be started.
    """
    try:
        worker = _idle.pop()
    except IndexError:
        worker = Worker()
    outcome = worker.compare(gold, answer, percent, tolerance)
    if worker.process.returncode is None:
        _idle.append(worker)
    return outcome


def start() -> None:
    """Let a worker get ready, which takes the import of SymPy, while other work is done."""
    if not _idle:
        _idle.append(Worker())


@atexit.register
def close() -> None:
    """End all idle workers."""
    while _idle:
        _idle.pop().end()


_idle: list["Worker"] = []
os.register_at_fork(after_in_child=_idle.clear)  # they belong to the parent


class Worker:
    """A process that compares one pair at a time."""

    def __init__(self) -> None:
        """Start the process; it is ready later."""
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "distill.grading.workers"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))},
        )
        self._ready = False

    def compare(self, gold: str, answer: str, percent: bool, tolerance: float = 0.0) -> Outcome:
        """Compare one pair; a worker that passes a limit is ended, the outcome undecided.

        Raises:
            RuntimeError: the process did not start.
        """
        requests, replies = self.process.stdin, self.process.stdout
        assert requests and replies
        self._ready = self._ready or replies.readline() == READY
        if not self._ready:
            self.end()
            raise RuntimeError(
                "the process that compares answers did not start; "
                f"{sys.executable} -m distill.grading.workers </dev/null says why"
            )
        with suppress(BrokenPipeError):
            print(json.dumps([gold, answer, percent, tolerance]), file=requests, flush=True)
        reply = replies.readline()
        if not reply:
            self.end()
            late = self.process.returncode == -signal.SIGPROF
            return None, f"not compared in {DEADLINE:g} s" if late else "its process broke down"
        correct, why, full = json.loads(reply)
        if full:
            self.end()
        return correct, why

    def end(self) -> None:
        """Kill and reap the process."""
        self.process.kill()
        with suppress(BrokenPipeError), self.process:  # closes its pipes and waits
            pass


READY = "ready\n"
"""What a worker says once it has imported SymPy."""


def _serve() -> None:
    """What a worker does: answer requests from standard input until it is closed."""
    replies, sys.stdout = sys.stdout, sys.stderr  # parsers print
    signal.signal(signal.SIGPROF, signal.SIG_DFL)  # ends the process; inherited, it may be ignored
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGPROF})
    algebra.parsed("1")
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    print(READY, end="", file=replies, flush=True)
    for line in sys.stdin:
        gold, answer, percent, tolerance = json.loads(line)
        signal.setitimer(signal.ITIMER_PROF, DEADLINE)
        try:
            oracle = partial(algebra.compare, tolerance=tolerance)
            correct, why = Comparison(oracle, percent, tolerance).equal(gold, answer)
        except (MemoryError, RecursionError) as error:
            correct, why = None, f"stopped by {type(error).__name__}"
        signal.setitimer(signal.ITIMER_PROF, 0)
        full = _peak() > MEMORY / 2
        if full and not correct:  # SymPy takes a MemoryError for "not equal"
            correct, why = None, "took too much memory"
        print(json.dumps([correct, why, full]), file=replies, flush=True)


def _peak() -> int:
    """Most memory that this process has held, in bytes.

    Not `ru_maxrss`, which a process inherits on Linux from the one that started it.
    """
    status = Path("/proc/self/status")
    if not status.is_file():
        return psutil.Process().memory_info().rss
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    _serve()
