"""shuffle_steps: the steps are permuted, nothing else moves."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest

from distill.corruptions.config import STEP_RULES, CorruptionConfig
from distill.corruptions.operators import Borrow
from distill.corruptions.operators.shuffle_steps import shuffle_steps
from distill.trace.records import Problem, Trace
from distill.trace.steps import split


def shuffle(corpus, fraction, rule="blank_line", seed=0):
    config = CorruptionConfig("shuffle_steps", fraction, seed, steps=rule)
    return list(shuffle_steps(corpus, config, Borrow()))


def numbered(total, name="x"):
    thought = "\n\n".join(f"step {i}" for i in range(total))
    return replace(Trace.of(Problem.of("q", "1", "math", "t"), "t", 0, thought, "s"), id=name)


@pytest.mark.parametrize("rule", STEP_RULES)
def test_steps_are_a_permutation_and_separators_stay(rule, real):
    for before, item in zip(real, shuffle(real, 0.67, rule), strict=True):
        old, new = split(before.thought, rule), split(item.trace.thought, rule)
        if rule == "blank_line":
            assert Counter(new.steps) == Counter(old.steps)
            assert (new.lead, new.separators) == (old.lead, old.separators)
        assert Counter(item.trace.thought) == Counter(before.thought)


def test_moved_places_are_nested_over_fractions():
    for k in range(30):
        moved = []
        for fraction in (0.2, 0.33, 0.67, 1.0):
            (item,) = shuffle([numbered(40, f"t{k}")], fraction)
            steps = item.trace.thought.split("\n\n")
            moved.append({i for i, step in enumerate(steps) if step != f"step {i}"})
            assert item.damaged == len(moved[-1]) <= round(fraction * 40)
        # A place drawn may get its own step back, so only places never drawn are sure to be still.
        assert all(len(big) > len(small) for small, big in pairwise(moved))


def test_every_order_of_three_steps_is_as_likely():
    orders = Counter(shuffle([numbered(3, f"t{k}")], 1.0)[0].trace.thought for k in range(3000))
    assert len(orders) == 6
    assert all(abs(count - 500) < 100 for count in orders.values())  # 5 standard errors


def test_a_step_that_gives_way_to_an_equal_one_is_not_damaged():
    trace = replace(numbered(2), thought="A.\n\nB.\n\nA.\n\nA.")
    for seed in range(20):
        (item,) = shuffle([trace], 1.0, seed=seed)
        stays = item.trace.thought.split("\n\n")[1] == "B."
        assert item.damaged == (0 if stays else 2) and (item.trace == trace) == stays


def test_one_step_cannot_be_shuffled():
    (item,) = shuffle([numbered(1)], 1.0)
    assert (item.units, item.damaged, item.trace) == (0, 0, numbered(1))
