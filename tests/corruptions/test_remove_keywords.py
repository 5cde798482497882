"""remove_keywords: no keyword is left at 100 %, and the prose around stays whole."""

import re
from dataclasses import replace
from itertools import pairwise

import pytest

from distill.corruptions.config import CorruptionConfig
from distill.corruptions.operators import Borrow
from distill.corruptions.operators.remove_keywords import remove_keywords
from distill.trace.keywords import count_keywords, keyword_sentences
from distill.trace.records import Problem, Trace

UNITS = ("sentence", "keyword")


def remove(corpus, fraction=1.0, **more):
    return list(
        remove_keywords(corpus, CorruptionConfig("remove_keywords", fraction, **more), Borrow())
    )


def left_of(text, unit, fraction=1.0):
    trace = Trace.of(Problem.of("q", "1", "math", "t"), "t", 0, text, "But wait.")
    (item,) = remove([trace], fraction, unit=unit)
    assert item.trace.solution == "But wait."
    return item.trace.thought


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("mode", ["units", "traces"])
def test_no_keyword_is_left_at_100_percent(unit, mode, corpus, real):
    traces = corpus + real
    for before, item in zip(traces, remove(traces, unit=unit, mode=mode), strict=True):
        assert count_keywords(item.trace.thought) == 0
        assert item.damaged == item.units
        assert (item.units == 0) == (count_keywords(before.thought) == 0)


@pytest.mark.parametrize(
    ("text", "sentence", "keyword"),
    [
        ("A. Wait, let me try 6+1-1+3. B.", "A. B.", "A. Let me try 6+1-1+3. B."),
        ("A.\n\nWait, is it 5?\n\nB.", "A.\n\nB.", "A.\n\nIs it 5?\n\nB."),
        ("A.\r\n\r\nWait, no.\r\n\r\nB.", "A.\r\n\r\nB.", "A.\r\n\r\nNo.\r\n\r\nB."),
        ("A. Wait.\n\nB.", "A.\n\nB.", "A.\n\nB."),
        ("But wait, hold on, that is 3.", "", "That is 3."),
        ("It is 3, but x is 4. B.", "B.", "It is 3, x is 4. B."),
        ("It is 3, but wait. B.", "B.", "It is 3. B."),
        ("Wait, x = 3. B.", "B.", "x = 3. B."),
        ("Hmm... let me think again. B", "B", "B"),
        ("Let me verify: 6+1=7. Right.", "Right.", "6+1=7. Right."),
        ("- Wait, one.\n- Two.", "- Two.", "- One.\n- Two."),
        ("1. Wait, one.\n2. Two.", "2. Two.", "1. One.\n2. Two."),
        ("let me wait think again. B.", "B.", "B."),
        ("Butter, awaited, rebut.", "Butter, awaited, rebut.", "Butter, awaited, rebut."),
        ("See e.g. this, but no. B.", "B.", "See e.g. this, no. B."),
        ('He said "Wait." Then 5.', "Then 5.", 'He said "." Then 5.'),
        ("wait, no", "", "no"),
        ("", "", ""),
    ],
)
def test_prose_around_stays_whole(text, sentence, keyword):
    assert left_of(text, "sentence") == sentence
    assert left_of(text, "keyword") == keyword


@pytest.mark.parametrize("unit", UNITS)
def test_no_blank_is_doubled_and_paragraphs_stay_separate(unit, real):
    for before, item in zip(real, remove(real, unit=unit), strict=True):
        old, new = before.thought, item.trace.thought
        assert len(re.findall(r"\S  +\S", new)) <= len(re.findall(r"\S  +\S", old))
        assert len(re.findall(r"\n{3,}", new)) <= len(re.findall(r"\n{3,}", old))
        if unit == "keyword":
            words = [re.findall(r"\w+", text.lower()) for text in (new, old)]
            rest = iter(words[1])
            assert all(word in rest for word in words[0])  # nothing is added or moved


def test_sentences_without_a_keyword_are_all_there(real):
    for before, item in zip(real, remove(real, unit="sentence"), strict=True):
        text, at = before.thought, 0
        for sentence in keyword_sentences(text):
            assert text[at : sentence.start].strip() in item.trace.thought
            at = sentence.end


@pytest.mark.parametrize("unit", UNITS)
def test_removal_is_nested_and_of_the_stated_share(unit, micro, real):
    traces = micro + real[:60]
    arms = [remove(traces, fraction, unit=unit) for fraction in (0.2, 0.5, 0.8, 1.0)]
    for items in zip(*arms, strict=True):
        assert [item.damaged for item in items] == [
            round(f * items[0].units) for f in (0.2, 0.5, 0.8, 1.0)
        ]
        words = [re.findall(r"\w+", item.trace.thought.lower()) for item in items]
        for many, few in pairwise(words):
            rest = iter(many)
            assert all(word in rest for word in few)


def test_mode_traces_treats_a_share_of_the_traces_fully_and_nested(micro):
    traces = [replace(trace, id=f"{trace.id}{k}") for trace in micro for k in range(20)]
    half, most = (remove(traces, f, mode="traces", unit="keyword") for f in (0.5, 0.8))
    treated = sum(item.damaged for item in half)
    assert abs(treated - 600) < 90  # 5 standard errors of 1,200 draws
    for before, a, b in zip(traces, half, most, strict=True):
        assert count_keywords(a.trace.thought) == (
            0 if a.damaged else count_keywords(before.thought)
        )
        assert a.damaged <= b.damaged
