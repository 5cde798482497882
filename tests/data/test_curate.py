"""Quotas of groups of problems, and the most different problems first."""

from collections import Counter
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.data.config import CurationConfig
from distill.data.curate import curate, farthest_first
from distill.data.overlap import pieces
from distill.trace.records import Problem


def problem(n, kind="math", source="hub/a", difficulty=None, question=None):
    return Problem.of(question or f"question {n}", "1", kind, source, difficulty=difficulty)


PROBLEMS = [
    *(problem(n, source="numina/olympiads", difficulty=3.0) for n in range(12)),
    *(problem(n, kind="choice", source="numina/amc", difficulty=1.5) for n in range(12, 16)),
    *(problem(n, kind="countdown", source="other/amc") for n in range(16, 20)),
]


def taken(count, **how):
    return list(islice(curate(PROBLEMS, CurationConfig(**how)), count))


def test_without_a_rule_problems_keep_their_order():
    chosen = taken(99)
    assert [c.problem for c in chosen] == PROBLEMS
    assert {c.group for c in chosen} == {""} and {c.distance for c in chosen} == {None}


def test_groups_take_equal_turns_in_the_given_order_and_one_that_is_used_up_drops_out():
    chosen = taken(99, by="domain")
    kinds = [c.problem.kind for c in chosen]
    assert kinds[:6] == ["choice", "countdown", "math"] * 2
    assert Counter(kinds[:12]) == {"choice": 4, "countdown": 4, "math": 4}
    assert kinds[12:] == ["math"] * 8
    assert [c.problem for c in chosen if c.problem.kind == "math"] == PROBLEMS[:12]


@pytest.mark.parametrize(
    ("by", "groups"),
    [
        ("domain", {"math", "choice", "countdown"}),
        ("source", {"olympiads", "amc"}),
        ("difficulty", {"3", "1.5", "unknown"}),
    ],
)
def test_what_groups_problems(by, groups):
    assert {c.group for c in taken(99, by=by)} == groups


@given(st.integers(1, 12), st.integers(1, 5), st.integers(1, 5))
def test_every_prefix_keeps_to_the_quotas(count, first, second):
    quotas = {"olympiads": float(first), "amc": float(second)}
    try:
        chosen = taken(count, by="source", quotas=quotas)
    except ValueError as error:
        assert "amc has only 8 eligible problems" in str(error)
        return
    for length in range(1, count + 1):
        counts = Counter(c.group for c in chosen[:length])
        for group, weight in quotas.items():
            assert abs(counts[group] - length * weight / (first + second)) <= 1


def test_groups_without_a_quota_are_left_out_and_unknown_or_exhausted_ones_are_errors():
    assert {c.group for c in taken(4, by="domain", quotas={"choice": 1})} == {"choice"}
    with pytest.raises(ValueError, match=r"choice has only 4 eligible problems, where 4 are taken"):
        taken(5, by="domain", quotas={"choice": 1})
    with pytest.raises(ValueError, match=r"names code, but by domain there are choice, countdown,"):
        taken(1, by="domain", quotas={"code": 1, "math": 2})
    with pytest.raises(ValueError, match=r"needs selection\.problems\.by"):
        CurationConfig(quotas={"math": 1})
    with pytest.raises(ValueError, match=r"quotas\.math must be > 0; got 0"):
        CurationConfig(by="domain", quotas={"math": 0})


def distance(one, other):
    a, b = ({*pieces(text, 1), *pieces(text, 2)} for text in (one, other))
    return 1 - len(a & b) / max(len(a | b), 1)


@given(st.lists(st.text("ab ", max_size=8), max_size=9))
def test_the_farthest_comes_first_as_by_comparing_all(texts):
    found = list(farthest_first(texts))
    assert sorted(at for at, _ in found) == list(range(len(texts)))
    for step, (at, far) in enumerate(found):
        before = [texts[i] for i, _ in found[:step]]
        rest = [i for i in range(len(texts)) if i not in {j for j, _ in found[:step]}]
        if not before:
            assert (at, far) == (0, None)
            continue
        nearest = {i: min(distance(texts[i], text) for text in before) for i in rest}
        assert far == pytest.approx(max(nearest.values()))
        assert at == next(i for i in rest if nearest[i] == pytest.approx(far))


def test_the_most_different_problems_are_spread_where_the_first_are_alike():
    alike = [f"Add {n} and {n + 1} to get a number." for n in range(8)]
    other = ["Colour a map with four colours.", "Which prime divides both?"]
    order = [at for at, _ in farthest_first(alike + other)]
    assert order[0] == 0 and {*order[1:3]} == {8, 9}


def test_the_most_different_come_first_within_each_group():
    questions = ["a b c", "a b c d", "x y z"]
    problems = [
        problem(0, kind=kind, question=f"{text}") for kind in ("math", "code") for text in questions
    ]
    chosen = list(curate(problems, CurationConfig(by="domain", diverse=True)))
    assert [c.group for c in chosen] == ["code", "math"] * 3
    for group in ("code", "math"):
        mine = [c for c in chosen if c.group == group]
        assert [c.problem.question for c in mine] == ["a b c", "x y z", "a b c d"]
        assert [c.distance for c in mine] == [None, 1.0, pytest.approx(2 / 7)]
