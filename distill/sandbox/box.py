"""A `Box` is a running sandbox as its owner sees it: what goes in, what comes out, how it ends.

The report that comes out was written by a process that ran foreign code, so it is read with a limit
on every length and a deadline, and is only text.
"""

import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from distill.sandbox import inside

OVERHEAD_SECONDS = 20.0
"""Seconds in which a sandbox must start on a busy machine, in addition to those of its cases."""


class SandboxUnavailableError(RuntimeError):
    """Untrusted code cannot be run safely here."""

    def __init__(self, problem: str) -> None:
        """Say what is missing, and what the user can do."""
        super().__init__(
            f"{problem}. Code written by a model runs only in a sandbox: install the package "
            "`bubblewrap` (apt-get install bubblewrap) and allow user namespaces, or name a "
            "container engine that runs here (compute.sandbox=podman or docker), or let the code "
            "do whatever this user can do on this machine: compute.unsandboxed_code=true"
        )


@dataclass(frozen=True)
class Limits:
    """What one case of a program may use."""

    cpu_seconds: int = 10
    """Seconds of processor time of each of its processes, >= 1."""

    wall_seconds: float = 20.0
    """Seconds on the clock until everything is killed, > 0."""

    memory_bytes: int = 1 << 30
    """Limit on the address space of each process, and on the memory of all together, in swap, in
    sockets and in the kernel's tables of files too."""

    output_bytes: int = 16 << 20
    """Limit on standard output, on standard error, and on each file."""

    disk_bytes: int = 64 << 20
    """Size of the temporary folder, which holds the output too. It is in memory, in addition to
    `memory_bytes`."""

    processes: int = 32
    """Processes and threads that run at the same time."""

    open_files: int = 128
    """Open file descriptors of each process; a pipe takes two and holds 64 KiB."""


@dataclass(frozen=True)
class Result:
    """How one case of a program ended, and what it wrote."""

    exit: int
    """Exit status; if a signal ended it, minus its number."""

    stdout: str
    stderr: str

    ended: str = ""
    """The limit that ended it: `time` or `memory`; `sandbox` if the sandbox itself broke down;
    else empty."""

    value: str = ""
    """What a case of role `call` or `check` reports (see `distill.sandbox.roles`)."""


class Box:
    """A running sandbox; `distill.sandbox.start` makes it."""

    def __init__(
        self,
        process: "subprocess.Popen[bytes]",
        cases: int,
        limits: Limits,
        engine: str,
        end: Callable[[int], None],
        grace: float = 0.0,
    ) -> None:
        """Take over a process that was just started.

        `engine` is what it runs in; `end` ends it from outside, by its process id, where it does
        not end by itself in `grace` seconds.
        """
        self._process, self._cases, self._engine = process, cases, engine
        self._end, self._grace = end, grace
        self._deadline = time.monotonic() + OVERHEAD_SECONDS + cases * (limits.wall_seconds + 1)
        self._output_bytes = limits.output_bytes
        self._buffer = bytearray()

    def send(self, job: bytes) -> None:
        """Write the job to it. If the sandbox has broken down, `results` raises, not this.

        The stream stays open: when it is closed, by whatever ends this process, the sandbox ends.
        """
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(job)
            self._process.stdin.flush()

    def results(self) -> Iterator[Result]:
        """One result per case, in order, each as soon as it is there.

        Raises:
            SandboxUnavailableError: the sandbox could not be started.
        """
        if self._read(len(inside.READY)) != inside.READY:
            self.kill()
            assert self._process.stderr is not None
            said = self._process.stderr.read(2000).decode("utf-8", "replace").strip()
            raise SandboxUnavailableError(f"{self._engine} cannot start a sandbox here: {said}")
        for _ in range(self._cases):
            yield self._result()

    def kill(self) -> None:
        """End the sandbox and everything in it."""
        for stream in (self._process.stdin, self._process.stdout):
            with suppress(BrokenPipeError):
                if stream is not None and not stream.closed:
                    stream.close()  # this ends it, within `inside.TICK` seconds
        if not _waited(self._process, self._grace):
            self._end(self._process.pid)
            if not _waited(self._process, 2.0):
                self._process.kill()
                self._process.wait()

    def _result(self) -> Result:
        """The next result; no text is longer than the limit, whatever the report says."""
        try:
            status, ended, *lengths = self._read(None).decode("ascii").split()
            texts = [self._read(min(int(length), self._output_bytes)) for length in lengths]
            out, err, value = (text.decode("utf-8", "replace") for text in texts)
            return Result(int(status), out, err, "" if ended == "-" else ended, value)
        except ValueError:  # an incomplete report: process 1 is gone
            return Result(-1, "", "", ended="sandbox")

    def _read(self, size: int | None) -> bytes:
        """`size` bytes of the report (None: a line); fewer if no more come before the deadline."""
        assert self._process.stdout is not None
        file = self._process.stdout.fileno()
        while (end := self._end_of_line() if size is None else size) > len(self._buffer):
            left = max(0.0, self._deadline - time.monotonic())
            part = os.read(file, 1 << 20) if _readable(file, left) else b""
            if not part:
                break
            self._buffer += part
        taken = bytes(self._buffer[:end])
        del self._buffer[:end]
        return taken

    def _end_of_line(self) -> int:
        return self._buffer.find(b"\n") + 1 or sys.maxsize


def _waited(process: "subprocess.Popen[bytes]", seconds: float) -> bool:
    """Whether a process ends in time; `Popen.wait` would check in ever longer intervals."""
    try:
        file = os.pidfd_open(process.pid)
    except (AttributeError, OSError):  # not Linux, or Linux before 5.3
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
    else:
        _readable(file, seconds)
        os.close(file)
    return process.poll() is not None


def _readable(file: int, seconds: float) -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(file, selectors.EVENT_READ)
        return bool(selector.select(seconds))
