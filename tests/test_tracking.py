"""W&B offline: a run a cell, its curve and scores in the run's own file, and no secret anywhere."""

import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from distill.config import Config, TrackingConfig
from distill.store import CHECKOUT

TRACK = """
import sys
from pathlib import Path
from distill.config import Config
from distill.tracking import track
folder = Path(sys.argv[1])
record = {
    "stages": {"train": {"path": str(folder / "student"), "seconds": 2.5}},
    "scores": {"sign_puzzle": {"summary": {"accuracy": 0.75, "problems": 4}}},
}
with track(Config(), "ab" * 32, "corruption=none", folder / "cell") as tracker:
    tracker.finish(record)
try:
    with track(Config(), "cd" * 32, "corruption=none", folder / "failed") as tracker:
        raise OSError("stopped")
except OSError:
    pass
"""


def records(path: Path) -> Iterator[bytes]:
    """Records of a `.wandb` file: a LevelDB log of 32 KiB blocks behind a header of 7 bytes."""
    data, at, parts = path.read_bytes(), 7, b""
    while at + 7 <= len(data):
        if 32_768 - at % 32_768 < 7:
            at += 32_768 - at % 32_768
            continue
        length, kind = struct.unpack_from("<HB", data, at + 4)
        parts += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or last part
            yield parts
            parts = b""


def history(folder: Path) -> tuple[list[dict], dict, int | None]:
    """Rows of history, summary and exit code of the only offline run below a folder."""
    from wandb.proto import wandb_internal_pb2

    (path,) = folder.rglob("run-*.wandb")
    rows, summary, code = [], {}, None
    for data in records(path):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        if record.HasField("history"):
            items = {i.key or ".".join(i.nested_key): i.value_json for i in record.history.item}
            rows.append({key: json.loads(value) for key, value in items.items()})
        for item in record.summary.update if record.HasField("summary") else ():
            summary[item.key or ".".join(item.nested_key)] = json.loads(item.value_json)
        if record.HasField("exit"):
            code = record.exit.exit_code
    return rows, summary, code


@pytest.fixture(scope="module")
def tracked(tmp_path_factory) -> Path:
    """A cell with a served student and one that failed, with an API key in the environment."""
    folder = tmp_path_factory.mktemp("tracked")
    (folder / "student").mkdir()
    curve = [{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.0}]
    (folder / "student" / "curve.jsonl").write_text("".join(json.dumps(r) + "\n" for r in curve))
    environment = os.environ | {"WANDB_API_KEY": "f" * 40, "PYTHONPATH": str(CHECKOUT)}
    environment.pop("WANDB_MODE", None)
    subprocess.run(
        [sys.executable, "-c", TRACK, str(folder)], env=environment, check=True, cwd=folder
    )
    return folder


def test_the_curve_of_a_served_student_and_the_scores_are_in_the_offline_run(tracked):
    rows, summary, code = history(tracked / "cell")
    assert [row["train/loss"] for row in rows if "train/loss" in row] == [2.0, 1.0]
    assert summary["sign_puzzle/accuracy"] == 0.75
    assert summary["seconds/train"] == 2.5
    assert code == 0


def test_a_failed_cell_is_finished_too_and_marked_as_failed(tracked):
    assert history(tracked / "failed")[2] == 1


def test_the_run_is_named_by_the_cells_key(tracked):
    (path,) = (tracked / "cell").rglob("run-*.wandb")
    assert "ab" * 8 in path.name


def test_no_secret_reaches_a_file(tracked):
    files = [path for path in tracked.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if b"f" * 40 in path.read_bytes()]


def test_tracking_none_touches_nothing(tmp_path):
    from distill.tracking import track

    config = Config(tracking=TrackingConfig(name="none"))
    with track(config, "k", "label", tmp_path / "cell") as tracker:
        tracker.log({"step": 1, "loss": 1.0})
        tracker.finish({"stages": {}, "scores": {}})
    assert not (tmp_path / "cell").exists()
