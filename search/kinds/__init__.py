"""The kinds of genome, one a file, and the table of them."""

from difflib import get_close_matches
from typing import Any

from germline.search.kind import Kind, Preset
from germline.search.kinds.architecture import ArchitectureKind
from germline.search.kinds.optimizer import OptimizerKind
from germline.search.kinds.policy import PolicyKind

KINDS: dict[str, Kind[Any, Any]] = {kind.name: kind for kind in (OptimizerKind(), ArchitectureKind(), PolicyKind())}
"""Every kind by name."""


class UnknownKind(ValueError):
    """There is no kind of genome of that name."""


class UnknownPreset(ValueError):
    """There is no preset of that name for the kind."""


def kind_named(name: str) -> Kind[Any, Any]:
    """The kind of that name, which may come from a database of a later version.

    Raises:
        UnknownKind: there is none; the message names the nearest.
    """
    if name not in KINDS:
        near = get_close_matches(name, KINDS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"this version knows {', '.join(KINDS)}"
        raise UnknownKind(f"expected a kind of genome, got {name!r:.60}; {hint}")
    return KINDS[name]


def preset_named(kind: Kind[Any, Any], name: str) -> Preset:
    """The preset of that name.

    Raises:
        UnknownPreset: there is none; the message names the nearest.
    """
    if name not in kind.presets:
        near = get_close_matches(name, kind.presets, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(kind.presets)}"
        raise UnknownPreset(f"expected a preset, got {name!r:.60}; {hint} (germline presets lists them)")
    return kind.presets[name]
