"""`germline db`: checks, upgrades and backs up the database of runs; replays, renames, tags and deletes runs."""

import sys
from dataclasses import asdict
from pathlib import Path

import click

from germline.cli.database import open_store
from germline.cli.errors import UserError
from germline.cli.formatting import counted
from germline.cli.interrupts import raise_if_received
from germline.cli.options import confirmed_task_option, db_option, device_option, json_option
from germline.cli.output import print_json, stdout_apart
from germline.cli.printing import on_a_line, say
from germline.cli.run_names import check_run_name
from germline.db.errors import AlteredSchema
from germline.db.opening import upgrade as upgrade_database
from germline.db.records import RunSummary
from germline.search.replay import replay as derive_again


@click.group(name="db")
def command() -> None:
    """Check, upgrade and back up the database of runs; replay, rename, tag and delete runs.

    \b
    Examples:
      germline db check
      germline db replay optimizer-1
      germline db backup copy.db
    """


@command.command()
@db_option
@json_option
def check(url: str, as_json: bool) -> None:
    """Look for damage and contradictions.

    Looks for damaged pages, missing parents, outcomes without a birth, a wrong best, and for tables, views, indexes and
    triggers that are not Germline's. Exit status 1 for any problem.

    \b
    Example:
      germline db check --db germline.db
    """
    runs: list[RunSummary] = []
    try:
        with open_store(url) as store:
            problems = store.check()
            runs = store.runs() if not problems else []
    except AlteredSchema as error:
        problems = [f"altered schema: {difference}" for difference in error.differences]
    counts = {
        "runs": len(runs),
        "births": sum(run.births for run in runs),
        "evaluations": sum(run.evaluations for run in runs),
    }
    if as_json:
        print_json({"ok": not problems, "problems": problems, **(counts if not problems else {})})
    elif not problems:
        say("ok: " + ", ".join(counted(count, name.removesuffix("s")) for name, count in counts.items()))
    else:
        for problem in problems:
            say(on_a_line(problem))
    if problems:
        plural = "s" if len(problems) > 1 else ""
        raise UserError(f"{len(problems)} problem{plural} found; restore a copy made with `germline db backup`", 1)


@command.command()
@db_option
@json_option
def upgrade(url: str, as_json: bool) -> None:
    """Upgrade the database to the schema of this version.

    A SQLite file is backed up beside itself first.

    \b
    Example:
      germline db upgrade --db germline.db
    """
    before, after = upgrade_database(url)
    if as_json:
        print_json({"before": before, "after": after})
    elif before == after:
        say(f"the schema is up to date ({after})")
    else:
        say(f"upgraded the schema from {before} to {after}")


@command.command()
@click.argument("run")
@click.option(
    "--rescore",
    type=float,
    default=0.0,
    show_default=True,
    metavar="SHARE",
    help="Score this share of the outcomes again, 0 to 1, that of the winner included, and compare all bits.",
)
@confirmed_task_option
@device_option(default=None, help="Device to score again on.  [default: auto]")
@db_option
@json_option
def replay(run: str, rescore: float, task: str | None, device: str | None, url: str, as_json: bool) -> None:
    """Derive every birth and winner of RUN again, and compare them with the rows.

    The search decides again from the recorded outcomes. The run's task is loaded only with --rescore. Never scored
    again are outcomes that depend on the machine (timeout, oom, crashed), and those that the caller of an ask-and-tell
    search reported. Nothing is written. Exit status 1 if a row differs from what the search decides or scores.

    \b
    Examples:
      germline db replay optimizer-1
      germline db replay optimizer-1 --rescore 0.1
    """
    for option, value in (("--task", task), ("--device", device)):
        if value is not None and not rescore:
            raise click.UsageError(f"expected --rescore beside {option}, since nothing is scored without it")
    with open_store(url) as store, stdout_apart():
        result = derive_again(store, run, rescore, task, device or "auto")
    raise_if_received()  # within a training it is taken for an error of the task, and so for a difference
    if as_json:
        print_json({"ok": result.difference is None, **asdict(result)})
    elif result.difference is None:
        derived = f"{counted(result.births, 'birth')} and {counted(result.winners, 'winner')}"
        rescored = f", {counted(result.rescored, 'outcome')} scored again" if rescore else ""
        say(f"{run}: {derived} derived again{rescored}, all as recorded")
        if result.waiting:
            say(f"{counted(result.waiting, 'birth')} at the end wait for outcomes")
    if result.difference is not None:
        raise UserError(on_a_line(f"{run} cannot be derived as it is recorded. {result.difference}"), 1)


@command.command()
@click.argument("path", type=click.Path(path_type=Path))
@db_option
@json_option
def backup(path: Path, url: str, as_json: bool) -> None:
    """Copy the database to a new file, even while searches run.

    \b
    Example:
      germline db backup germline-copy.db
    """
    with open_store(url) as store:
        store.backup(path)
    bytes_written = path.stat().st_size
    if as_json:
        print_json({"path": str(path), "bytes": bytes_written})
    else:
        say(f"wrote {path} ({bytes_written:,} bytes)")


@command.command()
@click.argument("run")
@click.argument("name")
@db_option
@json_option
def rename(run: str, name: str, url: str, as_json: bool) -> None:
    """Give RUN another NAME.

    Its births, outcomes and seed stay as they are. A run that is being searched cannot be renamed.

    \b
    Example:
      germline db rename optimizer-1 first
    """
    check_run_name(name)
    with open_store(url) as store:
        store.rename_run(run, name)
    if as_json:
        print_json({"run": run, "name": name})
    else:
        say(f"renamed {run} to {name}")


@command.command()
@click.argument("run")
@click.argument("tags", nargs=-1, required=True, metavar="TAG...")
@click.option("--remove", is_flag=True, help="Remove the tags instead.")
@db_option
@json_option
def tag(run: str, tags: tuple[str, ...], remove: bool, url: str, as_json: bool) -> None:
    """Add each TAG to RUN, to find it by.

    A tag is of letters, digits and _ . + / @ -; `germline runs --tag TAG` lists the runs that have it. Tags can be
    changed while a run is searched, and nothing depends on them.

    \b
    Example:
      germline db tag first paper figure-2
    """
    with open_store(url) as store:
        now = store.tag_run(run, () if remove else tags, tags if remove else ())
    if as_json:
        print_json({"run": run, "tags": list(now)})
    else:
        say(f"{run}: {' '.join(now) or 'no tags'}")


@command.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option("--yes", is_flag=True, help="Delete without asking.")
@db_option
@json_option
def delete(runs: tuple[str, ...], yes: bool, url: str, as_json: bool) -> None:
    """Delete each RUN with all that was recorded of it, for good.

    Other runs stay as they are; exported files too. The database file keeps its size, and later runs fill the room. A
    run that is being searched is not deleted. Without --yes the command asks.

    \b
    Example:
      germline db delete optimizer-1 --yes
    """
    with open_store(url) as store:
        births = {summary.name: summary.births for summary in store.runs()}
        for run in dict.fromkeys(runs):
            store.run(run)  # all must be there before any is asked for or deleted
        _confirm([f"{run} ({counted(births[run], 'birth')})" for run in dict.fromkeys(runs)], yes)
        deleted = {run: store.delete_run(run) for run in dict.fromkeys(runs)}
    if as_json:
        print_json([{"run": run, "births": count} for run, count in deleted.items()])
    else:
        for run, count in deleted.items():
            say(f"deleted {run}: {counted(count, 'birth')}")


def _confirm(runs: list[str], yes: bool) -> None:
    """Asks whether to delete. Raises UserError if the answer is no, or nobody can be asked."""
    if yes:
        return
    question = on_a_line(f"delete {', '.join(runs)} for good?")
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UserError(f"expected --yes to {question.rstrip('?')}, since there is no terminal to ask on")
    if not click.confirm(question, err=True):
        raise UserError("nothing was deleted", 1)
