"""A reference counts as the run that it names: never as its text, and never as nothing."""

import pytest

from ablations.commands.answers.table import tabulate
from ablations.findings.study import Request, read_study
from ablations.results.runs import asked_runs, runs
from ablations.results.settings import SETTINGS, settings
from tests.ablations.conftest import write_run

FIRST = "size.traces=32 corruption=random_digits corruption.fraction=0.5"
MIX, PAIR = "+mix.noisy", "selection.problems_of"
TAUGHT = ["teacher=trained"]


def found(studies, *words, benchmark="sign_puzzle"):
    """`SETTINGS` of the run with these overrides."""
    record = studies.one(words).record(None)
    return settings(record["config"], benchmark, record.get("references", {}))


PLACES = [("student.after", []), ("teacher.student", TAUGHT), (PAIR, []), (MIX, [])]


@pytest.mark.parametrize(("place", "more"), PLACES)
@pytest.mark.parametrize(
    "same",
    [
        "corruption.fraction=0.5 size.traces=32 corruption=random_digits",
        f"{FIRST} training.epochs=3 dataset=sign_puzzle",
        f"{FIRST} training.seed=7 corruption.seed=8",
        f"{FIRST} engine.batch=7 evaluation.sampling.temperature=1",
        f"{FIRST} compute.threads=3",
    ],
)
def test_a_reference_that_is_spelled_otherwise_or_has_other_seeds_is_the_same(
    studies, place, more, same
):
    named = found(studies, *more, f"{place}={FIRST}")
    defaults = studies.one([]).config.training.epochs
    same = same.replace("epochs=3", f"epochs={defaults:g}")
    assert found(studies, *more, f"{place}={same}") == named


@pytest.mark.parametrize(("place", "more"), PLACES)
@pytest.mark.parametrize(
    "word",
    [
        *("corruption.fraction=0.7", "corruption=shuffle_steps", "size.traces=33"),
        *("dataset.seed=3", "training.epochs=5", "selection.seed=3"),
        "student.after=size.traces=16",
    ],
)
def test_what_a_reference_stands_for_is_part_of_the_training_setting_alone(
    studies, place, more, word
):
    named = found(studies, *more, f"{place}={FIRST}")
    other = found(studies, *more, f"{place}={FIRST} '{word}'")
    assert other["training_setting"] != named["training_setting"]
    assert other["evaluation_setting"] == named["evaluation_setting"]


def test_a_reference_within_a_reference_counts_as_its_run_too(studies):
    def within(text):
        return found(studies, f"student.after=size.traces=16 'student.after={text}'")

    assert within(FIRST) == within(f"{FIRST} training.seed=9")
    assert within(FIRST) != within(f"{FIRST} training.epochs=5")


def test_the_base_is_scored_like_every_chain_and_a_chains_own_student_is_no_base(studies):
    base = found(studies, "training=none")
    chain = found(studies, f"student.after={FIRST}")
    assert base["evaluation_setting"] == chain["evaluation_setting"]
    begun = found(studies, "training=none", f"student.after={FIRST}")
    assert begun["training_setting"] is None
    assert begun["evaluation_setting"] != base["evaluation_setting"]
    assert begun == found(studies, "training=none", f"student.after={FIRST} training.seed=2")


def test_parts_of_a_mixture_have_no_order_and_their_names_do_not_count(studies):
    one, two = f"={FIRST}", "=size.traces=16"
    assert (
        found(studies, "+mix.a" + one, "+mix.b" + two)
        == found(studies, "+mix.b" + one, "+mix.c" + two)
        != found(studies, "+mix.a" + one)
    )


@pytest.mark.parametrize("place", ["student.after", "teacher.student", PAIR])
def test_a_reference_that_nothing_resolves_counts_by_its_text(studies, place):
    section, _, field = place.partition(".")
    config = studies.one([]).record(None)["config"]
    texts = [{**config, section: {**config[section], field: text}} for text in ("a", "b", None)]
    trained = {settings(one, "sign_puzzle", {})["training_setting"] for one in texts}
    assert len(trained) == 3


def chain(studies, tmp_path, text, *more, right=(True, False, True, True)):
    """The record of a run after another one, as if it had been made."""
    cell = studies.one(["study=smoke", f"student.after={text}", *more])
    return write_run(tmp_path, cell, list(right), name=f"{abs(hash(cell.label)):x}")


def test_three_seeds_of_a_chain_are_one_arm_and_another_damage_before_is_another_section(
    studies, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for seed in (0, 1, 2):
        chain(studies, tmp_path, FIRST + " training.seed=${training.seed}", f"training.seed={seed}")
    chain(studies, tmp_path, FIRST.replace("0.5", "1.0"))
    write_run(tmp_path, studies.one(["study=smoke", "training=none"]), [True] * 4, name="ba5e")
    made = runs(tmp_path / "runs" / "smoke")
    assert made.groupby("training_setting").size().tolist() in ([1, 3], [3, 1])
    table = read_study(Request("single", (), tmp_path / "runs" / "smoke")).arms
    done = table[(table["state"] == "done") & (table["kind"] != "base")]
    assert sorted(done["runs"]) == [1, 3]
    assert sorted(done["refers"]) == [
        "after micro_sft on 32 traces of scripted, random digits 100 %",
        "after micro_sft on 32 traces of scripted, random digits 50 %",
    ]
    assert len(table[table["kind"] == "base"]) == 2
    text = tabulate("single", "md", folder=tmp_path / "runs" / "smoke")
    assert "**benchmark sign_puzzle, " in text
    for refers in done["refers"]:
        assert f", {refers}**" in text


def test_planned_and_recorded_runs_of_a_chain_have_the_same_settings(studies, tmp_path):
    words = [f"{MIX}={FIRST}", "student.after=size.traces=16 'student.after=size.traces=8'"]
    cell = studies.one(["study=smoke", *words])
    write_run(tmp_path, cell, [True])
    columns = [*SETTINGS, "unprompted_setting", "refers"]
    (asked,) = asked_runs([cell])[columns].to_dict("records")
    (made,) = runs(tmp_path / "runs")[columns].to_dict("records")
    assert asked == made
    assert made["refers"] == (
        "after micro_sft on 16 traces of scripted, uncorrupted "
        "(after micro_sft on 8 traces of scripted, uncorrupted); "
        "mixed with 32 traces of scripted, random digits 50 %"
    )
