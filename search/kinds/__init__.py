"""The kinds of genome, a file for each, and the table `KINDS`."""

from difflib import get_close_matches
from typing import Any

from germline.programs.late_classes import LateClasses
from germline.search.kind import Kind, Preset

KINDS: LateClasses[Kind[Any, Any]] = LateClasses(
    {
        "optimizer": "germline.search.kinds.optimizer:OptimizerKind",
        "architecture": "germline.search.kinds.architecture:ArchitectureKind",
        "policy": "germline.search.kinds.policy:PolicyKind",
    }
)
"""Every kind by its `Kind.name`."""


class UnknownKind(ValueError):
    """There is no kind of genome of the given name."""


class UnknownPreset(ValueError):
    """The kind has no preset of the given name."""


def kind_named(name: str) -> Kind[Any, Any]:
    """The kind of this name, which may come from a database of a later version.

    Raises:
        UnknownKind: there is no such kind; the message suggests the nearest name.
    """
    if name not in KINDS:
        near = get_close_matches(name, KINDS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"this version knows {', '.join(KINDS)}"
        raise UnknownKind(f"expected a kind of genome, got {name!r:.60}; {hint}")
    return KINDS[name]


def preset_named(kind: Kind[Any, Any], name: str) -> Preset:
    """The preset of this name among those of a kind.

    Raises:
        UnknownPreset: the kind has no such preset; the message suggests the nearest name.
    """
    if name not in kind.presets:
        near = get_close_matches(name, kind.presets, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(kind.presets)}"
        if others := [other for other in KINDS if name in KINDS[other].presets]:
            hint = f"it is a preset of kind {others[0]}"
        raise UnknownPreset(
            f"expected a preset of kind {kind.name}, got {name!r:.60}; {hint} (germline presets lists them)"
        )
    return kind.presets[name]
