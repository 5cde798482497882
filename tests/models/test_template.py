"""Prompts are the same on every day, and hold what they are made of.

Run: pytest tests/models/test_template.py
"""

import pytest

from distill.models import engines, template
from distill.models.config import Api, EngineConfig, PromptConfig
from distill.models.control import UnwritableError
from distill.models.prompt import chat_ids, messages, opening
from tests.odd_tokenizers import CHATML, DATED, byte_level

SYSTEM = PromptConfig(
    name="x", system="Be brief.", user="{question}", thought_open="<a>", thought_close="</a>"
)
PLAIN = PromptConfig(name="x", user="{question}", thought_open="<a>", thought_close="</a>")


def test_case_34_a_template_that_asks_for_todays_date_gets_a_fixed_one(monkeypatch):
    tokenizer = byte_level(DATED)
    text = tokenizer.decode(chat_ids(tokenizer, messages(PLAIN, "1+1?")))
    assert text.startswith("Today: 26 Jul 2024 00:00:00.000000\n\n<|im_start|>user\n1+1?")
    assert chat_ids(tokenizer, messages(PLAIN, "1+1?")) == chat_ids(
        tokenizer, messages(PLAIN, "1+1?")
    )
    monkeypatch.setattr(template, "DATE", "2025-01-02")
    assert "02 Jan 2025" in tokenizer.decode(chat_ids(tokenizer, messages(PLAIN, "1+1?")))


def test_case_34_the_date_is_part_of_what_identifies_replies_and_students(tiny_student):
    from distill.models.config import StudentConfig
    from distill.training import train
    from distill.training.config import TrainingConfig

    student = StudentConfig(name="x", model=str(tiny_student))
    assert engines.pins(EngineConfig())["date"] == template.DATE
    assert train.pins(student, TrainingConfig(name="x"), PLAIN)["date"] == template.DATE
    chat = EngineConfig(kind="openai", base_url="http://x", api=Api.chat)
    assert "date" not in engines.pins(chat)  # the server's own


@pytest.mark.parametrize(
    ("source", "lost"),
    [
        ("{% for m in messages %}<|im_start|>{{ m['role'] }}<|im_end|>{% endfor %}",
         "system and the user"),
        ("{{ messages[0]['content'] }}", "user"),
        ("{% for m in messages %}{% if m['role'] == 'user' %}{{ m['content'] }}{% endif %}"
         "{% endfor %}", "system"),
        ("{% for m in messages %}{% for part in m['content'] %}{{ part['text'] }}{% endfor %}"
         "{% endfor %}", "system and the user"),
        ("You are helpful.", "system and the user"),
    ],
)  # fmt: skip
def test_a_template_that_leaves_a_message_out_is_refused(source, lost):
    with pytest.raises(ValueError, match=f"leaves the {lost} message out"):
        chat_ids(byte_level(source), messages(SYSTEM, "helpful"))


def test_a_template_may_trim_but_not_cut_what_is_asked():
    trims = byte_level(CHATML.replace("m['content']", "m['content'] | trim"))
    assert "user\n1+1?<|im_end|>" in trims.decode(chat_ids(trims, messages(PLAIN, "\n1+1? ")))
    cuts = byte_level(CHATML.replace("m['content']", "m['content'].split('</a>')[-1]"))
    assert chat_ids(cuts, messages(PLAIN, "1+1?"))
    with pytest.raises(UnwritableError, match="alters the user message"):
        chat_ids(cuts, messages(PLAIN, "Say </a>: 1+1?"))


def test_a_template_that_ends_the_thought_is_refused_and_one_that_opens_it_is_not():
    opens, ends = (
        byte_level(CHATML.replace("assistant\n", f"assistant\n{begun}"))
        for begun in ("<think>\n", "<think>\n\n</think>\n\n")
    )
    ids = chat_ids(opens, messages(PLAIN, "1+1?"))
    assert opening(opens, ids, "<think>\n") == "<think>\n"
    with pytest.raises(ValueError, match="ends the thought before the reply"):
        opening(ends, chat_ids(ends, messages(PLAIN, "1+1?")), "<think>\n")


def test_a_question_that_ends_with_an_opening_opens_no_thought():
    tokenizer = byte_level("{% for m in messages %}{{ m['content'] }}\n{% endfor %}")
    ids = chat_ids(tokenizer, messages(PLAIN, "What does this do? <think>"))
    assert opening(tokenizer, ids, "<think>\n") == ""
    bare = byte_level(template=None)
    ids = chat_ids(bare, messages(PLAIN, "What does this do? <think>"))
    assert opening(bare, ids, "<think>\n") == ""


def test_a_template_that_needs_a_system_message_may_open_the_thought_too():
    needs = (
        "{% if messages[0]['role'] != 'system' %}{{ raise_exception('no system') }}{% endif %}"
        + CHATML.replace("assistant\n", "assistant\n<think>\n")
    )
    tokenizer = byte_level(needs)
    ids = chat_ids(tokenizer, messages(SYSTEM, "1+1?"))
    assert opening(tokenizer, ids, "<think>\n") == "<think>\n"
