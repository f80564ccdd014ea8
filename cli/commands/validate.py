"""`germline validate`: measures candidates on data that no search has read."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import click

from germline.cli.candidate import Candidate
from germline.cli.errors import BadReference, UserError
from germline.cli.formatting import BAD, QUIET, number, plain_table, print_table, safe
from germline.cli.options import data_option, db_option, device_option, json_option
from germline.cli.output import console, print_json, stdout_apart
from germline.cli.presenters.registry import presenter_of
from germline.cli.reference import HELP, PICK, chosen
from germline.cli.tuned_comparison.command import compare_fairly
from germline.cli.tuned_comparison.options import AgainstOptions, Seeds, against_options
from germline.evaluators.policy.compatibility import playable
from germline.evaluators.task import Task
from germline.evaluators.tasks.name_grammar import absolute_name, joined, names_of
from germline.evaluators.tasks.registry import confirmed_name, task_class
from germline.search.kind import Kind
from germline.search.kinds import kind_named
from germline.search.validation import ValidatedGenome, ValidationResult, validate, with_baselines


@click.command(epilog=HELP)
@click.argument("references", nargs=-1, required=True, metavar="REF...")
@click.option(
    "--task",
    "tasks",
    multiple=True,
    metavar="TASK",
    help="Task to train on or to play; by default the task of the run. For optimizers repeatable.",
)
@click.option(
    "--rung",
    type=click.IntRange(min=0),
    default=None,
    help="Rung of the task: how long to train, or how many episodes to play (germline tasks).  "
    "[default: 1, or 0 with --against or if there is no other]",
)
@click.option(
    "--seeds",
    type=Seeds(),
    default=None,
    help="Fresh seeds for each REF; with --against also auto: as many as decide, up to 30.  "
    "[default: 3, or 10 with --against]",
)
@against_options
@click.option("--pick", "criterion", default=None, metavar="CRITERION", help=PICK)
@click.option(
    "--channels",
    type=click.IntRange(1, 100_000),
    help="Channels of the first cell of an architecture's network; by default its run's.",
)
@click.option(
    "--cells",
    type=click.IntRange(1, 100_000),
    help="Number of cells of an architecture's network; by default its run's.",
)
@device_option()
@data_option(expose=False)
@db_option
@json_option
def command(
    references: tuple[str, ...],
    tasks: tuple[str, ...],
    rung: int | None,
    seeds: int | str | None,
    against: AgainstOptions,
    criterion: str | None,
    channels: int | None,
    cells: int | None,
    device: str,
    url: str,
    as_json: bool,
) -> None:
    """Measure each REF on data that no search has read.

    An optimizer or an architecture is trained with fresh seeds and measured on held-out data. An optimizer is compared
    with the start program of its run; if the run has several tasks, on each of them. An architecture is trained in the
    full size of its run, and compared with a hand-made network of about as many parameters. A policy is not trained: it
    plays fresh episodes, and is compared with its network with random weights.

    With --against an optimizer is judged fairly: it and each contender are tuned with the same trials, at each length
    again, then trained with paired fresh seeds. It is better only if p < 0.01 after correction on three quarters of the
    tasks, and on none worse by more than the standard deviation of the other optimizer between seeds. Trainings are
    recorded and not done again, so an interrupted comparison goes on where it was; the verdict is recorded with the
    individual.

    \b
    Examples:
      germline validate optimizer-1 library:lion --rung 1
      germline validate optimizer-1 --against library:adamw,library:muon -o table.md
      germline validate architecture-1 --pick knee --seeds 5
      germline validate policy-1 --rung 2
    """
    task = joined(tasks) if tasks else None
    if against.references:
        if channels or cells:
            raise UserError("expected no --channels and --cells with --against: these are of architectures")
        compare_fairly(references, criterion, tasks, rung, seeds, against, device, url, as_json)
        return
    against.require_unused()
    if seeds == "auto":
        raise UserError("expected --against with --seeds auto; name a number")
    seeds = 3 if seeds is None else int(seeds)
    sizes = {"full_channels": channels, "full_cells": cells}
    given_sizes = {name: size for name, size in sizes.items() if size is not None}
    with stdout_apart():
        candidates = [chosen(reference, criterion, url) for reference in references]
        kind = _kind_of(candidates)
        home = _task_for(kind, candidates, task)
        hint = "; name its task with --task" if task is None else ""
        if rung is None:  # a task may have no second rung
            rung = min(1, *(len(task_class(each).rungs) - 1 for each in names_of(home)))
        rows_of: dict[str, list[dict[str, Any]]] = {}
        for each in names_of(home):
            _check(kind, candidates, each, rung, given_sizes, hint)
        for each in names_of(home):
            contenders = [_contender(candidate, each, given_sizes) for candidate in candidates]
            results = validate(kind, each, with_baselines(kind, each, contenders), rung, seeds, device)
            rows_of[each] = [_row(result, kind.name, each, rung) for result in results]
    rows = [row for on_task in rows_of.values() for row in on_task]
    if as_json:
        print_json(rows)
    else:
        for each, on_task in rows_of.items():
            _print(on_task, f"{each}, rung {rung}: {task_class(each).rungs[rung]}, {_seeds_text(seeds)}")
    own = [row for row in rows if not row["baseline"]]
    if all(row["error"] is not None for row in own):
        raise UserError(f"no candidate could be measured; {own[0]['ref']} failed: {own[0]['error']:.300}", 1)


def _kind_of(candidates: Sequence[Candidate]) -> Kind[Any, Any]:
    """The kind of all candidates. Raises UserError if they have different kinds."""
    kinds = sorted({candidate.kind for candidate in candidates})
    if len(kinds) > 1:
        raise UserError(f"expected candidates of one kind, got {' and '.join(kinds)}; validate each kind by itself")
    return kind_named(kinds[0])


def _task_for(kind: Kind[Any, Any], candidates: Sequence[Candidate], task: str | None) -> str:
    """The full name of the given task; else of the task of the first candidate from a run; else of the kind's default
    task.

    Raises:
        UnconfirmedTask: the run's task is code that the user has to name.
        InvalidTask: the given file does not exist, or no class in it is named.
    """
    if task is not None:
        return absolute_name(task)
    return next((confirmed_name(candidate.run.task) for candidate in candidates if candidate.run), kind.default_task)


def _check(
    kind: Kind[Any, Any], candidates: Sequence[Candidate], task: str, rung: int, sizes: Mapping[str, int], hint: str
) -> None:
    """Raises an error if the task cannot validate the candidates, or if an option does not fit them."""
    chosen_task: type[Task] = task_class(task)
    if chosen_task.kind != kind.name:
        raise BadReference(f"expected a task for kind {kind.name}, got {task}, which is for {chosen_task.kind}")
    if not chosen_task.heldout:
        raise BadReference(
            f"expected a task with held-out data, got {task}; write for example --task {kind.default_task}"
        )
    last = len(chosen_task.rungs) - 1
    if rung > last:
        raise UserError(f"expected a rung of {task}, at most {last}, got {rung}; germline tasks lists them")
    presenter = presenter_of(kind.name)
    if sizes and not presenter.has_size_options:
        raise UserError(f"expected no --channels and --cells for {presenter.noun}: these are of architectures")
    if kind.name == "policy":
        for candidate in candidates:
            playable(candidate.genome, task, candidate.label, hint)


def _contender(candidate: Candidate, task: str, sizes: Mapping[str, int]) -> ValidatedGenome:
    """A candidate with the settings of its run or, without a run, those of the preset `quick` for the task. `sizes`
    (channels, cells) replace those of the settings."""
    kind = kind_named(candidate.kind)
    settings = candidate.settings
    if settings is None:
        settings = kind.prepare(kind.resolve(kind.presets["quick"].values, []), task_class(task))
    return ValidatedGenome(candidate.label, candidate.genome, replace(settings, **sizes))


def _row(result: ValidationResult, kind: str, task: str, rung: int) -> dict[str, Any]:
    return {
        "ref": result.contender.label,
        "baseline": result.contender.baseline,
        "of": result.contender.of,
        "kind": kind,
        "task": task,
        "rung": rung,
        "measure": result.measure,
        "mean": result.mean,
        "deviation": result.deviation,
        "values": result.values,
        "facts": dict(result.facts),
        "error": result.error,
    }


def _print(rows: Sequence[Mapping[str, Any]], note: str) -> None:
    """Prints a table of the rows, then errors and the note."""
    measure, presenter = rows[0]["measure"], presenter_of(rows[0]["kind"])
    numbers = (measure, "±", presenter.size_header)
    table = plain_table("", *numbers, presenter.trial_header, right=numbers)
    for row in rows:
        each = " ".join("failed" if value is None else number(value) for value in row["values"])
        table.add_row(
            safe(f"{row['ref']} ({row['of']})" if row["baseline"] else row["ref"], "" if row["baseline"] else "bold"),
            safe("failed", BAD) if row["mean"] is None else number(row["mean"]),
            number(row["deviation"]) if row["deviation"] is not None else safe(""),
            safe(presenter.size(row["facts"]), QUIET),
            safe(each, QUIET),
        )
    print_table(console(), table)
    for row in rows:
        if row["error"] is not None:
            console().print(safe(f"{row['ref']} failed: {row['error']:.300}", BAD))
    console().print(safe(note, QUIET))


def _seeds_text(seeds: int) -> str:
    return "one fresh seed" if seeds == 1 else f"{seeds} fresh seeds"
