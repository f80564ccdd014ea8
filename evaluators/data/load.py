"""The vendored data sets and their fixed splits (DATA.md tells where each comes from)."""

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
    """Images of handwritten digits with the part of the fixed split that each belongs to.

    Attributes:
        images: uint8 of shape `[n, height, width]`.
        labels: uint8 of shape `[n]`, the digit 0..9.
        split: uint8 of shape `[n]`, an index into `SPLITS`.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    split: NDArray[np.uint8]

    def part(self, split: "Split") -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """The images and labels of one part, in the order of the file."""
        members = self.split == SPLITS.index(split)
        return self.images[members], self.labels[members]


def digits() -> Digits:
    """1,797 digits of 8×8 pixels with values 0..16, split 1,197 / 300 / 300."""
    return _images("digits.npz")


def mnist5k() -> Digits:
    """5,000 digits of 28×28 pixels with values 0..255, split 3,500 / 750 / 750."""
    return _images("mnist5k.npz")


@dataclass(frozen=True)
class TrainedCells:
    """What NAS-Bench-201 found for each of its 15,625 cells on one data set, after 200 epochs.

    A cell's place is its six operations as digits of base 5, in the order of its edges: 0 none, 1 skip_connect,
    2 nor_conv_1x1, 3 nor_conv_3x3, 4 avg_pool_3x3.

    Attributes:
        accuracy: on the validation images in percent, float32 of shape `[15625, 3]`, one column a seed; NaN where a
            cell was trained with two seeds.
        seconds: how long a training took, float32 of shape `[15625]`.
        latency: seconds for a batch, float32 of shape `[15625]`.
    """

    accuracy: NDArray[np.float32]
    seconds: NDArray[np.float32]
    latency: NDArray[np.float32]


def nb201(data: str) -> TrainedCells:
    """The table for `cifar10`, `cifar100` or `imagenet16`."""
    with (
        (files("germline.evaluators.data") / "nb201.npz").open("rb") as file,
        np.load(file, allow_pickle=False) as all_,
    ):
        return TrainedCells(*(all_[f"{data}_{name}"].squeeze() for name in ("accuracy", "seconds", "latency")))


def text() -> NDArray[np.uint8]:
    """The King James Bible as ASCII codes: uint8 of shape `[4303441]`, verses end with a newline (10)."""
    packed = (files("germline.evaluators.data") / "kjv.txt.xz").read_bytes()
    return np.frombuffer(lzma.decompress(packed), dtype=np.uint8)


def text_split(codes: NDArray[np.uint8]) -> "dict[Split, NDArray[np.intp]]":
    """Which characters of a text belong to which part: positions in ascending order.

    The text is cut into regions of 100 lines; of every 20 regions in a row one is validation and one is held-out, so
    that each part has something of all books and still no window of one part shares a character with another.
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
