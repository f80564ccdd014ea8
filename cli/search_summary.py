"""The summary at the end of a search session: counts, the best, the winner and the next commands."""

from typing import Any

import click

from germline.cli.errors import UserError
from germline.cli.formatting import duration, number
from germline.cli.json_rows import run_row
from germline.cli.output import print_json
from germline.cli.presenters.table import presenter_of
from germline.db.records import RunRecord, RunSummary
from germline.db.store import Store
from germline.search.progress import Progress


def finish(store: Store, run: RunRecord, last: Progress | None, resume: str, as_json: bool) -> None:
    """Prints the summary of a session.

    Args:
        store: holds the run.
        run: the run.
        last: its last progress; None if the session made none.
        resume: the command that resumes the run.
        as_json: whether to print JSON.

    Raises:
        UserError: the run is finished and nothing in it has an ok outcome.
    """
    summary = next(row for row in store.runs() if row.name == run.name)
    winner = _winner(store, run, last)
    saved = summary.rejected * store.mean_seconds(run.name) if summary.rejected else 0.0
    if as_json:
        print_json({**run_row(summary), "winner": winner, "saved_seconds": saved})
    elif last is None or last.best is None:
        _print_without_best(store, run, summary, resume)
    else:
        _print(store, run, summary, last, winner, saved, resume)


def _winner(store: Store, run: RunRecord, last: Progress | None) -> dict[str, Any] | None:
    """Birth and fitness of the strategy's winner: after a funnel, the best at the longest rung."""
    if last is None or last.winner is None:
        return None
    evaluation = store.individual(run.name, last.winner.birth).evaluation
    return {"birth": last.winner.birth, "fitness": evaluation.fitness if evaluation else None}


def _print_without_best(store: Store, run: RunRecord, summary: RunSummary, resume: str) -> None:
    if summary.status == "finished" and summary.failures:
        causes = [evaluation.error or evaluation.status for evaluation in store.evaluations(run.id)]
        raise UserError(f"none of the {summary.failures} scorings of {run.name} went well; the last: {causes[-1]}", 1)
    click.echo(f"{run.name}: {summary.status}; nothing was scored well yet. Go on with: {resume}")


def _print(
    store: Store,
    run: RunRecord,
    summary: RunSummary,
    last: Progress,
    winner: dict[str, Any] | None,
    saved: float,
    resume: str,
) -> None:
    assert last.best is not None
    presenter = presenter_of(run.kind)
    click.echo(
        f"{run.name}: {summary.status} after {summary.births} births, {summary.evaluations} evaluations, "
        f"{summary.cache_hits} cache hits, {summary.failures} failures"
    )
    start = "not scored" if last.start is None or last.start.fitness is None else number(last.start.fitness)
    comparison = f"  (start {start})" if presenter.compared_with_start else ""
    best = last.best.individual.birth
    click.echo(f"best    {run.name}:{best}  fitness {number(last.best.fitness)}{comparison}")
    if winner and last.winner:
        evaluations = store.reviews(run.id, last.winner.fingerprint)
        score = presenter.score_text([evaluation for evaluation in evaluations if evaluation.rung > 0])
        label = f"{run.name}:{winner['birth']}"
        if score is not None:
            click.echo(f"winner  {label}  {score}")
        elif winner["birth"] != best:
            click.echo(f"winner  {label}  fitness {number(winner['fitness'])}, {_reason(run, last)}")
    if summary.rejected:
        time = f", about {duration(saved)} of scoring saved" if saved >= 1 else ""
        click.echo(f"limits  {summary.rejected:,} genomes over the limits were thrown away unscored{time}")
    click.echo(f"next    germline show {run.name}   germline export {run.name} -o found.py")
    if summary.status == "stopped":
        click.echo(f"go on   {resume}")


def _reason(run: RunRecord, last: Progress) -> str:
    """Why the winner is another individual than the one with the highest fitness."""
    if last.reviews:
        return "the best of the reviews (germline show)"
    settings = run.config.get("settings", {})
    if settings.get("strategy") == "eeea":
        return "what EEEA-Net's code hands over; choose by --pick instead"
    objectives = settings.get("objectives", [])
    return "the knee of the front (germline top)" if len(objectives) > 1 else f"the least {' '.join(objectives)}"
