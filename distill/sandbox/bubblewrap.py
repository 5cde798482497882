"""Programs written by models run in Bubblewrap: no network, few system calls, limits on all else.

A sandbox sees the system and Python read-only. It has a temporary folder of its own, no home, no
network, an empty environment, a process namespace and fewer system calls
(`distill.sandbox.seccomp`). In it, `distill.sandbox.inside` is process 1 and runs each case by
`distill.sandbox.roles`. Where bwrap runs as root, process 1 gives up root for a user id that nobody
has; otherwise it is in a user namespace.
"""

import marshal
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import IO, Any

from distill.sandbox import inside, roles, seccomp
from distill.sandbox.box import Box, Limits, Result, SandboxUnavailableError


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
) -> Iterator[Box]:
    """Start a sandbox that works on a job; it is killed when the block is left.

    Args:
        job: `role`, `program` and `cases` as `distill.sandbox.roles` has them; this adds the rest.
        limits: for each case.
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


_PACKAGES = sysconfig.get_path("purelib")
_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/tmp",
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}


# Without `site` and the user's packages Python starts in half the time.
_PYTHON = [os.path.realpath(sys.executable), "-S", "-s", "-P", "-B", "-X", "utf8", "-c"]
_PYTHON += ["import marshal; exec(*map(marshal.loads, marshal.load(open(0,'rb',closefd=False))))"]


def _startup(job: dict[str, Any]) -> bytes:
    """What is sent to the Python in a sandbox: the code of `inside`, and its variables.

    Both are compiled, since the sandbox has no cache of compiled files. `marshal` is used in this
    direction only: what comes back from a sandbox is never unmarshalled. Bytes within bytes,
    because `marshal` reads everything else from a file in small pieces.
    """
    space = {"__name__": "__main__", "job": job, "roles": _compiled(roles.__file__)}
    return marshal.dumps((_compiled(inside.__file__), marshal.dumps(space)))


@cache
def _compiled(path: str) -> bytes:
    """A module without docstrings; `from __future__` in it would apply to programs it runs."""
    text = Path(path).read_text("utf-8")
    return marshal.dumps(compile(text, Path(path).name, "exec", dont_inherit=True, optimize=2))


def _bwrap(limits: Limits, filter_file: int) -> list[str]:
    """The command before that of Python."""
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        raise SandboxUnavailableError("bwrap is not installed")
    arguments = [bwrap, "--die-with-parent", "--new-session", "--as-pid-1"]
    arguments += [f"--unshare-{kind}" for kind in ("ipc", "pid", "net", "uts", "cgroup-try")]
    if os.geteuid() == 0:
        # The kernel's limit on processes binds neither root nor user namespaces of root.
        arguments += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        arguments += ["--unshare-user", "--uid", "65534", "--gid", "65534"]
    arguments += ["--hostname", "sandbox", "--proc", "/proc", "--dev", "/dev"]
    for folder, size in (("/dev/shm", limits.output_bytes), ("/tmp", limits.disk_bytes)):
        arguments += ["--perms", "1777", "--size", str(size), "--tmpfs", folder]
    # After /tmp, since Python itself may be below it.
    arguments += [*_system(), "--chdir", "/tmp", "--remount-ro", "/dev", "--remount-ro", "/"]
    arguments += ["--seccomp", str(filter_file)]
    return arguments


@cache
def _system() -> list[str]:
    """Arguments that show the system's libraries and this Python, but nothing of /etc or /home."""
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
    """An open file from which bwrap reads the seccomp filter."""
    reading, writing = os.pipe()
    os.write(writing, seccomp.program())
    os.close(writing)
    return open(reading, "rb")
