"""Which verified traces are selected."""

import json
import random
import tracemalloc
from dataclasses import replace
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.config import Config
from distill.data.config import CurationConfig
from distill.data.curate import curate
from distill.teachers.config import SelectionConfig, SizeConfig, VerificationConfig
from distill.teachers.majority import majority
from distill.teachers.select import select_traces
from distill.trace.records import Problem, Trace, digest, read_traces, write_records


@pytest.fixture
def select(tmp_path):
    """(problem, sample, verdict) of each trace, in the order of the file -> those selected."""

    def select(rows, size, *, paired=None, **options):
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "out").mkdir(exist_ok=True)
        traces = [
            Trace.of(
                Problem.of(f"q{p}", "1", "math", "t"),
                "t",
                k,
                "a",
                "b",
                correct=verdict,
                score=(*score, None)[0],
            )
            for p, k, verdict, *score in rows
        ]
        write_records(tmp_path / "in" / "traces.jsonl", traces)
        config = SelectionConfig(**options)
        select_traces(config, SizeConfig(size), tmp_path / "in", paired, out=tmp_path / "out")
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
    for rows in (MIXED, MIXED[::-1]):
        assert sorted(select(rows, 2)) == [(0, 2, True), (2, 9, True)]
        taken = select(rows, 4, per_problem=2)
        for problem in (0, 2):
            samples = [k for p, k, _ in taken if p == problem]
            assert samples == sorted(samples)


def test_all_takes_every_verdict_and_still_the_lowest_sample(select):
    taken = select(MIXED, 3, correct_only=False)
    assert sorted(taken, key=lambda t: t[0]) == [(0, 0, False), (1, 0, None), (2, 2, False)]


def test_a_smaller_size_is_a_prefix_and_another_seed_another_order(select):
    rows = [(p, 0, True) for p in range(40)]
    whole = select(rows, 40)
    assert select(rows, 15) == whole[:15]
    assert select(rows, 40, seed=1) != whole
    assert sorted(select(rows, 40, seed=1)) == sorted(whole)


def test_the_best_of_a_problem_is_the_right_trace_with_the_highest_score(select):
    rows = [(0, 0, True, 0.5), (0, 1, True, 2.0), (0, 2, False, 9.0), (0, 3, True, 2.0)]
    assert select(rows, 1, by="score") == [(0, 1, True)]
    assert [k for _, k, _ in select(rows, 3, by="score", per_problem=3)] == [1, 3, 0]
    assert select(rows, 1, by="score", correct_only=False) == [(0, 2, False)]
    assert select(rows, 1) == [(0, 0, True)]
    with pytest.raises(ValueError, match=r"has no score: set verification\.reward_model"):
        select([(0, 0, True)], 1, by="score")
    with pytest.raises(ValueError, match=r"selection\.by=score needs the scores of a model"):
        Config(selection=SelectionConfig(by="score"))
    assert Config(
        selection=SelectionConfig(by="score"), verification=VerificationConfig(reward_model="m")
    )


def answered(*solutions, kind="math", verdicts=(), **more):
    problem = Problem.of("q", "", kind, "t")
    verdicts = verdicts or [None] * len(solutions)
    return [
        Trace.of(problem, "t", k, "hm", text, correct=verdict, **more)
        for k, (text, verdict) in enumerate(zip(solutions, verdicts, strict=True))
    ]


def voted(traces):
    return [trace.sample for trace in majority(traces)]


def test_the_majority_gives_the_most_frequent_answer_and_the_first_of_equally_frequent_ones():
    one, two, half = r"\boxed{1}", r"so \boxed{2}", r"\boxed{\frac{1}{2}}"
    assert voted(answered(two, one, one)) == [1, 2]
    assert voted(answered(two, one, one, two)) == [0, 3]
    assert voted(answered(one, half, r"It is \boxed{0.5}.")) == [1, 2]
    assert voted(answered("no answer here", "nor here", one)) == [2]
    assert voted(answered(one, one, finish_reason="length")) == voted([]) == []
    assert voted(answered("(B)", r"\boxed{A}", r"\boxed{(A)}", kind="choice")) == [1, 2]
    right = answered(two, r"\boxed{x+1}", r"\boxed{1+x}", verdicts=(False, True, True))
    assert voted(right) == [1, 2]
    with pytest.raises(ValueError, match="no vote over programs"):
        majority(answered("```python\n1\n```", kind="code"))


def test_a_badly_written_trace_is_not_selected_even_where_all_are(select, tmp_path):
    traces = answered(r"\boxed{1}", r"\boxed{2}", verdicts=(True, True))
    traces[0] = replace(traces[0], flaws=("code_block",))
    (tmp_path / "in").mkdir()
    write_records(tmp_path / "in" / "traces.jsonl", traces)
    assert list(read_traces(tmp_path / "in" / "traces.jsonl")) == traces
    for correct_only in (True, False):
        how = SelectionConfig(correct_only=correct_only, per_problem=2)
        select_traces(how, SizeConfig(1), tmp_path / "in", out=tmp_path)
        assert [t.sample for t in read_traces(tmp_path / "traces.jsonl")] == [1]
        with pytest.raises(ValueError, match=r"\. 1 traces are badly written by the rules"):
            select_traces(how, SizeConfig(2), tmp_path / "in", out=tmp_path)


def test_groups_of_problems_are_counted_and_a_smaller_size_is_still_a_prefix(select, tmp_path):
    rows = [(p, 0, True) for p in range(30)]
    whole = select(rows, 30, problems=CurationConfig(by="difficulty", diverse=True))
    assert select(rows, 7, problems=CurationConfig(by="difficulty", diverse=True)) == whole[:7]
    counts = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert counts["groups"] == {"unknown": 7} and counts["least_distance"] == 1.0
    assert sorted(whole) == sorted(select(rows, 30))


@given(st.lists(st.integers(0, 3), min_size=1, max_size=12))
def test_the_majority_is_that_of_a_count(values):
    traces = answered(*(rf"\boxed{{{value}}}" for value in values))
    most = max(dict.fromkeys(values), key=values.count)
    assert voted(traces) == [k for k, value in enumerate(values) if value == most]


def test_a_majority_is_that_of_all_traces_whatever_the_verdicts(tmp_path):
    traces = answered(*(rf"\boxed{{{x}}}" for x in (5, 5, 7)), verdicts=(False, False, True))
    (tmp_path / "in").mkdir()
    write_records(tmp_path / "in" / "traces.jsonl", traces)
    (tmp_path / "out").mkdir()

    def select(size, **more):
        how = SelectionConfig(by="majority", **more)
        select_traces(how, SizeConfig(size), tmp_path / "in", out=tmp_path / "out")
        return [trace.sample for trace in read_traces(tmp_path / "out" / "traces.jsonl")]

    assert select(2, correct_only=False, per_problem=2) == [0, 1]
    with pytest.raises(ValueError, match="only 0 traces are eligible"):
        select(1)


HOWS = [
    {},
    {"per_problem": 3, "correct_only": False, "seed": 5},
    {"by": "score", "per_problem": 2},
    {"by": "majority", "per_problem": 2},
    {"problems": CurationConfig(by="source")},
    {"problems": CurationConfig(by="difficulty", quotas={"0": 1.0, "1": 3.0})},
    {"problems": CurationConfig(by="source", diverse=True)},
]


@pytest.mark.parametrize(
    ("how", "paired"),
    [
        (how, paired)
        for how in HOWS
        for paired in (False, True)
        if not ("problems" in how and paired)
    ],
    ids=str,
)
def test_what_is_selected_is_what_it_is_with_all_traces_in_memory(tmp_path, how, paired):
    rng = random.Random(0)
    problems = [
        Problem.of(f"q {i % 7} é\u2028 {i}", "1", "math", f"a/{i % 3}", difficulty=float(i % 2))
        for i in range(40)
    ]
    traces = [
        Trace.of(
            problem, "t", k, "hm \ud800", rf"\boxed{{{rng.randrange(3)}}}",
            correct=rng.choice([True, True, False, None]), score=rng.random(),
            flaws=("code_block",) * (rng.random() < 0.2),
        )
        for k in range(4) for problem in problems
    ]  # fmt: skip
    for name in ("in", "other", "out"):
        (tmp_path / name).mkdir()
    write_records(tmp_path / "in" / "traces.jsonl", traces)
    write_records(tmp_path / "other" / "traces.jsonl", traces[35:8:-2])
    config = SelectionConfig(problems_of="other" if paired else None, **how)
    wanted = in_memory(traces, config, traces[35:8:-2] if paired else None)[:8]
    select_traces(
        config, SizeConfig(8), tmp_path / "in", tmp_path / "other" if paired else None,
        out=tmp_path / "out",
    )  # fmt: skip
    write_records(tmp_path / "wanted", wanted)
    assert (tmp_path / "out" / "traces.jsonl").read_bytes() == (tmp_path / "wanted").read_bytes()


def in_memory(traces, config, pairs):
    order = {trace.problem.id: i for i, trace in reversed([*enumerate(pairs or ())])}
    groups = {}
    for trace in sorted(traces, key=lambda trace: trace.sample):
        if pairs is None or trace.problem.id in order:
            groups.setdefault(trace.problem.id, []).append(trace)
    place = order.get if pairs else lambda problem: (digest(str(config.seed), problem), problem)
    best = []
    for problem in sorted(groups, key=place):
        group = majority(groups[problem]) if config.by == "majority" else groups[problem]
        good = [t for t in group if not t.flaws and (t.correct or not config.correct_only)]
        if config.by == "score":
            good.sort(key=lambda trace: -trace.score)
        best.append(good[: config.per_problem])
    by_problem = {group[0].problem.id: group for group in best if group}
    chosen = curate([group[0].problem for group in by_problem.values()], config.problems)
    return [trace for one in islice(chosen, 8) for trace in by_problem[one.problem.id]]


def test_texts_are_not_kept_in_memory(tmp_path):
    (tmp_path / "out").mkdir()
    traces = (
        Trace.of(Problem.of(f"q{i}", "1", "math", "t"), "t", 0, "x" * 20_000, "s", correct=True)
        for i in range(400)
    )
    write_records(tmp_path / "traces.jsonl", traces)
    tracemalloc.start()
    select_traces(SelectionConfig(), SizeConfig(300), tmp_path, out=tmp_path / "out")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_200_000  # of 8 MB of traces


@pytest.fixture
def other(tmp_path):
    """Problems that another run selected, in its order, as an artifact of the stage."""

    def other(*problems):
        (tmp_path / "other").mkdir(exist_ok=True)
        traces = [
            Trace.of(Problem.of(f"q{p}", "1", "math", "t"), "u", 0, "a", "b") for p in problems
        ]
        write_records(tmp_path / "other" / "traces.jsonl", traces)
        return tmp_path / "other"

    return other


PAIRED = [(0, 0, True), (1, 0, False), (2, 0, True), (3, 0, True), (3, 1, True), (4, 0, True)]


def test_the_problems_of_another_run_are_taken_in_its_order_and_no_others(select, other, tmp_path):
    asked = {"problems_of": "the other run", "paired": other(3, 1, 2, 2, 0)}
    assert select(PAIRED, 2, **asked) == [(3, 0, True), (2, 0, True)]
    counts = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert (counts["paired_problems"], counts["passed_over"]) == (4, 1)
    assert select(PAIRED, 1, **asked) == [(3, 0, True)]
    counts = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert counts["passed_over"] == 0
    assert select(PAIRED, 4, per_problem=2, **asked) == [
        *((3, 0, True), (3, 1, True), (2, 0, True), (0, 0, True))
    ]


def test_too_few_pairs_are_an_error_that_says_what_counts(select, other):
    with pytest.raises(ValueError, match=r"only 3 traces .* Only the 4 problems of selection\.pr"):
        select(PAIRED, 4, problems_of="the other run", paired=other(3, 1, 2, 0))


def test_pairs_have_no_order_and_no_quotas_of_their_own():
    assert SelectionConfig(problems_of="size=1k", seed=3) == SelectionConfig(problems_of="size=1k")
    with pytest.raises(ValueError, match=r"problems_of='size=1k' decides .* name one"):
        SelectionConfig(problems_of="size=1k", problems=CurationConfig(diverse=True))
