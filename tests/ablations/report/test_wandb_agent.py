"""`wandb agent` drives a real cell of a generated sweep, and W&B's own reader reads its run.

Run: pytest tests/ablations/report/test_wandb_agent.py
"""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml

from ablations.report.wandb import sweep
from distill.store.identity import CHECKOUT
from distill.trace.records import read_rows
from tests.ablations.report.test_wandb import Answer, Server
from tests.run.test_tracking import records, summary

RUN = "r1"
"""W&B gives the runs of a sweep ids of its own, whatever the program asks for."""


class Sweep(Answer):
    """Answers an agent: which sweep, and one cell of it to run."""

    def _data(self, asked: dict[str, Any]) -> dict[str, Any]:
        query = asked["query"]
        if "query SweepWithRuns" in query:
            return {"project": {"sweep": {"config": self.server.sweep, "runs": {"edges": []}}}}
        if "mutation CreateAgent" in query:
            return {"createAgent": {"agent": {"id": "a"}}}
        if "mutation Heartbeat" in query:
            begun = any("mutation Heartbeat" in before["query"] for before in self.server.asked)
            self.server.asked.append(asked)
            commands = [] if begun else [self.server.command]
            return {"agentHeartbeat": {"agent": {"id": "a"}, "commands": json.dumps(commands)}}
        return super()._data(asked)


@pytest.fixture(scope="module")
def driven(tmp_path_factory, tiny_run) -> Path:
    """A folder in which `wandb agent` ran the cell of correct traces, tracked offline."""
    folder = tmp_path_factory.mktemp("agent")
    fast = [text for text in tiny_run if not text.startswith("tracking")]
    told = sweep("smoke", [*fast, "tracking.mode=offline"])
    cell = yaml.safe_load(told)["parameters"]["cell"]["values"][1]
    with Server(("127.0.0.1", 0), Sweep) as server:
        server.runs, server.asked, server.sweep = [], [], told
        args = {"cell": {"value": cell}}
        server.command = {"type": "run", "run_id": RUN, "program": None, "args": args}
        threading.Thread(target=server.serve_forever, daemon=True).start()
        bin_ = Path(sys.executable).parent
        environment = os.environ | {
            "WANDB_BASE_URL": f"http://127.0.0.1:{server.server_port}",
            "WANDB_API_KEY": "f" * 40,
            "PATH": f"{bin_}:{os.environ['PATH']}",
            "PYTHONPATH": str(CHECKOUT),
            "OMP_NUM_THREADS": "1",
        }
        del environment["WANDB_MODE"]
        command = [bin_ / "wandb", "agent", "--count", "1", "team/distill/sweep1"]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        server.shutdown()
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return folder


@pytest.fixture(scope="module")
def record(driven) -> dict[str, Any]:
    """`run.json` of the only cell."""
    (path,) = driven.glob("runs/smoke/*/run.json")
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def history(driven) -> list[dict[str, Any]]:
    """The rows that W&B's reader finds in the run's own file."""
    return [row["history"]["item"] for row in records(driven, "history")]


def test_the_cell_that_the_agent_was_given_is_run_to_its_end(record):
    assert record["label"].endswith(" corruption=none")
    assert record["config"]["study"]["name"] == "smoke"
    assert record["scores"]["sign_puzzle"]["summary"]["problems"] == 12


def test_w_and_b_reads_config_and_scores_of_the_real_run(driven, record):
    (run,) = (row["run"] for row in records(driven, "run"))
    assert (run["run_id"], run["run_group"]) == (RUN, "smoke")
    told = summary(driven)
    assert told["config"]["size"]["traces"] == record["config"]["size"]["traces"] == 24
    assert told["summary"]["cell"] == record["cell"]
    scored = record["scores"]["sign_puzzle"]["summary"]
    for name in ("accuracy", "problems", "truncated", "tokens"):
        assert told["summary"][f"sign_puzzle/{name}"] == scored[name]


def test_w_and_b_reads_the_whole_training_curve_of_the_real_run(driven, record, history):
    steps = {row["train/step"]: row["train/loss"] for row in history if "train/loss" in row}
    curve = read_rows(driven / record["stages"]["train"]["path"] / "curve.jsonl")
    assert steps == {row["step"]: pytest.approx(row["loss"]) for row in curve}
    assert len(steps) >= 2


def test_the_sample_table_says_how_many_rows_it_holds_of_how_many(history):
    shown = {name.partition(".")[0] for row in history for name in row if "samples/" in name}
    assert shown == {"samples/sign_puzzle, first 12 of 12"}
