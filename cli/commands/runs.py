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
@click.option("--tag", "tags", multiple=True, help="Only runs with this tag (germline db tag); repeatable: with each.")
@db_option
@json_option
def command(tags: tuple[str, ...], url: str, as_json: bool) -> None:
    """List the runs, oldest first, with their progress and their best fitness.

    \b
    Examples:
      germline runs
      germline runs --tag paper
    """
    summaries = [summary for summary in all_runs(url) if {*tags} <= {*summary.tags}]
    if as_json:
        print_json([run_row(summary) for summary in summaries])
    elif summaries:
        _print_table(summaries)
    elif tags:
        say(f"no run has the tag {' and '.join(tags)}", err=True)
    else:
        say("no runs yet; start one with: germline search optimizer", err=True)


def _print_table(summaries: list[RunSummary]) -> None:
    numbers = ("births", "cached", "failed", "time", "best", "at")
    tagged = any(run.tags for run in summaries)
    columns = ("run", "task", "preset", "seed", "status", *numbers, *(("tags",) if tagged else ()))
    table = plain_table(*columns, right=("seed", *numbers))
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
            *((safe(" ".join(run.tags)),) if tagged else ()),
        )
    print_table(console(), table)
