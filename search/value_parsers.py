"""Parsers of the text after `key=` in `--set`, for `setting`. They raise ValueError with the form that they expect."""

from collections.abc import Callable
from typing import TypeVar

C = TypeVar("C", bound=str)


def whole(low: int = 0, high: int = 1_000_000) -> Callable[[str], int]:
    """A parser of whole numbers from `low` to `high`."""

    def parse(text: str) -> int:
        expected = f"a whole number from {low} to {high}"
        try:
            value = int(text)
        except ValueError:
            raise ValueError(expected) from None
        if not low <= value <= high:
            raise ValueError(expected)
        return value

    return parse


def widths(high: int) -> Callable[[str], list[int]]:
    """A parser of the numbers of units of layers, each from 1 to `high`, as in 64,64; `none` means no layers."""
    width = whole(1, high)

    def parse(text: str) -> list[int]:
        try:
            return [] if text == "none" else [width(part) for part in text.split(",")]
        except ValueError as expected:
            raise ValueError(f"{expected}, or several separated by commas, as in 64,64, or none") from None

    return parse


def number(low: float, high: float) -> Callable[[str], float]:
    """A parser of numbers from `low` to `high`."""

    def parse(text: str) -> float:
        value = _float(text)
        if value is None or not low <= value <= high:
            raise ValueError(f"a number from {low:g} to {high:g}")
        return value

    return parse


def share(text: str) -> float:
    """Parses a number from 0 to 1."""
    return number(0, 1)(text)


def positive(text: str) -> float:
    """Parses a positive number up to a million."""
    value = _float(text)
    if value is None or not 0.0 < value <= 1e6:
        raise ValueError("a positive number up to a million")
    return value


def positive_or_off(text: str) -> float | None:
    """Parses a positive number up to a million; `off` is None."""
    try:
        return None if text == "off" else positive(text)
    except ValueError as expected:
        raise ValueError(f"{expected}, or off") from None


def positives(text: str) -> list[float]:
    """Parses positive numbers up to a million, separated by commas."""
    try:
        return [positive(part) for part in text.split(",")]
    except ValueError:
        raise ValueError("positive numbers up to a million, separated by commas, as in 0.5,1.5") from None


def amount(text: str) -> int | None:
    """Parses a number from 1 to 10^15 with an optional suffix k, M or G, such as `1.5M`, rounded to a whole number.

    `off` is None.
    """
    if text == "off":
        return None
    factor = {"k": 10**3, "M": 10**6, "G": 10**9}.get(text[-1:], 1)
    value = _float(text.rstrip("kMG"))
    if value is None or not 1 <= value * factor <= 1e15:
        raise ValueError("a positive number such as 3M, 400k or 3000000, or off")
    return round(value * factor)


def milliseconds(text: str) -> float | None:
    """Parses a positive number of milliseconds up to a million, with or without the unit `ms`; `off` is None."""
    if text == "off":
        return None
    try:
        return positive(text.removesuffix("ms").strip())
    except ValueError:
        raise ValueError("a positive number of milliseconds such as 2.5, or off") from None


def choice(*options: C) -> Callable[[str], C]:
    """Parses exactly one of the given names."""

    def parse(text: str) -> C:
        for option in options:
            if text == option:
                return option
        raise ValueError(f"one of {', '.join(options)}")

    return parse


def names(*options: str, none: bool = False) -> Callable[[str], list[str]]:
    """Parses at least one of the given names, separated by commas, each at most once; or `none`, if that is allowed."""

    def parse(text: str) -> list[str]:
        if none and text == "none":
            return []
        parts = [part.strip() for part in text.split(",")]
        if len(set(parts)) < len(parts) or not set(parts) <= set(options):
            raise ValueError(f"different names out of {', '.join(options)}, separated by commas{', or none' * none}")
        return parts

    return parse


def weights(*names: str) -> Callable[[str], dict[str, float]]:
    """Parses relative weights of some of the given names: `insert:1,delete:1,modify:2`. A name alone has weight 1."""
    expected = f"weights such as {names[0]}:1,{names[-1]}:0.5 over {', '.join(names)}"

    def parse(text: str) -> dict[str, float]:
        weight_by_name: dict[str, float] = {}
        for part in text.split(","):
            name, _, weight = part.partition(":")
            try:
                weight_by_name[name.strip()] = positive(weight or "1")
            except ValueError:
                raise ValueError(expected) from None
        if not set(weight_by_name) <= set(names):
            raise ValueError(expected)
        return weight_by_name

    return parse


def any_text(text: str) -> str:
    """Accepts any text as it is."""
    return text


def _float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
