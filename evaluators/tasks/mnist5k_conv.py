"""The task `mnist5k-conv`: a small convolutional network on 5,000 MNIST digits."""

from collections.abc import Mapping
from math import sqrt

import torch
from torch import Tensor

from germline.evaluators.data.load import SPLITS, mnist5k
from germline.evaluators.optimizer.modules.patches import patches_under
from germline.evaluators.optimizer.task import MEASURED_AT_ONCE, ParameterSpec, TrainingTask
from germline.evaluators.task import Rung, Split
from germline.evaluators.tasks.classification import Params, cross_entropy, loss_and_accuracy

CHANNELS1, KERNEL1, SIDE1 = 8, 5, 12
CHANNELS2, KERNEL2, SIDE2 = 16, 3, 5
FEATURES, CLASSES = CHANNELS2 * SIDE2 * SIDE2, 10


class MNIST5kConv(TrainingTask):
    """Convolutions 1→8 (5×5) and 8→16 (3×3), both with stride 2 and ReLU, and a linear layer, on 28×28 digits."""

    name = "mnist5k-conv"
    batch_invariant = True
    rungs = (Rung(200, 32), Rung(2_000, 32), Rung(20_000, 32))
    parameters = (
        ParameterSpec("conv1.weight", (CHANNELS1, 1, KERNEL1, KERNEL1), sqrt(2 / KERNEL1**2)),
        ParameterSpec("conv1.bias", (CHANNELS1,), 0.0),
        ParameterSpec("conv2.weight", (CHANNELS2, CHANNELS1, KERNEL2, KERNEL2), sqrt(2 / (CHANNELS1 * KERNEL2**2))),
        ParameterSpec("conv2.bias", (CHANNELS2,), 0.0),
        ParameterSpec("output.weight", (CLASSES, FEATURES), sqrt(1 / FEATURES)),
        ParameterSpec("output.bias", (CLASSES,), 0.0),
    )

    def __init__(self, device: str = "cpu") -> None:
        data = mnist5k()
        self._images: dict[Split, Tensor] = {}
        self._labels: dict[Split, Tensor] = {}
        for split in SPLITS:
            images, labels = data.part(split)
            self._images[split] = (torch.from_numpy(images).float() / 255).to(device)
            self._labels[split] = torch.from_numpy(labels).long().to(device)

    def size(self, split: Split) -> int:
        return len(self._labels[split])

    def loss(self, params: Mapping[str, Tensor], split: Split, index: Tensor) -> Tensor:
        patches, labels = _patches1(self._images[split][index]), self._labels[split][index]
        return cross_entropy(_logits(params, patches), labels)

    def measure(self, params: Mapping[str, Tensor], split: Split) -> dict[str, Tensor]:
        with torch.no_grad():
            indices = torch.split(torch.arange(self.size(split), device=self._labels[split].device), MEASURED_AT_ONCE)
            parts = [self._measured(params, split, index) * (len(index) / self.size(split)) for index in indices]
            both = torch.stack(parts).sum(0)
        return {"loss": both[:, 0], "accuracy": both[:, 1]}

    def _measured(self, params: Params, split: Split, index: Tensor) -> Tensor:
        patches, labels = _patches1(self._images[split][index]), self._labels[split][index]
        return loss_and_accuracy(_logits(params, patches), labels)


def _logits(params: Params, patches: Tensor) -> Tensor:
    """Logits `[N, 10, batch]` from the result of `_patches1`.

    Hidden images are `[N, channels, height, width, batch]`, so that patches are copied in long runs, and a convolution
    is one matrix product per candidate: on a CPU twice as fast as grouped convolution.
    """
    n, batch = len(params["output.bias"]), patches.shape[1] // SIDE1**2
    kernel1 = params["conv1.weight"].reshape(n * CHANNELS1, KERNEL1**2)
    # On some CPUs a product with the eight rows of one candidate rounds otherwise than one with more rows.
    rows = kernel1 if n > 1 else kernel1.repeat(2, 1)
    hidden = (rows @ patches)[: n * CHANNELS1].view(n, CHANNELS1, SIDE1**2 * batch)
    hidden = (hidden + params["conv1.bias"][:, :, None]).relu_()
    columns = patches_under(hidden.view(n, CHANNELS1, SIDE1, SIDE1, batch), (KERNEL2, KERNEL2), (2, 2))
    kernel2 = params["conv2.weight"].reshape(n, CHANNELS2, CHANNELS1 * KERNEL2**2)
    hidden = (torch.bmm(kernel2, columns) + params["conv2.bias"][:, :, None]).relu_()
    return torch.bmm(params["output.weight"], hidden.view(n, FEATURES, batch)) + params["output.bias"][:, :, None]


def _patches1(images: Tensor) -> Tensor:
    """Patches under the kernel of layer 1, the same for all candidates: `[batch, 28, 28]` → `[25, 12 * 12 * batch]`."""
    windows = images.unfold(1, KERNEL1, 2).unfold(2, KERNEL1, 2)
    return windows.permute(3, 4, 1, 2, 0).reshape(KERNEL1**2, -1)
