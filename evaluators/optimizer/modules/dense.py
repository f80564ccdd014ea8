"""Linear layers and the cross entropy of many candidates."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from germline.evaluators.optimizer.modules.rule import batched, stacked


def _linear(count: int, own: tuple[bool, ...], x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Products `[N, ..., outputs]`.

    Examples of a plain batch are the last axis in memory, so that the layers of a perceptron need no copies; those of a
    sequence are not.
    """
    weight = stacked(count, own[1], weight)
    inputs = weight.shape[-1]
    if not own[0] and x.dim() == 2:
        columns = weight.reshape(-1, inputs) @ x.mT
        if bias is not None:  # added before `view`: autograd copies gradients of what is written into a view
            columns.add_(stacked(count, own[2], bias).reshape(-1, 1))
        return columns.view(count, -1, len(x)).mT
    x = stacked(count, own[0], x)
    if x.dim() == 3 and x.stride(1) == 1 and x.stride(2) != 1:
        columns = torch.bmm(weight, x.mT)
        return (columns if bias is None else columns.add_(stacked(count, own[2], bias)[:, :, None])).mT
    rows = x.reshape(count, -1, inputs)
    if bias is None:
        products = torch.bmm(rows, weight.mT)
    else:
        products = torch.baddbmm(stacked(count, own[2], bias)[:, None], rows, weight.mT)
    return products.view(*x.shape[:-1], -1)


def _cross_entropy(
    count: int, own: tuple[bool, ...], logits: Tensor, target: Tensor, ignored: int, smoothing: float
) -> Tensor:
    """The mean cross entropy of each candidate, from logits `[N, examples, classes]` and targets `[examples]`."""
    target = stacked(count, own[1], target)
    logits = stacked(count, own[0], logits)
    losses = F.cross_entropy(logits.mT, target, reduction="none", ignore_index=ignored, label_smoothing=smoothing)
    return losses.sum(1) / (target != ignored).sum(1)


_LINEAR = batched(F.linear, _linear)
_CROSS_ENTROPY = batched(
    lambda logits, target, ignored, smoothing: F.cross_entropy(
        logits, target, ignore_index=ignored, label_smoothing=smoothing
    ),
    _cross_entropy,
)


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Any:
    """`F.linear` of two or more axes, with a matrix of weights for each candidate."""
    return _LINEAR(input, weight, bias) if weight.dim() == 2 and input.dim() > 1 else NotImplemented


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: object = None,
    ignore_index: int = -100,
    reduce: object = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    """`F.cross_entropy` of logits `[examples, classes]` and whole numbers as targets: a mean without class weights."""
    plain = weight is None and size_average is None and reduce is None and reduction == "mean"
    if not plain or input.dim() != 2 or target.dim() != 1 or target.is_floating_point():
        return NotImplemented
    return _CROSS_ENTROPY(input, target, ignore_index, label_smoothing)
