"""The arms that expectations speak of are looked up before anything runs."""

import subprocess
import sys

import pytest

from ablations.studies.cells import Studies
from distill.expectations import parse
from distill.run.expectations import is_meant
from distill.store.identity import CHECKOUT


@pytest.fixture(scope="module")
def cells():
    """(study, expectations, overrides) -> its runs."""
    studies = Studies()

    def make(study, *expect, more=()):
        texts = ",".join(f'"{text}"' for text in expect)
        return studies.cells(study, [f"study.expect=[{texts}]", *more])

    return make


def meant(text, found):
    """The runs that the left side of an expectation means."""
    ((term, _), _) = parse(text).terms
    return [cell.label.partition("] ")[2] for cell in found if is_meant(term, cell.config)]


def test_a_corruption_goes_by_the_name_of_its_yaml_and_its_rate(cells):
    found = cells("confounders")
    assert meant("insert_steps_add@0.67 < base", found) == [
        "corruption=insert_steps_add corruption.fraction=0.67"
    ]
    assert meant("uncorrupted > base", found) == ["corruption=none"]
    assert meant("insert_steps_add@0.33 < base", found) == []


def test_a_group_is_every_arm_that_damages_it_at_its_rate(cells):
    found = cells("table2")
    assert len(meant("structure@0.67 < base", found)) == 3
    assert meant("content@0.7 < base", found) == [
        "corruption=random_digits corruption.fraction=0.7"
    ]
    at_all = meant("structure < base", found)
    assert len(at_all) == 10 and "corruption=none" in at_all


def test_fields_choose_among_runs(cells):
    found = cells("sft_vs_lora")
    assert meant("uncorrupted[method=lora] > base", found) == [
        "training=micro_lora corruption=none"
    ]
    assert meant("base < uncorrupted[training=micro_sft]", found) == ["training=none"]
    assert meant("uncorrupted[size=1001] > base", found) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("shufle_steps@0.67 < base", ["shufle_steps@0.67", "shuffle_steps@0.67", "uncorrupted"]),
        ("shuffle_steps@0.5 < base", ["shuffle_steps@0.5 must be an arm", "random_digits@0.67"]),
        ("uncorrupted[method=dpo] > base", ["method: sft, lora"]),
        ("uncorrupted[size=7] > base", ["size: 1000"]),
        ("structure@0.5 < base", ["structure@0.5 must be an arm"]),
    ],
)
def test_an_arm_that_the_study_does_not_run_is_refused_with_those_that_there_are(
    cells, text, words
):
    with pytest.raises(ValueError, match=r"study\.expect") as caught:
        cells("sft_vs_lora", "uncorrupted > base", text)
    assert all(word in str(caught.value) for word in (repr(text), *words))
    assert "uncorrupted > base" not in str(caught.value).partition("there are")[0]


def test_the_command_line_may_leave_arms_out(cells):
    text = "shuffle_steps@0.67 < random_digits@0.67"
    assert len(cells("sft_vs_lora", text, more=["corruption=none"])) == 3
    with pytest.raises(ValueError, match=r"delete_steps@0\.67"):
        cells("sft_vs_lora", "delete_steps@0.67 < base", more=["corruption=none"])


def test_an_arm_that_the_command_line_adds_is_there(cells):
    more = ["corruption=delete_steps", "corruption.fraction=0.5"]
    assert cells("sft_vs_lora", "delete_steps@0.5 < base", more=more)


def test_runs_that_are_not_scored_are_no_arms(cells):
    with pytest.raises(ValueError, match="that the study runs and scores; there are: none"):
        cells("real_traces", "structure < content")


def test_two_corruptions_of_one_name_and_rate_are_not_one_arm(cells):
    more = ["corruption=delete_steps", "corruption.mode=random,prefix", "corruption.fraction=0.5"]
    with pytest.raises(ValueError, match="2 corruptions of the study have this name and rate"):
        cells("single", "delete_steps@0.5 < structure@0.5", more=more)
    seeds = ["corruption=delete_steps,none", "corruption.fraction=0.5", "corruption.seed=0,1"]
    assert cells("single", "delete_steps@0.5 < uncorrupted", more=seeds)


def test_the_lines_of_a_group_begin_at_uncorrupted_traces(cells):
    more = ["corruption=delete_steps,random_digits", "corruption.fraction=0.5"]
    with pytest.raises(ValueError, match="structure is measured from uncorrupted traces"):
        cells("single", "structure < content", more=more)
    assert cells("single", "structure@0.5 < content@0.5", more=more)


def test_a_sweep_does_not_start_with_an_expectation_of_an_arm_that_it_does_not_run(tmp_path):
    command = [sys.executable, "-m", "distill", "study=smoke", "tracking=none"]
    command += [f"runs={tmp_path}/runs", f"artifacts={tmp_path}/artifacts"]
    command += ['study.expect=["delete_steps@1.0 < uncorrupted"]']
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "Nothing was run" in done.stderr and "delete_steps@1" in done.stderr
    assert "shuffle_steps@1" in done.stderr
    assert not list(tmp_path.rglob("*.json"))


def test_grids_that_the_command_line_replaces_leave_arms_out_as_well():
    grids = 'hydra.sweeper.grids=["corruption=shuffle_steps corruption.fraction=1.0"]'
    expect = 'study.expect=["uncorrupted > base"]'
    cells = Studies().cells("smoke", [expect, grids])
    assert [cell.config.corruption.kind for cell in cells] == ["shuffle_steps"]
