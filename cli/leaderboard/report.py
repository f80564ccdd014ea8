"""Tables of a leaderboard as text, for a terminal and for Markdown alike."""

from dataclasses import replace
from math import isfinite

from germline.cli.formatting import number
from germline.cli.tuned_comparison.report import TextTable, point_text, verdict_table, whole_table
from germline.search.leaderboard.board import Board, Group, ranking
from germline.search.leaderboard.protocol import YARDSTICK
from germline.search.significance.aggregate import geometric_mean
from germline.search.tuned_comparison.overall import improvement
from germline.search.tuned_comparison.results import Cell, TunedComparison


def board_tables(board: Board) -> list[TextTable]:
    """The tables of a board: the ranking on each task, then the speed-ups over several tasks and the verdicts."""
    tables = [_ranking(cell, board) for cell in board.cells]
    tables += [_speed_ups(group) for group in board.groups]
    if any(contender.judged for contender in board.contenders):
        tables += [_verdicts(board), verdict_table(_beside_yardstick(board.groups[0].comparison))]
    return tables


def board_lines(board: Board) -> list[str]:
    """What stands below the tables: the protocol, and the tasks that are left out."""
    lines = [f"protocol: {board.protocol}"]
    if board.measured_with:
        lines.append(f"baselines measured with {', '.join(board.measured_with)}")
    if board.judged_with is not None and board.measured_with != (board.judged_with,):
        lines.append(f"judged with {board.judged_with}: last bits may differ")
    return [*lines, *left_out_lines(board)]


def left_out_lines(board: Board) -> list[str]:
    """A line for each reason to leave out tasks."""
    tasks: dict[str, list[str]] = {}
    for each in board.left_out:
        tasks.setdefault(each.why, []).append(each.task)
    return [f"left out, {why}: {', '.join(names)}" for why, names in tasks.items()]


def _ranking(cell: Cell, board: Board) -> TextTable:
    rows = []
    for rank, place in enumerate(ranking(cell), 1):
        result, ratios, steps = cell.results[place], cell.speed_ups(place), cell.steps_to_target(place)
        tuning = result.tuning
        rows.append(
            (
                str(rank),
                result.contender.label + (" (judged)" if result.contender.judged else ""),
                number(result.mean),
                number(result.deviation),
                "-" if result.failed is None else f"{100 * result.failed:.0f} %",
                "-" if steps is None else f"{steps:,.0f}" if isfinite(steps) else "never",
                f"{geometric_mean(ratios):.2f}×" if ratios else "-",
                number(tuning.best.loss if tuning.best else None),
                str(tuning.trainings),
                point_text(tuning),
            )
        )
    held_out = ", held out" if board.held_out[cell.task] else ""
    notes = [f"target {number(cell.target)}: the median of {YARDSTICK} in seeds of its own"]
    notes += [f"{r.contender.label}: {r.error:.200}" for r in cell.results if r.error is not None and r.failed != 0]
    headers = (
        "place", "contender", "held-out", "±", "failed", "to target", "speed-up", "tuned", "trainings", "best point",
    )  # fmt: skip
    title = f"{cell.task}{held_out}: {cell.steps:,} steps, {board.protocol.seeds} fresh seeds"
    return TextTable(title, headers, tuple(rows), tuple(notes))


def _speed_ups(group: Group) -> TextTable:
    """The summary over a group, the fastest first."""
    title = f"{group.title[0].upper()}{group.title[1:]} ({len(group.comparison.cells)})"
    return whole_table(group.comparison, f"{title}: speed-up over tuned {YARDSTICK}", fastest_first=True)


def _verdicts(board: Board) -> TextTable:
    """The verdicts beside each baseline, over each group of tasks."""
    rows = []
    for group in board.groups:
        names = [contender.label for contender in group.comparison.contenders]
        for pair in group.comparison.pairs:
            verdict = pair.verdict
            better = sum(cell.better for cell in verdict.cells)
            worse = sum(cell.worse for cell in verdict.cells)
            below = f"{100 * improvement(group.comparison, pair):.0f} %"
            row = (names[pair.place], names[pair.other], group.title, f"{better}", f"{worse}", below, str(verdict))
            rows.append(row)
    headers = ("judged", "beside", "on", "better on", "worse on", "loss below in", "verdict")
    return TextTable("Verdicts", headers, tuple(rows))


def _beside_yardstick(comparison: TunedComparison) -> TunedComparison:
    pairs = [pair for pair in comparison.pairs if comparison.contenders[pair.other].label == YARDSTICK]
    return replace(comparison, pairs=tuple(pairs))
