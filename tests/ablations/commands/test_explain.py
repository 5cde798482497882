"""Why two runs differ."""

import json
from io import StringIO

import pytest
from rich.console import Console

from ablations.commands.answers.explain import (
    differences,
    explain,
    from_plan,
    from_record,
    identity,
)
from ablations.studies.plan import plan
from distill import pipeline
from distill.grading import grade
from distill.run.record import write_record
from distill.stages import Stage
from distill.store.artifacts import Store

UNTIL_CORRUPT = (Stage.problems, Stage.traces, Stage.verify, Stage.select, Stage.corrupt)


@pytest.fixture
def planned(studies, tiny_student):
    """(overrides) -> identity of the run as it would be made."""
    student = f"student.model={tiny_student}"
    return lambda *overrides: from_plan(plan([studies.one([student, *overrides])])[0])


def told(a, b):
    """The explanation as text."""
    console = Console(file=StringIO(), width=160)
    console.print(explain(a, b))
    return console.file.getvalue()


def rows(text):
    """Stage -> what differs."""
    cells = [line.split("│") for line in text.splitlines() if line.startswith("│")]
    return {row[1].strip(): row[4].strip() for row in cells}


def test_two_runs_with_other_seeds_differ_where_the_seed_is_first_read(planned):
    text = told(planned(), planned("training.seed=1"))
    assert "The first stage that differs is train." in text
    found = rows(text)
    assert found["train"] == "training.seed: 0 → 1"
    assert found["evaluate sign_puzzle"] == "input trained differs"
    assert {found[stage.value] for stage in UNTIL_CORRUPT} == {"shared"}


def test_a_text_that_is_no_key_is_overrides(planned, tmp_path):
    assert identity("training.seed=2 corruption=none", tmp_path).config["training"]["seed"] == 2


def test_equal_runs_are_one_and_the_same(planned):
    text = told(
        planned("corruption=none"), planned("corruption=shuffle_steps", "corruption.fraction=0")
    )
    assert "They are the same run" in text


def test_a_field_that_decides_nothing_is_still_told(planned):
    text = told(planned(), planned("compute.threads=2"))
    assert "They are the same run" in text
    assert "compute.threads: 0 → 2" in text


def test_a_stage_that_only_one_has_is_told(planned):
    found = rows(told(planned(), planned("training=none")))
    assert found["train"] == "only A has this stage"
    assert found["evaluate sign_puzzle"] == "input trained differs"


def test_a_pin_that_differs_is_told(planned, monkeypatch):
    before, version = planned(), grade.VERSION
    monkeypatch.setattr(grade, "VERSION", 999)
    text = told(before, planned())
    assert "The first stage that differs is verify." in text
    assert f"pins.grading.version: {version} → 999" in text


def test_a_finished_run_is_explained_by_what_it_was_made_of(
    planned, studies, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    cell = studies.one(["dataset.problems=20", "size.traces=5", "until=corrupt"])
    made = pipeline.run(cell.config, Store(tmp_path / "artifacts").produce)
    relative = [s.artifact.path.relative_to(tmp_path) for s in made]
    folder = tmp_path / "runs" / "single" / "cell"
    record = write_record(folder, cell.config, cell.label, made)
    for step, path in zip(made, relative, strict=True):
        record["stages"][step.stage.value]["path"] = path.as_posix()
    (folder / "run.json").write_text(json.dumps(record))
    recorded = from_record(record["cell"][:6], tmp_path / "runs")
    same = from_plan(plan([cell])[0])
    assert recorded.recipes == same.recipes
    assert list(recorded.recipes) == [stage.value for stage in UNTIL_CORRUPT]
    assert "They are the same run" in told(recorded, same)


def test_runs_without_their_artifacts_are_told_apart_by_keys_and_fields(make_run, tmp_path):
    paths = [make_run([f"training.seed={seed}"], [True], f"{seed}a") for seed in (0, 1)]
    for path, key in zip(paths, "12", strict=True):
        record = json.loads(path.read_text())
        record["scores"]["sign_puzzle"]["key"] = record["stages"]["train"]["key"] = key * 64
        for made in record["stages"].values():
            made["path"] = "artifacts/elsewhere"
        path.write_text(json.dumps(record | {"cell": key * 64}))
    text = told(*(from_record(key, tmp_path / "runs") for key in "12"))
    assert identity("1" * 4, tmp_path / "runs") == from_record("1", tmp_path / "runs")
    assert "The first stage that differs is train." in text
    assert rows(text)["corrupt"] == "shared"
    assert "not on this machine" in rows(text)["train"]
    assert "training.seed: 0 → 1" in text


def test_a_key_that_begins_no_run_is_an_error(make_run, tmp_path):
    make_run([], [True])
    with pytest.raises(ValueError, match=r"'ffff' must begin the key of one run .* begins: none"):
        from_record("ffff", tmp_path / "runs")


def test_every_leaf_that_differs_is_named_and_no_other():
    a = {"x": {"y": 1, "z": [1, 2]}, "same": 0, "only_a": 5}
    b = {"x": {"y": 2, "z": [1, 3]}, "same": 0}
    assert {name for name, _, _ in differences(a, b)} == {"x.y", "x.z", "only_a"}
