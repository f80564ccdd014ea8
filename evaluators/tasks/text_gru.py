"""The task `text-gru`: a small recurrent character model of English text."""

from math import sqrt
from typing import Any

import torch
from torch import Tensor

from germline.evaluators.optimizer.task import ParameterSpec
from germline.evaluators.task import Rung
from germline.evaluators.tasks.classification import Params
from germline.evaluators.tasks.text import SEQUENCE, SYMBOLS, TextTask, embedded

WIDTH = 32


class TextGRU(TextTask):
    """A gated recurrent unit of width 32 (Cho et al. 2014) that predicts the next character at 32 positions.

    The state begins at zero in each window. What a symbol adds to the reset gate, the update gate and the new state is
    a row of the parameter `symbol`, which so has the place of biases.
    """

    name = "text-gru"
    batch_invariant = True
    held_out_task = True
    rungs = (Rung(300, 8), Rung(3_000, 8), Rung(30_000, 8))
    parameters = (
        ParameterSpec("symbol", (SYMBOLS, 3 * WIDTH), 0.5),
        ParameterSpec("recurrent.weight", (WIDTH, 3 * WIDTH), sqrt(1 / WIDTH)),
        ParameterSpec("output.weight", (SYMBOLS, WIDTH), sqrt(1 / WIDTH)),
        ParameterSpec("output.bias", (SYMBOLS,), 0.0),
    )

    def logits(self, params: Params, symbols: Tensor) -> Tensor:
        """Hidden values have the shape `[32, N, batch, width]`: the values of a position are contiguous."""
        n, batch = len(params["symbol"]), len(symbols) // SEQUENCE
        by_position = symbols.view(batch, SEQUENCE).T.reshape(-1)
        inputs = embedded(params, by_position).view(n, SEQUENCE, batch, -1).transpose(0, 1).contiguous()
        states: Tensor = _GRU.apply(inputs, params["recurrent.weight"])  # type: ignore[no-untyped-call]
        columns = states.permute(1, 3, 2, 0).reshape(n, WIDTH, -1)
        return torch.bmm(params["output.weight"], columns) + params["output.bias"][:, :, None]


class _GRU(torch.autograd.Function):
    """The states `[positions, N, batch, width]` after each position, from inputs `[positions, N, batch, 3 * width]` and
    the recurrent weight `[N, width, 3 * width]`.

    With r, z = sigmoid(inputs + h U) and n = tanh(input + r * (h U)), the next state is n + z * (h - n). The backward
    pass is written out, since autograd would launch three times as many operations for each position.
    """

    @staticmethod
    def forward(ctx: Any, *tensors: Tensor) -> Tensor:
        inputs, weight = tensors
        width = weight.shape[1]
        states = inputs.new_zeros(len(inputs) + 1, *inputs.shape[1:3], width)
        gates, recalled = torch.empty_like(inputs), torch.empty_like(states[1:])
        for t, given in enumerate(inputs):
            remembered = torch.bmm(states[t], weight)
            gate = torch.add(given[..., : 2 * width], remembered[..., : 2 * width]).sigmoid_()
            recalled[t] = remembered[..., 2 * width :]
            new = torch.addcmul(given[..., 2 * width :], gate[..., :width], recalled[t]).tanh_()
            gates[t, ..., : 2 * width], gates[t, ..., 2 * width :] = gate, new
            torch.addcmul(new, gate[..., width:], states[t] - new, out=states[t + 1])
        ctx.save_for_backward(weight, states, gates, recalled)
        return states[1:]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        weight, states, gates, recalled = ctx.saved_tensors
        width = weight.shape[1]
        reset, update, new = gates.split(width, -1)
        into_new = (1 - update) * (1 - new * new)
        into_update = (states[:-1] - new) * update * (1 - update)
        into_reset = recalled * reset * (1 - reset)
        to_inputs, to_remembered = torch.empty_like(gates), torch.empty_like(gates)
        back = weight.mT.contiguous()
        upper = torch.zeros_like(states[0])
        for t in reversed(range(len(gates))):
            upper = upper + gradients[0][t]
            to_new = upper * into_new[t]
            torch.mul(to_new, into_reset[t], out=to_remembered[t, ..., :width])
            torch.mul(upper, into_update[t], out=to_remembered[t, ..., width : 2 * width])
            torch.mul(to_new, reset[t], out=to_remembered[t, ..., 2 * width :])
            to_inputs[t, ..., 2 * width :] = to_new
            upper = torch.baddbmm(upper * update[t], to_remembered[t], back)
        to_inputs[..., : 2 * width] = to_remembered[..., : 2 * width]
        n = len(weight)
        before = states[:-1].permute(1, 3, 0, 2).reshape(n, width, -1)
        return to_inputs, torch.bmm(before, to_remembered.transpose(0, 1).reshape(n, -1, 3 * width))
