"""The reviewed programs of an optimizer run as a table, as JSON and as lines of a picture."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console

from germline.cli.curve_picture import Line, Point
from germline.cli.formatting import QUIET, counted, number, plain_table, print_table, safe
from germline.search.analysis.learning_curve import LearningCurve, Row
from germline.search.analysis.review_curve import ReviewedProgram, turning_point

GAIN = "gain over the start program"
"""The quantity of the lines: a fitness minus that of the start program on the same seeds and steps."""

Score = Callable[[ReviewedProgram], float | None]


def review_json(curve: LearningCurve) -> dict[str, Any]:
    """Returns `reviewed`, an object per reviewed program, and `turning_point`, the birth of the program after which
    search and longer rung part, or None."""
    turn = turning_point(curve.reviewed)
    return {"reviewed": [asdict(program) for program in curve.reviewed], "turning_point": turn and turn.birth}


def print_reviews(out: Console, reviewed: Sequence[ReviewedProgram], most: Callable[..., Sequence[Any]]) -> None:
    """Prints a row for each reviewed program and, below, where search and longer rung part.

    Args:
        out: prints.
        reviewed: in the order of their reviews; nothing is printed without any.
        most: returns those rows of the table that there is room for.
    """
    if not reviewed:
        return
    rows = [_cells(program, _seeds(reviewed), _rung(reviewed)) for program in most(reviewed)]
    table = plain_table(*rows[0], right=tuple(rows[0]))
    for cells in rows:
        table.add_row(*map(safe, cells.values()))
    print_table(out, table)
    if len(rows) < len(reviewed):
        out.print(safe(f"{len(rows)} of {counted(len(reviewed), 'reviewed program')}; --json has them all", QUIET))
    out.print(safe(_verdict(reviewed), QUIET))


def review_lines(curve: LearningCurve) -> list[Line]:
    """Returns the lines of the gains in the search, over fresh seeds and at the longer rung, over evaluations; empty
    if the start program was not reviewed."""
    start = next((program for program in curve.reviewed if program.birth == 0), None)
    if start is None:
        return []
    best = [(row, row.best) for row in curve.rows]
    rows = {row.block: row for row in curve.rows}
    fresh = f"mean of {counted(_seeds(curve.reviewed), 'fresh seed')}"
    longer = f"rung {_rung(curve.reviewed)}"
    lines = [
        Line(curve.run.name, _gains(best, start.search), label="search"),
        Line(curve.run.name, _reviewed_gains(curve.reviewed, rows, start, _fresh), label=fresh),
        Line(curve.run.name, _reviewed_gains(curve.reviewed, rows, start, _longer), label=longer),
    ]
    return [line for line in lines if line.points]


def _fresh(program: ReviewedProgram) -> float | None:
    return program.fresh


def _longer(program: ReviewedProgram) -> float | None:
    return program.longer


def _reviewed_gains(
    reviewed: Sequence[ReviewedProgram], rows: Mapping[int, Row], start: ReviewedProgram, score: Score
) -> list[Point]:
    return _gains(
        [(rows[program.block], score(program)) for program in reviewed if program.block in rows], score(start)
    )


def _gains(scores: Sequence[tuple[Row, float | None]], start: float | None) -> list[Point]:
    """The gains of scores over that of the start program, at the evaluations of their rows."""
    if start is None:
        return []
    return [Point(float(row.evaluations), score - start) for row, score in scores if score is not None]


def _cells(program: ReviewedProgram, seeds: int, rung: int | None) -> dict[str, str]:
    cells = {
        "after block": f"{program.block:,}",
        "birth": f"{program.birth:,}" if program.birth else "0 (start)",
        "search": number(program.search),
    }
    if seeds:
        cells[f"mean of {counted(seeds, 'fresh seed')}"] = number(program.fresh)
    if rung is not None:
        cells[f"rung {rung}"] = number(program.longer)
    return cells


def _seeds(reviewed: Sequence[ReviewedProgram]) -> int:
    return max((program.fresh_seeds for program in reviewed), default=0)


def _rung(reviewed: Sequence[ReviewedProgram]) -> int | None:
    return max((program.rung for program in reviewed if program.rung is not None), default=None)


def _verdict(reviewed: Sequence[ReviewedProgram]) -> str:
    rung, turn = _rung(reviewed), turning_point(reviewed)
    if rung is None:
        return "no review at a longer rung yet"
    if turn is not None:
        return (
            f"search and rung {rung} part after birth {turn.birth}: later programs score higher in the search, and "
            f"none does at rung {rung} (one training each, so a small difference may be chance)"
        )
    if sum(program.longer is not None for program in reviewed) < 2:
        return f"fewer than two programs have a score at rung {rung}, so nothing says yet whether they rise together"
    return f"search and rung {rung} have not parted: the best at rung {rung} is also the last best of the search"
