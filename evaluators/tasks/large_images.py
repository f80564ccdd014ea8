"""The tasks `fashion-cells`, `cifar10-cells` and `cifar100-cells`: published sets in the user's data directory.

Images stay bytes on the device, where CIFAR takes 150 MB; each batch is augmented and normalised. The augmentation is
that of DARTS (Liu et al. 2019) and EEEA-Net (Termritthikun et al. 2021): a random crop of the zero-padded image, a
horizontal flip, and cutout (DeVries and Taylor 2017).
"""

from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from germline.evaluators.data.directory import directory
from germline.evaluators.data.published_images import CIFAR10, CIFAR100, FASHION_MNIST, ImageSet, LabelledImages
from germline.evaluators.task import Rung, Split
from germline.evaluators.tasks.image_cells import ImageCellTask

BATCH = 128
_WORD = 32
_MASK = 2**_WORD - 1
_AT_ONCE = 5_000
"""Images whose pixels are summed together, so that their squares take little memory."""


def epochs(size: int) -> tuple[Rung, ...]:
    """Returns rungs of 1, 5 and 50 epochs, rounded up to whole batches, for a number of training images."""
    return tuple(Rung(-(-count * size // BATCH), BATCH) for count in (1, 5, 50))


class LargeImageTask(ImageCellTask):
    """Networks of cells trained on a published set of images, `source`. Its test images are the held-out split, and are
    opened only for it.

    `padding` is the width of the border for crops and `cutout` the side of the cutout square (0: none), in pixels.
    """

    source: ClassVar[ImageSet]
    padding: ClassVar[int]
    cutout: ClassVar[int]

    def __init__(self, device: str = "cpu") -> None:
        self.device = device
        self._images: dict[Split, Tensor] = {}
        self._labels: dict[Split, Tensor] = {}
        train, validation = self.source.read(directory(), "training").split()
        self._store("train", train)
        self._store("validation", validation)
        mean, deviation = moments(train.images)
        self._mean, self._deviation = (
            torch.tensor(values, dtype=torch.float32, device=device)[:, None, None] for values in (mean, deviation)
        )

    @classmethod
    def check_data(cls) -> None:
        cls.source.files(directory(), "training")

    def batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Returns augmented training images, float32 `[batch, colours, height, width]`, and labels, int64 `[batch]`, on
        the device.

        The augmentation follows from `index` alone, which follows from the seed of the training: every candidate trains
        on the same batch, however candidates are packed.
        """
        down, right, flip, *hole = random_words(index, 5)
        crops = cropped(self._images["train"][index], self.padding, down, right, flip)
        pixels = self.prepared(crops)
        return cut_out(pixels, self.cutout, *hole) if self.cutout else pixels, self._labels["train"][index]

    def prepared(self, images: Tensor) -> Tensor:
        """Returns bytes as float32, normalised to mean 0 and standard deviation 1 per colour of the training split."""
        pixels = images.to(torch.float32, memory_format=torch.channels_last)
        return pixels.sub_(self._mean).div_(self._deviation)

    def part(self, split: Split) -> tuple[Tensor, Tensor]:
        if split not in self._images:
            self._store(split, self.source.read(directory(), "test"))
        return super().part(split)

    def _store(self, split: Split, part: LabelledImages) -> None:
        self._images[split] = torch.tensor(part.images, device=self.device)
        self._labels[split] = torch.tensor(part.labels, dtype=torch.int64, device=self.device)


class FashionCells(LargeImageTask):
    """70,000 images of clothes, 28×28 pixels: 54,000 to train on, 6,000 to validate, 10,000 held out."""

    name, source = "fashion-cells", FASHION_MNIST
    image, classes = (1, 28, 28), 10
    padding, cutout = 2, 0
    rungs = epochs(54_000)


class CIFAR10Cells(LargeImageTask):
    """60,000 images in colour, 32×32 pixels, 10 classes: 45,000 to train on, 5,000 to validate, 10,000 held out."""

    name, source = "cifar10-cells", CIFAR10
    image, classes = (3, 32, 32), 10
    padding, cutout = 4, 16
    rungs = epochs(45_000)


class CIFAR100Cells(LargeImageTask):
    """60,000 images in colour, 32×32 pixels, 100 classes: 45,000 to train on, 5,000 to validate, 10,000 held out."""

    name, source = "cifar100-cells", CIFAR100
    image, classes = (3, 32, 32), 100
    padding, cutout = 4, 16
    rungs = epochs(45_000)


def moments(images: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns mean and standard deviation of each colour of images `[n, colours, height, width]`, from exact sums.

    A constant colour has the deviation 1, so that dividing by it is safe.
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


def random_words(index: Tensor, count: int) -> Tensor:
    """Returns `count` numbers for each image of a batch, uniform in [0, 2³²): int64 of shape `[count, batch]`.

    Each number is a hash of the whole `index` (int64 of shape `[batch]`), its row and its place in the batch, computed
    on the device of `index`: the same bits on every device, without a generator whose state candidates would share.
    """
    place = torch.arange(len(index), device=index.device)
    salt = _mixed((index + _mixed(place)) & _MASK).sum()
    row = _mixed((salt + torch.arange(1, count + 1, device=index.device)) & _MASK)
    return _mixed((row[:, None] + place) & _MASK)


def cropped(images: Tensor, padding: int, down: Tensor, right: Tensor, flip: Tensor) -> Tensor:
    """Returns random crops of the zero-padded images, as large as the images, each mirrored with probability 1/2.

    Args:
        images: `[batch, colours, height, width]`.
        padding: width of the border.
        down, right, flip: random 32-bit words, int64 `[batch]` each.

    Returns:
        A tensor like `images`, in channels-last memory order.
    """
    height, width = images.shape[2:]
    place = torch.arange(len(images), device=images.device)
    rows = torch.arange(height, device=images.device) + _below(down, 2 * padding + 1)[:, None]
    columns = torch.arange(width, device=images.device) + _below(right, 2 * padding + 1)[:, None]
    columns = torch.where(_below(flip, 2)[:, None] == 1, columns.flip(1), columns)
    padded = F.pad(images, (padding,) * 4).permute(0, 2, 3, 1)
    return padded[place[:, None, None], rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def cut_out(pixels: Tensor, side: int, down: Tensor, right: Tensor) -> Tensor:
    """Returns images with a square of zeros, the mean of normalised images, centred at a random pixel.

    The square is clipped at the border of the image.

    Args:
        pixels: float32 `[batch, colours, height, width]`.
        side: the side of the square in pixels.
        down, right: random 32-bit words, int64 `[batch]` each.
    """
    rows, columns = (
        _within(size, _below(word, size) - side // 2, side)
        for size, word in zip(pixels.shape[2:], (down, right), strict=True)
    )
    return pixels * ~(rows[:, :, None] & columns[:, None, :])[:, None]


def _within(size: int, first: Tensor, side: int) -> Tensor:
    """True for the `side` pixels from `first` on of a row of `size` pixels: bool of shape `[batch, size]`."""
    place = torch.arange(size, device=first.device) - first[:, None]
    return (place >= 0) & (place < side)


def _below(word: Tensor, bound: int) -> Tensor:
    """Whole numbers from 0 to `bound - 1`, made from random 32-bit words."""
    return (word * bound) >> _WORD


def _mixed(words: Tensor) -> Tensor:
    """32-bit words, as int64, after the finalizer of MurmurHash3 (A. Appleby), which spreads every bit over all others.

    A factor minus 2³² is the same factor modulo 2³², and its product with a word stays below 2⁶³.
    """
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        words = ((words ^ (words >> shift)) * (factor - 2**_WORD)) & _MASK
    return words ^ (words >> 16)
