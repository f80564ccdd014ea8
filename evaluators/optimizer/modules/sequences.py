"""Attention and layer norm of many candidates."""

from collections.abc import Sequence
from functools import lru_cache
from math import sqrt
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from germline.evaluators.optimizer.modules.rule import batched, stacked
from germline.evaluators.tasks.norm import EPSILON, affine_layer_norm


def _attention(
    count: int, own: tuple[bool, ...], query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float
) -> Tensor:
    """Softmax attention on `[N, ..., heads, positions, width]`, with a mask that is added to scores, `[queries, keys]`,
    or `[N, queries, keys]` if candidates have their own.

    Heads are computed one after the other: as slices of a projection they need no copies, and their results are
    concatenated as the next projection takes them.
    """
    query, key, value = (stacked(count, each, part) for each, part in zip(own, (query, key, value), strict=False))
    if mask is not None and own[3]:  # a learned mask: the same for the examples of a candidate
        examples = query[0, ..., 0, 0, 0].numel()
        mask = mask[:, None].expand(-1, examples, -1, -1).flatten(0, 1)
    heads = []
    for number in range(query.shape[-3]):
        q, k, v = (part[..., number, :, :].reshape(-1, *part.shape[-2:]) for part in (query, key, value))
        score = torch.bmm(q, k.mT) * scale if mask is None else torch.baddbmm(mask, q, k.mT, alpha=scale)
        heads.append(torch.bmm(score.softmax(-1), v))
    together = torch.cat(heads, dim=-1)
    return together.view(*query.shape[:-3], query.shape[-2], len(heads), -1).transpose(-3, -2)


def _layer_norm(count: int, own: tuple[bool, ...], x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    x = stacked(count, own[0], x)
    width = x.shape[-1]
    scale = x.new_ones(count, width) if weight is None else stacked(count, own[1], weight)
    shift = x.new_zeros(count, width) if bias is None else stacked(count, own[2], bias)
    return affine_layer_norm(x.reshape(count, -1, width), scale, shift).view(x.shape)


_ATTENTION = batched(F.scaled_dot_product_attention, _attention)
_LAYER_NORM = batched(lambda x, weight, bias: F.layer_norm(x, x.shape[-1:], weight, bias), _layer_norm)


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    """`F.scaled_dot_product_attention` of three or more axes, all but the last two of equal sizes, without dropout, and
    with no mask or one that all heads share, `[queries, keys]`."""
    shapes = query.shape[:-2] == key.shape[:-2] == value.shape[:-2]
    if dropout_p or enable_gqa or not shapes or query.dim() < 3 or (attn_mask is not None and attn_mask.dim() != 2):
        return NotImplemented
    mask = attn_mask
    if is_causal:
        mask = _future(query.shape[-2], key.shape[-2], query.device)
    elif mask is not None and mask.dtype == torch.bool:
        mask = torch.zeros_like(mask, dtype=query.dtype).masked_fill(~mask, -torch.inf)
    return _ATTENTION(query, key, value, mask, 1 / sqrt(query.shape[-1]) if scale is None else scale)


@lru_cache(maxsize=64)
def _future(queries: int, keys: int, device: torch.device) -> Tensor:
    """What is added to the scores of positions that a query must not see."""
    return torch.full((queries, keys), -torch.inf, device=device).triu(1)


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Any:
    """`F.layer_norm` over the last axis, in float32 on a CPU, with the usual `eps`."""
    plain = len(normalized_shape) == 1 and eps == EPSILON and input.dim() > 1
    if not plain or input.device.type != "cpu" or input.dtype != torch.float32:
        return NotImplemented
    return _LAYER_NORM(input, weight, bias)
