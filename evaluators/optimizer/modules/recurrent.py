"""Recurrent layers of many candidates: a loop over time with all candidates in each step."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from germline.evaluators.optimizer.modules.rule import batched, stacked

States = tuple[Tensor, ...]
Cell = Callable[[Tensor, Tensor, Tensor | None, States], States]
"""A step: from the input's part of the gates `[N, batch, gates]`, the weights `[N, hidden, gates]` and the bias
`[N, 1, gates]` of the hidden state, and the states `[N, batch, hidden]` to the next states, the hidden one first."""


def _lstm(part: Tensor, weight: Tensor, bias: Tensor | None, states: States) -> States:
    hidden, cell = states
    gates = torch.baddbmm(part if bias is None else part + bias, hidden, weight)
    size = hidden.shape[-1]
    opened, candidate, shown = torch.split(gates, [2 * size, size, size], -1)
    entered, remembered = torch.split(opened.sigmoid(), size, -1)
    cell = torch.addcmul(remembered * cell, entered, candidate.tanh())
    return shown.sigmoid() * cell.tanh(), cell


def _gru(part: Tensor, weight: Tensor, bias: Tensor | None, states: States) -> States:
    (hidden,) = states
    own = torch.bmm(hidden, weight) if bias is None else torch.baddbmm(bias, hidden, weight)
    size = hidden.shape[-1]
    gates = (part[..., : 2 * size] + own[..., : 2 * size]).sigmoid()
    reset, kept = torch.split(gates, size, -1)
    candidate = torch.addcmul(part[..., 2 * size :], reset, own[..., 2 * size :]).tanh()
    return (torch.lerp(candidate, hidden, kept),)


def _plain(function: Callable[[Tensor], Tensor]) -> Cell:
    def cell(part: Tensor, weight: Tensor, bias: Tensor | None, states: States) -> States:
        return (function(torch.baddbmm(part if bias is None else part + bias, states[0], weight)),)

    return cell


CELLS: dict[str, Cell] = {"lstm": _lstm, "gru": _gru, "rnn_tanh": _plain(torch.tanh), "rnn_relu": _plain(torch.relu)}


def layer_of(name: str) -> Callable[..., Any]:
    """The function `torch.lstm`, `torch.gru`, `torch.rnn_tanh` or `torch.rnn_relu` for many candidates."""
    cell, original = CELLS[name], getattr(torch, name)
    kinds = 2 if name == "lstm" else 1

    def rule(count: int, own: tuple[bool, ...], layers: int, directions: int, biased: bool, *tensors: Tensor) -> States:
        """The outputs `[N, time, batch, hidden]` and the last states `[N, layers, batch, hidden]`."""
        x, *others = (stacked(count, each, tensor) for each, tensor in zip(own[3:], tensors, strict=True))
        output, lasts = _through_layers(cell, x, others[:kinds], others[kinds:], layers, directions, biased)
        return output, *(torch.stack(state, 1) for state in zip(*lasts, strict=True))

    def unstacked(layers: int, directions: int, biased: bool, x: Tensor, *others: Tensor) -> Any:
        first = others[:kinds] if kinds > 1 else others[0]
        return original(x, first, others[kinds:], biased, layers, 0.0, False, directions == 2, False)

    apply = batched(unstacked, rule)

    def call(x: Tensor, first: Any, weights: Any, *options: Any) -> Any:
        if len(options) != 6:  # a packed sequence
            return NotImplemented
        biased, layers, dropout, training, bidirectional, batch_first = options
        states = tuple(first) if kinds > 1 else (first,)
        widths = 4 if biased else 2
        if (dropout and training) or x.dim() != 3 or len(weights) != layers * (1 + bidirectional) * widths:
            return NotImplemented
        x = x.transpose(0, 1) if batch_first else x
        output, *lasts = apply(layers, 1 + bidirectional, biased, x, *states, *weights)
        return (output.transpose(0, 1) if batch_first else output), *lasts

    return call


def _through_layers(
    cell: Cell,
    x: Tensor,
    first: Sequence[Tensor],
    weights: Sequence[Tensor],
    layers: int,
    directions: int,
    biased: bool,
) -> tuple[Tensor, list[States]]:
    """The outputs of the last of several layers, from inputs `[N, time, batch, inputs]`, and the last states of each
    layer in each direction. `first` are the first states of all of these, `[N, layers * directions, batch, hidden]`."""
    width = len(weights) // (layers * directions)
    lasts: list[States] = []
    for layer in range(layers):
        outputs = []
        for direction in range(directions):
            place = layer * directions + direction
            states = tuple(state[:, place] for state in first)
            own_weights = weights[place * width : (place + 1) * width]
            output, states = _over_time(cell, x, own_weights, biased, states, backwards=direction == 1)
            outputs.append(output)
            lasts.append(states)
        x = outputs[0] if directions == 1 else torch.cat(outputs, -1)
    return x, lasts


def _over_time(
    cell: Cell, x: Tensor, weights: Sequence[Tensor], biased: bool, states: States, backwards: bool
) -> tuple[Tensor, States]:
    """The outputs of a layer in one direction, from inputs `[N, time, batch, inputs]`, and its last states."""
    count, time, batch, inputs = x.shape
    rows = x.reshape(count, time * batch, inputs)
    into, recurrent = weights[0].mT, weights[1].mT.contiguous()
    parts = torch.bmm(rows, into) if not biased else torch.baddbmm(weights[2][:, None], rows, into)
    bias = weights[3][:, None] if biased else None
    steps = parts.view(count, time, batch, -1).unbind(1)
    outputs = []
    for part in reversed(steps) if backwards else steps:
        states = cell(part, recurrent, bias, states)
        outputs.append(states[0])
    return torch.stack(outputs[::-1] if backwards else outputs, 1), states
