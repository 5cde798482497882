"""Process 1 of a sandbox runs each case in a child process and reports what the child did.

`distill.sandbox.start` compiles this file and `distill.sandbox.roles` and sends them, with a
job, to the Python in the sandbox. As process 1 it cannot be signalled by what it started, and it
kills all of that after each case. Whether what it reports is right is decided outside.

Job: {"role", "program", "cases", "limits", "sandboxed", "packages"}, and in a container, which
neither filters system calls nor inherits sockets, {"filter", "peer"}: the filter to install, and
the path of a socket to connect to. Roles and their cases are those of `distill.sandbox.roles`.
Standard input stays open while somebody wants the report.

Report: `READY`, then for each case a line with its exit status, the limit that ended it (or `-`)
and the lengths of standard output, standard error and value, and then these three.

Python starts once per sandbox, which is most of what a sandbox costs (18 ms of processor time). So
this file and `roles` use the C modules below `os`, `json`, `signal`, `ctypes` and `symtable`, and
no `typing`: with the public modules a sandbox takes more than twice as long.
"""

import _ctypes
import marshal
import posix as os
import resource
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import Any

    Json = dict[str, Any]
else:
    import _signal as signal

    Any = Json = object

READY = b"ready\n"
TICK = 0.02
"""Seconds between two checks of the memory that is used."""
SOCKET_BYTES, FILE_BYTES = 256 << 10, 2 << 10
"""What a socket can hold, and what the kernel needs for a file besides its content."""
SIGNALS = 1024
"""Signals that wait and timers, of all processes."""
_HIGH_USERS, _LOW_USERS, _USERS = 1 << 30, 40_000, 20_000


def main(job: Json, roles: bytes) -> None:
    """Run all cases of a job; `roles` is `distill.sandbox.roles` as `marshal` writes it."""
    report = os.dup(1)
    if job.get("peer"):
        job["cases"][0]["socket"] = _connected(job["peer"])
    if job["sandboxed"]:
        _harden(job.get("filter"))
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    space: Json = {"__name__": "roles"}
    exec(marshal.loads(roles), space)
    _write_all(report, READY)
    for case in job["cases"]:
        status, ended, texts = _attempt(job, case, space["play"], report)
        header = [status, ended or "-", *map(len, texts)]
        _write_all(report, " ".join(map(str, header)).encode() + b"\n" + b"".join(texts))
    os._exit(0)  # an orderly end would take a fifth of the time of the start


def _connected(path: str) -> int:
    import _socket

    stream = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    stream.connect(path)
    return stream.detach()


def _harden(program: bytes | None) -> None:
    """Give up root, so that the process limit counts; let nobody read this; end with the parent.

    `program` is a filter of system calls (`distill.sandbox.seccomp`) for this process and all that
    it starts; None: it has one.
    """
    if os.getuid() == 0:
        offset = int.from_bytes(os.urandom(4), "little") % _USERS
        os.setgroups([])
        for base in (_HIGH_USERS, _LOW_USERS):  # a container may not have the high ones
            try:
                os.setresgid(*[base + offset] * 3)
                os.setresuid(*[base + offset] * 3)
                break
            except OSError:
                continue
        if os.getuid() == 0:
            raise SystemExit("cannot give up root")
    prctl = _Function(_ctypes.dlsym(_ctypes.dlopen(None, 0), "prctl"))  # type: ignore[arg-type]
    if prctl(4, 0, 0, 0, 0) or prctl(1, signal.SIGKILL, 0, 0, 0):  # PR_SET_DUMPABLE, _PDEATHSIG
        raise SystemExit("prctl failed")
    if program is not None:
        _install(program)


def _install(program: bytes) -> None:
    """Filter the system calls of this process by a seccomp program from now on."""
    import ctypes
    import struct

    code = ctypes.create_string_buffer(program, len(program))
    words = struct.pack("HP", len(program) // 8, ctypes.addressof(code))  # struct sock_fprog
    header = ctypes.create_string_buffer(words, len(words))
    prctl = ctypes.CDLL(None).prctl
    if prctl(38, 1, 0, 0, 0) or prctl(22, 2, header, 0, 0):  # PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP
        raise SystemExit("no filter of system calls can be installed")


class _Int(_ctypes._SimpleCData):
    _type_ = "i"


class _Function(_ctypes.CFuncPtr):
    """A function of C that returns an int."""

    _flags_ = _ctypes.FUNCFLAG_CDECL
    _restype_ = _Int


def _attempt(job: Json, case: Json, play: Any, report: int) -> tuple[int, str, list[bytes]]:
    """Run one case in a child: its wait status, the limit that ended it, and its three texts."""
    limits = job["limits"]
    files = [_scratch_file() for _ in range(4)]  # its input, output, errors and value
    _write_all(files[0], case.get("stdin", "").encode("utf-8", "surrogatepass"))
    os.lseek(files[0], 0, 0)
    child = os.fork()
    if child == 0:
        _become_child(job, case, files)
        play(job, case)  # does not return
    deadline, ended = time.monotonic() + limits["wall_seconds"], ""
    while True:
        signal.sigtimedwait({signal.SIGCHLD}, TICK)
        status = _reap(child)
        if status is not None:
            break
        if time.monotonic() > deadline:
            ended = "time"
        elif job["sandboxed"] and _used_bytes() > limits["memory_bytes"]:
            ended = "memory"
        elif _abandoned(report):
            ended = "sandbox"
        if ended:
            _kill_all(job, child)
    _kill_all(job, child)
    while _reap(child, wait=job["sandboxed"]) is not None:
        pass
    if not ended and os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU:
        ended = "time"
    texts = [_content(file, limits["output_bytes"]) for file in files[1:]]
    os.close(files[0])
    return os.waitstatus_to_exitcode(status), ended, texts


def _abandoned(report: int) -> bool:
    """Whether nobody wants the report: the grader was killed, perhaps before `_harden`."""
    import select

    poll = select.poll()
    poll.register(report, 0)
    poll.register(0, select.POLLIN)  # at its end: nothing follows the job
    return bool(poll.poll(0))


def _reap(child: int, wait: bool = False) -> int | None:
    """Reap processes that have ended, up to `child`.

    Returns:
        The wait status of `child`; None if it still runs or no process is left; with `wait`, which
        waits for one process to end, -1 for a process other than `child`.
    """
    while True:
        try:
            pid, status = os.waitpid(-1, 0 if wait else os.WNOHANG)
        except ChildProcessError:
            return None
        if pid == child:
            return status
        if pid == 0:
            return None
        if wait:
            return -1


def _kill_all(job: Json, child: int) -> None:
    if job["sandboxed"] and os.getpid() == 1:
        # All of this process namespace but process 1; anywhere else it would be all of the machine.
        kill, target = os.kill, -1
    else:
        kill, target = os.killpg, child
    try:
        kill(target, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _used_bytes() -> int:
    """Memory of all processes but this one, and of the kernel for them.

    Shared pages count in each process, so it is rather too much. The content of files is not in it,
    since the temporary folders have limits of their own.
    """
    total = 0
    for name in os.listdir("/proc"):
        if name.isdigit() and name != "1":
            total += _resident_bytes(f"/proc/{name}")
    with open("/proc/net/sockstat") as file:
        total += int(file.readline().split()[-1]) * SOCKET_BYTES
    for folder in ("/tmp", "/dev/shm"):
        space = os.statvfs(folder)
        total += (space.f_files - space.f_ffree) * FILE_BYTES
    return total


def _resident_bytes(process: str) -> int:
    """Bytes in memory and in swap; of a process whose first thread has ended, its others tell."""
    try:
        for thread in ("", *(f"/task/{name}" for name in os.listdir(f"{process}/task"))):
            with open(f"{process}{thread}/status") as file:
                lines = [line.split() for line in file if line.startswith(("VmRSS:", "VmSwap:"))]
            if lines:
                return sum(int(words[1]) << 10 for words in lines)
    except OSError:  # it has ended
        pass
    return 0


def _become_child(job: Json, case: Json, files: list[int]) -> None:
    """Take over the files, close all others, set the limits, forget the other cases."""
    os.setsid()
    for number, file in enumerate(files[:3]):
        os.dup2(file, number)
    socket = case.get("socket")
    keep = [files[3]] if socket is None else [files[3], socket]
    for number, file in enumerate(keep, 100):  # above all open files, as 3 and 4 may be in use
        os.dup2(file, number)
    os.closerange(3, 100)
    for number in range(3, 3 + len(keep)):
        os.dup2(number + 97, number)
    os.closerange(5, 4096)
    limits = job["limits"]
    bounds = {
        resource.RLIMIT_AS: limits["memory_bytes"],
        resource.RLIMIT_CPU: limits["cpu_seconds"],
        resource.RLIMIT_FSIZE: limits["output_bytes"],
        resource.RLIMIT_NOFILE: limits["open_files"],
        resource.RLIMIT_CORE: 0,
    }
    if job["sandboxed"]:
        bounds[resource.RLIMIT_SIGPENDING] = SIGNALS
    if job["sandboxed"] and not job.get("filter"):  # elsewhere others of this user would count
        bounds[resource.RLIMIT_NPROC] = limits["processes"] + 1  # and process 1
    for kind, bound in bounds.items():
        hard = bound + 1 if kind == resource.RLIMIT_CPU else bound
        resource.setrlimit(kind, (bound, hard))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    job["cases"] = []
    sys.path += job["packages"]
    sys.argv = ["program.py"]
    sys.set_int_max_str_digits(0)


def _scratch_file() -> int:
    path = f"case-{os.urandom(8).hex()}"
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    os.unlink(path)
    return file


def _content(file: int, size: int) -> bytes:
    parts, at = [], 0
    while at < size and (part := os.pread(file, min(size - at, 1 << 20), at)):
        parts.append(part)
        at += len(part)
    os.close(file)
    return b"".join(parts)


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


if __name__ == "__main__":
    main(globals()["job"], globals()["roles"])
