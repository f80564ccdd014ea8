"""The attention of `nn.MultiheadAttention` and of the transformer layers of torch, for many candidates."""

from typing import Any

from torch import Tensor

from germline.evaluators.optimizer.modules.dense import linear
from germline.evaluators.optimizer.modules.sequences import attention


def multi_head_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    *others: Any,
    is_causal: bool = False,
    **named: Any,
) -> Any:
    """Self-attention of `[positions, batch, width]` without dropout, padding or weights to return."""
    plain = query is key and key is value and query.dim() == 3 and in_proj_weight is not None
    special = (bias_k is not None, add_zero_attn, dropout_p and training, key_padding_mask is not None, need_weights)
    separate = use_separate_proj_weight or any(other is not None for other in others)
    if not plain or any(special) or separate or (attn_mask is not None and attn_mask.dim() != 2):
        return NotImplemented
    assert in_proj_weight is not None
    # The batch comes first in memory, since `nn.MultiheadAttention` has only transposed it.
    stream = query.transpose(0, 1)
    batch, length, width = stream.shape
    projected = linear(stream, in_proj_weight, in_proj_bias).view(batch, length, 3, num_heads, width // num_heads)
    queries, keys, values = projected.permute(2, 0, 3, 1, 4).unbind(0)
    attended = attention(queries, keys, values, attn_mask)
    joined = attended.transpose(1, 2).reshape(batch, length, width)
    return linear(joined, out_proj_weight, out_proj_bias).transpose(0, 1), None
