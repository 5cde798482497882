"""A study's cells are what `python -m distill` runs. Run: pytest tests/ablations."""

import pytest

from ablations.studies.cells import SINGLE
from distill.run.compose import build
from distill.store.identity import CHECKOUT

STUDIES = sorted(path.stem for path in (CHECKOUT / "conf" / "study").glob("*.yaml"))


def of_paper(study):
    """Whether its cells are of the paper's world, which Hydra composes slowly."""
    return "/world: paper" in (CHECKOUT / "conf" / "study" / f"{study}.yaml").read_text()


@pytest.mark.parametrize(
    "study",
    [pytest.param(one, marks=[pytest.mark.slow] if of_paper(one) else []) for one in STUDIES],
)
def test_every_cell_is_the_config_that_hydra_composes_from_its_overrides(
    study, studies, hydra_compose
):
    cells = studies.cells(study)
    assert cells
    for cell in cells:
        assert cell.config == build(hydra_compose(*cell.overrides))
        assert cell.config.study.name == study


def test_every_study_in_conf_can_be_named_and_single_too(studies):
    assert studies.names() == [*STUDIES, SINGLE]


def test_a_study_without_a_name_is_its_overrides_alone(studies):
    cells = studies.cells(SINGLE, ["training.seed=0,1"])
    assert [cell.config.training.seed for cell in cells] == [0, 1]
    assert {cell.config.study.name for cell in cells} == {SINGLE}


def test_axes_multiply_the_cells_but_not_those_that_do_not_read_them(studies):
    once, thrice = studies.cells("smoke"), studies.cells("smoke", ["training.seed=0,1,2"])
    trained = sum(cell.config.training.method != "none" for cell in once)
    assert len(thrice) == len(once) - trained + 3 * trained


@pytest.mark.parametrize(
    ("overrides", "count"),
    [
        (["training.name=a,b", "until=train"], 1),
        (["training.name=a,b", "evaluation.name=c,d", "study.hypothesis=e,f"], 1),
        (["compute.threads=1,2", "tracking=none,wandb"], 1),
        (["engine=transformers,vllm", "until=train"], 1),
        (["engine=transformers,vllm"], 2),
        (["training.seed=0,1", "until=corrupt"], 1),
        (["training=none", "corruption.seed=0,1", "dataset.seed=0,1"], 1),
        (["study.name=a,b"], 2),
        (["artifacts=a,b"], 2),
        (["runs=a,b"], 2),
    ],
)
def test_runs_that_differ_in_what_none_of_their_stages_reads_are_one(studies, overrides, count):
    assert len(studies.cells(SINGLE, overrides)) == count


def test_an_untrained_student_is_one_cell_whatever_trains_the_others(studies):
    cells = studies.cells("size", ["size=1k,2k", "selection.seed=0,1"])
    assert [str(cell.config.training.method) for cell in cells] == ["none"] + ["sft"] * 4


def test_a_label_is_that_of_the_run_record(studies):
    assert [cell.label for cell in studies.cells("smoke")][:2] == [
        "training=none",
        "corruption=none",
    ]


def test_an_unknown_study_is_an_error_that_names_the_choices(studies):
    with pytest.raises(ValueError, match=r"unknown study 'tabel2'; known: .*table2.*single"):
        studies.cells("tabel2")


def test_every_bad_value_is_named_before_anything_runs(studies):
    with pytest.raises(ValueError, match=r"(?s)2 bad run.*fraction=1\.5: .*\n.*fraction=2: "):
        studies.cells(SINGLE, ["corruption=shuffle_steps", "corruption.fraction=0.5,1.5,2"])


def test_a_mistake_in_every_cell_is_told_ten_times_and_counted(studies):
    with pytest.raises(ValueError, match="and 15 more") as raised:
        studies.cells(
            SINGLE, ["training.batch=0", f"training.seed={','.join(map(str, range(25)))}"]
        )
    assert len(str(raised.value).splitlines()) == 12


def test_one_run_is_not_several(studies):
    with pytest.raises(ValueError, match="is 2 runs"):
        studies.one(["training.seed=0,1"])
