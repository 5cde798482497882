"""W&B offline: a run a cell, its curve and scores in the run's own file, and no secret anywhere."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from distill.config import Config, TrackingConfig
from distill.evaluation.scores import write_samples
from distill.store.identity import CHECKOUT

SECRETS = {
    "WANDB_API_KEY": "f" * 40,
    "HF_TOKEN": "hf_" + "s" * 34,
    "OPENAI_API_KEY": "sk-" + "o" * 40,
}
KEY = "ab" * 32
TRACK = """
import json, sys
from pathlib import Path
from distill.config import Config, CorruptionConfig, StudentConfig, StudyConfig, TrainingConfig
from distill.run.tracking import track
folder = Path(sys.argv[1])
record = json.loads((folder / "record.json").read_text())
config = Config(
    student=StudentConfig("micro", "students/micro"),
    training=TrainingConfig("micro_sft"),
    corruption=CorruptionConfig("shuffle_steps", 0.67),
    study=StudyConfig("demo"),
)
with track(config, "ab" * 32, "corruption=shuffle_steps", folder / "cell") as tracker:
    tracker.log({"step": 1, "loss": 2.0})
    tracker.finish(record)
try:
    with track(config, "cd" * 32, "corruption=none", folder / "failed") as tracker:
        raise OSError("stopped")
except OSError:
    pass
"""


def inspected(folder: Path, *options: str) -> str:
    """What W&B's own reader prints of the offline run below a folder."""
    (path,) = folder.rglob("run-*.wandb")
    command = [Path(sys.executable).with_name("wandb"), "leet", "inspect", "--json", *options, path]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout


def summary(folder: Path) -> dict[str, Any]:
    """Everything that it says of the run."""
    return json.loads(inspected(folder, "--summary"))


def records(folder: Path, kind: str) -> list[dict[str, Any]]:
    """The records of one kind, in order."""
    lines = [json.loads(line) for line in inspected(folder).splitlines()]
    return [line for line in lines if line["type"] == kind]


@pytest.fixture(scope="module")
def tracked(tmp_path_factory) -> Path:
    """A cell that went on from a checkpoint and one that failed, with secrets around them."""
    folder = tmp_path_factory.mktemp("tracked")
    for name in ("student", "scored", "home", "tmp"):
        (folder / name).mkdir()
    curve = [{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.0}]
    (folder / "student" / "curve.jsonl").write_text("".join(json.dumps(r) + "\n" for r in curve))
    rows = [
        {"problem_id": f"p{i}", "sample": 0, "response": f"r{i}", "correct": True} for i in (0, 1)
    ]
    write_samples(folder / "scored" / "samples.parquet", rows)
    trained = {"key": "1" * 64, "path": str(folder / "student"), "seconds": 2.5}
    scored = {"key": "2" * 64, "path": str(folder / "scored"), "seconds": 1.0}
    record = {
        "format": 2,
        "cell": KEY,
        "label": "corruption=shuffle_steps",
        "commit": "1234",
        "config": {"size": {"traces": 1000}},
        "stages": {"train": trained | {"summary": {"rows": 60, "ids": ["a"]}}},
        "scores": {"sign_puzzle": scored | {"summary": {"accuracy": 0.75, "problems": 4}}},
    }
    (folder / "record.json").write_text(json.dumps(record))
    run(folder)
    return folder


def run(folder: Path) -> None:
    """Track the two cells in a process of its own, whose home and temporary folder are empty."""
    places = {"HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp")}
    environment = os.environ | SECRETS | places | {"PYTHONPATH": str(CHECKOUT)}
    environment.pop("WANDB_MODE", None)
    command = [sys.executable, "-c", TRACK, str(folder)]
    subprocess.run(command, env=environment, check=True, cwd=folder)


def test_the_curve_is_whole_though_only_its_beginning_was_logged_while_training(tracked):
    rows = [row["history"]["item"] for row in records(tracked / "cell", "history")]
    curve = [(row["train/step"], row["train/loss"]) for row in rows if "train/loss" in row]
    assert curve == [(1, 2.0), (2, 1.0)]


def test_scores_counts_and_seconds_are_the_summary(tracked):
    told = summary(tracked / "cell")["summary"]
    assert told["sign_puzzle/accuracy"] == 0.75
    assert told["stages/train/rows"] == 60
    assert told["seconds/train"] == 2.5
    assert told["seconds/evaluate/sign_puzzle"] == 1
    assert told["cell"] == KEY


def test_the_run_has_the_cells_key_its_study_its_tags_and_its_resolved_config(tracked):
    (told,) = (row["run"] for row in records(tracked / "cell", "run"))
    assert (told["run_id"], told["run_group"], told["job_type"]) == (KEY, "demo", "cell")
    assert told["tags"] == ["micro", "micro_sft", "shuffle_steps"]
    corruption = summary(tracked / "cell")["config"]["corruption"]
    assert corruption["fraction"] == 0.67
    assert corruption["steps"] == "blank_line"  # a default that nobody wrote


def test_responses_are_a_table(tracked):
    (path,) = (tracked / "cell").rglob("*.table.json")
    table = json.loads(path.read_text())
    place = table["columns"].index("response")
    assert [row[place] for row in table["data"]] == ["r0", "r1"]


def test_artifacts_are_references_to_where_they_lie(tracked):
    kept = [row["artifact"] for row in records(tracked / "cell", "artifact")]
    found = {
        entry["ref"] for one in kept for entry in one["manifest"]["contents"] if entry.get("ref")
    }
    files = ("student/curve.jsonl", "scored/samples.parquet")
    assert found == {(tracked / name).as_uri() for name in files}
    assert not list(tracked.rglob("cell/**/samples.parquet"))


def test_a_failed_cell_is_finished_too_and_marked_as_failed(tracked):
    codes = {
        name: records(tracked / name, "exit")[0]["exit"].get("exit_code", 0)
        for name in ("cell", "failed")
    }
    assert codes == {"cell": 0, "failed": 1}


def test_no_secret_reaches_a_file(tracked):
    files = [path for path in tracked.rglob("*") if path.is_file()]
    assert len(files) > 8
    content = b"".join(path.read_bytes() for path in files)
    assert not [name for name, secret in SECRETS.items() if secret.encode() in content]


def test_nothing_is_left_in_the_temporary_folder_or_at_home(tracked):
    assert not list((tracked / "tmp").iterdir())
    assert not [path for path in (tracked / "home").rglob("*") if path.is_file()]
    assert not list(tracked.glob("*/wandb/tmp"))


@pytest.mark.parametrize(("mode", "resume"), [("online", "allow"), ("offline", None)])
def test_a_repeated_cell_continues_the_run_of_its_key(tmp_path, monkeypatch, mode, resume):
    import wandb

    from distill.run.tracking import track

    asked: dict[str, Any] = {}
    run = SimpleNamespace(define_metric=lambda *_, **__: None, finish=lambda exit_code: None)
    monkeypatch.setattr(wandb, "init", lambda **how: asked.update(how) or run)
    config = Config(tracking=TrackingConfig(mode=mode))
    config.student.name = config.training.name = "micro"
    with track(config, KEY, "label", tmp_path / "cell"):
        pass
    assert (asked["id"], asked["mode"], asked["resume"]) == (KEY, mode, resume)


def test_tracking_none_touches_nothing(tmp_path):
    from distill.run.tracking import track

    config = Config(tracking=TrackingConfig(name="none"))
    with track(config, "k", "label", tmp_path / "cell") as tracker:
        tracker.log({"step": 1, "loss": 1.0})
        tracker.finish({"stages": {}, "scores": {}})
    assert not (tmp_path / "cell").exists()
