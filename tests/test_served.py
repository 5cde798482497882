"""Limits are looked at whenever an artifact is used, not only when it is made."""

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

from distill import __main__ as program
from distill import pipeline
from distill.compute import ComputeConfig
from distill.config import Config
from distill.data.config import DatasetConfig
from distill.grading.config import GradingConfig
from distill.models.config import AskConfig
from distill.run import record
from distill.store.artifacts import Store
from distill.teachers.config import TeacherConfig, VerificationConfig
from distill.trace.records import Problem, Trace, write_records

ASK = AskConfig(name="a", model="m", user="{thought}")
JUDGE = VerificationConfig(name="v", judge=ASK)
MODEL = TeacherConfig(kind="model", model="m")
FAILED = [{"id": "x", "why": "refused: no"}, {"id": "y", "why": "the reply was cut off"}]

LIMITED: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "rate_problems": ((ASK, "in"), {"problems": 10, "failed": 2}),
    "sample_traces": ((MODEL, "in"), {"traces": 7, "without_thought": 1, "failed": 2}),
    "convert_traces": ((ASK, "in"), {"traces": 9, "failed": 2, "cut_off": 1}),
    "verify_traces": (
        (GradingConfig(name="g"), JUDGE, "in"),
        {"traces": 30, "judged": 6, "undecided": 4, "failed": 2},
    ),
    "rewrite_traces": ((ASK, "in"), {"traces": 10, "failed": 2}),
    "segment_traces": ((ASK, "in"), {"traces": 10, "failed": 2}),
    "evaluate_student": (("in",), {"problems": 5, "samples": 2, "refused": 0.2}),
}
"""Stage -> its inputs, and the summary of an artifact of which 2 of 10 calls failed."""


@pytest.fixture
def made(tmp_path):
    """Folders `in`, with ten traces and their problems, and `out`, as a stage left it."""
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    traces = [Trace.of(Problem.of(f"q{i}", "1", "math", "t"), "t", 0, "a", "b") for i in range(10)]
    write_records(tmp_path / "in" / "traces.jsonl", traces)
    (tmp_path / "out" / "failed.jsonl").write_text("\n".join(map(json.dumps, FAILED)))
    return tmp_path


def served(stage, made, share):
    inputs, summary = LIMITED[stage]
    (made / "out" / "summary.json").write_text(json.dumps(summary))
    module = importlib.import_module(vars(pipeline)[stage].__module__)
    given = [made / one if one == "in" else one for one in inputs]
    module.served(*given, compute=ComputeConfig(max_unusable=share), out=made / "out")


@pytest.mark.parametrize("stage", LIMITED)
def test_an_artifact_is_refused_where_more_failed_than_today_is_allowed(stage, made):
    served(stage, made, 0.2)
    with pytest.raises(ValueError, match=r"2 of 10 .*compute.max_unusable=0.19"):
        served(stage, made, 0.19)


def test_every_stage_with_that_limit_looks_at_it():
    named = {
        name
        for name, stage in vars(pipeline).items()
        if callable(stage) and "compute.max_unusable" in (getattr(stage, "__doc__", "") or "")
    }
    assert named == set(LIMITED)


def test_replies_without_a_thought_are_looked_at_again(made):
    (made / "out" / "failed.jsonl").unlink()
    (made / "in" / "without_thought.jsonl").write_bytes((made / "in" / "traces.jsonl").read_bytes())
    served("verify_traces", made, 0.25)
    with pytest.raises(ValueError, match=r"10 of 40 replies of the teacher hold no thought"):
        served("verify_traces", made, 0.24)


ROWS = [{"problem": f"{i}+1?", "answer": str(i + 1)} for i in range(9)] + [{"problem": "no answer"}]


def test_rejected_rows_are_counted_against_the_limit_of_each_run(tmp_path):
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    store = Store(tmp_path / "artifacts")

    def load(share, make=store.produce):
        path = str(tmp_path / "rows.jsonl")
        more = {"format": "json_lines", "columns": {"question": "problem"}}
        return make(
            pipeline.load_problems, DatasetConfig(path=path, max_rejected=share, name="d", **more)
        )

    with pytest.raises(ValueError, match=r"1 of 10 rows are rejected"):
        load(0.05)
    first = load(0.1)
    assert load(0.5).key == first.key
    for make in (store.produce, store.used):
        with pytest.raises(
            ValueError, match=r"1 of 10 rows are rejected, more than max_rejected=0"
        ):
            load(0.05, make)


def test_a_teachers_rejected_rows_are_looked_at_again(made):
    teacher = TeacherConfig(kind="recorded", path="README.md", max_rejected=0.1)
    (made / "out" / "failed.jsonl").unlink()
    (made / "out" / "rejected.jsonl").write_text(json.dumps({"place": "a:1", "why": "no text"}))
    (made / "out" / "summary.json").write_text(json.dumps({"traces": 9, "rows": 10}))
    module = importlib.import_module(pipeline.sample_traces.__module__)
    told = {"compute": ComputeConfig(), "out": made / "out"}
    module.served(teacher, made / "in", **told)
    teacher.max_rejected = 0.09
    with pytest.raises(ValueError, match=r"1 of 10 rows are rejected.*a:1: no text"):
        module.served(teacher, made / "in", **told)


def test_a_run_that_is_done_is_looked_at_again_and_its_record_stays(tmp_path, monkeypatch):
    config = Config(artifacts=str(tmp_path / "a"), runs=str(tmp_path / "r"))
    config.until = pipeline.Stage.problems
    seen: list[float] = []

    def stage(number: int, *, compute: ComputeConfig, out: Path) -> None:
        (out / "summary.json").write_text('{"share": 1}')

    def look(number: int, *, compute: ComputeConfig, out: Path) -> None:
        seen.append(compute.max_unusable)
        if compute.max_unusable < 0.5:
            raise ValueError("too many")

    monkeypatch.setitem(globals(), "served", look)
    monkeypatch.setitem(globals(), "VERSION", 1)
    monkeypatch.setattr(
        pipeline,
        "run",
        lambda config, make, log, given: [
            pipeline.Made(pipeline.Stage.problems, make(stage, 1, compute=config.compute))
        ],
    )
    config.compute.max_unusable = 0.5
    config.tracking.name = "none"
    assert program.run_cell(config, "").state == "done"
    assert program.run_cell(config, "").state == "done before"
    config.compute.max_unusable = 0.1
    with pytest.raises(ValueError, match="too many"):
        program.run_cell(config, "")
    assert seen == [0.5, 0.5, 0.1]
    (folder,) = (tmp_path / "r").glob("*/*")
    assert (folder / record.RUN).exists() and not (folder / record.FAILED).exists()
