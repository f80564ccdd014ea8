"""`germline runs`: what has been searched."""

from typing import TYPE_CHECKING, Any

import click

from germline.cli.common import console, db_option, json_option, open_store, print_json

if TYPE_CHECKING:
    from germline.db.records import RunSummary


@click.command()
@db_option
@json_option
def command(url: str, as_json: bool) -> None:
    """List the runs, oldest first: how far each is and what it found.

    \b
    Example:
      germline runs
    """
    from germline.db import run_list

    found = run_list.runs(url)
    if found is None:
        with open_store(url) as store:
            found = store.runs()
    if as_json:
        print_json([row(summary) for summary in found])
    elif found:
        _print_table(found)
    else:
        click.echo("no runs yet; start one with: germline search optimizer", err=True)


def row(summary: "RunSummary") -> dict[str, Any]:
    """A run as a row of `--json`; `best` is null while nothing has a fitness."""
    best = None
    if summary.best_birth is not None:
        best = {"birth": summary.best_birth, "fitness": summary.best_fitness}
    return {
        "name": summary.name,
        "kind": summary.kind,
        "task": summary.task,
        "preset": summary.preset,
        "seed": summary.seed,
        "status": summary.status,
        "births": summary.births,
        "evaluations": summary.evaluations,
        "cache_hits": summary.cache_hits,
        "failures": summary.failures,
        "rejected": summary.rejected,
        "seconds": summary.seconds,
        "best": best,
        "created": summary.created,
    }


def _print_table(found: "list[RunSummary]") -> None:
    from germline.cli.render import duration, number, plain_table, print_table, safe

    numbers = ("births", "cached", "failed", "time", "best", "at")
    table = plain_table("run", "task", "preset", "seed", "status", *numbers, right=("seed", *numbers))
    for one in found:
        colour = {"running": "green", "failed": "red", "interrupted": "yellow"}.get(one.status, "")
        table.add_row(
            safe(one.name, "bold"),
            safe(one.task),
            safe(one.preset),
            safe(one.seed),
            safe(one.status, colour),
            f"{one.births:,}",
            f"{one.cache_hits / one.births:.0%}" if one.births else "-",
            f"{one.failures:,}",
            duration(one.seconds),
            number(one.best_fitness),
            safe("-" if one.best_birth is None else one.best_birth),
        )
    print_table(console(), table)
