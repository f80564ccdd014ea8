"""JSON that preserves every float exactly and is valid JSON, without NaN or Infinity tokens.

Finite floats are written as by ``repr``, which parses to the same double (-0.0 and subnormals included). The three
values that JSON cannot express become the strings ``"inf"``, ``"-inf"`` and ``"nan"``.
"""

import json
import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from germline.db.errors import InvalidRecord, unreadable_row

_NON_FINITE = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}
# Created once: creating a decoder or encoder takes as long as using it.
_decoder = json.JSONDecoder(parse_int=float)
_encode = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


def dump_floats(values: Mapping[str, float]) -> str:
    """Floats by name as the text of a JSON object, in the same order."""
    plain = {str(name): _to_json(float(value)) for name, value in values.items()}
    return _encode(plain)


class StoredFloats(dict[str, float]):
    """Numbers by name, as they were read. The lack of a name that a reader needs is damage, since every outcome was
    written with all its names."""

    def __missing__(self, name: str) -> float:
        raise unreadable_row(f"an outcome with {', '.join(self) or 'no numbers'}", f"expected {name} too")


def load_floats(text: str) -> StoredFloats:
    """Parses the text of ``dump_floats``; every value is a float.

    Raises:
        ValueError: the text is not a JSON object of numbers, "inf", "-inf" or "nan".
    """
    try:
        values = _decode(text)
    except RecursionError:
        raise ValueError(f"expected a JSON object of floats, got lists nested too deeply: {text[:40]!r}") from None
    if not isinstance(values, dict):
        raise ValueError(f"expected a JSON object of floats, got {text[:40]!r}")
    for value in values.values():
        if type(value) is not float:
            return StoredFloats((name, _from_json(value)) for name, value in values.items())
    return StoredFloats(values)


def _decode(text: str) -> Any:
    """The value of a JSON text; the decoder's own method takes twice as long, since it looks for white space."""
    try:
        value, end = _decoder.raw_decode(text)
    except ValueError:
        return _decoder.decode(text)  # raises the error, or finds white space
    return value if end == len(text) else _decoder.decode(text)


def load_float(text: str, name: str) -> float | None:
    """The float ``name`` from the text of ``dump_floats``, without parsing the others; None if it is missing.

    Raises:
        ValueError: the value is not a number, "inf", "-inf" or "nan".
    """
    match = _pattern(name).search(text)
    if match is None:
        return None
    word = match[1]
    return _from_json(word[1:-1]) if word.startswith('"') else float(word)


@lru_cache(maxsize=16)
def _pattern(name: str) -> re.Pattern[str]:
    # This matches a key only: inside another name, quotes are escaped with backslashes.
    return re.compile(rf'[{{,]{re.escape(json.dumps(name))}:("[^"]*"|[-+.0-9eE]*)')


def dump_plain(values: Mapping[str, Any], what: str) -> str:
    """A mapping, such as a config, as the text of a JSON object; ``what`` names the mapping in the error.

    Raises:
        InvalidRecord: a value is no plain JSON value (text, integer, finite float, boolean, None, list, mapping).
    """
    try:
        return _encode(values)
    except (TypeError, ValueError) as error:
        raise InvalidRecord(f"{what} must hold plain JSON values with finite numbers only: {error}") from error


def load_plain(text: str) -> dict[str, Any]:
    """Parses the text of ``dump_plain``.

    Raises:
        ValueError: the text is not a JSON object.
    """
    try:
        values = json.loads(text)
    except RecursionError:
        raise ValueError(f"expected a JSON object, got lists nested too deeply: {text[:40]!r}") from None
    if not isinstance(values, dict):
        raise ValueError(f"expected a JSON object, got {text[:40]!r}")
    return values


def _to_json(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "nan" if math.isnan(value) else ("inf" if value > 0 else "-inf")


def _from_json(value: object) -> float:
    if isinstance(value, float):
        return value
    if isinstance(value, str) and value in _NON_FINITE:
        return _NON_FINITE[value]
    raise ValueError(f'expected a number, "inf", "-inf" or "nan", got {value!r}')
