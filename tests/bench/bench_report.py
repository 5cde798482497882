"""How long a report, a table, all tables and plans of recorded runs take: `make bench`.

Prints CPU seconds of each command, start of Python included, as multiples of those of a start that
loads what a report cannot do without, measured next to it: seconds say more of the machine and of
what else it does than of the command.
"""

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

CHECKOUT = Path(__file__).parents[2]
RECORDED = CHECKOUT / "analysis" / "results"
START = ["-c", "import pandas, matplotlib.figure"]
TABLES = "table1,table2,table5,table6,table7"
REPEATS = 3
TARGETS = {
    "--help": 0.5,
    "plan table2": 4.0,
    "status table2": 3.0,
    "table table2": 6.0,
    f"table {TABLES}": 12.0,
    **{
        f"report {study.name}": 12.0
        for study in sorted(RECORDED.glob("*/"))
        if (CHECKOUT / "conf" / "study" / f"{study.name}.yaml").is_file()
    },
}
"""Command -> how many starts it may take; on a quiet core a start is a third of a second."""


def used(arguments: list[str]) -> float:
    """CPU seconds of `python ARGUMENTS`, user and system together."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], cwd=CHECKOUT, capture_output=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def arguments(command: str, folder: str) -> list[str]:
    """Of `python`, for a command; what it writes is below the folder."""
    name, *rest = command.split()
    more = []
    if name == "table":
        more = ["--format", "md,csv,latex,html", "--out", f"{folder}/tables"]
    if name == "report":
        more = ["--out", f"{folder}/page.html"]
    if name in ("table", "report"):
        more += ["--runs", str(RECORDED / (rest[0] if name == "report" else "table2"))]
    return ["-m", "ablations", name, *rest, *more]


def main() -> None:
    """Print a line a command: multiple of a start, its target, and seconds."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as folder:
        for command, target in TARGETS.items():
            pairs = [(used(START), used(arguments(command, folder))) for _ in range(REPEATS)]
            ratio = median(own / start for start, own in pairs)
            seconds = median(own for _, own in pairs)
            print(f"{command}: {ratio:.1f} starts (target {target:g}); {seconds:.2f} s CPU")
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
