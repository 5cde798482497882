"""Stage 6 in several processes of this machine, each with a GPU of its own.

`start` is torchrun, with what a lab needs around it: the curve of the first process is told on
while it is made, the error of whichever process failed first is raised here, and no process
outlives this one: each ends as soon as its standard input, a pipe that is held here, is closed,
which the system does even for a process that was killed.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

from distill.store.identity import CHECKOUT
from distill.training.job import Job
from distill.training.progress import EVENTS, Watch

OUTPUT = "output.txt"
KNOWN_ERRORS: dict[str, type[Exception]] = {
    error.__name__: error for error in (ValueError, FloatingPointError, FileNotFoundError)
}


def start(job: Job, watch: Watch, folder: Path) -> None:
    """Train in `job.compute.processes` processes, and wait for them.

    Args:
        job: what to do.
        watch: told what the first process tells.
        folder: empty; takes the job, what the processes print, and their errors.

    Raises:
        ValueError, FloatingPointError, FileNotFoundError: as a process raised it, with that
            process's traceback as a note.
        RuntimeError: a process raised another error, or was ended by the system.
    """
    file = folder / "job.json"
    job.write(file)
    (folder / EVENTS).touch()
    torchrun = ["torch.distributed.run", "--standalone", "--local-addr=127.0.0.1", "--module"]
    count = f"--nproc-per-node={job.compute.processes}"
    paths = (str(CHECKOUT), os.environ.get("PYTHONPATH", ""))
    with (folder / OUTPUT).open("wb") as output, (folder / EVENTS).open(encoding="utf-8") as events:
        agent = subprocess.Popen(
            [sys.executable, "-P", "-m", *torchrun, count, "distill.training.worker", str(file)],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
        )
        try:
            running, rest = True, ""
            while running:
                running = agent.poll() is None
                time.sleep(0.1 if running else 0)
                *lines, rest = (rest + events.read()).split("\n")
                for event, *values in map(json.loads, lines):
                    getattr(watch, event)(*values)
        finally:
            _end(agent)
    if agent.returncode:
        _raise(folder, job.compute.processes, agent.returncode)


def _end(agent: "subprocess.Popen[bytes]") -> None:
    """End all processes, and return when none is left: their folder may be handed on."""
    assert agent.stdin is not None
    agent.stdin.close()
    try:
        agent.wait(30)  # it ends after those that it started
    except subprocess.TimeoutExpired:
        os.killpg(agent.pid, signal.SIGKILL)
        agent.wait()


def _raise(folder: Path, processes: int, code: int) -> NoReturn:
    """The error that came first; those of other processes follow from it."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("error-*.json")]
    if not found:
        said = (folder / OUTPUT).read_text(encoding="utf-8", errors="replace")
        raise RuntimeError(
            f"one of {processes} training processes was ended by the system, out of memory perhaps "
            f"(torchrun's exit code is {code}). The end of {folder / OUTPUT}:\n{said[-3000:]}"
        )
    first = min(found, key=lambda error: error["time"])
    error = KNOWN_ERRORS.get(first["type"], RuntimeError)
    where = f"process {first['rank']} of {processes}"
    known = first["type"] in KNOWN_ERRORS
    text = first["message"] if known else f"{where}: {first['type']}: {first['message']}"
    raised = error(text)
    raised.add_note(f"In {where}:\n{first['traceback']}")
    raise raised
