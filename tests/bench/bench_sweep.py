"""How long a sweep takes all of whose runs are done. Run: python tests/bench/bench_sweep.py."""

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
RUNS = 300


def main() -> None:
    """Print wall and CPU seconds of the sweep that makes cheap runs, and of its repetition."""
    with tempfile.TemporaryDirectory() as folder:
        words = [
            *("-m", f"dataset.problems=range(100,{100 + RUNS})", "size.traces=1", "until=problems"),
            *("tracking=none", f"artifacts={folder}/a", f"runs={folder}/r"),
        ]
        for name in ("made", "done before"):
            before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
            command = [sys.executable, "-m", "distill", *words]
            subprocess.run(command, cwd=CHECKOUT, capture_output=True, check=True)
            wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
            cpu = sum(after[:2]) - sum(before[:2])
            load = os.getloadavg()[0]
            print(f"{RUNS} runs {name}: {wall:.1f} s, of them {cpu:.1f} s CPU; load {load:.1f}")


if __name__ == "__main__":
    main()
