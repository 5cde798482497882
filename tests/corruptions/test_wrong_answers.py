"""wrong_answers: what comes in is wrong, and each variant keeps what it promises."""

import re
from collections import Counter
from dataclasses import replace
from random import Random

import pytest

from distill.corruptions.config import CorruptionConfig
from distill.corruptions.edit_answer import edit_answer
from distill.corruptions.operators import Borrow
from distill.corruptions.operators.wrong_answers import wrong_answers
from distill.grading import answers
from distill.grading.grade import grade
from distill.micro.sign_puzzle import check
from distill.trace.records import Problem, Trace


def wrong(corpus, pool, fraction=1.0, **more):
    config = CorruptionConfig("wrong_answers", fraction, **more)
    return list(wrong_answers(corpus, config, Borrow(pool)))


def plain(thought, solution, answer, **more):
    problem = Problem.of("q", answer, "math", "t")
    return Trace.of(problem, "t", 0, thought, solution, correct=True, **more)


@pytest.mark.parametrize("mode", ["natural", "matched"])
def test_as_many_traces_each_graded_wrong_and_used_once(mode, micro, micro_wrong):
    items = wrong(micro, micro + micro_wrong, mode=mode)
    assert len(items) == len(micro)
    assert all(item.trace in micro_wrong for item in items)
    assert set(Counter(item.trace.id for item in items).values()) == {1}


@pytest.mark.parametrize("mode", ["natural", "matched"])
def test_a_share_is_replaced_and_the_rest_is_as_it_was(mode, micro, micro_wrong):
    few, many = (wrong(micro, micro_wrong, f, mode=mode) for f in (0.33, 0.67))
    assert 0 < sum(i.damaged for i in few) < sum(i.damaged for i in many) < len(micro)
    for before, a, b in zip(micro, few, many, strict=True):
        assert a.damaged <= b.damaged
        assert (a.trace == before) == (a.damaged == 0)
    ids = [{i.trace.id for i in items if i.damaged} for items in (few, many)]
    assert ids[0] < ids[1]


@pytest.mark.parametrize("mode", ["natural", "matched"])
def test_one_shot_iterators_and_other_orders_give_the_same_set(mode, micro, micro_wrong):
    first = wrong(iter(micro), iter(micro_wrong), 0.5, mode=mode)
    second = wrong(micro[::-1], micro_wrong[::-1], 0.5, mode=mode)
    assert {i.trace.id for i in first} == {i.trace.id for i in second}


@pytest.mark.parametrize("mode", ["natural", "matched"])
def test_too_few_wrong_traces_are_refused_with_both_numbers(mode, micro, micro_wrong):
    with pytest.raises(ValueError, match="needs 60 verified traces graded wrong, but there are 10"):
        wrong(micro, micro + micro_wrong[:10], mode=mode)


def test_matched_takes_the_same_problem_where_it_can_and_else_the_length(micro, micro_wrong):
    far = [
        replace(
            t, id=f"far{i}", problem=Problem.of(f"far{i}", "1", "math", "t"), thought="long " * n
        )
        for i, (t, n) in enumerate(zip(micro_wrong, range(1000, 1060), strict=True))
    ]
    items = wrong(micro, micro_wrong + far, mode="matched")
    shared = {trace.problem.id for trace in micro_wrong}
    for before, item in zip(micro, items, strict=True):
        if before.problem.id in shared:
            assert item.trace.problem == before.problem
        assert not item.trace.id.startswith("far")


def test_edited_sign_puzzles_are_wrong_of_the_same_numbers_and_agree_with_their_thought(micro):
    for before, item in zip(micro, wrong(micro, (), mode="edited"), strict=True):
        old, new = (t.solution.removeprefix(r"So \boxed{")[:-2] for t in (before, item.trace))
        right, why = check(before.problem.question, new)
        assert not right
        assert why.startswith("makes")  # the numbers, their order and the running totals are sound
        assert old not in item.trace.thought
        assert new in item.trace.thought
        assert item.trace.correct is False
        assert re.sub(r"[+-]", "#", before.thought) == re.sub(r"[+-]", "#", item.trace.thought)


@pytest.mark.parametrize(
    ("answer", "thought", "changed"),
    [
        ("204", "So 204. Not 1204, 204.5, 2,204 or 2043, but 204.", 2),
        (r"60\%", r"60 of 100 is 60%", 2),
        ("1,234.5", "is 1,234.5, or 1234.5", 2),
        (r"\frac{1}{2}", r"\frac{1}{2}, \dfrac{1}{2} and \frac {1} {2}", 3),
        ("-7", "it is -7, or 7", 2),
        ("B", "A is out. Option (B) it is; the answer is B. B follows.", 2),
    ],
)
def test_edited_answers_have_the_same_shape_and_are_replaced_wherever_they_stand(
    answer, thought, changed
):
    for seed in range(20):
        before = plain(thought, rf"So \boxed{{{answer}}}.", answer)
        after = edit_answer(before, Random(seed)).trace
        new = after.solution.removeprefix(r"So \boxed{")[:-2]
        assert new != answer
        shape = r"[0-9]" if answer != "B" else r"B|C|D|A(?! is)"
        assert re.sub(shape, "0", new) == re.sub(shape, "0", answer)
        assert re.sub(shape, "0", after.thought) == re.sub(shape, "0", thought)
        old_words, new_words = thought.split(), after.thought.split()
        differing = sum(a != b for a, b in zip(old_words, new_words, strict=True))
        assert 1 <= differing <= changed


def test_answers_of_real_traces_are_replaced_where_they_conclude_and_the_rest_stays(real):
    right = [t for t in real if t.correct and rf"\boxed{{{t.problem.answer}}}" in t.solution]
    assert len(right) > 20
    items = wrong(right, (), mode="edited")
    places = sorted(item.places for item in items)
    assert places[0] >= 2 and places[len(places) // 2] <= 7 and places[-1] <= 25
    for before, item in zip(right, items, strict=True):
        answer = before.problem.answer
        assert item.damaged == 1
        assert rf"\boxed{{{answer}}}" not in item.trace.thought + item.trace.solution
        old, new = (t.thought + t.solution for t in (before, item.trace))
        numbers = zip(re.findall(r"\d+", old), re.findall(r"\d+", new), strict=True)
        changed = sum(a != b for a, b in numbers)
        assert 0 < changed <= item.places
        for old, new in (
            (before.thought, item.trace.thought),
            (before.solution, item.trace.solution),
        ):
            assert re.sub(r"[0-9]", "0", old) == re.sub(r"[0-9]", "0", new)


@pytest.mark.parametrize(
    ("solution", "answer", "kind", "left"),
    [
        (r"So \fbox{31}.", "31", "math", r"So \fbox{#}."),
        (r"So \boxed{1} and \boxed{2}.", "1, 2", "math", r"So \boxed{#} and \boxed{#}."),
        (r"So \boxed{5} or \boxed{-5}.", "5, -5", "math", r"So \boxed{#} or \boxed{-#}."),
        (r"So \boxed{\$245,\!000}.", "245000", "math", r"So \boxed{\$#,\!#}."),
        (r"So \boxed{21\ \text{cm}^2}.", "21", "math", r"So \boxed{#\ \text{cm}^2}."),
        ("<answer>31</answer>", "31", "math", "<answer>#</answer>"),
        ("The final answer is $31$.", "31", "math", "The final answer is $#$."),
        ("The answer is (B) Paris.", "B", "choice", "The answer is (#) Paris."),
    ],
)
def test_the_edited_answer_is_the_one_that_is_graded(solution, answer, kind, left):
    problem = Problem.of("q", answer, kind, "t")
    trace = Trace.of(problem, "t", 0, f"Now {solution}", solution, correct=True)
    assert grade(problem, solution).correct
    for seed in range(20):
        after = edit_answer(trace, Random(seed)).trace
        changing = r"(?<!\^)[0-9]+" if kind == "math" else r"(?<=\()[A-D](?=\))"
        assert re.sub(changing, "#", after.solution) == left
        assert after.thought == f"Now {after.solution}"
        assert not set(answers.parts(after.solution)) & set(answers.parts(solution))
        assert not grade(problem, after.solution).correct


def test_right_answers_of_real_traces_are_graded_wrong_after_the_edit(real):
    right = [trace for trace in real if grade(trace.problem, trace.solution).correct]
    assert len(right) > 20
    for trace in right:
        edited = edit_answer(trace, Random(trace.id)).trace
        assert not grade(trace.problem, edited.solution).correct


def test_what_cannot_be_edited_is_left_and_counted(micro):
    odd = [plain("x", r"\boxed{\text{even}}", "even"), plain("x", "no answer", "5")]
    done = [replace(micro[0], correct=False)]
    for before, item in zip(odd + done, wrong(odd + done, (), mode="edited"), strict=True):
        assert (item.units, item.damaged, item.trace) == (0, 0, before)


@pytest.mark.parametrize("mode", ["natural", "matched"])
def test_no_trace_that_was_cut_off_or_has_no_verdict_or_is_of_the_corpus_is_taken(
    mode, micro, micro_wrong
):
    cut = [replace(t, id=f"cut{i}", finish_reason="length") for i, t in enumerate(micro_wrong)]
    open_ = [replace(t, id=f"open{i}", correct=None) for i, t in enumerate(micro_wrong)]
    corpus = micro[:20] + micro_wrong[:20]  # with selection=all wrong traces are selected, too
    donors = cut + micro + open_ + micro_wrong
    items = wrong(corpus, donors, mode=mode)
    assert {item.trace.id for item in items} == {trace.id for trace in micro_wrong[20:]}
    assert len(items) == 40 and all(item.damaged for item in items)
    with pytest.raises(ValueError, match="needs 41 verified traces graded wrong, but there are 40"):
        wrong(micro[:41], cut + open_ + micro_wrong[:40], mode=mode)


def test_natural_wrong_answers_follow_the_seed_at_every_rate(micro, micro_wrong):
    for fraction in (0.5, 1.0):
        chosen = [
            {i.trace.id for i in wrong(micro[:20], micro_wrong, fraction, seed=seed) if i.damaged}
            for seed in range(4)
        ]
        assert len(set(map(frozenset, chosen))) == 4
    again = wrong(micro[:20], micro_wrong, 1.0, seed=3)
    assert {item.trace.id for item in again} == chosen[3]
