"""What was recorded is found again by what is planned, and told apart by what decides its speed."""

import json

import pytest

from ablations.prices.demands import demands
from ablations.prices.measured import Measured
from ablations.prices.rates import Rates
from ablations.prices.ways import arm_of, base_of, recorded_way, teacher_of, way
from ablations.studies.plan import plan
from distill.stages import Stage
from distill.store.artifacts import Store

RUNS = {
    "micro": "",
    "adapter": "training=micro_lora compute.processes=2",
    "traces of others": "world=one_gpu",
    "paper": "world=paper verification=judge",
    "rewritten": "world=paper corruption=remove_keywords_reflection compute.processes=2",
    "segmented": "world=paper corruption=delete_steps_model",
    "scored": "world=paper verification=reward",
    "vllm": "world=paper +engine@teacher.engine=vllm compute.tensor_parallel=4 compute.processes=8",
    "untrained": "world=paper training=none",
}


@pytest.mark.parametrize("run", RUNS)
def test_every_stage_of_a_record_is_found_by_the_same_stage_of_a_plan(studies, monkeypatch, run):
    def refuse(self, stage, *identity, **how):
        raise OSError("no hub here")

    monkeypatch.setattr(Store, "artifact", refuse)
    cell = studies.one(RUNS[run].split())
    (planned,) = plan([cell])
    ways = {d.artifact.key: d.way for d in demands([planned], Rates(), Measured())}
    config = json.loads(json.dumps(cell.record(None)["config"]))
    for step in planned.made:
        found = recorded_way(config, step.stage, config["compute"])
        assert found == ways[step.artifact.key]


def test_processes_count_where_a_student_is_trained_and_shards_where_vllm_answers():
    compute = {"processes": 8, "tensor_parallel": 4, "device": "cuda"}
    asked = [(Stage.train, "sft"), (Stage.evaluate, "vllm"), (Stage.evaluate, "transformers")]
    assert [way(stage, "m", engine, compute).gpus for stage, engine in asked] == [8, 4, 1]


def test_a_teacher_is_known_by_its_model_else_by_its_traces():
    named = {"kind": "rows", "model": "m", "path": "p", "hub": "h"}
    assert teacher_of(named) == "m"
    assert teacher_of(named | {"model": None}) == "p"
    assert teacher_of({"kind": "rows", "hub": "h"}) == "h"
    assert teacher_of({"kind": "scripted", "model": None}) == "scripted"


def test_an_untrained_student_is_one_arm_whatever_would_damage_its_traces(studies):
    words = ("training=none", "corruption=random_digits", "corruption.fraction=0.5")
    config = json.loads(json.dumps(studies.one(words).record(None)["config"]))
    assert arm_of(config) == base_of(config["student"]["model"])
