"""The task `mnist5k-autoencoder`: a deep autoencoder of 5,000 MNIST digits."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from germline.evaluators.data.load import SPLITS, mnist5k
from germline.evaluators.optimizer.task import TrainingTask
from germline.evaluators.task import Rung, Split
from germline.evaluators.tasks.classification import Params
from germline.evaluators.tasks.perceptron import dense, dense_parameters
from germline.evaluators.tasks.shrunk_images import PIXELS, columns_of

SIZES = (PIXELS, 64, 32, 16, 8, 16, 32, 64, PIXELS)
LAYERS = tuple(f"layer{layer}" for layer in range(1, len(SIZES)))


class MNIST5kAutoencoder(TrainingTask):
    """An autoencoder 196-64-32-16-8-16-32-64-196 with tanh on digits of 14×14, without norms or shortcuts.

    The loss is the cross entropy of each pixel's brightness in nats, averaged over pixels. Deep autoencoders have been
    a measure of optimizers since Hinton and Salakhutdinov 2006 and Martens 2010.
    """

    name = "mnist5k-autoencoder"
    batch_invariant = True
    rungs = (Rung(300, 32), Rung(3_000, 32), Rung(30_000, 32))
    parameters = dense_parameters(LAYERS, SIZES)

    def __init__(self, device: str = "cpu") -> None:
        data = mnist5k()
        self._pixels: dict[Split, Tensor] = {split: columns_of(data.part(split)[0]).to(device) for split in SPLITS}

    def size(self, split: Split) -> int:
        return self._pixels[split].shape[1]

    def loss(self, params: Mapping[str, Tensor], split: Split, index: Tensor) -> Tensor:
        return _loss(params, self._pixels[split][:, index])

    def measure(self, params: Mapping[str, Tensor], split: Split) -> dict[str, Tensor]:
        with torch.no_grad():
            return {"loss": _loss(params, self._pixels[split])}


def _loss(params: Params, pixels: Tensor) -> Tensor:
    """The mean cross entropy `[N]` of pixels `[196, batch]`, which all candidates share."""
    shared = pixels.expand(len(params[f"{LAYERS[0]}.bias"]), -1, -1)
    hidden = shared
    for layer in LAYERS[:-1]:
        hidden = dense(params, layer, hidden).tanh_()
    logits = dense(params, LAYERS[-1], hidden)
    return F.binary_cross_entropy_with_logits(logits, shared, reduction="none").mean(1).mean(1)
