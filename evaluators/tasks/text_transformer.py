"""The task `text-transformer`: a small character model of English text."""

from math import sqrt
from typing import ClassVar

import torch
from torch import Tensor

from germline.evaluators.optimizer.task import ParameterSpec
from germline.evaluators.task import Rung
from germline.evaluators.tasks.classification import Params
from germline.evaluators.tasks.norm import layer_norm
from germline.evaluators.tasks.text import SEQUENCE, SYMBOLS, TextTask, embedded

WIDTH, HEADS, INNER, LAYERS = 32, 2, 64, 2


def transformer_parameters(layers: int, width: int, inner: int) -> tuple[ParameterSpec, ...]:
    """Returns the parameters of a transformer. The scale of a norm is stored as its difference from 1, and so starts at
    zero."""
    return (
        ParameterSpec("symbol", (SYMBOLS, width), 0.5),
        ParameterSpec("position", (SEQUENCE, width), 0.25),
        *(spec for layer in range(layers) for spec in _layer(layer, 1 / sqrt(2 * layers), width, inner)),
        ParameterSpec("norm.scale", (width,), 0.0),
        ParameterSpec("norm.bias", (width,), 0.0),
        ParameterSpec("output.weight", (SYMBOLS, width), 0.02),
    )


def _layer(layer: int, into_stream: float, width: int, inner: int) -> tuple[ParameterSpec, ...]:
    """The parameters of a layer; `into_stream` scales the initial values of what is added to the stream."""
    return (
        ParameterSpec(f"{layer}.norm1.scale", (width,), 0.0),
        ParameterSpec(f"{layer}.norm1.bias", (width,), 0.0),
        ParameterSpec(f"{layer}.attend.weight", (width, 3 * width), sqrt(1 / width)),
        ParameterSpec(f"{layer}.attended.weight", (width, width), into_stream * sqrt(1 / width)),
        ParameterSpec(f"{layer}.norm2.scale", (width,), 0.0),
        ParameterSpec(f"{layer}.norm2.bias", (width,), 0.0),
        ParameterSpec(f"{layer}.expand.weight", (width, inner), sqrt(2 / width)),
        ParameterSpec(f"{layer}.contract.weight", (inner, width), into_stream * sqrt(1 / inner)),
    )


class TextTransformer(TextTask):
    """A pre-norm transformer, 2 layers of width 32 with 2 heads, that predicts the next character at 32 positions.

    A subclass of another size declares `layers` and `heads`, and its parameters.
    """

    name = "text-transformer"
    batch_invariant = True
    version = 3
    rungs = (Rung(300, 8), Rung(3_000, 8), Rung(30_000, 8))
    layers: ClassVar[int] = LAYERS
    heads: ClassVar[int] = HEADS
    parameters = transformer_parameters(LAYERS, WIDTH, INNER)

    def __init__(self, device: str = "cpu") -> None:
        super().__init__(device)
        self._future = torch.full((SEQUENCE, SEQUENCE), -torch.inf, device=device).triu(1)

    def logits(self, params: Params, symbols: Tensor) -> Tensor:
        """Hidden values have the shape `[N, batch * 32, width]`."""
        n, _, width = params["symbol"].shape
        batch = len(symbols) // SEQUENCE
        stream = (embedded(params, symbols).view(n, batch, SEQUENCE, width) + params["position"][:, None]).view(
            n, -1, width
        )
        for layer in range(self.layers):
            projected = torch.bmm(_norm(params, f"{layer}.norm1", stream), params[f"{layer}.attend.weight"])
            attended = self._attend(projected.view(n * batch, SEQUENCE, 3 * width)).view(n, -1, width)
            stream = torch.baddbmm(stream, attended, params[f"{layer}.attended.weight"])
            inner = torch.bmm(_norm(params, f"{layer}.norm2", stream), params[f"{layer}.expand.weight"]).relu_()
            stream = torch.baddbmm(stream, inner, params[f"{layer}.contract.weight"])
        return torch.bmm(params["output.weight"], _norm(params, "norm", stream).mT)

    def _attend(self, projected: Tensor) -> Tensor:
        """Causal softmax attention `[windows, 32, 3 * width]` → `[windows, 32, width]`.

        The heads are slices of the last axis, so that no query, key or value is copied.
        """
        width = projected.shape[-1] // (3 * self.heads)
        parts = torch.split(projected, width, dim=-1)
        heads = []
        for query, key, value in zip(
            parts[: self.heads], parts[self.heads : -self.heads], parts[-self.heads :], strict=True
        ):
            score = torch.baddbmm(self._future, query, key.mT, alpha=1 / sqrt(width))
            heads.append(torch.bmm(score.softmax(-1), value))
        return torch.cat(heads, dim=-1)


def _norm(params: Params, name: str, stream: Tensor) -> Tensor:
    return layer_norm(stream, params[f"{name}.scale"], params[f"{name}.bias"])
