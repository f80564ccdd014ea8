"""JSON that keeps every float bit for bit and stays JSON: never a NaN or Infinity token.

Finite floats are written as ``repr`` writes them, which reads back to the same double (-0.0 and subnormals too); the
three values JSON has no word for become the strings ``"inf"``, ``"-inf"`` and ``"nan"``.
"""

import json
import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from germline.db.errors import InvalidRecord

_SPELLED = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}
# Built once: building a decoder or encoder takes as long as using it.
_decode = json.JSONDecoder(parse_int=float).decode
_encode = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


def dump_floats(values: Mapping[str, float]) -> str:
    """Named floats as one JSON object, in their own order."""
    plain = {str(name): _writable(float(value)) for name, value in values.items()}
    return _encode(plain)


def load_floats(text: str) -> dict[str, float]:
    """What ``dump_floats`` wrote; every value a float.

    Raises:
        ValueError: the text is something else.
    """
    try:
        values = _decode(text)
    except RecursionError:
        raise ValueError(f"expected a JSON object of floats, got lists without end: {text[:40]!r}") from None
    if not isinstance(values, dict):
        raise ValueError(f"expected a JSON object of floats, got {text[:40]!r}")
    return {name: _readable(value) for name, value in values.items()}


def load_one(text: str, name: str) -> float | None:
    """One of the floats of ``dump_floats``, without reading the others; None if it is not among them.

    Raises:
        ValueError: it is something else.
    """
    match = _pattern(name).search(text)
    if match is None:
        return None
    word = match[1]
    return _readable(word[1:-1]) if word.startswith('"') else float(word)


@lru_cache(maxsize=16)
def _pattern(name: str) -> re.Pattern[str]:
    # Nowhere else do these characters follow each other: inside of a name the quotes stand behind backslashes.
    return re.compile(rf'[{{,]{re.escape(json.dumps(name))}:("[^"]*"|[-+.0-9eE]*)')


def dump_plain(values: Mapping[str, Any], what: str) -> str:
    """A config or environment as JSON; ``what`` names it in the error.

    Raises:
        InvalidRecord: a value is not plain JSON (text, whole numbers, finite floats, booleans, None, lists, mappings).
    """
    try:
        return _encode(values)
    except (TypeError, ValueError) as error:
        raise InvalidRecord(f"{what} must hold plain JSON values with finite numbers only: {error}") from error


def load_plain(text: str) -> dict[str, Any]:
    """What ``dump_plain`` wrote.

    Raises:
        ValueError: the text is something else.
    """
    try:
        values = json.loads(text)
    except RecursionError:
        raise ValueError(f"expected a JSON object, got lists without end: {text[:40]!r}") from None
    if not isinstance(values, dict):
        raise ValueError(f"expected a JSON object, got {text[:40]!r}")
    return values


def _writable(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "nan" if math.isnan(value) else ("inf" if value > 0 else "-inf")


def _readable(value: object) -> float:
    if isinstance(value, float):
        return value
    if isinstance(value, str) and value in _SPELLED:
        return _SPELLED[value]
    raise ValueError(f'expected a number, "inf", "-inf" or "nan", got {value!r}')
