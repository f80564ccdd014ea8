"""`germline curve`: how runs came to what they found."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from germline.cli.database import open_store
from germline.cli.errors import UserError, printable
from germline.cli.matching import matching
from germline.cli.options import db_option, json_option
from germline.cli.output import check_free, check_svg, console, print_json

if TYPE_CHECKING:
    from germline.cli.curve_picture import Line
    from germline.cli.learning_curve import Curve, Row

T = TypeVar("T")

SHOWN = 20
"""Rows of a table, at most."""


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="RUN...")
@click.option("-o", "--output", "path", type=click.Path(path_type=Path), help="An SVG file, to draw them in.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@db_option
@json_option
def command(names: tuple[str, ...], path: Path | None, force: bool, url: str, as_json: bool) -> None:
    """Show learning curves: where runs stood after each block.

    Of policies the elite tells how far a run is: the best mean of a block's reviews. The best fitness of a single birth
    may be luck. In the elite's mean there is some too, as reviews select; a test selects nobody. Blocks that are not
    complete are left out. RUN may be a pattern in quotes, with * for anything and ? for one character.

    \b
    Examples:
      germline curve policy-1
      germline curve 'frost-*' -o curve.svg
    """
    from germline.cli.learning_curve import curve_of
    from germline.programs.export.files import check_writable, write_whole

    if path is not None:
        check_svg(path)
        if not force:
            check_free(path)
        check_writable(path)
    with open_store(url) as store:
        chosen = matching(store.runs(), names)
        if path is not None:
            _check_alike([one.kind for one in chosen])
        curves = [curve_of(store, one.name) for one in chosen]
    if not any(one.rows for one in curves):
        raise UserError(printable(f"expected a run with a complete block, got {_names(curves)}; wait for one"))
    if path is not None:
        write_whole(path, _picture(curves))
    if as_json:
        print_json([_data(one) for one in curves])
    else:
        for one in curves:
            _print(one)
    if path is not None:
        click.echo(f"wrote {printable(str(path))}: the curve of {_names(curves)}", err=as_json)


def spread(rows: Sequence[T], most: int) -> list[T]:
    """At most so many of some rows, evenly spread, with the first and the last of them."""
    if len(rows) <= most:
        return list(rows)
    return [rows[round(i * (len(rows) - 1) / (most - 1))] for i in range(most)]


def _check_alike(kinds: Sequence[str]) -> None:
    if len(set(kinds)) > 1:
        told = " and ".join(sorted(set(kinds)))
        raise UserError(printable(f"expected runs of one kind in a picture, got {told}; draw each kind by itself"))


def _names(curves: "Sequence[Curve]") -> str:
    first = ", ".join(one.run.name for one in curves[:3])
    return first if len(curves) <= 3 else f"{first} and {len(curves) - 3} more"


def _data(curve: "Curve") -> dict[str, Any]:
    run = curve.run
    return {
        "run": run.name,
        "kind": run.kind,
        "task": run.task,
        "status": run.status,
        "rows": [asdict(one) for one in curve.rows],
        "test": asdict(curve.test) if curve.test else None,
    }


def _half(deviation: float | None, episodes: int | None) -> float | None:
    """The half width of the 95 % confidence interval of a mean; None for one episode."""
    from germline.cli.confidence import half_width

    return half_width(deviation, episodes) if deviation is not None and episodes and episodes > 1 else None


def _print(curve: "Curve") -> None:
    from rich.text import Text

    from germline.cli.formatting import QUIET, number, plain_table, print_table, safe

    run, rows = curve.run, curve.rows
    out = console()
    out.print(Text.assemble(safe(run.name, "bold"), safe(f"  {run.kind} on {run.task}, {run.status}", QUIET)))
    if not rows:
        out.print(safe("no block is complete yet", QUIET))
        return
    numbers = ["block", "births", "evaluations", "best", "median"]
    if run.kind == "policy":
        numbers[3:3] = ["frames"]
        numbers += ["elite", "±"]
    table = plain_table(*numbers, right=tuple(numbers))
    shown = spread(rows, SHOWN)
    for row in shown:
        cells = [f"{row.block:,}", f"{row.births:,}", f"{row.evaluations:,}", number(row.best), number(row.median)]
        if run.kind == "policy":
            cells[3:3] = [f"{row.frames:,}"]
            half = _half(row.deviation, row.episodes)
            cells += [number(row.elite), "" if half is None else number(half)]
        table.add_row(*map(safe, cells))
    print_table(out, table)
    for note in _told(curve, len(shown)):
        out.print(safe(note, QUIET))


def _told(curve: "Curve", shown: int) -> list[str]:
    """The test, and what the table does not say."""
    from germline.cli.formatting import counted, with_interval

    notes = []
    if any(row.elite is not None for row in curve.rows):
        notes.append("±: by the spread of a review's own episodes; reviews select, so the elite's mean is too high")
    if curve.test:
        test = curve.test
        episodes = f" in {counted(test.episodes, 'episode')}" if test.episodes else ""
        value = with_interval(test.mean, _half(test.deviation, test.episodes))
        notes.append(f"test after block {test.block}: {value}{episodes}, which select nobody")
    if shown < len(curve.rows):
        notes.append(f"{shown} of {len(curve.rows):,} blocks; --json tells them all")
    return notes


def _picture(curves: "Sequence[Curve]") -> str:
    """A line for each run of which something was scored well.

    Raises:
        UserError: there is none.
    """
    from germline.cli.curve_picture import draw

    reviewed = [any(row.elite is not None for row in one.rows) for one in curves]
    x = "frames" if all(row.frames for one in curves for row in one.rows) else "evaluations"
    y = "best mean of reviews" if any(reviewed) else "best fitness so far"
    lines = [_line(one, x, by, mixed=by != any(reviewed)) for one, by in zip(curves, reviewed, strict=True)]
    drawn = [one for one in lines if one.points]
    if not drawn:
        raise UserError(printable(f"expected a run of which something was scored well, got {_names(curves)}"))
    empty = [one for one, line in zip(curves, lines, strict=True) if not line.points]
    return draw(drawn, _title(curves), x, y, _notes(drawn, empty))


def _line(curve: "Curve", x: str, reviewed: bool, mixed: bool) -> "Line":
    from germline.cli.curve_picture import Line, Point

    def place(row: "Row") -> float:
        return float((row.frames if x == "frames" else row.evaluations) or 0)

    points = []
    for row in curve.rows:
        value = row.elite if reviewed else row.best
        if value is not None:
            points.append(Point(place(row), value, _half(row.deviation, row.episodes) if reviewed else None))
    test, before = curve.test, [row for row in curve.rows if curve.test and row.block <= curve.test.block]
    mark = Point(place(before[-1]), test.mean, _half(test.deviation, test.episodes)) if test and before else None
    return Line(printable(curve.run.name), points, mark, "best fitness" if mixed else "")


def _title(curves: "Sequence[Curve]") -> str:
    runs = [one.run for one in curves]
    tasks = list(dict.fromkeys(one.task for one in runs))
    of = f"{runs[0].kind} on {tasks[0] if len(tasks) == 1 else f'{len(tasks)} tasks'}"
    return printable(of if len(runs) > 1 else f"{runs[0].name}: {of}")


def _notes(lines: "Sequence[Line]", empty: "Sequence[Curve]") -> list[str]:
    notes = []
    if any(point.width is not None for line in lines for point in line.points):
        notes.append("bands: by the spread of a review's own episodes; reviews select, so the means are too high")
    if any(line.test for line in lines):
        notes.append("diamonds: the last test, with its 95 % confidence interval")
    if empty:
        notes.append(printable(f"nothing was scored well yet: {_names(empty)}"))
    return notes
