"""Studies: which runs, checked first, going on past failures."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
from hydra.errors import HydraException

from distill.run.record import Outcome
from distill.run.sweep import expand, print_outcomes
from distill.store.identity import CHECKOUT

FIRST_STAGES = ["until=corrupt", "dataset.problems=20", "size.traces=5", "compute.progress=false"]


def distill(folder, *arguments):
    """`python -m distill`, writing below `folder`."""
    places = [f"artifacts={folder}/artifacts", f"runs={folder}/runs", "tracking=none"]
    command = [sys.executable, "-m", "distill", *arguments, *FIRST_STAGES, *places]
    return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True)


def test_a_study_is_the_union_of_its_grids_each_the_product_of_its_axes():
    cells = expand(["a=1", "a=2,3 b=4,5"], [])
    assert cells == [["a=1"], ["a=2", "b=4"], ["a=2", "b=5"], ["a=3", "b=4"], ["a=3", "b=5"]]


def test_axes_multiply_every_grid():
    cells = {frozenset(cell) for cell in expand(["a=1", "a=2"], ["seed=0,1"])}
    assert cells == {frozenset((f"a={a}", f"seed={seed}")) for a in (1, 2) for seed in (0, 1)}


def test_an_axis_replaces_what_a_grid_says_of_the_same_key():
    cells = expand(["a=1 b=0", "a=2,3 b=0"], ["a=7"])
    assert [sorted(cell) for cell in cells] == [["a=7", "b=0"]]


def test_no_grid_is_one_cell_of_the_axes_alone():
    assert expand([], []) == [[]]
    assert expand([], ["a=1,2"]) == [["a=1"], ["a=2"]]


def test_a_cell_that_two_grids_name_is_there_once():
    assert expand(["a=1,2", "a=2,3"], []) == [["a=1"], ["a=2"], ["a=3"]]


def test_a_line_that_cannot_be_parsed_is_an_error():
    with pytest.raises(HydraException, match=r"\[1"):
        expand(["a=[1"], [])


def test_a_bad_cell_stops_the_sweep_before_anything_is_made(tmp_path):
    done = distill(tmp_path, "-m", "corruption=shuffle_steps", "corruption.fraction=0.5,1.5,-1")
    assert done.returncode != 0
    assert "2 bad run" in done.stderr
    assert "corruption.fraction must be in [0, 1]; got 1.5" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_misspelt_option_stops_the_sweep_and_lists_the_choices(tmp_path):
    done = distill(tmp_path, "-m", "corruption=none,shufle_steps")
    assert done.returncode != 0
    assert "shufle_steps" in done.stderr
    assert "delete_steps" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_failure_that_cells_share_is_told_once_and_the_others_name_its_artifact(
    capsys, monkeypatch
):
    monkeypatch.setenv("COLUMNS", "200")
    failed = Outcome("a=1", "", "failed", {}, 1.0, "OSError: disk full", "sample_traces/abc")
    other = replace(failed, label="a=3", at="train_student/def")
    early = replace(failed, label="a=4", at="", why="ValueError: early")
    again, late = replace(failed, label="a=2", why="OSError: full"), replace(early, label="a=5")
    fine = Outcome("a=6", "k", "done", {}, 1.0)
    print_outcomes([failed, again, other, early, late, fine])
    lines = capsys.readouterr().out.splitlines()
    told = {n: next(line for line in lines if f"│ a={n} " in line) for n in range(1, 7)}
    assert "sample_traces/abc: OSError: disk full" in told[1]
    assert "sample_traces/abc: see a=1" in told[2] and "OSError" not in told[2]
    assert "train_student/def: OSError: disk full" in told[3]
    assert "ValueError: early" in told[4] and "the same: see a=4" in told[5]
    assert "see" not in told[6] and len(told) == 6


def test_a_failing_cell_stops_no_other_and_a_repeat_makes_only_what_is_missing(tmp_path):
    sweep = [
        "-m",
        "teacher.slip_rate=0",
        "corruption=wrong_answers,none",
    ]  # there are no wrong answers
    first = distill(tmp_path, *sweep)
    assert first.returncode == 1, first.stderr
    records = list((tmp_path / "runs").glob("single/*/run.json"))
    assert [json.loads(path.read_text())["config"]["corruption"]["name"] for path in records] == [
        "none"
    ]
    (failure,) = (tmp_path / "runs").glob("single/*/failed.json")
    assert "wrong" in json.loads(failure.read_text())["why"]
    assert "failed" in first.stdout

    made = set((tmp_path / "artifacts").glob("*/*"))
    second = distill(tmp_path, *sweep)
    assert second.returncode == 1
    assert "done before" in second.stdout
    assert set((tmp_path / "artifacts").glob("*/*")) == made
