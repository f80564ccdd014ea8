"""`germline validate`: is a find real?"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from germline.cli.common import console, data_option, db_option, json_option, print_json, stdout_apart
from germline.cli.errors import UserError, printable
from germline.cli.reference import HELP, PICK, BadReference, Candidate, chosen

if TYPE_CHECKING:
    from germline.search.validation import Contender, ValidationResult


@click.command(epilog=HELP)
@click.argument("references", nargs=-1, required=True, metavar="REF...")
@click.option("--task", default=None, help="What to train on or play; that of the run unless given.")
@click.option(
    "--rung",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="How long to train, or how many episodes to play, each time; germline tasks lists them.",
)
@click.option("--seeds", type=click.IntRange(1, 1_000), default=3, show_default=True, help="How often each.")
@click.option("--pick", "policy", default=None, metavar="POLICY", help=PICK)
@click.option("--channels", type=click.IntRange(1, 100_000), help="First channels of a network; its run's full ones.")
@click.option("--cells", type=click.IntRange(1, 100_000), help="Cells of a network; its run's full ones.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@data_option(expose=False)
@db_option
@json_option
def command(
    references: tuple[str, ...],
    task: str | None,
    rung: int,
    seeds: int,
    policy: str | None,
    channels: int | None,
    cells: int | None,
    device: str,
    url: str,
    as_json: bool,
) -> None:
    """Measure each REF anew, on what no search has seen.

    An optimizer or an architecture is trained with fresh seeds and measured on held-out data, which no search reads.
    Beside an optimizer stands the start program of its run; beside an architecture, which is trained in the full size
    of its run, a hand-made network with as many parameters. A policy is not trained: it plays fresh episodes, as many
    as the rung of the task says, and its network with random weights plays them too.

    \b
    Examples:
      germline validate optimizer-1 library:lion --rung 1
      germline validate architecture-1 --pick knee --seeds 5
      germline validate policy-1 --rung 2
    """
    with stdout_apart():
        rows, what = _measured(references, task, rung, seeds, policy, channels, cells, device, url)
    if as_json:
        print_json(rows)
    else:
        _print(rows, what)
    mine = [row for row in rows if not row["baseline"]]
    if all(row["error"] is not None for row in mine):
        raise UserError(printable(f"nothing could be measured; {mine[0]['ref']} failed: {mine[0]['error']:.300}"), 1)


def _measured(
    references: tuple[str, ...],
    task: str | None,
    rung: int,
    seeds: int,
    policy: str | None,
    channels: int | None,
    cells: int | None,
    device: str,
    url: str,
) -> tuple[list[dict[str, Any]], str]:
    """A row for each contender, and on what they were measured."""
    from germline.evaluators.policy.compatibility import playable
    from germline.evaluators.tasks.registry import absolute_name, task_class
    from germline.search.kinds import kind_named
    from germline.search.validation import validate, with_baselines

    candidates = [chosen(one, policy, url) for one in references]
    kinds = sorted({one.kind for one in candidates})
    if len(kinds) > 1:
        raise UserError(f"expected candidates of one kind, got {' and '.join(kinds)}; validate each kind by itself")
    kind = kind_named(kinds[0])
    home = absolute_name(task) if task else next((one.run.task for one in candidates if one.run), kind.default_task)
    if task_class(home).kind != kind.name:
        raise BadReference(f"expected a task for kind {kind.name}, got {home}, which is for {task_class(home).kind}")
    if not task_class(home).heldout:
        raise BadReference(
            f"expected a task that keeps data back, got {home}; --task {kind.default_task}, for instance"
        )
    rungs = task_class(home).rungs
    if rung >= len(rungs):
        raise UserError(f"expected a rung of {home}, at most {len(rungs) - 1}, got {rung}; germline tasks lists them")
    sizes = {"full_channels": channels, "full_cells": cells}
    asked = {name: value for name, value in sizes.items() if value is not None}
    if asked and kind.name != "architecture":
        article = "an" if kind.name == "optimizer" else "a"
        raise UserError(f"expected no --channels and --cells for {article} {kind.name}: these are of architectures")
    if kind.name == "policy":
        for one in candidates:
            playable(one.genome, home, one.label, "" if task else "; name its task with --task")
    contenders = with_baselines(kind, home, [_contender(one, home, asked) for one in candidates])
    results = validate(kind, home, contenders, rung, seeds, device)
    rows = [_row(result, kind.name, home, rung) for result in results]
    return rows, f"{home}, rung {rung}: {rungs[rung]}, {_counted(seeds)}"


def _contender(candidate: Candidate, task: str, asked: dict[str, int]) -> "Contender":
    """With the settings of its run; of no run: those of `quick`."""
    from germline.evaluators.tasks.registry import task_class
    from germline.search.kinds import kind_named
    from germline.search.validation import Contender

    kind = kind_named(candidate.kind)
    config = candidate.run.config.get("settings", {}) if candidate.run else {}
    if config:
        settings = kind.from_config(config)
    else:
        settings = kind.prepare(kind.resolve(kind.presets["quick"].values, []), task_class(task))
    return Contender(candidate.label, candidate.genome, replace(settings, **asked))


def _row(result: "ValidationResult", kind: str, task: str, rung: int) -> dict[str, Any]:
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


def _print(rows: list[dict[str, Any]], what: str) -> None:
    from germline.cli.genome_text import size, size_names
    from germline.cli.render import BAD, QUIET, number, plain_table, print_table, safe

    measure = rows[0]["measure"]
    sized, _ = size_names(rows[0]["kind"])
    numbers = (measure, "±", sized)
    each_time = "each time" if rows[0]["kind"] == "policy" else "each training"
    table = plain_table("", *numbers, each_time, right=numbers)
    for row in rows:
        each = " ".join("failed" if value is None else number(value) for value in row["values"])
        table.add_row(
            safe(f"{row['ref']} ({row['of']})" if row["baseline"] else row["ref"], "" if row["baseline"] else "bold"),
            safe("failed", BAD) if row["mean"] is None else number(row["mean"]),
            number(row["deviation"]) if row["deviation"] is not None else safe(""),
            safe(size(row["facts"]), QUIET),
            safe(each, QUIET),
        )
    print_table(console(), table)
    for row in rows:
        if row["error"] is not None:
            console().print(safe(f"{row['ref']} failed: {row['error']:.300}", BAD))
    console().print(safe(what, QUIET))


def _counted(seeds: int) -> str:
    return "one fresh seed" if seeds == 1 else f"{seeds} fresh seeds"
