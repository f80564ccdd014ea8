"""The task `digits-small-batch`: a convolution on 8×8 handwritten digits, trained on two examples a step."""

from math import sqrt

from torch import Tensor

from germline.evaluators.optimizer.task import ParameterSpec
from germline.evaluators.task import Rung
from germline.evaluators.tasks.classification import Params
from germline.evaluators.tasks.digits_mlp import CLASSES, DigitsTask
from germline.evaluators.tasks.perceptron import dense, dense_parameters

CHANNELS, KERNEL, SIDE = 8, 3, 6
FEATURES = CHANNELS * SIDE * SIDE


class DigitsSmallBatch(DigitsTask):
    """A convolution 1→8 (3×3) with ReLU and a linear layer on the 8×8 digits; batches of 2, so that gradients are
    mostly noise."""

    name = "digits-small-batch"
    batch_invariant = True
    at_once = 64
    rungs = (Rung(400, 2), Rung(4_000, 2), Rung(40_000, 2))
    parameters = (
        ParameterSpec("conv.weight", (CHANNELS, 1, KERNEL, KERNEL), sqrt(2 / KERNEL**2)),
        ParameterSpec("conv.bias", (CHANNELS,), 0.0),
        *dense_parameters(("output",), (FEATURES, CLASSES)),
    )

    def logits(self, params: Params, pixels: Tensor) -> Tensor:
        """Hidden images are `[N, channels, height, width, batch]`; patches are the same for all candidates."""
        n, batch = len(params["conv.bias"]), pixels.shape[1]
        windows = pixels.view(8, 8, batch).unfold(0, KERNEL, 1).unfold(1, KERNEL, 1)
        patches = windows.permute(3, 4, 0, 1, 2).reshape(KERNEL**2, -1)
        hidden = (params["conv.weight"].reshape(n * CHANNELS, KERNEL**2) @ patches).view(n, CHANNELS, -1)
        hidden = (hidden + params["conv.bias"][:, :, None]).relu_()
        return dense(params, "output", hidden.view(n, FEATURES, batch))
