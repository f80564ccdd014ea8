"""Debian's chromium, driven by Playwright, on pages of a server of this process or of files."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvicorn

from germline.cli.dashboard.app import application
from germline.cli.dashboard.films import Films
from germline.cli.dashboard.server import listen

CHROMIUM = shutil.which("chromium")
"""None where it is not installed; tests that need it are skipped."""


@contextmanager
def served(database: str | Path, films: Films | None = None) -> Iterator[int]:
    """Serves the dashboard of a database on a free port, in a thread; yields the port. `films` are as in
    `application`."""
    listening = listen(0)
    port = listening.getsockname()[1]
    config = uvicorn.Config(
        application(str(database), port, films), log_level="error", access_log=False, lifespan="off"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield port
    finally:
        server.should_exit = True
        thread.join(10)
        listening.close()


class Visit:
    """A page in the browser, and what went wrong on it: messages on its console, and requests that left the machine."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.problems: list[str] = []
        page.on("console", lambda message: self.problems.append(f"console: {message.type} {message.text}"))
        page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        page.on("request", self._look_at)

    def open(self, address: str) -> "Visit":
        """Opens an address, and waits until all that it loads later is drawn."""
        self.page.goto(address)
        self.wait()
        return self

    def wait(self) -> None:
        """Waits until nothing is left to be drawn. Playwright's own waiting evaluates text, which the pages forbid."""
        for kind in ("chart", "part", "tree"):
            while self.page.locator(f"[data-{kind}]:not([data-state])").count():
                self.page.wait_for_timeout(50)

    @property
    def overflow(self) -> int:
        """How many pixels the page is wider than its window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))

    def _look_at(self, request: Any) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob", "file") and parts.hostname != "127.0.0.1":
            self.problems.append(f"request: {request.url[:200]}")


@contextmanager
def browser() -> Iterator[Any]:
    """A browser that is closed at the end."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield started
        finally:
            started.close()


def visit(started: Any, width: int = 1280, scheme: str = "light") -> Visit:
    """A new page in a window of its own."""
    context = started.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    context.set_default_timeout(120_000)
    return Visit(context.new_page())
