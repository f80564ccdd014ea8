"""The reviewed programs of an optimizer run as a table and as JSON."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console

from germline.cli.formatting import QUIET, counted, number, plain_table, print_table, safe
from germline.search.analysis.learning_curve import LearningCurve
from germline.search.analysis.line_plot import longest_rung, most_fresh_seeds
from germline.search.analysis.review_curve import ReviewedProgram, turning_point


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
    rows = [_cells(program, most_fresh_seeds(reviewed), longest_rung(reviewed)) for program in most(reviewed)]
    table = plain_table(*rows[0], right=tuple(rows[0]))
    for cells in rows:
        table.add_row(*map(safe, cells.values()))
    print_table(out, table)
    if len(rows) < len(reviewed):
        out.print(safe(f"{len(rows)} of {counted(len(reviewed), 'reviewed program')}; --json has them all", QUIET))
    out.print(safe(_verdict(reviewed), QUIET))


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


def _verdict(reviewed: Sequence[ReviewedProgram]) -> str:
    rung, turn = longest_rung(reviewed), turning_point(reviewed)
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
