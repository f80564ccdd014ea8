"""What a model has to be so that its tensors can be replaced by those of each candidate."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from germline.evaluators.errors import InvalidTask, shown

COUNTED = 50_000_000
"""Most elements of a memory that is looked at element by element; in a larger one tensors overlap if their ends do."""


def module_of(value: object) -> nn.Module:
    """What `model` returned, if it is a module that candidates can train, in float32.

    Raises:
        InvalidTask: it is none, or has a tensor or a layer that cannot be trained, which is named.
    """
    if not isinstance(value, nn.Module):
        raise InvalidTask(f"model() has to return a torch.nn.Module, not {shown(value)}")
    _check_layers(value)
    for name, tensor in [*value.named_parameters(), *value.named_buffers()]:
        _check_tensor(name, tensor)
    if not any(parameter.requires_grad for parameter in value.parameters()):
        raise InvalidTask("the model has no parameter to train: let it have an nn.Parameter that requires a gradient")
    check_memory(value, frozenset())
    return value.float()


def check_memory(module: nn.Module, written: frozenset[str]) -> None:
    """Refuses tensors that share elements: one would change with the other in torch, but candidates have each anew.

    Args:
        module: the module.
        written: names of buffers, and of parameters that are not trained, that `forward` changes.

    Raises:
        InvalidTask: it names two tensors of which one is trained or written, or one that shares its own elements.
    """
    by_memory: dict[int, list[tuple[str, Tensor, bool]]] = {}
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        if tensor.layout == torch.strided and tensor.numel():
            changes = name in written or (isinstance(tensor, nn.Parameter) and tensor.requires_grad)
            by_memory.setdefault(tensor.untyped_storage().data_ptr(), []).append((name, tensor, changes))
    for group in by_memory.values():
        for number, (name, tensor, changes) in enumerate(group):
            if changes and _overlaps_itself(tensor):
                raise InvalidTask(f"elements of {name} share memory, as after expand: end its value with .clone()")
            for other, earlier, earlier_changes in group[:number]:
                if (changes or earlier_changes) and _overlap(tensor, earlier):
                    raise InvalidTask(
                        f"{name} shares memory with {other}, but candidates have them apart: use the same "
                        "nn.Parameter in both places, compute one from the other in forward, or end it with .clone()"
                    )


def _check_layers(module: nn.Module) -> None:
    for name, layer in module.named_modules():
        what = f"{name} of the model" if name else "the model"
        if isinstance(layer, torch.jit.ScriptModule):
            raise InvalidTask(f"{what} is a script module, whose tensors have fixed places: leave torch.jit out")
        if getattr(layer, "sparse", False) is True:
            raise InvalidTask(f"{what} has sparse gradients, which programs do not take: leave sparse out")


def _check_tensor(name: str, tensor: Tensor) -> None:
    if is_lazy(tensor):
        raise InvalidTask(f"{name} of the model is lazy: give its layer the number of inputs")
    if tensor.is_meta:
        raise InvalidTask(f"{name} of the model is on the meta device, without values: leave device='meta' out")
    if tensor.dtype in (torch.float16, torch.bfloat16) or tensor.is_complex():
        raise InvalidTask(f"{name} of the model is {tensor.dtype}; candidates train in float32: leave the cast out")
    if not isinstance(tensor, nn.Parameter) or not tensor.requires_grad:
        return
    if not tensor.numel():
        raise InvalidTask(f"{name} of the model is {tuple(tensor.shape)}, without elements to train: leave it out")
    if not tensor.isfinite().all():
        raise InvalidTask(f"{name} of the model is not finite at the start: initialise it with finite numbers")
    hooks = (tensor._backward_hooks, getattr(tensor, "_post_accumulate_grad_hooks", None))
    if any(hooks):
        raise InvalidTask(
            f"{name} of the model has a hook on its gradient, which candidates do not call: change the gradient in "
            "forward, by a hook on the output of a layer or a torch.autograd.Function"
        )


def _overlaps_itself(tensor: Tensor) -> bool:
    strides: Iterator[tuple[int, int]] = zip(tensor.shape, tensor.stride(), strict=True)
    reach = 1
    for size, stride in sorted(strides, key=lambda each: each[1]):
        if size > 1 and stride < reach:
            return True
        reach += (size - 1) * stride
    return False


def _overlap(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors of one memory have an element in common."""
    spans = [_span(each) for each in (a, b)]
    if spans[0][1] <= spans[1][0] or spans[1][1] <= spans[0][0]:
        return False
    if a.dtype != b.dtype or max(end for _, end in spans) > COUNTED * a.element_size():
        return True
    elements = torch.zeros(max(end for _, end in spans) // a.element_size(), dtype=torch.bool)
    elements.as_strided(a.shape, a.stride(), a.storage_offset()).fill_(True)
    return bool(elements.as_strided(b.shape, b.stride(), b.storage_offset()).any())


def _span(tensor: Tensor) -> tuple[int, int]:
    """The first byte of a tensor's elements in its memory, and the first after them."""
    last = sum((size - 1) * int(stride) for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
    first = int(tensor.storage_offset())
    return first * tensor.element_size(), (first + last + 1) * tensor.element_size()
