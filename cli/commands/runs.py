"""`germline runs`: lists the runs of a database."""

import click

from germline.cli.formatting import duration, number, plain_table, print_table, safe
from germline.cli.json_rows import run_row
from germline.cli.options import db_option, json_option
from germline.cli.output import console, print_json
from germline.cli.printing import say
from germline.cli.run_summaries import all_runs
from germline.db.records import RunSummary


@click.command()
@db_option
@json_option
def command(url: str, as_json: bool) -> None:
    """List the runs, oldest first, with their progress and their best fitness.

    \b
    Example:
      germline runs
    """
    summaries = all_runs(url)
    if as_json:
        print_json([run_row(summary) for summary in summaries])
    elif summaries:
        _print_table(summaries)
    else:
        say("no runs yet; start one with: germline search optimizer", err=True)


def _print_table(summaries: list[RunSummary]) -> None:
    numbers = ("births", "cached", "failed", "time", "best", "at")
    table = plain_table("run", "task", "preset", "seed", "status", *numbers, right=("seed", *numbers))
    for run in summaries:
        colour = {"running": "green", "failed": "red", "interrupted": "yellow"}.get(run.status, "")
        table.add_row(
            safe(run.name, "bold"),
            safe(run.task),
            safe(run.preset),
            safe(run.seed),
            safe(run.status, colour),
            f"{run.births:,}",
            f"{run.cache_hits / run.births:.0%}" if run.births else "-",
            f"{run.failures:,}",
            duration(run.seconds),
            number(run.best_fitness),
            safe("-" if run.best_birth is None else run.best_birth),
        )
    print_table(console(), table)
