"""What a module holds elsewhere than in its parameters and buffers: the values of plain attributes of its layers."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

_OF_TORCH = frozenset(vars(nn.Module()))
_LOOKED_AT = 1_000
"""Entries of a list or a dict that are looked at."""


def form_of(module: nn.Module) -> tuple[tuple[object, ...], ...]:
    """The layers of a module by name with their classes, and its parameters and buffers with their shapes."""
    layers = ((name, type(layer).__module__, type(layer).__qualname__) for name, layer in module.named_modules())
    tensors = (
        (name, tuple(tensor.shape), tensor.requires_grad)
        for name, tensor in [*module.named_parameters(), *module.named_buffers()]
    )
    return (*layers, *tensors)


def attributes_of(module: nn.Module) -> dict[str, Any]:
    """The plain attributes of all layers, such as counters and cached tensors, by name."""
    return {
        f"{prefix}.{name}" if prefix else name: value
        for prefix, layer in module.named_modules()
        for name, value in vars(layer).items()
        if name not in _OF_TORCH
    }


def numbers_of(module: nn.Module) -> dict[str, float | complex]:
    """The plain attributes that are numbers or truth values, by name."""
    return {name: value for name, value in attributes_of(module).items() if isinstance(value, int | float | complex)}


def different(a: nn.Module, b: nn.Module) -> list[str]:
    """The names of plain attributes that two modules of the same form have with different values."""
    others = attributes_of(b)
    return [name for name, value in attributes_of(a).items() if not _equal(value, others.get(name))]


def trained_elsewhere(module: nn.Module, names: Iterable[str]) -> list[str]:
    """Of the attributes `names`, those that hold parameters or layers where `named_parameters` does not see them."""
    attributes = attributes_of(module)
    return [name for name in names if _holds_parameters(attributes.get(name))]


def _equal(a: Any, b: Any) -> bool:
    """Whether two values are equal, as far as can be told: objects of classes that are not known here count as so."""
    if isinstance(a, nn.Module) and isinstance(b, nn.Module):
        return all(map(_equal, a.state_dict().values(), b.state_dict().values()))
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return a.shape == b.shape and torch.equal(a.detach().cpu(), b.detach().cpu())
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.shape == b.shape and bool((a == b).all())
    if isinstance(a, dict) and isinstance(b, dict):
        return len(a) == len(b) and all(map(_equal, _some(a.values()), _some(b.values())))
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(_equal, _some(a), _some(b)))
    known = (int, float, complex, str, type(None), Tensor, np.ndarray, np.generic)
    if isinstance(a, known) and isinstance(b, known):
        return type(a) is type(b) and not isinstance(a, Tensor) and bool(a == b)
    return True


def _holds_parameters(value: Any) -> bool:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return any(map(_holds_parameters, _some(value)))
    return isinstance(value, nn.Parameter | nn.Module) or (isinstance(value, Tensor) and value.grad_fn is not None)


def _some(values: Iterable[Any]) -> list[Any]:
    return list(values)[:_LOOKED_AT]
