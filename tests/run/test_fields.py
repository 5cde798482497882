"""Words that no config knows stop every call before anything runs; every field is described."""

import sys
from pathlib import Path

import pytest

from ablations.__main__ import main as ablations
from ablations.studies import cells
from ablations.studies.cells import Studies
from distill import __main__ as distill
from distill.config import Config
from distill.models.engines import EngineError
from distill.run.fields import describe, refuse_unknown
from distill.run.sweep import expand

FIELDS = {field.name: field for field in describe(Config)}
STRANGE = [
    (["+seed=0"], ["+seed=0", "training.seed"]),
    (["++seed=0"], ["++seed=0", "training.seed"]),
    (["seed=0"], ["no config has seed", "training.seed"]),
    (["training.sed=1"], ["training.sed", "training.seed"]),
    (["+training.seeds=0"], ["training.seeds", "training.seed"]),
    (["+ask=judge"], ["+ask=judge", "corruption.ask"]),
    (["+ask@teacher.converts=judge"], ["teacher.converts", "teacher.convert"]),
    (["+benchmark@evaluation.benchmark.x=gsm8k"], ["evaluation.benchmark.x", "evaluation.bench"]),
    (["+evaluation.benchmarks.sign_puzzle.sample=2"], ["benchmarks.NAME.samples"]),
    (["+teacher.prompt.foo=1"], ["teacher.prompt.foo", "teacher.prompt."]),
    (["training.batch.size=1"], ["training.batch.size", "training.batch"]),
    (["corrupton=none"], ["corrupton", "corruption"]),
]
KNOWN = [
    "+teacher.columns={answer: gold}",
    "+teacher.columns.answer=gold",
    "+teacher.where.split=train",
    "+filter.bounds.olympiads=[1,2]",
    "+ask@teacher.convert=sky_t1_convert",
    "+benchmark@evaluation.benchmarks.NEW=gsm8k",
    "evaluation.benchmarks.sign_puzzle.dataset.problems=3",
    "+evaluation.benchmarks.sign_puzzle.sampling.temperature=1",
    "training.union.0.fraction=0.5",
    "world=paper",
    "study=table2",
    "prompt@teacher.prompt=think",
    "hydra.mode=RUN",
    "+hydra.job.env_set.A=1",
    "~filter.benchmarks.gpqa_diamond",
    "until=train",
]


def call_distill(*words: str) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["distill", *words])
        with pytest.raises(SystemExit) as stopped:
            distill.cli()
    return str(stopped.value)


def test_a_server_that_does_not_answer_is_told_and_anything_else_shows_where_it_was(monkeypatch):
    def stops(error):
        monkeypatch.setattr(distill, "unusable", lambda configs, say: [])
        monkeypatch.setattr(distill, "run_cell", lambda config, label: raise_(error))

    stops(EngineError("http://x has not answered for 600 seconds"))
    told = call_distill("tracking=none")
    assert told == "failed: EngineError: http://x has not answered for 600 seconds"
    stops(KeyError("a mistake of the program"))
    with pytest.raises(KeyError):
        call_distill("tracking=none")


def raise_(error: Exception):
    raise error


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Where a call that does not stop would leave something."""
    monkeypatch.chdir(tmp_path)
    yield
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("overrides", "words"), STRANGE)
@pytest.mark.parametrize("way", [[], ["-m"], ["study=smoke"], ["-m", "study=smoke"]])
def test_a_run_and_a_sweep_stop_at_a_name_that_no_config_has(way, overrides, words):
    message = call_distill(*way, *overrides)
    assert message.startswith("Nothing was run: ") and "no config has" in message
    assert all(word in message for word in words), message


def test_a_swept_name_that_no_config_has_stops_too():
    assert "+seed=0,1,2: no config has seed" in call_distill("-m", "+seed=0,1,2")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of wandb_workspaces
@pytest.mark.parametrize(
    "command",
    [
        ["plan", "smoke"],
        ["status", "smoke"],
        ["table", "smoke"],
        ["report", "smoke"],
        ["show"],
        ["explain", "corruption=none"],
        ["wandb-sweep", "smoke"],
        ["wandb-report", "smoke", "--dry-run"],
    ],
)
def test_every_question_stops_at_a_name_that_no_config_has(command, capsys, tmp_path):
    with_runs = ["--runs", str(Path(__file__).parents[2] / "analysis" / "results" / "table2")]
    needs_runs = command[0] in ("table", "report", "wandb-report")
    assert ablations([*command, "+seed=1", *with_runs * needs_runs]) == 1
    message = capsys.readouterr().err
    assert "+seed=1: no config has seed" in message and "training.seed" in message


def test_a_study_whose_grid_has_a_name_that_no_config_has_is_refused(monkeypatch):
    grids = ["corruption=none", "+seed=0,1"]
    monkeypatch.setattr(cells, "expand", lambda of_the_study, axes: expand(grids, axes))
    with pytest.raises(ValueError, match=r"(?s)2 bad run.*\+seed=0: no config has seed.*\+seed=1"):
        Studies().cells("smoke")


@pytest.mark.parametrize("override", KNOWN)
def test_names_that_lead_to_a_field_are_known(override):
    refuse_unknown([override])


def test_every_field_has_a_type_a_text_and_its_rule():
    assert all(field.text and field.type for field in FIELDS.values())
    batch = FIELDS["training.batch"]
    assert (batch.type, batch.default, batch.rule) == ("int", "96", ">= 1")
    assert batch.text.startswith("Traces per optimizer step")
    assert FIELDS["training.method"].rule == "one of none, sft, lora"
    assert FIELDS["compute.memory_share"].rule == "in (0, 1]"
    assert FIELDS["evaluation.benchmarks.NAME.samples"].rule == ">= 1"
    assert FIELDS["teacher.convert.engine.batch"].rule == ">= 1"
    assert FIELDS["teacher.max_rejected"].text == FIELDS["dataset.max_rejected"].text


def test_help_of_a_group_lists_its_fields_with_type_default_rule_and_meaning(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["distill", "--help", "training"])
    distill.cli()
    lines = capsys.readouterr().out.splitlines()
    assert "training.warmup: float = 0.1, in [0, 1]" in lines
    assert sum(line.startswith("training.") for line in lines) == len(
        [name for name in FIELDS if name.startswith("training.")]
    )
    assert "no config has trainings; nearest: training" in call_distill("--help", "trainings")
