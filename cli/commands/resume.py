"""`germline resume`: continues a run."""

import click

from germline.cli.options import (
    confirmed_operators_option,
    confirmed_task_option,
    db_option,
    frames_option,
    json_option,
)
from germline.cli.session_options import SessionOptions, session_options


@click.command()
@click.argument("run")
@click.option("--births", type=click.IntRange(min=1), default=None, help="Go on until the run has this many births.")
@click.option(
    "--evaluations",
    type=click.IntRange(min=1),
    default=None,
    help="Begin no block once the run has this many evaluations.",
)
@frames_option
@click.option(
    "--force",
    is_flag=True,
    help="Take the run from its process even if that may be alive, as on another host: be sure that it has ended.",
)
@confirmed_task_option
@confirmed_operators_option
@session_options
@db_option
@json_option
def command(
    run: str,
    births: int | None,
    evaluations: int | None,
    frames: int | None,
    force: bool,
    task: str | None,
    operators: tuple[str, ...],
    session: SessionOptions,
    url: str,
    as_json: bool,
) -> None:
    """Continue RUN where it was stopped or killed.

    Settings of a run are fixed, so there is no --set; workers, executor, device and budget may change. On the same kind
    of machine and device the result is identical to that of a run that was never interrupted.

    \b
    Example:
      germline resume first --workers 2 --births 4000
    """
    # Imports numpy, numba and more; `germline resume --help` answers without.
    from germline.cli.search_session import Budget, resume

    resume(session, url, as_json, run, Budget(births, evaluations, frames), force, task, operators)
