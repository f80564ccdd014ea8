"""The `germline` command. Each command is a file in `cli/commands`, imported when the command is used.

Exit status: 0 for success; 1 if the work itself failed (a search in which every genome fails, an export that does not
verify, a database with problems); 2 for a mistake in the input; 130, 143 and 129 after SIGINT, SIGTERM
and SIGHUP.
"""

import signal
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem

from germline.cli.errors import UserError, exit_status, is_ours, single_line
from germline.cli.interrupts import Interrupted
from germline.cli.printing import say
from germline.cli.tracebacks import text_of, wanted
from germline.evaluators.errors import in_a_line, of_foreign_code

COMMANDS = {
    "search": "Search for genomes of KIND and record every birth in the database.",
    "resume": "Continue RUN where it was stopped or killed.",
    "import": "Record a run whose first births are genomes from elsewhere.",
    "stop": "Ask a running search to stop.",
    "runs": "List the runs with their progress and best fitness.",
    "presets": "List presets, and the keys of --set with their defaults.",
    "tasks": "List the tasks that score candidates.",
    "top": "List the best individuals of RUN.",
    "show": "Show a candidate: genome, scores and origin.",
    "lineage": "Show the ancestry of REF, mutation by mutation.",
    "diff": "Show the lines in which two genomes differ.",
    "describe": "Print size and fingerprint of genomes.",
    "simplify": "Make an optimizer program as small as rules allow, and say what it is.",
    "validate": "Measure candidates on data that no search has read.",
    "leaderboard": "Place optimizers among the tuned baselines of all tasks.",
    "compare": "Show statistics of runs over their seeds, and the settings in which they differ.",
    "curve": "Show learning curves: the state of runs after each block.",
    "dashboard": "Show runs as web pages on this machine.",
    "report": "Write what the dashboard shows of RUN as a single HTML file.",
    "play": "Play episodes with a policy.",
    "draw": "Draw an architecture's cells or front, the course of a run, or a generation.",
    "export": "Write a candidate as a file that stands alone: for torch, optax or ONNX.",
    "db": "Check, upgrade and back up the database; replay, rename, tag, delete runs.",
    "doctor": "Show facts about this machine, and problems for a search.",
}
"""Every command with its line in `germline --help`.

A command is the attribute `command` of the module of the same name in `cli/commands`. The lines are here so that
`germline --help` and completion need not import the modules.
"""
_MODULES = {"import": "import_genomes"}
"""Modules of commands whose name is a word of Python."""


class Commands(click.Group):
    """The group of all commands. It imports a command's module when the command is used, and suggests the nearest name
    for an unknown command."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = import_module(f"germline.cli.commands.{_MODULES.get(name, name)}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the list of commands of `germline --help`."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Completions of an option or of a command's name."""
        names = [CompletionItem(name, help=text) for name, text in COMMANDS.items() if name.startswith(incomplete)]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        for place, arg in enumerate(args, 1):
            if "\0" in arg:
                raise UserError(f"expected text without NUL, got {arg!r:.80} as argument {place}")
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            raise _on_one_line(error) from None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            near = get_close_matches(args[0], COMMANDS, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise UserError(f"there is no command {args[0]!r:.60}{hint} (`germline --help` lists them)")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Runs a command. Errors of click and Germline become one line; others are bugs and keep their traceback."""
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            raise _on_one_line(error) from None
        except (KeyboardInterrupt, SystemExit) as error:
            if not isinstance(error, of_foreign_code()):  # Ctrl-C; click would exit with status 1
                raise Interrupted(signal.SIGINT) from None
            cause = f"code of a task, an optimizer or a library raised {in_a_line(error)}"
            raise UserError(f"{cause}, which would end the command; let it raise another exception", 1) from None
        except Exception as error:
            if not is_ours(error):
                raise
            if wanted():
                say(text_of(error), err=True)
            raise UserError(single_line(error), exit_status(error)) from None


def _on_one_line(error: click.UsageError) -> click.ClickException:
    """The error to raise instead of an error of click: one line without the usage. A group without a command keeps its
    error, which shows the help."""
    if error.ctx is None or isinstance(error, click.exceptions.NoArgsIsHelpError):
        return error
    message = " ".join(error.format_message().split()).rstrip(".")
    return UserError(f"{message} (see `{error.ctx.command_path} --help`)")


@click.group(
    name="germline", cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="germline")
def cli() -> None:
    """Search for programs by evolution, keep every lineage, and export the winners.

    \b
    Start with:
      germline search optimizer --births 1000
      germline top optimizer-1
      germline export optimizer-1 -o my_optimizer.py
    """
