"""`germline presets`: what a search can be told."""

from typing import TYPE_CHECKING, Any

import click

from germline.cli.common import console, json_option, print_json

if TYPE_CHECKING:
    from germline.search.kind import Kind


@click.command()
@click.argument("kind", required=False)
@json_option
def command(kind: str | None, as_json: bool) -> None:
    """List presets, and every key of --set with its default.

    Of every kind of genome, or of KIND.

    \b
    Example:
      germline presets optimizer
    """
    from germline.search.kinds import KINDS, kind_named

    chosen = list(KINDS.values()) if kind is None else [kind_named(kind)]
    if as_json:
        print_json([_row(one) for one in chosen])
    else:
        for one in chosen:
            _print(one)


def _row(kind: "Kind[Any]") -> dict[str, Any]:
    return {
        "kind": kind.name,
        "default_task": kind.default_task,
        "presets": [
            {
                "name": name,
                "description": one.description,
                "task": one.task or kind.default_task,
                "births": one.births,
                "settings": dict(one.values),
            }
            for name, one in kind.presets.items()
        ],
        "settings": [{"name": one.name, "default": one.default, "help": one.help} for one in kind.settings],
    }


def _print(kind: "Kind[Any]") -> None:
    from rich.text import Text

    from germline.cli.render import QUIET, plain_table, print_table, safe, setting

    out = console()
    title = (f"  on {kind.default_task} unless --task, or a preset, says another", QUIET)
    out.print(Text.assemble((f"germline search {kind.name}", "bold"), title))
    out.print()
    presets = plain_table("--preset", "births", "what it is, and its settings", right=("births",))
    for name, preset in kind.presets.items():
        values = "  ".join(f"{key}={setting(value)}" for key, value in preset.values.items())
        on = f", on {preset.task}" if preset.task else ""
        told = Text.assemble(preset.description, on, "\n", (values, QUIET))
        presets.add_row(safe(name, "bold"), f"{preset.births:,}", told)
    print_table(out, presets)
    out.print()
    table = plain_table("--set", "default", "meaning")
    for one in kind.settings:
        table.add_row(safe(one.name, "bold"), safe(setting(one.default)), safe(one.help))
    print_table(out, table)
    out.print()
    out.print(Text("A preset's values stand over the defaults, and --set key=value over both.", QUIET))
