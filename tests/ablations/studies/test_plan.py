"""What is planned is what is made."""

from io import StringIO

import pytest
from rich.console import Console

from ablations.commands.answers.plan import asked_problems, plan_table
from ablations.studies.plan import UNRESOLVED, labels, plan
from distill import pipeline
from distill.stages import Stage
from distill.store.artifacts import Store
from distill.store.identity import run_key
from tests.ablations.conftest import as_planned

SMALL = ["dataset.problems=20", "size.traces=5", "compute.progress=false"]


@pytest.fixture
def cells(studies, tiny_run, tmp_path):
    """(overrides) -> the cells of a tiny study below `tmp_path`."""
    places = [f"artifacts={tmp_path}/artifacts", f"runs={tmp_path}/runs"]
    return lambda *overrides: studies.cells("smoke", [*tiny_run, *places, *overrides])


def printed(planned):
    """The plan as text."""
    console = Console(width=200, record=True, file=StringIO())
    console.print(plan_table(planned))
    return console.export_text()


def test_planned_keys_are_those_of_the_artifacts_that_are_made(studies, tmp_path):
    overrides = [*SMALL, f"artifacts={tmp_path}", "corruption=shuffle_steps", "until=corrupt"]
    cell = studies.one(overrides)
    planned = plan([cell])[0]
    assert not any(artifact.exists for artifact in planned.artifacts)
    made = pipeline.run(cell.config, Store(tmp_path).produce)
    assert [s.artifact.key for s in made] == [s.artifact.key for s in planned.made]
    assert planned.key == run_key(made)
    assert all(artifact.exists for artifact in planned.artifacts)


def test_planning_makes_nothing(cells, tmp_path):
    printed(plan(cells()))
    assert not list(tmp_path.iterdir())


def test_benchmark_problems_and_arms_of_the_union_are_counted_though_they_are_no_steps(cells):
    union = "training.union=[{kind: insert_steps, fraction: 1.0}]"
    planned = plan(cells(union))
    trained = next(one for one in planned if one.cell.label.endswith("corruption=none"))
    names = [artifact.stage for artifact in trained.artifacts]
    assert names.count("load_problems") == 2
    assert names.count("corrupt_traces") == 2
    optional = {Stage.rate, Stage.filter, Stage.convert, Stage.rewrite, Stage.segment}
    assert [step.stage for step in trained.made] == [s for s in Stage if s not in optional]


def test_the_table_says_what_exists_what_is_shared_and_how_many_are_to_be_made(cells, tmp_path):
    planned = plan(cells())
    Store(tmp_path / "artifacts").produce(pipeline.load_problems, planned[1].cell.config.dataset)
    rows = {row.split()[1]: row for row in printed(planned).splitlines() if row.startswith("│")}
    assert rows["corruption=none"].split("│")[3].split() == ["✓", *"••••••"]
    assert rows["corruption=shuffle_steps"].split("│")[3].split() == ["✓", *"===•••"]
    assert rows["load_problems"].split()[3::2] == ["2", "1", "1"]
    assert rows["train_student"].split()[3::2] == ["2", "0", "2"]


def test_a_model_that_nobody_can_name_leaves_a_plan_with_unresolved_keys(cells, monkeypatch):
    def unreachable(student):
        raise OSError(f"the hub does not give {student.model}")

    monkeypatch.setattr("distill.models.hub.resolve", unreachable)
    planned = plan(cells("training.seed=0,1"))
    assert {one.key for one in planned} == {one.state for one in planned} == {UNRESOLVED}
    text = printed(planned)
    assert text.count("the hub does not give") == 1
    rows = {row.split()[1]: row.split()[3:] for row in text.splitlines() if row.startswith("│")}
    assert rows["train_student"] == ["4", "│", "0", "│", "≤", "4", "│"]
    assert rows["corrupt_traces"] == ["2", "│", "0", "│", "2", "│"]


def test_a_cell_that_has_nothing_to_make_is_named(cells):
    with pytest.raises(ValueError, match=r"training=none.* has no stage corrupt"):
        plan(cells("until=corrupt"))


def test_a_cell_without_an_identity_is_named(cells, monkeypatch):
    def nameless(*identity):
        return {"when": object()}

    monkeypatch.setattr("distill.teachers.verify.pins", nameless)
    with pytest.raises(ValueError, match=r"run .*corruption=none: TypeError: pins\.when"):
        plan(cells())


def test_what_all_cells_share_is_said_once(studies):
    shared, rest = labels(plan(studies.cells("single", ["training.batch=8", "training.seed=0,1"])))
    assert shared == "training.batch=8"
    assert rest == ["seed=0", "seed=1"]


def test_a_plan_says_how_many_problems_are_asked_at_most(studies):
    def said(*words):
        return [text.plain for text in asked_problems(as_planned([studies.one(words)]))]

    assert said() == ["problems, before any filter: 2,400 of sign_puzzle"]
    assert said("world=paper") == ["problems, before any filter: 80,000 of numina_math_80k"]
    assert said("world=paper", "dataset=numina_math") == [
        "problems, before any filter: all of numina_math"
    ]
    assert said("training=none") == []
