"""Boxed answers: each closed box once, with what it holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.trace.boxes import boxes

PIECES = [r"\boxed{", r"\boxed ", r"\fbox{", r"\box {", "{", "}", r"\{", r"\}", "31", " ", "x"]


@pytest.mark.parametrize(
    ("text", "contents"),
    [
        (r"So \boxed{31}.", ["31"]),
        (r"\boxed{1} and \boxed{ 2 }", ["1", "2"]),
        (r"\fbox{31}", ["31"]),
        (r"\boxed{\frac{1}{2}}", [r"\frac{1}{2}"]),
        (r"\boxed{\boxed{3}}", [r"\boxed{3}"]),
        (r"\boxed{\{1, 2\}}", [r"\{1, 2\}"]),
        (r"\boxed{\boxed{3}", ["3"]),
        (r"\boxed{3", []),
        (r"\boxed 31.", ["31"]),
        ("a box {3}", []),
        ("", []),
    ],
)
def test_closed_boxes_are_read_whole_and_of_nested_ones_the_outermost(text, contents):
    assert [box.content for box in boxes(text)] == contents


@given(text=st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_boxes_are_in_order_apart_and_stand_where_they_say(text):
    done = 0
    for start, end, content in boxes(text):
        assert done <= start < end
        assert text[start] == "\\" and content in text[start:end]
        done = end
