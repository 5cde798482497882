"""Several processes make one study at once, again and again: all end clean, with the same bytes.

`python -m pytest -m slow tests/test_contended.py --sweeps 10` runs ten such sweeps.
"""

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from distill.run.record import LOCK, RUN, read_record
from distill.store.artifacts import verify
from distill.store.identity import CHECKOUT
from tests.test_run import contents
from tests.test_study import CELLS, study

PROCESSES = 4

STAGGER = 0.4
"""Seconds by which the processes of each further sweep start further apart, so that they meet in
other stages."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A case for each sweep that was asked for."""
    metafunc.parametrize("sweep", range(metafunc.config.getoption("--sweeps")))


@pytest.fixture(scope="module")
def uncontended(tmp_path_factory, tiny_run) -> Path:
    folder = tmp_path_factory.mktemp("contended") / "alone"
    done = study(folder, tiny_run)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def start(folder: Path, overrides: list[str]) -> subprocess.Popen[str]:
    """`python -m distill study=smoke [overrides]` in a folder that others share."""
    return subprocess.Popen(
        [sys.executable, "-m", "distill", "study=smoke", *overrides],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(CHECKOUT), "OMP_NUM_THREADS": "1", "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def scored(folder: Path) -> dict[str, tuple[str, dict[str, Any]]]:
    """Key of a run -> key and counts of its scores, from its record."""
    records = map(read_record, folder.glob("runs/smoke/*/run.json"))
    scores = {record["cell"]: record["scores"]["sign_puzzle"] for record in records}
    return {run: (made["key"], made["summary"]) for run, made in scores.items()}


@pytest.mark.slow
def test_processes_that_make_one_study_end_clean_and_leave_what_one_alone_leaves(
    sweep, uncontended, tiny_run, tmp_path
):
    processes = []
    for _ in range(PROCESSES):
        processes.append(start(tmp_path, tiny_run))
        time.sleep(STAGGER * sweep)
    said = [process.communicate(timeout=600) for process in processes]
    for process, (out, err) in zip(processes, said, strict=True):
        assert process.returncode == 0, f"{out[-2000:]}\n{err[-3000:]}"
        assert out.count("n=12×1") == CELLS and "Traceback" not in err
    made = re.findall(r"making (\w+/[0-9a-f]{12})", "\n".join(out for out, _ in said))
    assert len(made) == len(set(made)), "an artifact was made twice"
    assert contents(tmp_path) == contents(uncontended)
    left = {path.name for path in tmp_path.glob("runs/smoke/*/*")}
    assert left == {RUN, LOCK}
    unfinished = [path for ending in ("partial", "new") for path in tmp_path.rglob(f"*.{ending}")]
    assert not unfinished
    for recipe in tmp_path.glob("artifacts/*/*/recipe.json"):
        verify(recipe.parent)
    assert scored(tmp_path) == scored(uncontended)
