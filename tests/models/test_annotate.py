"""Models asked about problems, traces and other texts."""

import json

import pytest

from distill.compute import ComputeConfig
from distill.models import converse, engines
from distill.models.annotate import ReplyError, annotate, annotator_pins, ask
from distill.models.config import AskConfig, EngineConfig, SamplingConfig
from distill.models.engines import Completion, Refusal
from distill.trace.records import Problem, Trace
from tests.server import CHAT

COMPUTE = ComputeConfig(progress=False, threads=1)


def config(user="Q: {question}\nA: {answer}", **more):
    return AskConfig(name="x", model="served", user=user, engine=CHAT, **more)


class Killed(BaseException):
    pass


@pytest.fixture
def engine(monkeypatch):
    """Replies with the last words of the user message; `said` keeps what it was given."""
    said = []

    def generate(engine, model, prompts, seeds, sampling, *, done, compute):
        for i in reversed(range(len(prompts))):  # an engine may finish in any order
            if i not in done:
                said.append((prompts[i], seeds[i]))
                text = prompts[i][-1]["content"].rsplit(" ", 1)[-1]
                yield i, Completion([7], text, "stop", 3, reasoning="hm")

    monkeypatch.setattr(engines, "generate", generate)
    return said


def test_every_text_is_answered_in_order_and_equal_texts_are_asked_once(engine, tmp_path):
    fills = [{"question": q, "answer": "is it"} for q in ("a", "b", "a", "c")]
    replies = ask(config("{answer} {question}"), fills, keep=tmp_path / "k", compute=COMPUTE)
    assert [r.text for r in replies] == ["a", "b", "a", "c"]
    assert len(engine) == 3
    assert {(r.finish_reason, r.tokens, r.reasoning) for r in replies} == {("stop", 3, "hm")}


def test_texts_are_filled_in_as_they_are(engine, tmp_path):
    fill = {"question": r"{answer} {0} \frac{1}{2} {question}", "answer": "{question} %s"}
    ask(config(system="Be brief."), [fill], keep=tmp_path / "k", compute=COMPUTE)
    (chat, _), *_ = engine
    assert [m["role"] for m in chat] == ["system", "user"]
    assert chat[1]["content"] == f"Q: {fill['question']}\nA: {fill['answer']}"


def test_a_field_that_cannot_be_filled_is_refused_before_anything_is_asked(engine, tmp_path):
    with pytest.raises(ValueError, match=r"\['solution'\].*only \['question'\]"):
        ask(config("{solution}"), [{"question": "q"}], keep=tmp_path / "k", compute=COMPUTE)
    assert not engine


def test_nothing_is_asked_about_no_text(engine, tmp_path):
    assert ask(config(), [], keep=tmp_path / "k", compute=COMPUTE) == []


@pytest.mark.parametrize("torn", [b"", b'{"key": "', b'{"key": "abc", "text": "\xc3'])
def test_a_killed_call_asks_only_for_the_rest(engine, tmp_path, monkeypatch, torn):
    fills = [{"question": str(i), "answer": ""} for i in range(6)]
    whole = ask(config(), fills, keep=tmp_path / "whole", compute=COMPUTE)
    original, rows = converse.append, []

    def append(*args, **more):
        if len(rows) == 4:
            raise Killed
        rows.append(args)
        original(*args, **more)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(converse, "append", append)
        ask(config(), fills, keep=tmp_path / "k", compute=COMPUTE)
    with (tmp_path / "k").open("ab") as file:
        file.write(torn)
    engine.clear()
    assert ask(config(), fills, keep=tmp_path / "k", compute=COMPUTE) == whole
    assert len(engine) == 2
    keys = [json.loads(line)["key"] for line in (tmp_path / "k").open()]
    assert len(keys) == len(set(keys)) == 6


def test_what_is_refused_past_the_bound_stops_the_call_and_no_other_reply_is_asked_for_again(
    says, tmp_path
):
    asked = says(*[Refusal("400: filtered")] * 2, *["yes"] * 4)
    fills = [{"question": str(i), "answer": ""} for i in range(6)]

    def call(share):
        compute = ComputeConfig(progress=False, max_unusable=share)
        return ask(config(), fills, keep=tmp_path / "k", compute=compute)

    with pytest.raises(ValueError, match=r"2 of 6 prompts.*max_unusable=0\.3.*400: filtered"):
        call(0.3)
    replies = call(0.4)
    assert replies[:2] == [Refusal("400: filtered")] * 2
    assert all(isinstance(reply, Completion) for reply in replies[2:])
    assert [i for i, *_ in asked] == [5, 4, 3, 2, 1, 0, 1, 0]


def test_a_replys_draws_depend_on_its_own_text_and_the_seed_alone(engine, tmp_path):
    def seeds(questions, seed):
        engine.clear()
        fills = [{"question": q, "answer": ""} for q in questions]
        how = config(sampling=SamplingConfig(temperature=1.0, seed=seed))
        ask(how, fills, keep=tmp_path / f"{questions}{seed}", compute=COMPUTE)
        return {chat[-1]["content"]: number for chat, number in engine}

    first, other = seeds("ab", 0), seeds("cb", 0)
    assert first["Q: b\nA: "] == other["Q: b\nA: "] != first["Q: a\nA: "]
    assert seeds("b", 1)["Q: b\nA: "] != first["Q: b\nA: "]


def test_a_local_model_answers_through_a_real_engine(tiny_student, tmp_path):
    how = AskConfig(
        name="x",
        model=str(tiny_student),
        user="{question}",
        sampling=SamplingConfig(max_new_tokens=5),
        engine=EngineConfig(dtype="float32", batch=2),
    )
    fills = [{"question": f"{i}+1"} for i in range(3)]
    replies = ask(how, fills, keep=tmp_path / "k", compute=COMPUTE)
    assert [r.tokens for r in replies] == [5, 5, 5]
    assert (
        set(annotator_pins(how)) == {"model", "engine"} and len(annotator_pins(how)["model"]) == 64
    )


def test_a_name_behind_a_server_needs_no_hub():
    assert annotator_pins(config())["model"] is None


# --- every problem or trace of a stage

PROBLEMS = [Problem.of(f"q{i}", str(i), "math", "test") for i in range(4)]


def number(problem, reply):
    if not reply.text.isdigit():
        raise ReplyError("no number")
    return int(reply.text) if reply.finish_reason == "stop" else None


def annotated(out, how=number, items=PROBLEMS, most=1.0, **more):
    compute = ComputeConfig(progress=False, max_unusable=most)
    return annotate(config(), items, how, compute=compute, out=out, **more)


def named(out):
    return [json.loads(line) for line in (out / "failed.jsonl").open()]


def test_what_is_parsed_is_returned_and_calls_that_fail_are_named(says, tmp_path):
    asked = says("7", "seven", Refusal("400: no"), ("9", "length"))
    made, failed = annotated(tmp_path)
    assert made == {PROBLEMS[0].id: 7, PROBLEMS[3].id: None}
    whys = ["no number", "refused: 400: no"]
    assert [(call.id, call.why) for call in failed] == [
        (problem.id, why) for problem, why in zip(PROBLEMS[1:3], whys, strict=True)
    ]
    assert named(tmp_path) == [vars(call) for call in failed]
    assert sorted(prompt[-1]["content"] for _, prompt, _ in asked) == [
        f"Q: q{i}\nA: {i}" for i in range(4)
    ]


def test_no_call_that_fails_leaves_no_file_not_even_that_of_a_killed_attempt(says, tmp_path):
    (tmp_path / "failed.jsonl").write_text("{}")
    says(*"1234")
    assert annotated(tmp_path) == ({p.id: i + 1 for i, p in enumerate(PROBLEMS)}, [])
    assert {path.name for path in tmp_path.iterdir()} == {"rows.jsonl"}


@pytest.mark.parametrize(("most", "stops"), [(0.5, False), (0.49, True)])
def test_too_many_failed_calls_stop_the_stage_with_their_reasons_and_none_is_made_again(
    says, tmp_path, most, stops
):
    asked = says("1", "2", "no", "no")
    if stops:
        with pytest.raises(ValueError, match=r"2 of 4 replies.*max_unusable=0\.49.*2 × no number"):
            annotated(tmp_path, most=most)
        assert [row["id"] for row in named(tmp_path)] == [p.id for p in PROBLEMS[2:]]
        asked.clear()
        annotated(tmp_path)
        assert not asked
    else:
        assert len(annotated(tmp_path, most=most)[1]) == 2


def test_a_trace_fills_in_its_texts_unless_the_caller_says_otherwise(says, tmp_path):
    traces = [Trace.of(problem, "t", 0, "hm", "so") for problem in PROBLEMS]
    how = config("{question} {answer} {thought} {solution}")
    compute = ComputeConfig(progress=False)
    asked = says(*["1"] * 4)
    annotate(how, traces, number, compute=compute, out=tmp_path)
    assert asked[0][1][-1]["content"] == "q3 3 hm so"
    (tmp_path / "rows.jsonl").unlink()
    fill = {"question": "Q", "answer": "A", "solution": "S"}
    asked = says(*["1"] * 4)
    numbered = {trace.id: str(i) for i, trace in enumerate(traces)}
    annotate(
        how,
        traces,
        number,
        fill=lambda t: fill | {"thought": numbered[t.id]},
        compute=compute,
        out=tmp_path,
    )
    assert asked[0][1][-1]["content"] == "Q A 3 S"
