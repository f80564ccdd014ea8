"""Published sets of images, read from the files in which their authors give them out.

Fashion-MNIST comes as IDX files, CIFAR in its binary version. Nothing is unpacked to disk, and CIFAR's Python version,
which is pickled, is never opened: whatever is in such a file would be run.
"""

import gzip
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path, PurePosixPath
from typing import IO, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from germline.evaluators.data.directory import MissingData, find, lies

Part = Literal["training", "test"]
VALIDATION_SHARE = 10
"""One image of so many is for validation: the last ones of the training files."""
_CIFAR_IMAGE = (3, 32, 32)
_UNSIGNED_BYTES = 0x08
_SKIPPED_AT_ONCE = 2**20


class DamagedData(ValueError):
    """A file of a data set is not what its name says."""


@dataclass(frozen=True)
class LabelledImages:
    """Images and their classes, in the order of the files; the arrays are read-only.

    Attributes:
        images: uint8 of shape `[n, colours, height, width]`.
        labels: uint8 of shape `[n]`.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]

    def __post_init__(self) -> None:
        self.images.flags.writeable = self.labels.flags.writeable = False

    def __len__(self) -> int:
        return len(self.labels)

    def split(self) -> "tuple[LabelledImages, LabelledImages]":
        """All but the last tenth, and the last tenth; views, not copies."""
        first = len(self) - len(self) // VALIDATION_SHARE
        return (
            LabelledImages(self.images[:first], self.labels[:first]),
            LabelledImages(self.images[first:], self.labels[first:]),
        )


class ImageSet(Protocol):
    """A published set: what it is called, which of its files are in a data directory, and what is in them."""

    @property
    def title(self) -> str: ...

    def files(self, folder: Path, part: Part) -> tuple[Path, ...]:
        """The files that `read` would open; none of them is opened.

        Raises:
            MissingData: they are not there.
        """
        ...

    def read(self, folder: Path, part: Part) -> LabelledImages:
        """One part of the set.

        Raises:
            MissingData: a file is not there.
            DamagedData: a file is cut off, too long, of another format, or has a label that is no class.
        """
        ...


@dataclass(frozen=True)
class IdxSet:
    """A set of grey images in IDX files (LeCun, Cortes and Burges, the format of MNIST).

    Attributes:
        title: what it is called.
        page: where it is published.
        folder: a folder of the data directory that may hold the files, which else lie in the directory itself.
        side: height and width of an image.
        classes: how many there are.
        training, test: how many images each part has.
    """

    title: str
    page: str
    folder: str
    side: int
    classes: int
    training: int
    test: int

    def files(self, folder: Path, part: Part) -> tuple[Path, ...]:
        names = self._names(part)
        # Both from one place: MNIST's files have the same names, and may lie in the directory itself.
        for place in (folder / self.folder, folder):
            found = [find(place, (name, f"{name}.gz")) for name in names]
            images, labels = found
            if images and labels:
                return images, labels
        expected = f"{' and '.join(names)} (or .gz), there or in {self.folder}/"
        raise MissingData(self.title, folder, expected, f"get them from {self.page}")

    def read(self, folder: Path, part: Part) -> LabelledImages:
        images, labels = self.files(folder, part)
        count = self.training if part == "training" else self.test
        pixels, numbers = read_idx(images, (count, self.side, self.side)), read_idx(labels, (count,))
        _check_labels(numbers, self.classes, labels)
        return LabelledImages(pixels[:, None], numbers)

    def _names(self, part: Part) -> tuple[str, str]:
        prefix = "train" if part == "training" else "t10k"
        return f"{prefix}-images-idx3-ubyte", f"{prefix}-labels-idx1-ubyte"


@dataclass(frozen=True)
class CifarSet:
    """CIFAR-10 or CIFAR-100 in the binary version: records of label bytes and 3,072 pixels (Krizhevsky 2009).

    Attributes:
        title: what it is called.
        page: where it is published.
        folder: what its archive unpacks to.
        archive: the packed folder.
        pickled: folder and archive of the Python version, which is not read.
        labels: for each label byte how many values it has; the last one is the class.
        training, test: the files of each part, in order.
        records: how many images a training file has, and how many a test file.
    """

    title: str
    page: str
    folder: str
    archive: str
    pickled: tuple[str, str]
    labels: tuple[int, ...]
    training: tuple[str, ...]
    test: tuple[str, ...]
    records: tuple[int, int]

    def files(self, folder: Path, part: Part) -> tuple[Path, ...]:
        unpacked = [find(folder / self.folder, (name,)) for name in self._names(part)]
        if all(unpacked):
            return tuple(path for path in unpacked if path)
        archive = find(folder, (self.archive,))
        if archive:
            return (archive,)
        raise MissingData(self.title, folder, self._expected(folder, unpacked, part), self._advice(folder))

    def read(self, folder: Path, part: Part) -> LabelledImages:
        count = self._count(part)
        images = np.empty((len(self._names(part)) * count, *_CIFAR_IMAGE), np.uint8)
        labels = np.empty(len(images), np.uint8)
        for number, (path, content) in enumerate(self._contents(folder, part)):
            records = np.frombuffer(content, np.uint8).reshape(count, -1)
            for column, classes in enumerate(self.labels):
                _check_labels(records[:, column], classes, path)
            rows = slice(number * count, (number + 1) * count)
            images[rows] = records[:, len(self.labels) :].reshape(-1, *_CIFAR_IMAGE)
            labels[rows] = records[:, len(self.labels) - 1]
        return LabelledImages(images, labels)

    def _contents(self, folder: Path, part: Part) -> Iterator[tuple[Path, bytes]]:
        """Each file of a part in order: where it lies, in or out of an archive, and the bytes in it."""
        files = self.files(folder, part)
        size = self._count(part) * (len(self.labels) + prod(_CIFAR_IMAGE))
        if files[0].name == self.archive:
            names = [f"{self.folder}/{name}" for name in self._names(part)]
            contents = _members(files[0], names, size)
            yield from ((files[0] / name, contents[name]) for name in names)
        else:
            yield from ((path, _whole(path, size)) for path in files)

    def _names(self, part: Part) -> tuple[str, ...]:
        return self.training if part == "training" else self.test

    def _count(self, part: Part) -> int:
        return self.records[0] if part == "training" else self.records[1]

    def _expected(self, folder: Path, unpacked: Sequence[Path | None], part: Part) -> str:
        if not lies(folder / self.folder):
            return f"{self.folder}/ or {self.archive}"
        lacking = [name for name, path in zip(self._names(part), unpacked, strict=True) if not path]
        return f"{', '.join(lacking)} in {self.folder}/, or {self.archive}"

    def _advice(self, folder: Path) -> str:
        pickled = [name for name in self.pickled if lies(folder / name)]
        why = f"{pickled[0]} is the Python version, which is pickled and not read; " if pickled else ""
        return f"{why}get the binary version from {self.page}"


_CIFAR_PAGE = "https://www.cs.toronto.edu/~kriz/cifar.html"
FASHION_MNIST = IdxSet(
    "Fashion-MNIST", "https://github.com/zalandoresearch/fashion-mnist", "fashion-mnist", 28, 10, 60_000, 10_000
)
CIFAR10 = CifarSet(
    "CIFAR-10",
    _CIFAR_PAGE,
    "cifar-10-batches-bin",
    "cifar-10-binary.tar.gz",
    ("cifar-10-batches-py", "cifar-10-python.tar.gz"),
    labels=(10,),
    training=tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    test=("test_batch.bin",),
    records=(10_000, 10_000),
)
CIFAR100 = CifarSet(
    "CIFAR-100",
    _CIFAR_PAGE,
    "cifar-100-binary",
    "cifar-100-binary.tar.gz",
    ("cifar-100-python", "cifar-100-python.tar.gz"),
    labels=(20, 100),
    training=("train.bin",),
    test=("test.bin",),
    records=(50_000, 10_000),
)
SETS: tuple[ImageSet, ...] = (FASHION_MNIST, CIFAR10, CIFAR100)


def read_idx(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """An IDX file of unsigned bytes, plain or as `.gz`.

    Its head is two zeros, the type, the number of dimensions, and each dimension as four bytes, the largest first.

    Raises:
        DamagedData: the file cannot be read, or holds anything but such an array.
    """
    magic = bytes([0, 0, _UNSIGNED_BYTES, len(shape)])
    size = prod(shape)
    with _reading(path), _open(path) as file:
        head = file.read(len(magic) + 4 * len(shape))
        if not head.startswith(magic):
            raise _damaged(path, f"an IDX file, which begins with {magic.hex(' ')}", head[:4].hex(" ") or "nothing")
        got = tuple(np.frombuffer(head[len(magic) :].ljust(4 * len(shape), b"\0"), ">u4").tolist())
        if got != shape:
            raise _damaged(path, f"dimensions {_times(shape)}", _times(got))
        # One byte more than there should be, so that a longer file is noticed; at the end gzip checks its sum.
        content = file.read(size + 1)
    _check_size(path, size, content)
    return np.frombuffer(content, np.uint8).reshape(shape)


def _whole(path: Path, size: int) -> bytes:
    with _reading(path), path.open("rb") as file:
        content = file.read(size + 1)
    _check_size(path, size, content)
    return content


def _members(path: Path, names: Sequence[str], size: int) -> dict[str, bytes]:
    """The contents of some members of a `.tar.gz`, each of `size` bytes. Nothing is written anywhere."""
    found: dict[str, bytes] = {}
    with _reading(path), gzip.open(path) as stream:
        with tarfile.open(fileobj=stream, mode="r:") as archive:
            for member in archive:
                name = str(PurePosixPath(member.name))
                file = archive.extractfile(member) if name in names and member.isreg() else None
                if file is None:
                    continue
                if member.size != size:
                    raise _damaged(path / name, f"{size:,} bytes", f"{member.size:,}")
                found[name] = file.read()
        while stream.read(_SKIPPED_AT_ONCE):  # at its end gzip checks the sum of all
            pass
    lacking = [name for name in names if name not in found]
    if lacking:
        raise _damaged(path, f"an archive with {lacking[0]}", "one without it")
    return found


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turns whatever the libraries raise on a file that is cut off or damaged into one line that names it."""
    try:
        yield
    except DamagedData:
        raise
    except (OSError, EOFError, ValueError, zlib.error, tarfile.TarError) as error:
        cause = " ".join(str(error).split()) or type(error).__name__
        raise DamagedData(f"could not read {path} ({cause:.100}); get the file again") from None


def _check_size(path: Path, size: int, content: bytes) -> None:
    if len(content) != size:
        raise _damaged(path, f"{size:,} bytes of content", f"{len(content):,}" if len(content) < size else "more")


def _check_labels(labels: NDArray[np.uint8], classes: int, path: Path) -> None:
    largest = int(labels.max(initial=0))
    if largest >= classes:
        raise _damaged(path, f"labels from 0 to {classes - 1}", str(largest))


def _damaged(path: Path, expected: str, got: str) -> DamagedData:
    return DamagedData(f"expected {expected}, got {got}: {path}; get the file again")


def _times(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape))
