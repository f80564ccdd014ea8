"""Settings of a run: a dataclass for each kind, whose fields carry what `--set key=value` needs.

Presets and `--set` can assign the fields that are declared with `setting`. The other fields are filled in when a run
is created, such as the number of classes of its task or measured latencies, and are stored in its config beside the
settings.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import Field, asdict, dataclass, field, fields
from difflib import get_close_matches
from typing import Any, ClassVar, Protocol, TypeVar

T = TypeVar("T")
C = TypeVar("C", bound=str)


class BadSetting(ValueError):
    """A setting that does not exist, or a value that it does not take; the message says what to write."""


class RunSettings(Protocol):
    """The settings that every kind has: a frozen dataclass with at least these fields."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def strategy(self) -> str: ...

    @property
    def timeout(self) -> float: ...

    @property
    def operators(self) -> Mapping[str, float]: ...

    @property
    def proposal_seconds(self) -> float: ...


S = TypeVar("S", bound=RunSettings)


@dataclass(frozen=True, slots=True)
class Setting:
    """A key of `--set`. `parse` turns its text into a value, and raises ValueError with the expected form."""

    name: str
    default: Any
    parse: Callable[[str], Any]
    help: str


def setting(default: T, parse: Callable[[str], T], help: str, recorded: Callable[[str], T] | None = None) -> T:
    """The field of a settings dataclass that presets and `--set` may assign.

    Args:
        default: the value without a preset and without `--set`.
        parse: turns the text of `--set` into a value, and raises ValueError with the expected form.
        help: the meaning, in one line, for `germline presets`.
        recorded: as `parse`, for the value in the config of a run, if `parse` depends on the machine; None: `parse`.
    """
    metadata = {"parse": parse, "help": help, "recorded": recorded or parse}
    declared: T = field(default_factory=lambda: copy(default), metadata=metadata)
    return declared


def settable(settings_class: type[RunSettings]) -> tuple[Setting, ...]:
    """The settings that `--set` takes, in the order of their declaration."""
    defaults = settings_class()
    return tuple(
        Setting(declared.name, getattr(defaults, declared.name), declared.metadata["parse"], declared.metadata["help"])
        for declared in fields(settings_class)
        if declared.metadata
    )


def resolve(settings_class: type[S], preset: Mapping[str, Any], assignments: Sequence[str]) -> S:
    """The settings from `key=value` assignments, which replace the values of a preset, which replace the defaults.

    Raises:
        BadSetting: an assignment has no `=`, an unknown key or a value that the setting does not take.
    """
    known = {declared.name: declared for declared in settable(settings_class)}
    values = dict(preset)
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
            values[key] = known[key].parse(text.strip())
        except ValueError as expected:
            raise BadSetting(f"expected {key} to be {expected}, got {text!r:.60}") from None
    return from_config(settings_class, values)


def from_config(settings_class: type[S], config: Mapping[str, Any]) -> S:
    """The settings with these values, which are not checked. A missing key has its default; an unknown key, such as
    another version's, is ignored."""
    known = {declared.name for declared in fields(settings_class)}
    return settings_class(**{name: value for name, value in config.items() if name in known})


def check(settings: RunSettings) -> None:
    """Checks the form of every value of settings which come from a config; the machine does not matter.

    Raises:
        BadSetting: a value is of another type, or out of range: another version wrote the config, or it is damaged.
    """
    defaults = type(settings)()
    for declared in fields(settings):
        if not declared.metadata:
            continue
        value = getattr(settings, declared.name)
        try:
            if declared.metadata["recorded"](_text(value)) == (list(value) if isinstance(value, tuple) else value):
                continue
            expected = f"of type {type(getattr(defaults, declared.name)).__name__}"
        except ValueError as error:
            expected = str(error)
        raise BadSetting(f"expected {declared.name} in the config of the run to be {expected}, got {value!r:.60}")


def _text(value: Any) -> str:
    """A value as the text that `--set` would need for it: `off` for None, `0.5,2.0` for a list, `insert:1.0,delete:2.0`
    for weights. Floats keep all digits, so that parsing the text gives the same value."""
    if value is None:
        return "off"
    if isinstance(value, Mapping):
        return ",".join(f"{key}:{weight}" for key, weight in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ",".join(map(str, value)) or "none"
    return str(value)


def to_config(settings: RunSettings) -> dict[str, Any]:
    """The settings as they are stored in a run's config; derived fields are left out if they are None."""
    derived = {declared.name for declared in fields(settings) if not declared.metadata}
    return {name: value for name, value in asdict(settings).items() if value is not None or name not in derived}


def whole(low: int = 0, high: int = 1_000_000) -> Callable[[str], int]:
    """A parser of whole numbers from `low` to `high`, which raises ValueError with the expected form."""

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
    """A parser of the numbers of units of layers, each from 1 to `high`, separated by commas; `none` means no layers.

    It raises ValueError with the expected form.
    """
    width = whole(1, high)

    def parse(text: str) -> list[int]:
        try:
            return [] if text == "none" else [width(part) for part in text.split(",")]
        except ValueError as expected:
            raise ValueError(f"{expected}, or several separated by commas, as in 64,64, or none") from None

    return parse


def number(low: float, high: float) -> Callable[[str], float]:
    """A parser of numbers from `low` to `high`, which raises ValueError with the expected form."""

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
