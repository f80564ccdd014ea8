"""The pages: what each passes to its template."""

from collections.abc import Mapping, Sequence
from typing import Any

from germline.cli.dashboard.film import FilmOrder, film_order
from germline.cli.dashboard.reader import Reader
from germline.cli.dashboard.rendering import LONGEST_LINK, environment, plain
from germline.cli.dashboard.runs import run_row
from germline.cli.formatting import duration, number, setting
from germline.cli.printing import on_a_line
from germline.db.records import RunSummary
from germline.programs.architecture.drawing import draw
from germline.programs.architecture.genome import read

MOST_COMPARED = 24
"""The most runs in a comparison."""


class NoSuchPage(ValueError):
    """An address names nothing."""


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

    def runs(self) -> str:
        """All runs."""
        rows = self._reader.rows()
        kinds = sorted({row["kind"] for row in rows})
        return self._render("runs.html", "Runs", rows=rows, kinds=kinds, longest=LONGEST_LINK)

    def run(self, name: str, stopping: bool = False) -> str:
        """A run. What takes longer than a moment is loaded by the page.

        Args:
            name: of the run.
            stopping: whether a form has just asked it to stop.
        """
        header = self.header(name, "run")
        return self._render("run.html", plain(name), **{**header, "stopping": stopping or header["stopping"]})

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
        data = self._reader.individual(name, chosen)
        return self._render("individual.html", f"{plain(name)}:{chosen}", individual=data, **header)

    def compare(self, names: Sequence[str]) -> str:
        """Several runs beside each other."""
        if not 0 < len(names) <= MOST_COMPARED:
            raise NoSuchPage(
                f"expected 1 to {MOST_COMPARED} runs to compare, got {len(names)}; choose them on the page of runs"
            )
        groups, _ = self._reader.compared(names)
        rows = [
            {
                "number": place,
                "runs": [result.run.name for result in group.results],
                "values": group.values,
                "source": group.results[0].source,
                "differs": {plain(key): on_a_line(setting(value), 200) for key, value in group.differs.items()},
            }
            for place, group in enumerate(groups, 1)
        ]
        return self._render("compare.html", "Comparison", names=list(names), groups=rows)

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
        raise NoSuchPage(f"there is no part {part!r:.40}")

    def error(self, message: str) -> str:
        """An error of one line."""
        return self._render("error.html", "Not shown", message=message)

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
        rate = "-" if row["per_second"] is None else f"{row['per_second']:.3g}/s"
        hits = "-" if row["hits"] is None else f"{row['hits']:.1%}"
        failed = "-" if row["failed"] is None else f"{row['failed']:.1%}"
        return {
            "status": on_a_line(row["status"], 20),
            "births": f"{row['births']:,}",
            "evaluations": f"{row['evaluations']:,}",
            "rate": rate,
            "hits": hits,
            "failed": failed,
            "failures": f"{row['failures']:,}",
            "time": duration(row["seconds"]),
            "best": best,
            "gain": gain,
        }

    def _birth(self, name: str, birth: int | None) -> int:
        if birth is not None:
            return birth
        winner = self._reader.winner(name)
        if winner is None:
            raise NoSuchPage(f"run {plain(name)} has no ok outcome yet")
        return winner.individual.birth

    def _render(self, template: str, title: str, **values: Any) -> str:
        return self._templates.get_template(template).render(title=title, **values)
