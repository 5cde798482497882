"""delete_steps: what is left is what was there, in order."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from distill.corruptions.config import CorruptionConfig
from distill.corruptions.operators import Borrow
from distill.corruptions.operators.delete_steps import delete_steps
from distill.trace.records import Problem, Trace
from distill.trace.steps import join, keep, split


def delete(corpus, fraction, **more):
    return list(delete_steps(corpus, CorruptionConfig("delete_steps", fraction, **more), Borrow()))


def is_subsequence(few, many):
    rest = iter(many)
    return all(step in rest for step in few)


def test_steps_left_are_a_subsequence_of_the_stated_size(real):
    for before, item in zip(real, delete(real, 0.33), strict=True):
        old, new = split(before.thought, "blank_line"), split(item.trace.thought, "blank_line")
        assert is_subsequence(new.steps, old.steps)
        assert len(new.steps) == len(old.steps) - round(0.33 * len(old.steps))
        assert item.damaged == len(old.steps) - len(new.steps)


def test_at_100_percent_only_the_solution_is_left(corpus):
    for mode in ("random", "prefix"):
        for before, item in zip(corpus, delete(corpus, 1.0, mode=mode), strict=True):
            if item.units:
                assert item.trace.thought == ""
            assert item.trace.solution == before.solution


def test_deletion_is_nested_over_fractions(micro, real):
    for mode in ("random", "prefix"):
        arms = [delete(micro + real[:50], f, mode=mode) for f in (0.2, 0.33, 0.67, 0.9)]
        for items in zip(*arms, strict=True):
            steps = [split(item.trace.thought, "blank_line").steps for item in items]
            for many, few in pairwise(steps):
                assert is_subsequence(few, many)


def test_prefix_is_the_beginning_and_as_long_as_random_deletion_leaves(real):
    arms = delete(real, 0.67), delete(real, 0.67, mode="prefix")
    for before, random, prefix in zip(real, *arms, strict=True):
        assert before.thought.startswith(prefix.trace.thought.rstrip())
        longest = max(map(len, split(before.thought, "blank_line").steps), default=0)
        off = abs(len(prefix.trace.thought) - len(random.trace.thought))
        assert off <= longest / 2 + 4  # half a step and its separator
    lengths = [sum(len(item.trace.thought) for item in arm) for arm in arms]
    assert abs(lengths[1] / lengths[0] - 1) < 0.01


BLANKS = st.sampled_from(["\n\n", "\n\n\n", "\n  \n\n", "\n\n\t\n \n\n\n"])


@settings(deadline=None)
@given(
    steps=st.lists(st.integers(1, 30).map(lambda n: "x" * n), min_size=1, max_size=8),
    blanks=st.lists(BLANKS, min_size=8, max_size=8),
    lead=st.sampled_from(["", "\n", "\n\n \n\n\n"]),
    fraction=st.floats(0.01, 1),
    sample=st.integers(0, 99),
)
def test_a_prefix_is_of_all_prefixes_the_nearest_in_length_and_of_two_the_shorter(
    steps, blanks, lead, fraction, sample
):
    thought = lead + "".join(map("".join, zip(steps, blanks, strict=False)))
    trace = Trace.of(Problem.of("q", "1", "math", "t"), "t", sample, thought, "s")
    (random,), (prefix,) = (delete([trace], fraction, mode=mode) for mode in ("random", "prefix"))
    parts, wanted = split(thought, "blank_line"), len(random.trace.thought)
    prefixes = [join(keep(parts, range(k))) for k in range(len(steps) + 1)]
    assert prefix.trace.thought == min(prefixes, key=lambda text: abs(len(text) - wanted))
    assert prefixes[-1 - prefix.damaged] == prefix.trace.thought


def test_no_blank_line_is_left_at_the_end_or_doubled():
    thought = "a\n\nb\n\nc\n\nd"
    for k in range(20):
        trace = Trace.of(Problem.of("q", "1", "math", "t"), "t", k, thought, "s")
        (item,) = delete([trace], 0.5)
        assert item.trace.thought in [f"{x}\n\n{y}" for x in "abcd" for y in "abcd"]
