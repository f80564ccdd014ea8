"""The task `digits-mlp`: a small perceptron on 8×8 handwritten digits."""

from abc import abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor

from germline.evaluators.data.load import SPLITS, digits
from germline.evaluators.optimizer.task import TrainingTask
from germline.evaluators.task import Rung, Split
from germline.evaluators.tasks.classification import Params, cross_entropy, loss_and_accuracy
from germline.evaluators.tasks.perceptron import dense_parameters

PIXELS, HIDDEN, CLASSES = 64, 32, 10


class DigitsTask(TrainingTask):
    """A model that classifies the 8×8 digits, pixels scaled to 0..1; a subclass writes `logits`."""

    def __init__(self, device: str = "cpu") -> None:
        data = digits()
        self._pixels: dict[Split, Tensor] = {}
        self._labels: dict[Split, Tensor] = {}
        for split in SPLITS:
            images, labels = data.part(split)
            self._pixels[split] = (torch.from_numpy(images).flatten(1).float() / 16).to(device)
            self._labels[split] = torch.from_numpy(labels).long().to(device)

    @abstractmethod
    def logits(self, params: Params, pixels: Tensor) -> Tensor:
        """Returns logits `[N, 10, batch]` of pixels `[64, batch]`, which all candidates share; each column is an
        example."""

    def size(self, split: Split) -> int:
        return len(self._labels[split])

    def loss(self, params: Mapping[str, Tensor], split: Split, index: Tensor) -> Tensor:
        pixels, labels = self._pixels[split][index].T.contiguous(), self._labels[split][index]
        return cross_entropy(self.logits(params, pixels), labels)

    def measure(self, params: Mapping[str, Tensor], split: Split) -> dict[str, Tensor]:
        pixels, labels = self._pixels[split].T.contiguous(), self._labels[split]
        with torch.no_grad():
            both = loss_and_accuracy(self.logits(params, pixels), labels)
        return {"loss": both[:, 0], "accuracy": both[:, 1]}


class DigitsMLP(DigitsTask):
    """A perceptron 64-32-32-10 with ReLU on the 8×8 digits, pixels scaled to 0..1."""

    name = "digits-mlp"
    batch_invariant = True
    at_once = 256
    rungs = (Rung(200, 64), Rung(2_000, 64), Rung(20_000, 64))
    parameters = dense_parameters(("hidden1", "hidden2", "output"), (PIXELS, HIDDEN, HIDDEN, CLASSES), gain=2.0)

    def logits(self, params: Params, pixels: Tensor) -> Tensor:
        shared = pixels.expand(len(params["output.bias"]), -1, -1)
        hidden = _affine(params, "hidden1", shared).relu_()
        hidden = _affine(params, "hidden2", hidden).relu_()
        return _affine(params, "output", hidden)


def _affine(params: Params, layer: str, columns: Tensor) -> Tensor:
    """`dense` in two operations, whose last bits the recorded runs of this task have."""
    return torch.bmm(params[f"{layer}.weight"], columns) + params[f"{layer}.bias"][:, :, None]
