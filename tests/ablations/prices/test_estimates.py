"""What is not known stays unknown, and a limit stays a limit."""

from hypothesis import given
from hypothesis import strategies as st

from ablations.prices.estimates import NOTHING, Estimate, total, unknown

SIZES = st.floats(0, 1e12)


@given(SIZES, SIZES)
def test_known_numbers_are_added_and_multiplied_as_numbers_are(a, b):
    one, other = Estimate(a, ("a",)), Estimate(b, ("b",))
    assert (one + other) == Estimate(a + b, ("a", "b"))
    assert (one * other) == Estimate(a * b, ("a", "b"))
    assert (one * b).value == a * b


def test_a_product_with_something_unknown_is_unknown_and_says_what():
    found = Estimate(3.0, ("read",)) * unknown("the price of M")
    assert found.value == 0
    assert found.missing == ("the price of M",)
    assert (Estimate(2.0) / unknown("speed")).missing == ("speed",)


def test_a_sum_keeps_what_is_known_and_names_what_is_not():
    found = total([Estimate(2.0, ("x",)), unknown("y"), Estimate(1.0, ("x",), at_most=True)])
    assert found == Estimate(3.0, ("x",), at_most=True, missing=("y",))
    assert total([]) == NOTHING


def test_a_limit_stands_for_what_is_unknown_or_larger():
    assert unknown("length").capped(10, "limit") == Estimate(10, ("limit",), at_most=True)
    assert Estimate(11.0).capped(10, "limit") == Estimate(10, ("limit",), at_most=True)
    assert Estimate(9.0, ("seen",)).capped(10, "limit") == Estimate(9.0, ("seen",))
    assert Estimate(10.0, ("seen",)).capped(10, "limit") == Estimate(10.0, ("seen",))


def test_limits_and_sources_survive_what_is_computed_from_them():
    limit = unknown("length").capped(10, "limit")
    assert (limit * 2 + Estimate(1.0, ("seen",))) == Estimate(21, ("limit", "seen"), at_most=True)
