"""The places in a module where its parameters and buffers stand, to be filled with others for a call.

`torch.func.functional_call` does the same; for the small models of a search it takes as long as their layers.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn


class Slots:
    """The places of some tensors of a module.

    Args:
        module: the module.
        names: of parameters and buffers, as `named_parameters` and `named_buffers` give them. A tensor that stands in
            several places has the first of its names.
    """

    def __init__(self, module: nn.Module, names: Iterable[str]) -> None:
        wanted = set(names)
        first: dict[int, str] = {}
        self._places: dict[str, list[tuple[dict[str, Any], str]]] = {name: [] for name in wanted}
        for prefix, layer in module.named_modules(remove_duplicate=True):
            for tensors in (layer._parameters, layer._buffers):
                for key, tensor in tensors.items():
                    if tensor is None:
                        continue
                    name = first.setdefault(id(tensor), f"{prefix}.{key}" if prefix else key)
                    if name in wanted:
                        self._places[name].append((tensors, key))

    @contextmanager
    def filled(self, tensors: Mapping[str, Tensor]) -> Iterator[None]:
        """Within this context the module has `tensors` in the places of their names."""
        before = [(place, key, place[key]) for name in tensors for place, key in self._places[name]]
        try:
            for name, tensor in tensors.items():
                for place, key in self._places[name]:
                    place[key] = tensor
            yield
        finally:
            for place, key, tensor in before:
                place[key] = tensor

    def now(self, name: str) -> Tensor:
        """The tensor that stands in the place of a name, which the module may have replaced."""
        place, key = self._places[name][0]
        tensor: Tensor = place[key]
        return tensor
