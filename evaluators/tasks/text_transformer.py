"""The task `text-transformer`: a small character model of English text."""

from collections.abc import Mapping
from math import sqrt

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from germline.evaluators.data.load import SPLITS, text, text_split
from germline.evaluators.optimizer.task import ParameterSpec, TrainingTask
from germline.evaluators.task import Rung, Split
from germline.evaluators.tasks.classification import Params, cross_entropy, loss_and_accuracy
from germline.evaluators.tasks.norm import layer_norm

ALPHABET = "\n !'(),-.0123456789:;?ABCDEFGHIJKLMNOPQRSTUVWYZabcdefghijklmnopqrstuvwxyz"
SYMBOLS, SEQUENCE, WIDTH, HEADS, INNER, LAYERS = len(ALPHABET), 32, 32, 2, 64, 2
MEASURED_WINDOWS = 128


def _layer(layer: int) -> tuple[ParameterSpec, ...]:
    """The parameters of a layer. The scale of a norm is stored as its difference from 1, and so starts at zero."""
    into_stream = 1 / sqrt(2 * LAYERS)
    return (
        ParameterSpec(f"{layer}.norm1.scale", (WIDTH,), 0.0),
        ParameterSpec(f"{layer}.norm1.bias", (WIDTH,), 0.0),
        ParameterSpec(f"{layer}.attend.weight", (WIDTH, 3 * WIDTH), sqrt(1 / WIDTH)),
        ParameterSpec(f"{layer}.attended.weight", (WIDTH, WIDTH), into_stream * sqrt(1 / WIDTH)),
        ParameterSpec(f"{layer}.norm2.scale", (WIDTH,), 0.0),
        ParameterSpec(f"{layer}.norm2.bias", (WIDTH,), 0.0),
        ParameterSpec(f"{layer}.expand.weight", (WIDTH, INNER), sqrt(2 / WIDTH)),
        ParameterSpec(f"{layer}.contract.weight", (INNER, WIDTH), into_stream * sqrt(1 / INNER)),
    )


class TextTransformer(TrainingTask):
    """A pre-norm transformer, 2 layers of width 32 with 2 heads, that predicts the next character at 32 positions.

    Losses are in nats per character. An example is a window of 33 successive characters of a split; its index is that
    of its first character in the split.
    """

    name = "text-transformer"
    batch_invariant = True
    version = 3
    rungs = (Rung(300, 8), Rung(3_000, 8), Rung(30_000, 8))
    parameters = (
        ParameterSpec("symbol", (SYMBOLS, WIDTH), 0.5),
        ParameterSpec("position", (SEQUENCE, WIDTH), 0.25),
        *(spec for layer in range(LAYERS) for spec in _layer(layer)),
        ParameterSpec("norm.scale", (WIDTH,), 0.0),
        ParameterSpec("norm.bias", (WIDTH,), 0.0),
        ParameterSpec("output.weight", (SYMBOLS, WIDTH), 0.02),
    )

    def __init__(self, device: str = "cpu") -> None:
        codes = text()
        number = np.zeros(256, np.uint8)
        number[list(ALPHABET.encode("ascii"))] = np.arange(SYMBOLS)
        members = text_split(codes)
        self._symbols = {split: torch.from_numpy(number[codes[members[split]]]).to(device) for split in SPLITS}
        self._window = torch.arange(SEQUENCE + 1, device=device)
        self._future = torch.full((SEQUENCE, SEQUENCE), -torch.inf, device=device).triu(1)

    def size(self, split: Split) -> int:
        return len(self._symbols[split]) - SEQUENCE

    def loss(self, params: Mapping[str, Tensor], split: Split, index: Tensor) -> Tensor:
        symbols, target = self._windows(split, index)
        return cross_entropy(self._logits(params, symbols), target)

    def measure(self, params: Mapping[str, Tensor], split: Split) -> dict[str, Tensor]:
        """Loss and accuracy on the characters of 128 windows spread evenly over the split."""
        starts = torch.arange(MEASURED_WINDOWS, device=self._window.device) * (self.size(split) // MEASURED_WINDOWS)
        symbols, target = self._windows(split, starts)
        with torch.no_grad():
            both = loss_and_accuracy(self._logits(params, symbols), target)
        return {"loss": both[:, 0], "accuracy": both[:, 1]}

    def _windows(self, split: Split, index: Tensor) -> tuple[Tensor, Tensor]:
        """Input symbols and target symbols, int64 of shape `[batch * 32]` each."""
        windows = self._symbols[split][index[:, None] + self._window].long()
        return windows[:, :-1].reshape(-1), windows[:, 1:].reshape(-1)

    def _logits(self, params: Params, symbols: Tensor) -> Tensor:
        """Logits `[N, 73, batch * 32]` of the symbol that follows each of `symbols`; hidden values have the shape
        `[N, batch * 32, 32]`."""
        n, batch = len(params["symbol"]), len(symbols) // SEQUENCE
        row = symbols + SYMBOLS * torch.arange(n, device=symbols.device)[:, None]
        embedded = F.embedding(row, params["symbol"].reshape(n * SYMBOLS, WIDTH)).view(n, batch, SEQUENCE, WIDTH)
        stream = (embedded + params["position"][:, None]).view(n, -1, WIDTH)
        for layer in range(LAYERS):
            projected = torch.bmm(_norm(params, f"{layer}.norm1", stream), params[f"{layer}.attend.weight"])
            attended = self._attend(projected.view(n * batch, SEQUENCE, 3 * WIDTH)).view(n, -1, WIDTH)
            stream = torch.baddbmm(stream, attended, params[f"{layer}.attended.weight"])
            inner = torch.bmm(_norm(params, f"{layer}.norm2", stream), params[f"{layer}.expand.weight"]).relu_()
            stream = torch.baddbmm(stream, inner, params[f"{layer}.contract.weight"])
        return torch.bmm(params["output.weight"], _norm(params, "norm", stream).mT)

    def _attend(self, projected: Tensor) -> Tensor:
        """Causal softmax attention `[windows, 32, 96]` → `[windows, 32, 32]`.

        The heads are slices of the last axis, so that no query, key or value is copied.
        """
        width = WIDTH // HEADS
        parts = torch.split(projected, width, dim=-1)
        heads = []
        for query, key, value in zip(parts[:HEADS], parts[HEADS : 2 * HEADS], parts[2 * HEADS :], strict=True):
            score = torch.baddbmm(self._future, query, key.mT, alpha=1 / sqrt(width))
            heads.append(torch.bmm(score.softmax(-1), value))
        return torch.cat(heads, dim=-1)


def _norm(params: Params, name: str, stream: Tensor) -> Tensor:
    return layer_norm(stream, params[f"{name}.scale"], params[f"{name}.bias"])
