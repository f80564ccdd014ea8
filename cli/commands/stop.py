"""`germline stop`: ask a running search to stop."""

import click

from germline.cli.common import db_option, open_store


@click.command()
@click.argument("run")
@db_option
def command(run: str, url: str) -> None:
    """Ask the process that works on RUN to stop after the pack in flight, from any shell that reaches the database.

    \b
    Example:
      germline stop first
    """
    from germline.cli.errors import UserError

    with open_store(url) as store:
        status = store.run(run).status
        if status != "running":
            raise UserError(f"expected a running search, {run} is {status}; nothing to stop")
        store.request(run, "stop")
    click.echo(f"asked {run} to stop; it ends after the pack in flight (germline resume {run} goes on)", err=True)
