"""The task `diamonds-mlp`: the price of a diamond from its measures and grades."""

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from germline.evaluators.data.load import SPLITS, diamonds
from germline.evaluators.optimizer.task import TrainingTask
from germline.evaluators.task import Rung, Split
from germline.evaluators.tasks.classification import Params
from germline.evaluators.tasks.perceptron import dense, dense_parameters

MEASURES, GRADES = 6, (5, 7, 8)
FEATURES, HIDDEN = MEASURES + sum(GRADES), 32


class DiamondsMLP(TrainingTask):
    """Regression of log prices by a perceptron 26-32-32-1 with ReLU, on 8,000 diamonds.

    The features are six measures, each at mean 0 and variance 1 over the training split, and three grades, one-hot. The
    loss is the mean squared error of the log price, in units of its variance over the training split: 1 is as good as
    the mean price.
    """

    name = "diamonds-mlp"
    batch_invariant = True
    held_out_task = True
    at_once = 128
    rungs = (Rung(300, 32), Rung(3_000, 32), Rung(30_000, 32))
    parameters = dense_parameters(("hidden1", "hidden2", "output"), (FEATURES, HIDDEN, HIDDEN, 1), gain=2.0)

    def __init__(self, device: str = "cpu") -> None:
        data = diamonds()
        self._features: dict[Split, Tensor] = {}
        self._prices: dict[Split, Tensor] = {}
        known, _, known_price = data.part("train")
        mean, spread = known.mean(0, dtype=float), known.std(0, dtype=float)
        known_log = np.log(known_price.astype(float))
        for split in SPLITS:
            numbers, grades, price = data.part(split)
            measures = torch.from_numpy((numbers - mean) / spread).float()
            one_hot = [F.one_hot(torch.from_numpy(grades[:, i]).long(), count) for i, count in enumerate(GRADES)]
            self._features[split] = torch.cat([measures, *one_hot], 1).T.contiguous().to(device)
            log = (np.log(price.astype(float)) - known_log.mean()) / known_log.std()
            self._prices[split] = torch.from_numpy(log).float().to(device)

    def size(self, split: Split) -> int:
        return len(self._prices[split])

    def loss(self, params: Mapping[str, Tensor], split: Split, index: Tensor) -> Tensor:
        return _loss(params, self._features[split][:, index], self._prices[split][index])

    def measure(self, params: Mapping[str, Tensor], split: Split) -> dict[str, Tensor]:
        with torch.no_grad():
            return {"loss": _loss(params, self._features[split], self._prices[split])}


def _loss(params: Params, features: Tensor, prices: Tensor) -> Tensor:
    """The mean squared error `[N]` on features `[26, batch]`, which all candidates share, and prices `[batch]`."""
    hidden = features.expand(len(params["output.bias"]), -1, -1)
    for layer in ("hidden1", "hidden2"):
        hidden = dense(params, layer, hidden).relu_()
    return (dense(params, "output", hidden)[:, 0] - prices).square().mean(1)
