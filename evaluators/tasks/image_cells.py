"""The tasks `digits-cells` and `mnist5k-cells`: real training of small networks on the vendored images."""

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from germline.evaluators.cell_task import CellTask
from germline.evaluators.data.load import SPLITS, Digits, digits, mnist5k
from germline.evaluators.task import Rung, Split
from germline.evaluators.trainer import batches
from germline.programs.architecture.counts import Skeleton
from germline.programs.architecture.genome import Architecture
from germline.programs.architecture.network import AUXILIARY_WEIGHT, Network

RATE, MOMENTUM, DECAY, LONGEST_GRADIENT = 0.05, 0.9, 3e-4, 5.0
"""Stochastic gradient descent as EEEA-Net and DARTS train: the rate falls along half a cosine."""
MEASURED_AT_ONCE = 500
CHECK_EVERY = 20
"""Steps between looks at whether the loss is still finite; a look is a transfer to the host."""


class ImageCellTask(CellTask):
    """Images of a vendored set; they stay on the device, and batches are drawn there."""

    load: ClassVar[Callable[[], Digits]]
    brightest: ClassVar[int]

    def __init__(self, device: str = "cpu") -> None:
        data = type(self).load()
        self.device = device
        self._images: dict[Split, Tensor] = {}
        self._labels: dict[Split, Tensor] = {}
        for split in SPLITS:
            images, labels = data.part(split)
            pixels = (torch.from_numpy(images).float() / self.brightest)[:, None]
            self._images[split] = pixels.to(device, memory_format=torch.channels_last)
            self._labels[split] = torch.from_numpy(labels).long().to(device)

    def measure(
        self, architecture: Architecture, skeleton: Skeleton, rung: Rung, seed: Sequence[int]
    ) -> Mapping[str, float] | None:
        network = self.trained(lambda: Network(architecture, skeleton), rung, seed)
        if network is None:
            return None
        loss, error = self.test(network, "validation")
        return {"validation_error": error, "loss": loss} if np.isfinite(loss) else None

    def trained(self, build: Callable[[], nn.Module], rung: Rung, seed: Sequence[int]) -> nn.Module | None:
        """A network after the training of a rung; None if its loss left the finite numbers."""
        with torch.random.fork_rng(devices=[self.device] if self.device.startswith("cuda") else []):
            torch.manual_seed(int(np.random.SeedSequence(list(seed)).generate_state(1)[0]))
            # Channels last: on a CPU depthwise convolutions are up to four times as fast.
            network: nn.Module = build().to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
            weights = list(network.parameters())
            optimizer = torch.optim.SGD(weights, RATE, MOMENTUM, weight_decay=DECAY)
            schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, rung.steps)
            for step, index in enumerate(batches(self._size("train"), rung, seed, self.device), 1):
                loss = _loss(network(self._images["train"][index]), self._labels["train"][index])
                if (step % CHECK_EVERY == 0 or step == rung.steps) and not torch.isfinite(loss):
                    return None
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                nn.utils.clip_grad_norm_(weights, LONGEST_GRADIENT)
                optimizer.step()
                schedule.step()
        return network

    @torch.no_grad()
    def test(self, network: nn.Module, split: Split) -> tuple[float, float]:
        """Mean cross entropy in nats, and the error in percent."""
        network.eval()
        images, labels = self._images[split], self._labels[split]
        logits = torch.cat([network(part) for part in torch.split(images, MEASURED_AT_ONCE)])
        return float(F.cross_entropy(logits, labels)), 100 * float((logits.argmax(1) != labels).float().mean())

    def _size(self, split: Split) -> int:
        return len(self._labels[split])


class DigitsCells(ImageCellTask):
    """1,797 handwritten digits of 8×8 pixels: 1,197 to train on, 300 to validate."""

    name, load, brightest = "digits-cells", staticmethod(digits), 16
    image, classes = (1, 8, 8), 10
    rungs = (Rung(100, 64), Rung(500, 64), Rung(2_500, 64))


class MNIST5kCells(ImageCellTask):
    """5,000 handwritten digits of 28×28 pixels: 3,500 to train on, 750 to validate."""

    name, load, brightest = "mnist5k-cells", staticmethod(mnist5k), 255
    image, classes = (1, 28, 28), 10
    rungs = (Rung(100, 64), Rung(500, 64), Rung(2_500, 64))


def _loss(logits: Tensor | tuple[Tensor, Tensor], labels: Tensor) -> Tensor:
    """Cross entropy; that of an auxiliary head is added with its weight."""
    if isinstance(logits, tuple):
        return F.cross_entropy(logits[0], labels) + AUXILIARY_WEIGHT * F.cross_entropy(logits[1], labels)
    return F.cross_entropy(logits, labels)
