"""Teachers: a model asked row by row, and traces that are there already.

Run: pytest tests/teachers/test_traces.py
"""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from distill.compute import ComputeConfig
from distill.config import Config
from distill.data.config import DatasetConfig
from distill.data.problems import load_problems
from distill.data.trace_formats import FORMATS, READING
from distill.grading.config import GradingConfig
from distill.models import converse, hub
from distill.models.config import Api, EngineConfig, SamplingConfig
from distill.models.engines import Completion, Refusal
from distill.run.compose import build
from distill.store.artifacts import Store
from distill.store.identity import CHECKOUT, content_hash
from distill.teachers.config import TeacherConfig, VerificationConfig
from distill.teachers.traces import pins, sample_traces
from distill.teachers.verify import verify_traces
from distill.trace.records import Problem, read_problems, read_traces, write_records
from tests.data.test_trace_formats import FIELDS, ROWS, TRACES, WHOLE, WITHOUT_GOLD
from tests.prompts import PROMPTS
from tests.server import CHAT, refused, replied, serving

COMPUTE = ComputeConfig(progress=False, threads=1)
THINK = PROMPTS["think"]
TEACHERS = sorted(path.stem for path in (CHECKOUT / "conf" / "teacher").glob("*.yaml"))


GENERIC = ("recorded", "messages", "sharegpt")
"""Teachers that are schemas of no published data set."""


class Killed(BaseException):
    pass


def model(**more) -> TeacherConfig:
    return TeacherConfig(**{"kind": "model", "model": "R1", "prompt": THINK, "engine": CHAT} | more)


@pytest.fixture
def problems(tmp_path) -> Path:
    """A folder of two problems."""
    folder = tmp_path / "problems"
    folder.mkdir()
    asked = [Problem.of(f"What is {n}+{n}?", str(2 * n), "math", "test") for n in (1, 2)]
    write_records(folder / "problems.jsonl", asked)
    return folder


def sample(teacher, problems, out, **how):
    out.mkdir(exist_ok=True)
    sample_traces(teacher, problems, **how, compute=COMPUTE, out=out)
    counts = json.loads((out / "summary.json").read_text())
    return list(read_traces(out / "traces.jsonl")), counts


def text(written, reason="stop", **more):
    return Completion([], written, reason, 7, **more)


def test_a_models_text_is_taken_apart_and_its_end_kept(says, problems, tmp_path):
    says(
        text("<think>\nhm\n</think>\n\n\\boxed{2}"),
        text("hm\n</think>\n\n\\boxed{2}"),  # the template wrote the opening
        text("<think>\nhm \\boxed{4}", "length"),
        text("hm \\boxed{4}", "length"),
    )
    traces, counts = sample(model(samples=2), problems, tmp_path / "out")
    assert [(t.thought, t.solution) for t in traces] == [
        ("hm", "\\boxed{2}"),
        ("hm", "\\boxed{2}"),
        ("hm \\boxed{4}", ""),
        ("hm \\boxed{4}", ""),
    ]
    assert [t.finish_reason for t in traces] == ["stop", "stop", "length", "length"]
    assert [(t.teacher, t.sample, t.tokens) for t in traces] == [("R1", k, 7) for k in (0, 1)] * 2
    assert [t.problem for t in traces[::2]] == list(read_problems(problems / "problems.jsonl"))
    told = {"traces": 4, "samples_per_problem": 2, "cut_off": 2, "unclosed": 2}
    assert counts == told | {"without_thought": 0, "failed": 0}
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"traces.jsonl", "summary.json"}


def test_a_thought_that_a_server_gives_apart_is_the_thought(says, problems, tmp_path):
    says(
        text("It is \\boxed{2}", reasoning="hm </think> hm"),
        text("", "length", reasoning="hm"),
    )
    traces, counts = sample(model(), problems, tmp_path / "out")
    assert (traces[0].thought, traces[0].solution) == ("hm </think> hm", "It is \\boxed{2}")
    assert (traces[1].thought, traces[1].solution) == ("hm", "")
    assert counts["unclosed"] == 1


@pytest.mark.parametrize("prompt", ["think", "sky_t1", "plain"])
def test_replies_without_a_thought_are_set_aside_and_too_many_are_not_verified(
    says, problems, tmp_path, prompt
):
    """QwQ-32B-Preview writes no tags, and not always a heading."""
    replies = text("Well. Wait, no. \\boxed{2}"), text("cut \\boxed{4}", "length")
    given = says(*replies)
    teacher = model(prompt=PROMPTS[prompt])
    (cut,), counts = sample(teacher, problems, tmp_path / "out")
    assert len(given) == 2
    assert (cut.thought, cut.finish_reason) == ("cut \\boxed{4}", "length")
    (bare,) = read_traces(tmp_path / "out" / "without_thought.jsonl")
    assert (bare.thought, bare.solution) == ("", "Well. Wait, no. \\boxed{2}")
    assert (counts["traces"], counts["without_thought"]) == (1, 1)
    verify = partial(verify_traces, GradingConfig(), VerificationConfig(), tmp_path / "out")
    with pytest.raises(ValueError, match=r"1 of 2 replies.*no thought.*teacher\.convert=sky_t1"):
        verify(compute=COMPUTE, out=tmp_path)
    verify(compute=replace(COMPUTE, max_unusable=0.5), out=tmp_path)


BARE = {
    "paragraphs": ("First.\n\nSecond.\n\nSo \\boxed{2}.", "First.\n\nSecond.", "So \\boxed{2}."),
    "no box": ("First.\n\nIt is\n2.", "First.", "It is\n2."),
    "a box and an end": ("a\n\nSo \\boxed{2}.\n\nDone.", "a", "So \\boxed{2}.\n\nDone."),
    "lines": ("1+1\n= 2\n\\boxed{2}", "1+1\n= 2", "\\boxed{2}"),
    "a displayed formula": ("a\nso\n\\[\n\\boxed{2}\n\\]", "a\nso", "\\[\n\\boxed{2}\n\\]"),
    "sentences": ("1+1=2. Is it? So \\boxed{2}.", "1+1=2. Is it?", "So \\boxed{2}."),
    "a closing mark": ("</think>\n\n1+1=2. So \\boxed{2}.", "1+1=2.", "So \\boxed{2}."),
    "an answer alone": ("So \\boxed{2}.", None, None),
    "nothing": (" ", None, None),
}


@pytest.mark.parametrize("case", BARE)
def test_of_a_bare_reply_all_before_its_answer_counts_as_a_thought_where_asked(
    says, problems, tmp_path, case
):
    written, thought, solution = BARE[case]
    marked = "<think>\nhm\n</think>\n\n\\boxed{4}"
    says(text(written), text(marked))
    traces, counts = sample(model(bare="thought"), problems, tmp_path / "out")
    assert (traces[-1].thought, traces[-1].solution) == ("hm", "\\boxed{4}")
    assert (counts["bare"], counts["without_thought"]) == ((0, 1) if thought is None else (1, 0))
    assert [(t.thought, t.solution) for t in traces[:-1]] == [(thought, solution)][: counts["bare"]]
    says(text(written), text(marked))
    _, counts = sample(model(), problems, tmp_path / "aside")
    assert counts["without_thought"] == 1 and "bare" not in counts


def test_recorded_texts_without_marks_are_thoughts_where_asked(tmp_path):
    rows = [{"question": "q", "answer": "2", "text": BARE["paragraphs"][0]}]
    how = {"prompt": THINK, "columns": {"text": "text"}, "bare": "thought"}
    teacher, problems = record(tmp_path, rows, **how)
    (trace,), counts = sample(teacher, problems, tmp_path / "out")
    assert (trace.thought, trace.solution) == BARE["paragraphs"][1:] and counts["bare"] == 1


def test_a_refused_prompt_is_named_and_counted_and_the_others_are_traces(
    says, monkeypatch, problems, tmp_path
):
    says(Refusal("400: content filter"), text("<think>\na\n</think>\n\nb"))
    with pytest.raises(ValueError, match=r"1 of 2 prompts are refused.*400: content filter"):
        sample(model(), problems, tmp_path / "out")
    monkeypatch.setattr(COMPUTE, "max_unusable", 0.5)
    (trace,), counts = sample(model(), problems, tmp_path / "out")
    first, second = read_problems(problems / "problems.jsonl")
    assert trace.problem == second and counts["failed"] == 1
    (line,) = (tmp_path / "out" / "failed.jsonl").open()
    assert json.loads(line) == {"id": f"{first.id}:0", "why": "refused: 400: content filter"}


def test_a_server_at_another_address_goes_on_with_the_rows_of_the_first(
    monkeypatch, tmp_path, problems
):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    store = Store(tmp_path / "artifacts")
    puzzles = DatasetConfig(kind="sign_puzzle", problems=3)
    asked = store.produce(load_problems, puzzles)

    def produce(url):
        server = EngineConfig(kind="openai", base_url=url, api=Api.chat)
        compute = ComputeConfig(progress=False, concurrency=1)
        return store.produce(sample_traces, model(engine=server), asked, compute=compute)

    def answer(body, count):
        return replied(body, content="<think>\na\n</think>\n\nb")

    with (
        serving(lambda *said: answer(*said) if len(first.bodies) < 3 else refused(404)) as first,
        pytest.raises(RuntimeError, match="404"),
    ):
        produce(first.url)
    with serving(answer) as second:
        made = produce(second.url)
    assert len(first.bodies) == 3 and len(second.bodies) == 1
    assert made.summary()["traces"] == 3
    assert first.url not in (made.path / "recipe.json").read_text()


def test_r1_is_asked_without_a_system_message_and_each_sample_draws_for_itself(
    says, problems, tmp_path
):
    given = says(*[text("<think>\nx\n</think>\n\nx")] * 6)
    sample(model(samples=3), problems, tmp_path / "out")
    chats = [chat for _, chat, _ in sorted(given, key=lambda g: g[0])]
    assert all([m["role"] for m in chat] == ["user"] for chat in chats)
    assert chats[0] == chats[2] != chats[3]
    assert chats[0][0]["content"].startswith("What is 1+1?\n")
    assert len({seed for *_, seed in given}) == 6


@pytest.mark.parametrize("rows", [0, 1, 3, 4])
def test_a_killed_teacher_continues_to_the_same_bytes(says, monkeypatch, problems, tmp_path, rows):
    replies = [text(f"<think>\n{i}\n</think>\n\n{i}") for i in range(4)]
    given = says(*replies)
    sample(model(samples=2), problems, tmp_path / "whole")
    original, kept = converse.append, []

    def append(*args, **more):
        if len(kept) == rows:
            raise Killed
        kept.append(args)
        original(*args, **more)

    if rows < 4:
        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(converse, "append", append)
            sample(model(samples=2), problems, tmp_path / "torn")
        with (tmp_path / "torn" / "rows.jsonl").open("ab") as file:
            file.write(b'{"key": "\xc3')
    given.clear()
    sample(model(samples=2), problems, tmp_path / "torn")
    assert len(given) == 4 - (rows if rows < 4 else 0)
    assert content_hash(tmp_path / "torn") == content_hash(tmp_path / "whole")


def test_a_local_model_teaches_through_a_real_engine(tiny_student, problems, tmp_path):
    teacher = model(
        model=str(tiny_student),
        prompt=PROMPTS["micro"],
        engine=EngineConfig(dtype="float32", batch=2),
        sampling=SamplingConfig(temperature=1.0, max_new_tokens=6),
        samples=2,
    )
    traces, counts = sample(teacher, problems, tmp_path / "out")
    named = content_hash(tiny_student)[:12]  # never the machine's path
    assert [t.teacher for t in traces] == [named] * 4
    assert counts["traces"] == 4 and all(t.tokens for t in traces)
    assert traces[0].thought + traces[0].solution != traces[1].thought + traces[1].solution
    assert len(pins(teacher)["model"]) == 64


def test_a_name_behind_a_server_needs_no_hub():
    assert pins(model())["model"] is None


@pytest.mark.parametrize("field", ["model", "prompt", "engine"])
def test_what_a_model_teacher_lacks_is_named_before_anything_runs(field):
    with pytest.raises(ValueError, match=rf"teacher\.kind=model needs teacher\.{field}"):
        pins(model(**{field: None}))


def test_a_model_teacher_is_run_by_what_runs_the_student_unless_said_otherwise():
    teacher = TeacherConfig(kind="model", model="R1")
    assert Config(teacher=teacher, engine=CHAT).teacher.engine == CHAT


@pytest.mark.parametrize("name", TEACHERS)
def test_every_teacher_can_be_asked_or_read(hydra_compose, name):
    of = ["teacher.student='size=1k'"] if name == "trained" else []
    teacher = build(hydra_compose(f"teacher={name}", "dataset.problems=0", *of)).teacher
    if teacher.kind == "trained":
        assert teacher.engine and teacher.sampling.temperature > 0 and teacher.prompt is None
    if teacher.kind == "model":
        assert teacher.prompt and teacher.sampling.temperature > 0
        assert teacher.model or name == "model"
    if teacher.kind == "recorded":
        assert teacher.format in FORMATS and (teacher.hub or name in GENERIC)
        assert name in (teacher.format, "recorded")


def test_the_r1_family_is_sampled_as_published(hydra_compose):
    family = [name for name in TEACHERS if name == "deepseek_r1" or name.startswith("r1_distill")]
    assert len(family) == 7
    for name in family:
        teacher = build(hydra_compose(f"teacher={name}")).teacher
        assert teacher.sampling == SamplingConfig(0.6, 0.95, max_new_tokens=32_768)
        assert teacher.prompt.name == "think" and teacher.prompt.system == ""
    qwq = build(hydra_compose("teacher=qwq_32b_preview")).teacher
    assert (qwq.sampling.temperature, qwq.sampling.max_new_tokens) == (0.7, 16_384)


# --- recorded traces


def record(tmp_path, rows, **teacher) -> tuple[TeacherConfig, Path]:
    """A recorded teacher on a file of these rows, and the folder of its problems."""
    path = tmp_path / "rows.jsonl"
    lines = (row if isinstance(row, str) else json.dumps(row) for row in rows)
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    config = Config(
        teacher=TeacherConfig(
            **{"kind": "recorded", "format": "json_lines", "samples": 9, "path": str(path)}
            | teacher
        )
    )
    (tmp_path / "problems").mkdir(exist_ok=True)
    load_problems(config.dataset, out=tmp_path / "problems")
    return config.teacher, tmp_path / "problems"


@pytest.mark.parametrize("name", FORMATS)
def test_every_schema_goes_through_problems_and_traces(hydra_compose, tmp_path, name):
    option = "recorded" if name == "json_lines" else name
    composed = build(hydra_compose(f"teacher={option}")).teacher
    how = {"format": name, "prompt": composed.prompt, "columns": composed.columns}
    teacher, problems = record(tmp_path, [ROWS[name]], **how)
    traces, counts = sample(teacher, problems, tmp_path / "out")
    gold = "" if name in WITHOUT_GOLD else "4"
    assert (traces[0].problem.question, traces[0].problem.answer) == ("What is 2+2?", gold)
    assert traces[0].thought.strip() and traces[0].solution.strip()
    assert "<" not in traces[0].thought + traces[0].solution
    assert counts["rejected"] == 0 and counts["traces"] == len(traces)
    if name == "openr1_math_220k":
        assert [(t.thought, t.solution, t.finish_reason) for t in traces] == [
            ("a", r"\boxed{4}", "stop"),
            ("c", "", "length"),
        ]


def row(question, i, **more):
    return {"question": question, "answer": "1", "thought": f"t{i}", "solution": f"s{i}"} | more


def test_the_k_th_trace_of_a_problem_is_its_sample_k_and_no_more_are_taken(tmp_path):
    rows = [row("a", 0), row("b", 1), row("a", 2), row("a", 3)]
    teacher, problems = record(tmp_path, rows, samples=2)
    traces, counts = sample(teacher, problems, tmp_path / "out")
    assert [(t.problem.question, t.sample, t.thought) for t in traces] == [
        ("a", 0, "t0"),
        ("b", 0, "t1"),
        ("a", 1, "t2"),
    ]
    assert len({t.id for t in traces}) == 3
    assert (counts["rows"], counts["beyond_samples"]) == (4, 1)


def test_rows_that_hold_no_trace_are_counted_and_named(tmp_path):
    rows = [
        row("a", 0),
        '{"question": "torn',
        row("a", 1, thought=" \n"),
        row("a", 2, answer=None),
        row("", 3),
        {"question": "a"},
    ]
    teacher, problems = record(tmp_path, rows, max_rejected=0.9)
    traces, counts = sample(teacher, problems, tmp_path / "out")
    assert [t.thought for t in traces] == ["t0"]
    assert (counts["rows"], counts["rejected"]) == (6, 5)
    rejected = [json.loads(line) for line in (tmp_path / "out" / "rejected.jsonl").open()]
    assert [line["place"] for line in rejected] == [f"rows.jsonl:{n}" for n in range(2, 7)]
    assert "not JSON" in rejected[0]["why"]
    whys = [line["why"] for line in rejected[1:4]]
    assert whys == ["no thought", "no answer", "no question"]
    assert rejected[4]["why"] == "no thought: no column thought; has question"


def test_too_many_rows_without_a_trace_stop_the_run(tmp_path):
    rows = [row("a", i, thought="" if i < 3 else "t") for i in range(10)]
    teacher, problems = record(tmp_path, rows, max_rejected=0.2)
    with pytest.raises(ValueError, match="no thought"):
        sample(teacher, problems, tmp_path / "out")


def test_a_thought_that_never_closed_is_of_a_teacher_that_was_cut_off(tmp_path):
    rows = [row("a", 0, solution=""), row("a", 1, solution=None), row("a", 2, truncated=True)]
    traces, counts = sample(*record(tmp_path, rows), tmp_path / "out")
    assert [t.finish_reason for t in traces] == ["length"] * 3
    assert counts["cut_off"] == 3


def test_whole_texts_need_a_prompt_that_says_how_to_split_them(tmp_path):
    teacher, problems = record(tmp_path, [ROWS["limo"]], format="limo")
    with pytest.raises(ValueError, match=r"teacher\.prompt must say"):
        sample(teacher, problems, tmp_path / "out")


def test_traces_of_problems_that_were_filtered_out_are_counted_not_written(tmp_path):
    teacher, problems = record(tmp_path, [row("a", 0), row("b", 1)])
    kept = [p for p in read_problems(problems / "problems.jsonl") if p.question == "b"]
    write_records(problems / "problems.jsonl", kept)
    traces, counts = sample(teacher, problems, tmp_path / "out")
    assert [t.thought for t in traces] == ["t1"] and counts["of_other_problems"] == 1


def test_the_content_of_a_file_is_identity_and_its_place_is_not(tmp_path):
    from distill.store.identity import canonical

    teacher, _ = record(tmp_path, [row("a", 0)])
    (tmp_path / "elsewhere").mkdir()
    moved = tmp_path / "elsewhere" / "rows.jsonl"
    moved.write_bytes((tmp_path / "rows.jsonl").read_bytes())
    other = TeacherConfig(**vars(teacher) | {"path": str(moved)})
    assert canonical(other) == canonical(teacher) and pins(other) == pins(teacher)
    moved.write_text("{}")
    assert canonical(other) != canonical(teacher)


FILES = {
    "deepseek_r1_aime24": (30, 0),
    "qwq_r1distill_gsm8k_math500": (1386, 318),
    "r1distill_qwq_aime25": (180, 26),
    "skythought_ablation_outputs": (230, 31),
    "thought_anchors_math": (153, 9),
}
"""Shared file -> its traces, and those that never close their thought."""


@pytest.mark.parametrize("name", FILES)
def test_all_shared_traces_are_read_with_their_text_unchanged(tmp_path, name):
    if not TRACES.is_dir():
        pytest.skip(f"no shared traces at {TRACES}")
    how = {"columns": FIELDS, "prompt": None}
    if name == "skythought_ablation_outputs":
        how = {"columns": WHOLE, "prompt": PROMPTS["sky_t1"]}
    path = TRACES / f"{name}.jsonl"
    rows = [json.loads(line) for line in path.open(encoding="utf-8")]
    teacher, problems = record(tmp_path, [], path=str(path), **how)
    traces, counts = sample(teacher, problems, tmp_path / "out")
    assert (len(traces), counts["cut_off"]) == FILES[name]
    assert counts["rejected"] == counts["of_other_problems"] == counts["beyond_samples"] == 0
    exact = name != "skythought_ablation_outputs"
    for trace, given in zip(traces, rows, strict=True):
        thought, solution = given["reasoning"], given["solution"]
        if exact:
            assert (trace.thought, trace.solution) == (thought, solution)
        assert (trace.thought.strip(), trace.solution.strip()) == (
            thought.strip(),
            solution.strip(),
        )


def test_a_shared_file_without_questions_stops_the_run_with_the_reason(tmp_path):
    if not TRACES.is_dir():
        pytest.skip(f"no shared traces at {TRACES}")
    path = TRACES / "r1distill_sentence_labelled.jsonl"
    with pytest.raises(ValueError, match=r"no row has gold_answer \(answer\); there are id, model"):
        record(tmp_path, [], path=str(path), columns=FIELDS)
    columns = {field: column for field, column in FIELDS.items() if field != "answer"}
    with pytest.raises(ValueError, match="no question: no column question"):
        record(tmp_path, [], path=str(path), columns=columns)


def test_the_hub_is_not_asked_for_a_local_file(tmp_path, monkeypatch):
    monkeypatch.setattr(hub, "resolve_model", lambda *args: pytest.fail("asked the hub"))
    teacher, _ = record(tmp_path, [row("a", 0)])
    assert pins(teacher) == {"reading": READING}
