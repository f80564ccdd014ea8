"""The models of the training tasks as ordinary modules, with their data: what the baseline trains."""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from germline.evaluators.data.load import digits, mnist5k, text, text_split
from germline.evaluators.task import Split
from germline.evaluators.tasks import digits_mlp, text_transformer
from germline.evaluators.tasks.text import ALPHABET, MEASURED_WINDOWS, SEQUENCE, SYMBOLS

Made = tuple[Callable[[], nn.Module], tuple[Tensor, Tensor], tuple[Tensor, Tensor]]
"""A function that returns a fresh model, (inputs, targets) to train on, and (inputs, targets) to measure on."""


def _digits(device: str) -> Made:
    hidden, pixels = digits_mlp.HIDDEN, digits_mlp.PIXELS

    def model() -> nn.Module:
        layers = (nn.Linear(pixels, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 10))
        return nn.Sequential(*layers).to(device)

    return model, *(_images(digits().part(split), device, 16, flat=True) for split in ("train", "validation"))


def _mnist5k(device: str) -> Made:
    def model() -> nn.Module:
        convolutions = (nn.Conv2d(1, 8, 5, 2), nn.ReLU(), nn.Conv2d(8, 16, 3, 2), nn.ReLU())
        return nn.Sequential(*convolutions, nn.Flatten(), nn.Linear(400, 10)).to(device)

    return model, *(_images(mnist5k().part(split), device, 255, flat=False) for split in ("train", "validation"))


def _images(part: tuple[np.ndarray, np.ndarray], device: str, brightest: int, flat: bool) -> tuple[Tensor, Tensor]:
    images, labels = (torch.from_numpy(array).to(device) for array in part)
    shaped = images.flatten(1) if flat else images[:, None]
    return shaped.float() / brightest, labels.long()


class _Layer(nn.Module):
    """A pre-norm transformer layer."""

    def __init__(self, width: int, heads: int, inner: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attend, self.attended = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.expand, self.contract = nn.Linear(width, inner, bias=False), nn.Linear(inner, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        parts = self.attend(self.norm1(x)).view(batch, length, 3, self.heads, width // self.heads)
        attended = F.scaled_dot_product_attention(*parts.permute(2, 0, 3, 1, 4), is_causal=True)
        x = x + self.attended(attended.transpose(1, 2).reshape(batch, length, width))
        return x + self.contract(F.relu(self.expand(self.norm2(x))))


class _Characters(nn.Module):
    """The model of `text-transformer`."""

    def __init__(self) -> None:
        super().__init__()
        task = text_transformer
        self.symbol = nn.Embedding(SYMBOLS, task.WIDTH)
        self.position = nn.Parameter(0.25 * torch.randn(SEQUENCE, task.WIDTH))
        self.layers = nn.Sequential(*(_Layer(task.WIDTH, task.HEADS, task.INNER) for _ in range(task.LAYERS)))
        self.norm = nn.LayerNorm(task.WIDTH)
        self.output = nn.Linear(task.WIDTH, SYMBOLS, bias=False)

    def forward(self, symbols: Tensor) -> Tensor:
        logits: Tensor = self.output(self.norm(self.layers(self.symbol(symbols) + self.position)))
        return logits


def _text(device: str) -> Made:
    codes = text()
    number = np.zeros(256, np.int64)
    number[list(ALPHABET.encode("ascii"))] = np.arange(SYMBOLS)

    def windows(split: Split, step: int, most: int | None) -> tuple[Tensor, Tensor]:
        symbols = torch.from_numpy(number[codes[text_split(codes)[split]]])
        found = symbols.unfold(0, SEQUENCE + 1, step)[:most].to(device)
        return found[:, :-1].contiguous(), found[:, 1:].contiguous()

    return (
        lambda: _Characters().to(device),
        windows("train", SEQUENCE, None),
        windows("validation", SEQUENCE, MEASURED_WINDOWS),
    )


MODULES: dict[str, Callable[[str], Made]] = {
    "digits-mlp": _digits,
    "mnist5k-conv": _mnist5k,
    "text-transformer": _text,
}
