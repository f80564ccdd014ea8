"""The summary at the end of a search session: counts, the best, the winner and the next commands."""

from collections import deque
from collections.abc import Callable
from typing import Any

from germline.cli.database import on_database
from germline.cli.errors import UserError
from germline.cli.formatting import duration, number
from germline.cli.json_rows import run_row
from germline.cli.output import print_json
from germline.cli.presenters.registry import presenter_of
from germline.cli.printing import command_line, say
from germline.cli.proposals import rejected_what
from germline.cli.winner_reason import winner_reason
from germline.db.records import RunRecord, RunSummary
from germline.db.store import Store
from germline.evaluators.tasks.registry import needs_confirmation
from germline.search.progress import Progress


def finish(
    store: Store,
    run: RunRecord,
    last: Progress | None,
    resume: str,
    url: str,
    as_json: bool,
    report: Callable[[dict[str, Any]], None] = print_json,
) -> None:
    """Prints the summary of a session.

    Args:
        store: holds the run.
        run: the run.
        last: its last progress; None if the session had none.
        resume: the command that resumes the run.
        url: the database, which commands to suggest name.
        as_json: whether to print JSON.
        report: prints the data of the summary if `as_json`.

    Raises:
        UserError: the run is finished, and no individual has an ok outcome.
    """
    summary = next(row for row in store.runs() if row.name == run.name)
    winner = _winner(store, run, last)
    saved = summary.rejected * store.mean_seconds(run.name) if summary.rejected else 0.0
    if as_json:
        report({**run_row(summary), "winner": winner, "saved_seconds": saved})
    if last is not None and last.best is not None:
        if not as_json:
            _print(store, run, summary, last, winner, saved, resume, url)
    elif summary.status == "finished" and summary.failures:
        raise _without_ok_outcome(store, run, summary)
    elif not as_json:
        say(f"{run.name}: {summary.status}; no ok outcome yet. Go on with: {resume}")


def _winner(store: Store, run: RunRecord, last: Progress | None) -> dict[str, Any] | None:
    """Birth and fitness at rung 0 of the strategy's winner; None before any individual has an ok outcome."""
    if last is None or last.winner is None:
        return None
    evaluation = store.individual(run.name, last.winner.birth).evaluation
    return {"birth": last.winner.birth, "fitness": evaluation.fitness if evaluation else None}


def _without_ok_outcome(store: Store, run: RunRecord, summary: RunSummary) -> UserError:
    last = deque(store.evaluations(run.id), maxlen=1)
    cause = last[0].error or last[0].status
    return UserError(f"no genome of {run.name} has an ok outcome ({summary.failures} failures); the last: {cause}", 1)


def _print(
    store: Store,
    run: RunRecord,
    summary: RunSummary,
    last: Progress,
    winner: dict[str, Any] | None,
    saved: float,
    resume: str,
    url: str,
) -> None:
    assert last.best is not None
    presenter = presenter_of(run.kind)
    say(
        f"{run.name}: {summary.status} after {summary.births} births, {summary.evaluations} evaluations, "
        f"{summary.cache_hits} cache hits, {summary.failures} failures"
    )
    start = "not scored" if last.start is None or last.start.fitness is None else number(last.start.fitness)
    comparison = f"  (start {start})" if presenter.compared_with_start else ""
    best = last.best.individual.birth
    say(f"best    {run.name}:{best}  fitness {number(last.best.fitness)}{comparison}")
    if winner and last.winner:
        evaluations = store.reviews(run.id, last.winner.fingerprint)
        score = presenter.score_text([evaluation for evaluation in evaluations if evaluation.rung > 0])
        label = f"{run.name}:{winner['birth']}"
        if last.winner.operator == "seed":  # the program that the search started from
            where = "in the reviews" if last.reviews else "in the complete blocks"
            luck = f" {where}, so {run.name}:{best} may be luck" if winner["birth"] != best else ""
            say(f"winner  {label}  the start: nothing better was found{luck}")
        elif score is not None:
            say(f"winner  {label}  {score}")
        elif winner["birth"] != best:
            say(f"winner  {label}  fitness {number(winner['fitness'])}, {winner_reason(run, bool(last.reviews))}")
    if summary.rejected:
        time = f", about {duration(saved)} of scoring saved" if saved >= 1 else ""
        say(f"limits  {summary.rejected:,} {rejected_what(run)} were rejected unscored{time}")
    # The export of a policy plays on its task, which a database must not choose.
    task = ("--task", run.task) if run.kind == "policy" and needs_confirmation(run.task) else ()
    commands = [command_line("show", run.name), command_line("export", run.name, "-o", "found.py", *task)]
    say(f"next    {'   '.join(on_database(command, url) for command in commands)}")
    if summary.status == "stopped":
        say(f"go on   {resume}")
