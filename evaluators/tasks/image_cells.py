"""The tasks `digits-cells` and `mnist5k-cells`: small networks trained on the vendored images."""

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from germline.evaluators.architecture.task import CellTask
from germline.evaluators.architecture.trainer import initial_networks, train_together
from germline.evaluators.data.load import SPLITS, Digits, digits, mnist5k
from germline.evaluators.hurdle import Hurdle
from germline.evaluators.task import Rung, Split
from germline.evaluators.training_seeds import weight_seed
from germline.programs.architecture.genome import Architecture
from germline.programs.architecture.skeleton import Skeleton


class ImageCellTask(CellTask):
    """Networks of cells trained on images, which stay on the device.

    `load` returns the vendored data set, and `brightest` is its largest pixel value.
    """

    load: ClassVar[Callable[[], Digits]]
    brightest: ClassVar[int]
    batch_invariant = True

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

    @classmethod
    def chance_error(cls) -> float:
        try:
            labels = cls().part("validation")[1]
        except Exception:  # the workers say what is wrong with the data, or have it on their own machines
            return super().chance_error()
        return 100 * float((labels != labels.mode().values).float().mean())

    def batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Returns training images, float32 `[batch, channels, height, width]`, and labels, int64 `[batch]`, on the
        device.

        All candidates train on the same images. A subclass may augment them here, but only as a function of `index`.

        Args:
            index: int64 `[batch]`, the examples.
        """
        images, labels = self.part("train")
        return self.prepared(images[index]), labels[index]

    def part(self, split: Split) -> tuple[Tensor, Tensor]:
        """Returns the images of a split as they are stored, float32 or uint8 `[n, channels, height, width]`, and their
        labels, int64 `[n]`, on the device."""
        return self._images[split], self._labels[split]

    def prepared(self, images: Tensor) -> Tensor:
        """Returns stored images as float32, as the networks take them."""
        return images

    def measure(
        self,
        architectures: Sequence[Architecture],
        skeleton: Skeleton,
        rung: Rung,
        seed: Sequence[int],
        split: Split = "validation",
        hurdle: Hurdle | None = None,
    ) -> list[Mapping[str, float] | None]:
        images, labels = self.part(split)
        networks = initial_networks(architectures, skeleton, weight_seed(seed), self.device)
        size = len(self.part("train")[1])
        trained = train_together(networks, len(architectures), rung, seed, size, self.batch, self.device, hurdle)
        if all(row is None for row in trained.rows):
            logits = torch.empty(0)
        else:
            parts = torch.split(images, rung.batch)
            logits = torch.cat([trained.networks.logits(self.prepared(part)) for part in parts], 1)
        results: list[Mapping[str, float] | None] = []
        for row, hurdle_loss, dropped in zip(trained.rows, trained.hurdle_losses, trained.dropped, strict=True):
            hurdle_measure = {} if hurdle_loss is None else {"hurdle": hurdle_loss}
            if row is None:
                results.append(hurdle_measure if dropped else None)
                continue
            loss, error = _loss_and_error(logits[row], labels)
            measures = {f"{split}_error": error, "loss": loss, **hurdle_measure}
            results.append(measures if np.isfinite(loss) else None)
        return results


class DigitsCells(ImageCellTask):
    """1,797 handwritten digits of 8×8 pixels: 1,197 to train on, 300 to validate, 300 held out."""

    name, version, load, brightest = "digits-cells", 2, staticmethod(digits), 16
    image, classes = (1, 8, 8), 10
    rungs = (Rung(100, 64), Rung(500, 64), Rung(2_500, 64))


class MNIST5kCells(ImageCellTask):
    """5,000 handwritten digits of 28×28 pixels: 3,500 to train on, 750 to validate, 750 held out."""

    name, version, load, brightest = "mnist5k-cells", 2, staticmethod(mnist5k), 255
    image, classes = (1, 28, 28), 10
    rungs = (Rung(100, 64), Rung(500, 64), Rung(2_500, 64))


def _loss_and_error(logits: Tensor, labels: Tensor) -> tuple[float, float]:
    """Mean cross entropy in nats, and error in percent."""
    return float(F.cross_entropy(logits, labels)), 100 * float((logits.argmax(1) != labels).float().mean())
