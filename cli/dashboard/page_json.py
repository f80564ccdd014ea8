"""JSON for pages: standard numbers, and no character that could end a script element."""

import json
from collections.abc import Mapping
from math import isfinite
from typing import Any

_ESCAPED = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}


def page_json(data: Any) -> str:
    """`data` as JSON, ASCII alone. A number that is not finite becomes null."""
    return json.dumps(_finite(data), allow_nan=False, separators=(",", ":")).translate(_ESCAPED)


def _finite(data: Any) -> Any:
    if isinstance(data, float):
        return float(f"{data:.7g}") if isfinite(data) else None  # more digits than a screen can show
    if isinstance(data, Mapping):
        return {str(key): _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return data
