"""The verdicts of lm-evaluation-harness on local tasks become our rows."""

import json
from pathlib import Path

import pandas
import pytest

from distill.compute import ComputeConfig
from distill.evaluation.harness import evaluate_with_harness, pins
from distill.models.config import EngineConfig, SamplingConfig, StudentConfig
from distill.store.identity import CHECKOUT
from tests.micro_corpus import PROMPT

pytest.importorskip("lm_eval", reason="the extra `general` is not installed")

ENGINE = EngineConfig(dtype="float32", batch=2)
COMPUTE = ComputeConfig(threads=1, progress=False)
CHOICES = {
    "task": "distill_choices",
    "output_type": "multiple_choice",
    "doc_to_text": "{{question}}",
    "doc_to_choice": "{{choices}}",
    "doc_to_target": "{{answer}}",
    "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
}
WRITTEN = {
    "task": "distill_written",
    "output_type": "generate_until",
    "doc_to_text": "{{question}}",
    "doc_to_target": "{{answer}}",
    "generation_kwargs": {"until": [], "do_sample": False},
    "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
}


def task(folder: Path, definition, docs):
    """A task file of the harness over a local JSON lines file, as one writes it."""
    folder.mkdir(exist_ok=True)
    (folder / "docs.jsonl").write_text("".join(json.dumps(doc) + "\n" for doc in docs))
    source = {
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(folder / "docs.jsonl")}},
        "test_split": "test",
        "metadata": {"version": 1.0},
    }
    path = folder / f"{definition['task']}.yaml"
    path.write_text(json.dumps(definition | source))  # JSON is YAML
    return path


def evaluate(path, student, out, tokens=8):
    out.mkdir()
    sampling = SamplingConfig(max_new_tokens=tokens)
    model = StudentConfig(name="tiny", model=str(student))
    evaluate_with_harness(
        str(path), sampling, ENGINE, PROMPT, model, None, compute=COMPUTE, out=out
    )
    return pandas.read_parquet(out / "samples.parquet"), json.loads(
        (out / "summary.json").read_text()
    )


def test_a_multiple_choice_task_becomes_a_row_a_question(tiny_student, tmp_path):
    docs = [
        {"question": f"{n} + 1 =", "choices": [str(n + 1), str(n)], "answer": n % 2}
        for n in range(4)
    ]
    rows, summary = evaluate(task(tmp_path / "t", CHOICES, docs), tiny_student, tmp_path / "out")
    assert list(rows["answer"].astype(int)) == [0, 1, 0, 1]
    assert rows["problem_id"].nunique() == 4
    assert summary["accuracy"] == rows["correct"].mean()
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {"samples.parquet", "summary.json"}


def test_what_is_generated_is_as_long_as_we_say(tmp_path):
    micro = CHECKOUT / "distill/micro/students/micro"
    docs = [{"question": "1 + 1 =", "answer": "2"}, {"question": "2 + 2 =", "answer": "4"}]
    path = task(tmp_path / "t", WRITTEN, docs)
    short, _ = evaluate(path, micro, tmp_path / "short", tokens=4)
    long, _ = evaluate(path, micro, tmp_path / "long", tokens=40)
    assert short["tokens"].max() <= 6 < long["tokens"].max()
    assert not long["correct"].any()


def test_another_task_file_is_another_identity(tiny_student, tmp_path):
    model = StudentConfig(name="tiny", model=str(tiny_student))
    path = task(tmp_path / "t", CHOICES, [{"question": "q", "choices": ["a", "b"], "answer": 0}])
    before = pins(str(path), SamplingConfig(), ENGINE, PROMPT, model, None)
    (tmp_path / "t" / "docs.jsonl").write_text("{}")
    assert pins(str(path), SamplingConfig(), ENGINE, PROMPT, model, None) != before


def test_an_engine_that_the_harness_cannot_use_is_refused(tiny_student, tmp_path):
    model = StudentConfig(name="tiny", model=str(tiny_student))
    how = ("mmlu", SamplingConfig(), EngineConfig(kind="openai"), PROMPT, model, None)
    with pytest.raises(ValueError, match="transformers or vllm, got 'openai'"):
        evaluate_with_harness(*how, compute=COMPUTE, out=tmp_path)
