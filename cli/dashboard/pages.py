"""The pages: what each passes to its template."""

from collections.abc import Mapping, Sequence
from typing import Any

from germline.cli.dashboard.compared_tasks import compared_tasks
from germline.cli.dashboard.film import FilmOrder, film_order
from germline.cli.dashboard.map_of_run import has_map, map_texts
from germline.cli.dashboard.no_such_page import NoSuchPage
from germline.cli.dashboard.reader import Reader
from germline.cli.dashboard.rendering import LONGEST_LINK, environment, link, plain, rate
from germline.cli.dashboard.runs import run_row
from germline.cli.formatting import duration, number
from germline.cli.printing import on_a_line
from germline.db.records import RunSummary
from germline.programs.architecture.drawing import draw
from germline.programs.architecture.genome import read

MOST_COMPARED = 24
"""The most runs in a comparison."""


RUNS_ON_A_PAGE = 100
"""The most runs on a page of runs."""


class Pages:
    """Renders the pages.

    Args:
        reader: of the database.
        token: that a form must send back.
    """

    def __init__(self, reader: Reader, token: str) -> None:
        self._reader = reader
        self._token = token
        self._templates = environment()

    def runs(self, page: int = 1) -> str:
        """The runs, the newest first, `RUNS_ON_A_PAGE` on each page, which are counted from 1."""
        rows, problems = self._reader.rows()
        last = max(1, -(-len(rows) // RUNS_ON_A_PAGE))
        if page > last:
            raise NoSuchPage(f"expected a page from 1 to {last}, got {page}")
        shown = rows[(page - 1) * RUNS_ON_A_PAGE : page * RUNS_ON_A_PAGE]
        running = any(row["status"] == "running" for row in rows)
        return self._render(
            "runs.html",
            "Runs",
            rows=shown,
            count=len(rows),
            problems=[on_a_line(each, 400) for each in problems],
            page=page,
            last=last,
            state=self.runs_state()["state"] if running else None,
            longest=LONGEST_LINK,
        )

    def runs_state(self) -> dict[str, Any]:
        """What the page of runs asks for again and again while a search runs."""
        state = self._reader.running()
        running = any(status == "running" for _, status, _, _ in state)
        return {"state": state, "status": "running" if running else "", "texts": {}}

    def run(self, name: str, stop: str = "") -> str:
        """A run. What takes longer than a moment is loaded by the page.

        Args:
            name: of the run.
            stop: what a form did that asked it to stop just now: `asked`, or `late` if it did not run any more.
        """
        header = self.header(name, "run")
        header["stopping"] = header["stopping"] or stop == "asked"
        return self._render(
            "run.html", plain(name), **header, late=stop == "late", mapped=has_map(self._reader.run(name))
        )

    def front(self, name: str) -> str:
        """The front of a run, with axes to choose."""
        return self._render("front.html", f"{plain(name)}: front", **self.header(name, "front"))

    def lineage(self, name: str, birth: int | None) -> str:
        """The lineage of an individual, by default of the winner."""
        chosen = self._birth(name, birth)
        title = f"{plain(name)}: lineage of {chosen}"
        return self._render(
            "lineage.html", title, birth=chosen, **self.header(name, "lineage" if birth is None else "")
        )

    def individual(self, name: str, birth: int | None) -> str:
        """An individual, by default the winner."""
        chosen = self._birth(name, birth)
        header = self.header(name, "individual" if birth is None else "")
        data = {**self._reader.individual(name, chosen), "note": self.winner_note(header, chosen)}
        return self._render("individual.html", f"{plain(name)}:{chosen}", individual=data, **header)

    def compare(self, names: Sequence[str]) -> str:
        """Several runs beside each other."""
        if not 0 < len(names) <= MOST_COMPARED:
            raise NoSuchPage(
                f"expected 1 to {MOST_COMPARED} runs to compare, got {len(names)}; choose them on the page of runs"
            )
        groups, _ = self._reader.compared(names)
        return self._render("compare.html", "Comparison", names=list(names), tasks=compared_tasks(groups))

    def part(self, part: str, name: str) -> str:
        """A table of the page of a run, which is loaded by itself."""
        if part == "operators":
            return self._templates.get_template("part_operators.html").render(operators=self._reader.operators(name))
        if part == "failures":
            causes = self._reader.failures(name)
            return self._templates.get_template("part_failures.html").render(causes=causes, name=name, linked=True)
        if part == "families":
            template = self._templates.get_template("part_families.html")
            return template.render(families=self._reader.families(name), name=name)
        if part == "map":
            return self._templates.get_template("part_map.html").render(
                map=self.map(name), source=link("map.svg", name=name)
            )
        raise NoSuchPage(f"there is no part {part!r:.40}")

    def error(self, message: str) -> str:
        """An error of one line."""
        return self._render("error.html", "Not shown", message=message)

    def map(self, name: str) -> dict[str, Any] | None:
        """What a page says of the map of a run; None without a map, or before its first block."""
        plot = self._reader.map(name)
        return None if plot is None else map_texts(plot)

    def map_picture(self, name: str) -> bytes:
        """The map of a run as SVG."""
        picture = self._reader.map_picture(name)
        if picture is None:
            raise NoSuchPage(f"expected a run with a map, got {plain(name)}")
        return picture

    def cells(self, name: str, birth: int | None) -> str:
        """The cells of an architecture as SVG."""
        candidate = self._reader.candidate(name, self._birth(name, birth))
        if candidate.kind != "architecture":
            raise NoSuchPage(f"expected an architecture, got {candidate.label}, of kind {candidate.kind}")
        return draw(read(candidate.genome))

    def film_order(self, name: str, birth: int | None) -> FilmOrder:
        """What it takes to film a policy.

        Raises:
            NoFilm: its task is code that a database must not choose, or the settings of its run cannot be read.
        """
        candidate = self._reader.candidate(name, self._birth(name, birth))
        if candidate.kind != "policy":
            raise NoSuchPage(f"expected a policy, got {candidate.label}, of kind {candidate.kind}")
        return film_order(candidate)

    def film(self, texts: Mapping[str, Any]) -> str:
        """A film, or why there is none: a part of the page of an individual, which is loaded by itself."""
        return self._templates.get_template("part_film.html").render(film=texts)

    def tree(self, name: str, birth: int | None) -> dict[str, Any]:
        """The data of the page of a lineage."""
        return self._reader.tree(name, self._birth(name, birth))

    def state(self, name: str) -> dict[str, Any]:
        """What a page of a running search asks for again and again: the state, and the texts of its header."""
        summary = self._reader.summary(name)
        return {"state": self._reader.state(name), "status": summary.status, "texts": self._texts(summary)}

    def header(self, name: str, tab: str) -> dict[str, Any]:
        """What every page of a run has at its top."""
        summary = self._reader.summary(name)
        row = run_row(summary, self._reader.reference(summary))
        winner = self._reader.winner(name)
        return {
            "run": row,
            "tab": tab,
            "winner": winner,
            "texts": self._texts(summary),
            "state": self._reader.state(name),
            "stopping": self._reader.stop_requested(name),
            "token": self._token,
        }

    def _texts(self, summary: RunSummary) -> dict[str, str]:
        row = run_row(summary, self._reader.reference(summary))
        best = "-" if row["best"] is None else number(row["best"])
        gain = "" if row["gain"] is None else f"{row['gain'] + 0.0:+.4g} over the start"
        per_second = "" if row["per_second"] is None else f"{rate(row['per_second'])}/s"
        hits = "-" if row["hits"] is None else f"{row['hits']:.1%}"
        failed = "-" if row["failed"] is None else f"{row['failed']:.1%}"
        return {
            "status": on_a_line(row["status"], 20),
            "births": f"{row['births']:,}",
            "evaluations": f"{row['evaluations']:,}",
            "rate": per_second,
            "hits": hits,
            "failed": failed,
            "failures": f"{row['failures']:,}",
            "time": duration(row["seconds"]),
            "best": best,
            "gain": gain,
        }

    def winner_note(self, header: Mapping[str, Any], birth: int) -> str:
        """What a page of the winner says of it, if another individual has the highest fitness; else nothing."""
        winner = header["winner"]
        if winner is None or winner.individual.birth != birth:
            return ""
        return self._reader.winner_note(winner)

    def _birth(self, name: str, birth: int | None) -> int:
        if birth is not None:
            return birth
        winner = self._reader.winner(name)
        if winner is None:
            raise NoSuchPage(f"run {plain(name)} has no ok outcome yet")
        return winner.individual.birth

    def _render(self, template: str, title: str, **values: Any) -> str:
        return self._templates.get_template(template).render(title=title, **values)
