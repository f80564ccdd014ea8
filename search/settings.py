"""Settings of a run: a dataclass for each kind, whose fields carry what `--set key=value` needs.

Presets and `--set` can assign the fields that are declared with `setting`. The other fields are filled in when a run
is created, such as the number of classes of its task or measured latencies, and are stored in its config beside the
settings. What several kinds share, such as the settings of operators from outside, is a dataclass that theirs inherit.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import Field, asdict, dataclass, field, fields
from difflib import get_close_matches
from inspect import get_annotations
from typing import Any, ClassVar, Protocol, TypeVar

T = TypeVar("T")


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
    """The settings that `--set` takes: those of the class in the order of their declaration, then inherited ones."""
    defaults = settings_class()
    return tuple(
        Setting(declared.name, getattr(defaults, declared.name), declared.metadata["parse"], declared.metadata["help"])
        for declared in _ordered(settings_class)
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
    """The settings as they are stored in a run's config; derived fields come last, without those that are None."""
    values = asdict(settings)
    stored = [each for each in _ordered(type(settings)) if each.metadata or values[each.name] is not None]
    return {declared.name: values[declared.name] for declared in stored}


def _ordered(settings_class: type[RunSettings]) -> list[Field[Any]]:
    """All fields: settings that the class declares, settings that it inherits, derived fields."""
    own = get_annotations(settings_class)
    return sorted(fields(settings_class), key=lambda each: (not each.metadata, each.name not in own))
