"""A trace before and after."""

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from ablations.show.trace import render, show
from distill.store.artifacts import Store
from distill.trace.records import read_traces

CORPUS = ["dataset.problems=20", "size.traces=5"]


@pytest.fixture
def look(studies, tmp_path):
    """(corruption, which) -> the trace shown, of a corpus below `tmp_path`."""

    def look(corruption, which=None):
        config = studies.one([*CORPUS, *corruption.split()]).config
        return show(config, which, Store(tmp_path))

    return look


def printed(shown, **console):
    terminal = Console(file=StringIO(), width=90, **console)
    terminal.print(render(shown, terminal))
    return terminal.file.getvalue()


def test_the_texts_are_those_of_the_artifacts_and_nothing_is_trained(look, tmp_path):
    shown = look("corruption=delete_steps", "2")
    stored = [list(read_traces(p)) for p in tmp_path.glob("corrupt_traces/*/traces.jsonl")]
    assert [shown.after.trace] == [traces[2] for traces in stored]
    assert shown.before.id == shown.after.trace.id
    assert not list(tmp_path.glob("train_student*"))


def test_a_trace_is_found_by_place_and_by_id(look):
    by_place = look("corruption=shuffle_steps", "3")
    assert look("corruption=shuffle_steps", by_place.before.id) == by_place


def test_the_first_damaged_trace_is_shown_unless_one_is_named(look):
    fraction = "corruption=wrong_answers_edited corruption.fraction=0.4"
    shown = look(fraction)
    assert shown.after.damaged
    places = [look(fraction, str(place)) for place in range(5)]
    assert shown == next(one for one in places if one.after.damaged)


def test_a_trace_that_is_not_there_is_an_error_with_the_choices(look):
    with pytest.raises(ValueError, match="no trace '5'; give an id, or a position from 0 to 4"):
        look("corruption=none", "5")


def test_an_operator_that_does_something_else_by_now_is_told_on(look, monkeypatch):
    look("corruption=delete_steps")

    def changed(corpus, config, borrow):
        for damaged in operator("delete_steps")(corpus, config, borrow):
            yield replace(damaged, trace=replace(damaged.trace, thought="other"))

    from distill.corruptions.operators import operator

    monkeypatch.setattr("distill.corruptions.corrupt.operator", lambda *name: changed)
    with pytest.raises(RuntimeError, match="VERSION"):
        look("corruption=delete_steps")


@pytest.mark.parametrize(
    ("corruption", "colour"),
    [("random_digits", "\x1b[32m"), ("delete_steps", "\x1b[9;31m"), ("shuffle_steps", "\x1b[36m")],
)
def test_damage_is_coloured_in_a_terminal(corruption, colour, look):
    text = printed(
        look(f"corruption={corruption} corruption.fraction=1.0"),
        force_terminal=True,
        color_system="standard",
    )
    assert colour in text


def test_damage_is_marked_without_colour_too(look):
    text = printed(look("corruption=random_digits corruption.fraction=1.0"))
    assert "\x1b" not in text
    assert "[-" in text and "{+" in text
    assert "→" in printed(look("corruption=shuffle_steps corruption.fraction=1.0"))


def test_the_header_tells_trace_question_and_share_of_the_corpus(look):
    shown = look("corruption=delete_steps corruption.fraction=1.0")
    text = printed(shown)
    assert shown.before.id in text
    assert shown.before.problem.question in text
    units = shown.corpus["units"]
    assert f"corpus of 5 traces: {units} of {units} units corrupted (100.0 %)" in text


def test_the_untrained_student_has_no_traces_to_show(look):
    with pytest.raises(ValueError, match="training=none has no stage corrupt"):
        look("training=none")
