"""`germline resume`: go on with a run."""

import click

from germline.cli.common import db_option, json_option, open_store
from germline.cli.session import Session, frames_option, run_options


@click.command()
@click.argument("run")
@click.option("--births", type=click.IntRange(min=1), default=None, help="Go on to so many births in all.")
@click.option("--evaluations", type=click.IntRange(min=1), default=None, help="Begin no block after so many in all.")
@frames_option
@click.option("--force", is_flag=True, help="Take over from a driver on another host that is known to be gone.")
@run_options
@db_option
@json_option
def command(
    run: str,
    births: int | None,
    evaluations: int | None,
    frames: int | None,
    force: bool,
    session: Session,
    url: str,
    as_json: bool,
) -> None:
    """Go on with RUN where it was stopped or killed.

    What it is may not change, so there is no --set; how it runs may: workers, executor, device, budget. The result is
    identical to a run that was never interrupted.

    \b
    Example:
      germline resume first --workers 2 --births 4000
    """
    with open_store(url) as store:
        session.run(store, store.run(run), url, births, evaluations, frames, force, as_json)
