"""A server may answer with anything: no row is lost, and nothing but a completion becomes one.

Run: pytest tests/models/test_replies.py
"""

import json
import threading

import pytest

from distill.compute import ComputeConfig
from distill.models import engines
from distill.models.config import Api, EngineConfig, SamplingConfig
from distill.models.converse import SERVED, converse
from distill.models.hub import Model
from distill.models.replies import NoCompletionError, read_reply, same_model
from tests.models.test_openai import CHAT, PROMPTS, ask, impatient
from tests.server import completed, replied, serving, usage

__all__ = ["impatient"]


def text(**changed):
    """A reply of the completions API as bytes, with fields of its choice or its own changed."""
    choice = {"index": 0, "text": "4", "finish_reason": "stop", "token_ids": [4, 1]}
    reply = {"id": "a", "choices": [choice], "usage": usage(2)}
    for name, value in changed.items():
        (choice if name in choice else reply)[name] = value
    return json.dumps(reply).encode()


def chat(**message):
    _, reply = replied({}, **message)
    return json.dumps(reply).encode()


BROKEN = {
    "nothing": (b"", "not JSON"),
    "HTML": (b"<html>busy</html>", "not JSON: '<html>busy"),
    "torn": (text()[:40], "not JSON"),
    "no UTF-8": (b'{"choices": "\xff"}', "not JSON"),
    "deep": (b"[" * 100_000, "not JSON"),
    "null": (b"null", "it is null or missing, not an object"),
    "list": (b"[]", "it is a list, not an object"),
    "text": (b'"busy"', "it is text, not an object"),
    "an error": (b'{"error": {"message": "busy"}}', "choices is null or missing, not a list"),
    "no choices": (text(choices=[]), "0 of 0 choices have index 0"),
    "null choices": (text(choices=None), "choices is null or missing"),
    "choices in an object": (text(choices={"0": {}}), "choices is an object, not a list"),
    "null choice": (text(choices=[None]), "a choice is null or missing, not an object"),
    "another's choice": (text(index=1), "0 of 1 choices have index 0"),
    "null text": (text(text=None), "text is null or missing, not text"),
    "text in a list": (text(text=["4"]), "text is a list, not text"),
    "text as a number": (text(text=4.5), "text is a number, not text"),
    "no reason": (text(finish_reason=None), "finish_reason is null or missing"),
    "reason as a number": (text(finish_reason=1), "finish_reason is an integer"),
    "ids as text": (text(token_ids="41"), "token_ids is text, not a list"),
    "ids of text": (text(token_ids=["4", "1"]), "token_ids are not all numbers"),
    "usage in a list": (text(usage=[2]), "usage is a list, not an object"),
    "tokens as text": (text(usage={"completion_tokens": "2"}), "completion_tokens is text"),
    "half a token": (text(usage={"completion_tokens": 2.5}), "completion_tokens is a number"),
    "true tokens": (text(usage={"completion_tokens": True}), "completion_tokens is true or false"),
    "model as a number": (text(model=4), "model is an integer, not text"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_completion_is_asked_again_and_then_pending_by_name(name):
    body, why = BROKEN[name]
    kinds = {"content-type": "text/html"} if name == "HTML" else {}
    with serving(lambda b, n: completed(b) if n > 1 else (200, body, kinds)) as server:
        assert len(dict(ask(server.url, PROMPTS[:2]))) == 2
    assert set(server.asked.values()) == {3}

    seen = []
    with (
        serving(lambda b, n: (200, body) if b["prompt"][0] == 13 else completed(b)) as server,
        pytest.raises(RuntimeError, match=r"1 of 5 prompts.*stay pending.*number 3: 1 ×") as stop,
    ):
        for i, _ in ask(server.url, PROMPTS[:5], concurrency=1, retry_seconds=0):
            seen.append(i)
    assert why in str(stop.value) and "no completion" in str(stop.value)
    assert sorted(seen) == [0, 1, 2, 4]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (text(), "message is null or missing"),
        (chat(), "content is null or missing, not text"),
        (chat(content=None), "content is null"),
        (chat(content=[{"type": "text", "text": "4"}]), "content is a list, not text"),
        (chat(content="4", reasoning_content=["2+2"]), "reasoning_content is a list"),
        (chat(content="4", reasoning={"steps": []}), "reasoning is an object"),
    ],
)
def test_what_is_no_message_is_no_completion(body, why):
    with pytest.raises(NoCompletionError, match=why):
        read_reply(body, chat=True)


def test_the_choice_of_index_0_is_read_wherever_it_stands():
    choices = [{"index": n, "text": str(n), "finish_reason": "stop"} for n in (2, 0, 1)]
    assert read_reply(text(choices=choices), chat=False).text == "0"
    assert read_reply(text(index=None), chat=False).text == "4"
    assert read_reply(chat(content=None, reasoning="2+2"), chat=True).text == ""
    assert read_reply(chat(content=None, refusal="no"), chat=True).finish_reason == "refusal"


@pytest.mark.parametrize(
    ("api", "tokens", "absurd"),
    [
        (Api.completions, 20, False),
        (Api.completions, 21, True),
        (Api.completions, -1, True),
        (Api.completions, 0, True),
        (Api.completions, 10**40, True),
        (Api.chat, 1000, False),  # the thought may not count
        (Api.chat, 10**6, True),
        (Api.chat, -7, True),
    ],
)
def test_an_absurd_count_of_tokens_is_refused_and_named(api, tokens, absurd):
    def answer(body, count):
        make = completed(body) if api is Api.completions else replied(body, content="4")
        return 200, make[1] | {"usage": {"completion_tokens": tokens}}

    prompts = (PROMPTS if api is Api.completions else CHAT)[:1]
    with serving(answer) as server:
        if absurd:
            with pytest.raises(
                RuntimeError, match=f"pending.*absurd: it reports {str(tokens)[:30]}"
            ):
                list(ask(server.url, prompts, api=api))
        else:
            assert dict(ask(server.url, prompts, api=api))[0].tokens == tokens
    assert set(server.asked.values()) == {1}


SAME = [
    ("org/model", "org/model"),
    ("gpt-4o", "gpt-4o-2024-08-06"),
    ("gpt-4", "gpt-4-0613"),
    ("openai/gpt-4o", "gpt-4o-2024-08-06"),
    ("GPT-4o", "gpt-4o"),
    ("claude-3-5-sonnet-latest", "claude-3-5-sonnet-20241022"),
    ("gemini-1.5-pro", "gemini-1.5-pro-002"),
    ("deepseek/deepseek-r1:free", "deepseek/deepseek-r1"),
    ("llama3", "llama3:latest"),
    ("/models/qwen/", "qwen"),
    ("o1-2024-12-17", "o1"),
]
OTHER = [
    ("gpt-4o", "gpt-4o-mini"),
    ("gpt-4o", "gpt-4o-mini-2024-07-18"),
    ("gpt-4", "gpt-4-turbo-2024-04-09"),
    ("gpt-4o-2024-08-06", "gpt-4o-2024-11-20"),
    ("qwen2.5-7b", "qwen2.5-72b"),
    ("llama-3", "llama-3.1"),
    ("llama-3", "llama-3-70b"),
    ("a/model", "b/model"),
    ("r1", "r1-distill"),
    ("model", " "),
]


@pytest.mark.parametrize(("asked", "served"), SAME)
def test_one_model_has_names_with_and_without_place_and_date(asked, served):
    assert same_model(asked, served) and same_model(served, asked)


@pytest.mark.parametrize(("asked", "served"), OTHER)
def test_another_model_is_another(asked, served):
    assert not same_model(asked, served) and not same_model(served, asked)


def test_replies_of_another_model_stay_pending_by_its_name():
    def answer(body, count):
        other = "org/small" if body["prompt"][0] == 13 else "org/model"
        return 200, completed(body)[1] | {"model": other}

    seen = {}
    with (
        serving(answer) as server,
        pytest.raises(
            RuntimeError, match=r"number 3: 1 × model 'org/small' answered, not 'org/model'"
        ),
    ):
        for i, made in ask(server.url):
            seen[i] = made.model
    assert seen == {i: "org/model" for i in range(12) if i != 3}
    with serving(lambda b, _: (200, completed(b)[1] | {"model": "deployed-2"})) as server:
        assert len(list(ask(server.url, served_as="deployed-2"))) == 12
        with pytest.raises(RuntimeError, match=r"answered none of 2.*engine\.served_as"):
            list(ask(server.url, concurrency=1, max_unusable=0.1))


def test_models_that_answered_are_recorded(tmp_path):
    def answer(body, count):
        dated = (
            "org/model-2024-08-06" if body["messages"][0]["content"] == "question 1" else "model"
        )
        return 200, replied(body, content="4")[1] | {"model": dated}

    with serving(answer) as server:
        how = EngineConfig(kind="openai", base_url=server.url, api=Api.chat)
        keys, rows = [str(i) for i in range(12)], tmp_path / "rows.jsonl"
        for _ in range(2):  # the second time from its rows
            converse(
                Model("org/model"), how, SamplingConfig(max_new_tokens=20), CHAT, keys,
                keep=rows, compute=ComputeConfig(progress=False),
            )  # fmt: skip
            assert json.loads((tmp_path / SERVED).read_text()) == {
                "model": 11,
                "org/model-2024-08-06": 1,
            }
    assert len(server.bodies) == 12


def test_no_key_is_said_though_a_reply_repeats_it():
    key = "sk-secret-of-the-user"
    for body in (key.encode(), text(model=key), text(finish_reason=key)):
        with serving(lambda b, n, body=body: (200, body)) as server:
            try:
                said = str(list(ask(server.url, PROMPTS[:1], retry_seconds=0)))
            except RuntimeError as error:
                said = str(error)
        assert "secret" not in said and "..." in said


@pytest.mark.parametrize("what", ["headers", "bytes", "models"])
def test_a_server_that_hangs_ends_the_call_in_the_time_that_was_set(what):
    left_off = threading.Event()

    def trickle():
        while not left_off.wait(0.05):
            yield b" "

    def hang(body, count):
        if what == "headers":
            left_off.wait(60)
        return 200, trickle()

    with serving(hang) as server:
        if what == "models":
            server.RequestHandlerClass = type(
                "Slow",
                (server.RequestHandlerClass,),
                {"do_GET": lambda self: self.reply(200, trickle())},
            )
        with pytest.raises(RuntimeError, match=r"within 0\.2 seconds \(compute\.reply_seconds\)"):
            list(ask(server.url, PROMPTS[:3], reply_seconds=0.2, retry_seconds=0.1))
        left_off.set()


@pytest.mark.parametrize("cards", [b"<html>", b"null", b'{"data": null}', b'{"data": [{"id": 4}]}'])
def test_a_list_of_models_that_is_none_is_said_to_be_none(cards):
    with (
        serving(completed, cards=cards) as server,
        pytest.raises(RuntimeError, match="a reply that is no completion"),
    ):
        list(ask(server.url, retry_seconds=0))


def test_a_text_that_cannot_be_sent_is_refused_alone():
    chats = [*CHAT[:3], [{"role": "user", "content": "half \ud83d"}]]
    with serving(lambda b, _: replied(b, content="4")) as server:
        made = dict(ask(server.url, chats, api=Api.chat, max_unusable=0.5))
    assert [isinstance(made[i], engines.Refusal) for i in range(4)] == [False] * 3 + [True]


def test_waits_have_to_be_positive():
    with pytest.raises(ValueError, match=r"compute\.reply_seconds must be > 0; got 0"):
        ComputeConfig(reply_seconds=0)
    with pytest.raises(ValueError, match=r"compute\.retry_seconds must be >= 0; got -1"):
        ComputeConfig(retry_seconds=-1)
