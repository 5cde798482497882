"""Students of one GPU are served by vLLM after training on real traces, each with its template.

Models and rows are those of `tests/training/test_published_students.py`. Run:
make test-vllm ARGS="tests/vllm/test_published_students.py"
"""

import os

import pandas
import pytest

from distill import pipeline
from distill.models import hub
from distill.models.engines import vllm
from distill.models.prompt import chat_ids, messages
from distill.run.compose import build
from distill.stages import Stage
from distill.store.artifacts import Store
from distill.trace.records import read_traces
from tests.training.test_published_students import (
    COUNT,
    PUBLISHED,
    opens_a_thought,
    overrides,
    path,
    rows,
    student,
)

__all__ = ["path", "rows", "student"]


@pytest.fixture(autouse=True)
def one_process():
    """The engine runs in this process, and is let go after each student."""
    before = os.environ.copy()
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
    yield
    vllm.free()
    os.environ.clear()
    os.environ.update(before)


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_real_traces_are_verified_trained_on_served_by_vllm_and_graded(
    name, path, student, hydra_compose, tmp_path
):
    words = [*overrides(path, student(name), tmp_path), "training=micro_sft", "engine=vllm"]
    config = build(hydra_compose(*words, "engine.dtype=float32", "engine.context=4096"))
    made = {step.stage: step.artifact for step in pipeline.run(config, Store(tmp_path).produce)}
    summary = made[Stage.train].summary()
    assert summary["rows"] == COUNT and summary["dropped"] == 0
    answers = pandas.read_parquet(made[Stage.evaluate].path / "samples.parquet")
    assert len(answers) == answers["problem_id"].nunique() == COUNT
    assert answers["correct"].notna().all() and answers["tokens"].between(1, 24).all()
    opens_a_thought(name, config, made, answers)
    tokenizer = hub.load_tokenizer(hub.trained_model(config.student, made[Stage.train].path))
    trace = next(read_traces(made[Stage.select].path / "traces.jsonl"))
    asked = tokenizer.decode(chat_ids(tokenizer, messages(config.prompt, trace.problem.question)))
    assert asked.count(trace.problem.question.strip()) == 1
