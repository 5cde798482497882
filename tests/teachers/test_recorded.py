"""Recorded traces as they come in practice: odd values, several responses, chat messages.

Run: pytest tests/teachers/test_recorded.py
"""

import json
from dataclasses import replace

import pytest

from distill.config import Config
from distill.data.config import DatasetConfig
from distill.data.trace_formats import FORMATS
from distill.grading.config import GradingConfig
from distill.store.identity import CHECKOUT
from distill.teachers.config import SelectionConfig, SizeConfig, TeacherConfig, VerificationConfig
from distill.teachers.select import select_traces
from distill.teachers.verify import verify_traces
from distill.trace.records import read_traces
from tests.teachers.test_traces import COMPUTE, THINK, record, row, sample


def told(out):
    return [json.loads(line) for line in (out / "rejected.jsonl").open()]


def verified(folder, compute=COMPUTE):
    """The counts of a verification of the traces in a folder."""
    out = folder / "verified"
    out.mkdir(exist_ok=True)
    verify_traces(GradingConfig(), VerificationConfig(), folder, compute=compute, out=out)
    return json.loads((out / "summary.json").read_text())


def turns(question, answer="", text=None):
    """A question, and a reply with a thought that boxes the answer."""
    text = text or f"<think>\nso {answer}\n</think>\n\n\\boxed{{{answer}}}"
    return [{"from": "user", "value": question}, {"from": "assistant", "value": text}]


def test_of_several_generations_those_that_cannot_be_used_are_named_and_the_others_taken(tmp_path):
    whole = "<think>\na\n</think>\n\n\\boxed{4}"
    rows = [
        {"problem": "p", "answer": "4", "generations": [whole, None, [whole], 7]},
        {"problem": "q", "answer": 4.0, "generations": [whole, "no tags"]},
        {"problem": "r", "answer": 4, "generations": [None, None]},
        {"problem": "s", "answer": 4, "generations": whole},
        {"problem": "t", "answer": 4, "generations": [whole], "finish_reasons": ["stop", "stop"]},
    ]
    how = {"format": "openr1_math_220k", "prompt": THINK}
    teacher, problems = record(tmp_path, rows, max_rejected=1.0, **how)
    traces, counts = sample(teacher, problems, tmp_path / "out")
    assert [(t.problem.question, t.problem.answer) for t in traces] == [("p", "4"), ("q", "4")]
    assert (counts["rows"], counts["rejected"]) == (5, 5)
    assert counts["reasons"] == {
        "a generation is null, not text": 1,
        "a generation is a list, not text": 1,
        "a generation is a number, not text": 1,
        "no thought": 1,
        "no generations": 1,
        "generations is text, not a list": 1,
        "not as many finish_reasons as generations": 1,
    }
    named = [(row["place"], row.get("response")) for row in told(tmp_path / "out")]
    assert named == [("rows.jsonl:1", n) for n in (2, 3, 4)] + [("rows.jsonl:2", 2)] + [
        (f"rows.jsonl:{n}", None) for n in (3, 4, 5)
    ]


def test_never_more_rows_are_rejected_than_there_are(tmp_path):
    rows = [{"problem": "p", "answer": "4", "generations": ["a", "b", "c"]}]
    how = {"format": "openr1_math_220k", "prompt": THINK}
    teacher, problems = record(tmp_path, rows, **how)
    with pytest.raises(ValueError, match=r"^1 of 1 rows are rejected \(1 of them for 3 single"):
        sample(teacher, problems, tmp_path / "out")
    assert sample(replace(teacher, max_rejected=1.0), problems, tmp_path / "out")[0] == []


TWINS = {
    "thought": (["step", "next"], "thought is a list, not text"),
    "solution": (float("nan"), "solution is NaN, not text"),
    "question": ({"text": "q"}, "question is an object, not text"),
    "answer": (True, "answer is a boolean, not text"),
    "teacher": (7, "teacher is a number, not text"),
    "kind": ("essay", "no grader for its kind: 'essay'; known are sign_puzzle, math, choice"),
    "truncated": ("no", "truncated is neither true nor false: 'no'"),
    "difficulty": (False, "difficulty is a boolean, not a level"),
    "tests": ("assert True", "tests is text, not a list"),
}


@pytest.mark.parametrize("field", TWINS)
def test_a_value_that_is_not_what_its_field_holds_is_set_aside_by_place(tmp_path, field):
    value, why = TWINS[field]
    rows = [row("a", 0), row("b", 1) | {field: value}]
    teacher, problems = record(tmp_path, rows, max_rejected=0.5)
    traces, counts = sample(teacher, problems, tmp_path / "out")
    assert [t.thought for t in traces] == ["t0"]
    (named,) = told(tmp_path / "out")
    assert named["place"] == "rows.jsonl:2" and named["why"].startswith(why)
    assert counts["reasons"] == {named["why"].partition(":")[0]: 1}


def test_a_truth_in_words_is_what_it_says(tmp_path):
    rows = [
        row("a", 0, truncated="false"),
        row("a", 1, truncated="True"),
        row("a", 2, truncated=""),
    ]
    traces, _ = sample(*record(tmp_path, rows), tmp_path / "out")
    assert [t.finish_reason for t in traces] == ["stop", "length", "stop"]


def test_a_difficulty_in_words_is_its_number_in_problems_and_in_traces(tmp_path):
    rows = [row("a", 0, difficulty="Level 5"), row("b", 0, difficulty="hard")]
    traces, _ = sample(*record(tmp_path, rows), tmp_path / "out")
    assert [t.problem.difficulty for t in traces] == [5.0, None]


def test_wrong_traces_are_wrong_by_the_gold_answer_of_a_column(tmp_path):
    rows = [
        {"conversations": turns(f"What is {i}+1?", i + 5), "gold": str(i + 1)} for i in range(4)
    ]
    for form in ("bespoke_stratos_17k", "sky_t1_17k", "sharegpt"):
        how = {"format": form, "prompt": THINK, "columns": {"answer": "gold"}}
        teacher, problems = record(tmp_path, rows, **how)
        sample(teacher, problems, tmp_path)
        counts = verified(tmp_path)
        assert (counts["correct"], counts["wrong"], counts["undecided"]) == (0, 4, 0)


@pytest.mark.parametrize("form", ["messages", "sharegpt", "bespoke_stratos_17k", "sky_t1_17k"])
def test_chat_without_a_gold_answer_is_unchecked_and_never_right_by_itself(tmp_path, form):
    rows = [{"messages" if form == "messages" else "conversations": turns("q", "4")}]
    teacher, problems = record(tmp_path, rows, format=form, prompt=THINK)
    sample(teacher, problems, tmp_path)
    counts = verified(tmp_path)
    assert (counts["correct"], counts["undecided"], counts["unchecked"]) == (0, 1, 1)
    (trace,) = read_traces(tmp_path / "verified" / "traces.jsonl")
    assert trace.correct is None and trace.why.startswith("unchecked: its source gives no gold")
    told = r"1 traces are unchecked.*teacher\.columns=\{answer: COLUMN\}.*selection=all"
    with pytest.raises(ValueError, match=told):
        select_traces(SelectionConfig(), SizeConfig(1), tmp_path / "verified", out=tmp_path)


AIME = CHECKOUT.parent / "shared" / "data" / "traces" / "deepseek_r1_aime24.jsonl"


@pytest.mark.skipif(not AIME.is_file(), reason="../shared/data is not here")
def test_of_real_traces_those_that_are_right_by_the_gold_answer_are_right_and_without_it_none(
    tmp_path,
):
    """30 whole completions of DeepSeek-R1, 23 of them right; by their own answers all 30 were."""
    rows = []
    for line in AIME.open(encoding="utf-8"):
        given = json.loads(line)
        text = f"<think>\n{given['reasoning']}\n</think>\n\n{given['solution']}"
        rows.append({"conversations": turns(given["question"], text=text)})
        rows[-1]["gold"] = given["gold_answer"]
    for form in ("sharegpt", "bespoke_stratos_17k"):
        counted = []
        for columns in ({}, {"answer": "gold"}):
            how = {"format": form, "prompt": THINK, "columns": columns}
            teacher, problems = record(tmp_path, rows, **how)
            assert len(sample(teacher, problems, tmp_path)[0]) == 30
            made = verified(tmp_path)
            counted.append([made[name] for name in ("correct", "wrong", "unchecked")])
        assert counted == [[0, 0, 30], [23, 7, 0]]


PROGRAM = (
    "<think>\nread, add, print\n</think>\n\n```python\nprint(sum(map(int, input().split())))\n```"
)
PAIRS = [{"input": "1 2\n", "output": "3\n"}, {"input": "4 5\n", "output": "9\n"}]
WRONG = [{"input": "1 2\n", "output": "2\n"}]
TESTS = {
    "pairs": PAIRS,
    "pairs as JSON": json.dumps(PAIRS),
    "pairs in lists": {"inputs": ["1 2\n"], "outputs": ["3\n"]},
    "of a type": [{"type": "stdin"} | PAIRS[0], json.dumps({"type": "stdin"} | PAIRS[1])],
}
"""A column of tests, as it may be given."""

ASKED = "Read numbers and print their sum."
PROGRAM_ROWS = {
    "sharegpt": {"conversations": turns(ASKED, text=PROGRAM)},
    "messages": {"messages": turns(ASKED, text=PROGRAM)},
    "bespoke_stratos_17k": {"conversations": turns(ASKED, text=PROGRAM)},
    "sky_t1_17k": {"conversations": turns(ASKED, text=PROGRAM)},
    "limo": {"question": ASKED, "solution": PROGRAM},
    "openr1_math_220k": {"problem": ASKED, "generations": [PROGRAM]},
    "json_lines": {"question": ASKED, "thought": "add", "solution": PROGRAM},
    "s1k_1_1": {
        "question": ASKED,
        "deepseek_thinking_trajectory": "add",
        "deepseek_attempt": PROGRAM,
    },
    "openthoughts_114k": {
        "problem": ASKED,
        "domain": "code",
        "deepseek_reasoning": "add",
        "deepseek_solution": PROGRAM,
    },
}


def test_every_format_but_that_of_worked_solutions_is_tried_with_programs():
    assert {*PROGRAM_ROWS} == {*FORMATS} - {"numina_cot"}


@pytest.mark.parametrize("given", TESTS)
@pytest.mark.parametrize("form", PROGRAM_ROWS)
def test_a_column_of_tests_makes_a_row_of_every_format_a_program_that_is_checked(
    tmp_path, form, given
):
    rows = [PROGRAM_ROWS[form] | {"tests": TESTS[given]}]
    teacher, problems = record(tmp_path, rows, format=form, prompt=THINK)
    (trace,), _ = sample(teacher, problems, tmp_path)
    assert (trace.problem.kind, trace.problem.answer) == ("code", "")
    assert [json.loads(test) for test in trace.problem.tests] == [
        {"type": "stdin"} | pair for pair in (PAIRS[:1] if given == "pairs in lists" else PAIRS)
    ]


def test_programs_of_ones_own_are_right_or_wrong_by_their_tests(tmp_path):
    rows = [
        {"conversations": turns(f"{ASKED} ({n})", text=PROGRAM), "cases": tests}
        for n, tests in enumerate((PAIRS, WRONG, json.dumps(PAIRS)))
    ]
    how = {"format": "sharegpt", "prompt": THINK, "columns": {"tests": "cases"}}
    teacher, problems = record(tmp_path, rows, **how)
    sample(teacher, problems, tmp_path)
    trusted = replace(COMPUTE, unsandboxed_code=True)
    counts = verified(tmp_path, trusted)
    assert (counts["correct"], counts["wrong"], counts["unchecked"]) == (2, 1, 0)


@pytest.mark.parametrize("form", ["json_lines", "sharegpt", "messages", "limo"])
def test_a_program_without_tests_or_a_reference_is_told_what_to_add(tmp_path, form):
    row = PROGRAM_ROWS[form] | {"kind": "code"}
    teacher, problems = record(tmp_path, [row], format=form, prompt=THINK, max_rejected=1.0)
    traces, counts = sample(teacher, problems, tmp_path)
    assert traces == [] and counts["reasons"] == {"no tests": 1}
    (named,) = told(tmp_path)
    assert "add a column tests" in named["why"] and "columns={tests: COLUMN}" in named["why"]
    teacher, problems = record(tmp_path, [row | {"answer": "print(3)"}], format=form, prompt=THINK)
    sample(teacher, problems, tmp_path)
    assert verified(tmp_path)["unchecked"] == 1


def test_a_row_without_an_answer_says_that_programs_have_tests(tmp_path):
    row = {"question": ASKED, "thought": "add", "solution": PROGRAM}
    teacher, problems = record(tmp_path, [row], max_rejected=1.0)
    sample(teacher, problems, tmp_path)
    (named,) = told(tmp_path)
    assert named["why"].startswith("no answer: no column answer; has question")
    assert named["why"].endswith("a program needs a column tests instead")


@pytest.mark.parametrize("pattern", ["[", "(", "a{2,1}", "(?P<x", "*"])
@pytest.mark.parametrize("config", [TeacherConfig, DatasetConfig])
def test_what_is_no_regular_expression_is_refused_with_its_field(config, pattern):
    kind = "recorded" if config is TeacherConfig else "rows"
    with pytest.raises(ValueError, match=r"^where\.answer is no regular expression: .*; got"):
        config(kind=kind, path="x.jsonl", where={"answer": pattern})


def test_a_where_that_no_row_has_or_passes_is_an_error(tmp_path):
    rows = [row("a", 0, year=2023, real=True), row("b", 1, year=None, real=False)]
    with pytest.raises(ValueError, match=r"where: no row has yaer; nearest: year; there are quest"):
        record(tmp_path, rows, where={"yaer": "2023"})
    with pytest.raises(ValueError, match=r"passes none of the 2 rows; it asks for year: \^19"):
        record(tmp_path, rows, where={"year": "^19"})
    teacher, problems = record(tmp_path, rows, where={"real": "^true$", "year": "^2023$"})
    assert len(sample(teacher, problems, tmp_path / "out")[0]) == 1


@pytest.mark.parametrize("name", ["path", "columns", "where"])
def test_the_problems_of_a_teacher_are_read_as_its_traces_or_refused(name):
    value = "x.jsonl" if name == "path" else {"answer": "gold"}
    teacher = TeacherConfig(kind="recorded", path="y.jsonl")
    with pytest.raises(ValueError, match=rf"set teacher\.{name}"):
        Config(teacher=teacher, dataset=DatasetConfig(kind="recorded", **{name: value}))
    again = Config(teacher=teacher, dataset=DatasetConfig(kind="recorded", path="y.jsonl"))
    assert Config(teacher=teacher, dataset=again.dataset).dataset == again.dataset
