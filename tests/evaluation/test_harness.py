"""The verdicts of lm-evaluation-harness on local tasks become our rows."""

import json
from pathlib import Path

import pandas
import pytest

from distill.compute import ComputeConfig
from distill.evaluation.harness import evaluate_with_harness, pins, unusable
from distill.micro import tokenizer
from distill.models.config import EngineConfig, PromptConfig, SamplingConfig, StudentConfig
from distill.models.template import DATE
from distill.store.identity import CHECKOUT, content_hash
from distill.trace.keywords import DEFAULT, count_keywords, list_file
from tests.micro_corpus import PROMPT

pytest.importorskip("lm_eval", reason="the extra `general` is not installed")

ENGINE = EngineConfig(dtype="float32", batch=2)
GREEDY = SamplingConfig()
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
TASK = "a task of the harness"


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


def test_a_task_that_the_harness_does_not_know_is_named_with_where_they_are_listed(
    tiny_student, tmp_path, monkeypatch
):
    def simple_evaluate(**asked):
        raise KeyError(f"Spec '{asked['tasks'][0]}' is not a registered task/group/tag name")

    monkeypatch.setattr("lm_eval.simple_evaluate", simple_evaluate)
    monkeypatch.setattr("lm_eval.tasks.TaskManager", lambda include_path: include_path)
    model = StudentConfig(name="tiny", model=str(tiny_student))
    how = ("mmlv", SamplingConfig(), ENGINE, PROMPT, model, None)
    with pytest.raises(
        ValueError, match="'mmlv' is none that the harness knows; `lm-eval ls tasks"
    ):
        evaluate_with_harness(*how, compute=COMPUTE, out=tmp_path)


@pytest.fixture
def logs(tiny_student, tmp_path, monkeypatch):
    """Logged samples by task -> our rows, the summary, and what the harness was asked for."""

    def logs(
        logged,
        *,
        sampling=None,
        engine=ENGINE,
        prompt=PROMPT,
        compute=COMPUTE,
        adapter=None,
        name=TASK,
    ):
        asked = {}
        monkeypatch.setattr(
            "lm_eval.simple_evaluate", lambda **told: asked.update(told) or {"samples": logged}
        )
        # The harness's own looks through thousands of files.
        monkeypatch.setattr("lm_eval.tasks.TaskManager", lambda include_path: include_path)
        out = tmp_path / "out"
        out.mkdir(exist_ok=True)
        (out / "replies_rank0.db").write_text("of an interrupted evaluation")
        model = StudentConfig(name="tiny", model=str(tiny_student))
        how = (sampling or SamplingConfig(max_new_tokens=8), engine, prompt, model, adapter)
        evaluate_with_harness(name, *how, compute=compute, out=out)
        rows = pandas.read_parquet(out / "samples.parquet")
        assert {path.name for path in out.iterdir()} == {"samples.parquet", "summary.json"}
        return rows, json.loads((out / "summary.json").read_text()), asked

    return logs


def logged(number=0, text="5", **told):
    """A sample as the harness logs it; a text is generated, numbers are of a choice."""
    resps = [[text]] if isinstance(text, str) else [[(one, False)] for one in text]
    said = {"doc_id": number, "doc": {"b": "é", "a": number}, "target": number, "filter": "none"}
    return said | {"resps": resps, "filtered_resps": [text], "metrics": ["exact_match"]} | told


def test_a_logged_sample_is_right_if_its_metric_is_one_and_its_thought_closed(logs):
    prompt = PromptConfig(name="x", thought_open="<think>", thought_close="</think>")
    rows, summary, _ = logs(
        {
            "t": [
                logged(0, "Wait, 5", exact_match=1.0),
                logged(1, "5", exact_match=0.5),
                logged(2, "5", exact_match=0),
                logged(3, "<think> 5", exact_match=1.0),
                logged(4, "5 </think> 5", exact_match=True, filtered_resps=["five"]),
            ]
        },
        prompt=prompt,
    )
    assert rows["correct"].tolist() == [True, False, False, False, True]
    assert rows["thought_closed"].tolist() == [True, True, True, False, True]
    assert rows["truncated"].tolist() == [False, False, False, True, False]
    assert rows["extracted"].tolist() == ["Wait, 5", "5", "5", "<think> 5", "five"]
    assert rows["answer"].tolist() == list("01234") and set(rows["sample"]) == {0}
    assert rows["question"][3] == '{"a": 3, "b": "é"}'
    assert rows["why"][1] == "t: exact_match = 0.5"
    assert rows["boxed"].isna().all() and rows["keywords"][0] == count_keywords("Wait, 5") == 1
    ids = tokenizer.build()("5 </think> 5")["input_ids"]
    assert rows["tokens"][4] == len(ids) > 0
    assert (summary["problems"], summary["accuracy"]) == (5, 0.4)


def test_a_prompt_without_a_mark_of_thoughts_leaves_none_open(logs):
    plain = PromptConfig(name="x", thought_open="", thought_close="")
    rows, _, _ = logs({"t": [logged(0, "a <think> 5", exact_match=1.0)]}, prompt=plain)
    assert rows["thought_closed"].all() and rows["correct"].all()


def test_a_choice_has_no_response(logs):
    rows, summary, _ = logs({"t": [logged(0, (-1.5, -0.5), acc=1.0, metrics=["acc"])]})
    (row,) = rows.to_dict("records")
    assert (row["response"], row["tokens"], row["keywords"]) == ("", 0, 0)
    assert pandas.isna(row["extracted"]) and row["correct"] and row["thought_closed"]
    assert summary["tokens"] == 0


def test_the_lenient_filter_counts_where_there_is_one_and_else_the_first(logs):
    strict, lenient = ({"filter": name} for name in ("strict-match", "flexible-extract"))
    samples = [logged(n, exact_match=0, **strict) for n in (0, 1)]
    samples += [logged(n, exact_match=1, **lenient) for n in (0, 1)]
    rows, _, _ = logs({"t": samples})
    assert rows["correct"].tolist() == [True, True]
    for one, other in ((strict, "zzz"), (strict, "aaa")):
        samples = [logged(0, exact_match=0, **one), logged(0, exact_match=1, filter=other)]
        rows, _, _ = logs({"t": samples})
        assert rows["correct"].tolist() == [False]


def test_the_first_of_several_metrics_that_say_what_is_right_counts(logs):
    rows, _, _ = logs(
        {
            "t": [
                logged(0, exact_match=0, acc=1, prompt_level_strict_acc=1),
                logged(1, acc=0, prompt_level_strict_acc=1),
                logged(2, acc=1, acc_norm=0),
            ]
        }
    )
    assert rows["correct"].tolist() == [False, True, True]
    message = r"t has none of the metrics exact_match, .*, acc; it has bleu, ter"
    with pytest.raises(ValueError, match=message):
        logs({"t": [logged(0, bleu=1, ter=1, metrics=["bleu", "ter"])]})


def test_questions_of_a_group_are_problems_of_their_own_in_the_order_of_its_tasks(logs):
    one = logged(0, exact_match=1)
    rows, summary, _ = logs({"b": [one], "a": [one, one | {"doc_id": 1}, one | {"doc": {}}]})
    assert [why.partition(":")[0] for why in rows["why"]] == ["a", "a", "a", "b"]
    assert rows["problem_id"].nunique() == summary["problems"] == 4


def test_the_harness_is_asked_for_what_the_configs_say(logs, tiny_student, tmp_path):
    sampling = SamplingConfig(
        max_new_tokens=77, temperature=0.5, top_p=0.9, top_k=20, repetition_penalty=1.05, seed=3
    )
    prompt = PromptConfig(name="x", thought_open="<t>\n", thought_close="\n</t>\n\n")
    samples = {"t": [logged(0, exact_match=1)]}
    _, _, asked = logs(samples, sampling=sampling, prompt=prompt, adapter=tmp_path)
    model = asked["model_args"]
    assert (asked["model"], asked["tasks"], asked["batch_size"]) == ("hf", [TASK], 2)
    assert asked["gen_kwargs"] == {
        "max_gen_toks": 77, "do_sample": True, "temperature": 0.5, "top_p": 0.9,
        "top_k": 20, "min_p": 0.0, "repetition_penalty": 1.05,
    }  # fmt: skip
    assert asked["torch_random_seed"] == 3 and asked["log_samples"] is True
    assert asked["bootstrap_iters"] == 0 and asked["apply_chat_template"] is True
    assert asked["device"] in ("cpu", "cuda")
    assert (model["pretrained"], model["revision"]) == (str(tiny_student), "main")
    assert (model["dtype"], model["think_end_token"]) == ("float32", "</t>")
    assert model["peft"] == str(tmp_path / "adapter") and model["attn_implementation"] == "sdpa"
    assert model["chat_template_args"]["strftime_now"]("%Y-%m-%d") == DATE
    assert "tensor_parallel_size" not in model

    _, _, asked = logs(samples)
    assert asked["gen_kwargs"] == {
        "max_gen_toks": 8, "do_sample": False, "repetition_penalty": 1.0,
    }  # fmt: skip
    assert asked["model_args"]["think_end_token"] == PROMPT.thought_close  # it is no tag
    assert "peft" not in asked["model_args"] and asked["task_manager"] is None
    _, _, asked = logs(samples, name=str(task(tmp_path / "t", WRITTEN, [])))
    assert (asked["tasks"], asked["task_manager"]) == (["distill_written"], str(tmp_path / "t"))


def test_vllm_gets_what_it_alone_knows(logs, tmp_path):
    compute = ComputeConfig(threads=1, tensor_parallel=2, memory_share=0.5, progress=False)
    engine = EngineConfig(kind="vllm", context=99)
    sampling = SamplingConfig(temperature=1.0, presence_penalty=0.5, seed=4)
    samples = {"t": [logged(0, exact_match=1)]}
    how = {"sampling": sampling, "compute": compute}
    _, _, asked = logs(samples, engine=engine, adapter=tmp_path, **how)
    model = asked["model_args"]
    assert (asked["model"], asked["batch_size"]) == ("vllm", "auto")
    assert asked["gen_kwargs"]["presence_penalty"] == 0.5
    assert (model["tensor_parallel_size"], model["gpu_memory_utilization"]) == (2, 0.5)
    assert (model["seed"], model["max_model_len"], model["dtype"]) == (4, 99, "bfloat16")
    assert model["lora_local_path"] == str(tmp_path / "adapter")
    assert not {"peft", "attn_implementation"} & set(model)
    _, _, asked = logs(samples, engine=EngineConfig(kind="vllm"), **how)
    assert not {"max_model_len", "lora_local_path"} & set(asked["model_args"])


def test_why_a_task_cannot_be_run_is_told_before_the_harness_is_loaded(tmp_path, monkeypatch):
    for kind in ("transformers", "vllm"):
        assert unusable("mmlu", EngineConfig(kind=kind), GREEDY) == ""
    fresh = SamplingConfig(presence_penalty=1.5)
    assert "no presence_penalty, got 1.5" in unusable("mmlu", ENGINE, fresh)
    assert unusable("mmlu", EngineConfig(kind="vllm"), fresh) == ""
    there, lacking = tmp_path / "t.yaml", str(tmp_path / "no.yml")
    there.write_text("")
    assert unusable(str(there), ENGINE, GREEDY) == ""
    assert f"there is no file '{lacking}'" in unusable(lacking, ENGINE, GREEDY)
    assert "there is no file 'no.yaml'" in unusable("no.yaml", ENGINE, GREEDY)
    monkeypatch.setattr("distill.evaluation.harness.version", lambda name: None)
    assert unusable("mmlu", ENGINE, GREEDY).endswith("pip install lm-eval")
    assert "needs engine" in unusable("mmlu", EngineConfig(kind="openai"), GREEDY)


def test_pins_name_model_date_keywords_and_libraries_and_the_folder_of_a_local_task(
    tiny_student, tmp_path
):
    model = StudentConfig(name="tiny", model=str(tiny_student))
    rest = (SamplingConfig(), ENGINE, PROMPT, model, None)
    found = pins("mmlu", *rest)
    assert found["task"] is None and found["model"] == content_hash(tiny_student)
    assert (found["date"], found["keywords"]) == (DATE, content_hash(list_file(DEFAULT)))
    assert set(found["libraries"]) >= {"lm_eval", "torch", "transformers", "peft", "vllm"}
    path = task(tmp_path / "t", CHOICES, [])
    assert pins(str(path), *rest)["task"] == content_hash(tmp_path / "t")
