"""The reference point of a hypervolume in words."""

from collections.abc import Mapping


def reference_text(reference: Mapping[str, float]) -> str:
    """`up to validation_error 100, params 12,345`: the corner of the box in which a hypervolume is measured."""
    corner = ", ".join(f"{name} {value:,.6g}" for name, value in reference.items())
    return f"share of the box up to {corner}"
