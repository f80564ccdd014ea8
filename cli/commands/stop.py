"""`germline stop`: asks a running search to stop."""

import click

from germline.cli.database import on_database, open_store
from germline.cli.errors import UserError
from germline.cli.options import db_option, json_option
from germline.cli.output import print_json
from germline.cli.printing import command_line, say


@click.command()
@click.argument("run")
@db_option
@json_option
def command(run: str, url: str, as_json: bool) -> None:
    """Ask a running search to stop.

    The process that runs RUN ends after the pack in flight. The request goes through the database, so the
    command works in any shell that can open it.

    \b
    Example:
      germline stop first
    """
    with open_store(url) as store:
        status = store.run(run).status
        if status != "running":
            raise UserError(f"expected a running search, {run} is {status}; nothing to stop")
        store.request_stop(run)
    if as_json:
        print_json({"run": run, "request": "stop"})
    again = on_database(command_line("resume", run), url)
    say(f"asked {run} to stop; it ends after the pack in flight ({again} goes on)", err=True)
