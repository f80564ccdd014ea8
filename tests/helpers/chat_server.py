"""A small server on loopback that speaks OpenAI's chat completions protocol, over real sockets.

What it answers is a function of the request, so that two runs with the same requests get the same answers.
"""

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Reply:
    """What the server sends: a status, headers and bytes, after a pause in seconds; `drip` sends a byte each 0.1 s."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    pause: float = 0.0
    drip: bool = False


def completion(text: str, **more: Any) -> Reply:
    """A chat completion with this text."""
    usage = {"prompt_tokens": 100, "completion_tokens": 20}
    choices = [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]
    return Reply(json.dumps({"model": "tiny-1", "choices": choices, "usage": usage, **more}).encode())


def tuned(request: dict[str, Any]) -> Reply:
    """The parent with another number in the place of one of its numbers; now and then something that is no program,
    depending on the request alone."""
    digest = sha256(json.dumps(request, sort_keys=True).encode()).digest()
    question = request["messages"][1]["content"]
    parent = question.split("```")[1].strip()
    if digest[0] < 60:
        return completion("I would rather not.")
    numbers = re.findall(r"\d+\.\d+", parent)
    old = numbers[digest[1] % len(numbers)]
    return completion(f"Another constant.\n```\n{parent.replace(old, f'0.{digest[2] + 100}{digest[3]}', 1)}\n```")


class ChatServer:
    """The running server.

    Attributes:
        url: its address, for the setting `llm_url`.
        calls: how often each request came, by its bytes.
        answered: how often each was answered in full to a client that was still there.
        headers: of the last request.
        reply: what it answers to a request.
    """

    def __init__(self, reply: Callable[[dict[str, Any]], Reply]) -> None:
        self.reply = reply
        self.calls: Counter[bytes] = Counter()
        self.answered: Counter[bytes] = Counter()
        self.headers: dict[str, str] = {}
        self.paths: list[str] = []
        self.ended = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                server.answer(self)

            def do_GET(self) -> None:
                server.answer(self)

            def log_message(self, format: str, *args: Any) -> None:
                return

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/v1"

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        self.headers = dict(handler.headers.items())
        self.paths.append(handler.path)
        self.calls[body] += 1
        reply = self.reply(json.loads(body) if body else {})
        if self.ended.wait(reply.pause):
            return
        try:
            handler.send_response(reply.status)
            for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
                handler.send_header(name, value)
            handler.end_headers()
            for place in range(len(reply.body)) if reply.drip else ():
                handler.wfile.write(reply.body[place : place + 1])
                if self.ended.wait(0.1):
                    return
            if not reply.drip:
                handler.wfile.write(reply.body)
            self.answered[body] += 1
        except OSError:  # the client is gone
            return


@contextmanager
def chat_server(reply: Callable[[dict[str, Any]], Reply] = tuned) -> Iterator[ChatServer]:
    """A server that answers by `reply` until the block ends."""
    server = ChatServer(reply)
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.ended.set()
        server.http.shutdown()
        server.http.server_close()
        thread.join()


def wait_until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    """Waits until something is true; fails after so many seconds."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.01)
