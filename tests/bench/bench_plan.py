"""How long `python -m ablations plan` takes on 200 cells. Run: python tests/bench/bench_plan.py."""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
SEEDS = range(11)
"""Times the 18 trained cells of Table 2, and its base: 199 distinct cells."""


def main() -> None:
    """Print wall and CPU seconds of the whole command, start of Python included."""
    seeds = ",".join(map(str, SEEDS))
    command = [sys.executable, "-m", "ablations", "plan", "table2", f"training.seed={seeds}"]
    begun = time.perf_counter()
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    wall = time.perf_counter() - begun
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = used.ru_utime + used.ru_stime
    counted = next(line for line in done.stdout.splitlines() if " cells: " in line)
    load = os.getloadavg()[0]
    print(f"{counted}; {wall:.2f} s, of them {cpu:.2f} s CPU (target 3 s); load {load:.1f}")


if __name__ == "__main__":
    main()
