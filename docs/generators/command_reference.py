"""The reference of commands, from click: help, usage, arguments and options of each."""

import html
import inspect
import re

import click
from markdown_table import code, table

from germline.cli.main import COMMANDS, cli


def commands() -> str:
    """A section for each command, with a section for each command of a group."""
    context = click.Context(cli, info_name="germline")
    found = [(name, cli.get_command(context, name)) for name in COMMANDS]
    return "\n".join(_section(command, context, name, 3) for name, command in found if command)


def _section(command: click.Command, parent: click.Context, name: str, level: int) -> str:
    context = click.Context(command, info_name=name, parent=parent)
    parts = [f"{'#' * level} `{context.command_path}`\n", *_help(command)]
    if isinstance(command, click.Group):
        parts += [_section(each, context, key, level + 1) for key, each in command.commands.items()]
        return "\n".join(parts)
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    parts.append(f"```text\n{usage}\n```\n")
    options = [param for param in command.get_params(context) if isinstance(param, click.Option)]
    records = [option.get_help_record(context) for option in options if option.name != "help"]
    rows = [[code(names), _plain(meaning)] for names, meaning in filter(None, records)]
    return "\n".join([*parts, table(["option", "meaning"], rows)] if rows else parts)


def _help(command: click.Command) -> list[str]:
    """The paragraphs of a help text. One that click does not wrap is an example, or a list."""
    paragraphs = inspect.cleandoc(command.help or "").split("\n\n")
    return [_unwrapped(text) if text.startswith("\b") else _plain(text) + "\n" for text in paragraphs]


def _unwrapped(text: str) -> str:
    body = text.removeprefix("\b").strip("\n")
    return f"```text\n{body}\n```\n"


def _plain(text: str) -> str:
    """A text in which stars, brackets, underscores and angles are neither Markdown nor HTML."""
    return re.sub(r"([*\[\]_])", r"\\\1", html.escape(" ".join(text.split()), quote=False))
