"""Which verified traces are selected."""

import json

import pytest

from distill.teachers.config import SelectionConfig, SizeConfig
from distill.teachers.select import select_traces
from distill.trace.records import Problem, Trace, read_traces, write_records


@pytest.fixture
def select(tmp_path):
    """(problem, sample, verdict) of each trace, in the order of the file -> those selected."""

    def select(given, size, **options):
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "out").mkdir(exist_ok=True)
        traces = [
            Trace.of(Problem.of(f"q{p}", "1", "math", "t"), "t", k, "a", "b", correct=verdict)
            for p, k, verdict in given
        ]
        write_records(tmp_path / "in" / "traces.jsonl", traces)
        config = SelectionConfig(**options)
        select_traces(config, SizeConfig(size), tmp_path / "in", out=tmp_path / "out")
        found = read_traces(tmp_path / "out" / "traces.jsonl")
        return [(int(t.problem.question[1:]), t.sample, t.correct) for t in found]

    return select


MIXED = [
    *((0, 3, True), (0, 1, None), (0, 2, True), (0, 0, False)),
    *((1, 1, None), (1, 0, None), (2, 10, True), (2, 9, True), (2, 2, False)),
]


def test_a_trace_without_a_verdict_is_never_selected(select, tmp_path):
    assert sorted(select(MIXED, 4, per_problem=9)) == [
        (0, 2, True), (0, 3, True), (2, 9, True), (2, 10, True),
    ]  # fmt: skip
    counts = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert counts == {"traces": 4, "eligible": 4, "verified_eligible": 4}
    with pytest.raises(ValueError, match="only 4 traces are eligible"):
        select(MIXED, 5, per_problem=9)


def test_the_lowest_sample_of_a_problem_comes_first_whatever_the_order_of_the_file(select):
    for given in (MIXED, MIXED[::-1]):
        assert sorted(select(given, 2)) == [(0, 2, True), (2, 9, True)]
        taken = select(given, 4, per_problem=2)
        for problem in (0, 2):
            samples = [k for p, k, _ in taken if p == problem]
            assert samples == sorted(samples)


def test_all_takes_every_verdict_and_still_the_lowest_sample(select):
    taken = select(MIXED, 3, correct_only=False)
    assert sorted(taken, key=lambda t: t[0]) == [(0, 0, False), (1, 0, None), (2, 2, False)]


def test_a_smaller_size_is_a_prefix_and_another_seed_another_order(select):
    given = [(p, 0, True) for p in range(40)]
    whole = select(given, 40)
    assert select(given, 15) == whole[:15]
    assert select(given, 40, seed=1) != whole
    assert sorted(select(given, 40, seed=1)) == sorted(whole)
