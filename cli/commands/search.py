"""`germline search`: start a run."""

import click

from germline.cli.common import db_option, json_option, open_store, stdout_apart
from germline.cli.errors import UserError, printable
from germline.cli.reference import names_file
from germline.cli.session import Session, frames_option, run_options


@click.command()
@click.argument("kind", type=click.Choice(["optimizer", "architecture", "policy"]))
@click.option("--preset", default="quick", show_default=True, help="Named settings to begin with (germline presets).")
@click.option("--task", default=None, help="What candidates are scored on: a name (germline tasks) or FILE.py:Class.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A setting over the preset's; repeatable.")
@click.option("--name", default=None, metavar="RUN", help="Name of the run; optimizer-1, optimizer-2, … unless given.")
@click.option("--births", type=click.IntRange(min=1), default=None, help="Stop after so many births.")
@click.option(
    "--evaluations", type=click.IntRange(min=1), default=None, help="Begin no block after so many; those in flight end."
)
@frames_option
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Seed of the whole run.")
@run_options
@db_option
@json_option
def command(
    kind: str,
    preset: str,
    task: str | None,
    settings: tuple[str, ...],
    name: str | None,
    births: int | None,
    evaluations: int | None,
    frames: int | None,
    seed: int,
    session: Session,
    url: str,
    as_json: bool,
) -> None:
    """Search for genomes of KIND and keep everything in the database.

    The same settings and seed give the same lineage, whatever the number of workers. A search that is stopped or killed
    goes on with `germline resume`.

    \b
    Examples:
      germline search optimizer --task digits-mlp --births 2000 --set population=100 --name first
      germline search policy --task gym:CartPole-v1 --frames 2M
    """
    from germline.search.run import new_run

    if name is not None and names_file(name):
        raise UserError(
            printable(f"expected a name of a run, got {name!r:.80}, which commands take for a file; leave its end away")
        )
    with open_store(url, create=True) as store:
        with stdout_apart():
            run = new_run(
                store,
                kind,
                task=task,
                preset=preset,
                settings=settings,
                seed=seed,
                name=name,
                births=births,
                evaluations=evaluations,
                frames=frames,
            )
        session.run(store, run, url, as_json=as_json)
