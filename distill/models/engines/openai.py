"""Generate with an OpenAI-compatible server: `vllm serve`, or a vendor.

The server must give the model under the name that `served_name` says. What it generates with is its
own affair and outside the identity of what is made from it, as is its address: only the model's
name, sampling and the number format that `engine.dtype` states are part of that, and with
`engine.api=completions` the tokenizer.
"""

import asyncio
import itertools
import os
import random
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from distill.compute import ComputeConfig
from distill.models import hub
from distill.models.config import Api, EngineConfig, SamplingConfig
from distill.models.engines import Completion, Prompt, Refusal, raise_failed
from distill.store.identity import RECIPE

LIBRARIES: tuple[str, ...] = ()

PATIENCE = 600.0
"""Seconds after its first failure for which a request is sent again: a server may restart."""

LONGEST_WAIT = 30.0
"""Seconds between two attempts, at most; they double from one, and vary to half of that."""

TIMEOUT = 3600.0
"""Seconds that a server may take over one response."""

CONNECT_TIMEOUT = 10.0
"""Seconds that a server may take to be reached."""

COMPLETIONS = {
    "top_k": -1,
    "min_p": 0.0,
    "repetition_penalty": 1.0,
    "skip_special_tokens": False,
    "return_token_ids": True,
}
"""What goes with token ids to a vLLM server: the first three it would otherwise take from the
model's generation config."""

_Made = Completion | Refusal | str
"""A completion, a refusal, or why there is neither yet."""


def generate(
    engine: EngineConfig,
    model: hub.Model,
    prompts: Sequence[Prompt],
    seeds: Sequence[int],
    sampling: SamplingConfig,
    *,
    done: Collection[int],
    compute: ComputeConfig,
) -> Iterator[tuple[int, Completion | Refusal]]:
    """See `distill.engines.generate`.

    `compute.concurrency` requests are under way at once. What fails for the moment (no connection,
    time-out, 408, 409, 429, 5xx) is sent again for `PATIENCE` seconds, and then stays owed; what
    the server will never answer (401 to 404) stops the call; any other 4xx, a content filter or no
    room for a response is a refusal. If it answers none of the first `compute.concurrency`
    prompts, nor more of them than `compute.max_unusable` lets pass, the rest is not tried.
    """
    from tqdm import tqdm

    if not engine.base_url:
        raise ValueError(
            "engine.base_url must be the address of a server, such as http://localhost:8000/v1; "
            "got an empty one"
        )
    waiting = iter([i for i in range(len(prompts)) if i not in done])
    failed: dict[int, str] = {}
    unanswered, answers_some = 0, False
    bearable = max(compute.concurrency - 1, compute.max_unusable * len(prompts))
    pending: dict[asyncio.Task[_Made], int] = {}
    with (
        asyncio.Runner() as runner,
        tqdm(
            total=len(prompts), initial=len(done), desc="generate", disable=not compute.progress
        ) as bar,
    ):
        server = _Server(engine, model, compute)
        try:
            runner.run(server.check())
            while True:
                for i in itertools.islice(waiting, compute.concurrency - len(pending)):
                    asked = server.complete(prompts[i], seeds[i], sampling)
                    pending[runner.get_loop().create_task(asked)] = i
                if not pending:
                    break
                for task in runner.run(_first(pending)):
                    i, made = pending.pop(task), task.result()
                    if isinstance(made, str):
                        failed[i] = made
                    else:
                        yield i, made
                    bar.update()
                    answers_some |= isinstance(made, Completion)
                    unanswered += not isinstance(made, Completion)
                if not answers_some and unanswered > bearable:
                    raise RuntimeError(
                        f"{engine.base_url} answers none of {unanswered} prompts, and the rest was "
                        f"not tried; the last of them: {made}"
                    )
        finally:
            runner.run(server.close(pending))
    raise_failed(failed, len(prompts))


def free() -> None:
    """Nothing is held on this machine."""


def served_name(model: hub.Model) -> str:
    """The name under which a server must give the model.

    A student that was trained here goes by the key of its artifact: `vllm serve
    artifacts/train_student/KEY/model --served-model-name KEY`, or for an adapter `vllm serve BASE
    --enable-lora --lora-modules KEY=artifacts/train_student/KEY/adapter`. Any other model goes by
    its own name, a folder or hub id, as `vllm serve NAME` does by default.
    """
    folder = model.adapter or Path(model.name)
    return folder.parent.name if (folder.parent / RECIPE).is_file() else model.name


async def _first(pending: Collection[asyncio.Task[Any]]) -> list[asyncio.Task[Any]]:
    """What ended, once something has; failures last, so that nothing finished is lost to them."""
    ended, _ = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
    return sorted(ended, key=lambda task: task.exception() is not None)


class _Server:
    """A server, and what is known of it."""

    def __init__(self, engine: EngineConfig, model: hub.Model, compute: ComputeConfig) -> None:
        from openai import AsyncOpenAI, Timeout

        self.engine = engine
        self.name = served_name(model)
        self.key_variable = compute.api_key
        self.key = os.environ.get(compute.api_key, "")
        self.room: int | None = None  # tokens of prompt and response; None: it does not say
        self.answered: float | None = None  # when it last answered; None: never
        self.client = AsyncOpenAI(
            base_url=engine.base_url,
            api_key=self.key or "none",
            timeout=Timeout(TIMEOUT, connect=CONNECT_TIMEOUT),
            max_retries=0,
        )

    async def check(self) -> None:
        """Stop if the model is not among those that are served; learn how long a text it takes.

        Not asked of chat servers: vendors do not list all their names.
        """
        if self.engine.api is Api.chat:
            return
        reply = await self._persist(self.client.models.list)
        cards = {card.id: card for card in reply.data}
        if self.name not in cards:
            names = ", ".join(map(repr, sorted(cards)[:10])) or "no model"
            raise RuntimeError(f"{self.engine.base_url} serves {names}, but not {self.name!r}")
        card = cards[self.name]
        base = cards.get(getattr(card, "parent", None) or "", card)
        self.room = getattr(base, "max_model_len", None)

    async def complete(self, prompt: Prompt, seed: int, sampling: SamplingConfig) -> _Made:
        """A completion, a refusal, or what kept failing.

        Raises:
            RuntimeError: the server refuses everything, or is gone.
        """
        from openai import APIError

        limit = sampling.max_new_tokens
        if self.room is not None:
            limit = min(limit, self.room - len(prompt))
        if limit < 1:
            return Refusal(
                f"no response fits behind it into the {self.room} tokens that the server holds"
            )
        options: dict[str, Any] = {
            "model": self.name,
            "max_tokens": limit,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
        } | ({"seed": seed % 2**63} if sampling.temperature else {})
        send = self._chat if self.engine.api is Api.chat else self._continue
        try:
            return await self._persist(lambda: send(prompt, options))
        except (APIError, _CalledOff) as error:
            return self._said(error) if _passing(error) else Refusal(self._said(error))

    async def close(self, pending: Collection[asyncio.Task[Any]]) -> None:
        """Call off what is under way."""
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        await self.client.close()

    async def _continue(self, prompt: Any, options: dict[str, Any]) -> _Made:
        reply = await self.client.completions.create(
            prompt=prompt, extra_body=COMPLETIONS, **options
        )
        choice = reply.choices[0]
        ids = getattr(choice, "token_ids", None) or []
        if choice.finish_reason == "stop":
            ids = ids[:-1]
        return _made(reply, ids, choice.text)

    async def _chat(self, prompt: Any, options: dict[str, Any]) -> _Made:
        reply = await self.client.chat.completions.create(messages=prompt, **options)
        message = reply.choices[0].message
        reasoning = getattr(message, "reasoning_content", None)
        return _made(
            reply, [], message.content or "", reasoning or getattr(message, "reasoning", None)
        )

    async def _persist(self, send: Callable[[], Awaitable[Any]]) -> Any:
        """What `send` gives, sent again while it fails for the moment.

        Raises:
            RuntimeError: the server refuses everything, or has not answered for `PATIENCE` seconds.
            openai.APIError: it refuses this request, or failed at it for `PATIENCE` seconds.
            _CalledOff: the same, of requests that it breaks off.
        """
        from openai import APIError

        begun = None
        for attempt in itertools.count():
            try:
                reply = await send()
            except (APIError, _CalledOff) as error:
                self._stop_if_refused(error)
                if not _passing(error):
                    raise
                now = time.monotonic()
                begun = begun or now
                if now - begun >= PATIENCE and (self.answered or 0.0) >= begun:
                    raise
                if now - begun >= PATIENCE:
                    raise RuntimeError(
                        f"{self.engine.base_url} has not answered for {PATIENCE:.0f} seconds "
                        f"({self._said(error)}); what it completed is kept, the same command "
                        "continues from there"
                    ) from None
                await asyncio.sleep(min(LONGEST_WAIT, 2.0**attempt) * random.uniform(0.5, 1))
            else:
                self.answered = time.monotonic()
                return reply

    def _stop_if_refused(self, error: Exception) -> None:
        """Raise for what the server will never answer, whatever is asked; never names the key."""
        status = getattr(error, "status_code", None)
        where = f"{self.engine.base_url} (engine.base_url)"
        if status in (401, 403):
            state = "is set" if self.key else "is not set"
            raise RuntimeError(
                f"{where} refuses model {self.name!r} ({status}). The key is read from the "
                f"environment variable {self.key_variable} (compute.api_key), which {state}"
            ) from None
        if status == 402:
            raise RuntimeError(
                f"{where} asks to be paid ({self._said(error)}); what it completed is kept, the "
                "same command continues from there"
            ) from None
        if status == 404:
            raise RuntimeError(
                f"{where} does not know model {self.name!r}, or is not the address of an API (that "
                f"of vLLM ends in /v1): {self._said(error)}"
            ) from None

    def _said(self, error: Exception) -> str:
        """The server's own words, without the key."""
        body = getattr(error, "body", None)
        words = body.get("message") if isinstance(body, dict) else None
        words = str(words or error).replace(self.key or "\0", "...")
        status = getattr(error, "status_code", None)
        return f"{status}: {words[:300]}" if status else words[:300]


class _CalledOff(Exception):
    """The server broke off a response, as vLLM does when it is told to end."""


def _made(reply: Any, ids: list[int], text: str, reasoning: str | None = None) -> _Made:
    reason = reply.choices[0].finish_reason
    if reason in ("abort", "error"):
        raise _CalledOff(f"the server ended a response with {reason!r}")
    if reason not in ("stop", "length"):
        return Refusal(f"the server ended it with {reason!r}")
    if reply.usage is None:
        return "the server does not say how many tokens it made"
    return Completion(ids, text, reason, reply.usage.completion_tokens, reasoning)


def _passing(error: Exception) -> bool:
    """Whether the same request may be answered later: no connection, time-out, too many, broken."""
    from openai import APIConnectionError

    status = getattr(error, "status_code", 0)
    return (
        isinstance(error, APIConnectionError | _CalledOff)
        or status in (408, 409, 429)
        or status >= 500
    )
