"""The application: which address answers with what. Pages are HTML, `/data/…` is JSON, `/static/…` are files."""

import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from germline.cli.dashboard.addresses import birth_of, name_of, page_of
from germline.cli.dashboard.current_store import WAIT_SECONDS
from germline.cli.dashboard.film_maker import FilmMaker
from germline.cli.dashboard.film_pages import FilmPages
from germline.cli.dashboard.films import Films
from germline.cli.dashboard.guard import Guard, is_token
from germline.cli.dashboard.page_json import SCREEN_DIGITS, page_json
from germline.cli.dashboard.pages import Pages
from germline.cli.dashboard.reader import Reader
from germline.cli.dashboard.rendering import link
from germline.cli.errors import is_ours, single_line
from germline.db.store import Store

STATIC = Path(__file__).with_name("static")
LARGEST_FORM = 16_384
"""The most bytes of a form."""


def application(url: str, port: int, films: Films | None = None) -> Guard:
    """The dashboard of a database.

    Args:
        url: of the database, which must exist.
        port: that it will be served on.
        films: makes films, and is stopped when the server ends. None: films that end by themselves.

    Raises:
        DatabaseError: the database cannot be read.
    """
    reader, token, films = Reader(url), secrets.token_urlsafe(24), films or Films(FilmMaker())
    pages = Pages(reader, token)
    film_pages = FilmPages(pages, films)

    def page(render: Callable[[Request], str]) -> Callable[[Request], Response]:
        return _answer(lambda request: HTMLResponse(render(request)), pages)

    def data(read: Callable[[str], Any], digits: int | None = SCREEN_DIGITS) -> Callable[[Request], Response]:
        def answer(request: Request) -> Response:
            return Response(page_json(read(name_of(request)), digits), media_type="application/json", headers=_FRESH)

        return _answer(answer, pages)

    async def stop(request: Request) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > LARGEST_FORM:
                return PlainTextResponse("expected a short form", 413)
        form = {key: values[0] for key, values in parse_qs(body.decode(errors="replace")).items()}
        if not is_token(form.get("token"), token):
            return PlainTextResponse("expected the token of a page of this server; load the page again", 403)
        return await run_in_threadpool(_answer(lambda _: _stopped(url, form.get("name", "")), pages), request)

    routes = [
        Route("/", page(lambda request: pages.runs(page_of(request)))),
        Route("/run", page(lambda request: pages.run(name_of(request), request.query_params.get("stop", "")))),
        Route("/front", page(lambda request: pages.front(name_of(request)))),
        Route("/lineage", page(lambda request: pages.lineage(name_of(request), birth_of(request)))),
        Route("/individual", page(lambda request: pages.individual(name_of(request), birth_of(request)))),
        Route("/compare", page(lambda request: pages.compare(request.query_params.getlist("name")))),
        Route("/cells.svg", _answer(lambda request: _picture(pages, request), pages)),
        Route("/map.svg", _answer(lambda request: _svg(pages.map_picture(name_of(request))), pages)),
        Route("/film.gif", _answer_later(film_pages.image, pages)),
        Route("/parts/film", _answer_later(film_pages.part, pages)),
        Route("/data/fitness", data(reader.fitness)),
        Route("/data/shares", data(reader.shares)),
        Route("/data/workers", data(reader.workers)),
        Route("/data/front", data(reader.front, digits=None)),  # the page looks for the best of them
        Route("/data/state", data(pages.state)),
        Route("/data/runs", _answer(lambda request: _json(pages.runs_state()), pages)),
        Route("/data/compare", _answer(lambda request: _comparison(reader, request), pages)),
        Route("/data/lineage", _answer(lambda request: _tree(pages, request), pages)),
        Route("/parts/{part}", page(lambda request: pages.part(request.path_params["part"], name_of(request)))),
        Route("/stop", stop, methods=["POST"]),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]
    # Around all of Starlette, whose own answers to unforeseen errors are outside of its middleware.
    return Guard(Starlette(routes=routes), port)


_FRESH = {"cache-control": "no-store"}


def _answer(respond: Callable[[Request], Response], pages: Pages) -> Callable[[Request], Response]:
    """An endpoint whose known errors become a page of one line."""

    def answer(request: Request) -> Response:
        try:
            response = respond(request)
        except Exception as error:
            return _refusal(error, pages)
        response.headers.update(_FRESH)
        return response

    return answer


def _answer_later(
    respond: Callable[[Request], Awaitable[Response]], pages: Pages
) -> Callable[[Request], Awaitable[Response]]:
    """The same for an endpoint that waits without a thread."""

    async def answer(request: Request) -> Response:
        try:
            response = await respond(request)
        except Exception as error:
            return _refusal(error, pages)
        response.headers.update(_FRESH)
        return response

    return answer


def _refusal(error: Exception, pages: Pages) -> Response:
    """The page of a known error. Raises any other."""
    if not is_ours(error):
        raise error
    missing = type(error).__name__ in ("UnknownRun", "UnknownBirth", "NoSuchPage", "NothingScored", "NoFilm")
    return HTMLResponse(pages.error(single_line(error)), 404 if missing else 500, headers=_FRESH)


def _stopped(url: str, name: str) -> Response:
    """Asks a running search to stop, and leads back to its page."""
    with Store(url, create=False, wait_seconds=WAIT_SECONDS) as store:
        running = store.summary(name).status == "running"
        if running:
            store.request_stop(name)
    return RedirectResponse(link("run", name=name, stop="asked" if running else "late"), 303)


def _picture(pages: Pages, request: Request) -> Response:
    return _svg(pages.cells(name_of(request), birth_of(request)))


def _svg(picture: str | bytes) -> Response:
    return Response(picture, media_type="image/svg+xml")


def _comparison(reader: Reader, request: Request) -> Response:
    _, curves = reader.compared(request.query_params.getlist("name"))
    return _json(curves)


def _tree(pages: Pages, request: Request) -> Response:
    return _json(pages.tree(name_of(request), birth_of(request)))


def _json(data: Any) -> Response:
    return Response(page_json(data), media_type="application/json")
