"""insert_steps: foreign steps come from correct traces of other problems."""

from dataclasses import replace

import pytest

from distill.corruptions.config import CorruptionConfig
from distill.corruptions.operators import Borrow
from distill.corruptions.operators.insert_steps import DONORS, insert_steps
from distill.trace.records import Problem, Trace
from distill.trace.steps import split


def insert(corpus, pool, fraction=0.67, **more):
    config = CorruptionConfig("insert_steps", fraction, **more)
    return list(insert_steps(corpus, config, Borrow(pool)))


def tagged(problem, sample, correct=True, steps=12):
    """A trace of which every step names its problem, sample and verdict."""
    thought = "\n\n".join(f"{problem}/{sample}/{correct}/{i}" for i in range(steps))
    return Trace.of(
        Problem.of(f"q{problem}", "1", "math", "t"), "t", sample, thought, "s", correct=correct
    )


POOL = [tagged(p, s, correct=s != 1) for p in range(20) for s in range(3)]
CORPUS = [trace for trace in POOL if trace.sample == 0]


@pytest.mark.parametrize("mode", ["replace", "add"])
def test_foreign_steps_are_of_right_traces_of_other_problems(mode):
    foreign = 0
    for before, item in zip(CORPUS, insert(CORPUS, POOL, mode=mode), strict=True):
        own = set(split(before.thought, "blank_line").steps)
        for step in split(item.trace.thought, "blank_line").steps:
            problem, _, correct, _ = step.split("/")
            if step not in own:
                foreign += 1
                assert problem != before.problem.question[1:]
                assert correct == "True"
    assert foreign == len(CORPUS) * round(0.67 * 12)


def test_replacing_keeps_the_number_of_steps_and_where_the_others_stand():
    for before, item in zip(CORPUS, insert(CORPUS, POOL), strict=True):
        old, new = split(before.thought, "blank_line"), split(item.trace.thought, "blank_line")
        kept = [a == b for a, b in zip(old.steps, new.steps, strict=True)]
        assert sum(kept) == 12 - item.damaged
        assert new.separators == old.separators


def test_adding_loses_no_step_and_keeps_their_order(micro):
    for before, item in zip(micro, insert(micro, micro, mode="add"), strict=True):
        old, new = split(before.thought, "blank_line"), split(item.trace.thought, "blank_line")
        rest = iter(new.steps)
        assert all(step in rest for step in old.steps)
        assert len(new.steps) == len(old.steps) + item.damaged


@pytest.mark.parametrize("mode", ["replace", "add"])
def test_a_larger_fraction_inserts_the_same_steps_and_more(mode):
    few, many = (insert(CORPUS, POOL, fraction, mode=mode) for fraction in (0.33, 0.67))
    for before, a, b in zip(CORPUS, few, many, strict=True):
        own = set(before.thought.split("\n\n"))
        small, large = (set(x.trace.thought.split("\n\n")) - own for x in (a, b))
        assert small < large


def test_donors_are_bounded_and_do_not_depend_on_the_order_of_the_pool():
    pool = [tagged(p, 0, steps=1) for p in range(DONORS + 500)]
    corpus = [tagged(9999, 0, steps=20_000)]
    (first,), (second,) = insert(corpus, pool, 1.0), insert(corpus, iter(pool[::-1]), 1.0)
    assert first == second
    assert len(set(first.trace.thought.split("\n\n"))) == DONORS


def test_without_a_donor_of_another_problem_it_is_refused():
    own = tagged(1, 0)
    with pytest.raises(ValueError, match="correct traces of other problems"):
        insert([own], [own, replace(tagged(2, 0), correct=False)])
