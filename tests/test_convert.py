"""Raw traces rewritten by a model into thought and solution. Run: pytest tests/test_convert.py."""

import json

import pytest

from distill import ask, engines
from distill.config import Api, AskConfig, ComputeConfig, EngineConfig
from distill.convert import SECTIONS, convert_traces, pins
from distill.engines import Completion, Refusal
from distill.prompt import response
from distill.store import content_hash
from distill.teacher import WITHOUT_THOUGHT
from distill.trace import Problem, Trace, read_traces, write_records

CHAT = EngineConfig(name="openai", base_url="http://localhost:1/v1", api=Api.chat)
COMPUTE = ComputeConfig(progress=False)
CONVERT = AskConfig(name="c", model="m", user="{question}|{thought}|{solution}", engine=CHAT)


def raw(i, **more):
    problem = Problem.of(f"q{i}", "1", "math", "test")
    return Trace.of(problem, "QwQ", 0, "", f"Well. Wait, no. {i}", tokens=9, **more)


def convert(monkeypatch, folder, traces, replies):
    """Rewrite traces through a model that gives these replies: (text, finish reason)."""

    def generate(engine, model, prompts, seeds, sampling, *, done, compute):
        assert len(prompts) == len(replies)
        for i, (text, reason) in enumerate(replies):
            yield i, Completion([], text, reason, 1)

    monkeypatch.setattr(engines, "generate", generate)
    for name in ("raw", "out"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    write_records(folder / "raw" / "traces.jsonl", traces)
    convert_traces(CONVERT, folder / "raw", compute=COMPUTE, out=folder / "out")
    made = list(read_traces(folder / "out" / "traces.jsonl"))
    return made, json.loads((folder / "out" / "summary.json").read_text())


def test_thought_and_solution_are_replaced_and_nothing_else(monkeypatch, tmp_path):
    text = response(SECTIONS, "Well.\n\nWait, no.", "So \\boxed{1}")
    (made,), counts = convert(monkeypatch, tmp_path, [raw(1)], [(text, "stop")])
    assert (made.thought, made.solution) == ("Well.\n\nWait, no.", "So \\boxed{1}")
    assert (made.id, made.problem, made.tokens) == (raw(1).id, raw(1).problem, 9)
    assert counts["converted"] == counts["traces"] == 1
    assert counts["length_ratio"] == pytest.approx(28 / 17)
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"traces.jsonl", "summary.json"}


def test_rewritings_that_fail_are_left_out_counted_and_named(monkeypatch, tmp_path):
    good = response(SECTIONS, "t", "s")
    replies = [(good, "stop"), (good, "length"), ("I cannot do that.", "stop")]
    replies.append((response(SECTIONS, "t", " "), "stop"))
    made, counts = convert(monkeypatch, tmp_path, [raw(i) for i in range(4)], replies)
    assert [t.problem.question for t in made] == ["q0"]
    assert (counts["converted"], counts["rejected"], counts["cut_off"]) == (1, 3, 0)
    lines = [json.loads(line) for line in (tmp_path / "out" / "rejected.jsonl").open()]
    assert [line["trace"] for line in lines] == [raw(i).id for i in (1, 2, 3)]
    assert [line["why"] for line in lines] == [
        "the rewriting was cut off",
        "the rewriting lacks a section",
        "the rewriting lacks a section",
    ]


def test_a_trace_that_was_cut_off_passes_unasked(monkeypatch, tmp_path):
    cut = raw(1, finish_reason="length")
    text = response(SECTIONS, "t", "s")
    made, counts = convert(monkeypatch, tmp_path, [cut, raw(2)], [(text, "stop")])
    assert made[0] == cut and made[1].thought == "t"
    assert counts["cut_off"] == 1


def test_replies_that_a_teacher_set_aside_for_want_of_a_thought_are_rewritten_too(
    monkeypatch, tmp_path
):
    (tmp_path / "raw").mkdir()
    write_records(tmp_path / "raw" / WITHOUT_THOUGHT, [raw(2)])
    texts = [response(SECTIONS, f"t{i}", "s") for i in (1, 2)]
    made, counts = convert(monkeypatch, tmp_path, [raw(1)], [(text, "stop") for text in texts])
    assert [(t.id, t.thought) for t in made] == [(raw(1).id, "t1"), (raw(2).id, "t2")]
    assert counts["converted"] == 2


def test_a_rewriting_that_a_server_refuses_is_left_out_and_named(monkeypatch, tmp_path):
    replies = [Refusal("400: no"), Completion([], response(SECTIONS, "t", "s"), "stop", 1)]
    monkeypatch.setattr(ask, "ask", lambda *args, **how: replies)
    made, counts = convert(monkeypatch, tmp_path, [raw(1), raw(2)], [])
    assert [t.id for t in made] == [raw(2).id] and counts["rejected"] == 1
    (line,) = (tmp_path / "out" / "rejected.jsonl").open()
    assert json.loads(line) == {"trace": raw(1).id, "why": "refused: 400: no"}


def test_a_model_that_never_rewrites_stops_the_run_with_its_reasons(monkeypatch, tmp_path):
    with pytest.raises(ValueError, match=r"none of 2 traces .* 2 × the rewriting lacks a section"):
        convert(monkeypatch, tmp_path, [raw(1), raw(2)], [("no", "stop"), ("no", "stop")])


def test_made_again_it_is_the_same_bytes(monkeypatch, tmp_path):
    text = response(SECTIONS, "t", "s")
    for name in ("a", "b"):
        convert(monkeypatch, tmp_path / name, [raw(1)], [(text, "stop")])
    assert content_hash(tmp_path / "a" / "out") == content_hash(tmp_path / "b" / "out")


def test_pins_name_model_and_engine():
    assert set(pins(CONVERT)) == {"model", "engine"}
