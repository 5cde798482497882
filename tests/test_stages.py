"""Stages 1 to 4 on the embedded world: problems, traces, verdicts, selection."""

import json
from pathlib import Path

import pytest

from distill.compute import ComputeConfig
from distill.data.config import DatasetConfig
from distill.data.problems import load_problems
from distill.grading.config import GradingConfig
from distill.grading.grade import grade
from distill.teachers.config import SelectionConfig, SizeConfig, TeacherConfig, VerificationConfig
from distill.teachers.select import select_traces
from distill.teachers.traces import sample_traces
from distill.teachers.verify import verify_traces
from distill.trace.records import Problem, read_problems, read_traces, write_records

COMPUTE = ComputeConfig(progress=False, workers=1)
GRADER = (GradingConfig(name="strict"), VerificationConfig(name="grader"))
PUZZLE = Problem.of("Use + or - between 6 1 1 3 to make 9.", "6+1-1+3", "sign_puzzle", "test")


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """Stages 1 to 3 of 60 problems with two traces each, half of them slipped."""
    folder = tmp_path_factory.mktemp("made")
    for name in ("problems", "traces", "verified"):
        (folder / name).mkdir()
    load_problems(DatasetConfig(kind="sign_puzzle", problems=60), out=folder / "problems")
    teacher = TeacherConfig(kind="scripted", samples=2, slip_rate=0.5)
    sample_traces(teacher, folder / "problems", compute=COMPUTE, out=folder / "traces")
    verify_traces(*GRADER, folder / "traces", compute=COMPUTE, out=folder / "verified")
    return folder


def summary(folder: Path) -> dict:
    return json.loads((folder / "summary.json").read_text())


def select(made: Path, out: Path, size: int, **selection) -> list[str]:
    out.mkdir()
    select_traces(SelectionConfig(**selection), SizeConfig(size), made / "verified", out=out)
    return [trace.id for trace in read_traces(out / "traces.jsonl")]


def test_problems_are_distinct_and_as_many_as_asked_for(made):
    problems = list(read_problems(made / "problems" / "problems.jsonl"))
    assert len({p.id for p in problems}) == 60 == summary(made / "problems")["problems"]


def test_a_source_without_a_file_or_hub_id_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no rows to read: set path"):
        load_problems(DatasetConfig(format="numina_math"), out=tmp_path)


def test_an_unknown_teacher_names_the_choices(made, tmp_path):
    with pytest.raises(ValueError, match=r"teacher.kind must be one of scripted.*got 'r1'"):
        sample_traces(TeacherConfig(kind="r1"), made / "problems", compute=COMPUTE, out=tmp_path)


def test_a_traces_text_does_not_depend_on_the_other_problems(made, tmp_path):
    some = list(read_problems(made / "problems" / "problems.jsonl"))[40:43]
    (tmp_path / "some").mkdir()
    (tmp_path / "out").mkdir()
    write_records(tmp_path / "some" / "problems.jsonl", reversed(some))
    teacher = TeacherConfig(kind="scripted", samples=2, slip_rate=0.5)
    sample_traces(teacher, tmp_path / "some", compute=COMPUTE, out=tmp_path / "out")
    everything = {t.id: t for t in read_traces(made / "traces" / "traces.jsonl")}
    few = list(read_traces(tmp_path / "out" / "traces.jsonl"))
    assert [everything[t.id] for t in few] == few


def test_verification_keeps_every_trace_and_says_why(made):
    traces = list(read_traces(made / "verified" / "traces.jsonl"))
    counts = summary(made / "verified")
    assert counts["traces"] == len(traces) == 120
    assert counts["correct"] == sum(t.correct is True for t in traces)
    assert counts["correct"] + counts["wrong"] == 120
    assert 35 <= counts["wrong"] <= 85  # a slip in half of the traces
    assert all(t.why for t in traces)


def test_a_trace_that_was_cut_off_is_wrong_whatever_it_says(made, tmp_path):
    trace = next(read_traces(made / "traces" / "traces.jsonl"))
    (tmp_path / "cut").mkdir()
    cut = {"finish_reason": "length", "solution": r"\boxed{6+1-1+3}"}
    write_records(tmp_path / "cut" / "traces.jsonl", [type(trace)(**trace.__dict__ | cut)])
    verify_traces(*GRADER, tmp_path / "cut", compute=COMPUTE, out=tmp_path)
    assert next(read_traces(tmp_path / "traces.jsonl")).correct is False


def test_a_smaller_size_is_a_prefix_of_a_larger_and_all_are_correct(made, tmp_path):
    small, large = select(made, tmp_path / "s", 10), select(made, tmp_path / "l", 30)
    assert large[:10] == small
    verified = {t.id: t for t in read_traces(made / "verified" / "traces.jsonl")}
    assert all(verified[name].correct for name in large)
    assert len({verified[name].problem.id for name in large}) == 30


def test_another_seed_selects_others(made, tmp_path):
    assert select(made, tmp_path / "a", 20) != select(made, tmp_path / "b", 20, seed=1)


def test_more_traces_than_there_are_is_an_error_with_numbers(made, tmp_path):
    with pytest.raises(ValueError, match=r"size\.traces=61, but only \d+ traces are eligible"):
        select(made, tmp_path / "x", 61)


def test_wrong_traces_train_only_if_asked_for(made, tmp_path):
    taken = select(made, tmp_path / "all", 60, correct_only=False)
    verified = {t.id: t for t in read_traces(made / "verified" / "traces.jsonl")}
    assert any(verified[name].correct is False for name in taken)


@pytest.mark.parametrize(
    ("solution", "correct", "answer"),
    [
        (r"\boxed{6+1-1+3}.", True, "6+1-1+3"),
        (r"\boxed{6-1+1+3}.", True, "6-1+1+3"),
        (r"\boxed{6+1+1+3}.", False, "6+1+1+3"),
        (r"\boxed{1+6-1+3}.", False, "1+6-1+3"),
        (r"\boxed{9}.", False, "9"),
        (r"\boxed{6+1-1+3}. No: \boxed{6+1+1+3}.", False, "6+1+1+3"),
        ("6+1-1+3", False, None),
        (r"\boxed{6+1-1+3", False, None),
        ("", False, None),
    ],
)
def test_the_last_boxed_expression_is_graded_exactly(solution, correct, answer):
    verdict = grade(PUZZLE, solution)
    assert (verdict.correct, verdict.answer) == (correct, answer)


def test_a_kind_without_a_grader_names_the_choices():
    with pytest.raises(ValueError, match=r"no grader for kind 'poem'; known: .*sign_puzzle"):
        grade(Problem.of("q", "a", "poem", "test"), "")
