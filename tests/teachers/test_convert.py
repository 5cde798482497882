"""Raw traces rewritten by a model into thought and solution."""

import json

import pytest

from distill.compute import ComputeConfig
from distill.models.config import AskConfig
from distill.models.engines import Refusal
from distill.models.prompt import response
from distill.store.identity import content_hash
from distill.teachers.convert import SECTIONS, convert_traces, pins
from distill.trace.records import WITHOUT_THOUGHT, Problem, Trace, read_traces, write_records
from tests.server import CHAT

COMPUTE = ComputeConfig(progress=False)
CONVERT = AskConfig(name="c", model="m", user="{question}|{thought}|{solution}", engine=CHAT)


def raw(i, **more):
    problem = Problem.of(f"q{i}", "1", "math", "test")
    return Trace.of(problem, "QwQ", 0, "", f"Well. Wait, no. {i}", tokens=9, **more)


@pytest.fixture
def convert(says):
    """Rewrite traces through a model that gives these replies."""

    def convert(folder, traces, *replies):
        says(*replies)
        for name in ("raw", "out"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        write_records(folder / "raw" / "traces.jsonl", traces)
        convert_traces(CONVERT, folder / "raw", compute=COMPUTE, out=folder / "out")
        made = list(read_traces(folder / "out" / "traces.jsonl"))
        return made, json.loads((folder / "out" / "summary.json").read_text())

    return convert


def test_thought_and_solution_are_replaced_and_nothing_else(convert, tmp_path):
    text = response(SECTIONS, "Well.\n\nWait, no.", "So \\boxed{1}")
    (made,), counts = convert(tmp_path, [raw(1)], text)
    assert (made.thought, made.solution) == ("Well.\n\nWait, no.", "So \\boxed{1}")
    assert (made.id, made.problem, made.tokens) == (raw(1).id, raw(1).problem, 9)
    assert counts["converted"] == counts["traces"] == 1
    assert counts["length_ratio"] == pytest.approx(28 / 17)
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"traces.jsonl", "summary.json"}


def test_rewritings_that_fail_are_dropped_counted_and_named(convert, tmp_path, monkeypatch):
    monkeypatch.setattr(COMPUTE, "max_unusable", 0.8)
    good, lacking = response(SECTIONS, "t", "s"), response(SECTIONS, "t", " ")
    replies = [good, (good, "length"), "I cannot do that.", lacking, Refusal("400: no")]
    made, counts = convert(tmp_path, [raw(i) for i in range(5)], *replies)
    assert [t.problem.question for t in made] == ["q0"]
    assert (counts["converted"], counts["failed"], counts["cut_off"]) == (1, 4, 0)
    lines = [json.loads(line) for line in (tmp_path / "out" / "failed.jsonl").open()]
    assert [line["id"] for line in lines] == [raw(i).id for i in (1, 2, 3, 4)]
    assert [line["why"] for line in lines] == [
        "the rewriting was cut off",
        "the rewriting lacks a section",
        "the rewriting lacks a section",
        "refused: 400: no",
    ]


def test_a_trace_that_was_cut_off_passes_unasked(convert, tmp_path):
    cut = raw(1, finish_reason="length")
    made, counts = convert(tmp_path, [cut, raw(2)], response(SECTIONS, "t", "s"))
    assert made[0] == cut and made[1].thought == "t"
    assert counts["cut_off"] == 1


def test_replies_that_a_teacher_set_aside_for_want_of_a_thought_are_rewritten_too(
    convert, tmp_path
):
    (tmp_path / "raw").mkdir()
    write_records(tmp_path / "raw" / WITHOUT_THOUGHT, [raw(2)])
    texts = [response(SECTIONS, f"t{i}", "s") for i in (1, 2)]
    made, counts = convert(tmp_path, [raw(1)], *texts)
    assert [(t.id, t.thought) for t in made] == [(raw(1).id, "t1"), (raw(2).id, "t2")]
    assert counts["converted"] == 2


def test_rewritings_that_fail_too_often_stop_the_run_with_their_reasons(convert, tmp_path):
    good = response(SECTIONS, "t", "s")
    with pytest.raises(ValueError, match=r"2 of 3 replies .* 2 × the rewriting lacks a section"):
        convert(tmp_path, [raw(1), raw(2), raw(3)], "no", "no", good)


def test_made_again_it_is_the_same_bytes(convert, tmp_path):
    for name in ("a", "b"):
        convert(tmp_path / name, [raw(1)], response(SECTIONS, "t", "s"))
    assert content_hash(tmp_path / "a" / "out") == content_hash(tmp_path / "b" / "out")


def test_pins_name_model_and_engine():
    assert set(pins(CONVERT)) == {"model", "engine"}
