"""One of several training processes, as torchrun starts it; never run by hand."""

import os
import sys
import threading
import time
import traceback
from pathlib import Path

from distill.store.artifacts import write_json
from distill.training.job import Job
from distill.training.progress import EVENTS, Told, Watch
from distill.training.train import train


def main() -> None:
    """One of the processes: train, and leave word of an error."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    path, rank = Path(sys.argv[1]), int(os.environ["RANK"])
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
