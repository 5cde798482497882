"""`changed`: the share of a trace's words that was deleted or inserted."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.corruptions.changed import changed, words
from distill.trace.records import Problem, Trace

EMPTY = Trace.of(Problem.of("q", "1", "math", "t"), "t", 0, "", "")
TEXTS = st.text("ab12 \n.中", max_size=20)


def trace(thought, solution=""):
    return replace(EMPTY, thought=thought, solution=solution)


@pytest.mark.parametrize(
    ("before", "after", "share"),
    [
        ("a b c d", "a b c d", 0),
        ("a b c d", "a  b\n\nc d ", 0),  # white space is no word
        ("a b c d", "a x c y", 0.5),  # replaced: f
        ("a b c d", "a b", 1 / 3),  # deleted: f / (2 - f)
        ("a b", "a x y b", 1 / 3),  # inserted
        ("a b c d", "b c d a", 0.25),  # moved: deleted here, inserted there
        ("a b", "x y z", 1),
        ("a b", "", 1),
        ("", "", 0),
        ("12345", "12945", 0.2),  # digits singly
        ("Wait, x", "wait, x", 1 / 3),  # a capital is another word
        ("我们算", "我们看", 1 / 3),
    ],
)
def test_shares_computed_by_hand(before, after, share):
    assert changed(trace(before), trace(after)) == pytest.approx(share)


def test_thought_and_solution_count_together_and_no_word_goes_over_both():
    assert changed(trace("a", "b"), trace("a", "c")) == 0.5
    assert changed(trace("a", "b"), trace("a b", "")) == 0
    assert changed(trace("a", "b"), trace("ab", "")) == 1


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (r"\boxed{2x^{10}}", ["\\", "boxed", "{", "2", "x", "^", "{", "1", "0", "}", "}"]),
        ("größer_als ½ ٣٤", ["größer", "_", "als", "½", "٣", "٤"]),
        ("所以7个リンゴ。", ["所", "以", "7", "个", "リ", "ン", "ゴ", "。"]),
        ("답은 7이다.", ["답은", "7", "이다", "."]),
    ],
)
def test_words_of_several_scripts(text, found):
    assert words(text) == found


@given(text=st.text())
def test_words_are_all_of_a_text_but_its_white_space(text):
    assert "".join(words(text)) == "".join(text.split())


def common(old, new):
    """Length of the longest common subsequence, by its definition."""
    best = [0] * (len(new) + 1)
    for a in old:
        row = [0]
        for k, b in enumerate(new):
            row.append(best[k] + 1 if a == b else max(row[k], best[k + 1]))
        best = row
    return best[-1]


@given(a=TEXTS, b=TEXTS)
def test_it_is_the_share_of_words_outside_the_longest_common_subsequence(a, b):
    old, new = words(a), words(b)
    total = len(old) + len(new)
    share = (total - 2 * common(old, new)) / total if total else 0
    assert changed(trace(a), trace(b)) == changed(trace(b), trace(a)) == pytest.approx(share)
