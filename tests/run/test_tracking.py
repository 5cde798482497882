"""W&B offline: a run a cell, its curve and scores in the run's own file, and no secret anywhere."""

import json
import os
import subprocess
import sys
import threading
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
        "references": {"student.after": {"text": "size=1k"}},
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
    assert json.loads(told["references"]) == {"student.after": {"text": "size=1k"}}
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


LOGIN = ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE", "WANDB_BASE_URL")
QUICK = ["dataset.problems=20", "size.traces=5", "until=select", "compute.progress=false"]


def distill(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A short run in a process of its own, whose home is empty and has no login."""
    (folder / "home").mkdir(exist_ok=True)
    without = {name: value for name, value in os.environ.items() if name not in LOGIN}
    places = {"HOME": str(folder / "home"), "PYTHONPATH": str(CHECKOUT)} | environment
    command = [sys.executable, "-m", "distill", *words, *QUICK]
    return subprocess.run(command, cwd=folder, env=without | places, capture_output=True, text=True)


@pytest.mark.parametrize("way", [[], ["-m", "corruption=none,shuffle_steps"]])
def test_case_49_online_without_a_key_is_one_line_before_anything_runs(tmp_path, way):
    done = distill(tmp_path, *way, "tracking.mode=online", NETRC=str(tmp_path / "none"))
    assert done.returncode == 1 and done.stdout == ""
    told = done.stderr.splitlines()
    assert told[0].startswith("Nothing was run: ")
    assert told[-1].endswith("W&B: no key; tracking.mode=offline or wandb login")
    assert len(told) == 1 + bool(way)
    assert not list(tmp_path.rglob("*.json"))


def test_a_key_that_is_none_is_told_before_anything_runs(tmp_path):
    done = distill(tmp_path, "tracking.mode=online", WANDB_API_KEY="short")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "tracking.mode=offline or wandb login" in done.stderr
    assert not list(tmp_path.rglob("run.json"))


def test_a_package_that_cannot_be_imported_costs_a_warning(tmp_path):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "wandb.py").write_text("raise RuntimeError('torn installation')")
    for mode in ("offline", "online"):
        path = f"{tmp_path / 'broken'}:{CHECKOUT}"
        words = [f"tracking.mode={mode}", f"study.name={mode}"]
        done = distill(tmp_path, *words, PYTHONPATH=path)
        assert done.returncode == 0, done.stderr
        assert "W&B: torn installation; the run goes on without it" in done.stderr
        assert len(list(tmp_path.glob(f"runs/{mode}/*/run.json"))) == 1


def test_what_is_no_folder_for_wandb_costs_a_warning(tmp_path):
    done = distill(tmp_path, "tracking=none")
    (record,) = tmp_path.glob("runs/single/*/run.json")
    record.unlink()
    (record.parent / "wandb").write_text("")
    done = distill(tmp_path)
    assert done.returncode == 0 and record.is_file(), done.stderr
    assert "W&B: " in done.stderr and "Traceback" not in done.stderr
    assert not (record.parent / "failed.json").exists()


KILL = """
import os, signal, sys
from pathlib import Path
from distill.config import Config
from distill.run.tracking import track

def ours(pid):
    try:
        text = Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()
        return int(text[1]) == os.getpid() and "wandb" in Path("/proc", pid, "comm").read_text()
    except OSError:
        return False

config = Config()
config.student.name = config.training.name = "micro"
for name in ("killed", "next"):
    with track(config, "ab" * 32, "label", Path(sys.argv[1], name)) as tracker:
        tracker.log({"step": 1, "loss": 2.0})
        if name == "killed":
            found = [int(p) for p in os.listdir("/proc") if p.isdigit() and ours(p)]
            [os.kill(pid, signal.SIGKILL) for pid in found]
            assert found
        for step in range(2, 50):
            tracker.log({"step": step, "loss": 1.0})
        made = {"stages": {}, "scores": {}, "config": {}}
        tracker.finish(made | dict.fromkeys(("format", "cell", "label", "commit"), "x"))
    print(name, "went on", flush=True)
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds the process in /proc")
def test_a_killed_process_of_wandb_costs_a_warning_and_the_next_run_has_a_new_one(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT)}
    command = [sys.executable, "-c", KILL, str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:2] == ["killed went on", "next went on"]
    assert "the run goes on without it" in done.stderr and "Traceback" not in done.stderr
    assert [row["history"] for row in records(tmp_path / "next", "history")]


def test_whatever_wandb_raises_or_however_long_it_takes_to_end_the_run_goes_on(
    tmp_path, monkeypatch, capsys
):
    import wandb

    from distill.run import tracking

    def broken(*words, **how):
        raise OSError("No space left on device")

    released = threading.Event()
    run = SimpleNamespace(define_metric=lambda *_, **__: None, log=broken, summary={})
    run.finish = lambda exit_code: released.wait(60)
    monkeypatch.setattr(wandb, "init", lambda **how: run)
    monkeypatch.setattr(wandb, "teardown", lambda: None)
    monkeypatch.setattr(tracking, "PATIENCE", 0.05)
    config = Config()
    config.student.name = config.training.name = "micro"
    with tracking.track(config, KEY, "label", tmp_path / "cell") as tracker:
        tracker.log({"step": 1, "loss": 1.0})
        tracker.log({"step": 2, "loss": 1.0})
    released.set()
    told = capsys.readouterr().err
    assert told.count("No space left on device") == 1
    assert "no reply within" in told
