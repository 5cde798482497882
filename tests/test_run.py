"""Whole runs, really trained on a tiny student: made, repeated, killed, and made side by side."""

import hashlib
import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from distill.store.identity import CHECKOUT

DRIVER = """
import json, os, signal, sys, time
from pathlib import Path
from distill.run import sweep
from distill.run.compose import build
import torch, transformers, trl, peft  # once, before the forks
sweep.register()
from hydra import compose, initialize_config_dir
from distill.__main__ import run_cell
job = json.load(sys.stdin)
with initialize_config_dir(job["conf"], version_base=None):
    config = build(compose("config", job["overrides"]))

LOOK = os.WEXITED | os.WNOHANG | os.WNOWAIT  # whether it ended, without reaping it

def child():
    pid = os.fork()
    if pid:
        return pid
    outcome = run_cell(config, "cell")
    os._exit(0)

def begun(stage):
    return any(Path("artifacts").glob(f"{stage}/*.partial"))

start = os.getcwd()
for folder, kills in job["kill_in"].items():
    os.makedirs(os.path.join(start, folder), exist_ok=True)
    os.chdir(os.path.join(start, folder))
    for stage, moment in kills:
        pid = child()
        while not begun(stage) and os.waitid(os.P_PID, pid, LOOK) is None:
            time.sleep(0.001)
        time.sleep(moment)
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        print(f"killed in {stage}" if os.WIFSIGNALED(status) else "ended", flush=True)
    for pid in [child() for _ in range(job["at_once"])]:
        _, status = os.waitpid(pid, 0)
        assert status == 0, status
"""


STAGES = {
    "load_problems": 0.002,
    "sample_traces": 0.005,
    "verify_traces": 0.005,
    "select_traces": 0.002,
    "corrupt_traces": 0.002,
    "train_student": 0.4,
    "evaluate_student": 0.1,
}
"""Stage -> seconds into it within which it is killed; about what it takes."""


def drive(
    folder: Path,
    overrides: list[str],
    kill_in: dict[str, list[tuple[str, float]]] | None = None,
    at_once: int = 1,
) -> str:
    """Make the run below `folder`, as many of it at once, and return what it said.

    `kill_in`: sub-folder -> kills (SIGKILL) of the run there, this long into this stage, one after
    the other, before it is left to end. None: one run, in `folder`, undisturbed.
    """
    folder.mkdir(exist_ok=True)
    job = {
        "conf": str(CHECKOUT / "conf"),
        "overrides": overrides,
        "kill_in": kill_in or {".": []},
        "at_once": at_once,
    }
    done = subprocess.run(
        [sys.executable, "-c", DRIVER],
        input=json.dumps(job),
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(CHECKOUT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def contents(folder: Path) -> dict[str, str]:
    """Every file of every artifact but the recipes, which hold times: path -> SHA-256."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((folder / "artifacts").rglob("*"))
        if path.is_file() and path.name != "recipe.json" and path.suffix != ".lock"
    }


def record(folder: Path) -> dict[str, Any]:
    """The only run.json below a folder."""
    (path,) = folder.glob("runs/*/*/run.json")
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory, tiny_run) -> Path:
    """A run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("runs") / "unbroken"
    drive(folder, tiny_run)
    return folder


def test_a_run_leaves_its_scores_with_n_and_interval_and_the_key_of_every_stage(unbroken):
    made = record(unbroken)
    score = made["scores"]["sign_puzzle"]["summary"]
    assert (score["problems"], score["samples"]) == (12, 1)
    assert 0 <= score["low"] <= score["accuracy"] <= score["high"] <= 1
    assert list(made["stages"]) == sorted(
        ["problems", "traces", "verify", "select", "corrupt", "train"]
    )
    assert made["stages"]["train"]["how"]["compute"]["threads"] == 1
    assert made["config"]["training"]["method"] == "sft"


def test_the_same_config_and_seed_give_the_same_bytes(unbroken, tiny_run, tmp_path):
    drive(tmp_path / "again", tiny_run)
    assert contents(tmp_path / "again") == contents(unbroken)


def test_killed_in_every_stage_a_run_ends_with_the_same_bytes(unbroken, tiny_run, tmp_path):
    rng = random.Random(0)
    kills = {
        stage: [(stage, rng.uniform(0, longest)) for _ in range(3)]
        for stage, longest in STAGES.items()
    }
    said = drive(tmp_path, tiny_run, kills)
    for stage in STAGES:
        assert contents(tmp_path / stage) == contents(unbroken), stage
        assert f"killed in {stage}" in said
    assert not list(tmp_path.rglob("*.partial"))
    continued = {line.split()[1].split("/")[0] for line in said.splitlines() if " contin" in line}
    assert {"train_student", "evaluate_student"} <= continued, said


def test_two_processes_of_one_run_make_each_stage_once(unbroken, tiny_run, tmp_path):
    said = drive(tmp_path / "pair", tiny_run, at_once=2)
    made = re.findall(r"making (\w+/[0-9a-f]{12})", said)  # lines of two processes may run together
    assert len(made) == len(set(made)) == 8  # seven stages, and the benchmark's problems
    assert contents(tmp_path / "pair") == contents(unbroken)
    assert said.count("waiting for another process that makes run") == 1
    (folder,) = (tmp_path / "pair" / "runs" / "single").iterdir()
    assert {path.name for path in folder.iterdir()} == {"run.json", "run.lock"}


def test_a_run_of_the_base_alone_trains_nothing(tiny_run, tmp_path):
    drive(tmp_path / "base", [*tiny_run, "training=none"])
    made = record(tmp_path / "base")
    assert made["stages"] == {}
    assert made["scores"]["sign_puzzle"]["summary"]["problems"] == 12
