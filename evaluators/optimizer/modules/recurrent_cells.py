"""Recurrent cells, a single step of a recurrent layer, in operations that `vmap` has rules for."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def lstm_cell(
    x: Tensor,
    states: tuple[Tensor, Tensor],
    weight_x: Tensor,
    weight_h: Tensor,
    bias_x: Tensor | None = None,
    bias_h: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """As `torch.lstm_cell`: the next hidden and cell state `[batch, hidden]`."""
    hidden, cell = states
    entered, remembered, candidate, shown = torch.chunk(
        F.linear(x, weight_x, bias_x) + F.linear(hidden, weight_h, bias_h), 4, -1
    )
    cell = remembered.sigmoid() * cell + entered.sigmoid() * candidate.tanh()
    return shown.sigmoid() * cell.tanh(), cell


def gru_cell(
    x: Tensor,
    hidden: Tensor,
    weight_x: Tensor,
    weight_h: Tensor,
    bias_x: Tensor | None = None,
    bias_h: Tensor | None = None,
) -> Tensor:
    """As `torch.gru_cell`: the next hidden state `[batch, hidden]`."""
    reset, kept, new = torch.chunk(F.linear(x, weight_x, bias_x), 3, -1)
    own_reset, own_kept, own_new = torch.chunk(F.linear(hidden, weight_h, bias_h), 3, -1)
    candidate = (new + (reset + own_reset).sigmoid() * own_new).tanh()
    return torch.lerp(candidate, hidden, (kept + own_kept).sigmoid())


def plain_cell(function: Callable[[Tensor], Tensor]) -> Callable[..., Any]:
    """As `torch.rnn_tanh_cell` or `torch.rnn_relu_cell`, by the function of its activation."""

    def cell(
        x: Tensor,
        hidden: Tensor,
        weight_x: Tensor,
        weight_h: Tensor,
        bias_x: Tensor | None = None,
        bias_h: Tensor | None = None,
    ) -> Tensor:
        return function(F.linear(x, weight_x, bias_x) + F.linear(hidden, weight_h, bias_h))

    return cell
