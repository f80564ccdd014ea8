"""The operator `llm`: it asks a language model, at any service that speaks OpenAI's chat completions protocol.

The key is read from the environment variable GERMLINE_LLM_KEY; it is sent to the service, and never kept or printed.
What the model answers is only a text: the language of the run parses it, and nothing executes it.
"""

import http.client
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from typing import IO, Any

from germline.evaluators.errors import one_line
from germline.search.proposers.prompt import messages
from germline.search.proposers.request import Answer, Request

KEY = "GERMLINE_LLM_KEY"
TRIES = 3
"""Calls for an answer while the service is overloaded or fails (status 429 and 500 to 599)."""
FIRST_PAUSE = 1.0
"""Seconds before the second call, unless the service names another time; twice as many before the third."""
LARGEST = 2_000_000
"""The most bytes that are read of a response."""
_BAD_KEY = f"expected a key of printable ASCII characters in {KEY}, got others; set it again"


@dataclass(frozen=True)
class _Response:
    """The status of a response, the seconds after which the service asks to be called again, and its bytes."""

    status: int
    retry_after: float | None
    body: bytes


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirection, since the key would go to another address."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)


def propose(
    request: Request, *, url: str, model: str, answer_tokens: int, temperature: float, seconds: float
) -> Answer:
    """The model's answer to a request.

    Args:
        request: what is asked.
        url: of the service, such as `http://host:8000/v1`.
        model: its name.
        answer_tokens: the most tokens of an answer.
        temperature: of the model.
        seconds: time limit of all calls together.
    """
    body = {
        "model": model,
        "messages": messages(request),
        "max_tokens": answer_tokens,
        "temperature": temperature,
        "seed": request.seed % 2**31,
        "n": 1,
    }
    text = json.dumps(body, ensure_ascii=False)
    if not _is_sendable(_key()):
        return Answer("", text, model, error=_BAD_KEY)
    deadline = time.monotonic() + seconds
    tries = TRIES if request.calls_left is None else min(TRIES, request.calls_left)
    error = "no call is left"
    for calls in range(1, tries + 1):
        try:
            response = _post(_address(url), text.encode(), deadline)
        except (OSError, ValueError, http.client.HTTPException) as problem:
            # A request that was cut off while it was answered has used tokens, which nobody reports.
            cut_off = isinstance(problem, TimeoutError | http.client.HTTPException)
            used = len(text) // 4 if cut_off else 0
            error = _without_key(f"{type(problem).__name__}: {problem}")
            return Answer("", text, model, used, calls=calls, error=error)
        if response.status == 200:
            return _read(response.body, text, model, calls)
        error = f"status {response.status}: {_without_key(response.body.decode('utf-8', 'replace'))[:200]}"
        pause = FIRST_PAUSE * 2 ** (calls - 1) if response.retry_after is None else response.retry_after
        again = response.status == 429 or response.status >= 500
        if not again or calls == tries or time.monotonic() + pause >= deadline:
            return Answer("", text, model, calls=calls, error=error)
        time.sleep(pause)
    return Answer("", text, model, error=error)


def _address(url: str) -> str:
    base = url.rstrip("/")
    return base if base.endswith("/chat/completions") else f"{base}/chat/completions"


def _post(address: str, body: bytes, deadline: float) -> _Response:
    headers = {"Content-Type": "application/json", "User-Agent": "germline"}
    if key := _key():
        headers["Authorization"] = f"Bearer {key}"
    call = urllib.request.Request(address, body, headers, method="POST")
    try:
        with _OPENER.open(call, timeout=max(0.1, deadline - time.monotonic())) as response:
            return _Response(response.status, None, _content(response, deadline))
    except urllib.error.HTTPError as refusal:
        with refusal:
            return _Response(refusal.code, _retry_after(refusal.headers), refusal.read(10_000))


def _content(response: http.client.HTTPResponse, deadline: float) -> bytes:
    """The body of a response. It is read as it comes, so that one that trickles in is given up in time."""
    content = bytearray()
    while part := response.read1(65_536):
        content += part
        if len(content) > LARGEST:
            raise ValueError(f"a response of more than {LARGEST:,} bytes")
        if time.monotonic() > deadline:
            raise TimeoutError("the response did not end in time")
    return bytes(content)


def _retry_after(headers: Message) -> float | None:
    try:
        return max(0.0, float(headers.get("Retry-After", "")))
    except ValueError:
        return None


def _read(body: bytes, request: str, model: str, calls: int) -> Answer:
    """The answer in the body of a response; an error if it is not of the protocol. Its tokens count either way."""
    data: Any = None
    text, error = "", None
    try:
        data = json.loads(body)
        content = data["choices"][0]["message"]["content"]
        if not isinstance(content, str):
            raise TypeError(f"expected a text as content, got {type(content).__name__}")
        text = content
    except (ValueError, LookupError, TypeError, RecursionError) as problem:
        error = _without_key(f"expected a chat completion ({type(problem).__name__}: {problem})")
    data = data if isinstance(data, dict) else {}
    usage = data.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    # A service that does not count gets four characters for a token, so that the limit on tokens holds.
    prompt, answer = _count(usage, "prompt_tokens", request), _count(usage, "completion_tokens", text)
    if error is not None:
        return Answer("", request, model, prompt, answer, calls, error=error)
    named = data.get("model")
    name = one_line(_without_key(named), 100) if isinstance(named, str) and named else model
    return Answer(_without_key(text), request, name, prompt, answer, calls)


def _count(usage: Mapping[str, Any], name: str, text: str) -> int:
    count = usage.get(name)
    return count if type(count) is int and 0 <= count < 2**31 else len(text) // 4


def _key() -> str:
    """The key without the white space around it, such as the end of the line of a file; empty if there is none."""
    return os.environ.get(KEY, "").strip()


def _is_sendable(key: str) -> bool:
    """Whether a header can hold a key. An error of the client would quote others."""
    return key.isascii() and key.isprintable()


def _without_key(text: str) -> str:
    key = _key()
    if not key:
        return text
    # As JSON escapes it too, since a service may quote it in an error.
    return text.replace(key, "***").replace(json.dumps(key)[1:-1], "***")
