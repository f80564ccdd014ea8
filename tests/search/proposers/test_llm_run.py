"""Runs with the operator `llm`, against a server of its protocol on loopback."""

import json
import re
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from chat_server import ChatServer, Reply, chat_server, completion, tuned, wait_until
from command_line import call, data
from command_process import run_command, start_command
from run_rows import rows

from germline.db.records import ProposalRecord, RunRecord
from germline.db.store import Store
from germline.search.proposers.loading import UnconfirmedOperator
from germline.search.proposers.operator import BadOperator
from germline.search.replay import replay
from germline.search.run import evolve, new_run

SMALL = ("population=20", "block=16", "pack=8", "lengths=0.05", "warmup=0", "litter=1", "review_every=0")
BIRTHS = 64
LATE = "TimeoutError|no answer after 1 s"
"""The operator's own limit comes 50 ms before the search's; on a busy machine the search's may end a call first."""


def settings(url: str, share: float = 0.4, *more: str) -> list[str]:
    return [*SMALL, f"operators=llm:{share}", f"llm_url={url}", "llm_model=tiny", *more]


def words(url: str, *more: str) -> list[str]:
    given = [word for text in settings(url, 0.4, *more) for word in ("--set", text)]
    return ["search", "optimizer", "--births", str(BIRTHS), "--executor", "inline", "--name", "r", *given]


def proposals(database: Path) -> list[ProposalRecord]:
    with Store(str(database), create=False) as store:
        return store.proposals(1, 0, 10**6)


@pytest.mark.slow
def test_a_killed_run_is_resumed_identical_and_no_answer_is_asked_for_twice(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole.db", tmp_path / "killed.db"
    kill = -1
    held: list[bool] = []

    def reply(request: dict[str, Any]) -> Reply:
        """The answer; at the moment of a kill, calls are held for ever."""
        told = len(request["messages"]) > 2
        if not {0: True, 1: server.answered.total() >= 3, 2: told}.get(kill, False):
            return tuned(request)
        held.append(True)
        return Reply(b"", pause=1000.0)

    def births() -> int:
        with Store(str(killed), create=False) as store:
            return store.runs()[0].births

    with chat_server(reply) as server:
        assert run_command(*words(server.url), database=whole).returncode == 0
        first = server.answered.copy()
        assert set(first.values()) == {1} and first == server.calls
        server.calls.clear()
        server.answered.clear()
        # In the middle of the first call, of a later one, of one that tells of a refusal, and in the last block.
        for kill in range(4):
            command = ["resume", "r", "--executor", "inline"] if kill else words(server.url)
            with start_command(*command, database=killed) as process:
                wait_until(lambda: len(held) > kill or (kill == 3 and births() == BIRTHS))  # noqa: B023
                process.send_signal(signal.SIGKILL)
                process.communicate()
        kill = -1
        assert run_command("resume", "r", "--executor", "inline", database=killed).returncode == 0
        assert len(held) == 3
        assert server.answered == first  # the same questions, each answered once
        assert server.calls.total() == server.answered.total() + len(held)
    assert rows(killed) == rows(whole)
    statuses = Counter(record.status for record in proposals(whole))
    assert statuses["accepted"] > 5 and statuses["invalid"] > 0
    with Store(str(killed), create=False) as store:
        assert replay(store, "r").difference is None
        assert store.check() == []


@pytest.mark.slow
def test_the_key_is_nowhere_in_the_database_nor_printed(tmp_path: Path) -> None:
    with chat_server() as server:
        variables = {"GERMLINE_LLM_KEY": "sesame-4711"}
        done = run_command(*words(server.url), "--births", "40", database=tmp_path / "runs.db", variables=variables)
        assert server.headers["Authorization"] == "Bearer sesame-4711"
    assert done.returncode == 0, done.stderr
    assert "sesame" not in done.stdout + done.stderr
    assert b"sesame" not in (tmp_path / "runs.db").read_bytes()


@pytest.mark.slow
def test_show_says_what_became_of_the_proposals_for_a_birth(store: Store, tmp_path: Path) -> None:
    with chat_server() as server:
        evolved(store, server)
    made = store.proposals(1, 0, 1000)
    refused = next(record for record in made if record.status == "invalid")
    shown = call(tmp_path / "runs.db", "show", f"optimizer-1:{refused.birth}")
    assert "proposed by llm (tiny-1), invalid: not Python" in " ".join(shown.output.split()).replace("line 1: ", "")
    of_birth = [asdict(record) for record in made if record.birth == refused.birth]
    assert data(tmp_path / "runs.db", "show", f"optimizer-1:{refused.birth}")["proposals"] == of_birth
    assert data(tmp_path / "runs.db", "show", "optimizer-1:0")["proposals"] == []


def evolved(store: Store, server: ChatServer, *more: str, share: float = 0.5, births: int = BIRTHS) -> Any:
    run = new_run(store, settings=settings(server.url, share, *more), births=births, seed=1)
    *_, last = evolve(store, run.name)
    return last


@pytest.mark.slow
def test_no_call_is_made_beyond_the_caps(store: Store) -> None:
    with chat_server() as server:
        evolved(store, server, "llm_calls=4")
        assert server.calls.total() == 4
    with chat_server() as server:
        run = new_run(store, settings=settings(server.url, 0.5, "llm_tokens=350"), births=BIRTHS, seed=1)
        for _ in range(3):  # the count goes on in later sessions
            for progress in evolve(store, run.name):
                if progress.complete is not None:
                    break
        for _ in evolve(store, run.name):
            pass
        assert server.calls.total() == 3  # of 120 tokens each: the third began below the limit
    assert replay(store, run.name).difference is None


@pytest.mark.slow
def test_a_refused_proposal_is_told_once_and_then_counted(store: Store) -> None:
    with chat_server(lambda request: completion("```\nimport os\nos.remove('x')\n```")) as server:
        last = evolved(store, server, share=0.3)
    made = store.proposals(1, 0, 1000)
    assert {record.status for record in made} == {"invalid"}
    assert Counter(record.position for record in made)[0] == Counter(record.position for record in made)[1]
    assert last.rejected == len(made) == server.calls.total()
    for body in server.calls:
        *_, message = json.loads(body)["messages"]
        if message["content"].startswith("This cannot be used"):
            assert "expected one function" in message["content"]
    assert "llm" not in {individual.operator for individual in store.individuals(1)}
    later = json.loads(list(server.calls)[-1])["messages"][1]["content"]
    assert "Proposals that were refused lately" in later and "import os" in later


@pytest.mark.slow
def test_what_is_not_new_is_refused_before_it_is_trained(store: Store) -> None:
    def same(request: dict[str, Any]) -> Reply:
        return completion(request["messages"][1]["content"].split("```")[1])

    with chat_server(same) as server:
        evolved(store, server, share=0.3)
    made = store.proposals(1, 0, 1000)
    assert {record.status for record in made} == {"known"}
    assert all("computes the same as birth" in (record.reason or "") for record in made)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(b"{", pause=0.0), "expected a chat completion"),
        (Reply(b"no", 403), "status 403: no"),
        (Reply(b"late", pause=1000.0), LATE),
        (Reply(b"x" * 1000, drip=True), LATE),
    ],
    ids=["malformed", "forbidden", "hang", "drip"],
)
def test_a_service_that_fails_leaves_births_to_other_operators(reply: Reply, reason: str, store: Store) -> None:
    with chat_server(lambda request: reply) as server:
        evolved(store, server, "proposal_seconds=1", share=0.15)
    made = store.proposals(1, 0, 1000)
    assert 0 < len(made) < 10
    assert all(record.status == "failed" and re.search(reason, record.reason or "") for record in made)
    assert sum(record.calls for record in made) == server.calls.total()
    assert store.run("optimizer-1").status == "finished"
    assert replay(store, "optimizer-1").difference is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["operators=llm:0.2"], "expected llm_url, the address of a service"),
        (["operators=llm:0.2", "llm_url=file:///etc/passwd", "llm_model=m"], "expected llm_url"),
        (["operators=llm:0.2", "llm_url=http://h:x/", "llm_model=m"], "expected llm_url"),
        (["operators=llm:0.2", "llm_url=http://a:b@h/", "llm_model=m"], "without a user, a password"),
        (["operators=llm:0.2", "llm_url=http://h/?key=4711", "llm_model=m"], "a query.* belongs in GERMLINE_LLM_KEY"),
        (["operators=llm:0.2", "llm_url=http://h/#4711", "llm_model=m"], "a fragment.* belongs in GERMLINE_LLM_KEY"),
        (["operators=llm:0.2", "llm_url=http://h/"], "expected llm_model"),
    ],
)
def test_settings_that_are_missing_or_wrong_are_refused(given: list[str], message: str, store: Store) -> None:
    with pytest.raises(BadOperator, match=message):
        new_run(store, settings=given)


@pytest.mark.slow
def test_a_database_does_not_choose_where_the_key_is_sent(store: Store) -> None:
    run = new_run(store, settings=settings("http://elsewhere.example/v1"), births=16)
    with pytest.raises(UnconfirmedOperator, match=r"an address .* add --operator http://elsewhere\.example/v1"):
        next(iter(evolve(store, run.name)))
    refused = call(f"sqlite:///{store._location.path}", "resume", run.name)  # type: ignore[union-attr]
    assert refused.exit_code == 2 and "--operator http://elsewhere.example/v1" in refused.output


@pytest.mark.slow
def test_compare_shows_runs_with_and_without_the_model_as_two_groups(
    small_run: Callable[..., RunRecord], store: Store, tmp_path: Path
) -> None:
    with chat_server() as server:
        for share in (0.4, 0.0):
            new_run(store, settings=settings(server.url, share), births=32, seed=1, name=f"r-{share}")
            for _ in evolve(store, f"r-{share}"):
                pass
    result = call(tmp_path / "runs.db", "compare", "r-*")
    assert result.exit_code == 0, result.output
    assert "llm:0.4" in result.output and "llm:0" in result.output
