"""A server of models on this machine, which answers as a test wants it to."""

import json
import threading
from collections import Counter
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from distill.models.config import Api, EngineConfig

CHAT = EngineConfig(kind="openai", base_url="http://localhost:1/v1", api=Api.chat)
"""A server of chats that nobody reaches: its engine is replaced, see `says` in `conftest.py`."""

CARDS = [{"id": "org/model", "object": "model", "max_model_len": 100}]


class Fake(ThreadingHTTPServer):
    """Answers with the status and body that `answer` gives.

    `answer` takes the request's body and how often this prompt was asked before. It returns a
    status, a body and perhaps headers; or None, which closes the connection. Bytes as a body are
    sent as they are, and an iterator's one by one. A list of cards that is bytes is sent so too.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, answer, port=0, cards=CARDS):
        super().__init__(("127.0.0.1", port), Handler)
        self.answer, self.cards = answer, cards
        self.asked = Counter()
        self.bodies, self.keys = [], set()
        self.under_way = self.most = 0
        self.lock = threading.Lock()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        cards = self.server.cards
        self.reply(200, cards if type(cards) is bytes else {"object": "list", "data": cards})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        server, prompt = self.server, json.dumps(body.get("prompt") or body["messages"])
        with server.lock:
            count = server.asked[prompt]
            server.asked[prompt] += 1
            server.bodies.append(body)
            server.keys.add(self.headers["authorization"])
            server.under_way += 1
            server.most = max(server.most, server.under_way)
        answer = server.answer(body, count)
        with server.lock:
            server.under_way -= 1
        if answer is not None:
            self.reply(*answer)

    def reply(self, status, body, headers=None):
        text = json.dumps(body).encode() if isinstance(body, dict) else body
        parts = [text] if isinstance(text, bytes) else text
        length = {"content-length": str(len(text))} if isinstance(text, bytes) else {}
        self.send_response(status)
        for name, value in (
            {"content-type": "application/json"} | length | (headers or {})
        ).items():
            self.send_header(name, value)
        self.end_headers()
        with suppress(BrokenPipeError, ConnectionResetError):  # who asked waited no longer
            for part in parts:
                self.wfile.write(part)


def completed(body, count=0, reason="stop"):
    """The prompt's first token as text, with the end token."""
    ids = [body["prompt"][0], 1]
    choice = {"index": 0, "text": str(ids[0]), "finish_reason": reason, "token_ids": ids}
    return 200, {"id": "a", "object": "text_completion", "choices": [choice], "usage": usage(2)}


def replied(body, **message):
    choice = {"index": 0, "message": {"role": "assistant"} | message, "finish_reason": "stop"}
    return 200, {"id": "a", "object": "chat.completion", "choices": [choice], "usage": usage(7)}


def usage(tokens):
    return {"completion_tokens": tokens, "prompt_tokens": 3, "total_tokens": tokens + 3}


def refused(status, message="said so"):
    return status, {"error": {"message": message, "type": "t", "code": status}}


@contextmanager
def serving(answer, **how):
    with Fake(answer, **how) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
