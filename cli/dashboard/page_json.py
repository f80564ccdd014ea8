"""JSON for pages: standard numbers, and no character that could end a script element."""

import json
from collections.abc import Mapping
from math import isfinite
from typing import Any

_ESCAPED = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}


SCREEN_DIGITS = 7
"""More digits than a screen can show."""


def page_json(data: Any, digits: int | None = SCREEN_DIGITS) -> str:
    """`data` as JSON, ASCII alone. A number that is not finite becomes null.

    Args:
        data: what is written.
        digits: significant digits to which numbers are rounded; None: they stay as they are, for a page that compares
            them with each other.
    """
    return json.dumps(_finite(data, digits), allow_nan=False, separators=(",", ":")).translate(_ESCAPED)


def _finite(data: Any, digits: int | None) -> Any:
    if isinstance(data, float):
        if not isfinite(data):
            return None
        return data if digits is None else float(f"{data:.{digits}g}")
    if isinstance(data, Mapping):
        return {str(key): _finite(value, digits) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value, digits) for value in data]
    return data
