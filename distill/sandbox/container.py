"""The command of a container engine, Docker or Podman, that makes a sandbox of a Python image.

No network, a read-only root, temporary folders in memory, no capabilities and no way to new ones,
a user that owns nothing, limits on memory, processes and processors by the engine's own cgroup.
Nothing is ever pulled: who wants an image says so.
"""

import shutil
import subprocess
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from distill.sandbox import seccomp
from distill.sandbox.box import Limits

ENGINES = ("podman", "docker")
"""In the order in which they are tried."""

OVERHEAD_BYTES = 64 << 20
"""Memory of a container besides that of its programs and files: process 1 and the kernel's."""

OVERHEAD_PROCESSES = 4
"""Processes and threads of a container besides those of its programs."""

_NOBODY = "65534:65534"
_PEER = "/peer"


@dataclass(frozen=True)
class Container:
    """A container that is started once."""

    engine: str
    """`podman` or `docker`, or a path of either."""

    image: str
    """A Python image, by name or digest."""

    name: str = field(default_factory=lambda: f"distill-{uuid.uuid4().hex}")

    def command(
        self, limits: Limits, packages: str, environment: Mapping[str, str], peer: Path | None
    ) -> list[str]:
        """The command before the options of Python.

        Args:
            limits: of the whole container, where they are not each process's.
            packages: folder of this machine that the container sees, read-only.
            environment: variables in the container.
            peer: folder with a socket that it sees too; None: nothing to connect to.
        """
        memory = str(limits.memory_bytes + limits.disk_bytes + limits.output_bytes + OVERHEAD_BYTES)
        temporary = f"rw,nosuid,nodev,mode=1777,size={limits.disk_bytes}"
        command = [
            *(self.engine, "run", "--rm", "--interactive", "--pull=never", f"--name={self.name}"),
            *("--log-driver=none", "--network=none", "--hostname=sandbox", "--ipc=private"),
            *("--read-only", f"--tmpfs=/tmp:{temporary}", f"--shm-size={limits.output_bytes}"),
            *(f"--user={_NOBODY}", "--cap-drop=ALL", "--security-opt=no-new-privileges"),
            "--security-opt=label=disable",  # SELinux would hide the mounts below
            *(f"--memory={memory}", f"--memory-swap={memory}", "--cpus=1"),
            *("--ulimit=core=0", "--ulimit=nofile=1024:1024", "--ulimit=nproc=4096:4096"),
            f"--pids-limit={limits.processes + OVERHEAD_PROCESSES}",
            *(f"--env={name}={value}" for name, value in environment.items()),
            *(f"--volume={packages}:{packages}:ro", "--workdir=/tmp", "--entrypoint=python3"),
        ]
        if self.engine.endswith("podman"):
            command.append("--read-only-tmpfs=false")
        return [*command, *([f"--volume={peer}:{_PEER}:ro"] if peer else []), self.image]

    def problem(self, packages: str) -> str:
        """What keeps the engine from running the image here; empty if nothing does."""
        if shutil.which(self.engine) is None:
            return "it is not installed"
        trial = [*self.command(Limits(), packages, {}, None), "-S", "-c", ""]
        try:
            subprocess.run(trial, check=True, capture_output=True, timeout=120, text=True)
        except subprocess.CalledProcessError as error:
            said = " ".join(error.stderr.split()) or "it failed"
            return f"{said[:200]} (an image is pulled once: {self.engine} pull {self.image})"
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)[-200:]
        return ""

    def end(self, pid: int) -> None:
        """Kill the container, whatever the engine's client, process `pid`, still does."""
        kill = [self.engine, "rm", "--force", self.name]
        with suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(kill, capture_output=True, timeout=30, check=False)


def additions(peer: Path | None) -> dict[str, Any]:
    """What a job needs in a container (`distill.sandbox.inside`)."""
    socket = {"peer": f"{_PEER}/socket"} if peer else {}
    return {"filter": seccomp.program()} | socket
