"""A comparison on a terminal, as Markdown and as JSON."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console

from germline.cli.formatting import QUIET, plain_table, print_table, safe
from germline.cli.tuned_comparison.report import TextTable, reported_trials, tables
from germline.search.tuned_comparison.overall import FACTORS, improvement, overall
from germline.search.tuned_comparison.results import Cell, TunedComparison


def print_comparison(out: Console, comparison: TunedComparison) -> None:
    """Prints the tables of a comparison."""
    print_tables(out, tables(comparison))


def print_tables(out: Console, shown_tables: Sequence[TextTable]) -> None:
    """Prints tables with their titles and notes."""
    for table in shown_tables:
        out.print(safe(table.title, "bold"))
        shown = plain_table(*table.headers, right=_numeric(table))
        for row in table.rows:
            shown.add_row(*map(safe, row))
        print_table(out, shown)
        for note in table.notes:
            out.print(safe(note, QUIET))
        out.print("")


def markdown(comparison: TunedComparison, command: str) -> str:
    """The tables of a comparison as Markdown, with the command that made them."""
    return tables_as_markdown("Comparison of optimizers", command, tables(comparison))


def tables_as_markdown(title: str, command: str, shown_tables: Sequence[TextTable]) -> str:
    """A page of Markdown with tables, and the command that made them."""
    parts = [f"# {title}\n\n    {command}\n"]
    for table in shown_tables:
        lines = [f"## {table.title}\n", _line(table.headers), _line(["---"] * len(table.headers))]
        lines += [_line(row) for row in table.rows]
        lines += [f"\n{note}" for note in table.notes]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _line(cells: Any) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def _numeric(table: TextTable) -> tuple[str, ...]:
    words = ("contender", "judged", "beside", "on", "", "best point", "box widened", "verdict")
    return tuple(header for header in table.headers if header not in words)


def as_data(comparison: TunedComparison) -> dict[str, Any]:
    """All that was found, for JSON."""
    return {
        "seeds": comparison.seeds,
        "contenders": [
            {
                "ref": contender.label,
                "judged": contender.judged,
                "states": contender.states,
                "search_loss": contender.search_loss,
                "speed_up": summary.speed_up,
                "speed_up_interval": [summary.low, summary.high],
                "profile": dict(zip(map(str, FACTORS), summary.profile, strict=False)),
            }
            for contender, summary in zip(comparison.contenders, overall(comparison), strict=True)
        ],
        "cells": [_cell(comparison, cell) for cell in comparison.cells],
        "verdicts": verdicts_as_data(comparison),
    }


def verdicts_as_data(comparison: TunedComparison) -> list[dict[str, Any]]:
    """The verdicts, for JSON."""
    names = [contender.label for contender in comparison.contenders]
    return [
        {
            "ref": names[pair.place],
            "against": names[pair.other],
            "verdict": pair.verdict.word,
            "more_seeds": pair.verdict.more,
            "probability_of_improvement": improvement(comparison, pair),
            "cells": [
                {
                    "task": cell.task,
                    "length": cell.length,
                    "gain": cell.gain,
                    "interval": [cell.low, cell.high],
                    "p": cell.p,
                    "p_holm": cell.holm,
                    "better": cell.better,
                    "worse": cell.worse,
                }
                for cell in pair.verdict.cells
            ],
        }
        for pair in comparison.pairs
    ]


def _cell(comparison: TunedComparison, cell: Cell) -> dict[str, Any]:
    return {
        "task": cell.task,
        "length": cell.length,
        "steps": cell.steps,
        "curve_steps": list(cell.curve_steps),
        "reference": None if cell.reference is None else comparison.contenders[cell.reference].label,
        "target": cell.target,
        "results": [
            {
                "ref": result.contender.label,
                "best_after": {str(count): result.tuning.best_after(count) for count in reported_trials(cell)},
                "tuned": result.tuning.best.loss if result.tuning.best else None,
                "tuning_deviation": result.tuning.deviation,
                "trainings": result.tuning.trainings,
                "point": result.tuning.box.named(result.tuning.best.point) if result.tuning.best else None,
                "widened": list(result.tuning.widened),
                "good_rates": result.tuning.good_rates,
                "losses": list(result.losses),
                "mean": result.mean,
                "deviation": result.deviation,
                "failed": result.failed,
                "steps_to_target": cell.steps_to_target(place),
                "speed_ups": list(cell.speed_ups(place)),
                "microseconds": comparison.microseconds[cell.task][place],
                "curves": [list(curve) for curve in result.curves],
                "error": result.error,
            }
            for place, result in enumerate(cell.results)
        ],
    }
