"""The reference of presets and settings, from the kinds: what `germline presets` prints."""

from typing import Any

from markdown_table import code, table

from germline.cli.formatting import setting
from germline.search.kind import Kind
from germline.search.kinds import KINDS


def settings() -> str:
    """A section for each kind: its presets, then its settings."""
    return "\n".join(_section(kind) for kind in KINDS.values())


def _section(kind: Kind[Any, Any]) -> str:
    presets = [
        [
            code(name),
            f"{preset.births:,}",
            code(preset.task or kind.default_task),
            f"{preset.description}<br>{_values(preset)}",
        ]
        for name, preset in kind.presets.items()
    ]
    keys = [[code(key.name), key.help, code(setting(key.default))] for key in kind.settable]
    return "\n".join(
        [
            f"## {kind.name.capitalize()}s\n" if kind.name != "policy" else "## Policies\n",
            table(["`--preset`", "births", "task", "what it is for, and its settings"], presets),
            table(["`--set`", "meaning", "default"], keys),
        ]
    )


def _values(preset: Any) -> str:
    return " ".join(code(f"{key}={setting(value)}") for key, value in preset.values.items())
