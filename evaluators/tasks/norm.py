"""Layer norm of many candidates at once, each with its own scale and bias.

On a CPU it is compiled: torch's layer norm takes three times as long on rows this narrow, and has a single scale and
bias for the whole batch, so that a scale and bias per candidate would take three more passes over memory.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from germline.programs.compiling import compiled

EPSILON = 1e-5
# Reordered sums can be vectorized; the compiler fixes the order, which is the same for every row.
OPTIONS = {"nogil": True, "error_model": "numpy", "fastmath": {"reassoc"}}
f32 = np.float32


def layer_norm(stream: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    """Normalises each position to mean 0 and variance 1 over its features, then applies `* (1 + scale) + bias`.

    Args:
        stream: float32 or bfloat16 of shape `[N, positions, width]`.
        scale, bias: float32 of shape `[N, width]`.

    Returns:
        float32 of the shape of `stream`; NaN where the squares of a position's features overflow.

    Raises:
        ValueError: scale or bias has another shape.
    """
    expected = (len(stream), stream.shape[-1])
    if scale.shape != expected or bias.shape != expected:
        got = f"{tuple(scale.shape)} and {tuple(bias.shape)}"
        raise ValueError(f"expected scale and bias of shape {expected}, got {got}")
    stream = stream.float()  # a product in bfloat16 is its usual origin where a task says so
    if stream.device.type == "cpu":
        return affine_layer_norm(stream, 1 + scale, bias)
    return layer_norm_of_torch(stream, scale, bias)


def affine_layer_norm(stream: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    """`layer_norm` on a CPU with the factor `scale` itself instead of its difference from 1; no shape is checked."""
    normed: Tensor = _LayerNorm.apply(stream, scale, bias)  # type: ignore[no-untyped-call]
    return normed


def layer_norm_of_torch(stream: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    """`layer_norm` on any device, with torch's kernels; the shapes are not checked."""
    normed, _, inverse = torch.native_layer_norm(stream, stream.shape[-1:], None, None, EPSILON)
    # Where the variance overflows, torch's quotient is a harmless zero: this is NaN there, and zero elsewhere.
    overflowed = 0.0 / inverse.detach()
    return torch.addcmul(bias[:, None] + overflowed, normed, 1 + scale[:, None])


class _LayerNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *inputs: Tensor) -> Tensor:
        stream, scale, bias = (tensor.contiguous() for tensor in inputs)
        normed, (mean, inverse) = torch.empty_like(stream), stream.new_empty(2, *stream.shape[:2])
        _forward(*(tensor.numpy() for tensor in (stream, scale, bias, normed, mean, inverse)))
        ctx.save_for_backward(stream, scale, mean, inverse)
        return normed

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        stream, scale, mean, inverse = ctx.saved_tensors
        results = torch.empty_like(stream), torch.zeros_like(scale), torch.zeros_like(scale)
        _backward(*(tensor.numpy() for tensor in (gradients[0].contiguous(), stream, scale, mean, inverse, *results)))
        return results


# Rows are addressed in a flat view: Numba then recognises contiguous loops, and vectorizes them.


@compiled(**OPTIONS)
def _forward(stream, scale, bias, normed, mean, inverse):  # type: ignore[no-untyped-def]
    candidates, positions, width = stream.shape
    x, y = stream.reshape(-1), normed.reshape(-1)
    share = f32(1 / width)
    for n in range(candidates):
        a, b = scale[n], bias[n]
        for position in range(positions):
            first = (n * positions + position) * width
            total = f32(0)
            for j in range(width):
                total += x[first + j]
            center = total * share
            total = f32(0)
            for j in range(width):
                distance = x[first + j] - center
                total += distance * distance
            # If the variance overflows, the quotient would be a harmless zero and hide that the candidate diverged.
            over = f32(1) / np.sqrt(total * share + f32(EPSILON)) if np.isfinite(total) else f32(np.nan)
            mean[n, position], inverse[n, position] = center, over
            for j in range(width):
                y[first + j] = (x[first + j] - center) * over * a[j] + b[j]


@compiled(**OPTIONS)
def _backward(upper, stream, scale, mean, inverse, lower, scale_gradient, bias_gradient):  # type: ignore[no-untyped-def]
    candidates, positions, width = stream.shape
    g, x, d = upper.reshape(-1), stream.reshape(-1), lower.reshape(-1)
    share = f32(1 / width)
    for n in range(candidates):
        a, by_scale, by_bias = scale[n], scale_gradient[n], bias_gradient[n]
        for position in range(positions):
            first = (n * positions + position) * width
            center, over = mean[n, position], inverse[n, position]
            total, aligned = f32(0), f32(0)
            for j in range(width):
                normed = (x[first + j] - center) * over
                gradient = g[first + j]
                by_bias[j] += gradient
                by_scale[j] += gradient * normed
                total += gradient * a[j]
                aligned += gradient * a[j] * normed
            total *= share
            aligned *= share
            for j in range(width):
                normed = (x[first + j] - center) * over
                d[first + j] = (g[first + j] * a[j] - total - normed * aligned) * over
