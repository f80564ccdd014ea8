"""`germline presets`: presets and settings of each kind."""

from typing import Any

import click
from rich.text import Text

from germline.cli.formatting import QUIET, plain_table, print_table, safe, setting
from germline.cli.options import json_option
from germline.cli.output import console, print_json
from germline.search.kind import Kind
from germline.search.kinds import KINDS, kind_named

WIDEST_DEFAULT = 40
"""Characters of a default in a line; the rest goes on in the next line."""


@click.command()
@click.argument("name", required=False, metavar="[KIND]")
@json_option
def command(name: str | None, as_json: bool) -> None:
    """List the presets and settings of KIND, or of every kind.

    Settings are the keys of --set, with their defaults.

    \b
    Example:
      germline presets optimizer
    """
    kinds = list(KINDS.values()) if name is None else [kind_named(name)]
    if as_json:
        print_json([_row(kind) for kind in kinds])
    else:
        for kind in kinds:
            _print(kind)


def _row(kind: Kind[Any, Any]) -> dict[str, Any]:
    return {
        "kind": kind.name,
        "default_task": kind.default_task,
        "presets": [
            {
                "name": name,
                "description": preset.description,
                "task": preset.task or kind.default_task,
                "births": preset.births,
                "settings": dict(preset.values),
            }
            for name, preset in kind.presets.items()
        ],
        "settings": [{"name": key.name, "default": key.default, "help": key.help} for key in kind.settable],
    }


def _print(kind: Kind[Any, Any]) -> None:
    out = console()
    title = (f"  on {kind.default_task}, unless --task or the preset names another task", QUIET)
    out.print(Text.assemble((f"germline search {kind.name}", "bold"), title))
    out.print()
    presets = plain_table("--preset", "births", "description and settings", right=("births",))
    for name, preset in kind.presets.items():
        values = "  ".join(f"{key}={setting(value)}" for key, value in preset.values.items())
        on = f", on {preset.task}" if preset.task else ""
        description = Text.assemble(preset.description, on, "\n", (values, QUIET))
        presets.add_row(safe(name, "bold"), f"{preset.births:,}", description)
    print_table(out, presets)
    out.print()
    table = plain_table("--set", "default", "meaning")
    table.columns[1].max_width, table.columns[1].overflow = WIDEST_DEFAULT, "fold"
    for key in kind.settable:
        table.add_row(safe(key.name, "bold"), safe(setting(key.default)), safe(key.help))
    print_table(out, table)
    out.print()
    out.print(Text("A preset replaces defaults, and --set key=value replaces both.", QUIET))
