"""The addresses of a film: the part of a page that shows it, and its image."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from germline.cli.dashboard.addresses import birth_of, name_of
from germline.cli.dashboard.film import FilmOrder, NoFilm, film_texts, no_film_texts
from germline.cli.dashboard.films import Films
from germline.cli.dashboard.pages import Pages
from germline.cli.dashboard.rendering import link


class FilmPages:
    """Answers requests for films. The database is read in a thread, as for all pages; a film is waited for without.

    Args:
        pages: of the dashboard.
        films: makes and keeps films.
    """

    def __init__(self, pages: Pages, films: Films) -> None:
        self._pages = pages
        self._films = films

    async def part(self, request: Request) -> Response:
        """The film with its caption, once it is rendered, or a line that says why there is no film."""
        try:
            order = await self._order(request)
            film = await self._films.get(order)
        except NoFilm as problem:
            texts = no_film_texts(problem)
        else:
            chosen = {"name": name_of(request), "birth": birth_of(request)}
            source = link("film.gif", **{key: value for key, value in chosen.items() if value is not None})
            texts = film_texts(film, order, source)
        return HTMLResponse(self._pages.film(texts))

    async def image(self, request: Request) -> Response:
        """The image of the film, which is rendered if it is not kept.

        Raises:
            NoFilm: the film cannot be rendered.
        """
        film = await self._films.get(await self._order(request))
        return Response(film.image, media_type="image/gif")

    async def _order(self, request: Request) -> FilmOrder:
        """What a request asks for.

        Raises:
            NoFilm: it comes from another site, which could make the server compute by opening tabs; and as
                `Pages.film_order` does.
        """
        if request.headers.get("sec-fetch-site") == "cross-site":
            raise NoFilm("expected a request from a page of this server; open the page of the individual")
        return await run_in_threadpool(self._pages.film_order, name_of(request), birth_of(request))
