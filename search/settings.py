"""Settings of a run: declared once with type, default and meaning; read from presets and from `--set key=value`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any


class BadSetting(ValueError):
    """A setting that does not exist, or a value that it does not take; the message says what to write."""


@dataclass(frozen=True)
class Setting:
    """One key of `--set`. `read` turns its text into a value, and raises ValueError with what was expected."""

    name: str
    default: Any
    read: Callable[[str], Any]
    help: str


def whole(low: int = 0, high: int = 1_000_000) -> Callable[[str], int]:
    """A whole number from `low` to `high`."""

    def read(text: str) -> int:
        expected = f"a whole number from {low} to {high}"
        try:
            number = int(text)
        except ValueError:
            raise ValueError(expected) from None
        if not low <= number <= high:
            raise ValueError(expected)
        return number

    return read


def widths(high: int) -> Callable[[str], list[int]]:
    """Units of some layers, each from 1 to `high`, separated by commas; `none` is no layer."""
    one = whole(1, high)

    def read(text: str) -> list[int]:
        try:
            return [] if text == "none" else [one(part) for part in text.split(",")]
        except ValueError as expected:
            raise ValueError(f"{expected}, or several separated by commas, as in 64,64, or none") from None

    return read


def number(low: float, high: float) -> Callable[[str], float]:
    """A number from `low` to `high`."""

    def read(text: str) -> float:
        try:
            found = float(text)
        except ValueError:
            found = float("nan")
        if not low <= found <= high:
            raise ValueError(f"a number from {low:g} to {high:g}")
        return found

    return read


def positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0.0 < number <= 1e6:
        raise ValueError("a positive number up to a million")
    return number


def amount(text: str) -> int | None:
    """A whole number with an optional k, M or G behind it; `off` is None."""
    if text == "off":
        return None
    factor = {"k": 10**3, "M": 10**6, "G": 10**9}.get(text[-1:], 1)
    try:
        number = float(text.rstrip("kMG")) * factor
    except ValueError:
        number = 0.0
    if not 1 <= number <= 1e15:
        raise ValueError("a positive number such as 3M, 400k or 3000000, or off")
    return round(number)


def milliseconds(text: str) -> float | None:
    """A positive number; `off` is None."""
    if text == "off":
        return None
    try:
        return positive(text.removesuffix("ms").strip())
    except ValueError:
        raise ValueError("a positive number of milliseconds such as 2.5, or off") from None


def names(*options: str) -> Callable[[str], list[str]]:
    """One or more of some names, separated by commas."""

    def read(text: str) -> list[str]:
        found = [part.strip() for part in text.split(",")]
        if not found or len(set(found)) < len(found) or not set(found) <= set(options):
            raise ValueError(f"different names out of {', '.join(options)}, separated by commas")
        return found

    return read


def share(text: str) -> float:
    """A number from 0 to 1."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0.0 <= number <= 1.0:
        raise ValueError("a number from 0 to 1")
    return number


def positives(text: str) -> list[float]:
    """Positive numbers, separated by commas."""
    try:
        return [positive(part) for part in text.split(",")]
    except ValueError:
        raise ValueError("positive numbers up to a million, separated by commas, as in 0.5,1.5") from None


def choice(*options: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in options:
            raise ValueError(f"one of {', '.join(options)}")
        return text

    return read


def weights(*names: str) -> Callable[[str], dict[str, float]]:
    """Relative weights: `insert:1,delete:1,modify:2`."""
    expected = f"weights such as {names[0]}:1,{names[-1]}:0.5 over {', '.join(names)}"

    def read(text: str) -> dict[str, float]:
        found: dict[str, float] = {}
        for part in text.split(","):
            name, _, number = part.partition(":")
            try:
                found[name.strip()] = positive(number or "1")
            except ValueError:
                raise ValueError(expected) from None
        if not set(found) <= set(names):
            raise ValueError(expected)
        return found

    return read


def any_text(text: str) -> str:
    return text


def resolve(table: Sequence[Setting], preset: Mapping[str, Any], assignments: Sequence[str]) -> dict[str, Any]:
    """Every setting with its value: the default, over it the preset's, over that the assignments `key=value`.

    Raises:
        BadSetting: an assignment has no `=`, an unknown key or a value that the setting does not take.
    """
    known = {setting.name: setting for setting in table}
    values = {setting.name: preset.get(setting.name, setting.default) for setting in table}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        key = key.strip()
        if not equals:
            raise BadSetting(f"expected key=value, got {assignment!r:.80}; write for example --set population=200")
        if key not in known:
            near = get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            raise BadSetting(f"expected a setting, got {key!r:.60}; {hint}")
        try:
            values[key] = known[key].read(text.strip())
        except ValueError as expected:
            raise BadSetting(f"expected {key} to be {expected}, got {text!r:.60}") from None
    return values
