"""Run one training in several processes of this machine, with a GPU each where there are GPUs.

The processes are those of `torch.multiprocessing.spawn`. This module adds what a study needs: the
first process's progress is reported here while the training runs, the error that came first is
raised here with its own type, and no process outlives this one, not even when this one is killed.
"""

import multiprocessing
import os
import pickle
import signal
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from distill.training.config import Job
from distill.training.progress import Progress, ProgressFile, report

EVENTS = "events.jsonl"
OUTPUT = "output.txt"
KNOWN_ERRORS = (ValueError, FloatingPointError, FileNotFoundError)

Train = Callable[[Job, Progress], None]
"""Trains in one of the processes, all of which call it; a function that can be pickled."""


def start(train: Train, job: Job, progress: Progress, folder: Path) -> None:
    """Train in `job.compute.processes` processes and wait until all have ended.

    What the first process reports is reported to `progress`, in this process. The folder is empty,
    and takes what the processes report and print, and their errors.

    Raises:
        ValueError, FloatingPointError, FileNotFoundError: as a process raised it, with that
            process's traceback as a note.
        RuntimeError: a process raised another error, or ended without raising one.
    """
    from torch.distributed import TCPStore
    from torch.multiprocessing import ProcessExitedException, ProcessRaisedException, spawn

    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    for name in (EVENTS, OUTPUT):
        (folder / name).touch()
    arguments, count = (train, job, store.port, folder), job.compute.processes
    with (folder / EVENTS).open(encoding="utf-8") as events:
        processes = spawn(_process, arguments, count, join=False, daemon=True)
        try:
            ended = False
            while not ended:
                ended = processes.join(timeout=0.1)
                report(events, progress)
        except ProcessRaisedException as error:
            raise _first_error(folder, error) from None
        except ProcessExitedException as error:
            printed = (folder / OUTPUT).read_text(encoding="utf-8", errors="replace")
            raise RuntimeError(
                f"training process {error.error_index} of {count} ended unexpectedly ({error}); "
                f"memory may have run out. The end of {folder / OUTPUT}:\n{printed[-3000:]}"
            ) from None
        finally:
            for process in processes.processes:
                process.kill()
                process.join()


def _process(rank: int, train: Train, job: Job, port: int, folder: Path) -> None:
    """Train as process `rank`, print to a file, and record an error in another."""
    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles it, for all processes
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with (folder / OUTPUT).open("ab") as output:
        for descriptor in (1, 2):
            os.dup2(output.fileno(), descriptor)
    count = job.compute.processes
    os.environ |= dict.fromkeys(("RANK", "LOCAL_RANK"), str(rank))
    os.environ |= dict.fromkeys(("WORLD_SIZE", "LOCAL_WORLD_SIZE"), str(count))
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    os.environ["TORCHELASTIC_USE_AGENT_STORE"] = "True"  # the parent's: no port can be taken
    if "OMP_NUM_THREADS" not in os.environ:  # as torchrun does
        os.environ["OMP_NUM_THREADS"] = "1"
        torch.set_num_threads(1)
    try:
        train(job, ProgressFile(folder / EVENTS) if rank == 0 else Progress())
    except Exception as error:
        where, name = f"process {rank} of {count}", type(error).__name__
        raised: Exception = RuntimeError(f"{where}: {name}: {error}")
        if type(error) in KNOWN_ERRORS:
            raised = type(error)(str(error))
        raised.add_note(f"In {where}:\n{traceback.format_exc()}")
        (folder / f"error-{rank}").write_bytes(pickle.dumps((time.time(), raised)))
        raise


def _end_with_parent() -> None:
    """End this process as soon as its parent has ended, in whatever way."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _first_error(folder: Path, last: Exception) -> Exception:
    """The error that was recorded first, since others follow from it; `last` if none was."""
    errors = [pickle.loads(path.read_bytes()) for path in folder.glob("error-*")]
    _, first = min(errors, key=lambda error: error[0], default=(0.0, RuntimeError(str(last))))
    return first
