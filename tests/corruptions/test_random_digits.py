"""random_digits: digits change at the stated rate, and nothing but digits."""

import math
import re
from collections import defaultdict
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.corruptions.config import CorruptionConfig
from distill.corruptions.operators import Borrow
from distill.corruptions.operators.random_digits import random_digits
from distill.trace.records import Problem, Trace

NUMBER = re.compile(r"\b[0-9]+(\.[0-9]+)?\b")  # as in the released code
DIGIT = re.compile(r"[0-9]")


def damage(corpus, fraction, **more):
    return list(
        random_digits(corpus, CorruptionConfig("random_digits", fraction, **more), Borrow())
    )


def one(text, name="q"):
    return Trace.of(Problem.of(name, "1", "math", "t"), "t", 0, text, "")


def within_five_errors(hits, total, share):
    return abs(hits - total * share) <= 5 * math.sqrt(total * share * (1 - share)) + 1e-9


@pytest.mark.parametrize("fraction", [0.2, 0.5, 1.0])
@pytest.mark.parametrize("mode", ["independent", "consistent"])
def test_text_keeps_its_length_and_all_but_its_digits(fraction, mode, real, awkward):
    corpus = real + awkward
    for before, item in zip(corpus, damage(corpus, fraction, mode=mode), strict=True):
        for old, new in (
            (before.thought, item.trace.thought),
            (before.solution, item.trace.solution),
        ):
            assert DIGIT.sub("0", old) == DIGIT.sub("0", new)


@pytest.mark.parametrize("fraction", [0.2, 0.5, 0.7, 1.0])
def test_nine_in_ten_of_the_stated_share_of_digits_change_and_are_counted(fraction, real):
    items = damage(real, fraction)
    units = sum(i.units for i in items)
    assert units == sum(len(DIGIT.findall(t.thought + t.solution)) for t in real)
    changed = sum(
        a != b
        for before, item in zip(real, items, strict=True)
        for a, b in zip(
            before.thought + before.solution,
            item.trace.thought + item.trace.solution,
            strict=True,
        )
    )
    assert within_five_errors(changed, units, 0.9 * fraction)
    assert changed == sum(i.damaged for i in items)


def test_new_digits_are_uniform():
    (item,) = damage([one("0123456789" * 5000)], 1.0)
    for digit in "0123456789":
        assert within_five_errors(item.trace.thought.count(digit), 50_000, 0.1)


def test_redrawn_digits_are_nested_and_keep_their_value_over_fractions(real):
    arms = [damage(real[:40], fraction) for fraction in (0.2, 0.5, 0.7, 1.0)]
    for before, *items in zip(real[:40], *arms, strict=True):
        for small, large in pairwise(items):
            for old, a, b in zip(
                before.thought, small.trace.thought, large.trace.thought, strict=True
            ):
                assert a in (old, b)


def test_scope_thought_leaves_the_solution_and_damages_the_thought_alike(real):
    whole, thought = damage(real, 0.5), damage(real, 0.5, scope="thought")
    for before, a, b in zip(real, whole, thought, strict=True):
        assert b.trace.solution == before.solution
        assert b.trace.thought == a.trace.thought


def test_consistent_is_one_permutation_a_trace_that_keeps_no_digit(micro):
    images = set()
    for before, item in zip(micro, damage(micro, 1.0, mode="consistent"), strict=True):
        image = defaultdict(set)
        for a, b in zip(
            before.thought + before.solution, item.trace.thought + item.trace.solution, strict=True
        ):
            if a.isdigit():
                image[a].add(b)
        assert all(len(new) == 1 for new in image.values())
        assert len({new for values in image.values() for new in values}) == len(image)
        assert all(old not in new for old, new in image.items())
        images.add(tuple(sorted((old, *new) for old, new in image.items())))
    assert len(images) > 30


def test_numbers_are_the_released_codes(real, awkward):
    for before, item in zip(
        real + awkward, damage(real + awkward, 1.0, unit="number", scope="thought"), strict=True
    ):
        found = [match[0] for match in NUMBER.finditer(before.thought)]
        assert NUMBER.sub("#", before.thought) == NUMBER.sub("#", item.trace.thought)
        new = [match[0] for match in NUMBER.finditer(item.trace.thought)]
        assert item.units == len(found)
        assert item.damaged == sum(a != b for a, b in zip(found, new, strict=True))
        assert all(number in map(str, range(11)) for number in new)


@given(text=st.text(alphabet="1230.,ax_ é½٣😀\n", max_size=40), fraction=st.floats(0.1, 1))
def test_any_text_has_the_numbers_that_the_released_pattern_finds(text, fraction):
    (item,) = damage([one(text)], fraction, unit="number")
    assert item.units == len(NUMBER.findall(text))
    changed = re.escape(NUMBER.sub("#", text)).replace(r"\#", NUMBER.pattern)
    assert re.fullmatch(changed, item.trace.thought)


def test_part_of_a_word_is_no_number():
    (item,) = damage([one("2x x2 a_3 4th é1 5. 6.75 1,024 1.2.3 x1.5 1.5x ½7")], 1.0, unit="number")
    assert item.units == 8
    assert re.fullmatch(
        r"2x x2 a_3 4th é1 \d+\. \d+ \d+,\d+ \d+\.\d+ x1\.\d+ \d+\.5x ½7", item.trace.thought
    )


def test_no_digits_is_counted_as_nothing_to_damage():
    for unit in ("digit", "number"):
        (item,) = damage([one("no digit, ½ ² x")], 1.0, unit=unit)
        assert (item.units, item.damaged) == (0, 0)
