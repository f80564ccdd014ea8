"""Published sets of images, read from their authors' own files.

Fashion-MNIST comes as IDX files, CIFAR in its binary version. Nothing is unpacked to disk. CIFAR's Python version is
never opened: it is pickled, and unpickling runs code of the file.
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

from germline.evaluators.data.directory import MissingData, exists, find

Part = Literal["training", "test"]
VALIDATION_SHARE = 10
"""The last 1 / VALIDATION_SHARE of the training images is for validation."""
_CIFAR_IMAGE = (3, 32, 32)
_UNSIGNED_BYTES = 0x08
_SKIPPED_AT_ONCE = 2**20


class DamagedData(ValueError):
    """A file of a data set is damaged, or has other content than expected."""


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
        """Returns the training images and the validation images, the last tenth, as views."""
        first = len(self) - len(self) // VALIDATION_SHARE
        return (
            LabelledImages(self.images[:first], self.labels[:first]),
            LabelledImages(self.images[first:], self.labels[first:]),
        )


class ImageSet(Protocol):
    """A published set: its title, its files in a data directory, and their content."""

    @property
    def title(self) -> str: ...

    def files(self, folder: Path, part: Part) -> tuple[Path, ...]:
        """Returns the files that `read` would open, without opening them.

        Raises:
            MissingData: a file is missing.
        """
        ...

    def read(self, folder: Path, part: Part) -> LabelledImages:
        """Returns a part of the set.

        Raises:
            MissingData: a file is missing.
            DamagedData: a file is truncated, too long, of another format, or has a label that is no class.
        """
        ...


@dataclass(frozen=True)
class IdxSet:
    """A set of grey images in IDX files (LeCun, Cortes and Burges, the format of MNIST).

    Attributes:
        title: name of the set.
        page: where it is published.
        folder: the folder of the data directory with the files, which may also be in the directory itself.
        side: height and width of an image.
        classes: number of classes.
        training, test: number of images of each part.
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
        # Both from the same folder: MNIST's files have the same names, and may lie in the directory itself.
        for place in (folder / self.folder, folder):
            images, labels = (find(place, (name, f"{name}.gz")) for name in names)
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
        title: name of the set.
        page: where it is published.
        folder: folder of the unpacked archive.
        archive: name of the archive.
        pickled: folder and archive of the Python version, which is not read.
        labels: number of values of each label byte; the last label is the class.
        training, test: the files of each part, in order.
        records: images per training file, and per test file.
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
        """Yields path and content of each file of a part, in order; a path may be inside an archive."""
        files = self.files(folder, part)
        size = self._count(part) * (len(self.labels) + prod(_CIFAR_IMAGE))
        if files[0].name == self.archive:
            names = [f"{self.folder}/{name}" for name in self._names(part)]
            contents = _members(files[0], names, size)
            yield from ((files[0] / name, contents[name]) for name in names)
        else:
            yield from ((path, _content(path, size)) for path in files)

    def _names(self, part: Part) -> tuple[str, ...]:
        return self.training if part == "training" else self.test

    def _count(self, part: Part) -> int:
        return self.records[0] if part == "training" else self.records[1]

    def _expected(self, folder: Path, unpacked: Sequence[Path | None], part: Part) -> str:
        if not exists(folder / self.folder):
            return f"{self.folder}/ or {self.archive}"
        lacking = [name for name, path in zip(self._names(part), unpacked, strict=True) if not path]
        return f"{', '.join(lacking)} in {self.folder}/, or {self.archive}"

    def _advice(self, folder: Path) -> str:
        pickled = [name for name in self.pickled if exists(folder / name)]
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
    """Returns the array of an IDX file of unsigned bytes, plain or as `.gz`.

    Its header is two zeros, the type, the number of dimensions, and each dimension as a big-endian 32-bit integer.

    Raises:
        DamagedData: the file cannot be read, or does not contain an array of this shape.
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
        # A byte more than expected, so that a longer file is noticed; at the end gzip checks its checksum.
        content = file.read(size + 1)
    _check_size(path, size, content)
    return np.frombuffer(content, np.uint8).reshape(shape)


def _content(path: Path, size: int) -> bytes:
    with _reading(path), path.open("rb") as file:
        content = file.read(size + 1)
    _check_size(path, size, content)
    return content


def _members(path: Path, names: Sequence[str], size: int) -> dict[str, bytes]:
    """The contents of members of a `.tar.gz` by name, each of `size` bytes. Nothing is written to disk."""
    contents: dict[str, bytes] = {}
    with _reading(path), gzip.open(path) as stream:
        with tarfile.open(fileobj=stream, mode="r:") as archive:
            for member in archive:
                name = str(PurePosixPath(member.name))
                file = archive.extractfile(member) if name in names and member.isreg() else None
                if file is None:
                    continue
                if member.size != size:
                    raise _damaged(path / name, f"{size:,} bytes", f"{member.size:,}")
                contents[name] = file.read()
        while stream.read(_SKIPPED_AT_ONCE):  # at its end gzip checks the checksum
            pass
    lacking = [name for name in names if name not in contents]
    if lacking:
        raise _damaged(path, f"an archive with {lacking[0]}", "an archive without it")
    return contents


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turns the libraries' errors about a truncated or damaged file into one line that names the file."""
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
