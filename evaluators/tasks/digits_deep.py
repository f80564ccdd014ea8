"""The task `digits-deep`: a deep, narrow perceptron without normalisation on 8×8 handwritten digits."""

from torch import Tensor

from germline.evaluators.task import Rung
from germline.evaluators.tasks.classification import Params
from germline.evaluators.tasks.digits_mlp import CLASSES, PIXELS, DigitsTask
from germline.evaluators.tasks.perceptron import dense, dense_parameters

WIDTH, LAYERS = 16, 12
HIDDEN = tuple(f"hidden{layer}" for layer in range(1, LAYERS + 1))


class DigitsDeep(DigitsTask):
    """A perceptron 64-16-…-16-10 with 12 hidden layers and tanh on the 8×8 digits, pixels scaled to 0..1.

    Neither norms nor shortcuts keep gradients at one size through the layers.
    """

    name = "digits-deep"
    batch_invariant = True
    held_out_task = True
    at_once = 128
    rungs = (Rung(300, 32), Rung(3_000, 32), Rung(30_000, 32))
    parameters = dense_parameters((*HIDDEN, "output"), (PIXELS, *[WIDTH] * LAYERS, CLASSES))

    def logits(self, params: Params, pixels: Tensor) -> Tensor:
        hidden = pixels.expand(len(params["output.bias"]), -1, -1)
        for layer in HIDDEN:
            hidden = dense(params, layer, hidden).tanh_()
        return dense(params, "output", hidden)
