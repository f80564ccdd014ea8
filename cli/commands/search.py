"""`germline search`: starts a run."""

from typing import Any

import click

from germline.cli.errors import UserError
from germline.cli.options import SessionOptions, db_option, frames_option, json_option, run_options
from germline.cli.run_names import check_run_name
from germline.evaluators.tasks.task_list import joined


@click.command()
@click.argument("kind", type=click.Choice(["optimizer", "architecture", "policy"]))
@click.option("--preset", default="quick", show_default=True, help="Named settings to start from (germline presets).")
@click.option(
    "--task",
    "tasks",
    multiple=True,
    help="Task that scores candidates: a name (germline tasks), FILE.py:Class or a variant; for optimizers repeatable.",
)
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Replace a setting of the preset; repeatable."
)
@click.option("--name", default=None, metavar="RUN", help="Name of the run; by default optimizer-1, optimizer-2, …")
@click.option("--births", type=click.IntRange(min=1), default=None, help="Stop after this many births.")
@click.option(
    "--evaluations",
    type=click.IntRange(min=1),
    default=None,
    help="Begin no block after this many evaluations.",
)
@frames_option
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Seed of the whole run.")
@click.option(
    "--seeds",
    type=click.IntRange(1, 10_000),
    default=None,
    metavar="N",
    help="Search N times in a row, with the seeds SEED, SEED + 1, …; the runs are called NAME-SEED.",
)
@run_options
@db_option
@json_option
def command(
    kind: str,
    preset: str,
    tasks: tuple[str, ...],
    settings: tuple[str, ...],
    name: str | None,
    births: int | None,
    evaluations: int | None,
    frames: int | None,
    seed: int,
    seeds: int | None,
    session: SessionOptions,
    url: str,
    as_json: bool,
) -> None:
    """Search for genomes of KIND and record every birth in the database.

    The same settings and seed give the same lineage, whatever the number of workers. `germline resume` continues a
    search that was stopped or killed.

    With several --task an optimizer is trained on each, cheap tasks first. Its fitness is the mean of its gains over
    AdamW, whose rate is tuned on each task when the run is created.

    \b
    Examples:
      germline search optimizer --task digits-mlp --births 2000 --set population=100 --name first
      germline search optimizer --task digits-mlp --task text-transformer --births 500
      germline search policy --task gym:CartPole-v1 --frames 2M
    """
    check_run_name(name)
    # Imports numpy, numba and more; `germline search --help` answers without.
    from germline.cli.search_session import start
    from germline.cli.seeds_session import start_with_seeds

    run: dict[str, Any] = {
        "kind": kind,
        "task": joined(tasks) if tasks else None,
        "preset": preset,
        "settings": settings,
        "seed": seed,
        "name": name,
        "births": births,
        "evaluations": evaluations,
        "frames": frames,
    }
    if seeds is None:
        start(session, url, as_json, **run)
    elif seed + seeds > 2**63:
        raise UserError(f"expected seeds of at most {2**63 - 1}, got {seed + seeds - 1} for the last run")
    else:
        start_with_seeds(session, url, as_json, seeds, **run)
