"""The vendored data sets and their fixed splits; DATA.md has the origin and the licence of each."""

import lzma
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from germline.evaluators.task import Split

SPLITS: "tuple[Split, ...]" = ("train", "validation", "heldout")
VERSES_PER_REGION = 100
REGIONS_PER_CYCLE = 20
VALIDATION_REGION, HELDOUT_REGION = 6, 13


@dataclass(frozen=True)
class Digits:
    """Images of handwritten digits, with a fixed division into splits.

    Attributes:
        images: uint8 of shape `[n, height, width]`.
        labels: uint8 of shape `[n]`, the digit 0..9.
        split: uint8 of shape `[n]`, an index into `SPLITS`.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    split: NDArray[np.uint8]

    def part(self, split: "Split") -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Returns the images and labels of a split, in the order of the file."""
        members = self.split == SPLITS.index(split)
        return self.images[members], self.labels[members]


def digits() -> Digits:
    """Returns 1,797 digits of 8×8 pixels with values 0..16, split 1,197 / 300 / 300."""
    return _images("digits.npz")


def mnist5k() -> Digits:
    """Returns 5,000 digits of 28×28 pixels with values 0..255, split 3,500 / 750 / 750."""
    return _images("mnist5k.npz")


@dataclass(frozen=True)
class Diamonds:
    """Round diamonds with their prices, with a fixed division into splits.

    Attributes:
        numbers: float32 of shape `[n, 6]`: weight in carat, depth in percent, table in percent, and length, width and
            height in mm.
        grades: uint8 of shape `[n, 3]`, 0 is worst: cut 0..4, colour 0..6, clarity 0..7.
        price: uint16 of shape `[n]`, in US dollars.
        split: uint8 of shape `[n]`, an index into `SPLITS`.
    """

    numbers: NDArray[np.float32]
    grades: NDArray[np.uint8]
    price: NDArray[np.uint16]
    split: NDArray[np.uint8]

    def part(self, split: "Split") -> tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.uint16]]:
        """Returns the numbers, grades and prices of a split, in the order of the file."""
        members = self.split == SPLITS.index(split)
        return self.numbers[members], self.grades[members], self.price[members]


def diamonds() -> Diamonds:
    """Returns 8,000 diamonds, split 6,000 / 1,000 / 1,000."""
    with (
        (files("germline.evaluators.data") / "diamonds.npz").open("rb") as file,
        np.load(file, allow_pickle=False) as arrays,
    ):
        return Diamonds(*(arrays[name] for name in ("numbers", "grades", "price", "split")))


@dataclass(frozen=True)
class TrainedCells:
    """Results of NAS-Bench-201 for each of its 15,625 cells on one data set, after 200 epochs.

    The row of a cell is the number whose digits to the base 5 are its six operations, in the order of its edges:
    0 none, 1 skip_connect, 2 nor_conv_1x1, 3 nor_conv_3x3, 4 avg_pool_3x3.

    Attributes:
        accuracy: on the validation images in percent, float32 of shape `[15625, 3]`, one column per seed; NaN in the
            last column where a cell was trained with two seeds only.
        seconds: duration of a training in seconds, float32 of shape `[15625]`.
        latency: seconds per batch, float32 of shape `[15625]`.
    """

    accuracy: NDArray[np.float32]
    seconds: NDArray[np.float32]
    latency: NDArray[np.float32]


def nb201(data: str) -> TrainedCells:
    """Returns the table for `cifar10`, `cifar100` or `imagenet16`."""
    with (
        (files("germline.evaluators.data") / "nb201.npz").open("rb") as file,
        np.load(file, allow_pickle=False) as arrays,
    ):
        return TrainedCells(*(arrays[f"{data}_{name}"].squeeze() for name in ("accuracy", "seconds", "latency")))


def text() -> NDArray[np.uint8]:
    """Returns the King James Bible as ASCII codes: uint8 of shape `[4303441]`; a verse ends with a newline (10)."""
    packed = (files("germline.evaluators.data") / "kjv.txt.xz").read_bytes()
    return np.frombuffer(lzma.decompress(packed), dtype=np.uint8)


def text_split(codes: NDArray[np.uint8]) -> "dict[Split, NDArray[np.intp]]":
    """Returns the positions of the characters of each split, in ascending order.

    The text is cut into regions of 100 lines. Of every 20 successive regions one is for validation and one is held out,
    so that each split has text from the whole Bible, and text of one split shares no character with another split.
    """
    line = np.cumsum(codes == ord("\n")) - (codes == ord("\n"))
    region = line // VERSES_PER_REGION % REGIONS_PER_CYCLE
    validation, heldout = region == VALIDATION_REGION, region == HELDOUT_REGION
    return {
        "train": np.flatnonzero(~validation & ~heldout),
        "validation": np.flatnonzero(validation),
        "heldout": np.flatnonzero(heldout),
    }


def _images(name: str) -> Digits:
    with (files("germline.evaluators.data") / name).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return Digits(arrays["images"], arrays["labels"], arrays["split"])
