"""Parameters of a network that is a user's own `nn.Module`, as data: their names, shapes and initial values.

The initial values follow from the seed of the genome alone, by the noise of `noise.py`, as those of built-in networks
do: an initialisation by torch would differ between its versions, and between machines.
"""

from dataclasses import dataclass
from math import prod, sqrt
from typing import Any

MOST_TENSORS = 10_000
MOST_AXES = 16
MOST_NAME = 300
"""Most characters of a name."""
LARGEST_START = 1e30


class InvalidTensor(ValueError):
    """Data that describe no parameters of a module; the message says what was expected."""


@dataclass(frozen=True)
class OwnTensor:
    """A parameter of a module.

    Args:
        name: as of `named_parameters`.
        shape: in torch: the first axis counts units, the others inputs. Empty: a single number.
        start: value of all its elements before any mutation. None: they are normal with the standard deviation
            1 / √inputs; then there are two or more axes.
    """

    name: str
    shape: tuple[int, ...]
    start: float | None = None

    @property
    def std(self) -> float:
        """Initial standard deviation."""
        return 1.0 / sqrt(prod(self.shape[1:])) if self.start is None else 0.0

    def data(self) -> list[Any]:
        """The tensor as plain JSON data."""
        return [self.name, list(self.shape), *([] if self.start is None else [self.start])]


def read_tensors(data: Any) -> tuple[OwnTensor, ...]:
    """The tensors that plain data describe, `[[name, shape], [name, shape, start], …]`.

    Raises:
        InvalidTensor: they describe none.
    """
    if not isinstance(data, list) or not 1 <= len(data) <= MOST_TENSORS:
        raise InvalidTensor(f"tensors: expected a list of 1 to {MOST_TENSORS:,} tensors, got {data!r:.60}")
    tensors = tuple(map(_read_tensor, data))
    if len({tensor.name for tensor in tensors}) < len(tensors):
        raise InvalidTensor("tensors: expected different names, got a name twice")
    return tensors


def _read_tensor(data: Any) -> OwnTensor:
    expected = 'tensors: expected ["NAME", [SIZES]] or ["NAME", [SIZES], START]'
    if not isinstance(data, list) or len(data) not in (2, 3):
        raise InvalidTensor(f"{expected}, got {data!r:.60}")
    name, shape, *start = data
    if not isinstance(name, str) or not 1 <= len(name) <= MOST_NAME or not name.isprintable():
        raise InvalidTensor(f"{expected} with a printable name, got {name!r:.60}")
    sizes = isinstance(shape, list) and all(type(size) is int and 0 < size <= 10**8 for size in shape)
    if not sizes or len(shape) > MOST_AXES:
        raise InvalidTensor(f"{expected} with sizes from 1, got {shape!r:.60} for {name:.60}")
    if not start:
        if len(shape) < 2:
            raise InvalidTensor(f"{expected}, got no start for {name:.60}, whose axes are fewer than two")
        return OwnTensor(name, tuple(shape))
    if type(start[0]) not in (int, float) or not abs(start[0]) <= LARGEST_START:
        raise InvalidTensor(f"{expected} with a finite start, got {start[0]!r:.60} for {name:.60}")
    return OwnTensor(name, tuple(shape), float(start[0]) + 0.0)
