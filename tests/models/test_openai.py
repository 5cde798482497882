"""A server may be busy, broken, gone or refuse: no response is lost or requested twice.

Run: pytest tests/models/test_openai.py
"""

import asyncio
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from email.utils import formatdate

import httpx
import pytest
from openai import APIConnectionError, APIStatusError

from distill.compute import ComputeConfig
from distill.models import engines
from distill.models.config import Api, EngineConfig, SamplingConfig
from distill.models.engines import openai
from distill.models.hub import Model
from tests.server import completed, refused, replied, serving

MODEL = Model("org/model")
PROMPTS = [[10 + i, 1, 2] for i in range(12)]
CHAT = [[{"role": "user", "content": f"question {i}"}] for i in range(12)]
GREEDY = SamplingConfig(max_new_tokens=20)


def ask(
    url, prompts=PROMPTS, *, done=(), api=Api.completions, sampling=GREEDY, served_as="", **how
):
    config = EngineConfig(kind="openai", base_url=url, api=api, served_as=served_as)
    compute = ComputeConfig(progress=False, **how)
    seeds = [2**64 - 1 - i for i in range(len(prompts))]
    return engines.generate(
        config, MODEL, prompts, seeds, sampling, done=set(done), compute=compute
    )


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Waits as short as a test's; a key of its own, and no proxy between us and ourselves."""
    monkeypatch.setattr(openai, "LONGEST_WAIT", 0.02)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-of-the-user")
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def test_every_pending_prompt_is_completed_once_and_none_that_is_done():
    with serving(completed) as server:
        made = dict(ask(server.url, done={0, 5}))
    assert sorted(made) == [i for i in range(12) if i not in (0, 5)]
    for i, completion in made.items():
        assert completion.text == str(PROMPTS[i][0]) and completion.ids == PROMPTS[i][:1]
        assert completion.finish_reason == "stop" and completion.tokens == 2
    assert set(server.asked.values()) == {1} and len(server.asked) == 10


def test_token_ids_go_with_all_sampling_spelt_out_and_a_seed_only_where_something_is_drawn():
    drawn = SamplingConfig(temperature=0.6, top_p=0.95, max_new_tokens=20)
    with serving(completed) as server:
        list(ask(server.url, PROMPTS[:1]))
        list(ask(server.url, PROMPTS[:1], sampling=drawn))
    greedy, sampled = server.bodies
    assert greedy["prompt"] == PROMPTS[0] and "seed" not in greedy
    assert greedy["temperature"] == 0 and greedy["max_tokens"] == 20
    assert greedy["top_k"] == -1 and greedy["repetition_penalty"] == 1
    assert greedy["min_p"] == 0 and greedy["presence_penalty"] == 0
    assert sampled["temperature"] == 0.6 and sampled["top_p"] == 0.95
    assert sampled["seed"] == (2**64 - 1) % 2**63
    card = {"top_k": 20, "min_p": 0.05, "presence_penalty": 1.5, "repetition_penalty": 1.05}
    with serving(completed) as server:
        list(ask(server.url, PROMPTS[:1], sampling=replace(drawn, **card)))
    assert card.items() <= server.bodies[0].items()


def test_a_response_may_be_as_long_as_what_the_server_holds_leaves_room_for():
    long = SamplingConfig(max_new_tokens=1000)
    with serving(lambda body, count: completed(body, reason="length")) as server:
        made = dict(ask(server.url, PROMPTS[:1], sampling=long))
        assert server.bodies[0]["max_tokens"] == 100 - 3
        assert made[0].finish_reason == "length" and made[0].ids == [10, 1]
        assert "the server's 100 tokens" in dict(ask(server.url, [[1] * 100]))[0].why


def test_an_adapter_holds_as_much_as_the_model_under_it():
    cards = [{"id": "base", "max_model_len": 50}, {"id": "org/model", "parent": "base"}]
    with serving(completed, cards=cards) as server:
        list(ask(server.url, PROMPTS[:1], sampling=SamplingConfig(max_new_tokens=1000)))
    assert server.bodies[0]["max_tokens"] == 50 - 3


def test_chat_servers_get_messages_and_may_give_the_thought_apart():
    with serving(lambda body, count: replied(body, content="4", reasoning_content="2+2")) as server:
        made = dict(ask(server.url, CHAT[:2], api=Api.chat))
    assert server.bodies[0]["messages"] in CHAT[:2] and "top_k" not in server.bodies[0]
    assert made[1] == engines.Completion([], "4", "stop", 7, "2+2")
    assert "presence_penalty" not in server.bodies[0] and "min_p" not in server.bodies[0]
    fresh = replace(GREEDY, presence_penalty=1.5)
    with serving(lambda body, count: replied(body, content="<think>2+2</think>4")) as server:
        (_, plain), *_ = ask(server.url, CHAT[:1], api=Api.chat, sampling=fresh)
    assert server.bodies[0]["presence_penalty"] == 1.5
    assert plain.text == "<think>2+2</think>4" and plain.reasoning is None


def test_as_many_requests_as_asked_for_are_under_way_at_once_and_no_more():
    together = threading.Barrier(4)

    def slow(body, count):
        together.wait(60)
        return completed(body)

    with serving(slow) as server:
        assert len(list(ask(server.url, concurrency=4))) == 12
    assert server.most == 4


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 529])
def test_what_fails_for_the_moment_is_asked_again(status):
    with serving(lambda body, n: refused(status) if n < 3 else completed(body)) as server:
        made = dict(ask(server.url))
    assert len(made) == 12 and set(server.asked.values()) == {4}


def test_a_stated_wait_is_kept_before_a_request_is_sent_again(monkeypatch):
    pause, waits = asyncio.sleep, []

    async def sleep(seconds):
        waits.append(seconds)
        await pause(0)

    def answer(body, count):
        return completed(body) if count else (*refused(429), {"Retry-After": "30"})

    monkeypatch.setattr(openai.asyncio, "sleep", sleep)
    with serving(answer) as server:
        assert len(list(ask(server.url))) == 12
    assert set(server.asked.values()) == {2}
    assert sum(seconds >= 30 for seconds in waits) == 12


def test_a_stated_wait_is_never_longer_than_a_request_is_sent_again(monkeypatch):
    later = {"Retry-After": "86400"}
    with (
        serving(lambda body, count: (*refused(429), later)) as server,
        pytest.raises(RuntimeError, match=r"not answered for 0 seconds \(429: said so\)"),
    ):
        list(ask(server.url, CHAT[:1], api=Api.chat, retry_seconds=0.2))
    assert set(server.asked.values()) == {2}


@pytest.mark.parametrize(
    ("stated", "least", "most"),
    [
        ("1.5", 1.5, 1.5),
        (formatdate(time.time() + 3600, usegmt=True), 3000, 3600),
        (formatdate(0, usegmt=True), 0, 0),
        ("-1", 0, 0),
        ("nan", 0, 0),
        ("soon", 0, 0),
        ("Wed, 21 Oct 99999 07:28:00 GMT", 0, 0),
        (None, 0, 0),
    ],
    ids=["seconds", "date", "past", "negative", "nan", "words", "far", "none"],
)
def test_a_wait_is_stated_in_seconds_or_as_a_date(stated, least, most):
    headers = {} if stated is None else {"Retry-After": stated}
    response = httpx.Response(429, headers=headers, request=httpx.Request("POST", "http://x"))
    error = APIStatusError("busy", response=response, body=None)
    assert least <= openai._retry_after(error) <= most
    assert openai._retry_after(APIConnectionError(request=response.request)) == 0


def test_time_outs_broken_connections_and_broken_off_responses_are_asked_again():
    def answer(body, count):
        if count == 0:
            time.sleep(0.6)
        if count == 1:
            return None
        return completed(body, reason="abort" if count == 2 else "stop")

    with serving(answer) as server:
        assert len(list(ask(server.url, reply_seconds=0.3))) == 12
    assert set(server.asked.values()) == {4}


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_stops_at_once_and_is_named_by_its_variable_only(status, monkeypatch):
    monkeypatch.setenv("MY_KEY", "sk-secret-of-the-user")
    said = "Incorrect API key provided: sk-secret-of-the-user"
    with (
        serving(lambda body, count: refused(status, said)) as server,
        pytest.raises(RuntimeError) as stop,
    ):
        list(ask(server.url, concurrency=2, api_key="MY_KEY"))
    assert server.keys == {"Bearer sk-secret-of-the-user"}
    assert server.url in str(stop.value) and "'org/model'" in str(stop.value)
    assert "MY_KEY (compute.api_key), which is set" in str(stop.value)
    assert "secret" not in str(stop.value) and stop.value.__suppress_context__
    assert len(server.bodies) <= 2


def test_a_balance_that_is_used_up_stops_the_call_and_refuses_no_prompt():
    paid = PROMPTS[:3]
    with (
        serving(
            lambda b, _: completed(b) if b["prompt"] in paid else refused(402, "empty")
        ) as fake,
        pytest.raises(RuntimeError, match=r"requires payment \(402: empty\); .* are kept"),
    ):
        list(ask(fake.url, concurrency=1))
    assert len(fake.bodies) == 4


def test_a_key_that_is_not_set_is_said_to_be_so(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    with (
        serving(lambda body, count: refused(401)) as server,
        pytest.raises(RuntimeError, match=r"OPENAI_API_KEY .*which is not set"),
    ):
        list(ask(server.url))


def test_an_unknown_model_stops_at_once_with_what_there_is():
    with (
        serving(completed, cards=[{"id": "a"}, {"id": "b"}]) as server,
        pytest.raises(RuntimeError, match="serves 'a', 'b', but not 'org/model'"),
    ):
        list(ask(server.url))
    assert not server.bodies
    missing = refused(404, "no such model")
    with (
        serving(lambda body, count: missing) as server,
        pytest.raises(RuntimeError, match=r"org/model.*ends in /v1.*404: no such model"),
    ):
        list(ask(server.url, CHAT, api=Api.chat, concurrency=1))
    assert len(server.bodies) == 1


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (lambda body: refused(400, "content filter"), "400: content filter"),
        (lambda body: refused(413, "too long"), "413: too long"),
        (lambda body: completed(body, reason="content_filter"), "ended it with 'content_filter'"),
    ],
)
@pytest.mark.parametrize("concurrency", [1, 12])
def test_a_prompt_that_is_refused_for_good_is_asked_once_and_all_others_are_made(
    bad, why, concurrency
):
    def answer(body, count):
        return (bad if body["prompt"][0] in (10, 14) else completed)(body)

    with serving(answer) as server:
        made = dict(ask(server.url, concurrency=concurrency, max_unusable=0.2))
    assert sorted(made) == list(range(12)) and set(server.asked.values()) == {1}
    assert {i: r.why for i, r in made.items() if isinstance(r, engines.Refusal)} == {
        i: why if why[0] == "4" else f"the server {why}" for i in (0, 4)
    }


def test_a_prompt_at_which_a_server_keeps_failing_stays_pending_and_all_others_are_made():
    seen = []

    def answer(body, count):
        if body["prompt"][0] in (13, 14):
            return refused(500, "bug")
        time.sleep(0.1)
        return completed(body)

    with (
        serving(answer) as server,
        pytest.raises(RuntimeError, match=r"2 of 12 prompts.*stay pending.*number 3: 2 × 500: bug"),
    ):
        for i, _ in ask(server.url, concurrency=3, retry_seconds=0.3):
            seen.append(i)
    assert sorted(seen) == [0, 1, 2, *range(5, 12)]


def test_when_every_prompt_is_refused_not_all_of_them_are_tried():
    with (
        serving(lambda body, count: refused(422)) as server,
        pytest.raises(RuntimeError, match=r"answered none of [23] prompts.*422: said so"),
    ):
        list(ask(server.url, concurrency=2))
    assert len(server.bodies) < 6


def test_a_server_that_is_gone_ends_the_call_after_its_time_and_what_was_made_is_kept(monkeypatch):
    waited, sleep, made = [], asyncio.sleep, []

    async def recorded(seconds):
        waited.append(seconds)
        await sleep(seconds)

    monkeypatch.setattr(asyncio, "sleep", recorded)
    with serving(completed) as server:
        rows = ask(server.url, concurrency=1, retry_seconds=0.5)
        made += [next(rows) for _ in range(4)]
    with pytest.raises(RuntimeError, match=r"not answered for 0 seconds.*resumes from there"):
        for row in rows:
            made.append(row)
    assert len(waited) > 1  # it was asked again before it was given up
    assert [i for i, _ in made] == list(range(len(made)))


def test_a_server_that_comes_back_is_used_on_without_a_row_lost_or_made_twice():
    with serving(completed) as first:
        port = first.server_address[1]
        rows = ask(first.url, concurrency=2)
        made = [next(rows) for _ in range(3)]

    def come_back():
        time.sleep(0.5)
        with serving(completed, port=port):
            back.set()
            ended.wait(30)

    back, ended = threading.Event(), threading.Event()
    thread = threading.Thread(target=come_back)
    thread.start()
    try:
        made += list(rows)
    finally:
        ended.set()
        thread.join()
    assert back.is_set() and sorted(i for i, _ in made) == list(range(12))


def test_leaving_off_early_calls_off_what_is_under_way():
    left_off, answered = threading.Event(), []

    def slow(body, count):
        if body["prompt"][0] != 10:
            left_off.wait(20)
            answered.append(body)
        return completed(body)

    with serving(slow) as server:
        rows = ask(server.url, concurrency=3)
        assert next(rows)[0] == 0
        rows.close()
        assert answered == []
        left_off.set()


def test_an_interrupt_ends_the_program_at_once_although_responses_are_awaited():
    script = """
import signal, sys
from distill.models import engines
from distill.models.config import *
from distill.compute import *
from distill.models.hub import Model
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job is born deaf to it
engine = EngineConfig(kind="openai", base_url=sys.argv[1])
rows = engines.generate(engine, Model("org/model"), [[10]], [0], SamplingConfig(),
                        compute=ComputeConfig(progress=False))
print("asking", flush=True)
list(rows)
"""

    def never(body, count):
        asked.set()
        time.sleep(60)

    asked = threading.Event()
    with serving(never) as server:
        process = subprocess.Popen(
            [sys.executable, "-c", script, server.url],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert asked.wait(60)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
    assert process.returncode != 0 and b"KeyboardInterrupt" in said


def test_no_address_is_refused_with_what_one_looks_like():
    with pytest.raises(ValueError, match=r"engine\.base_url must be the address.*localhost"):
        list(ask(""))


def test_a_student_that_was_trained_here_goes_by_the_key_of_its_artifact(tmp_path):
    key = "0123456789abcdef" * 4
    for part in ("adapter", "model"):
        (tmp_path / key / part).mkdir(parents=True)
    assert openai.served_name(Model("base", adapter=tmp_path / key / "adapter")) != key
    (tmp_path / key / "recipe.json").touch()
    assert openai.served_name(Model("base", adapter=tmp_path / key / "adapter")) == key
    assert openai.served_name(Model(str(tmp_path / key / "model"))) == key
    assert openai.served_name(Model("org/model", "0" * 40)) == "org/model"


def test_only_a_server_of_chats_wants_messages():
    assert EngineConfig(kind="openai", api=Api.chat).wants_messages
    assert not EngineConfig(kind="openai").wants_messages
    assert not EngineConfig(kind="transformers", api=Api.chat).wants_messages
