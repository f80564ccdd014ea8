"""A recorder of steps on a CPU, which stands in for CUDA graphs: it repeats the operations of torch of one step."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

Call = tuple[Any, Any, Any, Any]
"""An operation with its arguments, its named arguments and its result."""


class StepTape:
    """Records a step as a list of operations, as a CUDA graph does: whatever Python computed, a replay has as it was.

    Attributes:
        recorded: number of steps that were recorded.
        replayed: number of replays.
    """

    def __init__(self) -> None:
        self.recorded = self.replayed = 0

    def rehearse(self, step: Callable[[], object]) -> None:
        step()

    def record(self, step: Callable[[], object]) -> Callable[[], object]:
        """As a CUDA graph, the step is not made now: what it has written is written back."""
        with _Recording() as tape:
            step()
        for tensor, before in tape.before.values():
            tensor.copy_(before)
        self.recorded += 1

        def replay() -> None:
            self.replayed += 1
            _replay(tape.calls)

        return replay


class _Recording(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self.before: dict[int, tuple[Tensor, Tensor]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        for declared, value in zip(func._schema.arguments, args, strict=False):
            if declared.alias_info is not None and declared.alias_info.is_write:
                self._save(value)
        if "out" in kwargs:
            self._save(kwargs["out"])
        result = func(*args, **kwargs)
        self.calls.append((func, args, kwargs, result))
        return result

    def _save(self, tensor: Tensor) -> None:
        """Keeps the whole storage that is about to be written, since writes go through views of buffers."""
        storage = tensor.untyped_storage()
        if storage._cdata not in self.before:
            whole = tensor.detach().new_empty(0).set_(storage, 0, (storage.nbytes() // tensor.element_size(),), (1,))
            self.before[storage._cdata] = (whole, whole.clone())


@torch.no_grad()
def _replay(calls: list[Call]) -> None:
    now: dict[int, Tensor] = {}

    def present(value: Any) -> Any:
        return now.get(id(value), value)

    for func, args, kwargs, recorded in calls:
        result = func(*tree_map(present, args), **tree_map(present, kwargs))
        for old, new in zip(tree_leaves(recorded), tree_leaves(result), strict=True):
            if isinstance(old, Tensor):
                now[id(old)] = new
