"""What can be known of a run before it starts is known before it starts."""

import json
from dataclasses import replace

import pytest

from ablations.studies.cells import Studies
from distill.run.inputs import unusable
from distill.store import canonical
from tests.run.test_fields import call_distill

QUICK = ["dataset.problems=20", "size.traces=5", "compute.progress=false", "tracking=none"]
TRACES = ["teacher=recorded", "dataset.problems=0", "prompt=think", *QUICK[1:]]


def config(folder, *words: str):
    places = [f"artifacts={folder}/artifacts", f"runs={folder}/runs"]
    return Studies().one([*QUICK, *places, *words]).config


def told(folder, *words: str) -> list[str]:
    return unusable([config(folder, *words)], lambda line: None)


@pytest.fixture
def traces(tmp_path):
    path = tmp_path / "traces.jsonl"
    row = {"question": "1+1?", "answer": "2", "thought": "one and one", "solution": "\\boxed{2}"}
    path.write_text("".join(json.dumps(row | {"question": f"{i}+0?"}) + "\n" for i in range(6)))
    return path


def test_a_run_of_which_nothing_is_wrong_may_start(tmp_path):
    assert told(tmp_path) == []
    assert sorted(p.name for p in (tmp_path / "artifacts").iterdir()) == ["load_problems"]


def test_a_folder_that_cannot_hold_the_rows_is_named_before_a_byte_of_it_is_read(
    tmp_path, monkeypatch
):
    """Of a run, of a sweep and of a plan; what would be hashed might be everything there is."""
    folder = tmp_path / "everything"
    (folder / ".git").mkdir(parents=True)
    for name in ("a.csv", "b.jsonl", ".git/c.parquet"):
        (folder / name).write_text("x")
    monkeypatch.setattr(canonical, "file_hash", lambda path: pytest.fail(f"{path} was read"))
    words = ["dataset=json_lines", f"dataset.path={folder}", *QUICK[2:]]
    why = f"dataset.path={folder}: {folder} has shards of several kinds (1 .csv, 1 .jsonl)"
    assert why in call_distill(*words) and why in call_distill("-m", *words)
    with pytest.raises(ValueError, match="shards of several kinds"):
        Studies().cells("single", words)
    (folder / "a.csv").unlink()
    (folder / "b.jsonl").rename(folder / "b.txt")
    assert "has no file of a kind that is read: JSON lines" in call_distill(*words)


BENCHMARK = "evaluation.benchmarks.aime25.dataset"
MISSING = [
    (["evaluation=aime25", f"{BENCHMARK}.path=/no.jsonl"], f"{BENCHMARK}.path: there is no file"),
    (
        ["dataset=json_lines", "dataset.path=/no.jsonl"],
        "dataset.path: there is no file",
    ),
    (["teacher=recorded", "teacher.path=/no.jsonl"], "teacher.path: there is no file '/no.jsonl'"),
    (["dataset=json_lines", "dataset.path=/dev/null"], "neither a file nor a folder"),
    (
        ["filter=decontaminated", "filter.benchmarks.aime24.dataset.path=/no.jsonl"],
        "filter.benchmarks.aime24.dataset.path: there is no file",
    ),
    (["+benchmark@evaluation.benchmarks.x=gsm8k"], "gsm8k"),
    (["student.model=students/none-such"], "students/none-such"),
    (["student.model=conf"], "student.model=conf is no model: it holds no config.json"),
    (["evaluation=general"], "lm-evaluation-harness"),
    (["engine=vllm"], "engine=vllm needs vLLM, which is not installed: pip install"),
    (["+ask@filter.rating=judge", "+engine@filter.rating.engine=vllm"], "engine=vllm needs vLLM"),
    (["evaluation=general", "engine=openai", "engine.base_url=http://x"], "needs engine"),
    (["training=none", "until=corrupt"], "its only stage is evaluate"),
    (["training=none", "~evaluation.benchmarks.sign_puzzle"], "evaluation.benchmarks is empty"),
]


@pytest.mark.parametrize(("words", "why"), MISSING)
def test_what_is_missing_is_named_before_anything_is_made(tmp_path, monkeypatch, words, why):
    monkeypatch.setattr("distill.evaluation.harness.version", lambda package: None)
    monkeypatch.setattr("distill.models.engines.vllm.find_spec", lambda package: None)
    found = told(tmp_path, *words)
    assert any(why in text for text in found), found
    assert not any("\n" in text for text in found)
    made = {path.name for path in tmp_path.glob("artifacts/*")}
    assert made <= {"load_problems"}


def test_what_a_run_does_not_read_need_not_be_there(tmp_path):
    words = ["dataset=json_lines", "dataset.path=/no.jsonl"]
    assert told(tmp_path, *words, "training=none") == []
    assert told(tmp_path, "evaluation=aime25", f"{BENCHMARK}.path=/no", "until=train") == []
    assert told(tmp_path, "student.model=conf", "until=corrupt") == []


def test_a_benchmark_whose_rows_cannot_be_read_is_named_with_their_places(tmp_path):
    bad = tmp_path / "bad.jsonl"
    bad.write_text("torn {\n")
    (why,) = told(tmp_path, "evaluation=aime25", f"{BENCHMARK}.path={bad}")
    assert why.startswith(f"{BENCHMARK}: ") and "bad.jsonl:1" in why


def test_more_problems_than_a_benchmark_has_are_found_before_training(tmp_path, traces):
    words = ["evaluation=aime25", f"{BENCHMARK}.path={traces}", f"{BENCHMARK}.problems=7"]
    (why,) = told(tmp_path, *words, f"{BENCHMARK}.format=json_lines", f"{BENCHMARK}.kind=rows")
    assert why.startswith(f"{BENCHMARK}: ") and "gives 6" in why


def test_a_recorded_teachers_traces_are_read_before_the_first_run_is_trained(tmp_path, traces):
    whole = [*TRACES, f"teacher.path={traces}"]
    assert told(tmp_path, *whole) == []
    assert list((tmp_path / "artifacts" / "sample_traces").glob("*/traces.jsonl"))


def test_training_in_four_bits_is_refused_before_the_first_run_where_it_cannot_be(
    tmp_path, monkeypatch
):
    words = ["training=micro_lora", "training.quantization=nf4"]
    monkeypatch.setattr("distill.training.config.version", lambda package: None)
    (why,) = told(tmp_path, *words)
    assert "training.quantization=nf4 needs bitsandbytes" in why and "[qlora]" in why
    assert told(tmp_path, *words, "until=corrupt") == []
    monkeypatch.setattr("distill.training.config.version", lambda package: "1")
    (why,) = told(tmp_path, *words, "compute.processes=2")
    assert "compute.processes=2" in why and "one process" in why


def test_a_harness_task_without_a_presence_penalty_is_refused_before_the_first_run(tmp_path):
    task = "evaluation.benchmarks.sign_puzzle"
    (why,) = told(tmp_path, f"{task}.harness=arc", "evaluation.sampling.presence_penalty=1")
    assert why.startswith(f"{task}.harness: ") and "presence_penalty, got 1" in why


def test_a_place_that_cannot_be_written_in_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    made = replace(config(tmp_path), runs=str(tmp_path / "file" / "runs"))
    (why,) = unusable([made], lambda line: None)
    assert why.startswith("runs=") and "no folder that can be written in" in why


def test_a_place_that_cannot_be_made_is_named_with_its_field(tmp_path):
    made = replace(config(tmp_path), artifacts=str(tmp_path / ("a" * 300)))
    (why,) = unusable([made], lambda line: None)
    assert why.startswith("artifacts=") and "cannot be made: File name too long" in why


MODELS = [
    (["teacher=model", "teacher.model=conf"], "teacher.model=conf"),
    (["verification=reward", "verification.reward_model=conf"], "verification.reward_model=conf"),
]


@pytest.mark.parametrize(("words", "named"), MODELS)
def test_a_folder_that_is_no_model_is_named_before_anything_is_asked_of_it(tmp_path, words, named):
    (why,) = told(tmp_path, *words)
    assert why == f"{named} is no model: it holds no config.json"
    served = ["engine=openai", "engine.base_url=http://x", "until=traces"]
    assert "teacher.model" not in named or told(tmp_path, *words, *served) == []


def test_a_mistake_of_many_runs_is_told_once(tmp_path):
    runs = [
        config(tmp_path, "dataset=json_lines", "dataset.path=/no.jsonl", f"training.seed={i}")
        for i in range(3)
    ]
    assert len(unusable(runs, lambda line: None)) == 1


def test_case_39_a_missing_benchmark_stops_a_run_and_a_sweep_before_the_first_stage(tmp_path):
    places = [f"artifacts={tmp_path}/a", f"runs={tmp_path}/r"]
    words = [*QUICK, *places, "evaluation=aime25", f"{BENCHMARK}.path=/nowhere/nope.jsonl"]
    for way in ([], ["-m", "corruption=none,shuffle_steps"]):
        why = call_distill(*way, *words)
        assert why.startswith("Nothing was run: ")
        assert "there is no file '/nowhere/nope.jsonl'" in why
    assert not (tmp_path / "a").exists()
