"""The task `mnist5k-noisy`: a perceptron on 5,000 MNIST digits, of whose training labels four in ten are wrong."""

from collections.abc import Mapping
from random import Random

import torch
from torch import Tensor

from germline.evaluators.data.load import SPLITS, mnist5k
from germline.evaluators.optimizer.task import TrainingTask
from germline.evaluators.task import Rung, Split
from germline.evaluators.tasks.classification import Params, cross_entropy, loss_and_accuracy
from germline.evaluators.tasks.perceptron import dense, dense_parameters
from germline.evaluators.tasks.shrunk_images import PIXELS, columns_of

HIDDEN, CLASSES = 32, 10
WRONG = 0.4
"""Share of the training labels that are another digit, each of the nine alike."""


class MNIST5kNoisy(TrainingTask):
    """A perceptron 196-32-32-10 with ReLU on digits of 14×14; training labels are wrong with probability 0.4.

    The wrong labels are the same in every training. Labels of the other splits are right, so that a model which learns
    its training labels by heart is measured to be worse.
    """

    name = "mnist5k-noisy"
    batch_invariant = True
    held_out_task = True
    at_once = 64
    rungs = (Rung(400, 32), Rung(4_000, 32), Rung(40_000, 32))
    parameters = dense_parameters(("hidden1", "hidden2", "output"), (PIXELS, HIDDEN, HIDDEN, CLASSES), gain=2.0)

    def __init__(self, device: str = "cpu") -> None:
        data = mnist5k()
        self._pixels: dict[Split, Tensor] = {}
        self._labels: dict[Split, Tensor] = {}
        for split in SPLITS:
            images, labels = data.part(split)
            self._pixels[split] = columns_of(images).to(device)
            right = torch.from_numpy(labels).long()
            self._labels[split] = (_with_noise(right) if split == "train" else right).to(device)

    def size(self, split: Split) -> int:
        return len(self._labels[split])

    def loss(self, params: Mapping[str, Tensor], split: Split, index: Tensor) -> Tensor:
        return cross_entropy(_logits(params, self._pixels[split][:, index]), self._labels[split][index])

    def measure(self, params: Mapping[str, Tensor], split: Split) -> dict[str, Tensor]:
        with torch.no_grad():
            both = loss_and_accuracy(_logits(params, self._pixels[split]), self._labels[split])
        return {"loss": both[:, 0], "accuracy": both[:, 1]}


def _logits(params: Params, pixels: Tensor) -> Tensor:
    """Logits `[N, 10, batch]` of pixels `[196, batch]`, which all candidates share."""
    hidden = pixels.expand(len(params["output.bias"]), -1, -1)
    for layer in ("hidden1", "hidden2"):
        hidden = dense(params, layer, hidden).relu_()
    return dense(params, "output", hidden)


def _with_noise(labels: Tensor) -> Tensor:
    """Labels of which a share of `WRONG` is wrong. Python promises that `random` draws the same in every release."""
    rng = Random(1611)
    draws = [(rng.random(), rng.random()) for _ in range(len(labels))]
    away = [1 + int(9 * other) if wrong < WRONG else 0 for wrong, other in draws]
    return (labels + torch.tensor(away)) % CLASSES
