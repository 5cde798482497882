"""Start a sandbox for a program written by a model: Bubblewrap, or a container where it cannot run.

In any of them `distill.sandbox.inside` is process 1 and runs each case by `distill.sandbox.roles`,
behind the filter of `distill.sandbox.seccomp` and the limits of `distill.sandbox.box`. The Python
in it is of this one's version, which is part of what identifies verdicts, and has this one's
packages; so where a program runs changes no verdict.
"""

import marshal
import platform
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from distill.sandbox import bubblewrap, container, inside, relay, roles
from distill.sandbox.box import Box, Limits, Result, SandboxUnavailableError

ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": "/tmp",
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}
"""All environment variables in a sandbox."""

PACKAGES = sysconfig.get_path("purelib")
"""Folder of the packages that programs may import."""


@dataclass(frozen=True)
class Choice:
    """Where code runs; see the fields of `ComputeConfig`."""

    sandbox: str = "auto"
    """`compute.sandbox`; or `none`, whatever there is: as an ordinary process of this user."""

    image: str = ""
    """`compute.sandbox_image`."""

    unsandboxed: bool = False
    """`compute.unsandboxed_code`: `auto` is `none` where no sandbox works."""


def run(
    program: str, stdin: str = "", limits: Limits | None = None, choice: Choice | None = None
) -> Result:
    """Run a Python program once, as `__main__`.

    Raises:
        SandboxUnavailableError: the chosen sandbox does not work here, or none does.
    """
    job = {"role": "stdin", "program": program, "cases": [{"stdin": stdin}]}
    with started(job, limits, choice) as box:
        return next(box.results())


@contextmanager
def started(
    job: dict[str, Any],
    limits: Limits | None = None,
    choice: Choice | None = None,
    *,
    sockets: Iterable[int] = (),
) -> Iterator[Box]:
    """Start a sandbox that works on a job; it is killed when the block is left.

    Args:
        job: `role`, `program` and `cases` as `distill.sandbox.roles` has them; this adds the rest.
        limits: for each case.
        choice: of the sandbox; None: any that works here.
        sockets: file descriptors of connected sockets, at most one in a container; the sandbox has
            them under the same numbers, or its case's `socket` replaced by its own.

    Raises:
        SandboxUnavailableError: the chosen sandbox does not work here, or none does.
    """
    limits, choice, files = limits or Limits(), choice or Choice(), list(sockets)
    engine = sandbox(choice)
    job = job | {"limits": vars(limits), "sandboxed": bool(engine), "packages": [PACKAGES]}
    with ExitStack() as stack:
        folder, end, grace = "/", bubblewrap.end, 0.0
        command = [bubblewrap.PYTHON, *_OPTIONS, _LOAD]
        environment: dict[str, str] | None = ENVIRONMENT
        if engine == "bubblewrap":
            files.append(stack.enter_context(bubblewrap.filter_file()).fileno())
            command = [*bubblewrap.command(limits, PACKAGES, files[-1]), *command]
        elif engine:
            peer = stack.enter_context(relay.relayed(files.pop())) if files else None
            box = container.Container(engine, choice.image or image())
            command = [*box.command(limits, PACKAGES, ENVIRONMENT, peer), *_OPTIONS, _CHECKED]
            environment, end, grace = None, box.end, 3.0  # the engine's client needs its own
            job |= container.additions(peer)
        else:
            folder, end = stack.enter_context(tempfile.TemporaryDirectory()), lambda pid: None
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env=environment,
            pass_fds=files,
            start_new_session=True,
        )
        assert process.stderr is not None
        stack.enter_context(process.stderr)
        running = Box(process, len(job["cases"]), limits, engine or "this system", end, grace)
        stack.callback(running.kill)
        running.send(_startup(job))
        yield running


def sandbox(choice: Choice) -> str:
    """The sandbox that a choice comes to here: `bubblewrap`, `podman`, `docker`; empty: none.

    Raises:
        SandboxUnavailableError: `auto` finds none that works, and may not do without.
    """
    if choice.sandbox != "auto":
        return "" if choice.sandbox == "none" else choice.sandbox
    found, why = _first(choice.image or image())
    if not found and not choice.unsandboxed:
        raise SandboxUnavailableError(why)
    return found


def image() -> str:
    """The official image of exactly this Python; a mirror or a digest may be named instead."""
    return f"docker.io/library/python:{platform.python_version()}-slim"


@cache
def _first(image: str) -> tuple[str, str]:
    """The first sandbox that works here; or none, and what is wrong with each."""
    problems = {"bubblewrap": bubblewrap.problem(PACKAGES)}
    for engine in container.ENGINES:
        if not problems[next(reversed(problems))]:
            break
        problems[engine] = container.Container(engine, image).problem(PACKAGES)
    name, problem = problems.popitem()
    if not problem:
        return name, ""
    return "", "; ".join(f"{name}: {why}" for name, why in (problems | {name: problem}).items())


# Without `site` and the user's packages Python starts in half the time.
_OPTIONS = ["-S", "-s", "-P", "-B", "-X", "utf8", "-c"]
_LOAD = "import marshal; exec(*map(marshal.loads, marshal.load(open(0,'rb',closefd=False))))"
_VERSION = platform.python_version()
_CHECKED = (
    "import platform as p, sys\n"
    f"if p.python_version() != {_VERSION!r}: sys.exit('the image has Python '+p.python_version()"
    f"+', and verdicts are recorded as those of {_VERSION}; compute.sandbox_image names another')\n"
    + _LOAD
)


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
