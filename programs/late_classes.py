"""A table of classes whose modules are imported when they are asked for, so that a command imports what it needs."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TypeVar

T = TypeVar("T")


class LateClasses(Mapping[str, T]):
    """One instance of a class for each name.

    Args:
        places: for each name the module and the class, as `module:Class`. The class takes no arguments.
    """

    def __init__(self, places: Mapping[str, str]) -> None:
        self._places = places
        self._made: dict[str, T] = {}

    def __getitem__(self, name: str) -> T:
        if name not in self._made:
            module, _, class_name = self._places[name].partition(":")
            self._made[name] = getattr(import_module(module), class_name)()
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._places  # without importing, as the method of Mapping would

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)
