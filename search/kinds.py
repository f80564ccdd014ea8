"""The kinds of genome, by name."""

from difflib import get_close_matches
from typing import Any

from germline.search import architecture, optimizer, policy
from germline.search.kind import Kind

KINDS: dict[str, Kind[Any]] = {kind.name: kind for kind in (optimizer.KIND, architecture.KIND, policy.KIND)}


class UnknownKind(ValueError):
    """There is no kind of genome of that name."""


class UnknownPreset(ValueError):
    """There is no preset of that name for the kind."""


def kind_named(name: str) -> Kind[Any]:
    """The kind of that name, which may come from a database of a later version.

    Raises:
        UnknownKind: there is none; the message names the nearest.
    """
    if name not in KINDS:
        near = get_close_matches(name, KINDS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"this version knows {', '.join(KINDS)}"
        raise UnknownKind(f"expected a kind of genome, got {name!r:.60}; {hint}")
    return KINDS[name]


def preset_values(kind: Kind[Any], preset: str) -> Any:
    """The preset of that name.

    Raises:
        UnknownPreset: there is none; the message names the nearest.
    """
    if preset not in kind.presets:
        near = get_close_matches(preset, kind.presets, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(kind.presets)}"
        raise UnknownPreset(f"expected a preset, got {preset!r:.60}; {hint} (germline presets lists them)")
    return kind.presets[preset]
