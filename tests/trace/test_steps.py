"""Steps: any text comes back byte for byte, and steps begin where the rule says."""

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.corruptions.config import STEP_RULES
from distill.trace import steps as module
from distill.trace.steps import Steps, join, keep, split

TEXTS = st.one_of(
    st.text(),
    st.lists(
        st.sampled_from(["Wait, ", "But", "a", ". ", "\n", "\r\n", " ", "\n\n", "\t", "1) ", "é"]),
        max_size=60,
    ).map("".join),
)


@pytest.mark.parametrize("rule", STEP_RULES)
@given(text=TEXTS)
def test_joining_what_was_split_gives_the_same_text(rule, text):
    parts = split(text, rule)
    assert join(parts) == text
    assert len(parts.separators) == len(parts.steps)
    assert all(step.strip() and step == step.rstrip() for step in parts.steps)
    assert not "".join((parts.lead, *parts.separators)).strip()


@given(text=TEXTS)
def test_no_step_holds_a_blank_line(text):
    for step in split(text, "blank_line").steps:
        lines = step.strip().split("\n")
        assert all(line.strip() for line in lines)


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("a\n\nb", ("a", "b")),
        ("a\r\n\r\nb", ("a", "b")),
        ("a \n \t\n\n  b\n", ("a", "  b")),
        ("a\nb", ("a\nb",)),
        ("\n\na", ("a",)),
        ("", ()),
        (" \n\n ", ()),
    ],
)
def test_steps_are_split_at_blank_lines(text, steps):
    assert split(text, "blank_line").steps == steps


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("I try 5. It fails. Wait, 6?", ("I try 5. It fails.", "Wait, 6?")),
        ("A\n\nB\n\nAlternatively, C", ("A\n\nB", "Alternatively, C")),
        ("It is 5, but not 6.", ("It is 5, but not 6.",)),
        ("A.\n2. Wait, B.", ("A.", "2. Wait, B.")),
        ("Wait, A. But B.", ("Wait, A.", "But B.")),
    ],
)
def test_reflections_open_steps(text, steps):
    assert split(text, "reflection").steps == steps


def test_thousands_of_steps_are_split_and_joined():
    text = "\n\n".join(f"Wait, step {i}." for i in range(20_000))
    for rule in STEP_RULES:
        parts = split(text, rule)
        assert len(parts.steps) == 20_000
        assert join(parts) == text


def test_keeping_separates_by_the_strongest_separator_and_ends_as_before():
    parts = Steps("\n", ("a", "b", "c", "d"), (" ", "\n\n", "\n", "!"))
    assert join(keep(parts, [0, 2])) == "\na\n\nc!"
    assert join(keep(parts, range(4))) == join(parts)
    assert join(keep(parts, [])) == ""


def test_unknown_rule_is_refused_with_the_choices():
    with pytest.raises(ValueError, match="'lines'; known: blank_line, reflection"):
        split("a", "lines")


def test_the_example_of_the_docstring_is_what_the_code_does():
    assert doctest.testmod(module) == (0, 1)
