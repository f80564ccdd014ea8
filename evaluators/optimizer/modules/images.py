"""Convolutions and BatchNorm of many candidates on a CPU.

Images are kept as `[N, channels, height, width, batch]` in memory, so that patches are copied in long runs and a
convolution is a matrix product for each candidate: on a CPU twice as fast as grouped convolution.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from germline.evaluators.optimizer.modules.patches import Pair, patches_under
from germline.evaluators.optimizer.modules.rule import batched, stacked

MOST_PATCHES = 1 << 25
"""Numbers in the patches of all candidates, beyond which a grouped convolution is better."""


def _convolution(
    count: int, own: tuple[bool, ...], x: Tensor, weight: Tensor, bias: Tensor | None, stride: Pair, padding: Pair
) -> Tensor:
    """Feature maps `[N, batch, channels, height, width]`."""
    weight = stacked(count, own[1], weight)
    _, outputs, channels, *kernel = weight.shape
    batch = x.shape[1] if own[0] else x.shape[0]
    height, width = (
        (side + 2 * pad - reach) // step + 1
        for side, pad, reach, step in zip(x.shape[-2:], padding, kernel, stride, strict=True)
    )
    patches_of_all = count * channels * kernel[0] * kernel[1] * height * width * batch
    if patches_of_all > MOST_PATCHES:
        return _grouped(
            count, own[0], x, weight, None if bias is None else stacked(count, own[2], bias), stride, padding
        )
    if any(padding):
        x = F.pad(x, (padding[1], padding[1], padding[0], padding[0]))
    if own[0]:
        patches = patches_under(x.permute(0, 2, 3, 4, 1), (kernel[0], kernel[1]), stride)
        maps = torch.bmm(weight.reshape(count, outputs, -1), patches)
    else:
        windows = x.unfold(2, kernel[0], stride[0]).unfold(3, kernel[1], stride[1])
        patches = windows.permute(1, 4, 5, 2, 3, 0).reshape(channels * kernel[0] * kernel[1], -1)
        maps = weight.reshape(count * outputs, -1) @ patches
    if bias is not None:  # added before `view`: autograd copies gradients of what is written into a view
        maps.add_(stacked(count, own[2], bias).reshape(*maps.shape[:-1], 1))
    return maps.view(count, outputs, height, width, batch).permute(0, 4, 1, 2, 3)


def _grouped(
    count: int, own: bool, x: Tensor, weight: Tensor, bias: Tensor | None, stride: Pair, padding: Pair
) -> Tensor:
    outputs, flat = weight.shape[1], None if bias is None else bias.flatten()
    if own:
        maps = F.conv2d(x.transpose(0, 1).flatten(1, 2), weight.flatten(0, 1), flat, stride, padding, groups=count)
    else:
        maps = F.conv2d(x, weight.flatten(0, 1), flat, stride, padding)
    return maps.view(len(maps), count, outputs, *maps.shape[2:]).transpose(0, 1)


def _batch_norm(
    count: int,
    own: tuple[bool, ...],
    x: Tensor,
    mean: Tensor | None,
    variance: Tensor | None,
    weight: Tensor | None,
    bias: Tensor | None,
    training: bool,
    momentum: float,
    epsilon: float,
) -> Tensor:
    """Normalised values, `[N, *shape of x]`, from one layer whose channels are those of all candidates."""
    x = stacked(count, own[0], x)
    last = x.movedim(1, -1)
    mean, variance, weight, bias = (
        None if value is None else stacked(count, each, value).reshape(-1)
        for each, value in zip(own[1:5], (mean, variance, weight, bias), strict=True)
    )
    channels = last.reshape(1, count * x.shape[2], -1)
    normed = F.batch_norm(channels, mean, variance, weight, bias, training, momentum, epsilon)
    return normed.view(last.shape).movedim(-1, 1)


_CONVOLUTION = batched(F.conv2d, _convolution)
_BATCH_NORM = batched(F.batch_norm, _batch_norm)


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] | str = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Any:
    """`F.conv2d` of images `[batch, channels, height, width]` on a CPU, without groups, dilation or named padding."""
    on_cpu, plain = input.device.type == "cpu", groups == 1 and _pair(dilation) == (1, 1)
    if not on_cpu or not plain or input.dim() != 4 or isinstance(padding, str):
        return NotImplemented
    return _CONVOLUTION(input, weight, bias, _pair(stride), _pair(padding))


def _pair(value: int | Sequence[int]) -> Pair:
    values = [value] * 2 if isinstance(value, int) else list(value) * (2 // len(value))
    return values[0], values[1]


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    """`F.batch_norm` with any arguments; running means and variances have a candidate axis too."""
    return _BATCH_NORM(input, running_mean, running_var, weight, bias, training, momentum, eps)
