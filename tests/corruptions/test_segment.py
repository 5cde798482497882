"""Where a model says that steps begin."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ablations.show.trace import show
from distill import pipeline
from distill.compute import ComputeConfig
from distill.corruptions.config import CorruptionConfig
from distill.corruptions.operators import Borrow
from distill.corruptions.operators.insert_steps import insert_steps
from distill.corruptions.segment import read_starts, segment_traces, sentences
from distill.models.config import AskConfig, EngineConfig, SamplingConfig
from distill.models.engines import Completion, Refusal
from distill.run.compose import build
from distill.stages import Stage
from distill.store.artifacts import Store
from distill.trace.records import Problem, Trace, digest, read_traces, write_records
from distill.trace.steps import join, split
from tests.server import CHAT, replied, serving

THOUGHT = "\nI try 3. It fails.\n\nWait, 4? Yes.\nSo it is 4. But e.g. five is not.\n"


def trace(i, thought=THOUGHT):
    problem = Problem.of(f"q{i}", "4", "math", "test")
    return Trace.of(problem, "t", 0, thought, "4", correct=True)


@pytest.fixture
def segment(says, tmp_path):
    """Thoughts, replies -> steps of each as this model has them, summary, what it was asked."""

    def segment(thoughts, replies):
        asked = says(*replies)
        for name in ("selected", "out"):
            (tmp_path / name).mkdir(exist_ok=True)
        traces = [trace(i, thought) for i, thought in enumerate(thoughts)]
        write_records(tmp_path / "selected" / "traces.jsonl", traces)
        config = AskConfig(name="a", model="m", user="{question}\n{thought}", engine=CHAT)
        how = ComputeConfig(progress=False, max_unusable=1.0)
        segment_traces(config, tmp_path / "selected", compute=how, out=tmp_path / "out")
        starts = read_starts(tmp_path / "out")
        summary = json.loads((tmp_path / "out" / "summary.json").read_text())
        shown = [prompt[-1]["content"] for _, prompt, _ in asked]
        return [split(thought, "model", starts).steps for thought in thoughts], summary, shown

    return segment


@settings(deadline=None)
@given(
    thought=st.one_of(
        st.text(),
        st.lists(st.sampled_from(["A. ", "b", "\n", "\r\n", " ", "? ", ".", "é!) "])).map("".join),
    ),
    data=st.data(),
)
def test_joining_steps_at_any_of_the_sentences_gives_the_same_text(thought, data):
    begins = sentences(thought)
    assert begins == sorted(set(begins)) and all(0 <= place <= len(thought) for place in begins)
    starts = data.draw(st.lists(st.sampled_from(begins), unique=True).map(sorted))
    parts = split(thought, "model", {digest(thought): starts})
    assert join(parts) == thought
    assert len(parts.steps) <= len(starts) + 1
    assert all(step.strip() for step in parts.steps)


def test_the_model_is_shown_numbered_sentences_and_steps_begin_at_its_numbers(segment):
    (steps,), summary, (asked,) = segment([THOUGHT], ["First [[2]], rather:\n[[3, 6]]"])
    assert asked == (
        "q0\n[1] I try 3.\n[2] It fails.\n[3] Wait, 4?\n[4] Yes.\n[5] So it is 4.\n"
        "[6] But e.g. five is not."
    )
    assert steps == ("I try 3. It fails.", "Wait, 4? Yes.\nSo it is 4.", "But e.g. five is not.")
    assert summary == {"traces": 1, "steps": 3, "failed": 0}


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ("1, 3", "the reply gives no numbers"),
        ("[[]]", "the reply gives no numbers"),
        ("[[1, 5, 3]]", "the reply's numbers do not ascend"),
        ("[[1, 3, 3]]", "the reply's numbers do not ascend"),
        ("[[1, 7]]", "the reply numbers other sentences"),
        ("[[0, 3]]", "the reply numbers other sentences"),
        (Completion([], "[[1, 3]]", "length", 1), "the reply was cut off"),
        (Refusal("too long"), "refused: too long"),
    ],
)
def test_a_reply_that_cannot_be_used_is_named_and_steps_are_those_of_the_rule(
    segment, tmp_path, reply, why
):
    (by_rule, by_model), summary, _ = segment([THOUGHT, "A. B."], [reply, "[[1, 2]]"])
    assert by_rule == split(THOUGHT, "reflection").steps and by_model == ("A.", "B.")
    assert summary == {"traces": 2, "steps": 2 + len(by_rule), "failed": 1}
    (row,) = (json.loads(line) for line in (tmp_path / "out" / "failed.jsonl").open())
    assert row == {"id": trace(0).id, "why": why}


def test_a_thought_without_text_is_not_asked_about_and_has_no_steps(segment):
    steps, summary, asked = segment([" \n", THOUGHT], ["[[1]]"])
    assert steps == [(), (THOUGHT.strip(),)]
    assert len(asked) == 1 and summary["traces"] == 2


def test_steps_of_a_model_are_never_guessed():
    with pytest.raises(ValueError, match="unknown step rule 'model'"):
        split(THOUGHT, "model")
    with pytest.raises(KeyError):
        split(THOUGHT, "model", {})


def test_steps_are_borrowed_as_the_model_found_them():
    traces = [trace(0, "A. B. C."), trace(1, "D. E. F.")]
    starts = {digest("A. B. C."): [0, 3], digest("D. E. F."): [0, 6]}
    config = CorruptionConfig("insert_steps", 1.0, steps="model", ask=AskConfig(name="a"))
    first, second = insert_steps(traces, config, Borrow(traces, starts=starts))
    assert set(split(first.trace.thought, "blank_line").steps[0].split(" ")) <= {"D.", "E.", "F."}
    assert first.units == first.damaged == second.damaged == 2


def test_a_model_that_never_answers_stops_the_run_with_its_reasons(tiny_student, tmp_path):
    (tmp_path / "out").mkdir()
    write_records(tmp_path / "traces.jsonl", [trace(i, f"{THOUGHT}{i}") for i in range(3)])
    config = AskConfig(
        name="a",
        model=str(tiny_student),
        user="{thought}",
        sampling=SamplingConfig(max_new_tokens=3),
        engine=EngineConfig(dtype="float32", batch=2),
    )
    how = ComputeConfig(progress=False, threads=1)
    with pytest.raises(ValueError, match=r"3 of 3 replies cannot be used.*3 × the reply"):
        segment_traces(config, tmp_path, compute=how, out=tmp_path / "out")
    assert len((tmp_path / "out" / "rows.jsonl").read_text().splitlines()) == 3


def answer(body, count):
    """Numbers of the lines that open with a word of doubt, as a model asked by our prompt would."""
    (user,) = body["messages"]
    opened = re.findall(r"^\[(\d+)\] (?:Hmm|Wait|No)\b", user["content"], re.MULTILINE)
    return replied(body, content=f"[[{', '.join(dict.fromkeys(['1', *opened]))}]]")


def test_arms_of_one_run_share_the_steps_that_a_server_found(hydra_compose, monkeypatch, tmp_path):
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    made = {}
    with serving(answer, cards=[{"id": "m", "object": "model"}]) as server:
        served = [
            f"corruption.ask.engine={{kind: openai, api: chat, base_url: '{server.url}'}}",
            "corruption.ask.model=m",
            "dataset.problems=40",
            "size.traces=10",
            "until=corrupt",
            "compute.progress=false",
        ]
        for name in ("delete_steps", "insert_steps", "shuffle_steps"):
            config = build(hydra_compose(f"corruption={name}_model", *served))
            steps = pipeline.run(config, Store(tmp_path).produce)
            made[name] = {step.stage: step.artifact for step in steps}
    assert sorted(server.asked.values()) == [1] * 10
    assert len({one[Stage.segment].key for one in made.values()}) == 1
    assert made["shuffle_steps"][Stage.segment].summary()["failed"] == 0
    starts = read_starts(made["shuffle_steps"][Stage.segment].path)
    before, after = (
        list(read_traces(made["shuffle_steps"][stage].path / "traces.jsonl"))
        for stage in (Stage.select, Stage.corrupt)
    )
    moved = 0
    for old, new in zip(before, after, strict=True):
        steps = split(old.thought, "model", starts).steps
        assert new.id == old.id and sorted(new.thought) == sorted(old.thought)
        assert all(step in new.thought for step in steps)
        moved += new.thought != old.thought
    assert moved
    assert show(config, "0", Store(tmp_path)).after.trace == after[0]
