"""Records: ids by content, JSON lines in and out."""

import json
import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.micro import scripted_teacher
from distill.trace.records import (
    Problem,
    Trace,
    placed_traces,
    read_problems,
    read_rows,
    read_traces,
    record_row,
    traces_at,
    write_records,
)

ANY_TEXT = st.text(st.characters())


def trace(thought="t", solution="s") -> Trace:
    problem = Problem.of("q", "a", "math", "here", difficulty=3.0, tests=("assert f()",))
    return Trace.of(problem, "teacher", 0, thought, solution, correct=True, tokens=3)


@given(ANY_TEXT, ANY_TEXT)
def test_any_text_comes_back_byte_for_byte(tmp_path_factory, thought, solution):
    path = tmp_path_factory.mktemp("rows") / "traces.jsonl"
    written = [trace(thought, solution), trace("\u2028\r\n", "\x85")]
    assert write_records(path, written) == 2
    assert list(read_traces(path)) == written


def test_the_row_in_the_docstring_is_a_trace_of_the_scripted_teacher(tmp_path):
    shown = re.search(r"\{.*\}", str(Trace.__doc__), re.DOTALL)[0]
    row = re.sub(r"\n\s*", " ", shown)
    (tmp_path / "traces.jsonl").write_text(row, encoding="utf-8")
    (read,) = read_traces(tmp_path / "traces.jsonl")
    question = read.problem.question
    problem = Problem.of(question, read.problem.answer, "sign_puzzle", "train")
    written = scripted_teacher.write(question, random.Random(problem.id), False)
    assert read == Trace.of(problem, "scripted", 0, *written, correct=True, why="right")
    assert json.dumps(record_row(read)) == row


def test_problems_come_back(tmp_path):
    problem = trace().problem
    write_records(tmp_path / "p.jsonl", [problem])
    assert list(read_problems(tmp_path / "p.jsonl")) == [problem]


def test_the_same_problem_has_the_same_id_wherever_it_comes_from():
    here, there = (Problem.of("q", "a", "math", source) for source in ("here", "there"))
    assert here.id == there.id
    assert here.id != Problem.of("q", "b", "math", "here").id
    assert Problem.of("qa", "", "math", "").id != Problem.of("q", "a", "math", "").id


def test_a_line_that_is_not_json_is_named_by_file_and_number(tmp_path):
    (tmp_path / "bad.jsonl").write_text('{"a": 1}\n{"a": ')
    with pytest.raises(ValueError, match=r"bad\.jsonl:2 is not JSON"):
        list(read_rows(tmp_path / "bad.jsonl"))


@given(st.lists(st.text(max_size=20), min_size=1, max_size=6), st.randoms())
def test_traces_are_read_in_any_order_from_their_places(tmp_path_factory, texts, rng):
    path = tmp_path_factory.mktemp("traces") / "traces.jsonl"
    traces = [trace(thought=text) for text in texts]
    write_records(path, traces)
    placed = list(placed_traces(path))
    assert [one for _, one in placed] == traces
    rng.shuffle(placed)
    assert list(traces_at(path, [place for place, _ in placed])) == [one for _, one in placed]
