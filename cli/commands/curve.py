"""`germline curve`: prints or draws learning curves of runs."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.text import Text

from germline.cli.database import open_store
from germline.cli.errors import UserError
from germline.cli.formatting import QUIET, counted, number, plain_table, print_table, safe, with_interval
from germline.cli.hypervolume_text import reference_point_text
from germline.cli.options import db_option, json_option
from germline.cli.output import console, print_json
from germline.cli.pictures.formats import check_picture, picture_format
from germline.cli.printing import say
from germline.cli.review_curve_view import print_reviews, review_json
from germline.cli.run_patterns import matching_runs
from germline.programs.export.files import write_whole
from germline.search.analysis.learning_curve import LearningCurve, Row, learning_curves
from germline.search.analysis.line_plot import learning_plot, run_names
from germline.search.analysis.statistics import half_width_or_none

T = TypeVar("T")

TABLE_ROWS = 20
"""The largest number of rows of a table."""


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="RUN...")
@click.option("-o", "--output", "path", type=click.Path(path_type=Path), help="Draw the curves: .svg, .png or .pdf.")
@click.option("--force", is_flag=True, help="Replace an existing file.")
@db_option
@json_option
def command(names: tuple[str, ...], path: Path | None, force: bool, url: str, as_json: bool) -> None:
    """Show learning curves: the state of runs after each block.

    For policies, the column `elite` has the highest mean return among a block's reviews. It is more reliable than the
    best fitness, which may be luck, but still a little too high, because reviews select; a test does not.

    Runs of optimizers have a second table: the search fitness of the reviewed programs, the best at their time, beside
    their reviews with fresh seeds and at a longer rung, and where these part. A picture of a single such run has these
    three as gains over the start program.

    Runs with several objectives have a hypervolume: the share of a box that the front of all births so far dominates.
    The box reaches from 0 to an error of 100 % and, for each other objective, to the largest value in the named runs on
    the same task.

    Runs of the strategy map-elites have the coverage of their map, the share of cells that are occupied, and the QD
    score, the sum of the fitness in the occupied cells less an offset, which stands below.

    Incomplete blocks are left out. RUN may be a pattern in quotes, with * for anything and ? for one character.

    \b
    Examples:
      germline curve policy-1
      germline curve 'frost-*' -o curve.svg
    """
    if path is not None:
        check_picture(path, force)
    with open_store(url) as store:
        runs = matching_runs(store.runs(), names)
        if path is not None:
            _check_one_kind([run.kind for run in runs])
        curves = learning_curves(store, [run.name for run in runs])
    if not any(curve.rows for curve in curves):
        raise UserError(f"expected a run with a complete block, got {run_names(curves)}; wait for the first block")
    if path is not None:
        write_whole(path, _picture(curves, picture_format(path)))
    if as_json:
        print_json([_json(curve) for curve in curves])
    else:
        for curve in curves:
            _print(curve)
    if path is not None:
        say(f"wrote {path}: the curve of {run_names(curves)}", err=as_json)


def evenly_spaced(rows: Sequence[T], most: int) -> list[T]:
    """Returns at most `most` of the rows, evenly spaced, with the first and the last."""
    if len(rows) <= most:
        return list(rows)
    return [rows[round(i * (len(rows) - 1) / (most - 1))] for i in range(most)]


def _check_one_kind(kinds: Sequence[str]) -> None:
    if len(set(kinds)) > 1:
        every = " and ".join(sorted(set(kinds)))
        raise UserError(f"expected runs of one kind in a picture, got {every}; draw each kind by itself")


def _json(curve: LearningCurve) -> dict[str, Any]:
    run = curve.run
    return {
        "run": run.name,
        "kind": run.kind,
        "task": run.task,
        "status": run.status,
        "rows": [asdict(row) for row in curve.rows],
        "test": asdict(curve.test) if curve.test else None,
        "hypervolume_reference": curve.reference,
        "qd_offset": curve.qd_offset,
        **(review_json(curve) if run.kind == "optimizer" else {}),
    }


def _print(curve: LearningCurve) -> None:
    run, rows = curve.run, curve.rows
    out = console()
    out.print(Text.assemble(safe(run.name, "bold"), safe(f"  {run.kind} on {run.task}, {run.status}", QUIET)))
    if not rows:
        out.print(safe("no block is complete yet", QUIET))
        return
    printed = [_cells(row, curve) for row in evenly_spaced(rows, TABLE_ROWS)]
    table = plain_table(*printed[0], right=tuple(printed[0]))
    for cells in printed:
        table.add_row(*map(safe, cells.values()))
    print_table(out, table)
    for note in _notes(curve, len(printed)):
        out.print(safe(note, QUIET))
    print_reviews(out, curve.reviewed, lambda reviewed: evenly_spaced(reviewed, TABLE_ROWS))


def _cells(row: Row, curve: LearningCurve) -> dict[str, str]:
    """The cells of a row of the table, by column."""
    cells = {"block": f"{row.block:,}", "births": f"{row.births:,}", "evaluations": f"{row.evaluations:,}"}
    if row.frames is not None:
        cells["frames"] = f"{row.frames:,}"
    cells |= {"best": number(row.best), "median": number(row.median)}
    if row.frames is not None:
        half = half_width_or_none(row.deviation, row.episodes)
        cells |= {"elite": number(row.elite), "±": "" if half is None else number(half)}
    if curve.reference:
        cells["hypervolume"] = number(row.hypervolume)
    if row.coverage is not None:
        cells |= {"coverage": number(row.coverage), "QD score": number(row.qd_score)}
    return cells


def _notes(curve: LearningCurve, printed: int) -> list[str]:
    """Notes below the table: on its columns, the test and rows that are left out."""
    notes = []
    if any(row.elite is not None for row in curve.rows):
        notes.append("±: from the spread of a review's episodes; reviews select, so the elite's mean is too high")
    if curve.reference:
        notes.append(f"hypervolume: of the front so far, {reference_point_text(curve.reference)}")
    if curve.qd_offset is not None:
        notes.append(f"QD score: sum of the fitness in the occupied cells, each less {number(curve.qd_offset)}")
    if curve.test:
        test = curve.test
        episodes = f" in {counted(test.episodes, 'episode')}" if test.episodes else ""
        mean = with_interval(test.mean, half_width_or_none(test.deviation, test.episodes))
        notes.append(f"test after block {test.block}: {mean}{episodes}, not used for selection")
    if printed < len(curve.rows):
        notes.append(f"{printed} of {len(curve.rows):,} blocks; --json has them all")
    return notes


def _picture(curves: Sequence[LearningCurve], file_format: str) -> bytes:
    """A picture with a line for each run that has an ok outcome.

    Raises:
        UserError: there is no such run.
    """
    from germline.cli.pictures.line_picture import line_picture  # imports matplotlib, which a table does without
    from germline.cli.pictures.page import picture_bytes

    plot = learning_plot(curves)
    if not plot.lines:
        raise UserError(f"expected a run with an ok outcome, got {run_names(curves)}")
    return picture_bytes(line_picture(plot), file_format)
