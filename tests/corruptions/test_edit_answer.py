"""Which places of a trace an edited answer is replaced at, and that nothing contradicts it."""

import re
from random import Random

import pytest

from distill.corruptions.edit_answer import edit_answer
from distill.corruptions.notations import fraction, fraction_written, number_written, word
from distill.corruptions.statements import sentences
from distill.trace.records import Problem, Trace


def edited(thought, answer, solution=None, seed=0, kind="math"):
    """The edited thought of a trace that ends in this answer, and the new answer."""
    problem = Problem.of("q", answer, kind, "t")
    box = rf"\boxed{{{answer}}}"
    trace = Trace.of(problem, "t", 0, thought, solution or box, correct=True)
    made = edit_answer(trace, Random(seed))
    return made.trace.thought, made.trace.solution.removeprefix(r"\boxed{").removesuffix("}")


LONG = "Try 3. Then 3 + 4 = 7, which is not 3.\n\n" * 5
PLACES = {
    "small numbers in the thought stay": ("3", LONG + "So it is [3]."),
    "an announcement in the middle": ("3", "The answer is [3]? No: 3 steps.\n\n" + LONG + "Done."),
    "a box in the middle": ("4", r"Hm, \boxed{[4]}. Check 4." + "\n\n" + LONG + "Hm.\n\nYes."),
    "a sum and its announcement": ("7", "So 3 + 4 = [7]. The answer is [7]."),
    "twice in a sentence": ("7", "So 3 + 4 = [7], and the answer is [7]."),
    "on both sides of a display": ("33", "It is\n\\[25 + 8 = [33]\\]\nso the answer is [33]."),
    "a display after a blank line": ("33", "Hence\n\n\\[\n25 + 8 = [33]\n\\]\n\nso I get [33]."),
    "as a word": ("3", "There are [three] such numbers, so the answer is [3]."),
    "a pronoun": ("1", "This one works, so the answer is [1]."),
    "with a zero": ("7", "x = [7].0, so the answer is [7]."),
    "with commas": ("1,234", "[1234] or [1,234], so the answer is [1234]."),
    "as a fraction with a slash": (r"\frac{1}{2}", r"The answer is [1/2], that is [\frac12]."),
    "in bold": ("9", "Some 9 of them.\n\nA 9.\n\n**Answer: [9]**"),
    "an operand": ("3", "Since 3 + 4 = 7 and 2*3 = 6, the answer is [3]."),
    "an argument": ("3", r"Since f(3) = 3^2 - 6 = [3], the answer is [3]."),
    "an index": ("1", r"As x_1 \cdot x_{1} = x1 = [1], the answer is [1]."),
    "a factor": ("3", "With 3x + 3y = 9 and 3\\pi, the answer is [3]."),
    "degrees": ("45", r"The answer is [45]^\circ, or $[45]^{\circ}$."),
    "a longer number": ("12", "Of 112, 12.5, 120 and 3,12, the answer is [12]."),
    "the last equation": ("7", "Well, x = 7.\n\nThen y = [7].\n\nI am sure.\n\nYes.\n\nReally."),
    "single line ends": ("3", "We have 3 + 1 = 4\nTry 3\nNo\nNo\nSo [3] of 4\nThe answer is [3]"),
    "Chinese": ("7", "我们有7个数。再看7。没有。没有。没有。所以答案是[7]。"),
    "signs": ("-7", "Either 7 or so.\n\nNo.\n\nNo. No. No. No.\n\nThe answer is -[7]."),
    "no conclusion": ("7", "Maybe 7.\n\nIt is [7]\n\nHm.\n\nHm.\n\nHm."),
}


@pytest.mark.parametrize("answer, text", PLACES.values(), ids=PLACES)
def test_the_answer_is_replaced_where_it_is_concluded_and_nowhere_else(answer, text):
    parts = re.split(r"\[(\w[^\]\\]*|\\frac12)\]", text)
    thought = "".join(parts)
    for seed in range(5):
        after, new = edited(thought, answer, seed=seed)
        pattern = ".+?".join(map(re.escape, parts[::2]))
        found = re.fullmatch(pattern.replace(".+?", "(.+?)"), after, re.DOTALL)
        assert found, after
        assert new != answer
        for old, now in zip(parts[1::2], found.groups(), strict=True):
            assert now != old
            if old.isdigit() and new.strip("-").isdigit():
                assert now == new.strip("-")


def test_every_statement_becomes_the_same_number():
    text = r"So 1,234 = 1234, \$1{,}234 and 1\,234 in all: the answer is 1234.0."
    after, new = edited(text, "1234")
    assert re.sub(r"\.0|[^0-9 ]", "", after).split() == [new] * 5


@pytest.mark.parametrize("answer", ["3", "12", "42", "0"])
def test_a_word_becomes_the_word_of_the_new_number(answer):
    said = word(int(answer))
    after, new = edited(f"{said.capitalize()} it is, so the answer is {said}.", answer)
    assert after == f"{word(int(new)).capitalize()} it is, so the answer is {word(int(new))}."


@pytest.mark.parametrize("kind", ["math", "choice"])
@pytest.mark.parametrize("answer", ["B", "(B)", "D", "(D)"])
def test_a_choice_becomes_every_other_letter_and_always_another(answer, kind):
    letter, new = answer.strip("()"), set()
    for seed in range(40):
        after, now = edited(f"The answer is ({letter}).", answer, seed=seed, kind=kind)
        (said,) = re.findall(r"\((\w)\)", after)
        assert now == answer.replace(letter, said)
        new.add(said)
    assert new == set("ABCD") - {letter}


@pytest.mark.parametrize("answer", ["0", "7", "10", "25", "00", "05", "0.50", "100.05", "1,000"])
def test_a_new_number_has_as_many_digits_and_no_zero_first_that_the_old_one_has_not(answer):
    old, seen = re.findall(r"\d+", answer), set()
    for seed in range(300):
        new = re.findall(r"\d+", edited(f"The answer is {answer}.", answer, seed=seed)[1])
        ((was, now),) = [(a, b) for a, b in zip(old, new, strict=True) if a != b]
        assert len(now) == len(was)
        assert now[0] != "0" or (was[0] == "0" and len(was) > 1)
        seen.add((was, now[0]))
    zeros = {run for run in old if run[0] == "0" and len(run) > 1}
    firsts = {(run, str(digit)) for run in old for digit in range(run not in zeros, 10)}
    assert seen == firsts - {(digit, digit) for digit in old}


def test_places_are_counted_and_a_solution_that_states_nothing_is_left():
    problem = Problem.of("q", "7", "math", "t")
    trace = Trace.of(problem, "t", 0, "7 of 9.\n\nThe answer is 7.", r"So 7: \boxed{7}.")
    assert edit_answer(trace, Random(0)).changed == 3
    assert edit_answer(Trace.of(problem, "t", 0, "It is 7.", "Nothing."), Random(0)) is None


def test_a_long_thought_of_one_paragraph_is_not_changed_all_over():
    thought = "So 3 and 4 make 7. " * 400 + "Hence the sum is 7. It is right. That is all."
    after, new = edited(thought, "7")
    assert after == thought.replace("sum is 7", f"sum is {new}")


def test_sentences_cover_the_text_and_end_where_one_reads_an_end():
    text = "A is 2.5. So\n\\[x = 1.\\]\nThen b. Is it?\n- One\n- Two\n\nThe end: it\nis so."
    parts = [text[a:b] for a, b in sentences(text)]
    assert "".join(parts) == text
    assert [part.strip() for part in parts] == [
        "A is 2.5.", "So\n\\[x = 1.\\]", "Then b.", "Is it?", "- One", "- Two",
        "The end: it\nis so.",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (r"\frac{1}{2}", ("1", "2")), (r"\dfrac12", ("1", "2")), ("10 / 3", ("10", "3")),
        (r"-\frac{7}{9}", ("7", "9")), ("12", None), (r"\frac{a}{2}", None),
    ],
)  # fmt: skip
def test_fractions_are_read(text, parts):
    assert fraction(text) == parts


def test_patterns_find_a_number_and_no_longer_one():
    assert number_written("2.50").search("is 2.500")
    assert not number_written("2.5").search("12.5 or 2.51 or 2,5")
    assert fraction_written("1", "2").search(r"\tfrac 1 2")
    assert not fraction_written("1", "2").search("11/2, 1/20, 1/2/3")
