"""A study as a W&B report and sweep, and read back from a server that answers as W&B's does."""

import gzip
import itertools
import json
import os
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from ablations import __main__
from ablations.findings import arms as findings
from ablations.findings import robust
from ablations.report.blocks import Commands, Panels
from ablations.report.html import Request
from ablations.report.html import report as html_report
from ablations.report.markdown import markdown
from ablations.report.wandb import _panels, report, save, spec, sweep
from ablations.results.runs import runs, samples
from ablations.results.wandb import _record, wandb_runs
from ablations.studies.cells import Studies
from distill.store.identity import CHECKOUT, version

if not version("wandb") or not version("wandb-workspaces"):
    pytest.skip("no wandb or wandb-workspaces", allow_module_level=True)

ARMS = {
    "training=none": [False, False, True, False],
    "corruption=none": [True, True, True, False],
    "corruption=random_digits corruption.fraction=1.0": [True, False, True, False],
    "corruption=shuffle_steps corruption.fraction=1.0": [False, False, True, False],
}
TRACK = """
import json, sys
from pathlib import Path
from distill.run.tracking import track
from ablations.studies.cells import Studies
for path in map(Path, sys.argv[1:]):
    record = json.loads(path.read_text())
    config = Studies().one(["study=smoke", *record["label"].split()]).config
    with track(config, record["cell"], record["label"], path.parent) as tracker:
        tracker.finish(record)
"""


@pytest.fixture
def recorded(make_run, tmp_path) -> list[Path]:
    """`run.json` of four arms, with everything where it says it is."""
    paths = []
    for i, (label, right) in enumerate(ARMS.items()):
        path = make_run(label.split(), right, name=f"{i}a")
        record = json.loads(path.read_text())
        for stage, made in record["stages"].items():
            (tmp_path / stage).mkdir(exist_ok=True)
            (tmp_path / stage / "curve.jsonl").write_text('{"step": 1, "loss": 2.0}\n')
            made["path"] = str(tmp_path / stage)
        for made in record["scores"].values():
            made["path"] = str(tmp_path / made["path"])
        path.write_text(json.dumps(record | {"label": label}))
        paths.append(path)
    return paths


def nodes(paths: list[Path]) -> list[dict[str, Any]]:
    """Runs as W&B's API tells them, from what `distill.run.tracking` wrote of them offline."""
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT), "WANDB_MODE": "offline"}
    subprocess.run([sys.executable, "-c", TRACK, *paths], env=environment, check=True)
    return [_node(path.parent) for path in paths]


def _node(folder: Path) -> dict[str, Any]:
    (file,) = folder.rglob("run-*.wandb")
    wandb = Path(sys.executable).with_name("wandb")
    command = [wandb, "leet", "inspect", "--summary", "--json", file]
    told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    empty = dict.fromkeys(("sweepName", "commit", "description", "notes", "historyKeys"))
    return empty | {
        "projectId": "1",
        "id": folder.name,
        "name": folder.name,
        "displayName": folder.name,
        "tags": [],
        "state": "finished",
        "config": json.dumps({name: {"value": v} for name, v in told["config"].items()}),
        "summaryMetrics": json.dumps(told["summary"]),
        "group": "smoke",
        "jobType": "cell",
        "readOnly": False,
        "createdAt": "2026-01-01T00:00:00",
        "heartbeatAt": "2026-01-01T00:00:00",
        "systemMetrics": "{}",
        "historyLineCount": 1,
        "user": {"name": "u", "username": "u"},
    }


class Server(ThreadingHTTPServer):
    """Answers the GraphQL queries of W&B's client, one run a page; keeps what it was asked."""

    runs: list[dict[str, Any]]
    asked: list[dict[str, Any]]


class Answer(BaseHTTPRequestHandler):
    """One request."""

    server: Server

    def do_POST(self) -> None:
        """GraphQL, or telemetry without a body."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        body = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
        told = json.dumps(
            {"data": self._data(json.loads(body)) if self.path == "/graphql" else {}}
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def log_message(self, *_: object) -> None:
        """Says nothing."""

    def _data(self, asked: dict[str, Any]) -> dict[str, Any]:
        self.server.asked.append(asked)
        query, variables = asked["query"], asked.get("variables") or {}
        if "query Runs" in query:
            at = int(variables["cursor"] or 0)
            more = {"endCursor": str(at + 1), "hasNextPage": at + 1 < len(self.server.runs)}
            page = [{"node": node, "cursor": str(at + 1)} for node in self.server.runs[at : at + 1]]
            found = {"edges": page, "pageInfo": more}
            count = {"runCount": len(self.server.runs), "internalId": "1", "readOnly": False}
            return {"project": count | {"runs": found}}
        if "internalId" in query:
            return {"project": {"internalId": "1"}}
        if "upsertView" in query:
            view = {"id": "VmlldzoxMjM=", "name": "n", "displayName": "d", "type": "runs"}
            view |= {"description": "", "spec": variables["spec"], "updatedAt": None}
            project = {"id": "p", "name": "distill", "entityName": "team"}
            return {"upsertView": {"view": view | {"project": project}, "inserted": True}}
        if "models" in query or "rojects" in query:
            project = {"id": "p", "name": "distill", "entityName": "team", "isBenchmark": False}
            user = {"id": "1", "username": "u", "name": "u", "email": "", "admin": False}
            user |= {"flags": "{}", "entity": "team", "deletedAt": None}
            user |= {"apiKeys": {"edges": []}, "teams": {"edges": []}}
            project |= {"createdAt": "2026-01-01T00:00:00Z", "user": user}
            page = {"endCursor": None, "hasNextPage": False}
            return {"models": {"edges": [{"node": project, "cursor": "1"}], "pageInfo": page}}
        teams = {"edges": []}
        viewer = {"id": "1", "username": "u", "entity": "team", "email": "", "flags": "{}"}
        return {"viewer": viewer | {"teams": teams, "admin": False}}


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    """Stands where W&B would be."""
    import wandb

    with Server(("127.0.0.1", 0), Answer) as serving:
        serving.runs, serving.asked = [], []
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{serving.server_port}")
        monkeypatch.setenv("WANDB_API_KEY", "f" * 40)
        monkeypatch.delenv("WANDB_MODE")
        yield serving
        wandb.teardown()
        serving.shutdown()


def test_a_sweep_read_back_from_w_and_b_is_the_frame_of_its_records(recorded, server):
    server.runs = nodes(recorded)
    ours = runs(recorded[0].parent.parent)
    pd.testing.assert_frame_equal(
        wandb_runs("team/distill").sort_values("cell", ignore_index=True),
        ours.sort_values("cell", ignore_index=True),
        check_dtype=False,
        check_like=True,
    )


def test_the_runs_that_a_run_refers_to_are_read_back_with_it():
    cell = Studies().one(["student.after=size.traces=32 corruption.seed=3"])
    record = cell.record("1" * 64)
    told = {name: json.dumps(record[name]) for name in ("config", "references")}
    summary = {"cell": "1" * 64, "label": cell.label, "format": record["format"]}
    read = _record(summary | told, Path("team/distill/run"))
    assert read["references"] == json.loads(told["references"])
    assert _record(summary | {"config": told["config"]}, Path())["references"] == {}


def test_only_finished_cells_of_the_study_are_asked_for(server):
    assert wandb_runs("team/distill", "demo").empty
    (filters,) = (a["variables"]["filters"] for a in server.asked if "query Runs" in a["query"])
    assert json.loads(filters) == {"jobType": "cell", "state": "finished", "group": "demo"}


def test_a_run_of_another_program_is_an_error_that_names_it(recorded, server):
    server.runs = [_other()]
    with pytest.raises(ValueError, match="team/distill/stray has no cell, label, config"):
        wandb_runs("team/distill")


def _other() -> dict[str, Any]:
    empty = dict.fromkeys(("sweepName", "commit", "description", "notes", "historyKeys", "group"))
    same = {"createdAt": "2026-01-01T00:00:00", "heartbeatAt": "2026-01-01T00:00:00"}
    told = {"config": "{}", "summaryMetrics": "{}", "systemMetrics": "{}", "state": "finished"}
    names = {"projectId": "1", "id": "s", "name": "stray", "displayName": "stray", "tags": []}
    user = {"user": {"name": "u", "username": "u"}, "readOnly": False, "historyLineCount": 0}
    return empty | same | told | names | user | {"jobType": "cell"}


def titles(told: dict[str, Any]) -> list[str]:
    """Those of a report's spec in their order."""
    blocks = told["spec"]["blocks"]
    return [block["children"][0]["text"] for block in blocks if block["type"] == "heading"]


def texts(told: dict[str, Any]) -> dict[str, str]:
    """Title -> what stands below it before the next, of a spec in which no title comes twice."""
    found: dict[str, str] = {}
    for block in told["spec"]["blocks"]:
        if block["type"] == "heading":
            title = block["children"][0]["text"]
            assert title not in found
            found[title] = ""
        elif block["type"] == "markdown-block":
            found[title] += block["content"]
    return found


def rows(text: str, header: str) -> list[list[str]]:
    """The lines of the Markdown table with this column, without their header."""
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    first = next(at for at, line in enumerate(lines) if header in line)
    body = itertools.takewhile(bool, lines[first + 2 :])
    return [[line[0], line[lines[first].index(header)]] for line in body]


@pytest.mark.parametrize("runs", [True, False], ids=["run", "not run"])
def test_the_report_has_the_titles_of_the_page_in_its_order(recorded, runs, tmp_path):
    asked = ["corruption=none,random_digits,shuffle_steps", f"artifacts={tmp_path}/artifacts"]
    asked += [] if runs else [f"runs={tmp_path}/none"]
    folder = recorded[0].parent.parent if runs else None
    page = html_report(Request("smoke", asked, folder))
    pattern = r'<section[^>]* aria-label="([^"]+)"|<h[23]>(.*?)</h[23]>'
    found = [unescape(one or other) for one, other in re.findall(pattern, page)]
    assert titles(json.loads(spec(report(Request("smoke", asked, folder))))) == found
    assert len(found) == (15 if runs else 9)


def test_a_dry_run_prints_the_spec_with_what_the_page_says(recorded, capsys):
    folder = recorded[0].parent.parent
    assert __main__.main(["wandb-report", "smoke", "--runs", str(folder), "--dry-run"]) == 0
    found = texts(json.loads(capsys.readouterr().out))
    claim = robust.sentence(robust.frame(runs(folder), samples(folder)), findings.MARGIN)
    assert "95 % interval [" in claim and "n = 4 problems" in claim
    assert claim in found["The answer"] and claim in found["Dose-response"]
    assert dict(rows(found["Dose-response"], "n: problems, seeds")) == dict.fromkeys(
        ("random digits", "steps shuffled"), "4, 1"
    )
    arms = ("base", "uncorrupted", "random digits 100 %", "steps shuffled 100 %")
    for title in ("Scores", "Truncation, tokens and keywords"):
        assert dict(rows(found[title], "n")) == dict.fromkeys(arms, "4×1×1")
    changes = dict(rows(found["Scores"], "difference to uncorrupted [95 %]"))
    assert changes["steps shuffled 100 %"].startswith("-50.0 [")
    assert dict(rows(found["Power: what the design could detect"], "n"))["base"] == "4×1"
    assert "study=smoke hydra.mode=RUN corruption=none" in found["Runs and their configs"]
    assert "Every arm of the study was run." in found["Failed and missing"]


def test_a_study_without_runs_has_a_report_of_what_is_missing(tmp_path):
    found = texts(json.loads(spec(report(Request("smoke", [f"runs={tmp_path}"])))))
    assert "No run of this study is recorded yet" in found["The answer"]
    asked = found["Failed and missing"].partition("Arms of the study that were not run:")[2]
    assert asked.count("* ") == 1 and "steps shuffled" in asked
    assert found["Plan"].count("python -m distill study=smoke") == 3


def test_a_folder_that_was_named_must_be_there():
    with pytest.raises(FileNotFoundError, match="no folder no/such"):
        report(Request("smoke", (), Path("no/such")))


def test_a_text_with_fences_of_its_own_stays_in_its_fence():
    text = markdown([Commands(["a", "````", "b"])])
    assert text.split("\n") == ["`````", "a", "````", "b", "`````"]


def test_panels_show_the_runs_of_the_study_and_the_benchmark(recorded):
    told = json.loads(spec(report(Request("smoke", (), recorded[0].parent.parent), "team", "lab")))
    grids = [b["metadata"] for b in told["spec"]["blocks"] if b["type"] == "panel-grid"]
    assert (told["entity"], told["project"], len(grids)) == ("team", "lab", 5)
    for grid in grids:
        (runset,) = grid["runSets"]
        assert '"smoke"' in json.dumps(runset["filters"])
    keys = [json.loads(path.read_text())["cell"] for path in recorded]
    named = [sum(key in json.dumps(grid["runSets"]) for key in keys) for grid in grids]
    assert named == [4, 4, 4, 0, 0], "of the section, of the section, and of the whole study"
    assert "sign_puzzle/accuracy" in json.dumps(grids)


@pytest.mark.parametrize("panels", Panels)
def test_every_kind_of_panels_is_drawn(panels, recorded):
    from wandb_workspaces.reports import v2 as wr

    drawn = _panels(panels, runs(recorded[0].parent.parent))
    assert wr.PanelGrid(panels=drawn).panels == drawn != []


def test_a_report_is_sent_as_its_spec_says(recorded, server):
    made = report(Request("smoke", (), recorded[0].parent.parent), "team")
    assert save(made).startswith("http")
    (sent,) = (a["variables"] for a in server.asked if "upsertView" in a["query"])
    assert (sent["entityName"], sent["projectName"]) == ("team", "distill")
    assert "damage to the structure" in sent["spec"]


AFTER = "student.after=corruption.kind='shuffle_steps' training.seed=${training.seed}"


@pytest.mark.parametrize(
    ("study", "overrides"), [("smoke", []), ("single", ["training.seed=0,1", AFTER])]
)
def test_a_w_and_b_agent_runs_every_cell_of_a_study_once(tmp_path, study, overrides):
    from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args

    told = yaml.safe_load(sweep(study, overrides))
    (tmp_path / "python").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (tmp_path / "python").chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    asked = []
    for value in told["parameters"]["cell"]["values"]:
        macros = create_sweep_command_args({"args": {"cell": {"value": value}}})
        macros["env"] = ["/usr/bin/env"]
        command: list[str] = []
        for part in create_sweep_command(list(told["command"])):
            whole = part.startswith("${") and part.endswith("}")
            command += macros[part[2:-1]] if whole else [part]
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        asked.append(done.stdout.split("\n")[:-1])
    head = ["-m", "distill", "hydra.mode=RUN", "tracking.mode=online"]
    cells = [list(cell.overrides) for cell in Studies().cells(study, overrides)]
    assert asked == [[*head, *cell] for cell in cells]


@pytest.mark.parametrize("study", Studies().names()[:-1])
def test_every_study_has_a_sweep_of_its_cells(study):
    told = yaml.safe_load(sweep(study))
    values = told["parameters"]["cell"]["values"]
    assert [shlex.split(value) for value in values] == [
        list(cell.overrides) for cell in Studies().cells(study)
    ]
    assert told["method"] == "grid"
