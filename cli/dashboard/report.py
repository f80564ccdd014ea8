"""A run as a single HTML file, which needs no network and no other file.

Its scripts and its style are those of the dashboard. A policy in the file lets a browser run them by their hashes, and
nothing else: not a script of a database, and no request to anywhere.
"""

from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from germline.cli.candidate import Candidate
from germline.cli.dashboard.film import NoFilm, film_order, film_texts, no_film_texts
from germline.cli.dashboard.film_maker import FilmMaker
from germline.cli.dashboard.map_of_run import has_map
from germline.cli.dashboard.page_json import SCREEN_DIGITS, page_json
from germline.cli.dashboard.pages import Pages
from germline.cli.dashboard.reader import Reader
from germline.cli.dashboard.rendering import environment

STATIC = Path(__file__).with_name("static")

SCRIPTS = ("vendor/echarts.min.js", "vendor/dagre.min.js", "charts.js", "run_charts.js", "front.js", "lineage.js")
"""The scripts of the file, in their order."""

MOST_FILM_BYTES = 500_000
"""The largest film of a winner; a larger one would make up most of the file."""


def report(reader: Reader, name: str, made_at: str) -> str:
    """The text of the file about a run.

    Args:
        reader: of the database.
        name: of the run.
        made_at: when the report is made, for its last line.

    Raises:
        UnknownRun: there is no such run.
    """
    pages = Pages(reader, token="")
    header = pages.header(name, "")
    winner = header["winner"]
    islands = {
        "fitness": reader.fitness(name),
        "shares": reader.shares(name),
        "workers": reader.workers(name),
        "front": reader.front(name),
    }
    individual, cells, film = None, None, None
    map_source = _address(pages.map_picture(name)) if pages.map(name) is not None else None
    if winner is not None:
        birth = winner.individual.birth
        islands["tree"] = reader.tree(name, birth)
        individual = reader.individual(name, birth)
        if individual["film"] and not individual["film"]["refusal"]:
            film = _film(reader.candidate(name, birth))
        if individual["cells"]:
            cells = _address(pages.cells(name, birth).encode())
    scripts = [_without_map((STATIC / script).read_text(encoding="utf-8")) for script in SCRIPTS]
    style = (STATIC / "style.css").read_text(encoding="utf-8")
    return (
        environment()
        .get_template("report.html")
        .render(
            **header,
            policy=policy(scripts, style),
            style=style,
            scripts=scripts,
            islands={key: page_json(data, None if key == "front" else SCREEN_DIGITS) for key, data in islands.items()},
            operators=reader.operators(name),
            causes=reader.failures(name),
            name=name,
            linked=False,
            individual=individual,
            note=pages.winner_note(header, winner.individual.birth) if winner is not None else "",
            mapped=has_map(reader.run(name)),
            map=pages.map(name),
            map_source=map_source,
            cells_source=cells,
            film_source=None,
            film=film,
            made_at=made_at,
        )
    )


def _address(svg: bytes) -> str:
    """A picture as an address that holds it."""
    return f"data:image/svg+xml;base64,{b64encode(svg).decode()}"


def _film(candidate: Candidate) -> dict[str, Any]:
    """The film of a policy with its texts, or why there is none."""
    try:
        order = film_order(candidate)
        film = FilmMaker(MOST_FILM_BYTES).make(order)
    except NoFilm as problem:
        return no_film_texts(problem)
    return film_texts(film, order, f"data:image/gif;base64,{b64encode(film.image).decode()}")


def policy(scripts: Sequence[str], style: str) -> str:
    """The Content-Security-Policy that allows these scripts and this style, and pictures within the file."""
    hashes = " ".join(_hash(script) for script in scripts)
    return f"default-src 'none'; script-src {hashes}; style-src {_hash(style)}; img-src data:; base-uri 'none'"


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def _without_map(script: str) -> str:
    """A script without the line that names a file for debuggers, which is not there."""
    return "\n".join(line for line in script.splitlines() if not line.startswith("//# sourceMappingURL="))
