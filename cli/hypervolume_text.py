"""The reference point of a hypervolume as text."""

from collections.abc import Mapping


def reference_point_text(reference: Mapping[str, float]) -> str:
    """Returns `share of the box up to validation_error 100, params 12,345`, for a note below a table."""
    corner = ", ".join(f"{name} {value:,.10g}" for name, value in reference.items())
    return f"share of the box up to {corner}"
