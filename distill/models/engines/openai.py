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
from dataclasses import replace
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Literal

from distill.compute import ComputeConfig
from distill.models import hub
from distill.models.config import Api, EngineConfig, SamplingConfig
from distill.models.engines import Completion, EngineError, Prompt, Refusal, raise_failed
from distill.models.replies import (
    NoCompletionError,
    Reply,
    absurd,
    read_models,
    read_reply,
    same_model,
)
from distill.store.identity import RECIPE

LIBRARIES: tuple[str, ...] = ()

LONGEST_WAIT = 30.0
"""Seconds between two attempts, at most; they double from one, and vary down to half of that. What
the server asks for (`Retry-After`) is added."""

CONNECT_TIMEOUT = 10.0
"""Seconds that connecting to a server may take."""

COMPLETIONS = {"skip_special_tokens": False, "return_token_ids": True}
"""Options sent to a vLLM server with token ids."""

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
    connection, no whole response in `compute.reply_seconds`, 408, 409, 429, 5xx, a reply that is no
    completion) is sent again for `compute.retry_seconds`, not before the time that the server
    states in `Retry-After`, and then stays pending. So does, at once, one that another model
    answered or whose count of tokens is absurd. Errors that concern all requests (401 to 404) stop
    the call. Any other 4xx, a content filter, or no room for a response is a refusal. If none of
    the first `compute.concurrency` prompts is answered, nor of as many as `compute.max_unusable`
    allows to fail, the rest are not tried.
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
                    raise EngineError(
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
        self.patience = compute.retry_seconds
        self.longest = compute.reply_seconds
        self.key_variable = compute.api_key
        self.key = os.environ.get(compute.api_key, "")
        self.room: int | None = None  # tokens of prompt and response; None: unknown
        self.answered: float | None = None  # when it last answered; None: never
        self.client = AsyncOpenAI(
            base_url=engine.base_url,
            api_key=self.key or "none",
            timeout=Timeout(self.longest, connect=min(self.longest, CONNECT_TIMEOUT)),
            max_retries=0,  # it counts attempts, not time; see `_persist`
        )

    async def check(self) -> None:
        """Raise if the server does not serve the model; read its context length.

        Chat servers are not asked: vendors do not list all their models.
        """
        if self.engine.api is Api.chat:
            return
        from openai import APIError

        try:
            cards = await self._persist(self._list)
        except (APIError, *FAILURES) as error:
            raise EngineError(
                f"{self.engine.base_url} does not list its models: {self._said(error)}"
            ) from None
        if self.name not in cards:
            names = ", ".join(map(repr, sorted(cards)[:10])) or "no model"
            raise EngineError(f"{self.engine.base_url} serves {names}, but not {self.name!r}")
        card = cards[self.name]
        base = cards.get(str(card.get("parent")), card)
        room = base.get("max_model_len")
        self.room = room if type(room) is int else None

    async def complete(self, prompt: Prompt, seed: int, sampling: SamplingConfig) -> _Made:
        """A completion, a refusal, or the error that a request kept failing with.

        Raises:
            EngineError: the server refuses all requests, or does not answer any more.
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
        send = self._chat
        if self.engine.api is Api.chat:
            if sampling.presence_penalty:
                options["presence_penalty"] = sampling.presence_penalty
        else:
            send = self._continue
            # a vLLM server would take these from the model's generation config
            options["extra_body"] = COMPLETIONS | {
                "presence_penalty": sampling.presence_penalty,
                "top_k": sampling.top_k or -1,
                "min_p": sampling.min_p,
                "repetition_penalty": sampling.repetition_penalty,
            }
        try:
            return self._made(await self._persist(lambda: send(prompt, options)), limit)
        except UnicodeError:
            return Refusal("it is no Unicode text, and cannot be sent")
        except (APIError, *FAILURES) as error:
            return self._said(error) if _temporary(error) else Refusal(self._said(error))

    async def close(self, pending: Collection[asyncio.Task[Any]]) -> None:
        """Cancel all requests that are in flight."""
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        await self.client.close()

    async def _list(self) -> dict[str, dict[str, Any]]:
        return read_models((await self.client.models.with_raw_response.list()).content)

    async def _continue(self, prompt: Any, options: dict[str, Any]) -> Reply:
        create = self.client.completions.with_raw_response.create
        reply = self._read(await create(prompt=prompt, **options))
        return replace(reply, ids=reply.ids[:-1]) if reply.finish_reason == "stop" else reply

    async def _chat(self, prompt: Any, options: dict[str, Any]) -> Reply:
        create = self.client.chat.completions.with_raw_response.create
        return self._read(await create(messages=prompt, **options))

    def _read(self, response: Any) -> Reply:
        self.answered = time.monotonic()  # a server that answers nonsense is there
        reply = read_reply(response.content, chat=self.engine.api is Api.chat)
        if reply.finish_reason in ("abort", "error"):
            raise _Aborted(f"the server ended a response with {reply.finish_reason!r}")
        return reply

    def _made(self, reply: Reply, limit: int) -> _Made:
        """The completion that a reply holds, if it is the asked model's and counts its tokens."""
        reason, asked = reply.finish_reason, self.engine.served_as or self.name
        if reply.model is not None and not same_model(asked, reply.model):
            return self._clean(
                f"model {reply.model!r} answered, not {asked!r}; if that is the same model, name "
                "it in engine.served_as"
            )
        if reason not in ("stop", "length"):
            return Refusal(self._clean(f"the server ended it with {reason!r}"))
        if reply.tokens is None:
            return "the server does not report how many tokens it generated"
        if why := absurd(reply, limit, exact=self.engine.api is Api.completions):
            return f"the server's count of tokens is absurd: {why}"
        kind: Literal["stop", "length"] = "stop" if reason == "stop" else "length"
        return Completion(reply.ids, reply.text, kind, reply.tokens, reply.reasoning, reply.model)

    async def _persist(self, send: Callable[[], Awaitable[Any]]) -> Any:
        """The reply to a request, which is sent again while it fails temporarily.

        The client's own retries would not do: they end after a number of attempts, however short or
        long those take, ignore a `Retry-After` of over a minute, and do not cover responses that a
        server aborts.

        Raises:
            EngineError: the server refuses all requests, or has not answered any for
                `compute.retry_seconds`.
            openai.APIError: it refuses this request, or failed at it for that long.
            TimeoutError, _Aborted, NoCompletionError: it gave no whole response in time, aborted
                its responses, or sent what is no completion, for that long.
        """
        from openai import APIError

        begun = None
        for attempt in itertools.count():
            try:
                async with asyncio.timeout(self.longest):  # the client's own starts anew at a byte
                    reply = await send()
            except (APIError, *FAILURES) as error:
                self._stop_if_refused(error)
                if not _temporary(error):
                    raise
                now = time.monotonic()
                begun = begun or now
                there = isinstance(error, NoCompletionError) or (self.answered or 0.0) >= begun
                if now - begun >= self.patience and there:
                    raise
                if now - begun >= self.patience:
                    raise EngineError(
                        f"{self.engine.base_url} has not answered for {self.patience:.0f} seconds "
                        f"({self._said(error)}); {RESUMES}"
                    ) from None
                pause = min(LONGEST_WAIT, 2.0**attempt) * random.uniform(0.5, 1)
                await asyncio.sleep(min(self.patience, _retry_after(error)) + pause)
            else:
                self.answered = time.monotonic()
                return reply

    def _stop_if_refused(self, error: Exception) -> None:
        """Raise an error that concerns all requests; it never contains the key."""
        status = getattr(error, "status_code", None)
        where = f"{self.engine.base_url} (engine.base_url)"
        if status in (401, 403):
            state = "is set" if self.key else "is not set"
            raise EngineError(
                f"{where} refuses model {self.name!r} ({status}). The key is read from the "
                f"environment variable {self.key_variable} (compute.api_key), which {state}"
            ) from None
        if status == 402:
            raise EngineError(
                f"{where} requires payment ({self._said(error)}); {RESUMES}"
            ) from None
        if status == 404:
            raise EngineError(
                f"{where} does not know model {self.name!r}, or is not the address of an API (that "
                f"of vLLM ends in /v1): {self._said(error)}"
            ) from None

    def _said(self, error: Exception) -> str:
        """The server's own message, without the key."""
        body = getattr(error, "body", None)
        words = body.get("message") if isinstance(body, dict) else None
        if isinstance(error, TimeoutError):
            words = f"no whole response within {self.longest:g} seconds (compute.reply_seconds)"
        if isinstance(error, NoCompletionError):
            words = f"a reply that is no completion: {error}"
        words = self._clean(str(words or error))
        status = getattr(error, "status_code", None)
        return f"{status}: {words[:300]}" if status else words[:300]

    def _clean(self, words: str) -> str:
        return words.replace(self.key or "\0", "...")


class _Aborted(Exception):
    """The server aborted a response, as vLLM does when it is told to end."""


FAILURES = (TimeoutError, _Aborted, NoCompletionError)
"""What a request can fail with, temporarily, besides the client's own errors."""


def _temporary(error: Exception) -> bool:
    """Whether a request may succeed later: no connection, time-out, overload, server error."""
    from openai import APIConnectionError

    status = getattr(error, "status_code", 0)
    return (
        isinstance(error, (APIConnectionError, *FAILURES))
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
