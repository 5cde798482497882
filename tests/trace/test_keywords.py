"""Reflection keywords: whole words in any case, wherever they stand."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.trace import keywords as module
from distill.trace.keywords import (
    LISTS,
    count_keywords,
    find_keywords,
    keyword_sentences,
    keywords,
    list_file,
    openings,
)

PIECES = ["Wait", "wait", "BUT", "butter", "let me", " think again", " ", ",", ".\n", "é", "_", "x"]
TEXTS = st.one_of(st.text(), st.lists(st.sampled_from(PIECES), max_size=30).map("".join))


@given(text=TEXTS)
def test_a_plain_search_finds_the_same_keywords(text):
    any_case = (
        "".join(f"[{c}{c.upper()}]" if c.isalpha() else c for c in keyword)
        for keyword in keywords()
    )
    pattern = re.compile(rf"\b(?:{'|'.join(any_case)})\b")
    assert find_keywords(text) == [match.span() for match in pattern.finditer(text)]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("But wait, hmm.", 3),
        ("It is 5, but no.", 1),
        ("butter await rebut waiting", 0),
        ("éwait waité wait", 1),
        ("Let me think again. Let me check again.", 2),
        ("LET ME VERIFY", 1),
        ("", 0),
    ],
)
def test_keywords_are_whole_words_in_any_case(text, count):
    assert count_keywords(text) == count


@given(text=TEXTS)
def test_every_keyword_lies_in_exactly_one_sentence_and_sentences_do_not_overlap(text):
    sentences = keyword_sentences(text)
    assert [hit for sentence in sentences for hit in sentence.hits] == find_keywords(text)
    done = 0
    for start, end, hits in sentences:
        assert done <= start <= hits[0][0] < hits[-1][1] <= end
        assert text[start:end] == text[start:end].strip()
        assert "\n" not in text[start:end]
        done = end


def test_a_longer_list_finds_its_own_words_and_no_mixture_of_them(monkeypatch):
    words = ("but", "hmm", "hold on", "oops", "perhaps", "recall", "scrap", "wait", "yo")
    monkeypatch.setattr(
        module, "keywords", lambda name: tuple(sorted(words, key=len, reverse=True))
    )
    module._patterns.cache_clear()
    try:
        found = [count_keywords(text) for text in ("buy bot yut yup bo", "but yo, hold on", "wait")]
    finally:
        module._patterns.cache_clear()
    assert found == [0, 3, 1]


@pytest.mark.parametrize("name", LISTS)
def test_every_list_names_its_source(name):
    assert "arXiv:2502.07374" in list_file(name).read_text(encoding="utf-8")


def test_the_papers_list_is_the_twelve_phrases_of_its_appendix_b():
    assert set(keywords("paper")) == {
        *("alternatively", "wait", "just to be thorough", "just to make sure"),
        *("let me just double-check", "let me try another", "let me verify", "let me check"),
        *("hmm", "but", "maybe i should consider", "maybe i can consider"),
    }


def test_the_extended_list_is_the_papers_and_ours():
    assert set(keywords("extended")) == {*keywords("paper"), *keywords("default")}


def test_a_text_is_searched_for_the_words_of_the_list_that_is_named():
    text = "Hold on, 5. Maybe I can consider 6. Wait."
    counts = {name: count_keywords(text, name) for name in LISTS}
    assert counts == {"default": 2, "paper": 2, "extended": 3}
    assert openings(text, "paper") == [12, 36] and openings(text, "default") == [0, 36]


def test_a_list_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(ValueError, match="keywords must be one of default, extended, paper; got"):
        count_keywords("but", "ours")
