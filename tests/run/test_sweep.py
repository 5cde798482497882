"""Studies: which runs, checked first, going on past failures."""

import json
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import replace

import pytest
from hydra.core.utils import JobReturn, JobStatus

from ablations.studies.cells import Studies
from distill.__main__ import run_cell
from distill.run.outcomes import NO_RESULT
from distill.run.record import FAILED, LOCK, Outcome, write_failure
from distill.run.sweep import GridSweeper, expand, print_outcomes
from distill.store.artifacts import locked
from distill.store.identity import CHECKOUT

FIRST_STAGES = ["until=corrupt", "dataset.problems=20", "size.traces=5", "compute.progress=false"]


def distill(folder, *arguments):
    """`python -m distill`, writing below `folder`; flags of Hydra come first."""
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
    with pytest.raises(ValueError, match=r"\[1"):
        expand(["a=[1"], [])


def test_a_range_without_values_or_without_steps_is_an_error():
    for values in ("range(1,0)", "interval(0,1)"):
        with pytest.raises(ValueError, match="seed"):
            expand([], [f"seed={values}"])


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


STUDY = """
# @package _global_
study:
  name: mine
  hypothesis: none
{mode}
"""
GRIDS = "hydra:{mode}\n  sweeper:\n    grids: {grids}"


def study_file(folder, grids: str, mode: str = "") -> str:
    """Words that add a folder of configs with one study in it."""
    (folder / "conf" / "study").mkdir(parents=True)
    text = STUDY.format(mode=GRIDS.format(mode=mode, grids=grids))
    (folder / "conf" / "study" / "mine.yaml").write_text(text)
    return f"--config-dir={folder}/conf"


TWO = "[corruption=none, corruption=shuffle_steps]"


def test_case_41_a_study_without_multirun_is_an_error_and_runs_both_with_m(tmp_path):
    there = study_file(tmp_path, TWO)
    one = distill(tmp_path / "out", there, "study=mine")
    assert one.returncode == 1
    assert one.stderr.startswith("Nothing was run: ") and one.stderr.count("\n") == 1
    assert "study=mine" in one.stderr and "mode: MULTIRUN" in one.stderr
    assert not list(tmp_path.rglob("*.json"))
    both = distill(tmp_path / "out", there, "-m", "study=mine")
    assert both.returncode == 0, both.stderr
    assert len(list(tmp_path.glob("out/runs/mine/*/run.json"))) == 2


@pytest.mark.parametrize("grids", ["[]", "null"])
def test_case_41_a_study_without_a_grid_is_an_error_unless_an_axis_sweeps_it(tmp_path, grids):
    there = study_file(tmp_path, grids, "\n  mode: MULTIRUN")
    none = distill(tmp_path / "out", there, "study=mine")
    assert none.returncode == 1 and none.stderr.startswith("Nothing was run: ")
    assert "Traceback" not in none.stderr
    assert not list(tmp_path.rglob("*.json"))


def test_a_sweep_of_the_command_lines_axes_needs_no_grid(tmp_path):
    done = distill(tmp_path, "-m", "dataset.seed=0,1", "until=problems")
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob("runs/single/*/run.json"))) == 2


class Launcher:
    """Makes the first run, fails in the second, leaves others open, and loses its worker."""

    def __init__(self, made, ends):
        self.made, self.ends = made, ends

    def launch(self, runs, initial_job_idx):
        self.made()
        return self.ends(runs)


def killed(runs):
    raise RuntimeError("A worker was killed.\n  It had used too much memory.")


def silent(runs):
    return [JobReturn(overrides=run, status=JobStatus.UNKNOWN) for run in runs]


@pytest.mark.parametrize("ends", [killed, silent, lambda runs: []])
def test_what_became_of_runs_is_read_from_disk_where_a_launcher_lost_its_worker(
    tmp_path, monkeypatch, capsys, ends
):
    monkeypatch.chdir(tmp_path)
    words = [
        ["tracking=none", *FIRST_STAGES, f"corruption.seed={i}", "corruption=shuffle_steps"]
        for i in range(4)
    ]
    studies = Studies()
    kept = [(overrides, studies.one(overrides).config) for overrides in words]
    folders = {}

    def made():
        for i, (overrides, config) in enumerate(kept):
            folders[i] = (
                tmp_path / "runs" / "single" / run_cell(config, " ".join(overrides)).key[:16]
            )
        for i in (1, 2, 3):
            (folders[i] / "run.json").unlink()
        write_failure(folders[1], "second", OSError("disk full"))
        holding.enter_context(locked(folders[2] / LOCK, "makes it", print))

    sweeper = GridSweeper(None, [])
    with ExitStack() as holding:
        sweeper.launcher = Launcher(made, ends)
        outcomes = sweeper._launch(kept)
    assert [outcome.state for outcome in outcomes] == ["done", "failed", NO_RESULT, NO_RESULT]
    assert "disk full" in outcomes[1].why and (folders[1] / FAILED).is_file()
    assert outcomes[2].why == "it is still running"
    last = outcomes[3].why
    assert ("ended with RuntimeError" in last) if ends is killed else ("without a word" in last)
    print_outcomes(outcomes)
    assert NO_RESULT in capsys.readouterr().out


def test_runs_that_are_done_are_not_launched_and_others_are_each_in_its_place(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    studies = Studies()
    words = [["tracking=none", "until=problems", f"dataset.problems={n}"] for n in (2, 3, 4, 5)]
    words = [[*run, "size.traces=1"] for run in words]
    kept = [(overrides, studies.one(overrides).config) for overrides in words]
    for i in (0, 2, 3):
        run_cell(kept[i][1], "before")
    torn = next(tmp_path.glob("artifacts/load_problems/*/problems.jsonl"))
    torn_key = torn.parent.name
    torn.write_text("torn")
    launched = []

    class Launched:
        def launch(self, runs, initial_job_idx):
            launched.extend(runs)
            done = (Outcome(" ".join(run), "k", "done", {}, 0.0) for run in runs)
            return [JobReturn(status=JobStatus.COMPLETED, _return_value=one) for one in done]

    sweeper = GridSweeper(None, [])
    sweeper.launcher = Launched()
    outcomes = sweeper._launch(kept)
    assert [outcome.state for outcome in outcomes].count("done before") == 2
    assert words[1] in launched and len(launched) == 2  # and the one with a torn artifact
    for i, outcome in enumerate(outcomes):
        assert (outcome.state == "done") == (words[i] in launched)
        assert outcome.state == "done" or torn_key not in outcome.key
    assert "2 of 4 runs are there already" in capsys.readouterr().out
