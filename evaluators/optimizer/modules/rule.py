"""How a function of torch is computed for many candidates by a rule of ours instead of `vmap`'s own.

A rule gets the tensors of all candidates with the candidate as first axis, and is written with ordinary operations, by
which autograd differentiates it. `torch.autograd.Function.vmap` would allow the same, but takes longer than many a
layer. So tensors are unwrapped with what `torch.func` is itself made of; if a release of torch lacks it, the trial that
each task makes of its module finds out, and `vmap` alone is used.
"""

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch._C import _functorch as functorch
from torch._functorch.pyfunctorch import temporarily_pop_interpreter_stack

Rule = Callable[..., Any]
"""A function of N, of which arguments have a candidate axis, and of the arguments."""
Call = Callable[..., Any]


def batched(function: Call, rule: Rule) -> Call:
    """A function like `function` that is computed by `rule` under `vmap`, if one of its arguments has a candidate axis.

    Args:
        function: of tensors and other values, all positional.
        rule: called with N, a tuple that says for each argument whether it is a tensor whose first axis is N, and the
            arguments. It returns a tensor or a tuple of tensors whose first axis is N.
    """

    def call(*arguments: Any) -> Any:
        top = functorch.peek_interpreter_stack()
        if top is None or top.key() != functorch.TransformType.Vmap:
            return function(*arguments)
        level = top.level()
        unwrapped = [_unwrapped(value, level) for value in arguments]
        own = tuple(each for _, each in unwrapped)
        if not any(own):
            return function(*arguments)
        first = [value for value, _ in unwrapped]
        count = len(first[own.index(True)])
        with temporarily_pop_interpreter_stack():
            result = rule(count, own, *first)
        if isinstance(result, tuple):
            return tuple(functorch._add_batch_dim(each, 0, level) for each in result)
        return functorch._add_batch_dim(result, 0, level)

    return call


def _unwrapped(value: Any, level: int) -> tuple[Any, bool]:
    """An argument with its candidate axis first, and whether it has one."""
    if not (isinstance(value, Tensor) and functorch.is_batchedtensor(value)):
        return value, False
    if functorch.maybe_get_level(value) != level:
        return value, False
    axis = functorch.maybe_get_bdim(value)
    tensor = functorch.get_unwrapped(value)
    return (tensor.movedim(axis, 0) if axis else tensor), True


def stacked(count: int, own: bool, tensor: Tensor) -> Tensor:
    """The tensor with a candidate axis: itself if it has one, else a view in which all candidates share it."""
    return tensor if own else tensor.expand(count, *tensor.shape)
