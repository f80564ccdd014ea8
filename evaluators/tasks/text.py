"""What all models of the text have in common: characters, windows, loss and measures."""

from abc import abstractmethod
from collections.abc import Mapping
from functools import cache

import numpy as np
import torch
from torch import Tensor

from germline.evaluators.data.load import SPLITS, text, text_split
from germline.evaluators.optimizer.task import TrainingTask
from germline.evaluators.task import Split
from germline.evaluators.tasks.classification import Params, cross_entropy, loss_and_accuracy

ALPHABET = "\n !'(),-.0123456789:;?ABCDEFGHIJKLMNOPQRSTUVWYZabcdefghijklmnopqrstuvwxyz"
SYMBOLS, SEQUENCE = len(ALPHABET), 32
MEASURED_WINDOWS = 128


class TextTask(TrainingTask):
    """A model that predicts the next character at each of 32 positions; a subclass writes `logits`.

    Losses are in nats per character. An example is a window of 33 successive characters of a split; its index is that
    of its first character in the split.
    """

    def __init__(self, device: str = "cpu") -> None:
        self._symbols = {split: symbols.to(device) for split, symbols in _symbols().items()}
        self._window = torch.arange(SEQUENCE + 1, device=device)

    @abstractmethod
    def logits(self, params: Params, symbols: Tensor) -> Tensor:
        """Returns logits of the symbol that follows each of `symbols`, given it and those before it in its window.

        Args:
            params: for each parameter a tensor of shape `[N, *shape]`.
            symbols: int64 of shape `[batch * 32]`, one window after the other.

        Returns:
            float32 of shape `[N, 73, batch * 32]`.
        """

    def size(self, split: Split) -> int:
        return len(self._symbols[split]) - SEQUENCE

    def loss(self, params: Mapping[str, Tensor], split: Split, index: Tensor) -> Tensor:
        symbols, target = self._windows(split, index)
        return cross_entropy(self.logits(params, symbols), target)

    def measure(self, params: Mapping[str, Tensor], split: Split) -> dict[str, Tensor]:
        """Loss and accuracy on the characters of 128 windows spread evenly over the split."""
        starts = torch.arange(MEASURED_WINDOWS, device=self._window.device) * (self.size(split) // MEASURED_WINDOWS)
        symbols, target = self._windows(split, starts)
        with torch.no_grad():
            both = loss_and_accuracy(self.logits(params, symbols), target)
        return {"loss": both[:, 0], "accuracy": both[:, 1]}

    def _windows(self, split: Split, index: Tensor) -> tuple[Tensor, Tensor]:
        """Input symbols and target symbols, int64 of shape `[batch * 32]` each."""
        windows = self._symbols[split][index[:, None] + self._window].long()
        return windows[:, :-1].reshape(-1), windows[:, 1:].reshape(-1)


@cache
def _symbols() -> dict[Split, Tensor]:
    """The symbols of each split, uint8 in 0..72 on the CPU; read once a process, since unpacking takes time."""
    codes = text()
    number = np.zeros(256, np.uint8)
    number[list(ALPHABET.encode("ascii"))] = np.arange(SYMBOLS)
    members = text_split(codes)
    return {split: torch.from_numpy(number[codes[members[split]]]) for split in SPLITS}


def embedded(params: Params, symbols: Tensor) -> Tensor:
    """Returns the rows of the parameter `symbol`, `[N, 73, width]`, for symbols `[batch * 32]`: a tensor of shape
    `[N, batch * 32, width]`."""
    table = params["symbol"]
    return looked_up(table, symbols) if table.device.type == "cpu" else multiplied_up(table, symbols)


def looked_up(table: Tensor, symbols: Tensor) -> Tensor:
    """`embedded` by a look-up, whose gradient a GPU would add up after sorting the symbols of all candidates."""
    n, count, width = table.shape
    row = symbols + count * torch.arange(n, device=symbols.device)[:, None]
    return torch.nn.functional.embedding(row, table.reshape(n * count, width))


def multiplied_up(table: Tensor, symbols: Tensor) -> Tensor:
    """`embedded` as a product with ones and zeros, whose gradient is another product. The bits are those of a look-up
    if all of `table` is finite."""
    chosen = (symbols[:, None] == torch.arange(table.shape[1], device=symbols.device)).to(table.dtype)
    return torch.matmul(chosen, table)
