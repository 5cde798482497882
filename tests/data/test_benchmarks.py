"""Benchmarks are YAML: they compose, and read real files."""

import json
from collections import Counter

import pytest

from distill.data.problems import load_problems
from distill.grading.grade import GRADERS, grade
from distill.run.compose import build
from distill.store.identity import CHECKOUT
from distill.trace.records import read_problems, read_rows

DATA = CHECKOUT.parent / "shared" / "data" / "benchmarks"
OPTIONS = sorted(path.stem for path in (CHECKOUT / "conf" / "benchmark").glob("*.yaml"))
LOCAL = {
    "math500": ("math500", 500, "math", []),
    "aime24": ("aime24", 30, "math", []),
    "aime25": ("aime25", 30, "math", []),
    "amc23": ("amc23", 40, "math", []),
    "olympiadbench": ("olympiadbench_maths_en_oe", 675, "math", []),
    "humaneval": ("humaneval", 164, "code", ["prompt: question"]),
    "mbpp": ("mbpp", 974, "code", ["text: question"]),
    "countdown": ("countdown", 500, "countdown", []),
    "gsm8k": ("gsm8k_test", 1319, "math", ["answer: solution"]),
}
"""Benchmark -> shared file, its problems, their kind, columns with other names than on the hub."""

SETS = {
    "paper": {"math500", "aime24", "amc23", "olympiadbench", "livecodebench"},
    "paper_math": {"math500", "aime24", "amc23", "olympiadbench"},
    "best_of_128": {"olympiadbench"},
    "r1": {"math500", "aime24", "gpqa_diamond", "livecodebench"},
    "one_gpu": {"gsm8k", "math500"},
} | {name: {name} for name in ("aime25", "gsm8k", "humaneval", "mbpp", "countdown")}


def composed(hydra_compose, option, *more):
    place = f"evaluation.benchmarks.{option}"
    config = build(hydra_compose(f"+benchmark@{place}={option}", *more))
    return config.evaluation.benchmarks[option]


@pytest.mark.parametrize("option", OPTIONS)
def test_a_benchmark_names_its_data_and_a_prompt_that_holds_the_question(hydra_compose, option):
    made = composed(hydra_compose, option)
    assert made.dataset.name == option and made.dataset.hub
    assert made.user is None or "{question}" in made.user


@pytest.mark.parametrize("option", SETS)
def test_an_evaluation_holds_its_benchmarks_and_no_other(hydra_compose, option):
    made = build(hydra_compose("world=paper", f"evaluation={option}")).evaluation
    assert set(made.benchmarks) == SETS[option]
    assert made.sampling.max_new_tokens == 32_768


def test_r1_is_scored_as_it_was_published(hydra_compose):
    made = build(hydra_compose("evaluation=r1")).evaluation
    assert (made.sampling.temperature, made.sampling.top_p) == (0.6, 0.95)
    samples = {name: benchmark.samples for name, benchmark in made.benchmarks.items()}
    assert samples == {"aime24": 64, "math500": 16, "gpqa_diamond": 64, "livecodebench": 8}
    window = made.benchmarks["livecodebench"].dataset.where["contest_date"]
    assert made.benchmarks["livecodebench"].dataset.hub and window


@pytest.mark.parametrize("option", LOCAL)
def test_a_local_copy_takes_its_path_and_no_more_than_its_other_names(
    hydra_compose, tmp_path, option
):
    name, count, kind, columns = LOCAL[option]
    path = DATA / f"{name}.jsonl"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    place = f"evaluation.benchmarks.{option}.dataset"
    more = [f"++{place}.columns={{{pair}}}" for pair in columns]
    made = composed(hydra_compose, option, f"++{place}.path={path}", f"++{place}.split=test", *more)
    assert made.dataset.hub is None
    load_problems(made.dataset, out=tmp_path)
    problems = list(read_problems(tmp_path / "problems.jsonl"))
    assert Counter(p.kind for p in problems) == {kind: count}
    assert kind in GRADERS and not (tmp_path / "rejected.jsonl").exists()
    assert all(p.tests for p in problems) if kind == "code" else all(p.answer for p in problems)
    assert json.loads((tmp_path / "summary.json").read_text())["rows"] == count


@pytest.mark.parametrize("option", ["aime24", "amc23", "countdown", "olympiadbench"])
def test_the_gold_answers_of_a_benchmark_are_right_by_its_grader(hydra_compose, tmp_path, option):
    path = DATA / f"{LOCAL[option][0]}.jsonl"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    made = composed(hydra_compose, option, f"++evaluation.benchmarks.{option}.dataset.path={path}")
    load_problems(made.dataset, out=tmp_path)
    problems = list(read_problems(tmp_path / "problems.jsonl"))[:30]
    verdicts = [grade(p, rf"So \boxed{{{p.answer}}}.").correct for p in problems]
    assert verdicts == [True] * len(problems)


def test_answers_read_are_those_of_the_file(hydra_compose, tmp_path):
    path = DATA / "gsm8k_test.jsonl"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    made = composed(hydra_compose, "gsm8k", f"++evaluation.benchmarks.gsm8k.dataset.path={path}")
    made.dataset.columns = {"answer": "solution"}  # the hub's column: worked out, then `#### 18`
    load_problems(made.dataset, out=tmp_path)
    answers = [p.answer for p in read_problems(tmp_path / "problems.jsonl")]
    assert answers == [row["answer"].replace(",", "") for row in read_rows(path)]


def test_figure_5_takes_the_best_of_128_samples(hydra_compose):
    made = build(hydra_compose("evaluation=best_of_128")).evaluation
    assert (made.sampling.temperature, made.sampling.top_p) == (0.5, 0.8)
    assert made.benchmarks["olympiadbench"].samples == 128


def test_the_papers_world_leaves_out_easy_problems_and_asks_the_question_alone(hydra_compose):
    config = build(hydra_compose("world=paper"))
    assert config.filter.active and config.filter.rating and not config.filter.contamination
    assert {made.user for made in config.evaluation.benchmarks.values()} == {"{question}"}
