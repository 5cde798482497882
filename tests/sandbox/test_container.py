"""Where Bubblewrap cannot run, a container engine does the same: its command, and what it holds.

The hostile programs run where an engine has the image (`podman pull python:VERSION-slim`): -m slow.
"""

import json
import os
import platform
import signal
import socket
import subprocess
import time
from dataclasses import replace

import pytest

from distill.compute import ComputeConfig
from distill.grading import grade
from distill.grading.code_tests import grade_code
from distill.grading.config import GradingConfig
from distill.sandbox import bubblewrap, container, relay, seccomp, start
from distill.sandbox.box import Limits, SandboxUnavailableError
from distill.sandbox.start import Choice
from distill.trace.records import Problem
from tests.sandbox.test_bubblewrap import (
    ESCAPES,
    HOSTILE,
    PATIENT,
    SECRET,
    SECRET_TESTS,
    TIGHT,
    alive,
    marker,
    needs_bwrap,
)
from tests.sandbox.test_memory import CALL, COUNTED, REFUSED, SMALL

__all__ = ["marker"]
PROBLEMS = {
    name: container.Container(name, start.image()).problem(start.PACKAGES)
    for name in container.ENGINES
}
ENGINES = [name for name, why in PROBLEMS.items() if not why]
needs_engine = pytest.mark.skipif(not ENGINES, reason=f"no container engine runs here: {PROBLEMS}")
OWN_DEVICES = {"shared, from zeros", "terminals"}
"""What a container has and Bubblewrap is not given; the engine's limit on memory counts it."""
CHOICE = Choice(ENGINES[0] if ENGINES else "podman")


def command(engine="docker", peer=None, **limits):
    box = container.Container(engine, "python:3@sha256:0f", "distill-7")
    return box.command(replace(Limits(), **limits), "/site", {"A": "b"}, peer)


@pytest.mark.parametrize("engine", container.ENGINES)
def test_the_command_leaves_nothing_open(engine):
    made = command(engine)
    assert made[:4] == [engine, "run", "--rm", "--interactive"] and made[-1] == "python:3@sha256:0f"
    for option in (
        "--network=none",
        "--read-only",
        "--cap-drop=ALL",
        "--security-opt=no-new-privileges",
        "--user=65534:65534",
        "--ipc=private",
        "--pull=never",
        "--name=distill-7",
        "--cpus=1",
        "--ulimit=core=0",
        "--env=A=b",
        "--volume=/site:/site:ro",
        "--workdir=/tmp",
        "--entrypoint=python3",
    ):
        assert option in made, option
    given = {part.partition("=")[0] for part in made if part.startswith("--")}
    known = "rm interactive pull name log-driver network hostname ipc read-only tmpfs shm-size user"
    known += " cap-drop security-opt memory memory-swap cpus ulimit pids-limit env volume workdir"
    known += " entrypoint read-only-tmpfs"
    assert given <= {f"--{name}" for name in known.split()}  # no --privileged, --device, --pid ...
    assert [part for part in made if part.startswith("--volume")] == ["--volume=/site:/site:ro"]


def test_the_command_states_every_limit(tmp_path):
    limits = {"memory_bytes": 256 << 20, "disk_bytes": 4 << 20, "output_bytes": 1 << 20}
    made = command(peer=tmp_path, processes=8, **limits)
    memory = (256 + 4 + 1 << 20) + container.OVERHEAD_BYTES
    assert f"--memory={memory}" in made and f"--memory-swap={memory}" in made  # no swap
    assert f"--pids-limit={8 + container.OVERHEAD_PROCESSES}" in made
    assert f"--shm-size={1 << 20}" in made
    assert any(
        part.startswith("--tmpfs=/tmp:") and part.endswith(f",size={4 << 20}") for part in made
    )
    assert f"--volume={tmp_path}:/peer:ro" in made
    assert container.additions(None) == {"filter": seccomp.program()}
    assert container.additions(tmp_path)["peer"] == "/peer/socket"


def test_podman_makes_no_folders_of_its_own():
    assert "--read-only-tmpfs=false" in command("podman")
    assert "--read-only-tmpfs=false" not in command("docker")


def test_the_image_is_that_of_this_python_unless_another_is_named(monkeypatch):
    assert start.image() == f"docker.io/library/python:{platform.python_version()}-slim"
    started = []
    monkeypatch.setattr(
        start.subprocess, "Popen", lambda command, **_: started.append(command) or 1 / 0
    )
    for choice in (Choice("docker"), Choice("podman", "mine@sha256:0f")):
        with pytest.raises(ZeroDivisionError):
            start.run("", choice=choice)
    assert started[0][0] == "docker" and start.image() in started[0]
    assert started[1][0] == "podman" and "mine@sha256:0f" in started[1]


def engine(folder, name, script):
    """An engine that is a shell script."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def found_anew():
    start._first.cache_clear()
    yield
    start._first.cache_clear()


def test_the_first_that_works_is_taken(tmp_path, monkeypatch, found_anew):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        SandboxUnavailableError, match=r"bubblewrap: it is .*podman: it is .*docker: it is"
    ):
        start.sandbox(Choice())
    start._first.cache_clear()
    engine(tmp_path, "podman", "echo no such image >&2; exit 125")
    engine(tmp_path, "docker", "echo cannot connect >&2; exit 1")
    with pytest.raises(
        SandboxUnavailableError, match=r"no such image \(.* once: podman pull mine\)"
    ) as said:
        start.sandbox(Choice(image="mine"))
    assert "docker: cannot connect" in str(said.value)
    assert "compute.sandbox=podman or docker" in str(said.value)
    assert start.sandbox(Choice(image="mine", unsandboxed=True)) == ""
    start._first.cache_clear()
    engine(tmp_path, "docker", "exit 0")
    assert start.sandbox(Choice()) == "docker"
    monkeypatch.setattr(bubblewrap, "problem", lambda packages: "")
    start._first.cache_clear()
    assert start.sandbox(Choice()) == "bubblewrap"


def test_an_engine_that_cannot_start_says_why_and_leaves_nothing(tmp_path, monkeypatch):
    engine(tmp_path, "docker", f'echo "$1" >> {tmp_path}/called; echo no daemon >&2; exit 125')
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(
        SandboxUnavailableError, match="docker cannot start a sandbox here: no daemon"
    ):
        start.run("", choice=Choice("docker"))
    engine(tmp_path, "docker", f'echo "$1" >> {tmp_path}/called; [ "$1" = rm ] || exec sleep 60')
    job = {"role": "stdin", "program": "", "cases": [{}]}
    with start.started(job, choice=Choice("docker")):
        pass
    assert (tmp_path / "called").read_text().split()[-2:] == ["run", "rm"]  # not only its client


def test_fields_of_the_sandbox_are_checked_and_reach_it(monkeypatch):
    with pytest.raises(
        ValueError, match=r"compute\.sandbox must be one of auto, bubblewrap, podman"
    ):
        ComputeConfig(sandbox="none")
    for image in ("--privileged", "a b", "a;b"):
        with pytest.raises(ValueError, match=r"compute\.sandbox_image must be"):
            ComputeConfig(sandbox_image=image)
    asked = []
    monkeypatch.setattr(
        "distill.grading.code_tests.grade_code",
        lambda problem, code, *, choice: asked.append(choice) or (None, "recorded"),
    )
    how = ComputeConfig(sandbox="docker", sandbox_image="r.io/python:3@sha256:0f", progress=False)
    item = Problem.of("q", "", "code", "test"), "```python\nprint(1)\n```"
    grade.grade_all([item], GradingConfig(), how)
    assert asked == [Choice("docker", "r.io/python:3@sha256:0f", unsandboxed=False)]


def test_a_relay_connects_whoever_comes_with_the_socket_and_ends_with_either():
    ours, theirs = socket.socketpair()
    with relay.relayed(theirs.fileno()) as folder:
        theirs.close()
        far = socket.socket(socket.AF_UNIX)
        far.connect(str(folder / "socket"))
        far.sendall(b"question")
        assert ours.recv(99) == b"question"
        ours.sendall(b"answer")
        assert far.recv(99) == b"answer"
        far.close()
        assert ours.recv(99) == b""
    with relay.relayed(ours.fileno()) as folder:  # nobody comes
        pass
    assert not folder.exists()


@needs_bwrap
def test_the_filter_that_a_sandbox_installs_itself_refuses_the_same(monkeypatch):
    unfiltered = bubblewrap.command
    monkeypatch.setattr(
        bubblewrap, "command", lambda limits, packages, _: unfiltered(limits, packages)
    )

    def ended(name, **more):
        job = {"role": "stdin", "program": REFUSED[name], "cases": [{}]} | more
        with start.started(job, PATIENT, Choice("bubblewrap")) as box:
            return next(box.results())

    for name in ("shared without a file", "a file in memory", "a wider pipe"):
        assert ended(name).exit == 0
        refused = ended(name, filter=seccomp.program())
        assert refused.exit == 1 and "PermissionError" in refused.stderr


@needs_engine
def test_verdicts_in_a_container_are_those_in_bubblewrap():
    call = {"type": "call", "function": "f", "arguments": [2], "expected": 4}
    tests = {"program": {"type": "program", "code": "assert f(2) == 4"}, "call": call}
    tests |= {"stdin": {"type": "stdin", "input": "2", "output": "4"}}
    programs = ("def f(n): return n * 2\nprint(4)", "def f(n): return 5\nprint(5)", "def f(: x")
    for test in tests.values():
        item = Problem.of("q", "", "code", "test", tests=(json.dumps(test),))
        for program in programs:
            verdict = grade_code(item, program, choice=CHOICE)
            assert verdict == grade_code(item, program, choice=Choice("auto")), verdict
    assert start.run("import numpy", choice=CHOICE).exit == start.run("import numpy").exit


@needs_engine
@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("kind", ["call", "program"])
def test_a_hostile_program_neither_passes_nor_leaves_a_container(name, kind, marker, monkeypatch):
    monkeypatch.setenv("DISTILL_SECRET", SECRET)
    passed, why = grade_code(SECRET_TESTS[kind], HOSTILE[name], limits=TIGHT, choice=CHOICE)
    assert passed is False, why
    assert alive(marker) == []
    _until(lambda: not containers())  # an engine removes them by and by


@needs_engine
@pytest.mark.slow
@pytest.mark.parametrize("name", ESCAPES)
def test_what_is_out_of_reach_of_a_container_is_refused(name):
    result = start.run(HOSTILE[name], limits=PATIENT, choice=CHOICE)
    inside = name in ("read_the_password_file",)  # the image's own
    assert (result.exit == 1 or inside) and not result.ended, result
    assert "root:x:0:0:root:/root" not in result.stdout or inside


@needs_engine
@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({*REFUSED, *COUNTED} - OWN_DEVICES))
def test_memory_that_hides_is_refused_or_ended_in_a_container(name, marker):
    program = (REFUSED | COUNTED)[name]
    result = start.run(program, limits=replace(SMALL, processes=16), choice=CHOICE)
    assert result.exit != 0 or result.ended, result
    assert alive(marker) == []
    _until(lambda: not containers())  # an engine removes them by and by


@needs_engine
@pytest.mark.slow
def test_what_no_process_shows_counts_for_the_container(marker):
    program = f"""
{CALL}
libc.memset.argtypes = ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t
libc.madvise.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
for n in range(4):
    if os.fork() == 0:
        size = 180 << 20
        at = libc.mmap(None, ctypes.c_size_t(size), 3, 1, os.open('/dev/zero', 2), ctypes.c_long(0))
        libc.memset(at, 7, size)
        libc.madvise(at, size, 4)
        open(f'/tmp/held-{{n}}', 'x')
        time.sleep(60)
    for _ in range(100):
        if not os.path.exists(f'/tmp/held-{{n}}'): time.sleep(.02)
print(len([name for name in os.listdir('/tmp') if name.startswith('held')]))
"""
    result = start.run(program, limits=SMALL, choice=CHOICE)
    assert result.ended or result.exit or int(result.stdout) * 180 < 256 + 128, result
    assert alive(marker) == []
    _until(lambda: not containers())  # an engine removes them by and by


@needs_engine
@pytest.mark.slow
def test_a_killed_grader_leaves_no_container(marker):
    pid = os.fork()
    if pid == 0:
        start.run("import time\ntime.sleep(60)", limits=PATIENT, choice=CHOICE)
        os._exit(0)
    try:
        _until(lambda: any("marshal" in line for line in alive(marker)))
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    _until(lambda: not alive(marker) and not containers())


def containers() -> str:
    """Ids of the containers that are left."""
    look = [CHOICE.sandbox, "ps", "--all", "--quiet", "--filter=name=distill-"]
    return subprocess.run(look, capture_output=True, text=True, check=True).stdout


def _until(holds) -> None:
    end = time.monotonic() + 30
    while not holds() and time.monotonic() < end:
        time.sleep(0.02)
    assert holds()
