"""Compare expressions in processes that are killed past a limit of time or memory.

A comparison can burn any time and memory, and no alarm inside the process stops it reliably:
math-verify's own, SIGALRM, works in a main thread only, and not within one long operation. So each
runs in a fresh interpreter that shares nothing with this one (which may hold torch and threads),
under limits of memory and processor time, and is replaced once killed. Processes are started when
first needed, one for each thread that asks at the same time, and end with this process.
"""

import atexit
import gc
import json
import math
import os
import resource
import selectors
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any

import psutil

from distill.grading import algebra
from distill.grading.equivalence import Comparison, Outcome

DEADLINE = 3.5
"""Seconds of processor time for one comparison, parsing included, until its process is killed; with
the start of the next one less than five. Not of the clock: verdicts do not depend on how busy the
machine is."""
PATIENCE = 60.0
"""Seconds of the clock for one comparison, should its process wait for something."""
MEMORY = 1 << 30
"""Bytes of address space of a process."""
START = 120.0
"""Seconds in which a process must be ready."""


def compare(gold: str, answer: str, percent: bool, tolerance: float = 0.0) -> Outcome:
    """Whether two answers are equal, by all rules of `equivalence`; safe in any thread.

    Undecided, with the reason, when the process that compares them ran out of time or memory.

    Raises:
        RuntimeError: no process can be started.
    """
    worker = _taken() or Worker()
    outcome = worker.compare([gold, answer, percent, tolerance])
    if worker.alive:
        with _lock:
            _idle.append(worker)
    return outcome


def start() -> None:
    """Let a process get ready, which takes the import of SymPy, while other work is done."""
    with _lock:
        if not _idle:
            _idle.append(Worker())


class Worker:
    """A process that compares one pair at a time."""

    def __init__(self) -> None:
        """Start the process; it is ready later."""
        paths = (str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", ""))
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "distill.grading.workers"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
        )
        self.alive, self._ready = True, False

    def compare(self, request: list[Any]) -> Outcome:
        """Ask for one comparison; past a limit the process is ended, the outcome undecided."""
        if not self._ready:
            self._wait_until_ready()
        try:
            _stream(self.process.stdin).write(json.dumps(request).encode() + b"\n")
            line = self._line(PATIENCE, DEADLINE)
        except BrokenPipeError:
            line = ""
        if line:
            correct, why, self.alive = json.loads(line)
            if not self.alive:
                self.end()
            return correct, why
        self.end()
        why = f"not compared in {DEADLINE:g} s" if line is None else "its process broke down"
        return None, why

    def end(self) -> None:
        """Kill and reap the process."""
        self.alive = False
        self.process.kill()
        for stream in (self.process.stdin, self.process.stdout):
            _stream(stream).close()
        self.process.wait()

    def _wait_until_ready(self) -> None:
        if self._line(START) != "ready":
            self.end()
            raise RuntimeError(
                "the process that compares answers did not start; "
                f"{sys.executable} -m distill.killable </dev/null says why"
            )
        self._ready = True

    def _line(self, seconds: float, worked: float = math.inf) -> str | None:
        """The next line of the process; empty where it ended, None where it took too long.

        Args:
            seconds: of the clock.
            worked: seconds of processor time.
        """
        until, got = time.monotonic() + seconds, b""
        until_worked = self._worked() + worked
        out = _stream(self.process.stdout).fileno()
        with selectors.DefaultSelector() as selector:
            selector.register(out, selectors.EVENT_READ)
            while not got.endswith(b"\n"):
                left = min(until - time.monotonic(), until_worked - self._worked())
                if left <= 0:
                    return None
                if not selector.select(left):
                    continue
                more = os.read(out, 65536)
                if not more:
                    return ""
                got += more
        return got.decode().strip()

    def _worked(self) -> float:
        """Processor time that the process has used, in seconds."""
        times = psutil.Process(self.process.pid).cpu_times()
        return times.user + times.system


_idle: list[Worker] = []
_lock = threading.Lock()


def _taken() -> Worker | None:
    with _lock:
        return _idle.pop() if _idle else None


def _forget() -> None:
    """In a fork: the processes belong to the parent."""
    global _lock
    _lock = threading.Lock()
    _idle.clear()


@atexit.register
def close() -> None:
    """End all idle processes."""
    while worker := _taken():
        worker.end()


os.register_at_fork(after_in_child=_forget)


def _stream(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream


def _peak() -> int:
    """Most memory that this process has held, in bytes.

    Not `ru_maxrss`, which a process inherits on Linux from the one that started it.
    """
    status = Path("/proc/self/status")
    if not status.is_file():
        return psutil.Process().memory_info().rss
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def _serve() -> None:
    """What the process does: answer requests from standard input until it is closed."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # parsers print
    gc.disable()  # a tenth of the time of the imports
    algebra.parsed("1")
    gc.enable()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    print("ready", file=out, flush=True)
    for line in sys.stdin:
        gold, answer, percent, tolerance = json.loads(line)
        spent = int(time.process_time() + 2 * DEADLINE) + 1  # should nobody be left to kill it
        resource.setrlimit(resource.RLIMIT_CPU, (spent, resource.RLIM_INFINITY))
        try:
            correct, why = Comparison(algebra.compare, percent, tolerance).equal(gold, answer)
        except (MemoryError, RecursionError) as error:
            correct, why = None, f"stopped by {type(error).__name__}"
        full = _peak() > MEMORY / 2
        if full and not correct:  # SymPy takes a MemoryError for "not equal"
            correct, why = None, "took too much memory"
        print(json.dumps([correct, why, not full]), file=out, flush=True)


if __name__ == "__main__":
    _serve()
