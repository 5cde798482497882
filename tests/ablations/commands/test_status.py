"""The state of the runs of a study."""

import json
from io import StringIO

import pytest
from rich.console import Console

from ablations.commands.answers.status import status
from ablations.studies.plan import plan
from distill.run.record import write_failure


@pytest.fixture
def planned(studies, tiny_run, tmp_path):
    """The runs of a tiny study below `tmp_path`, nothing made."""
    places = [f"artifacts={tmp_path}/artifacts", f"runs={tmp_path}/runs"]
    return plan(studies.cells("smoke", [*tiny_run, *places]))


def shown(planned):
    """The status as lines, and whether all is done."""
    text, done = status(planned)
    console = Console(width=250, record=True, file=StringIO())
    console.print(text)
    return console.export_text(), done


def finish(one):
    """Leave what a finished run leaves."""
    for step in one.made:
        step.artifact.path.mkdir(parents=True, exist_ok=True)
        (step.artifact.path / "recipe.json").write_text("{}")
    score = {"accuracy": 0.5, "standard_error": (0.25 / 11) ** 0.5, "problems": 12, "samples": 1}
    one.folder.mkdir(parents=True)
    record = {"label": one.cell.label, "scores": {"sign_puzzle": {"summary": score}}}
    (one.folder / "run.json").write_text(json.dumps(record))


def test_every_state_is_told_and_only_a_study_that_is_all_done_is_done(planned):
    base, correct, damaged = planned
    assert [one.state for one in planned] == ["missing"] * 3
    finish(base)
    write_failure(correct.folder, correct.cell.label, ValueError("no room"))
    damaged.made[-2].artifact.partial.mkdir(parents=True)
    assert [one.state for one in planned] == ["done", "failed", "partial"]
    text, done = shown(planned)
    assert not done
    assert "50.0 % [25.4, 74.6] n=12×1" in text
    assert "ValueError: no room" in text
    assert "1 done, 1 failed, 1 partial" in text


def test_a_study_is_done_when_every_run_is(planned):
    for one in planned:
        finish(one)
    assert shown(planned)[1]


def test_a_record_whose_artifact_is_gone_is_not_done(planned):
    finish(planned[0])
    (planned[0].made[-1].artifact.path / "recipe.json").unlink()
    assert planned[0].state == "missing"


def test_runs_that_left_the_study_are_listed_apart(planned):
    finish(planned[0])
    old = planned[0].folder.with_name("0123456789abcdef")
    planned[0].folder.rename(old)
    text, done = shown(planned)
    assert not done
    assert text.index("does not ask for") < text.index("0123456789abcdef")


def test_a_broken_record_is_an_error_that_names_its_file(planned):
    finish(planned[0])
    (planned[0].folder / "run.json").write_text("{")
    with pytest.raises(ValueError, match=r"run\.json is not JSON"):
        status(planned)
