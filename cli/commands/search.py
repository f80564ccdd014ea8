"""`germline search`: starts a run."""

from typing import Any

import click

from germline.cli.errors import UserError
from germline.cli.options import db_option, json_option
from germline.cli.plan_options import plan_options
from germline.cli.session_options import SessionOptions, session_options


@click.command()
@click.argument("kind", type=click.Choice(["optimizer", "architecture", "policy"]))
@plan_options
@click.option(
    "--seeds",
    type=click.IntRange(1, 10_000),
    default=None,
    metavar="N",
    help="Search N times in a row, with the seeds SEED, SEED + 1, …; the runs are called NAME-SEED.",
)
@session_options
@db_option
@json_option
def command(
    kind: str,
    plan_arguments: dict[str, Any],
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
    # Imports numpy, numba and more; `germline search --help` answers without.
    from germline.cli.search_session import start
    from germline.cli.seeds_session import start_with_seeds

    run, seed = {"kind": kind, **plan_arguments}, plan_arguments["seed"]
    if seeds is None:
        start(session, url, as_json, **run)
    elif seed + seeds > 2**63:
        raise UserError(f"expected seeds of at most {2**63 - 1}, got {seed + seeds - 1} for the last run")
    else:
        start_with_seeds(session, url, as_json, seeds, **run)
