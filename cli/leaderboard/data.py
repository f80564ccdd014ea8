"""A leaderboard as JSON."""

from dataclasses import asdict
from typing import Any

from germline.cli.tuned_comparison.output import verdicts_as_data
from germline.search.leaderboard.board import Board, Group, ranking
from germline.search.leaderboard.protocol import YARDSTICK
from germline.search.leaderboard.table_file import TABLE_VERSION
from germline.search.significance.aggregate import geometric_mean
from germline.search.tuned_comparison.overall import overall
from germline.search.tuned_comparison.results import Cell


def board_as_data(board: Board) -> dict[str, Any]:
    """All of a board but its curves."""
    return {
        "table_version": TABLE_VERSION,
        "protocol": asdict(board.protocol),
        "yardstick": YARDSTICK,
        "measured_with": list(board.measured_with),
        "judged_with": board.judged_with,
        "tasks": [_cell(cell, board) for cell in board.cells],
        "groups": [_group(group) for group in board.groups],
        "left_out": [asdict(each) for each in board.left_out],
    }


def _cell(cell: Cell, board: Board) -> dict[str, Any]:
    results = []
    for rank, place in enumerate(ranking(cell), 1):
        result, ratios = cell.results[place], cell.speed_ups(place)
        best = result.tuning.best
        results.append(
            {
                "place": rank,
                "ref": result.contender.label,
                "judged": result.contender.judged,
                "mean": result.mean,
                "deviation": result.deviation,
                "failed": result.failed,
                "losses": list(result.losses),
                "steps_to_target": cell.steps_to_target(place),
                "speed_up": geometric_mean(ratios) if ratios else None,
                "tuned": best.loss if best else None,
                "trainings": result.tuning.trainings,
                "point": result.tuning.box.named(best.point) if best else None,
                "widened": list(result.tuning.widened),
                "error": result.error,
            }
        )
    held_out = board.held_out[cell.task]
    return {
        "task": cell.task,
        "held_out_task": held_out,
        "steps": cell.steps,
        "target": cell.target,
        "results": results,
    }


def _group(group: Group) -> dict[str, Any]:
    comparison = group.comparison
    return {
        "title": group.title,
        "tasks": [cell.task for cell in comparison.cells],
        "speed_ups": [
            {"ref": contender.label, "speed_up": summary.speed_up, "interval": [summary.low, summary.high]}
            for contender, summary in zip(comparison.contenders, overall(comparison), strict=True)
        ],
        "verdicts": verdicts_as_data(comparison),
    }
