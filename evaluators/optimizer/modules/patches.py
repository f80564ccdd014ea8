"""The patches of images under the kernel of a convolution, for many candidates."""

from typing import Any

import torch
from torch import Tensor

Pair = tuple[int, int]
"""A number for the height and one for the width."""


def patches_under(images: Tensor, kernel: Pair, stride: Pair) -> Tensor:
    """Patches `[N, channels * kernel, places * batch]` of images `[N, channels, height, width, batch]`, so that a
    convolution is the product of its weights `[N, outputs, channels * kernel]` and these."""
    patches: Tensor = _Patches.apply(images, kernel, stride)  # type: ignore[no-untyped-call]
    return patches


class _Patches(torch.autograd.Function):
    """See `patches_under`. The backward pass is written out because that of torch's `unfold` takes as long as the
    rest of a step."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, kernel: Pair, stride: Pair) -> Tensor:
        ctx.shape, ctx.kernel, ctx.stride = images.shape, kernel, stride
        windows = images.unfold(2, kernel[0], stride[0]).unfold(3, kernel[1], stride[1])
        ctx.places = windows.shape[2], windows.shape[3]
        patches = windows.permute(0, 1, 5, 6, 2, 3, 4)
        return patches.reshape(len(images), images.shape[1] * kernel[0] * kernel[1], -1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        n, channels, _, _, batch = ctx.shape
        (high, wide), (down, right), (rows, columns) = ctx.kernel, ctx.stride, ctx.places
        patches = gradients[0].reshape(n, channels, high, wide, rows, columns, batch)
        images = patches.new_zeros(ctx.shape)
        for y in range(high):
            for x in range(wide):
                part = images[:, :, y : y + down * (rows - 1) + 1 : down, x : x + right * (columns - 1) + 1 : right]
                part += patches[:, :, y, x]
        return images, None, None
