"""The tasks `fashion-cells`, `cifar10-cells` and `cifar100-cells`: published sets, read from the user's data directory.

Images stay bytes on the device, where CIFAR takes 150 MB; a batch is augmented and normalised when it is made. The
augmentation is that of DARTS (Liu et al. 2019) and EEEA-Net (Termritthikun et al. 2021): a crop of the image with a
border of zeros, a flip, and a square cut out (DeVries and Taylor 2017).
"""

from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from germline.evaluators.data.directory import directory
from germline.evaluators.data.original import CIFAR10, CIFAR100, FASHION_MNIST, ImageSet, LabelledImages
from germline.evaluators.task import Rung, Split
from germline.evaluators.tasks.image_cells import ImageCellTask

BATCH = 128
_WORD = 32
_MASK = 2**_WORD - 1
_AT_ONCE = 5_000
"""Images whose pixels are summed at a time, so that their squares take little memory."""


def epochs(size: int) -> tuple[Rung, ...]:
    """Rungs of 1, 5 and 50 epochs over so many training images."""
    return tuple(Rung(-(-count * size // BATCH), BATCH) for count in (1, 5, 50))


class LargeImageTask(ImageCellTask):
    """Images of a published set. The test images are opened when the held-out part is asked for, not before.

    `padding` is the border of a crop and `cutout` the side of the square that is cut out, in pixels.
    """

    source: ClassVar[ImageSet]
    padding: ClassVar[int]
    cutout: ClassVar[int]

    def __init__(self, device: str = "cpu") -> None:
        self.device = device
        self._images: dict[Split, Tensor] = {}
        self._labels: dict[Split, Tensor] = {}
        train, validation = self.source.read(directory(), "training").split()
        self._keep("train", train)
        self._keep("validation", validation)
        mean, deviation = moments(train.images)
        self._mean, self._deviation = (
            torch.tensor(one, dtype=torch.float32, device=device)[:, None, None] for one in (mean, deviation)
        )

    @classmethod
    def check_data(cls) -> None:
        cls.source.files(directory(), "training")

    def batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Augmented training images `[batch, colours, height, width]` and their labels `[batch]`, on the device.

        What chance does to an image follows from `index` alone, which follows from the seed of the training: every
        candidate sees the same batch, however candidates are trained together.
        """
        down, right, flip, *hole = chances(index, 5)
        taken = shifted(self._images["train"][index], self.padding, down, right, flip)
        pixels = self.prepared(taken)
        return cut_out(pixels, self.cutout, *hole) if self.cutout else pixels, self._labels["train"][index]

    def prepared(self, images: Tensor) -> Tensor:
        """Bytes as float32, each colour with the mean 0 and the deviation 1 in the training part."""
        pixels = images.to(torch.float32, memory_format=torch.channels_last)
        return pixels.sub_(self._mean).div_(self._deviation)

    def part(self, split: Split) -> tuple[Tensor, Tensor]:
        if split not in self._images:
            self._keep(split, self.source.read(directory(), "test"))
        return super().part(split)

    def _keep(self, split: Split, part: LabelledImages) -> None:
        self._images[split] = torch.tensor(part.images, device=self.device)
        self._labels[split] = torch.tensor(part.labels, dtype=torch.int64, device=self.device)


class FashionCells(LargeImageTask):
    """70,000 images of clothes, 28×28 pixels: 54,000 to train on, 6,000 to validate."""

    name, source = "fashion-cells", FASHION_MNIST
    image, classes = (1, 28, 28), 10
    padding, cutout = 2, 0
    rungs = epochs(54_000)


class CIFAR10Cells(LargeImageTask):
    """60,000 images in colour, 32×32 pixels, 10 classes: 45,000 to train on, 5,000 to validate."""

    name, source = "cifar10-cells", CIFAR10
    image, classes = (3, 32, 32), 10
    padding, cutout = 4, 16
    rungs = epochs(45_000)


class CIFAR100Cells(LargeImageTask):
    """60,000 images in colour, 32×32 pixels, 100 classes: 45,000 to train on, 5,000 to validate."""

    name, source = "cifar100-cells", CIFAR100
    image, classes = (3, 32, 32), 100
    padding, cutout = 4, 16
    rungs = epochs(45_000)


def moments(images: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of each colour of images `[n, colours, height, width]`, from exact sums.

    A colour that never changes has the deviation 1, so that dividing by it is safe.
    """
    total, squares = np.zeros((2, images.shape[1]), np.int64)
    for first in range(0, len(images), _AT_ONCE):
        part = images[first : first + _AT_ONCE].astype(np.uint16)
        total += part.sum((0, 2, 3), dtype=np.int64)
        squares += np.square(part).sum((0, 2, 3), dtype=np.int64)
    count = images[:, 0].size
    mean = total / count
    deviation = np.sqrt(np.maximum(squares / count - mean**2, 0))
    return mean, np.where(deviation > 0, deviation, 1.0)


def chances(index: Tensor, count: int) -> Tensor:
    """`count` numbers for each image of a batch, uniform in [0, 2³²): int64 of shape `[count, batch]`.

    They are hashes of all of `index` (int64 of shape `[batch]`), of the number's row and of the image's place, made
    where `index` lies: the same bits on every device, and no generator whose state candidates would have to share.
    """
    place = torch.arange(len(index), device=index.device)
    salt = _stirred((index + _stirred(place)) & _MASK).sum()
    row = _stirred((salt + torch.arange(1, count + 1, device=index.device)) & _MASK)
    return _stirred((row[:, None] + place) & _MASK)


def shifted(images: Tensor, padding: int, down: Tensor, right: Tensor, flip: Tensor) -> Tensor:
    """Crops of the images' own size out of the images with a border of zeros, every other one mirrored.

    Args:
        images: `[batch, colours, height, width]`.
        padding: width of the border.
        down, right, flip: chances, each of shape `[batch]`.

    Returns:
        As `images`, in the memory order of channels last.
    """
    height, width = images.shape[2:]
    place = torch.arange(len(images), device=images.device)
    rows = torch.arange(height, device=images.device) + _below(down, 2 * padding + 1)[:, None]
    columns = torch.arange(width, device=images.device) + _below(right, 2 * padding + 1)[:, None]
    columns = torch.where(_below(flip, 2)[:, None] == 1, columns.flip(1), columns)
    padded = F.pad(images, (padding,) * 4).permute(0, 2, 3, 1)
    return padded[place[:, None, None], rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def cut_out(pixels: Tensor, side: int, down: Tensor, right: Tensor) -> Tensor:
    """Each image with a square of zeros, which is the mean of normalised images; its centre is any pixel.

    At the border the part of the square that lies outside of the image is lost.
    """
    rows, columns = (
        _within(size, _below(chance, size) - side // 2, side)
        for size, chance in zip(pixels.shape[2:], (down, right), strict=True)
    )
    return pixels * ~(rows[:, :, None] & columns[:, None, :])[:, None]


def _within(size: int, first: Tensor, side: int) -> Tensor:
    """Which of `size` pixels in a row are among the `side` ones from `first` on: bool of shape `[batch, size]`."""
    place = torch.arange(size, device=first.device) - first[:, None]
    return (place >= 0) & (place < side)


def _below(chance: Tensor, bound: int) -> Tensor:
    """Chances as whole numbers from 0 to `bound - 1`."""
    return (chance * bound) >> _WORD


def _stirred(words: Tensor) -> Tensor:
    """32-bit words with every bit spread over all others: what ends MurmurHash3 (A. Appleby). int64, for the product.

    A factor less 2³² is the same one to 32 bits, and its product with a word stays below 2⁶³.
    """
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        words = ((words ^ (words >> shift)) * (factor - 2**_WORD)) & _MASK
    return words ^ (words >> 16)
