"""Equal answers are equal in every clothing, and nothing unequal is accepted.

The pairs of answer_pairs.csv were written before the rules and while they were mended; those of
answer_pairs_held_out.csv afterwards, and looked at once: 199 of 203 were judged rightly then and
none accepted wrongly, where math-verify alone had 170 with 6 accepted wrongly. Four more rules have
met the other four since.
"""

import csv
import logging
from pathlib import Path

import pytest

from distill.grading import algebra, workers
from distill.grading.equivalence import Comparison
from distill.grading.notation import tidy

FIXTURES = Path(__file__).parents[1] / "fixtures"
WANTED = {"true": True, "false": False, "": None}


def pairs(name):
    with (FIXTURES / f"{name}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def compare(gold, answer, **how):
    return workers.compare(gold, answer, percent=False, **how)[0]


def refused(gold, answer):
    """Why an answer is refused before algebra is asked."""

    def never(*texts):
        raise AssertionError(f"algebra was asked for {texts}")

    correct, why = Comparison(never).equal(gold, answer)
    assert correct is False
    return why


@pytest.mark.parametrize("swapped", (False, True), ids=("gold, answer", "answer, gold"))
@pytest.mark.parametrize("name", ("answer_pairs", "answer_pairs_held_out"))
def test_answers_are_equal_when_they_are_equal_in_mathematics_in_both_orders(name, swapped):
    wrong, undecided, rows = [], 0, pairs(name)
    reasons = {True: set(), False: set(), None: set()}
    for row in rows:
        if swapped and row.get("note", "").startswith("one way"):
            continue
        pair = (row["answer"], row["gold"]) if swapped else (row["gold"], row["answer"])
        correct, why = workers.compare(*pair, percent=False)
        wanted = WANTED[row["equal"]]
        reasons[correct].add(why)
        undecided += correct is None
        if correct is not wanted and (wanted is not False or correct):
            wrong.append(f"{pair}: {correct}, not {wanted}")
    assert not wrong, "\n".join(wrong)
    assert undecided <= 0.05 * len(rows)
    assert not reasons[True] & reasons[False] | reasons[None] & (reasons[True] | reasons[False])


@pytest.mark.parametrize(
    ("gold", "answer", "why"),
    (
        ("angle", "angel", "other words"),
        ("1:10", "2:20", "another time"),
        ("0", "x^2-1=0", "an equation against a value"),
        ("4", "x^2+y^2=4", "an equation against a value"),
        ("1", "1,1", "one number against several"),
        ("2,2,3", "2,3", "2 parts against 3"),
        (r"\{3,4\}", "(4,3)", "brackets () against {}"),
        ("2^{-98}", "2^{-99}", "another number"),
    ),
)
def test_what_we_refuse_at_once_the_library_accepts(gold, answer, why):
    from math_verify import parse, verify

    logging.getLogger("math_verify").setLevel(logging.CRITICAL)
    assert verify(*(parse(f"${text}$") for text in (gold, answer)))
    assert refused(gold, answer) == why


@pytest.mark.parametrize(
    ("gold", "answer"),
    (
        ("5", "5+"),
        ("R", "r"),
        (r"\frac{x}{2}", r"1\frac12x"),
        ("x^2=-1", "x^2=-2"),
        (r"\emptyset", r"\phi"),
        (r"\frac{dx}{dt}+x", r"\frac{dy}{dt}+x"),
        ("(-1)^n", "1"),
        (r"\sqrt{x^2}", "x"),
        (r"\lfloor\sqrt{n-1}\rfloor", r"\lfloor\sqrt{q-1}\rfloor"),
    ),
)
def test_algebra_does_not_take_one_formula_for_another(gold, answer):
    assert not compare(gold, answer)
    assert not compare(answer, gold)


@pytest.mark.parametrize("pair", [("x=y", r"x \in \{1\}"), (r"x \in \{1\}", "f(x)=3")])
def test_what_the_library_has_no_comparison_for_is_undecided_and_names_its_error(pair):
    correct, why = algebra.compare(*pair)
    assert correct is None and why == "not compared: TypeError"


@pytest.mark.parametrize("other", ["5", "x^2", "x > 3", r"\mathbb{R}", "[1, 2]", "i"])
def test_a_matrix_is_nothing_else_on_either_side(other):
    matrix = r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}"
    assert compare(matrix, other) is False
    assert compare(other, matrix) is False


def test_a_ratio_may_have_terms_of_nothing():
    assert compare("1:2:0", "2:4:0") is True
    assert compare("1:2:0", "2:5:0") is False
    assert compare("1:2:0", "2:4:1") is False


def test_case_01_letters_after_a_number_are_variables():
    for gold, answer in (("7", "7ab"), ("-4mn", "-4"), ("9a^2b", "9"), ("2", "2pi")):
        assert compare(gold, answer) is False
    assert compare("12ab", r"12\cdot b\cdot a") is True


def test_case_03_a_unit_is_read_after_pi():
    for unit in (r"\text{ m}^2", r"\text{ cubic inches}", " cm^2", r"\,\mathrm{m}"):
        assert compare(r"48\pi", rf"48\pi{unit}") is True
        assert compare(r"48\pi", rf"47\pi{unit}") is False


def test_case_05_a_percent_sign_counts_where_the_gold_answer_has_one():
    assert compare(r"35\%", r"35\,\%") is True
    assert compare(r"35\%", "35") is False


def test_case_06_repeating_decimals_are_fractions():
    for answer in (r"0.\overline{27}", "0.(27)", r"0.2727\ldots", "0.272727..."):
        assert compare(r"\frac{3}{11}", answer) is True
    assert compare(r"\frac{3}{11}", "0.27") is False


def test_case_11_a_bound_is_no_value():
    for bound in (r"\le 8", r"\geq 8", "> 8", "8+", "8-", r"8\text{ or less}", r"\ne 8"):
        assert compare("8", bound) is False


def test_the_tolerance_holds_where_algebra_decides():
    for answer in (r"3\sqrt{2}", r"x = 3\sqrt{2}", r"\frac{6}{\sqrt{2}}\text{ cm}"):
        assert compare("4.2", answer, tolerance=0.05) is True
        assert compare("4.2", answer, tolerance=0.04) is False
    assert compare("(1, 4.2)", r"(1, 3\sqrt{2})", tolerance=0.05) is True


def test_units_that_differ_leave_the_answer_undecided():
    for gold, answer in (
        (r"\$5", r"5\text{ cents}"),
        (r"5\text{ m}", r"5\text{ cm}"),
        ("£3", "€3"),
    ):
        assert compare(gold, answer) is None
    assert compare(r"\$5", r"5\text{ dollars}") is True


def test_notation_becomes_one():
    assert tidy(r"\\frac12") == tidy(r"$\dfrac{1}{2}$") == r"\frac{1}{2}"
    assert tidy(r"4\sqrt(2)") == tidy("4sqrt(2)") == tidy("4√2") == r"4\sqrt{2}"
    assert tidy("$5") == tidy(r"\$5") == r"5\text{ dollar }"
    assert tidy(r"12^{\text{th}}") == tidy("12th") == "12"
    rows = r"\begin{pmatrix}1\\2\end{pmatrix}"
    assert tidy(rows) == tidy(rows.replace("\\", "\\\\")) == rows
