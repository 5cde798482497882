"""Generate with an OpenAI-compatible server: `vllm serve`, or a vendor.

The server must serve the model under the name that `served_name` returns. How the server runs it is
not part of the identity of the responses, nor is the server's address. Only the model's name, the
sampling and the number format that `engine.dtype` states are, and with `engine.api=completions` the
tokenizer.
"""

import asyncio
import itertools
import os
import random
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import suppress
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from distill.compute import ComputeConfig
from distill.models import hub
from distill.models.config import Api, EngineConfig, SamplingConfig
from distill.models.engines import Completion, Prompt, Refusal, raise_failed
from distill.store.identity import RECIPE

LIBRARIES: tuple[str, ...] = ()

PATIENCE = 600.0
"""Seconds after its first failure during which a request is sent again: a server may restart. Also
the longest that a server can ask to wait."""

LONGEST_WAIT = 30.0
"""Seconds between two attempts, at most; they double from one, and vary down to half of that. What
the server asks for (`Retry-After`) is added."""

TIMEOUT = 3600.0
"""Seconds that a server may take for one response."""

CONNECT_TIMEOUT = 10.0
"""Seconds that connecting to a server may take."""

COMPLETIONS = {
    "top_k": -1,
    "min_p": 0.0,
    "repetition_penalty": 1.0,
    "skip_special_tokens": False,
    "return_token_ids": True,
}
"""Options sent to a vLLM server with token ids; it would take the first three from the model's
generation config."""

RESUMES = "completed responses are kept, and the same command resumes from there"
"""Ends the messages of errors that concern all requests."""

_Made = Completion | Refusal | str
"""A completion, a refusal, or the reason why there is neither yet."""


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
    """See `distill.models.engines.generate`.

    `compute.concurrency` requests are in flight at once. A request that fails temporarily (no
    connection, time-out, 408, 409, 429, 5xx) is sent again for `PATIENCE` seconds, not before the
    time that the server states in `Retry-After`, and then stays pending. Errors that concern all
    requests (401 to 404) stop the call. Any other 4xx, a content filter, or no room for a response
    is a refusal. If none of the first `compute.concurrency` prompts is answered, nor of as many as
    `compute.max_unusable` allows to fail, the rest are not tried.
    """
    if not engine.base_url:
        raise ValueError(
            "engine.base_url must be the address of a server, such as http://localhost:8000/v1; "
            "got an empty one"
        )
    waiting = (i for i in range(len(prompts)) if i not in done)
    failed: dict[int, str] = {}
    unanswered, answers_some = 0, False
    bearable = max(compute.concurrency - 1, compute.max_unusable * len(prompts))
    pending: dict[asyncio.Task[_Made], int] = {}
    with asyncio.Runner() as runner:
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
                    answers_some |= isinstance(made, Completion)
                    unanswered += not isinstance(made, Completion)
                if not answers_some and unanswered > bearable:
                    raise RuntimeError(
                        f"{engine.base_url} answered none of {unanswered} prompts, and the rest "
                        f"were not tried; the last error: {made}"
                    )
        finally:
            runner.run(server.close(pending))
    raise_failed(failed, len(prompts))


def free() -> None:
    """Nothing is held on this machine."""


def served_name(model: hub.Model) -> str:
    """The name under which a server must give the model.

    A trained student is named by the key of its artifact: `vllm serve
    artifacts/train_student/KEY/model --served-model-name KEY`, or for an adapter `vllm serve BASE
    --enable-lora --lora-modules KEY=artifacts/train_student/KEY/adapter`. Any other model has its
    own name, a folder or hub id, which is the default of `vllm serve NAME`.
    """
    folder = model.adapter or Path(model.name)
    return folder.parent.name if (folder.parent / RECIPE).is_file() else model.name


async def _first(pending: Collection[asyncio.Task[Any]]) -> list[asyncio.Task[Any]]:
    """Tasks that have finished, once one has; failed ones last, so that they hide no result."""
    ended, _ = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
    return sorted(ended, key=lambda task: task.exception() is not None)


class _Server:
    """A client of one server, and what is known about the server."""

    def __init__(self, engine: EngineConfig, model: hub.Model, compute: ComputeConfig) -> None:
        from openai import AsyncOpenAI, Timeout

        self.engine = engine
        self.name = served_name(model)
        self.key_variable = compute.api_key
        self.key = os.environ.get(compute.api_key, "")
        self.room: int | None = None  # tokens of prompt and response; None: unknown
        self.answered: float | None = None  # when it last answered; None: never
        self.client = AsyncOpenAI(
            base_url=engine.base_url,
            api_key=self.key or "none",
            timeout=Timeout(TIMEOUT, connect=CONNECT_TIMEOUT),
            max_retries=0,  # it counts attempts, not time; see `_persist`
        )

    async def check(self) -> None:
        """Raise if the server does not serve the model; read its context length.

        Chat servers are not asked: vendors do not list all their models.
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
        """A completion, a refusal, or the error that a request kept failing with.

        Raises:
            RuntimeError: the server refuses all requests, or does not answer any more.
        """
        from openai import APIError

        limit = sampling.max_new_tokens
        if self.room is not None:
            limit = min(limit, self.room - len(prompt))
        if limit < 1:
            return Refusal(f"it leaves no room for a response in the server's {self.room} tokens")
        options: dict[str, Any] = {
            "model": self.name,
            "max_tokens": limit,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
        } | ({"seed": seed % 2**63} if sampling.temperature else {})
        send = self._chat if self.engine.api is Api.chat else self._continue
        try:
            return await self._persist(lambda: send(prompt, options))
        except (APIError, _Aborted) as error:
            return self._said(error) if _temporary(error) else Refusal(self._said(error))

    async def close(self, pending: Collection[asyncio.Task[Any]]) -> None:
        """Cancel all requests that are in flight."""
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
        reasoning = reasoning or getattr(message, "reasoning", None)
        return _made(reply, [], message.content or "", reasoning)

    async def _persist(self, send: Callable[[], Awaitable[Any]]) -> Any:
        """The reply to a request, which is sent again while it fails temporarily.

        The client's own retries would not do: they end after a number of attempts, however short or
        long those take, ignore a `Retry-After` of over a minute, and do not cover responses that a
        server aborts.

        Raises:
            RuntimeError: the server refuses all requests, or has not answered any for `PATIENCE`
                seconds.
            openai.APIError: it refuses this request, or failed at it for `PATIENCE` seconds.
            _Aborted: it aborted its responses to this request for `PATIENCE` seconds.
        """
        from openai import APIError

        begun = None
        for attempt in itertools.count():
            try:
                reply = await send()
            except (APIError, _Aborted) as error:
                self._stop_if_refused(error)
                if not _temporary(error):
                    raise
                now = time.monotonic()
                begun = begun or now
                if now - begun >= PATIENCE and (self.answered or 0.0) >= begun:
                    raise
                if now - begun >= PATIENCE:
                    raise RuntimeError(
                        f"{self.engine.base_url} has not answered for {PATIENCE:.0f} seconds "
                        f"({self._said(error)}); {RESUMES}"
                    ) from None
                pause = min(LONGEST_WAIT, 2.0**attempt) * random.uniform(0.5, 1)
                await asyncio.sleep(min(PATIENCE, _retry_after(error)) + pause)
            else:
                self.answered = time.monotonic()
                return reply

    def _stop_if_refused(self, error: Exception) -> None:
        """Raise an error that concerns all requests; it never contains the key."""
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
                f"{where} requires payment ({self._said(error)}); {RESUMES}"
            ) from None
        if status == 404:
            raise RuntimeError(
                f"{where} does not know model {self.name!r}, or is not the address of an API (that "
                f"of vLLM ends in /v1): {self._said(error)}"
            ) from None

    def _said(self, error: Exception) -> str:
        """The server's own message, without the key."""
        body = getattr(error, "body", None)
        words = body.get("message") if isinstance(body, dict) else None
        words = str(words or error).replace(self.key or "\0", "...")
        status = getattr(error, "status_code", None)
        return f"{status}: {words[:300]}" if status else words[:300]


class _Aborted(Exception):
    """The server aborted a response, as vLLM does when it is told to end."""


def _made(reply: Any, ids: list[int], text: str, reasoning: str | None = None) -> _Made:
    reason = reply.choices[0].finish_reason
    if reason in ("abort", "error"):
        raise _Aborted(f"the server ended a response with {reason!r}")
    if reason not in ("stop", "length"):
        return Refusal(f"the server ended it with {reason!r}")
    if reply.usage is None:
        return "the server does not report how many tokens it generated"
    return Completion(ids, text, reason, reply.usage.completion_tokens, reasoning)


def _temporary(error: Exception) -> bool:
    """Whether a request may succeed later: no connection, time-out, overload, server error."""
    from openai import APIConnectionError

    status = getattr(error, "status_code", 0)
    return (
        isinstance(error, APIConnectionError | _Aborted)
        or status in (408, 409, 429)
        or status >= 500
    )


def _retry_after(error: Exception) -> float:
    """Seconds that the server asks to wait, as a number or until a date; 0 if it does not."""
    response = getattr(error, "response", None)
    stated = response.headers.get("retry-after", "") if response is not None else ""
    with suppress(ValueError):
        return max(0.0, float(stated))
    with suppress(ValueError, OverflowError):
        return max(0.0, parsedate_to_datetime(stated).timestamp() - time.time())
    return 0.0
