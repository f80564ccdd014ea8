"""The task `digits-deep`: a deep, narrow perceptron without normalisation on 8×8 handwritten digits."""

from math import sqrt

import torch
from torch import Tensor

from germline.evaluators.optimizer.task import ParameterSpec
from germline.evaluators.task import Rung
from germline.evaluators.tasks.classification import Params
from germline.evaluators.tasks.digits_mlp import CLASSES, PIXELS, DigitsTask

WIDTH, LAYERS = 16, 12


def _layer(name: str, inputs: int, outputs: int) -> tuple[ParameterSpec, ...]:
    return (
        ParameterSpec(f"{name}.weight", (outputs, inputs), sqrt(1 / inputs)),
        ParameterSpec(f"{name}.bias", (outputs,), 0.0),
    )


class DigitsDeep(DigitsTask):
    """A perceptron 64-16-…-16-10 with 12 hidden layers and tanh on the 8×8 digits, pixels scaled to 0..1.

    Neither norms nor shortcuts keep gradients at one size through the layers.
    """

    name = "digits-deep"
    batch_invariant = True
    held_out_task = True
    at_once = 128
    rungs = (Rung(300, 32), Rung(3_000, 32), Rung(30_000, 32))
    parameters = (
        *_layer("hidden1", PIXELS, WIDTH),
        *(spec for layer in range(2, LAYERS + 1) for spec in _layer(f"hidden{layer}", WIDTH, WIDTH)),
        *_layer("output", WIDTH, CLASSES),
    )

    def logits(self, params: Params, pixels: Tensor) -> Tensor:
        hidden = pixels.expand(len(params["output.bias"]), -1, -1)
        for layer in range(1, LAYERS + 1):
            hidden = _affine(params, f"hidden{layer}", hidden).tanh_()
        return _affine(params, "output", hidden)


def _affine(params: Params, layer: str, columns: Tensor) -> Tensor:
    return torch.baddbmm(params[f"{layer}.bias"][:, :, None], params[f"{layer}.weight"], columns)
