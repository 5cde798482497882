"""Whole studies: side by side, repeated, and what is imported when nothing is left to do."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from distill.store.identity import CHECKOUT
from tests.test_run import contents

CELLS = 3
"""Of `study=smoke`: the base, correct traces, shuffled steps."""


def study(folder: Path, overrides: list[str], *flags: str) -> subprocess.CompletedProcess[str]:
    """`python [flags] -m distill study=smoke [overrides]` in a folder of its own."""
    folder.mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, *flags, "-m", "distill", "study=smoke", *overrides],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(CHECKOUT), "OMP_NUM_THREADS": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.fixture(scope="module")
def one_after_the_other(tmp_path_factory, tiny_run) -> Path:
    folder = tmp_path_factory.mktemp("studies") / "serial"
    done = study(folder, [*tiny_run, "compute.parallel=1"])
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("n=12×1") == 2 * CELLS  # as each is made, and in the table
    return folder


@pytest.mark.parametrize(
    "workers",
    [["compute.parallel=2"], ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]],
)
def test_two_workers_give_the_same_rows_as_one_after_the_other(
    one_after_the_other, tiny_run, tmp_path, workers
):
    done = study(tmp_path / "parallel", [*tiny_run, *workers])
    assert done.returncode == 0, done.stderr[-3000:]
    assert contents(tmp_path / "parallel") == contents(one_after_the_other)
    ours = workers == ["compute.parallel=2"]
    assert ours == ("2 runs at a time" in done.stdout)
    assert not ours or "leaked" not in done.stderr


def test_a_repeated_study_skips_what_is_done_without_importing_torch(one_after_the_other, tiny_run):
    before = {p: p.stat().st_mtime_ns for p in one_after_the_other.rglob("*.json")}
    done = study(one_after_the_other, tiny_run, "-X", "importtime")
    assert done.returncode == 0
    assert done.stdout.count("done before") == CELLS
    assert not [line for line in done.stderr.splitlines() if line.endswith("| torch")]
    assert {p: p.stat().st_mtime_ns for p in one_after_the_other.rglob("*.json")} == before


def test_a_cell_whose_scores_are_gone_is_made_again_and_no_other(one_after_the_other, tiny_run):
    records = sorted(one_after_the_other.glob("runs/smoke/*/run.json"))
    made = json.loads(records[0].read_text())
    lost = one_after_the_other / made["scores"]["sign_puzzle"]["path"]
    before = contents(one_after_the_other)
    for path in lost.iterdir():
        path.unlink()
    lost.rmdir()
    done = study(one_after_the_other, tiny_run)
    assert done.returncode == 0
    assert done.stdout.count("  making") == 1
    assert contents(one_after_the_other) == before
