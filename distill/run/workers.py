"""Several runs of a sweep at a time on this machine, in processes that each make many."""

import io
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, TextIO

from distill.config import Config
from distill.run.cell import attempt
from distill.run.record import Outcome
from distill.stages import Stage
from distill.store.identity import local_path

MEMORY = 2 * 2**30
"""Bytes that a run takes besides its student; 1.5 GB were measured in the embedded world."""

PER_WEIGHT = 8
"""Bytes that training takes per byte of published weights: 16 of each, which are in 2."""

LIMIT = Path("/sys/fs/cgroup")
"""Where a container says how much memory it may take."""


def at_once(configs: Sequence[Config]) -> int:
    """How many of these runs are made at a time, by `compute.parallel`.

    `auto`: as many as this machine has cores and memory for, with a thread each at least; one
    where a GPU, a server or several processes do the work, or where nothing is trained or scored.
    All runs of a sweep agree in `compute.parallel`.
    """
    if configs and (asked := configs[0].compute.parallel) != "auto":
        return min(int(asked), len(configs))
    if len(configs) < 2 or not all(map(_keeps_cores_busy, configs)):
        return 1
    threads = max(1, *(config.compute.threads for config in configs))
    most = min(cores() // threads, free_memory() // max(map(_memory, configs)), len(configs))
    return max(1, most)


def cores() -> int:
    """CPU cores that this process may use."""
    from joblib import cpu_count

    return int(cpu_count())


def free_memory() -> int:
    """Bytes of memory that can be had, in a container those that it may take."""
    import psutil

    free = int(psutil.virtual_memory().available)
    most, taken = LIMIT / "memory.max", LIMIT / "memory.current"
    if most.is_file() and (limit := most.read_text().strip()).isdecimal():
        free = min(free, int(limit) - int(taken.read_text()))
    return free


def _keeps_cores_busy(config: Config) -> bool:
    """Whether a run trains or scores on the cores of this machine, and knows how large it is."""
    compute = config.compute
    return (
        config.until in (Stage.train, Stage.evaluate)
        and config.engine.kind == "transformers"
        and compute.processes == 1
        and compute.device != "cuda"
        and (compute.device == "cpu" or not any(Path("/dev").glob("nvidia[0-9]*")))
        and local_path(config.student.model) is not None
    )


def _memory(config: Config) -> int:
    folder = local_path(config.student.model)
    weights = folder.glob("*.safetensors") if folder else ()
    return MEMORY + PER_WEIGHT * sum(file.stat().st_size for file in weights)


def launch(
    runs: Sequence[tuple[str, Config]], number: int, env: Mapping[str, str]
) -> list[Outcome | None]:
    """Make runs, given as label and config, `number` of them at a time.

    The cores are shared out: each of the `number` gets as many threads as cores, unless
    `compute.threads` says how many. A worker that is killed costs the run that it was making; the
    others go on, one of them in a new worker. Workers end with this process, however that ends.

    Args:
        runs: in the order in which they are begun.
        number: at least 1.
        env: further environment variables of the workers.

    Returns:
        What became of each run; None where its worker was killed.
    """
    share = max(1, cores() // number)
    outcomes: list[Outcome | None] = [None] * len(runs)
    waiting = list(reversed(range(len(runs))))
    idle: list[Worker] = []
    busy: dict[Any, tuple[Worker, int]] = {}
    try:
        while waiting or busy:
            while waiting and len(busy) < number:
                worker, i = idle.pop() if idle else Worker(env), waiting.pop()
                label, config = runs[i]
                threads = config.compute.threads or share
                compute = replace(config.compute, threads=threads, progress=False)
                worker.give(f"[{i + 1}/{len(runs)}] ", replace(config, compute=compute), label)
                busy[worker.ours] = worker, i
            for ready in wait(list(busy)):
                worker, i = busy.pop(ready)
                with suppress(EOFError, OSError):  # it was killed
                    outcomes[i] = worker.ours.recv()
                    idle.append(worker)
    finally:
        for worker, _ in busy.values():  # this process is interrupted
            worker.process.kill()
        for worker in idle:
            worker.ours.close()
        for worker in [*idle, *(worker for worker, _ in busy.values())]:
            worker.process.join()
    return outcomes


class Worker:
    """A process that makes one run after another."""

    def __init__(self, env: Mapping[str, str]) -> None:
        """Start it, with further environment variables."""
        context = multiprocessing.get_context("spawn")
        self.ours, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs, dict(env)))
        self.process.start()
        theirs.close()  # so that reading ends when the process does

    def give(self, mark: str, config: Config, label: str) -> None:
        """Have it make a run; each line that it prints begins with the mark."""
        with suppress(OSError):  # it was killed, which is noticed where its outcome is read
            self.ours.send((mark, config, label))


def _work(theirs: Connection, env: Mapping[str, str]) -> None:
    """What a worker does until its sweep needs it no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the sweep handles it, for all workers
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ |= env
    printed = sys.stdout
    with suppress(EOFError):
        while True:
            mark, config, label = theirs.recv()
            sys.stdout = Marked(printed, mark)
            theirs.send(attempt(config, label))
    sys.stdout = printed


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


class Marked(io.TextIOBase):
    """Prints whole lines, each after a mark."""

    def __init__(self, printed: TextIO, mark: str) -> None:
        """Args: printed: where to print; mark: what each line begins with."""
        self.printed, self.mark, self.begun = printed, mark, ""

    def write(self, text: str) -> int:
        """Keep text until its line ends."""
        *lines, self.begun = (self.begun + text).split("\n")
        if lines:
            self.printed.write("".join(f"{self.mark}{line}\n" for line in lines))
            self.printed.flush()
        return len(text)
