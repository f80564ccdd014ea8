"""The server of the dashboard: what it answers, what it refuses, and that it writes nothing without its token."""

import asyncio
import html
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import served
from page_client import Client
from starlette.responses import PlainTextResponse
from starlette.types import Message

from germline.cli.dashboard.guard import Guard
from germline.cli.dashboard.pages import Pages
from germline.db.store import Store

NAME = "first"
PAGES = ("/", *(f"/{page}?name={NAME}" for page in ("run", "front", "lineage", "individual", "compare")))
CHARTS = ("fitness", "shares", "workers", "front", "lineage", "compare", "state")
DATA = ("/data/runs", *(f"/data/{data}?name={NAME}" for data in CHARTS))
PARTS = tuple(f"/parts/{part}?name={NAME}" for part in ("operators", "failures", "families", "map"))


@pytest.fixture(scope="module")
def client(searched: Path) -> Iterator[Client]:
    with served(searched) as port:
        yield Client(port)


@pytest.mark.slow
@pytest.mark.parametrize("target", [*PAGES, *PARTS])
def test_every_page_is_answered_with_a_policy_that_allows_files_of_the_server_alone(
    client: Client, target: str
) -> None:
    answer = client.ask(target)
    assert answer.status == 200
    assert answer.headers["content-security-policy"].startswith(
        "default-src 'none'; script-src 'self'; style-src 'self'"
    )
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert re.findall(r"<script(?![^>]*src=)|\bon\w+=|<[^>]+\sstyle=|javascript:", answer.text) == []


@pytest.mark.slow
@pytest.mark.parametrize("target", DATA)
def test_data_is_standard_json(client: Client, target: str) -> None:
    answer = client.ask(target)
    assert answer.status == 200 and answer.headers["content-type"] == "application/json"
    json.loads(answer.text, parse_constant=lambda name: pytest.fail(name))


@pytest.mark.slow
def test_the_winner_and_the_best_are_those_of_the_store(client: Client, searched: Path) -> None:
    with Store(str(searched), create=False) as store:
        winner, best = store.winner(NAME), store.best(NAME)
    assert winner is not None and best.evaluation is not None and best.evaluation.fitness is not None
    assert f"Birth {winner.individual.birth}" in client.ask(f"/individual?name={NAME}").text
    fitness = json.loads(client.ask(f"/data/fitness?name={NAME}").text)
    start = next(point for point in fitness["best"] if point[0] == 0)
    risen = fitness["best"][-1][1] - start[1]
    with Store(str(searched), create=False) as store:
        first = store.individual(NAME, 0).evaluation
    assert first is not None and first.fitness is not None
    assert risen == pytest.approx(best.evaluation.fitness - first.fitness, rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("host", ["evil.example", "evil.example:PORT", "127.0.0.1", "127.0.0.1.evil.example:PORT", ""])
def test_a_name_of_another_host_is_refused(client: Client, host: str) -> None:
    answer = client.ask("/", headers={"Host": host.replace("PORT", str(client.port))})
    assert answer.status == 421
    assert NAME not in answer.text


@pytest.mark.slow
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_refused(client: Client, method: str) -> None:
    assert client.ask("/", method).status == 405


@pytest.mark.slow
@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
        "/static/....//app.py",
        "/static//etc/passwd",
        "/static/%2fetc%2fpasswd",
        "/static/..\\app.py",
        "/static/vendor/../../reader.py",
        "/static/",
        "/static/vendor",
        "/app.py",
        "/templates/base.html",
    ],
)
def test_nothing_outside_the_folder_is_served(client: Client, path: str) -> None:
    answer = client.ask(path)
    assert answer.status in (404, 405)
    assert "import" not in answer.text and "root:" not in answer.text


@pytest.mark.slow
@pytest.mark.parametrize(
    "target",
    [
        "/run",
        "/run?name=missing",
        f"/individual?name={NAME}&birth=99999",
        f"/individual?name={NAME}&birth=-1",
        f"/individual?name={NAME}&birth=x",
        f"/individual?name={NAME}&birth=99999999999999999999",
        "/lineage?name=waiting",
        f"/cells.svg?name={NAME}",
        f"/parts/missing?name={NAME}",
        "/compare",
        "/data/fitness?name=missing",
    ],
)
def test_an_address_that_names_nothing_is_an_error_of_one_line(client: Client, target: str) -> None:
    answer = client.ask(target)
    assert answer.status in (404, 500)
    assert "Not shown" in answer.text and "Traceback" not in answer.text


@pytest.mark.slow
def test_a_run_without_births_has_pages(client: Client) -> None:
    for page in ("run", "front", "data/fitness", "data/shares", "data/workers", "data/front", "parts/operators"):
        assert client.ask(f"/{page}?name=waiting").status == 200, page


@pytest.mark.slow
def test_stop_needs_the_token_of_a_page_and_its_origin(copied: Path) -> None:
    with Store(str(copied), create=False) as store:
        run = store.run("waiting")
        store.claim(run.id)
        with served(copied) as port:
            client = Client(port)
            page = client.ask("/run?name=waiting").text
            [token] = re.findall(r'name="token" value="([^"]+)"', page)
            [state] = re.findall(r'data-state="([^"]+)"', page)
            asked = json.loads(client.ask("/data/state?name=waiting").text)["state"]
            assert json.loads(html.unescape(state)) == asked
            assert client.ask("/stop", "GET").status == 405
            assert client.post("/stop", name="waiting").status == 403
            assert client.post("/stop", name="waiting", token="x" * len(token)).status == 403
            other = {"Origin": "http://evil.example"}
            assert client.post("/stop", other, name="waiting", token=token).status == 403
            cross = {"Origin": "null", "Sec-Fetch-Site": "cross-site"}
            assert client.post("/stop", cross, name="waiting", token=token).status == 403
            assert client.post("/stop", token="x" * 100_000).status == 413
            late = client.post("/stop", name=NAME, token=token)  # it does not run
            assert (late.status, late.headers["location"]) == (303, f"/run?name={NAME}&stop=late")
            assert "it had ended before it was asked to stop" in client.ask(late.headers["location"]).text
            assert not store.stop_requested(run.id)
            answer = client.post("/stop", name="waiting", token=token)
            assert answer.status == 303 and answer.headers["location"].startswith("/run?name=waiting")
            assert store.stop_requested(run.id)
            page = client.ask("/run?name=waiting").text
            assert "asked to stop" in page and "<button>Stop" not in page
            store.handle_requests(run.id)  # as its driver does, before it ends
            assert "asked to stop" in client.ask(answer.headers["location"]).text
            assert "<button>Stop" in client.ask("/run?name=waiting").text
        store.release(run.id, "stopped", 0.0)


@pytest.mark.slow
def test_the_database_is_not_written_by_reading(copied: Path) -> None:
    before = copied.read_bytes()
    with served(copied) as port:
        for target in (*PAGES, *DATA, *PARTS):
            assert Client(port).ask(target).status == 200
    assert copied.read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "destination", "status"),
    [("navigate", "document", 200), ("navigate", "iframe", 403), ("no-cors", "image", 403), ("cors", "empty", 403)],
)
def test_another_site_may_open_a_page_in_a_tab_and_nothing_else(
    client: Client, mode: str, destination: str, status: int
) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": destination}
    answer = client.ask(f"/run?name={NAME}", headers=headers)
    assert answer.status == status and (NAME in answer.text) == (status == 200)


@pytest.mark.slow
def test_an_unforeseen_error_has_the_headers_of_safety_and_tells_nothing(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(pages: Pages) -> str:
        raise RuntimeError("a secret")

    monkeypatch.setattr(Pages, "runs", fail)
    answer = client.ask("/")
    assert answer.status == 500 and "secret" not in answer.text
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


@pytest.mark.parametrize(("port", "status"), [(80, 200), (8765, 421)])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_port_80_alone_may_be_left_out_of_the_host(host: str, port: int, status: int) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"host", host.encode())]}
    asyncio.run(Guard(PlainTextResponse("inside"), port)(scope, receive, send))
    assert sent[0]["status"] == status
