"""Whatever stands in a field, a row is read, or set aside in words.

Run: pytest tests/data/test_any_value.py
"""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.data import problem_formats, trace_formats
from distill.data.config import DatasetConfig
from distill.data.values import RowError
from distill.grading.grade import GRADERS
from distill.teachers.config import TeacherConfig
from tests.data.test_problem_formats import CASES
from tests.data.test_trace_formats import ROWS

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.just(10**400),
    st.floats(),
    st.text(max_size=6),
    st.sampled_from(["N/A", "Level 5", "[]", "{}", '["a"]', "false", "text", "user", "####"]),
    st.sampled_from(["math", "code", '{"inputs": "ab", "outputs": ["a", 1]}', '{"type": "call"}']),
)
NAMES = st.sampled_from(
    ["role", "content", "from", "value", "type", "text", "reasoning_content", "input", "output"]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=6,
)
SOURCES = {
    **{f"problems {name}": (problem_formats, CASES[name][0]) for name in problem_formats.FORMATS},
    **{f"traces {name}": (trace_formats, ROWS[name]) for name in trace_formats.FORMATS},
}
NO_REPR = ("['", "{'", "None", "True", "False", "nan", "Traceback", "Error", "<")


def texts_of(read):
    """All texts of what was read that a student or a grader could be shown."""
    yield from (read.question, read.answer, read.kind)
    for response in getattr(read, "responses", ()):
        if not isinstance(response, RowError):
            yield from (response.teacher, response.text, *(response.parts or ()))


def written_in(value):
    """All texts in a value of JSON."""
    if isinstance(value, str):
        yield value
    for item in (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    ):
        yield from written_in(item)


@pytest.mark.parametrize("name", SOURCES)
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_any_value_in_any_field_is_read_or_set_aside_in_words(name, data):
    formats, row = SOURCES[name]
    form = name.partition(" ")[2]
    fields = sorted({*formats.FORMATS[form].fields, *row})
    field = data.draw(st.sampled_from(fields))
    value = data.draw(VALUES)
    kind = {"kind": "recorded"} if formats is trace_formats else {}
    config = TeacherConfig if kind else DatasetConfig
    reader = formats.reader(config(format=form, path="x.jsonl", **kind))
    given_row = row | {field: value}
    try:
        read = reader(given_row)
    except RowError as error:
        assert str(error) and "not of its schema" not in str(error)
        assert "Traceback" not in str(error)
        return
    assert read.kind in GRADERS
    assert read.difficulty is None or math.isfinite(read.difficulty)
    assert all(isinstance(json.loads(test), dict) for test in read.tests)
    known = "\n".join(written_in(given_row))
    for text in texts_of(read):
        assert isinstance(text, str)
        assert not [mark for mark in NO_REPR[:6] if mark in text and mark not in known]


@settings(deadline=None, max_examples=200)
@given(turns=st.one_of(VALUES, st.lists(st.dictionaries(NAMES, VALUES, max_size=4), max_size=3)))
def test_any_turns_are_a_dialogue_or_set_aside_in_words(turns):
    source = TeacherConfig(kind="recorded", format="messages", path="x.jsonl")
    try:
        read = trace_formats.reader(source)({"messages": turns, "answer": "1"})
    except RowError as error:
        assert str(error) and "not of its schema" not in str(error)
    else:
        assert read.question.strip() and len(read.responses) == 1
