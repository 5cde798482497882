"""The stage `corrupt`: as many traces, counted, the same bytes when made again."""

import json
from random import Random

import pytest

from distill.corruptions.config import CorruptionConfig
from distill.corruptions.corrupt import corrupt_traces, pins
from distill.micro import scripted_teacher, sign_puzzle
from distill.trace.records import Problem, Trace, read_traces, write_records


def traces(slip, count=20):
    found = []
    for puzzle in sign_puzzle.problems("train", count, 0):
        problem = Problem.of(puzzle.question, puzzle.answer, "sign_puzzle", "micro")
        text = scripted_teacher.write(puzzle.question, Random(puzzle.question), slip)
        found.append(Trace.of(problem, "t", int(slip), *text, correct=not slip))
    return found


@pytest.fixture
def folders(tmp_path):
    for name in ("selected", "verified", "out"):
        (tmp_path / name).mkdir()
    write_records(tmp_path / "selected" / "traces.jsonl", traces(slip=False))
    write_records(
        tmp_path / "verified" / "traces.jsonl", traces(slip=False) + traces(slip=True, count=30)
    )
    return tmp_path


def run(folders, *config):
    corruption = CorruptionConfig(*config)
    corrupt_traces(corruption, folders / "selected", folders / "verified", out=folders / "out")
    return json.loads((folders / "out" / "summary.json").read_text())


@pytest.mark.parametrize("name", ["none", "shuffle_steps", "random_digits", "wrong_answers"])
def test_fraction_zero_gives_the_selected_bytes(name, folders):
    summary = run(folders, name, 0.0)
    selected = (folders / "selected" / "traces.jsonl").read_bytes()
    assert (folders / "out" / "traces.jsonl").read_bytes() == selected
    assert summary == {
        "traces": 20, "units": 0, "damaged": 0, "share": None, "untouched_traces": 20,
        "nothing_to_damage": 0, "changed": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    "name",
    ["shuffle_steps", "delete_steps", "insert_steps", "random_digits", "wrong_answers",
     "remove_keywords"],
)  # fmt: skip
def test_same_traces_the_stated_share_and_the_same_bytes_when_made_again(name, folders):
    summary = run(folders, name, 0.5)
    made = (folders / "out" / "traces.jsonl").read_bytes()
    assert len(list(read_traces(folders / "out" / "traces.jsonl"))) == summary["traces"] == 20
    assert summary["share"] == summary["damaged"] / summary["units"]
    assert 0.3 < summary["share"] < 0.7
    # As after a killed attempt: what is there is written over.
    (folders / "out" / "traces.jsonl").write_text("incomplete")
    assert run(folders, name, 0.5) == summary
    assert (folders / "out" / "traces.jsonl").read_bytes() == made


def test_shares_count_what_was_damaged_and_untouched_what_was_not(folders):
    summary = run(folders, "random_digits", 0.01)
    before = read_traces(folders / "selected" / "traces.jsonl")
    after = read_traces(folders / "out" / "traces.jsonl")
    same = sum(a == b for a, b in zip(before, after, strict=True))
    assert 0 < summary["untouched_traces"] == same
    assert 0 < summary["share"] < 0.03


def test_keyword_list_is_pinned_where_it_is_read():
    assert pins(CorruptionConfig("remove_keywords", 0.5), None, None)
    assert pins(CorruptionConfig("shuffle_steps", 0.5, steps="reflection"), None, None)
    assert not pins(CorruptionConfig("shuffle_steps", 0.5), None, None)
