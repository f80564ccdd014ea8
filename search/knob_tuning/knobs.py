"""Knobs: the numbers and choices of an optimizer that are tuned, each with its range; together they are a box."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import Literal

Value = float | str
"""The value of a knob."""
Point = tuple[Value, ...]
"""A value for each knob of a box."""
Side = Literal["below", "above"]

STEP = 2.0
"""Factor between neighbours in coordinate descent."""
WIDER = 10.0
"""Factor by which a range grows at its border."""
ZERO_SHARE = 0.2
"""Share of a range's sampled values that are zero, if it has zero."""


@dataclass(frozen=True)
class Range:
    """A number with a log-uniform range.

    Attributes:
        name: what it is, such as `rate`.
        default: the value that the optimizer comes with.
        low, high: ends of the range of the number or, of a complement, of 1 minus the number.
        zero: True if zero is a value too.
        complement: True if 1 minus the number is log-uniform, as for the weight of a moving average.
        floor, ceiling: the range is never widened beyond these.
    """

    name: str
    default: float
    low: float
    high: float
    zero: bool = False
    complement: bool = False
    floor: float = 1e-12
    ceiling: float = 1e6

    def sample(self, share: float) -> float:
        """Returns the value at a share of the range, in [0, 1)."""
        if self.zero:
            if share < ZERO_SHARE:
                return 0.0
            share = (share - ZERO_SHARE) / (1 - ZERO_SHARE)
        return self._value(self.low * (self.high / self.low) ** share)

    def neighbours(self, value: Value) -> list[Value]:
        """Returns the values one step from a value within the range; those of zero are its least and its middle."""
        if self.zero and value == 0.0:
            return [self.low, sqrt(self.low * self.high)]
        size = max(self._size(value), self.low)  # 0 for the weight 1 of a complement, which has no logarithm
        sizes = [max(self.low, size / STEP), min(self.high, size * STEP)]
        near = [self._value(each) for each in sizes if abs(each / size - 1) > 1e-6]
        return [*([0.0] if self.zero else []), *near]

    def border(self, value: Value) -> Side | None:
        """Returns `above` or `below` if the size of a value (of a complement: 1 minus the value) is at the upper or
        lower end of a range that can be widened there; None otherwise."""
        if self.zero and value == 0.0:
            return None
        size = self._size(value)
        if size >= self.high * (1 - 1e-6) and self.high < self.ceiling:
            return "above"
        if size <= self.low * (1 + 1e-6) and self.low > self.floor and not self.zero:
            return "below"
        return None

    def widened(self, side: Side) -> "Range":
        """Returns the range with its end ten times as far on one side."""
        if side == "above":
            return replace(self, high=min(self.high * WIDER, self.ceiling))
        return replace(self, low=max(self.low / WIDER, self.floor))

    def scaled(self, value: Value, factor: float) -> float:
        """Returns a value whose size is a multiple of another's, wherever the range ends."""
        return self._value(self._size(value) * factor)

    def _size(self, value: Value) -> float:
        assert isinstance(value, float)
        return 1.0 - value if self.complement else value

    def _value(self, size: float) -> float:
        return 1.0 - size if self.complement else size


@dataclass(frozen=True)
class Choice:
    """One of several values. It has no border, and every other option is a neighbour."""

    name: str
    default: Value
    options: tuple[Value, ...]

    def sample(self, share: float) -> Value:
        """Returns the option at a share of the range, in [0, 1)."""
        return self.options[min(int(share * len(self.options)), len(self.options) - 1)]

    def neighbours(self, value: Value) -> list[Value]:
        """Returns all other options."""
        return [option for option in self.options if option != value]

    def border(self, value: Value) -> Side | None:
        """Returns None: a choice has no ends."""
        return None

    def widened(self, side: Side) -> "Choice":
        """Returns itself."""
        return self


Knob = Range | Choice


@dataclass(frozen=True)
class Box:
    """The knobs of an optimizer, declared before it is tuned. The first is its rate."""

    knobs: tuple[Knob, ...]

    @property
    def default(self) -> Point:
        """The values that the optimizer comes with."""
        return tuple(knob.default for knob in self.knobs)

    def sample(self, shares: Sequence[float]) -> Point:
        """Returns the point at a share of each range."""
        return tuple(knob.sample(share) for knob, share in zip(self.knobs, shares, strict=True))

    def neighbours(self, point: Point) -> list[Point]:
        """Returns the points that differ in the value of one knob by one step."""
        return [
            (*point[:i], value, *point[i + 1 :])
            for i, knob in enumerate(self.knobs)
            for value in knob.neighbours(point[i])
        ]

    def widened_at(self, point: Point) -> tuple["Box", list[str]]:
        """Returns the box, wider where a point lies on its border, and a phrase for each range that grew."""
        knobs: list[Knob] = []
        phrases = []
        for knob, value in zip(self.knobs, point, strict=True):
            side = knob.border(value)
            knobs.append(knob.widened(side) if side else knob)
            if side:
                # The ends of a complement are those of 1 minus the value.
                turned = isinstance(knob, Range) and knob.complement
                word = {"above": "below", "below": "above"}[side] if turned else side
                phrases.append(f"{knob.name} {word} {value:.3g}")
        return Box(tuple(knobs)), phrases

    def named(self, point: Point) -> dict[str, Value]:
        """Returns the value of each knob by its name."""
        return {knob.name: value for knob, value in zip(self.knobs, point, strict=True)}
