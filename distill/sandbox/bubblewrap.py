"""Run code written by a model: Bubblewrap, limits, no network, killed with its children.

A sandbox has the system and Python read-only, a temporary folder of its own, no home, no network,
an empty environment, a process namespace and fewer system calls (`distill.sandbox.seccomp`).
Inside, `distill.sandbox.inside` is process 1 and runs each case by `distill.sandbox.roles`. Where
bwrap runs as root, process 1 gives up root for a user id that nobody has; otherwise it lives in a
user namespace.
"""

import marshal
import os
import selectors
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

from distill.sandbox import inside as sandbox_inside
from distill.sandbox import roles as sandbox_roles
from distill.sandbox import seccomp

OVERHEAD_SECONDS = 20.0
"""What a loaded machine may take to start a sandbox, besides the time of the cases."""


class SandboxUnavailableError(RuntimeError):
    """Untrusted code cannot be run safely here."""


@dataclass(frozen=True)
class Limits:
    """What one case of a program may use."""

    cpu_seconds: int = 10
    """Processor time of each of its processes, >= 1."""

    wall_seconds: float = 20.0
    """Time until everything is killed, > 0."""

    memory_bytes: int = 1 << 30
    """Address space of each process, and resident memory of all together."""

    output_bytes: int = 16 << 20
    """Longest standard output, standard error, or other file."""

    disk_bytes: int = 64 << 20
    """Size of the temporary folder, which lives in memory and is not counted above; output too."""

    processes: int = 32
    """Processes and threads at once."""

    open_files: int = 128
    """File descriptors of each process."""


@dataclass(frozen=True)
class Result:
    """What became of one case of a program."""

    exit: int
    """Exit status; minus the signal where one ended it."""

    stdout: str
    stderr: str

    ended: str = ""
    """Which limit ended it: `time`, `memory` or `sandbox` (it brought that down); else empty."""

    value: str = ""
    """What the role, `call` or `check`, has to tell; see `distill.sandbox.roles`."""


def run(
    program: str,
    stdin: str = "",
    limits: Limits | None = None,
    *,
    unsafe_without_sandbox: bool = False,
) -> Result:
    """Run a Python program once, as `__main__`.

    Raises:
        SandboxUnavailableError: no working bwrap, and `unsafe_without_sandbox` is False.
    """
    job = {"role": "stdin", "program": program, "cases": [{"stdin": stdin}]}
    with started(job, limits, unsafe_without_sandbox=unsafe_without_sandbox) as box:
        return next(box.results())


@contextmanager
def started(
    job: dict[str, Any],
    limits: Limits | None = None,
    *,
    sockets: Iterable[int] = (),
    unsafe_without_sandbox: bool = False,
) -> Iterator["Box"]:
    """A sandbox that works on a job; dead when the block is left.

    Args:
        job: role, program and cases as in `distill.sandbox.roles`; the rest is added.
        limits: of each case.
        sockets: file descriptors that the sandbox inherits under the same numbers.
        unsafe_without_sandbox: run the program as an ordinary process of this user instead.

    Raises:
        SandboxUnavailableError: no working bwrap, and `unsafe_without_sandbox` is False.
    """
    limits = limits or Limits()
    job = job | {
        "limits": vars(limits),
        "sandboxed": not unsafe_without_sandbox,
        "packages": [_PACKAGES],
    }
    with ExitStack() as stack:
        command, files, folder = _PYTHON, list(sockets), "/"
        if unsafe_without_sandbox:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
        else:
            files.append(stack.enter_context(_filter_file()).fileno())
            command = [*_bwrap(limits, files[-1]), *_PYTHON]
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env=_ENVIRONMENT,
            pass_fds=files,
            start_new_session=True,
        )
        assert process.stderr is not None
        stack.enter_context(process.stderr)
        box = Box(process, len(job["cases"]), limits, not unsafe_without_sandbox)
        stack.callback(box.kill)
        box.send(_startup(job))
        yield box


class Box:
    """A running sandbox; made by `started`."""

    def __init__(
        self,
        process: "subprocess.Popen[bytes]",
        cases: int,
        limits: Limits,
        sandboxed: bool,
    ) -> None:
        """Watch a process that was just started."""
        self._process, self._cases, self._sandboxed = process, cases, sandboxed
        self._deadline = time.monotonic() + OVERHEAD_SECONDS + cases * (limits.wall_seconds + 1)
        self._output_bytes = limits.output_bytes
        self._buffer = bytearray()

    def send(self, job: bytes) -> None:
        """Hand over the job; a sandbox that broke down says so when it is asked for results."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError), self._process.stdin as stream:
            stream.write(job)

    def results(self) -> Iterator[Result]:
        """One result a case, in order, as soon as it is there.

        Raises:
            SandboxUnavailableError: the sandbox could not be started.
        """
        if self._read(len(sandbox_inside.READY)) != sandbox_inside.READY:
            self.kill()
            assert self._process.stderr is not None
            said = self._process.stderr.read(2000).decode("utf-8", "replace").strip()
            raise SandboxUnavailableError(f"bwrap cannot start a sandbox here: {said}. {_CHOICES}")
        for _ in range(self._cases):
            yield self._result()

    def kill(self) -> None:
        """End the sandbox and everything in it."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None and not stream.closed:
                stream.close()  # without a sandbox this is what ends it, in `TICK` seconds
        if self._process.poll() is None:
            for child in _children(self._process.pid) if self._sandboxed else []:
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)  # process 1: all others end, then bwrap
            if not _waited(self._process, 2.0):
                self._process.kill()
                self._process.wait()

    def _result(self) -> Result:
        """The next result; no text is longer than its limit, whatever the report says."""
        try:
            status, ended, *lengths = self._read(None).decode("ascii").split()
            texts = [self._read(min(int(length), self._output_bytes)) for length in lengths]
            out, err, value = (text.decode("utf-8", "replace") for text in texts)
            return Result(int(status), out, err, "" if ended == "-" else ended, value)
        except ValueError:  # a torn report: process 1 is gone
            return Result(-1, "", "", ended="sandbox")

    def _read(self, size: int | None) -> bytes:
        """So many bytes of the report, or a line of it; fewer where no more come in time."""
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


_CHOICES = (
    "Code written by a model runs only in Bubblewrap: install the package `bubblewrap` "
    "(apt-get install bubblewrap) and allow user namespaces, or let the code do whatever this "
    "user can do on this machine: compute.unsandboxed_code=true"
)
_PACKAGES = sysconfig.get_path("purelib")
_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/tmp",
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}


# Without `site`, without the user's packages and this folder: half the time to start.
_PYTHON = [os.path.realpath(sys.executable), "-S", "-s", "-P", "-B", "-X", "utf8", "-c"]
_PYTHON += ["import marshal; exec(*map(marshal.loads, marshal.load(open(0,'rb',closefd=False))))"]


def _startup(job: dict[str, Any]) -> bytes:
    """What the Python in a sandbox is sent: compiled, since it has no cache to compile to.

    Bytes in bytes: from a file, `marshal` reads all else a few bytes at a time.
    """
    inside, roles = map(_compiled, (sandbox_inside.__file__, sandbox_roles.__file__))
    space = {"__name__": "__main__", "job": job, "roles": roles}
    return marshal.dumps((inside, marshal.dumps(space)))


@cache
def _compiled(path: str) -> bytes:
    """A module without docstrings; any `from __future__` would be that of the programs it runs."""
    text = Path(path).read_text("utf-8")
    return marshal.dumps(compile(text, Path(path).name, "exec", dont_inherit=True, optimize=2))


def _bwrap(limits: Limits, filter_file: int) -> list[str]:
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        raise SandboxUnavailableError(f"bwrap is not installed. {_CHOICES}")
    arguments = [bwrap, "--die-with-parent", "--new-session", "--as-pid-1"]
    arguments += [f"--unshare-{kind}" for kind in ("ipc", "pid", "net", "uts", "cgroup-try")]
    if os.geteuid() == 0:
        # The kernel's process limit does not bind root, nor root's user namespaces.
        arguments += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        arguments += ["--unshare-user", "--uid", "65534", "--gid", "65534"]
    arguments += ["--hostname", "sandbox", "--proc", "/proc", "--dev", "/dev"]
    for folder, size in (("/dev/shm", limits.output_bytes), ("/tmp", limits.disk_bytes)):
        arguments += ["--perms", "1777", "--size", str(size), "--tmpfs", folder]
    # After /tmp, where Python itself may be.
    arguments += [*_system(), "--chdir", "/tmp", "--remount-ro", "/dev", "--remount-ro", "/"]
    arguments += ["--seccomp", str(filter_file)]
    return arguments


@cache
def _system() -> list[str]:
    """Arguments that show the system's libraries and this Python, and nothing of /etc or /home."""
    arguments = ["--ro-bind", "/usr", "/usr"]
    for folder in ("/bin", "/lib", "/lib32", "/lib64", "/sbin"):
        if os.path.islink(folder):
            arguments += ["--symlink", os.readlink(folder), folder]
        elif os.path.isdir(folder):
            arguments += ["--ro-bind", folder, folder]
    seen = {"/usr"}
    for folder in (os.path.realpath(sys.base_prefix), _PACKAGES):
        if not any(Path(folder).is_relative_to(other) for other in seen):
            for parent in [*reversed(Path(folder).parents)][1:]:
                arguments += ["--perms", "0755", "--dir", str(parent)]  # else 0700, bwrap's default
            arguments += ["--ro-bind", folder, folder]
            seen.add(folder)
    return arguments


def _filter_file() -> IO[bytes]:
    """A file that the seccomp filter can be read from."""
    reading, writing = os.pipe()
    os.write(writing, seccomp.program())
    os.close(writing)
    return open(reading, "rb")


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _waited(process: "subprocess.Popen[bytes]", seconds: float) -> bool:
    """Whether a process ends in time; `Popen.wait` would look for it in growing steps."""
    try:
        file = os.pidfd_open(process.pid)
    except (AttributeError, OSError):  # not Linux, or one of before 2019
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
