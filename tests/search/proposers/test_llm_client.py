"""The client of the operator `llm`, against a server of the protocol on loopback."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from chat_server import ChatServer, Reply, chat_server, completion

from germline.search.proposers import llm
from germline.search.proposers.request import Answer, Candidate, Refusal, Request

PARENT = Candidate(7, "insert", "def train(w, g, lr):\n  return g\n", "ok", -0.5, {"validation_loss": 0.5})
REQUEST = Request(9, 5, "optimizer", "digits-mlp", "THE LANGUAGE", PARENT)


def ask(server: ChatServer, request: Request = REQUEST, seconds: float = 20.0, url: str = "") -> Answer:
    return llm.propose(request, url=url or server.url, model="tiny", answer_tokens=50, temperature=0.7, seconds=seconds)


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llm, "FIRST_PAUSE", 0.01)
    monkeypatch.delenv(llm.KEY, raising=False)


def test_an_answer_comes_with_the_request_the_model_and_its_tokens() -> None:
    with chat_server(lambda request: completion("a text")) as server:
        answer = ask(server)
    [body] = server.calls
    assert answer == Answer("a text", body.decode(), "tiny-1", 100, 20, calls=1)
    sent = json.loads(body)
    assert (sent["model"], sent["max_tokens"], sent["temperature"], sent["n"]) == ("tiny", 50, 0.7, 1)
    assert server.paths == ["/v1/chat/completions"]
    assert "Authorization" not in server.headers


def test_the_key_is_sent_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(llm.KEY, "sesame-4711")
    with chat_server(lambda request: Reply(b'{"error": "no such key: sesame-4711"}', 401)) as server:
        answer = ask(server)
        assert server.headers["Authorization"] == "Bearer sesame-4711"
    assert "sesame" not in str(answer)
    assert answer.error == 'status 401: {"error": "no such key: ***"}'
    assert answer.calls == 1  # a wrong key does not become right by calling again


def test_the_key_is_masked_before_a_body_is_cut_and_in_what_the_model_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(llm.KEY, 'sesame"4711\n')
    cut = Reply(b"x" * 195 + b'sesame"4711', 401)
    told = completion('the key is sesame"4711', model="m" * 90 + 'sesame"4711')
    escaped = Reply(json.dumps({"error": 'no such key: sesame"4711'}).encode(), 401)
    with chat_server(lambda request: cut) as server:
        answers = [ask(server)]
        assert server.headers["Authorization"] == 'Bearer sesame"4711'
    for reply in (told, escaped):
        with chat_server(lambda request, reply=reply: reply) as server:  # type: ignore[misc]
            answers.append(ask(server))
    assert answers[1].text == "the key is ***" and answers[1].model == "m" * 90 + "***"
    assert "sesame" not in str(answers)


def test_tokens_count_also_if_the_answer_is_unusable() -> None:
    # As of a model that has thought until its limit.
    usage = {"prompt_tokens": 5_000, "completion_tokens": 2_000}
    empty = {"choices": [{"message": {"content": None}, "finish_reason": "length"}], "usage": usage}
    with chat_server(lambda request: Reply(json.dumps(empty).encode())) as server:
        answer = ask(server)
    assert answer.error is not None and answer.error.startswith(
        "expected a chat completion (TypeError: expected a text"
    )
    assert (answer.calls, answer.prompt_tokens, answer.answer_tokens) == (1, 5_000, 2_000)
    with chat_server(lambda request: Reply(b"<html>")) as server:
        answer = ask(server)
        [body] = server.calls
    assert answer.error is not None and (answer.calls, answer.prompt_tokens) == (1, len(body) // 4)


@pytest.mark.parametrize("key", ["sesame\r4711", "sesame\n4711", "sesame\x7f4711", "sesame\u20ac4711"])
def test_a_key_that_no_header_can_hold_is_neither_sent_nor_quoted(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(llm.KEY, key)
    with chat_server(lambda request: completion("a text")) as server:
        answer = ask(server)
    assert (answer.calls, server.calls.total()) == (0, 0)
    assert answer.error == "expected a key of printable ASCII characters in GERMLINE_LLM_KEY, got others; set it again"


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(b"", 200, {"Transfer-Encoding": "chunked"}), "IncompleteRead"),
        (Reply(b"12345", drip=True), "TimeoutError: the response did not end in time"),
        (Reply(b"late", pause=1000.0), "TimeoutError: timed out"),
    ],
)
def test_a_call_that_was_cut_off_counts_with_an_estimate_of_its_tokens(reply: Reply, error: str) -> None:
    with chat_server(lambda request: reply) as server:
        answer = ask(server, seconds=0.15)
    [body] = server.calls
    assert (answer.calls, answer.prompt_tokens) == (1, len(body) // 4)
    assert answer.error is not None and answer.error.startswith(error)


def test_the_key_follows_no_redirection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(llm.KEY, "sesame")
    with chat_server(lambda request: completion("stolen")) as thief:
        to_thief = Reply(b"", 307, {"Location": f"{thief.url}/chat/completions"})
        with chat_server(lambda request: to_thief) as server:
            answer = ask(server)
        assert not thief.calls
    assert answer.error is not None and answer.error.startswith("status 307")


def failing(times: int, reply: Reply) -> Callable[[dict[str, Any]], Reply]:
    left = [times]

    def next_reply(request: dict[str, Any]) -> Reply:
        left[0] -= 1
        return reply if left[0] >= 0 else completion("at last")

    return next_reply


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_overloaded_service_is_called_again_a_few_times(status: int) -> None:
    with chat_server(failing(2, Reply(b"busy", status, {"Retry-After": "0.05"}))) as server:
        answer = ask(server)
    assert (answer.text, answer.calls) == ("at last", 3)
    with chat_server(failing(3, Reply(b"busy", status))) as server:
        answer = ask(server)
    assert (answer.error, answer.calls) == (f"status {status}: busy", 3)


def test_no_more_calls_are_made_than_are_left() -> None:
    with chat_server(failing(3, Reply(b"busy", 500))) as server:
        answer = ask(server, Request(9, 5, "optimizer", "digits-mlp", "", PARENT, calls_left=1))
    assert (answer.calls, server.calls.total()) == (1, 1)


def test_a_pause_that_is_longer_than_the_time_that_is_left_ends_the_question() -> None:
    with chat_server(failing(1, Reply(b"busy", 429, {"Retry-After": "3600"}))) as server:
        assert ask(server).error == "status 429: busy"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html>", "expected a chat completion (JSONDecodeError"),
        (b"[]", "expected a chat completion (TypeError"),
        (b"\xff\xfe\xfd", "expected a chat completion (UnicodeDecodeError"),
        (b'{"choices": []}', "expected a chat completion (IndexError"),
        (b'{"choices": [{"message": {"content": null}}]}', "expected a text as content, got NoneType"),
        (b"[" * 100_000, "expected a chat completion (RecursionError"),
        (b"x" * 2_000_001, "a response of more than 2,000,000 bytes"),
    ],
)
def test_a_response_that_is_not_of_the_protocol_is_an_error(body: bytes, message: str) -> None:
    with chat_server(lambda request: Reply(body)) as server:
        answer = ask(server)
    assert answer.error is not None and message in answer.error
    assert answer.text == "" and answer.calls == 1


def test_tokens_that_the_service_does_not_count_are_estimated() -> None:
    with chat_server(lambda request: completion("x" * 400, usage=None)) as server:
        answer = ask(server)
    assert answer.answer_tokens == 100
    assert answer.request is not None and answer.prompt_tokens == len(answer.request) // 4
    with chat_server(lambda request: completion("x" * 400, usage={"completion_tokens": -5})) as server:
        assert ask(server).answer_tokens == 100


def test_a_service_that_hangs_is_given_up() -> None:
    with chat_server(lambda request: Reply(b"late", pause=30.0)) as server:
        began = time.monotonic()
        answer = ask(server, seconds=0.3)
        assert time.monotonic() - began < 10
    assert answer.error == "TimeoutError: timed out"


def test_a_service_that_is_not_there_is_an_error() -> None:
    with chat_server() as server:
        url = server.url
    answer = ask(server, url=url)
    assert answer.error is not None and "refused" in answer.error


def test_the_prompt_shows_the_language_the_parent_others_and_what_was_refused() -> None:
    far = Candidate(3, "wrap", "FAR", "ok", -0.75, {}, {"curve_00": 2.0, "accuracy": 0.5})
    request = Request(
        *(9, 5, "optimizer", "digits-mlp", "THE LANGUAGE", PARENT),
        biography=(Candidate(2, "seed", "HIDDEN", "ok", -1.0),),
        good=(Candidate(5, "tune", "GOOD", "ok", -0.25),),
        far=(far,),
        refusals=(Refusal("BAD\nTEXT", "expected better"),),
        refused=Refusal("THIS", "expected another"),
    )
    with chat_server(lambda request: completion("")) as server:
        ask(server, request)
    [body] = server.calls
    system, question, assistant, told = json.loads(body)["messages"]
    assert "kind optimizer on the task digits-mlp" in system["content"] and "THE LANGUAGE" in system["content"]
    text = question["content"]
    assert "birth 7, made by insert, ok: fitness -0.5, validation_loss 0.5\n```\ndef train(w, g, lr):" in text
    assert "birth 2, made by seed, ok: fitness -1" in text and "HIDDEN" not in text
    assert "birth 5, made by tune, ok: fitness -0.25\n```\nGOOD\n```" in text
    assert "fitness -0.75, accuracy 0.5\n```\nFAR\n```" in text and "curve" not in text
    assert "- expected better: BAD TEXT" in text
    assert assistant == {"role": "assistant", "content": "THIS"}
    assert told["content"].startswith("This cannot be used: expected another.")
