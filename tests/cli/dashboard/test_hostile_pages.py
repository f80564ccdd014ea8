"""A database in which every text is hostile: no page and no report runs it, obeys it or is filled by it."""

import json
import sqlite3
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from browser import CHROMIUM, browser, served, visit
from command_line import call
from hostile_texts import ENORMOUS, ESCAPES, KINDS, three_runs, write_everywhere
from page_client import Client

MARKUP = "\"'><img src=x onerror=alert(1)><script>alert(1)</script>{{7*7}}<!--</title></style></textarea>&amp;"
TEXTS = {"escapes": ESCAPES, "markup": MARKUP, "a megabyte": ENORMOUS}

ELEMENTS = frozenset(
    [
        "html",
        "head",
        "meta",
        "title",
        "link",
        "script",
        "style",
        "body",
        "a",
        "header",
        "main",
        "nav",
        "h1",
        "h2",
        "p",
        "span",
        "form",
        "input",
        "button",
        "div",
        "dl",
        "dt",
        "dd",
        "small",
        "section",
        "figure",
        "figcaption",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "code",
        "details",
        "summary",
        "pre",
        "select",
        "label",
        "img",
        "footer",
        "math",
        "mrow",
        "mi",
        "mn",
        "mo",
        "mtext",
        "mspace",
        "mfrac",
        "msqrt",
        "mroot",
        "msub",
        "msup",
        "msubsup",
        "mtable",
        "mtr",
        "mtd",
        "mstyle",
        "mover",
        "munder",
    ]
)


class Inert(HTMLParser):
    """Collects what markup of a page is not ours: elements, handlers, styles and addresses elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ELEMENTS:
            self.found.append(f"<{tag}>")
        self.inside = tag
        for name, value in attrs:
            elsewhere = name in ("href", "src", "action") and not (value or "").startswith(
                ("/", "#", "data:image/svg+xml;", "data:image/gif;")
            )
            if name.startswith("on") or name == "style" or elsewhere or urlsplit(value or "").scheme == "javascript":
                self.found.append(f"{tag} {name}={(value or '')[:60]}")

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside not in ("script", "style") and not all(char.isprintable() or char == "\n" for char in data):
            self.found.append(f"a character that is not printable in {data[:60]!r}")


def inert(page: str) -> None:
    """Asserts that a page has no markup but ours, and is small."""
    parser = Inert()
    parser.feed(page)
    assert parser.found == []
    assert len(page) < 3_000_000


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return three_runs(tmp_path_factory.mktemp("three") / "runs.db")


def hostile(three: bytes, path: Path, text: str, runnable: bool) -> Path:
    """A database with a text everywhere, also in the name of a run."""
    path.write_bytes(three)
    write_everywhere(path, text, runnable)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE run SET name = ? WHERE name = 'optimizer'", (text,))
        connection.commit()
    return path


def addresses(name: str) -> list[str]:
    """All addresses about a run."""
    quoted = quote(name, safe="", errors="replace")
    pages = [f"/{page}?name={quoted}" for page in ("run", "front", "lineage", "individual", "compare")]
    pages += [f"/individual?name={quoted}&birth=3", f"/lineage?name={quoted}&birth=3", f"/cells.svg?name={quoted}"]
    pages += [f"/film.gif?name={quoted}&birth=3", f"/parts/film?name={quoted}&birth=3"]
    data = ("fitness", "shares", "workers", "front", "lineage", "compare", "state")
    return [
        *pages,
        *(f"/data/{each}?name={quoted}" for each in data),
        *(f"/parts/{each}?name={quoted}" for each in ("operators", "failures", "families")),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("runnable", [True, False], ids=["settings stay", "settings too"])
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_every_text_of_a_database_is_inert_in_every_page(
    three: bytes, tmp_path: Path, text: str, runnable: bool
) -> None:
    path = hostile(three, tmp_path / "hostile.db", text, runnable)
    with served(path) as port:
        client = Client(port)
        inert(client.ask("/").text)
        for name in ("architecture", "policy", *([text] if len(text) < 1_000 else [])):
            for address in addresses(name):
                answer = client.ask(address)
                assert answer.status in (200, 404, 500), address
                assert "Internal Server Error" not in answer.text, address
                if answer.headers["content-type"] == "application/json":
                    json.loads(answer.text, parse_constant=lambda constant: pytest.fail(constant))
                    assert "<" not in answer.text
                elif "image" not in answer.headers["content-type"]:
                    inert(answer.text)


@pytest.mark.slow
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_every_text_of_a_database_is_inert_in_a_report(three: bytes, tmp_path: Path, text: str) -> None:
    path = hostile(three, tmp_path / "hostile.db", text, True)
    for name in ("architecture", "policy", text):
        output = tmp_path / f"{len(name)}.html"
        result = call(path, "report", name, "-o", output)
        assert result.exit_code == 0, result.output
        inert(output.read_text(encoding="utf-8"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "genome",
    [MARKUP, f"# {MARKUP}\ndef train(w, g, lr):\n  return g\n", ENORMOUS],
    ids=["no genome", "a comment", "a megabyte"],
)
def test_a_hostile_genome_is_inert(three: bytes, tmp_path: Path, genome: str) -> None:
    path = tmp_path / "hostile.db"
    path.write_bytes(three)
    with closing(sqlite3.connect(path)) as connection:
        some = "digest IN (SELECT genome FROM individual WHERE birth = 3)" if len(genome) > 100_000 else "true"
        connection.execute(f"UPDATE genome SET text = ?, base = NULL WHERE {some}", (genome,))
        connection.commit()
    with served(path) as port:
        for name in KINDS:
            for address in addresses(name):
                answer = Client(port).ask(address)
                assert "Internal Server Error" not in answer.text, address
                if "html" in answer.headers["content-type"]:
                    inert(answer.text)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_a_browser_runs_nothing_of_a_hostile_database(three: bytes, tmp_path: Path) -> None:
    path = hostile(three, tmp_path / "hostile.db", MARKUP, True)
    assert call(path, "report", MARKUP, "-o", tmp_path / "report.html").exit_code == 0
    quoted = quote(MARKUP, safe="")
    with served(path) as port, browser() as started:
        page = visit(started)
        page.page.on("dialog", lambda dialog: page.problems.append(f"dialog: {dialog.message}"))
        for address in (
            "/",
            f"/run?name={quoted}",
            f"/front?name={quoted}",
            f"/lineage?name={quoted}",
            "/individual?name=policy",
        ):
            page.open(f"http://127.0.0.1:{port}{address}")
            assert page.page.locator("img[src=x]").count() == 0
        page.open((tmp_path / "report.html").as_uri())
        assert page.page.locator("img[src=x]").count() == 0
        assert page.problems == []
