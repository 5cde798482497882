"""What is written for training is read back at evaluation."""

import json
import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from distill.micro import tokenizer as micro_tokenizer
from distill.models.config import PromptConfig
from distill.models.prompt import (
    Parsed,
    chat_ids,
    messages,
    opening,
    parse,
    parse_foreign,
    response,
)
from distill.store.identity import CHECKOUT
from tests.prompts import PROMPTS

each = pytest.mark.parametrize("name", PROMPTS)
REFUSES_SYSTEM = (
    "{% for m in messages %}{% if m['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}"
    "<{{ m['role'] }}>{{ m['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}<model>{% endif %}"
)
SYSTEM = PromptConfig(
    name="x", system="Think.", user="Q: {question}", thought_open="<a>", thought_close="</a>"
)


TRACES = CHECKOUT.parent / "shared" / "data" / "traces"
THINKING = [name for name in PROMPTS if PROMPTS[name].thought_open]
TAG = re.compile(r"<[^<>\s]+>")


def markers(prompt):
    """What a text must not hold to be read back: tags one by one, other markers whole."""
    texts = (prompt.thought_open, prompt.thought_close, prompt.solution_close)
    found = [TAG.findall(text) or [text.strip()] for text in texts if text.strip()]
    return [mark for marks in found for mark in marks]


@each
@settings(deadline=None)
@given(data=st.data())
def test_parsing_inverts_writing(name, data):
    prompt = PROMPTS[name]
    texts = st.text().filter(lambda text: not any(mark in text for mark in markers(prompt)))
    thought, solution = data.draw(texts), data.draw(texts)
    parsed = parse(prompt, response(prompt, thought, solution))
    assert parsed == Parsed(thought, solution, closed=True)


PIECES = st.sampled_from(
    [
        "<think>",
        "</think>",
        "<|begin_of_thought|>",
        "<|end_of_solution|>",
        "<b>",
        "</",
        "<",
        "\r\n",
        "\n\n",
        " ",
        "Thought:",
        "Solution:",
        "**Final Answer**",
        "\\boxed{1}",
        "wait",
        "\u2028",
        "<\x85>",
    ]
)


@each
@settings(deadline=None)
@given(data=st.data())
def test_foreign_tags_and_line_ends_in_a_thought_change_nothing(name, data):
    prompt = PROMPTS[name]
    texts = st.lists(PIECES).map("".join)
    texts = texts.filter(lambda text: not any(mark in text for mark in markers(prompt)))
    thought, solution = data.draw(texts), data.draw(texts)
    whole = response(prompt, thought, solution)
    assume(all(whole.count(mark) == 1 for mark in markers(prompt)))
    assert parse(prompt, whole) == Parsed(thought, solution, closed=True)


@pytest.mark.parametrize("name", THINKING)
@settings(deadline=None)
@given(thought=st.lists(PIECES).map("".join))
def test_a_thought_that_never_closes_has_no_solution_whatever_it_mentions(name, thought):
    prompt = PROMPTS[name]
    assume(not any(mark in thought for mark in markers(prompt)))
    parsed = parse(prompt, prompt.thought_open + thought)
    assert (parsed.solution, parsed.closed) == ("", False)
    assert parsed.thought == thought


@each
def test_a_response_that_opens_no_thought_is_all_solution(name):
    text = r"Solution: \boxed{1+2}."
    assert parse(PROMPTS[name], text) == Parsed("", text, closed=True)


@pytest.mark.parametrize(
    ("name", "text", "thought", "solution"),
    [
        ("think", "<think>a</think>b", "a", "b"),
        ("think", "<think>\n\na\r\n</think>\r\nb", "\na", "b"),
        ("think", "Sure. <think>\na\n</think>\n\nb", "a", "b"),
        ("think", "<think>\n</think>\n\nb", "", "b"),
        ("sky_t1", "<|begin_of_thought|>a <|end_of_thought|> b<|end_of_solution|>", "a", "b"),
        (
            "sky_t1",
            "<|begin_of_thought|>\n\na \n\n<|end_of_thought|>\n\n<|begin_of_solution|>\n\nb \n"
            "<|end_of_solution|>",
            "a ",
            "b",
        ),
    ],
)
def test_blanks_around_tags_may_differ_from_the_prompts(name, text, thought, solution):
    assert parse(PROMPTS[name], text) == Parsed(thought, solution, closed=True)


def test_case_29_a_thought_that_quotes_its_closing_marker_ends_at_the_last_one():
    thought = "The tag </think> ends it, so \\boxed{9} is no answer yet.\n\nnow 1"
    text = f"<think>\n{thought}\n</think>\n\n\\boxed{{1}}"
    assert parse(PROMPTS["think"], text) == Parsed(thought, "\\boxed{1}", closed=True)


@pytest.mark.parametrize(
    ("name", "text", "thought", "solution"),
    [
        ("think", "<think>a</think>b</think>c</think>d", "a</think>b</think>c", "d"),
        ("think", "<think>a</think>b</think>", "a", "b</think>"),  # nothing follows the last
        ("think", "<think>a</think>b<think>c</think>d", "a</think>b<think>c", "d"),
        (  # what follows the end of the solution does not count
            "sky_t1",
            "<|begin_of_thought|>a<|end_of_thought|>b<|end_of_solution|>c<|end_of_thought|>d",
            "a",
            "b",
        ),
        (
            "sky_t1",
            "<|begin_of_thought|>a <|end_of_thought|> q<|end_of_thought|>b<|end_of_solution|>",
            "a <|end_of_thought|> q",
            "b",
        ),
    ],
)
def test_of_several_closing_markers_the_last_that_text_follows_counts(
    name, text, thought, solution
):
    parsed = parse(PROMPTS[name], text)
    assert (parsed.thought, parsed.solution, parsed.closed) == (thought, solution, True)


def test_markers_that_are_no_tags_are_read_exactly():
    text = "Thought: a\nSolution: b"
    assert parse(PROMPTS["micro"], text) == Parsed("", text, closed=True)


def test_a_teachers_thought_may_lack_the_opening_that_its_template_wrote():
    assert parse_foreign(PROMPTS["think"], "a\n</think>\n\nb") == Parsed("a", "b", closed=True)
    assert parse_foreign(PROMPTS["think"], "<think>\na").closed is False
    assert parse_foreign(PROMPTS["think"], "a") == Parsed("", "a", closed=True)


def shared_texts(name):
    """Whole responses of the shared traces with thought and solution: real text, any length."""
    if not TRACES.is_dir():
        pytest.skip(f"no shared traces at {TRACES}")
    rows = []
    for path in sorted(TRACES.glob("*.jsonl")):
        with path.open(encoding="utf-8") as file:
            rows += [json.loads(line) for line in file]
    prompt = PROMPTS[name]
    close, end = prompt.thought_close.split()[0], prompt.solution_close.strip()
    ends = end if prompt.thought_open else prompt.thought_close
    pairs = [(row["reasoning"], row["solution"]) for row in rows]
    return [
        (t, s)
        for t, s in pairs
        if not (prompt.thought_open and close in t) and not (ends and ends in s)
    ]


@each
def test_real_traces_are_read_back_as_they_were_written(name):
    prompt, pairs = PROMPTS[name], shared_texts(name)
    assert len(pairs) > 2000
    for thought, solution in pairs:
        whole = response(prompt, thought, solution)
        assert parse(prompt, whole) == Parsed(thought, solution, closed=True)


def test_without_an_opening_the_last_heading_parts_a_text():
    text = "a\n\n**Final Answer**\n\n1? Wait.\n\n**Final Answer**\n\n2"
    parsed = parse(PROMPTS["plain"], text)
    assert parsed == Parsed("a\n\n**Final Answer**\n\n1? Wait.", "2", closed=True)


@pytest.mark.parametrize("name", THINKING)
def test_real_traces_that_never_close_are_all_thought(name):
    prompt = PROMPTS[name]
    unclosed = [thought for thought, solution in shared_texts(name) if not solution]
    assert len(unclosed) > 300
    for thought in unclosed:
        assert parse(prompt, prompt.thought_open + thought) == Parsed(thought, "", closed=False)


def test_real_responses_of_students_are_parted_where_their_authors_part_them():
    if not TRACES.is_dir():
        pytest.skip(f"no shared traces at {TRACES}")
    with (TRACES / "skythought_ablation_outputs.jsonl").open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    for row in rows:
        whole = row["pre"] + row["reasoning"] + row["mid"] + row["solution"] + row["post"]
        parsed = parse(PROMPTS["sky_t1"], whole)
        assert parsed.thought.strip() == row["reasoning"].strip()
        assert parsed.solution.strip() == row["solution"].strip()
        assert parsed.closed is not row["truncated"]


def test_what_follows_the_end_of_the_solution_is_not_read_for_an_answer():
    prompt = PROMPTS["sky_t1"]
    text = response(prompt, "t", r"\boxed{1}") + r" \boxed{2}"
    assert parse(prompt, text).solution == r"\boxed{1}"


def test_braces_and_percents_of_a_question_are_left_alone():
    question = r"{question} {0} %s \frac{1}{2}"
    user = messages(SYSTEM, question)[-1]["content"]
    assert user == f"Q: {question}"


def test_no_system_message_is_sent_where_there_is_none():
    assert [m["role"] for m in messages(PROMPTS["micro"], "q")] == ["user"]
    assert [m["role"] for m in messages(SYSTEM, "q")] == ["system", "user"]


def test_prompt_ids_are_the_chat_template_with_the_answers_opening():
    tokenizer = micro_tokenizer.build()
    assert (
        tokenizer.decode(chat_ids(tokenizer, messages(PROMPTS["micro"], "1+2"))) == "Problem: 1+2\n"
    )


def test_a_template_that_refuses_the_system_role_gets_it_in_the_user_message():
    tokenizer = micro_tokenizer.build()
    tokenizer.chat_template = REFUSES_SYSTEM
    text = tokenizer.decode(chat_ids(tokenizer, messages(SYSTEM, "1+2")))
    assert text == "<user>Think.\n\nQ: 1+2<model>"


def test_a_template_that_fails_without_a_system_message_fails():
    from jinja2 import TemplateError

    tokenizer = micro_tokenizer.build()
    tokenizer.chat_template = "{{ raise_exception('no') }}"
    with pytest.raises(TemplateError):
        chat_ids(tokenizer, messages(PROMPTS["micro"], "1+2"))


def test_a_tokenizer_without_template_gets_the_messages_as_plain_text():
    tokenizer = micro_tokenizer.build()
    tokenizer.chat_template = None
    assert tokenizer.decode(chat_ids(tokenizer, messages(SYSTEM, "1+2"))) == "Think.\n\nQ: 1+2\n\n"


def test_the_opening_that_a_template_wrote_is_told_from_the_prompts_own_words():
    tokenizer = micro_tokenizer.build()
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }}\n{% endfor %}<think>\n"
    ids = chat_ids(tokenizer, messages(PROMPTS["think"], "1+2"))
    assert opening(tokenizer, ids, "<think>\n") == "<think>\n"
    assert opening(tokenizer, ids, "Thought:\n") == ""
    assert opening(tokenizer, ids, "") == ""
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }}\n{% endfor %}"
    ids = chat_ids(tokenizer, messages(PROMPTS["think"], "<think>"))
    assert opening(tokenizer, ids, "<think>\n") == ""


@each
def test_a_math_prompt_asks_for_a_box_in_plain_latex(name):
    prompt = PROMPTS[name]
    assert "{{" not in prompt.user.replace("{question}", "")
    asked = "block of Python" if name.endswith("_code") else "boxed{}"
    assert asked in prompt.system + prompt.user or name == "micro"
