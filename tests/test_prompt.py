"""What is written for training is read back at evaluation. Run: pytest tests/test_prompt.py."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from distill.config import PromptConfig
from distill.micro import tokenizer as micro_tokenizer
from distill.prompt import Parsed, messages, parse, prompt_ids, response
from distill.store import CHECKOUT

PROMPTS = {
    path.stem: PromptConfig(**yaml.safe_load(path.read_text(encoding="utf-8")))
    for path in sorted((CHECKOUT / "conf" / "prompt").glob("*.yaml"))
}
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


def markers(prompt):
    texts = (prompt.thought_open, prompt.thought_close, prompt.solution_close)
    return [text.strip() for text in texts if text.strip()]


@each
@given(data=st.data())
def test_parsing_inverts_writing(name, data):
    prompt = PROMPTS[name]
    texts = st.text().filter(lambda text: not any(mark in text for mark in markers(prompt)))
    thought, solution = data.draw(texts), data.draw(texts)
    parsed = parse(prompt, response(prompt, thought, solution))
    assert parsed == Parsed(thought, solution, closed=True)


@each
def test_a_thought_that_never_closes_has_no_solution_whatever_it_mentions(name):
    prompt = PROMPTS[name]
    parsed = parse(prompt, prompt.thought_open + r"So \boxed{1+2}, or")
    assert parsed == Parsed(r"So \boxed{1+2}, or", "", closed=False)


@each
def test_a_response_that_opens_no_thought_is_all_solution(name):
    text = r"Solution: \boxed{1+2}."
    assert parse(PROMPTS[name], text) == Parsed("", text, closed=True)


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
    assert tokenizer.decode(prompt_ids(tokenizer, PROMPTS["micro"], "1+2")) == "Problem: 1+2\n"


def test_a_template_that_refuses_the_system_role_gets_it_in_the_user_message():
    tokenizer = micro_tokenizer.build()
    tokenizer.chat_template = REFUSES_SYSTEM
    text = tokenizer.decode(prompt_ids(tokenizer, SYSTEM, "1+2"))
    assert text == "<user>Think.\n\nQ: 1+2<model>"


def test_a_template_that_fails_without_a_system_message_fails():
    from jinja2 import TemplateError

    tokenizer = micro_tokenizer.build()
    tokenizer.chat_template = "{{ raise_exception('no') }}"
    with pytest.raises(TemplateError):
        prompt_ids(tokenizer, PROMPTS["micro"], "1+2")


def test_a_tokenizer_without_template_gets_the_messages_as_plain_text():
    tokenizer = micro_tokenizer.build()
    tokenizer.chat_template = None
    assert tokenizer.decode(prompt_ids(tokenizer, SYSTEM, "1+2")) == "Think.\n\nQ: 1+2\n\n"
