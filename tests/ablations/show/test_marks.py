"""What is marked is what was damaged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablations.show.marks import Piece, mark, words
from distill.corruptions.config import STEP_RULES

TEXTS = st.lists(st.sampled_from(["Wait, 12+3=15.", "So 7.", "x", "Yes.", "\n\n", "\n", " "])).map(
    "".join
)


def joined(pieces):
    return "".join(piece.text for piece in pieces)


def marked(pieces, kind):
    return [piece.text for piece in pieces if piece.kind == kind]


@given(TEXTS, TEXTS, st.sampled_from(STEP_RULES))
def test_the_pieces_of_a_text_are_the_text(before, after, rule):
    old, new = mark(before, after, rule)
    assert (joined(old), joined(new)) == (before, after)


@given(TEXTS, st.sampled_from(STEP_RULES))
def test_nothing_is_marked_where_nothing_was_damaged(text, rule):
    old, new = mark(text, text, rule)
    assert not any(piece.kind for piece in [*old, *new])


@given(st.text(alphabet="a1+ \n", max_size=30), st.text(alphabet="a1+ \n", max_size=30))
def test_what_is_not_marked_is_the_same_in_both(before, after):
    old, new = words(before, after)
    assert "".join(marked(old, "")).split() == "".join(marked(new, "")).split()


@given(st.permutations(["a", "b", "c", "d", "d"]))
def test_moved_steps_carry_the_number_of_the_place_they_come_from(steps):
    before = ["a", "b", "c", "d", "d"]
    _, new = mark("\n\n".join(before), "\n\n".join(steps), "blank_line")
    numbered = [piece for piece in new if piece.origin]
    if list(steps) == before:
        assert not numbered
    else:
        assert [before[piece.origin - 1] for piece in numbered] == list(steps)
        assert sorted(piece.origin for piece in numbered) == [1, 2, 3, 4, 5]
        stays = [b == a for b, a in zip(before, steps, strict=True)]
        assert [piece.kind == "" for piece in numbered] == stays


def test_other_digits_are_marked_one_by_one_in_their_places():
    old, new = mark("Try 12-9=3.", "Try 17-4=3.", "blank_line")
    assert marked(old, "removed") == ["2", "9"]
    assert marked(new, "inserted") == ["7", "4"]


def test_a_deleted_step_is_marked_whole_and_its_neighbours_are_not():
    old, new = mark("One.\n\nTwo.\n\nThree.", "One.\n\nThree.", "blank_line")
    assert marked(old, "removed") == ["Two."]
    assert new == [Piece(text) for text in ("One.", "\n\n", "Three.")]


@pytest.mark.parametrize("place", range(3))
def test_an_inserted_step_is_marked_whole_at_either_end_and_between(place):
    steps = ["One.", "Two."]
    after = [*steps[:place], "Other words entirely.", *steps[place:]]
    _, new = mark("\n\n".join(steps), "\n\n".join(after), "blank_line")
    assert marked(new, "inserted") == ["Other words entirely."]


def test_a_step_that_another_replaces_is_not_compared_word_by_word():
    old, new = mark("Let me try 1.", "That is not right, so go on.", "blank_line")
    assert marked(old, "removed") == ["Let me try 1."]
    assert marked(new, "inserted") == ["That is not right, so go on."]
