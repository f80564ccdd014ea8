"""`germline presets`: the presets and settings of a search."""

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

    kinds = list(KINDS.values()) if kind is None else [kind_named(kind)]
    if as_json:
        print_json([_row(listed) for listed in kinds])
    else:
        for listed in kinds:
            _print(listed)


def _row(kind: "Kind[Any, Any]") -> dict[str, Any]:
    presets = [
        {
            "name": name,
            "description": preset.description,
            "task": preset.task or kind.default_task,
            "births": preset.births,
            "settings": dict(preset.values),
        }
        for name, preset in kind.presets.items()
    ]
    settings = [{"name": setting.name, "default": setting.default, "help": setting.help} for setting in kind.settable]
    return {"kind": kind.name, "default_task": kind.default_task, "presets": presets, "settings": settings}


def _print(kind: "Kind[Any, Any]") -> None:
    from rich.text import Text

    from germline.cli.render import QUIET, plain_table, print_table, safe
    from germline.cli.render import setting as as_set

    out = console()
    task = (f"  on {kind.default_task}, unless --task or a preset names another task", QUIET)
    out.print(Text.assemble((f"germline search {kind.name}", "bold"), task))
    out.print()
    presets = plain_table("--preset", "births", "description and settings", right=("births",))
    for name, preset in kind.presets.items():
        values = "  ".join(f"{key}={as_set(value)}" for key, value in preset.values.items())
        on = f", on {preset.task}" if preset.task else ""
        described = Text.assemble(preset.description, on, "\n", (values, QUIET))
        presets.add_row(safe(name, "bold"), f"{preset.births:,}", described)
    print_table(out, presets)
    out.print()
    table = plain_table("--set", "default", "meaning")
    for setting in kind.settable:
        table.add_row(safe(setting.name, "bold"), safe(as_set(setting.default)), safe(setting.help))
    print_table(out, table)
    out.print()
    out.print(Text("A preset's values stand over the defaults, and --set key=value over both.", QUIET))
