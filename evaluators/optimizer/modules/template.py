"""The model of a task, built from a seed: which of its tensors are trained, kept for each candidate, or constant."""

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from germline.evaluators.errors import InvalidTask, in_a_line, of_foreign_code, place_of
from germline.evaluators.optimizer.modules.module_form import module_of
from germline.evaluators.optimizer.modules.randomness import seeded, states
from germline.evaluators.optimizer.task import ParameterSpec


def built(model: Callable[[], object], seed: int) -> nn.Module:
    """The module that `model` returns, in float32 on the CPU, its initial weights drawn from `seed`.

    Raises:
        InvalidTask: `model` fails, or what it returns cannot be trained.
    """
    with seeded(seed):
        try:
            module = model()
        except of_foreign_code() as error:
            hint = "; it is called before data(), and can read nothing that data() stores"
            hint = hint if isinstance(error, AttributeError) else ""
            raise InvalidTask(f"model() failed with {in_a_line(error)}{place_of(error)}{hint}") from error
    return module_of(module)


def same_values(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors have the same shape and values, where NaN equals NaN."""
    if torch.equal(a, b):
        return True
    return a.shape == b.shape and a.is_floating_point() and bool(((a == b) | (a.isnan() & b.isnan())).all())


def trained_tensors(module: nn.Module) -> dict[str, Tensor]:
    """The parameters that are trained, by name; one that is used in several places has the first of its names."""
    return {name: parameter.detach() for name, parameter in module.named_parameters() if parameter.requires_grad}


def other_tensors(module: nn.Module) -> dict[str, Tensor]:
    """Buffers and parameters that are not trained, by name."""
    frozen = {name: parameter.detach() for name, parameter in module.named_parameters() if not parameter.requires_grad}
    return {**frozen, **dict(module.named_buffers())}


def specs_of(module: nn.Module) -> tuple[ParameterSpec, ...]:
    """The trained parameters with the standard deviation of the values that they have."""
    tensors = trained_tensors(module)
    return tuple(
        ParameterSpec(name, tuple(value.shape), float(value.std(correction=0)) if value.numel() > 1 else 0.0)
        for name, value in tensors.items()
    )


RECURRENT = 12
"""Numbers that a recurrent layer keeps for each number of its output: gates, states and their products."""


@dataclass(frozen=True)
class CallRecord:
    """What a call of a module did.

    Attributes:
        written: names of its buffers, and of its parameters that are not trained, that the call changed.
        random: whether the call drew random numbers.
        attends: whether it called a function for attention.
        elements: numbers that all its layers returned, a measure of its activations.
        result: what the call returned.
    """

    written: frozenset[str]
    random: bool
    attends: bool
    elements: int
    result: Any


def recorded_call(module: nn.Module, call: Callable[[], Any]) -> CallRecord:
    """Calls a module by `call` with random numbers of seed 0, and restores its tensors and the generators.

    Raises:
        InvalidTask: the call changes a parameter that is trained, or registers a buffer.
    """
    elements = 0

    def count(layer: nn.Module, inputs: object, output: object) -> None:
        nonlocal elements
        elements += 0 if list(layer.children()) else _numbers_of(layer, output)

    trained = trained_tensors(module)  # before the call, which may freeze a parameter
    before = {name: (tensor, tensor.detach().clone(), tensor._version) for name, tensor in _tensors(module)}
    handles = [layer.register_forward_hook(count) for layer in module.modules()]
    cuda = torch.cuda.is_available()
    try:
        with seeded(0, cuda):
            at_first = states(cuda)
            with _CalledFunctions() as functions:
                result = call()
            random = states(cuda) != at_first
    finally:
        for handle in handles:
            handle.remove()
    attends = any("attention" in name or "transformer" in name for name in functions.names)
    return CallRecord(_restored(module, before, trained), random, attends, elements, result)


def _restored(
    module: nn.Module, before: Mapping[str, tuple[Tensor, Tensor, int]], trained: Container[str]
) -> frozenset[str]:
    """Gives the tensors of a module the values of before a call, and returns the names of those that it wrote.

    Args:
        module: the module after the call.
        before: of each parameter and buffer the tensor, its value and its version before the call.
        trained: names of the parameters that are trained.

    Raises:
        InvalidTask: the call changed a parameter that is trained, or registered a buffer.
    """
    written = set()
    for name, tensor in list(_tensors(module)):
        if name not in before:
            raise InvalidTask(f"forward registers the buffer {name}: register it with its first value in __init__")
        first, value, version = before[name]
        # The statistics of BatchNorm change without a new version, and others by a write of equal values.
        if tensor is first and tensor._version == version and same_values(tensor, value):
            continue
        if name in trained:
            raise InvalidTask(
                f"forward writes into the parameter {name}, which is trained: compute with a changed copy of it, "
                "or use torch.nn.utils.parametrize"
            )
        written.add(name)
        with torch.no_grad():
            first.copy_(value)
        parent, _, attribute = name.rpartition(".")
        layer = module.get_submodule(parent)
        if attribute in layer._buffers:
            layer._buffers[attribute] = first.detach()
    return frozenset(written)


def _tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yields the parameters and buffers of a module by name, each tensor once."""
    yield from module.named_parameters()
    yield from module.named_buffers()


def _numbers_of(layer: nn.Module, output: object) -> int:
    """The numbers that a layer keeps for its backward pass, more or less."""
    if isinstance(layer, nn.RNNBase) and isinstance(output, tuple) and isinstance(output[0], Tensor):
        return RECURRENT * output[0].numel()
    return output.numel() if isinstance(output, Tensor) else 0


class _CalledFunctions(TorchFunctionMode):
    """Records the names of the functions of torch that are called within the context."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_function__(
        self, function: Callable[..., Any], types: Sequence[type], args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        self.names.add(getattr(function, "__name__", ""))
        return function(*args, **(kwargs or {}))
