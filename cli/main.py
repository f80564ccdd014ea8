"""The `germline` command. Commands live in `cli/commands`, one a file; heavy packages load where they are used.

Exit status: 0 when it worked; 1 when the work itself failed (a search in which everything fails, an export that does
not verify, a database with problems); 2 when something that was given is wrong; 130 and 143 after an interrupt.
"""

import logging
import sys
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import click

from germline.cli.errors import UserError, exit_status, is_ours, one_line, printable

COMMANDS = (
    "search",
    "resume",
    "stop",
    "runs",
    "presets",
    "tasks",
    "top",
    "show",
    "lineage",
    "diff",
    "describe",
    "validate",
    "compare",
    "curve",
    "play",
    "draw",
    "export",
    "db",
    "doctor",
)
"""Every command; each is the attribute `command` of the module of its name."""


class Commands(click.Group):
    """Loads a command's module when it is asked for, and suggests the nearest for a name that is not there."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = import_module(f"germline.cli.commands.{name}").command
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            raise _in_one_line(error) from None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            near = get_close_matches(args[0], COMMANDS, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise UserError(printable(f"there is no command {args[0]!r:.60}{hint} (`germline --help` lists them)"))
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Turns every mistake and every error of ours into one line; anything else is a bug and keeps its traceback."""
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            raise _in_one_line(error) from None
        except Exception as error:
            if not is_ours(error):
                raise
            raise UserError(one_line(error), exit_status(error)) from None


def _in_one_line(error: click.UsageError) -> click.ClickException:
    """Click's complaint without the lines of usage around it; a group without a command still shows its help."""
    if error.ctx is None or isinstance(error, click.exceptions.NoArgsIsHelpError):
        return error
    message = " ".join(error.format_message().split()).rstrip(".")
    return UserError(printable(f"{message} (see `{error.ctx.command_path} --help`)"))


@click.group(
    name="germline", cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="germline")
def cli() -> None:
    """Search for programs by evolution, keep every lineage, and put the winners to work.

    \b
    Begin with:
      germline search optimizer --births 1000
      germline top optimizer-1
      germline export optimizer-1 -o my_optimizer.py
    """


def main() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", stream=sys.stderr)
    logging.getLogger("germline").setLevel(logging.INFO)
    cli()


if __name__ == "__main__":
    main()
