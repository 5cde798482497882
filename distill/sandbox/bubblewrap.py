"""The command of Bubblewrap: no network, few system calls, limits on all else.

A sandbox sees the system and Python read-only. It has a temporary folder of its own, no home, no
network, an empty environment, no devices but `null` and random numbers, a process namespace and
fewer system calls (`distill.sandbox.seccomp`). Where bwrap runs as root, process 1 gives up root
for a user id that nobody has; otherwise it is in a user namespace.
"""

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO

from distill.sandbox import seccomp
from distill.sandbox.box import Limits, SandboxUnavailableError

PYTHON = os.path.realpath(sys.executable)
"""The Python that runs programs: this one."""


def problem(packages: str) -> str:
    """What keeps Bubblewrap from working here; empty if nothing does."""
    try:
        started = subprocess.run(
            [*command(Limits(), packages), PYTHON, "-S", "-c", ""],
            capture_output=True,
            timeout=60,
            text=True,
            env={},
        )
    except SandboxUnavailableError:
        return "it is not installed"
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return started.stderr.strip()[:200] or "it failed" if started.returncode else ""


def end(pid: int) -> None:
    """Kill process 1 of the sandbox of bwrap, process `pid`; all others end with it."""
    with suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            os.kill(int(child), signal.SIGKILL)


def command(limits: Limits, packages: str, filter_file: int | None = None) -> list[str]:
    """The command before that of Python.

    `packages` is a folder that the sandbox sees; `filter_file` the descriptor of an open file from
    which bwrap reads the filter of system calls.

    Raises:
        SandboxUnavailableError: bwrap is not installed.
    """
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
    arguments += ["--hostname", "sandbox", "--proc", "/proc", *_DEVICES]
    for folder, size in (("/dev/shm", limits.output_bytes), ("/tmp", limits.disk_bytes)):
        arguments += ["--perms", "1777", "--size", str(size), "--tmpfs", folder]
    # After /tmp, since Python itself may be below it.
    arguments += [*_system(packages), "--chdir", "/tmp", "--remount-ro", "/"]
    return arguments if filter_file is None else [*arguments, "--seccomp", str(filter_file)]


# Not those of bwrap's own --dev: /dev/zero gives shared memory that no limit counts, and terminals
# have buffers.
_DEVICES = ["--perms", "0755", "--dir", "/dev"]
for _name in ("null", "random", "urandom"):
    _DEVICES += ["--dev-bind", f"/dev/{_name}", f"/dev/{_name}"]
for _name, _target in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
    _DEVICES += ["--symlink", f"/proc/self/fd{_target}", f"/dev/{_name}"]


@cache
def _system(packages: str) -> list[str]:
    """Arguments that show the system's libraries and this Python, but nothing of /etc or /home."""
    arguments = ["--ro-bind", "/usr", "/usr"]
    for folder in ("/bin", "/lib", "/lib32", "/lib64", "/sbin"):
        if os.path.islink(folder):
            arguments += ["--symlink", os.readlink(folder), folder]
        elif os.path.isdir(folder):
            arguments += ["--ro-bind", folder, folder]
    seen = {"/usr"}
    for folder in (os.path.realpath(sys.base_prefix), packages):
        if not any(Path(folder).is_relative_to(other) for other in seen):
            for parent in [*reversed(Path(folder).parents)][1:]:
                arguments += ["--perms", "0755", "--dir", str(parent)]  # else 0700, bwrap's default
            arguments += ["--ro-bind", folder, folder]
            seen.add(folder)
    return arguments


def filter_file() -> IO[bytes]:
    """An open file from which bwrap reads the filter of system calls."""
    reading, writing = os.pipe()
    os.write(writing, seccomp.program())
    os.close(writing)
    return open(reading, "rb")
