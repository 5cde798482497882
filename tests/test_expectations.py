"""What a study expects is read from its text, and refused in words where it says nothing clear."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.config import StudyConfig
from distill.expectations import ALIKE, FIELDS, GRAMMAR, LESS, MORE, Term, parse


def test_two_arms_and_a_relation_are_read():
    made = parse("shuffle_steps@0.67 < random_digits@0.7")
    assert made.left == (Term("shuffle_steps", 0.67),)
    assert made.right == (Term("random_digits", 0.7),)
    assert (made.relation, made.margin) == (LESS, 0)
    assert [sign for _, sign in made.terms] == [1, -1]


def test_points_are_read_as_shares():
    assert parse("uncorrupted > base by 12.5").margin == 0.125
    made = parse("  uncorrupted~remove_keywords@1 within 5 ")
    assert (made.relation, made.margin) == (ALIKE, 0.05)
    assert parse("uncorrupted>base").relation == MORE


def test_a_difference_takes_its_second_arm_away():
    made = parse("structure - base < uncorrupted - content@1")
    signs = {str(term): sign for term, sign in made.terms}
    assert signs == {"structure": 1, "base": -1, "uncorrupted": -1, "content@1": 1}


def test_fields_are_read_in_any_order_and_with_blanks():
    made = parse("uncorrupted[size=2000,method=lora] > uncorrupted[ method = sft , size=1000 ]")
    assert made.left[0].fields == (("method", "lora"), ("size", "2000"))
    assert made.right[0].fields == (("method", "sft"), ("size", "1000"))
    assert made.fields == ("method", "size")


NAMES = st.from_regex(r"[a-z][a-z0-9_.:/-]{0,12}", fullmatch=True).filter(
    lambda name: name not in ("base", "uncorrupted")
)
RATES = st.integers(1, 100).map(lambda per_cent: per_cent / 100)
VALUES = st.from_regex(r"[a-z0-9][a-z0-9_./-]{0,9}", fullmatch=True)
SOME_FIELDS = st.dictionaries(st.sampled_from(FIELDS), VALUES).map(
    lambda d: tuple(sorted(d.items()))
)


@given(st.builds(Term, NAMES, RATES, SOME_FIELDS))
def test_what_a_term_is_written_as_is_read_as_that_term(term):
    other = Term("uncorrupted", None, term.fields)
    made = parse(f"{term} > {other}")
    assert (made.left, made.right) == ((term,), (other,))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no comparison"),
        ("structure", "no comparison"),
        ("uncorrupted = base", "no comparison"),
        ("base < uncorrupted < structure", "no comparison"),
        ("uncorrupted ~ structure@0.5", "within POINTS"),
        ("uncorrupted ~ structure@0.5 by 5", "within POINTS"),
        ("uncorrupted > base within 5", "by POINTS"),
        ("uncorrupted > base by 0", "in (0, 100], got '0'"),
        ("uncorrupted > base by nan", "in (0, 100], got 'nan'"),
        ("uncorrupted > base by five", "got 'five'"),
        ("shuffle_steps < base", "'shuffle_steps' needs a corruption rate"),
        ("shuffle_steps@67 < base", "a corruption rate is in (0, 1], got '67'"),
        ("shuffle_steps@0 < base", "a corruption rate is in (0, 1], got '0'"),
        ("base@0.5 < uncorrupted", "base has no corruption rate"),
        ("two words@0.5 < uncorrupted", "'two words@0.5' is no arm"),
        ("uncorrupted[lora] > base", "FIELD=VALUE"),
        ("uncorrupted[method=] > base", "FIELD=VALUE"),
        ("uncorrupted[method=lora,method=sft] > base", "each field once"),
        ("uncorrupted[seed=1] > base", "'seed' is none of training, method"),
        ("uncorrupted[size=1] > shuffle_steps@1", "shuffle_steps@1 names no field"),
        ("uncorrupted[size=1] > base[size=1]", "base[size=1] names size"),
        ("uncorrupted[student=a] > base", "base names no field"),
        ("uncorrupted > base - structure", "cannot be compared with a difference"),
        ("uncorrupted - base - base > structure - base", "more than one difference"),
        ("uncorrupted > uncorrupted", "both sides are the same"),
    ],
)
def test_an_expectation_that_is_none_is_refused_with_its_text_and_the_grammar(text, why):
    with pytest.raises(ValueError, match=r"study\.expect") as caught:
        StudyConfig(expect=["structure < content", text])
    assert repr(text) in str(caught.value)
    assert why in str(caught.value)
    assert GRAMMAR in str(caught.value)
