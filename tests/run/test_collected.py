"""A study goes on where its collected records are, without the artifacts that they are about.

Run: pytest tests/run/test_collected.py
"""

import json
import shutil
from pathlib import Path

import pytest

from ablations.commands.collect import command as collect
from ablations.results.records import launched_in, records
from ablations.studies.cells import Studies
from distill.run.cell import run_cell
from distill.run.outcomes import finished
from distill.run.record import run_folder, study_runs

SCORED = "evaluation.benchmarks.sign_puzzle.dataset.problems=4"
WORDS = ["tracking=none", "training=none", "dataset.problems=8", "size.traces=4", SCORED]
WORDS += ["compute.threads=1", "evaluation.sampling.max_new_tokens=8"]


@pytest.fixture(scope="module")
def studies():
    return Studies()


@pytest.fixture(scope="module")
def made(tmp_path_factory, studies):
    """A folder in which one run was made and collected, and no artifact is left."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run_cell(studies.one(WORDS).config, "one")
        collect("single", out=Path("analysis", "results", "single"))
    shutil.rmtree(folder / "artifacts")
    shutil.rmtree(folder / "runs")
    return folder


@pytest.fixture
def clone(made, tmp_path, monkeypatch):
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def state(studies, *more):
    words = [*WORDS, *more]
    done = finished(words, studies.one(words).config)
    return done.state if done else None


@pytest.mark.parametrize("runs", ["analysis/results", "analysis/results/single"])
def test_a_collected_run_is_done_where_no_artifact_is(studies, clone, runs):
    assert state(studies, f"runs={runs}") == "done before"
    outcome = run_cell(studies.one([*WORDS, f"runs={runs}"]).config, "again")
    assert outcome.state == "done before" and outcome.scores["sign_puzzle"]["problems"] == 4
    assert not Path("artifacts").exists()
    assert state(studies) is None  # there is no record in runs/


def test_a_record_without_its_rows_is_not_enough(studies, clone):
    (rows,) = clone.rglob("sign_puzzle.parquet")
    rows.unlink()
    assert state(studies, "runs=analysis/results") is None


def test_rows_that_are_not_those_of_the_record_are_told(studies, clone):
    (record,) = clone.rglob("run.json")
    told = json.loads(record.read_text())
    told["scores"]["sign_puzzle"]["summary"]["accuracy"] = 0.9
    record.write_text(json.dumps(told))
    config = studies.one([*WORDS, "runs=analysis/results"]).config
    with pytest.raises(ValueError, match=r"sign_puzzle in .*rows are correct, not the recorded"):
        run_cell(config, "again")


def test_another_run_in_the_folder_of_this_one_is_not_this_one(studies, clone):
    (record,) = clone.rglob("run.json")
    told = json.loads(record.read_text()) | {"cell": "0" * 64}
    record.write_text(json.dumps(told))
    assert state(studies, "runs=analysis/results") is None


def test_runs_may_name_the_folder_of_all_studies_or_of_this_one(studies, clone):
    config = studies.one([*WORDS, "runs=analysis/results/single"]).config
    assert run_folder(config, "ab" * 32) == Path("analysis/results/single", "ab" * 8)
    assert study_runs("runs", "single") == Path("runs/single")
    words = [*WORDS, "runs=analysis/results/single", "evaluation.sampling.max_new_tokens=9"]
    key = run_cell(studies.one(words).config, "new").key
    made = {path.parent.name: (path, told) for path, told in records(Path(config.runs))}
    assert len(made) == 2
    assert launched_in(*made[key[:16]]).samefile(clone)


def test_collecting_a_folder_into_itself_adds_the_rows_that_are_missing(studies, clone):
    folder = Path("analysis", "results", "single")
    words = [*WORDS, "runs=analysis/results", "evaluation.sampling.max_new_tokens=9"]
    run_cell(studies.one(words).config, "new")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    collect("single", runs=folder, out=folder)
    after = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert len(after) == len(before) + 1 and before.items() <= after.items()
    shutil.rmtree("artifacts")
    assert finished(words, studies.one(words).config).state == "done before"
