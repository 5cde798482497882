"""Chains in `plan`, `status` and `explain`: what is shared, what waits, which keys move."""

import json
import shlex
import subprocess
from io import StringIO

import pytest
from rich.console import Console

from ablations.commands.answers.chain import chains, waits
from ablations.commands.answers.explain import explain, from_plan, from_record
from ablations.commands.answers.plan import plan_table
from ablations.commands.answers.status import status
from ablations.report.provenance import command
from ablations.report.provenance import references as referred
from ablations.studies.chain import own_words
from ablations.studies.plan import plan
from distill.run import references
from distill.run.record import read_record, write_record
from distill.store.artifacts import Store


def printed(answer):
    """What a command prints."""
    console = Console(file=StringIO(), width=300)
    console.print(answer)
    return console.file.getvalue()


@pytest.fixture
def small(tiny_student, tmp_path):
    """(words) -> a command line of a small run."""
    student = f"student.model={tiny_student} dataset.problems=40"
    return lambda *words: " ".join([student, *words])


@pytest.fixture
def three(studies, small, tmp_path):
    """(overrides of the first run, of the third) -> the plan of a chain of three."""

    def planned(first="", third="", until="evaluate"):
        begin = small("size.traces=8", first)
        then = small("size.traces=12", f"'student.after={begin}'")
        places = f"artifacts={tmp_path}/artifacts runs={tmp_path}/runs until={until}"
        words = shlex.split(small("size.traces=16", places, third))
        return plan([studies.one([*words, f"student.after={then}"])])[0]

    return planned


def keys(planned):
    """Step -> key, those of the links by their places."""
    return {step: key for step, (key, _) in from_plan(planned).recipes.items()}


def listed(text):
    """(steps that differ, steps that are shared) of an explanation."""
    rows = [line.split("│") for line in text.splitlines() if line.startswith("│")]
    rows = [[cell.strip() for cell in row] for row in rows if row[1].strip()]
    return [r[1] for r in rows if r[3] != "="], [r[1] for r in rows if r[3] == "="]


FIRST, SECOND = "student.after > student.after", "student.after"


@pytest.mark.parametrize(
    "word", ["corruption=random_digits corruption.fraction=1", "training.seed=3", "dataset.seed=1"]
)
def test_explaining_two_chains_lists_exactly_the_keys_that_moved(three, word):
    a, b = three(), three(word)
    moved = [step for step, key in keys(b).items() if keys(a)[step] != key]
    differ, shared = listed(printed(explain(from_plan(a), from_plan(b))))
    assert differ == moved
    assert shared == [step for step in keys(a) if step not in moved]
    assert moved[-4:] == [
        f"{FIRST}: train",
        f"{SECOND}: train",
        "train",
        "evaluate sign_puzzle",
    ]


def test_the_fields_of_links_are_told_with_their_place(three):
    text = printed(explain(from_plan(three()), from_plan(three("training.seed=3"))))
    assert f"The first stage that differs is {FIRST}: train." in text
    assert f"{FIRST}: training.seed: 0 → 3" in text


def test_a_chain_that_is_spelled_otherwise_is_the_same_run(three):
    a, b = three("training.seed=3 selection.seed=2"), three("selection.seed=2 training.seed=3")
    assert "They are the same run" in printed(explain(from_plan(a), from_plan(b)))


def test_a_part_of_a_mixture_has_no_name_in_an_explanation_of_what_differs(studies, small):
    def mixed(name):
        words = [*shlex.split(small("size.traces=16")), f"+mix.{name}={small('size.traces=8')}"]
        return from_plan(plan([studies.one(words)])[0])

    text = printed(explain(mixed("a"), mixed("b")))
    assert "They are the same run" in text and not listed(text)[0]


def test_a_recorded_chain_is_explained_by_what_its_links_were_made_of(three, tmp_path, studies):
    planned = three()
    config, store = planned.cell.config, Store(tmp_path / "artifacts")
    made, given = references.run(config, store.artifact)
    for artifact in planned.artifacts:
        artifact.path.mkdir(parents=True, exist_ok=True)
        recipe = {"identity": artifact.recipe, "key": artifact.key, "files": {}, "how": {}}
        recipe |= {"seconds": 1.0, "versions": {}}
        (artifact.path / "recipe.json").write_text(json.dumps(recipe))
        (artifact.path / "summary.json").write_text("{}")
    described = references.described(config, given)
    folder = tmp_path / "runs" / "single" / "cell"
    record = write_record(folder, config, planned.cell.label, made, described)
    recorded = from_record(record["cell"][:8], tmp_path / "runs")
    assert recorded.recipes == from_plan(planned).recipes
    other = from_plan(three("training.seed=3"))
    assert listed(printed(explain(recorded, other)))[0][0] == f"{FIRST}: train"

    described["student.after"]["key"] = described["student.after"]["references"]["student.after"][
        "key"
    ] = "0" * 64
    write_record(folder, config, planned.cell.label, made, described)
    recorded = from_record(record["cell"][:8], tmp_path / "runs")
    linked = {step: key for step, (key, _) in recorded.recipes.items() if ": " in step}
    assert linked == {f"{FIRST}: train": "0" * 64, f"{SECOND}: train": "0" * 64}
    differ, shared = listed(printed(explain(recorded, from_plan(planned))))
    assert differ == [f"{FIRST}: train", f"{SECOND}: train"]
    assert not [step for step in shared if ": " in step]
    assert "its recipe is not on this machine" in printed(explain(recorded, other))

    (folder / "run.json").write_text(json.dumps(record | {"format": 4, "references": described}))
    assert read_record(folder / "run.json")["references"]["student.after"]["config"]["mix"] == {}


def test_a_tree_draws_each_link_once_and_says_what_is_shared(studies, small, tmp_path):
    first = small("size.traces=8")
    then = small("size.traces=12", "corruption=random_digits", f"'student.after={first}'")
    cells = studies.cells(
        "single",
        [
            *shlex.split(small("size.traces=16", f"artifacts={tmp_path}", "training.seed=0,1")),
            f'student.after="{first}","{then}"',
        ],
    )
    planned = plan(cells)
    lines = [line.rstrip() for line in printed(chains(planned)[0]).splitlines()]
    assert "all below with student.model=" in lines[0] and "dataset.problems=40" in lines[0]
    drawn = [line for line in lines if "student.after" in line]
    assert [line.rsplit("  ", 1)[1] for line in drawn] == [
        "• to make, shared by 4 runs",
        "• to make, shared by 2 runs",
        "= shared, see above",
        "= shared, see above",
        "= shared, see above",
    ]
    assert "  traces=8  train " in drawn[0]
    assert "traces=12 corruption=random_digits" in drawn[1]
    assert "traces=8" not in drawn[1]
    link = planned[0].referred[0].last.artifact
    link.path.mkdir(parents=True)
    (link.path / "recipe.json").write_text("{}")
    text = printed(plan_table(plan(cells)))
    assert "✓ exists, shared by 4 runs" in text
    assert text.index("stages, in order") < text.index("student.after  ") < text.index("distinct")


def test_a_link_is_placed_by_all_that_lead_to_it(studies):
    words = "teacher=trained teacher.student='training=micro_lora' training.seed=1"
    third = f'student.after="{words}" training.seed=2'
    (planned,) = plan([studies.one([f"student.after={third}"])])
    places = [link.place for link in planned.referred[0].links()]
    assert places == [f"{FIRST} > teacher.student", FIRST, SECOND]


def test_references_are_no_words_of_a_runs_own():
    references = ["student.after=a=1", "+mix.b=a=1", "++selection.problems_of=a=1"]
    own = ["size=2k", "student.name=mix.b", "++teacher=trained", "selection.by=score"]
    assert own_words([*references, *own, "teacher.student=a=1"]) == " ".join(own)


def test_a_plan_without_references_has_no_tree(studies):
    assert chains(plan([studies.one([])])) == []


def test_a_status_names_what_a_run_waits_for_until_it_is_there(three):
    planned = three()
    first, second = (link.last.artifact for link in planned.referred[0].links())
    assert waits(planned) == (
        f"waits for train of {FIRST} ({first.key[:12]}), train of {SECOND} ({second.key[:12]})"
    )
    text, done = status([planned])
    assert not done and "waits for train of student.after > student.after" in printed(text)
    for artifact, waiting in ((first, f"waits for train of {SECOND} ({second.key[:12]})"),
                              (second, "")):  # fmt: skip
        artifact.path.mkdir(parents=True)
        (artifact.path / "recipe.json").write_text("{}")
        assert waits(planned) == waiting
    assert "why not yet" not in printed(status([planned])[0])


def test_what_was_made_of_a_link_that_is_gone_is_not_waited_for(three):
    planned = three()
    second = planned.referred[0].last.artifact
    second.path.mkdir(parents=True)
    (second.path / "recipe.json").write_text("{}")
    assert waits(planned) == ""


def test_the_command_of_a_chain_is_read_by_a_shell_as_the_run_that_it_made(studies, small):
    first = small("size.traces=8", "training.seed=${training.seed}")
    then = small("size.traces=12", f"'student.after={first}'")
    for text in (small("size.traces=8"), first, then):
        words = [*small("size.traces=9", "training.seed=2").split(), f"student.after={text}"]
        (cell,) = studies.cells("single", words)
        shell = ["bash", "-c", f"printf '%s\\n' {command('single', cell.label)}"]
        words = subprocess.check_output(shell, text=True).splitlines()
        assert words[:3] == ["python", "-m", "distill"]
        assert studies.one(words[3:]).config == cell.config


def test_a_report_names_each_run_that_is_referred_to_once(three):
    def record(first):
        config = three(first).cell.config
        given = references.run(config, Store(three().folder).artifact)[1]
        return {"references": references.described(config, given)}

    grid = referred([record(""), record(""), record("training.seed=1"), {}])
    assert [row[0] for row in grid.rows] == [FIRST, SECOND, FIRST, SECOND]
    assert [row[3] for row in grid.rows] == ["2", "2", "1", "1"]
    assert all(row[2].startswith("train ") for row in grid.rows)
    assert referred([{}]) is None
