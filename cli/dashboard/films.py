"""Films that were asked for on pages: rendered one after the other, and the last films kept in memory."""

import asyncio
from collections import OrderedDict

from starlette.concurrency import run_in_threadpool

from germline.cli.dashboard.film import Film, FilmOrder, NoFilm
from germline.cli.dashboard.film_maker import FilmMaker

KEPT = 6
"""How many films stay in memory, of `MOST_BYTES` at most each."""

MOST_ASKING = 8
"""How many requests may wait for a film at a time."""


class Films:
    """Films by their orders. A request that waits for its turn takes no thread, so that pages are answered meanwhile.

    Args:
        maker: renders films.
    """

    def __init__(self, maker: FilmMaker) -> None:
        self._maker = maker
        self._kept: OrderedDict[FilmOrder, Film] = OrderedDict()
        self._turn = asyncio.Lock()
        self._asking = 0

    async def get(self, order: FilmOrder) -> Film:
        """The film of an order, which is rendered if it is not kept. A film that failed is tried anew by each call: a
        missing package may have been installed.

        Raises:
            NoFilm: the film cannot be rendered, or too many requests wait for other films.
        """
        if (film := self._known(order)) is not None:
            return film
        if self._asking >= MOST_ASKING:
            raise NoFilm(f"{MOST_ASKING} films are being made; ask again in a minute")
        self._asking += 1
        try:
            async with self._turn:
                film = self._known(order)
                if film is None:
                    film = await run_in_threadpool(self._maker.make, order)
                    self._keep(order, film)
                return film
        finally:
            self._asking -= 1

    def stop(self) -> None:
        """Ends the process that renders a film, and starts no other. May be called from a signal handler."""
        self._maker.stop()

    def _known(self, order: FilmOrder) -> Film | None:
        film = self._kept.get(order)
        if film is not None:
            self._kept.move_to_end(order)
        return film

    def _keep(self, order: FilmOrder, film: Film) -> None:
        self._kept[order] = film
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
