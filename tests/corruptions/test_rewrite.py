"""Thoughts rewritten by a model without their reflections."""

import json
import re
from dataclasses import replace

import pytest

from distill.compute import ComputeConfig
from distill.corruptions.config import CorruptionConfig
from distill.corruptions.corrupt import corrupt_traces
from distill.corruptions.rewrite import CLOSE, OPEN, rewrite_traces
from distill.models.config import Api, AskConfig, EngineConfig
from distill.models.engines import Completion, Refusal
from distill.trace.keywords import count_keywords
from distill.trace.records import Problem, Trace, read_traces, write_records
from tests.server import CHAT, replied, serving

THOUGHT = "\nLet me try 3. It fails.\n\nWait, maybe 4. Let me check: 2+2=4.\n\nSo it is 4.\n"
CALM = "Let me try 4.\n\nSo it is 4."


def asked(**more):
    return AskConfig(name="a", model="m", user="{question}|{thought}|{solution}", **more)


def trace(i, thought=THOUGHT):
    problem = Problem.of(f"q{i}", "4", "math", "test")
    return Trace.of(problem, "QwQ", 0, thought, r"It is \boxed{4}.", correct=True, tokens=9)


def marked(text):
    return f"Here:\n{OPEN}\n\n{text}\n\n{CLOSE}"


@pytest.fixture
def rewrite(says, tmp_path):
    """Rewrite traces by a model that gives these replies, a text or a `Completion` each."""

    def rewrite(traces, replies, most=1.0):
        says(*replies)
        for name in ("selected", "out"):
            (tmp_path / name).mkdir(exist_ok=True)
        write_records(tmp_path / "selected" / "traces.jsonl", traces)
        compute = ComputeConfig(progress=False, max_unusable=most)
        rewrite_traces(
            asked(engine=CHAT), tmp_path / "selected", compute=compute, out=tmp_path / "out"
        )
        made = list(read_traces(tmp_path / "out" / "traces.jsonl"))
        return made, json.loads((tmp_path / "out" / "summary.json").read_text())

    return rewrite


def failed(folder):
    file = folder / "out" / "failed.jsonl"
    return [json.loads(line) for line in file.open()] if file.exists() else []


def test_the_thought_is_replaced_between_its_blanks_and_nothing_else(rewrite, tmp_path):
    (made,), counts = rewrite([trace(1)], [marked(CALM)])
    assert made == Trace(**vars(trace(1)) | {"thought": f"\n{CALM}\n"})
    assert counts["rewritten"] == counts["traces"] == 1
    assert counts["keywords_before"] == count_keywords(THOUGHT) > counts["keywords_after"]
    assert counts["length_ratio"] == len(made.thought) / len(THOUGHT)
    assert failed(tmp_path) == []
    assert not (tmp_path / "out" / "rows.jsonl").exists()


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ("I cannot do that.", "the rewriting lacks its marks"),
        (f"{OPEN} {CALM}", "the rewriting lacks its marks"),
        (marked(" \n"), "the rewriting is empty"),
        (marked(THOUGHT), "the rewriting changes nothing"),
        (marked("Let me try 14."), "the rewriting loses the answer"),
        (Completion([], marked(CALM), "length", 1), "the rewriting was cut off"),
        (Refusal("filtered"), "refused: filtered"),
    ],
)
def test_a_rewriting_that_cannot_be_used_is_named_and_the_trace_damaged_by_rule(
    rewrite, tmp_path, reply, why
):
    made, counts = rewrite([trace(1), trace(2)], [reply, marked(CALM)])
    assert [t.problem.question for t in made] == ["q1", "q2"]
    assert count_keywords(made[0].thought) == 0 < count_keywords(THOUGHT)
    assert "It fails." in made[0].thought and made[0].solution == trace(1).solution
    assert (counts["rewritten"], counts["failed"]) == (1, 1)
    assert failed(tmp_path) == [{"id": trace(1).id, "why": why}]


def test_an_answer_that_the_thought_never_stated_need_not_be_kept(rewrite):
    (made,), counts = rewrite([trace(1, "Wait. Hm, 2+2?")], [marked("2+2?")])
    assert made.thought == "2+2?" and counts["failed"] == 0


@pytest.mark.parametrize(
    ("solution", "answer"),
    [(r"It is \boxed{4}.", "5"), ("The answer is 4.", "5"), ("So much for that.", " 4 ")],
)
def test_the_answer_that_must_be_kept_is_the_solutions_and_without_one_the_problems(
    rewrite, tmp_path, solution, answer
):
    traces = [
        replace(trace(i), solution=solution, problem=replace(trace(i).problem, answer=answer))
        for i in range(2)
    ]
    _, counts = rewrite(traces, [marked("Let me try 5, or 14."), marked("Let me try 4.")])
    assert (counts["rewritten"], counts["failed"]) == (1, 1)
    assert [row["id"] for row in failed(tmp_path)] == [traces[0].id]


def test_a_thought_without_text_is_not_asked_about_and_has_nothing_to_damage(rewrite, tmp_path):
    traces = [trace(1, " \n"), trace(2)]
    made, counts = rewrite(traces, [marked(CALM)])
    assert made[0] == traces[0] and counts["rewritten"] == 1
    summary = damage(tmp_path, 1.0)[1]
    assert (summary["units"], summary["damaged"], summary["untouched_traces"]) == (1, 1, 1)


def test_too_many_that_cannot_be_used_stop_the_run_and_no_reply_is_asked_for_again(rewrite):
    traces, replies = [trace(i) for i in range(3)], ["no", "no", marked(CALM)]
    with pytest.raises(ValueError, match=r"2 of 3 replies.*max_unusable=0\.5.*2 × .* lacks its m"):
        rewrite(traces, replies, most=0.5)
    made, counts = rewrite(traces, [], most=0.7)
    assert len(made) == 3 and counts["failed"] == 2


def damage(folder, fraction, seed=0):
    """(damaged traces by id, summary) of the rewritten traces in `folder`."""
    config = CorruptionConfig(
        "remove_keywords", fraction, seed, mode="traces", unit="reflection", ask=asked(engine=CHAT)
    )
    (folder / "damaged").mkdir(exist_ok=True)
    corrupt_traces(
        config, folder / "selected", folder / "none", folder / "out", out=folder / "damaged"
    )
    made = read_traces(folder / "damaged" / "traces.jsonl")
    return {t.id: t for t in made}, json.loads((folder / "damaged" / "summary.json").read_text())


def test_a_share_of_the_traces_is_taken_rewritten_nested_over_shares(rewrite, tmp_path):
    traces = [trace(i) for i in range(200)]
    rewrite(traces, [marked(f"{CALM} {i}") if i % 9 else "no" for i in range(200)])
    before, last = {t.id: t for t in traces}, set()
    for fraction in (0.2, 0.5, 1.0):
        after, summary = damage(tmp_path, fraction)
        changed = {name for name in before if after[name] != before[name]}
        assert list(after) == list(before) and last <= changed
        assert len(changed) == summary["damaged"]
        assert summary["share"] == summary["damaged"] / 200 == pytest.approx(fraction, abs=0.1)
        last = changed
    assert len(last) == 200


def test_a_real_server_is_asked_about_each_thought_once(monkeypatch, tmp_path):
    monkeypatch.setenv("OPENAI_API_KEY", "k")

    def answer(body, count):
        thought = body["messages"][0]["content"].split("|")[1]
        return replied(body, content=marked(re.sub(r"Wait, (\w)", r"\1", thought)))

    for name in ("selected", "out"):
        (tmp_path / name).mkdir()
    traces = [trace(i, f"{THOUGHT}{i}") for i in range(5)]
    write_records(tmp_path / "selected" / "traces.jsonl", traces)
    with serving(answer, cards=[{"id": "m", "object": "model"}]) as server:
        config = asked(engine=EngineConfig(kind="openai", base_url=server.url, api=Api.chat))
        how = ComputeConfig(progress=False)
        rewrite_traces(config, tmp_path / "selected", compute=how, out=tmp_path / "out")
    made = read_traces(tmp_path / "out" / "traces.jsonl")
    assert [t.thought for t in made] == [t.thought.replace("Wait, ", "") for t in traces]
    assert list(server.asked.values()) == [1] * 5
