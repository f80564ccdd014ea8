"""The functions of torch that have a rule of their own for many candidates, and the mode that applies the rules."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from germline.evaluators.optimizer.modules import dense, images, recurrent_cells, sequences
from germline.evaluators.optimizer.modules.multi_head import multi_head_attention
from germline.evaluators.optimizer.modules.recurrent import CELLS, layer_of

RULES: Mapping[Callable[..., Any], Callable[..., Any]] = {
    F.linear: dense.linear,
    F.cross_entropy: dense.cross_entropy,
    F.conv2d: images.conv2d,
    F.batch_norm: images.batch_norm,
    F.layer_norm: sequences.layer_norm,
    F.scaled_dot_product_attention: sequences.attention,
    F.multi_head_attention_forward: multi_head_attention,
    **{getattr(torch, name): layer_of(name) for name in CELLS},
    torch.lstm_cell: recurrent_cells.lstm_cell,
    torch.gru_cell: recurrent_cells.gru_cell,
    torch.rnn_tanh_cell: recurrent_cells.plain_cell(torch.tanh),
    torch.rnn_relu_cell: recurrent_cells.plain_cell(torch.relu),
}
"""For a function of torch, the function that computes it for all candidates under `vmap`. It takes the same arguments,
and returns NotImplemented for arguments that `vmap` should handle."""


class OwnRules(TorchFunctionMode):
    """Within this context, functions that have a rule are computed by it; all others by `vmap`'s rules."""

    def __torch_function__(
        self, function: Callable[..., Any], types: Sequence[type], args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        rule = RULES.get(function)
        if rule is not None:
            result = rule(*args, **(kwargs or {}))
            if result is not NotImplemented:
                return result
        return function(*args, **(kwargs or {}))
