"""What a step asks of a device: the operations of torch in it, and the bytes that they read and write.

An operation that is no view of another tensor is about one launch of a kernel. On the meta device, whose tensors have
shapes and no numbers, a trace needs no time and no memory, and says what a GPU would get.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_WITHOUT_KERNEL = frozenset(
    ("empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided", "lift_fresh", "_unsafe_view")
)
"""Operations that only allocate, or only name other sizes."""
_WAITS = frozenset(("_local_scalar_dense", "nonzero", "masked_select", "unique_dim", "_unique2", "equal", "is_nonzero"))
"""Operations after which the host waits for the device, because it needs a result."""


@dataclass(frozen=True)
class Operation:
    """An operation of a step.

    Attributes:
        name: as torch has it, such as `bmm`.
        launches: 0 for a view or an allocation, else 1.
        read, written: bytes of the tensors that it takes and gives; 0 without a launch.
        arguments: as text: what it takes beside tensors, which tensors from outside of the step, types and shapes.
        obstacle: why a step with it cannot be captured; None if nothing is known against it.
    """

    name: str
    launches: int
    read: int
    written: int
    arguments: str
    obstacle: str | None


class StepTrace(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records the operations of torch while it is entered, those of backward passes too.

    Args:
        device: the type of the device on which the step works, such as `cuda`.

    Attributes:
        operations: in their order.
    """

    def __init__(self, device: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.device = device
        self.operations: list[Operation] = []
        self._made: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = [each for each in tree_leaves((args, kwargs or {})) if each is not None]
        tensors = [each for each in given if isinstance(each, Tensor)]
        numbers = [each for each in given if not isinstance(each, Tensor)]
        outside = [_storage(each) for each in tensors if _storage(each) not in self._made]
        result = func(*args, **(kwargs or {}))
        results = [each for each in tree_leaves(result) if isinstance(each, Tensor)]
        name = func._schema.name.split("::")[1]
        launches = 0 if _is_view(func) or name in _WITHOUT_KERNEL else 1
        self.operations.append(
            Operation(
                name,
                launches,
                launches * _read(tensors),
                launches * _written(func, args, results),
                repr((numbers, outside, [(each.dtype, tuple(each.shape)) for each in tensors])),
                self._obstacle(func, name, tensors),
            )
        )
        # In-place operations and views give tensors of storages that are known already.
        taken = {_storage(each) for each in tensors}
        self._made.update(_storage(each) for each in results if _storage(each) not in taken)
        return result

    @property
    def launches(self) -> int:
        """Kernels of the step, about."""
        return sum(each.launches for each in self.operations)

    @property
    def bytes(self) -> int:
        """Bytes that kernels read and write."""
        return sum(each.read + each.written for each in self.operations)

    @property
    def obstacle(self) -> str | None:
        """Why the step cannot be captured; None if nothing is known against it."""
        return next((each.obstacle for each in self.operations if each.obstacle), None)

    def counts(self) -> Counter[str]:
        """Launches by the name of their operation."""
        return Counter(each.name for each in self.operations if each.launches)

    def _obstacle(self, func: Any, name: str, tensors: list[Tensor]) -> str | None:
        if name in _WAITS:
            return f"it waits for the device ({name})"
        if torch.Tag.nondeterministic_seeded in func.tags:
            return f"it draws random numbers ({name})"
        if name == "lift_fresh" or any(each.device.type != self.device for each in tensors):
            return f"it reads numbers of the host ({name})"
        return None


def difference(first: StepTrace, second: StepTrace) -> str | None:
    """What differs between two steps, or None: a step that is captured has to be the same each time, with the same
    numbers of Python's."""
    if len(first.operations) != len(second.operations):
        return f"it has {len(first.operations)} operations in a step and {len(second.operations)} in the next"
    pairs = zip(first.operations, second.operations, strict=True)
    return next((f"{b.name} is called otherwise in each step" for a, b in pairs if a != b), None)


def traced(step: Callable[[], object], device: str) -> StepTrace:
    """The trace of a step, which is made."""
    trace = StepTrace(device)
    with trace:
        step()
    return trace


def _storage(tensor: Tensor) -> int:
    storage: int = tensor.untyped_storage()._cdata
    return storage


def _is_view(func: Any) -> bool:
    """Whether the result shares the memory of an argument, and nothing is written."""
    returned = [each.alias_info for each in func._schema.returns]
    return bool(returned) and all(each is not None and not each.is_write for each in returned)


def _read(tensors: list[Tensor]) -> int:
    return sum(_bytes(each) for each in tensors)


def _written(func: Any, args: Any, results: list[Tensor]) -> int:
    """Bytes of what is returned, and of arguments that are written and not returned."""
    written = list(_arguments_written(func, args)) if not results else []
    return sum(_bytes(each) for each in (*results, *written))


def _arguments_written(func: Any, args: Any) -> Iterator[Tensor]:
    for declared, value in zip(func._schema.arguments, args, strict=False):
        if declared.alias_info is not None and declared.alias_info.is_write:
            yield from (each for each in tree_leaves(value) if isinstance(each, Tensor))


def _bytes(tensor: Tensor) -> int:
    """Bytes of the elements of a tensor, each counted once: an expanded axis is read from the cache."""
    sizes = [size for size, stride in zip(tensor.shape, tensor.stride(), strict=True) if stride]
    count = 1
    for size in sizes:
        count *= size
    return count * tensor.element_size()
