"""Stage 6 in several processes of this machine, each with a GPU of its own.

`start` is torchrun, with what a lab needs around it: the curve of the first process is told on
while it is made, the error of whichever process failed first is raised here, and no process
outlives this one: each ends as soon as its standard input, a pipe that is held here, is closed,
which the system does even for a process that was killed.

Run by torchrun, never by hand: python -m distill.launch JOB.json
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

from distill.config import ComputeConfig, PromptConfig, StudentConfig, TrainingConfig
from distill.store import CHECKOUT, write_json

Log = Callable[[dict[str, Any]], None]

EVENTS = "events.jsonl"
OUTPUT = "output.txt"
KNOWN_ERRORS: dict[str, type[Exception]] = {
    error.__name__: error for error in (ValueError, FloatingPointError, FileNotFoundError)
}


@dataclass
class Job:
    """The arguments of one training; see `distill.student.train_student`."""

    student: StudentConfig
    training: TrainingConfig
    prompt: PromptConfig
    selected: Path
    corrupted: Path
    union: list[Path]
    compute: ComputeConfig
    out: Path

    @property
    def checkpoints(self) -> Path:
        """Where a killed training continues from."""
        return self.out / "checkpoints"

    def write(self, path: Path) -> None:
        """As JSON."""
        path.write_text(json.dumps(asdict(self), default=str), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> "Job":
        """What `write` wrote."""
        from omegaconf import OmegaConf

        values = json.loads(path.read_text(encoding="utf-8"))
        job = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(cls), values))
        assert isinstance(job, cls)
        return job


class Watch:
    """Who is told of a training while it runs: a progress bar, and a log of the curve."""

    def __init__(self, log: Log | None = None, progress: bool = False) -> None:
        """Args: log: told each row of the curve; progress: whether a bar is drawn."""
        self.log = log
        self.progress = progress

    def begin(self, steps: int, done: int) -> None:
        """Training begins, `done` of its optimiser steps made by an earlier attempt."""
        from tqdm import tqdm

        self.bar = tqdm(total=steps, initial=done, desc="train", disable=not self.progress)

    def step(self, row: dict[str, Any]) -> None:
        """A row of the curve is known."""
        self.bar.update()
        self.bar.set_postfix(loss=f"{row['loss']:.4f}", refresh=False)
        if self.log:
            self.log(row)

    def end(self) -> None:
        """Training is over."""
        self.bar.close()


class Told(Watch):
    """In the first of several processes: writes down what it is told, for `start`."""

    def __init__(self, path: Path) -> None:
        """Args: path: where to."""
        super().__init__()
        self.path = path

    def begin(self, steps: int, done: int) -> None:
        """See `Watch`."""
        self._write("begin", steps, done)

    def step(self, row: dict[str, Any]) -> None:
        """See `Watch`."""
        self._write("step", row)

    def end(self) -> None:
        """See `Watch`."""
        self._write("end")

    def _write(self, event: str, *values: Any) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps([event, *values]) + "\n")


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
            [sys.executable, "-P", "-m", *torchrun, count, "distill.launch", str(file)],
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


def main() -> None:
    """One of the processes: train, and leave word of an error."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    path, rank = Path(sys.argv[1]), int(os.environ["RANK"])
    from distill.student import train

    watch = Told(path.with_name(EVENTS)) if rank == 0 else Watch()
    try:
        train(Job.read(path), watch)
    except Exception as error:
        left = {
            "rank": rank,
            "time": time.time(),
            "type": type(error).__name__,
            "message": str(error),
            "traceback": traceback.format_exc(),
        }
        write_json(path.with_name(f"error-{rank}.json"), left)
        raise


def _end_with_parent() -> None:
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
