"""Difficulty as a model rates it."""

import json

import pytest

from distill import pipeline
from distill.compute import ComputeConfig
from distill.data.rate import level, pins, rate_problems
from distill.models.config import AskConfig
from distill.models.engines import Refusal
from distill.run.compose import build
from distill.store.artifacts import Store
from distill.trace.records import Problem, read_problems, write_records
from tests.server import CHAT

PROBLEMS = [Problem.of(f"q{i}", "1", "math", "t/a", difficulty=1.5) for i in range(4)]
RATING = AskConfig(name="r", model="m", user="{question}", engine=CHAT)


@pytest.mark.parametrize(
    ("reply", "given"),
    [
        ("[[7]]", 7.0),
        ("First [[3]], no: [[ 4.5 ]].", 4.5),
        ("[[10]]", 10.0),
        ("[[11]]", None),
        ("[[0]]", None),
        ("[7]", None),
        ("7 of 10", None),
        ("", None),
    ],
)
def test_the_last_level_in_double_brackets_on_the_scale_counts(reply, given):
    assert level(reply) == given


def test_problems_keep_order_and_identity_and_get_the_models_level(tmp_path, says):
    says("[[3]]", "no idea", "[[9.5]]", Refusal("400: no"))
    write_records(tmp_path / "problems.jsonl", PROBLEMS)
    out = tmp_path / "out"
    out.mkdir()
    rate_problems(RATING, tmp_path, compute=ComputeConfig(max_unusable=0.25), out=out)
    made = list(read_problems(out / "problems.jsonl"))
    assert [p.id for p in made] == [p.id for p in PROBLEMS]
    assert [p.difficulty for p in made] == [3.0, None, 9.5, None]
    summary = json.loads((out / "summary.json").read_text())
    counts = {"problems": 4, "unrated": 2, "failed": 1}
    assert summary == counts | {"by_level": {"03": 1, "09": 1}}
    (line,) = (out / "failed.jsonl").read_text().splitlines()
    assert json.loads(line) == {"id": PROBLEMS[3].id, "why": "refused: 400: no"}
    names = sorted(path.name for path in out.iterdir())
    assert names == ["failed.jsonl", "problems.jsonl", "summary.json"]


def test_a_real_model_is_asked_and_a_killed_call_continues(tmp_path, tiny_student, monkeypatch):
    rating = AskConfig(name="r", model=str(tiny_student), user="Problem: {question}")
    rating.sampling.max_new_tokens, rating.engine.batch = 4, 2
    write_records(tmp_path / "problems.jsonl", PROBLEMS)
    how = ComputeConfig(threads=1, progress=False)
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    whole.mkdir()
    torn.mkdir()
    rate_problems(rating, tmp_path, compute=how, out=whole)
    summary = json.loads((whole / "summary.json").read_text())
    assert summary["unrated"] == 4  # it rates nothing, being untrained

    def killed(*args, **more):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("distill.data.rate.write_records", killed)
        with pytest.raises(KeyboardInterrupt):
            rate_problems(rating, tmp_path, compute=how, out=torn)
    assert len((torn / "rows.jsonl").read_text().splitlines()) == 4
    monkeypatch.setattr("distill.models.engines.generate", killed)
    rate_problems(rating, tmp_path, compute=how, out=torn)
    assert (torn / "problems.jsonl").read_bytes() == (whole / "problems.jsonl").read_bytes()
    assert len(pins(rating)["model"]) == 64


@pytest.fixture
def no_hub(monkeypatch):
    """Data sets of the hub have a commit without it."""
    monkeypatch.setattr("distill.data.source.pins", lambda source: {})


def test_rating_and_filter_are_stages_only_where_they_are_asked_for(
    hydra_compose, tmp_path, no_hub
):
    def stages(*overrides):
        config = build(hydra_compose("until=traces", *overrides))
        return [str(step.stage) for step in pipeline.run(config, Store(tmp_path).artifact)]

    assert stages() == ["problems", "traces"]
    assert stages("filter=decontaminated") == ["problems", "filter", "traces"]
    assert stages("filter=paper") == ["problems", "rate", "filter", "traces"]


def test_only_the_filters_own_benchmarks_decide_it(hydra_compose, tmp_path, no_hub):
    def key(*overrides):
        config = build(hydra_compose("until=filter", *overrides))
        return pipeline.run(config, Store(tmp_path).artifact)[-1].artifact.key

    filtered = key("filter=decontaminated")
    assert key("filter=decontaminated", "evaluation=micro_validation") == filtered
    assert key("filter=decontaminated", "~filter.benchmarks.gpqa_diamond") != filtered
    assert key("filter=decontaminated", "filter.benchmarks.math500.dataset.split=x") != filtered
