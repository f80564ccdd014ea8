"""The task `text-conv`: a small convolutional character model of English text."""

from math import sqrt

import torch
import torch.nn.functional as F
from torch import Tensor

from germline.evaluators.optimizer.task import ParameterSpec
from germline.evaluators.task import Rung
from germline.evaluators.tasks.classification import Params
from germline.evaluators.tasks.text import SEQUENCE, SYMBOLS, TextTask, embedded

WIDTH, DILATIONS = 32, (1, 2, 4, 8)


def _layer(layer: int) -> tuple[ParameterSpec, ...]:
    into_stream = 1 / sqrt(len(DILATIONS))
    return (
        ParameterSpec(f"{layer}.conv.weight", (2 * WIDTH, WIDTH), sqrt(2 / (2 * WIDTH))),
        ParameterSpec(f"{layer}.conv.bias", (WIDTH,), 0.0),
        ParameterSpec(f"{layer}.mix.weight", (WIDTH, WIDTH), into_stream * sqrt(1 / WIDTH)),
    )


class TextConv(TextTask):
    """Four causal convolutions of width 32 with shortcuts that predict the next character at 32 positions.

    A convolution sees a position and the one 1, 2, 4 or 8 places before it, so that a prediction sees 16 characters.
    There are no norms. The weight of a convolution has the rows of the earlier position first.
    """

    name = "text-conv"
    batch_invariant = True
    rungs = (Rung(300, 8), Rung(3_000, 8), Rung(30_000, 8))
    parameters = (
        ParameterSpec("symbol", (SYMBOLS, WIDTH), 0.5),
        *(spec for layer in range(len(DILATIONS)) for spec in _layer(layer)),
        ParameterSpec("output.weight", (SYMBOLS, WIDTH), 0.02),
        ParameterSpec("output.bias", (SYMBOLS,), 0.0),
    )

    def logits(self, params: Params, symbols: Tensor) -> Tensor:
        """Hidden values have the shape `[N, batch * 32, width]`."""
        stream = embedded(params, symbols)
        n = len(stream)
        for layer, dilation in enumerate(DILATIONS):
            positions = stream.view(n, -1, SEQUENCE, WIDTH)
            earlier = F.pad(positions[:, :, :-dilation], (0, 0, dilation, 0))
            pairs = torch.cat([earlier, positions], -1).view(n, -1, 2 * WIDTH)
            bias = params[f"{layer}.conv.bias"][:, None]
            hidden = torch.baddbmm(bias, pairs, params[f"{layer}.conv.weight"]).relu_()
            stream = torch.baddbmm(stream, hidden, params[f"{layer}.mix.weight"])
        return torch.bmm(params["output.weight"], stream.mT) + params["output.bias"][:, :, None]
