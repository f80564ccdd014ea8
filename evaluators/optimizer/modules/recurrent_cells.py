"""Recurrent cells, a single step of a recurrent layer, in operations that `vmap` has rules for."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def lstm_cell(
    input: Tensor,
    hx: tuple[Tensor, Tensor],
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """As `torch.lstm_cell`: the next hidden and cell state `[batch, hidden]`."""
    hidden, cell = hx
    gates = F.linear(input, w_ih, b_ih) + F.linear(hidden, w_hh, b_hh)
    entered, remembered, candidate, shown = torch.chunk(gates, 4, -1)
    cell = remembered.sigmoid() * cell + entered.sigmoid() * candidate.tanh()
    return shown.sigmoid() * cell.tanh(), cell


def gru_cell(
    input: Tensor,
    hx: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> Tensor:
    """As `torch.gru_cell`: the next hidden state `[batch, hidden]`."""
    reset, kept, new = torch.chunk(F.linear(input, w_ih, b_ih), 3, -1)
    own_reset, own_kept, own_new = torch.chunk(F.linear(hx, w_hh, b_hh), 3, -1)
    candidate = (new + (reset + own_reset).sigmoid() * own_new).tanh()
    return torch.lerp(candidate, hx, (kept + own_kept).sigmoid())


def plain_cell(function: Callable[[Tensor], Tensor]) -> Callable[..., Any]:
    """As `torch.rnn_tanh_cell` or `torch.rnn_relu_cell`, by the function of its activation."""

    def cell(
        input: Tensor,
        hx: Tensor,
        w_ih: Tensor,
        w_hh: Tensor,
        b_ih: Tensor | None = None,
        b_hh: Tensor | None = None,
    ) -> Tensor:
        return function(F.linear(input, w_ih, b_ih) + F.linear(hx, w_hh, b_hh))

    return cell
