"""Published sets in their authors' formats: every value in its place, one line for a file that is not right, and the
tasks that train on them."""

import gzip
import io
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from germline.evaluators.architecture.evaluator import ArchitectureEvaluator
from germline.evaluators.data.directory import VARIABLE, MissingData, directory
from germline.evaluators.data.published_images import (
    CIFAR10,
    CIFAR100,
    FASHION_MNIST,
    SETS,
    CifarSet,
    DamagedData,
    IdxSet,
    LabelledImages,
    read_idx,
)
from germline.evaluators.task import Rung
from germline.evaluators.tasks.large_images import (
    CIFAR10Cells,
    FashionCells,
    cropped,
    cut_out,
    epochs,
    moments,
    random_words,
)
from germline.evaluators.training_seeds import batches
from germline.programs.architecture.cells import SPACES
from germline.programs.architecture.genome import write
from germline.programs.architecture.skeleton import Skeleton

FASHION = replace(FASHION_MNIST, training=30, test=10)
TEN = replace(CIFAR10, records=(8, 6))
HUNDRED = replace(CIFAR100, records=(40, 6))


def idx(array: NDArray[np.uint8]) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


def grey(count: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, 28, 28), np.uint8), rng.integers(0, 10, count, np.uint8)


def records(one: CifarSet, count: int, seed: int) -> NDArray[np.uint8]:
    """Records as the page of CIFAR describes them: label bytes, then 1,024 red, 1,024 green, 1,024 blue pixels."""
    rng = np.random.default_rng(seed)
    labels = [rng.integers(0, classes, (count, 1), np.uint8) for classes in one.labels]
    return np.concatenate([*labels, rng.integers(0, 256, (count, 3 * 32 * 32), np.uint8)], 1)


def write_fashion(folder: Path, packed: bool = False) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for prefix, count, seed in (("train", 30, 0), ("t10k", 10, 1)):
        images, labels = grey(count, seed)
        for name, array in ((f"{prefix}-images-idx3-ubyte", images), (f"{prefix}-labels-idx1-ubyte", labels)):
            if packed:
                (folder / f"{name}.gz").write_bytes(gzip.compress(idx(array)))
            else:
                (folder / name).write_bytes(idx(array))


def cifar_files(one: CifarSet) -> dict[str, bytes]:
    names = [*((name, one.records[0]) for name in one.training), *((name, one.records[1]) for name in one.test)]
    return {name: records(one, count, seed).tobytes() for seed, (name, count) in enumerate(names)}


def write_cifar(one: CifarSet, folder: Path) -> Path:
    (folder / one.folder).mkdir(parents=True)
    for name, content in cifar_files(one).items():
        (folder / one.folder / name).write_bytes(content)
    return folder / one.folder


def write_archive(one: CifarSet, folder: Path, files: dict[str, bytes]) -> Path:
    """Not in the order in which the files are read, and with others between them, as in the real one."""
    path = folder / one.archive
    with tarfile.open(path, "w:gz") as archive:
        for name, content in [("readme.html", b"<html>"), *reversed(files.items())]:
            member = tarfile.TarInfo(f"{one.folder}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def same(one: LabelledImages, other: LabelledImages) -> bool:
    return np.array_equal(one.images, other.images) and np.array_equal(one.labels, other.labels)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("place", [".", "fashion-mnist"])
def test_idx_files_are_read_in_their_order(tmp_path: Path, packed: bool, place: str) -> None:
    write_fashion(tmp_path / place, packed)
    for part, count, seed in (("training", 30, 0), ("test", 10, 1)):
        found = FASHION.read(tmp_path, part)  # type: ignore[arg-type]
        images, labels = grey(count, seed)
        assert found.images.shape == (count, 1, 28, 28) and found.images.dtype == found.labels.dtype == np.uint8
        assert np.array_equal(found.images[:, 0], images) and np.array_equal(found.labels, labels)


def test_mnist_files_beside_the_folder_are_not_read_as_fashion_mnist(tmp_path: Path) -> None:
    write_fashion(tmp_path / "fashion-mnist")
    write_fashion(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(np.full(30, 9, np.uint8)))
    assert np.array_equal(FASHION.read(tmp_path, "training").labels, grey(30, 0)[1])


@pytest.mark.parametrize("one", [TEN, HUNDRED])
@pytest.mark.parametrize("packed", [False, True])
def test_cifar_is_read_in_the_order_of_its_files(tmp_path: Path, one: CifarSet, packed: bool) -> None:
    if packed:
        write_archive(one, tmp_path, cifar_files(one))
    else:
        write_cifar(one, tmp_path)
    expected = np.concatenate([records(one, one.records[0], seed) for seed in range(len(one.training))])
    found = one.read(tmp_path, "training")
    assert found.images.shape == (40, 3, 32, 32)
    assert np.array_equal(found.labels, expected[:, len(one.labels) - 1])
    row = expected[17, len(one.labels) :]
    assert found.images[17, 2, 5, 7] == row[2 * 1024 + 5 * 32 + 7]
    assert np.array_equal(found.images.reshape(40, -1), expected[:, len(one.labels) :])
    assert len(one.read(tmp_path, "test")) == 6
    assert sorted(path.name for path in tmp_path.iterdir()) == [one.archive if packed else one.folder]


def test_unpacked_files_take_precedence_over_the_archive(tmp_path: Path) -> None:
    write_archive(TEN, tmp_path, {})
    write_cifar(TEN, tmp_path)
    assert len(TEN.read(tmp_path, "training")) == 40


def test_arrays_are_read_only_and_the_last_tenth_is_for_validation(tmp_path: Path) -> None:
    write_cifar(TEN, tmp_path)
    all_ = TEN.read(tmp_path, "training")
    with pytest.raises(ValueError, match="read-only"):
        all_.images[0] = 0
    train, validation = all_.split()
    assert same(train, LabelledImages(all_.images[:36].copy(), all_.labels[:36].copy()))
    assert same(validation, LabelledImages(all_.images[36:].copy(), all_.labels[36:].copy()))


def test_sizes_are_those_that_the_authors_publish() -> None:
    assert (FASHION_MNIST.training, FASHION_MNIST.test) == (60_000, 10_000)
    for one in (CIFAR10, CIFAR100):
        assert len(one.training) * one.records[0] == 50_000 and len(one.test) * one.records[1] == 10_000


@pytest.mark.parametrize("one", SETS)
def test_the_error_for_a_missing_set_says_where_to_get_it(tmp_path: Path, one: IdxSet | CifarSet) -> None:
    with pytest.raises(MissingData) as caught:
        one.read(tmp_path / "nowhere", "training")
    told = str(caught.value)
    assert one.title in told and one.page in told and one.folder in told and str(tmp_path / "nowhere") in told
    assert "--data" in told and VARIABLE in told and "\n" not in told


@pytest.mark.parametrize("name", TEN.pickled)
def test_the_python_version_is_named_and_never_opened(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"cos\nsystem\n(S'exit'\ntR.")
    with pytest.raises(MissingData, match=rf"{name} is the Python version.* get the binary version from https://"):
        TEN.read(tmp_path, "training")


def test_the_error_for_an_incomplete_folder_names_the_missing_file(tmp_path: Path) -> None:
    (write_cifar(TEN, tmp_path) / "data_batch_3.bin").unlink()
    with pytest.raises(MissingData, match=r"expected data_batch_3\.bin in cifar-10-batches-bin/"):
        TEN.files(tmp_path, "training")
    assert TEN.files(tmp_path, "test")


IDX_DAMAGE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "cut off": (lambda content: content[:-1], "expected 23,520 bytes of content, got 23,519"),
    "cut off in its head": (lambda content: content[:9], "expected dimensions 30×28×28, got 30×"),
    "empty": (lambda content: b"", "begins with 00 00 08 03, got nothing"),
    "longer": (lambda content: content + b"\0", "got more"),
    "of floats": (lambda content: content[:2] + b"\x0d" + content[3:], "got 00 00 0d 03"),
    "labels": (lambda content: idx(np.zeros(30, np.uint8)), "got 00 00 08 01"),
    "of another count": (lambda content: idx(grey(29, 0)[0]), "got 29×28×28"),
    "of another side": (lambda content: idx(np.zeros((30, 28, 27), np.uint8)), "got 30×28×27"),
    "a web page": (lambda content: b"<!DOCTYPE html>", "got 3c 21 44 4f"),
}


@pytest.mark.parametrize("damage", IDX_DAMAGE)
@pytest.mark.parametrize("packed", [False, True])
def test_the_error_for_a_damaged_idx_file_names_it_in_one_line(tmp_path: Path, damage: str, packed: bool) -> None:
    write_fashion(tmp_path)
    change, message = IDX_DAMAGE[damage]
    path = tmp_path / "train-images-idx3-ubyte"
    content = change(path.read_bytes())
    path.write_bytes(content)
    if packed:
        path.unlink()
        path = path.with_suffix(".gz")
        path.write_bytes(gzip.compress(content))
    refused(lambda: FASHION.read(tmp_path, "training"), path, message)


def test_the_error_for_a_damaged_gz_file_names_it_in_one_line(tmp_path: Path) -> None:
    write_fashion(tmp_path, packed=True)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    whole = path.read_bytes()
    wrong_sum = whole[:-8] + bytes([whole[-8] ^ 1]) + whole[-7:]
    for content in (whole[:-20], whole[:400] + bytes(50) + whole[450:], wrong_sum, b"no gzip", b""):
        path.write_bytes(content)
        refused(lambda: FASHION.read(tmp_path, "training"), path, "")


def test_a_label_beyond_the_classes_is_refused(tmp_path: Path) -> None:
    write_fashion(tmp_path)
    path = tmp_path / "train-labels-idx1-ubyte"
    path.write_bytes(idx(np.array([10] + [0] * 29, np.uint8)))
    refused(lambda: FASHION.read(tmp_path, "training"), path, "expected labels from 0 to 9, got 10")


@pytest.mark.parametrize(("column", "value", "message"), [(0, 20, "0 to 19, got 20"), (1, 100, "0 to 99, got 100")])
def test_a_label_of_cifar_beyond_the_classes_is_refused(tmp_path: Path, column: int, value: int, message: str) -> None:
    path = write_cifar(HUNDRED, tmp_path) / "train.bin"
    content = bytearray(path.read_bytes())
    content[5 * 3074 + column] = value
    path.write_bytes(content)
    refused(lambda: HUNDRED.read(tmp_path, "training"), path, message)


@pytest.mark.parametrize("change", [lambda content: content[:-1], lambda content: content + b"\0", lambda content: b""])
def test_a_file_of_cifar_of_another_size_is_refused(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    path = write_cifar(TEN, tmp_path) / "data_batch_4.bin"
    path.write_bytes(change(path.read_bytes()))
    refused(lambda: TEN.read(tmp_path, "training"), path, "expected 24,584 bytes of content")


def test_the_error_for_a_damaged_archive_names_it_in_one_line(tmp_path: Path) -> None:
    files = cifar_files(TEN)
    path = write_archive(TEN, tmp_path, files)
    whole = path.read_bytes()
    half, flipped = len(whole) // 2, bytearray(whole)
    flipped[half] ^= 0xFF
    for content in (whole[:half], whole[:-4], bytes(flipped), b"no archive", b"", gzip.compress(b"no archive" * 99)):
        path.write_bytes(content)
        refused(lambda: TEN.read(tmp_path, "training"), path, "")
    write_archive(TEN, tmp_path, {**files, "data_batch_2.bin": b"short"})
    refused(lambda: TEN.read(tmp_path, "training"), path / TEN.folder / "data_batch_2.bin", "24,584 bytes, got 5")
    del files["data_batch_5.bin"]
    write_archive(TEN, tmp_path, files)
    refused(lambda: TEN.read(tmp_path, "training"), path, "expected an archive with cifar-10-batches-bin/data_batch_5")


def test_an_archive_cannot_write_files_or_follow_links(tmp_path: Path) -> None:
    """A link of the name that is looked for is not followed, and no path in an archive is written to."""
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(HUNDRED.records[0] * 3074))
    (tmp_path / "data").mkdir()
    with tarfile.open(tmp_path / "data" / HUNDRED.archive, "w:gz") as archive:
        for kind, name in ((tarfile.SYMTYPE, "cifar-100-binary/train.bin"), (tarfile.LNKTYPE, "../escaped")):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = kind, str(secret)
            archive.addfile(link)
    with pytest.raises(DamagedData, match=r"an archive with cifar-100-binary/train\.bin"):
        HUNDRED.read(tmp_path / "data", "training")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "secret"]


@pytest.mark.slow
def test_a_file_with_a_changed_byte_is_read_or_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    write_fashion(tmp_path, packed=True)
    archive = write_archive(HUNDRED, tmp_path, cifar_files(HUNDRED))
    images = tmp_path / "train-images-idx3-ubyte.gz"
    cases = [(archive, lambda: HUNDRED.read(tmp_path, "training"))]
    cases += [(images, lambda: FASHION.read(tmp_path, "training"))]
    for path, read in cases:
        whole = path.read_bytes()
        expected = read()
        for _ in range(60):
            changed = bytearray(whole)
            changed[rng.integers(len(whole) if rng.random() < 0.5 else 600)] ^= int(rng.integers(1, 256))
            path.write_bytes(changed)
            try:
                assert same(read(), expected)  # a byte of no meaning, such as a time
            except DamagedData as error:
                assert str(path) in str(error) and "\n" not in str(error)
        path.write_bytes(whole)


def test_a_directory_in_the_place_of_a_file_is_missing(tmp_path: Path) -> None:
    (tmp_path / TEN.archive).mkdir()
    with pytest.raises(MissingData):
        TEN.files(tmp_path, "training")


def test_the_data_directory_is_the_variable_or_data_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(VARIABLE, raising=False)
    assert directory() == tmp_path / "data"
    monkeypatch.setenv(VARIABLE, "elsewhere")
    assert directory() == tmp_path / "elsewhere"


def test_the_header_of_an_idx_file_is_that_of_the_formats_description(tmp_path: Path) -> None:
    """The head of the format's description: 2051 and 2049 as whole numbers of four bytes, the largest first."""
    path = tmp_path / "labels"
    path.write_bytes((2049).to_bytes(4, "big") + (3).to_bytes(4, "big") + bytes([7, 8, 9]))
    assert read_idx(path, (3,)).tolist() == [7, 8, 9]
    path.write_bytes(
        (2051).to_bytes(4, "big") + b"".join(n.to_bytes(4, "big") for n in (1, 2, 2)) + bytes([1, 2, 3, 4])
    )
    assert read_idx(path, (1, 2, 2)).tolist() == [[[1, 2], [3, 4]]]


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory with a few images, for the real tasks."""
    for task, source in ((FashionCells, FASHION), (CIFAR10Cells, TEN)):
        monkeypatch.setattr(task, "source", source)
        monkeypatch.setattr(task, "rungs", (Rung(4, 8),))
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    write_fashion(tmp_path)
    return write_cifar(TEN, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("task", ["fashion-cells", "cifar10-cells"])
def test_training_cells_on_a_published_set_is_deterministic(small: Path, task: str) -> None:
    (small / "test_batch.bin").unlink()  # a search has no use for it
    genome = write(SPACES["darts"].smallest())
    first, again, beside = (
        ArchitectureEvaluator(task, 0, cells=2, channels=4).score(genomes, 0, 0)
        for genomes in ([genome], [genome], [genome] * 2)
    )
    assert first[0].status == "ok" and first[0].measures["loss"] > 0
    assert {one.measures["loss"] for one in (*first, *again, *beside)} == {first[0].measures["loss"]}
    (other,) = ArchitectureEvaluator(task, 0, cells=2, channels=4).score([genome], 0, 1)
    assert other.measures["loss"] != first[0].measures["loss"]


def test_held_out_images_are_opened_only_for_the_held_out_split(small: Path) -> None:
    content = (small / "test_batch.bin").read_bytes()
    (small / "test_batch.bin").unlink()
    task = CIFAR10Cells()
    assert len(task.part("validation")[1]) > 0
    with pytest.raises(MissingData, match="test_batch"):
        task.part("heldout")
    (small / "test_batch.bin").write_bytes(content)
    (found,) = task.measure([SPACES["darts"].smallest()], Skeleton(4, 2), Rung(2, 8), (0,), "heldout")
    assert found is not None and 0 <= found["heldout_error"] <= 100


def test_validation_images_are_normalised_with_the_training_split(small: Path) -> None:
    """The network sees the last tenth, without augmentation, in the units of the other nine."""
    task = CIFAR10Cells()
    seen = task.prepared(task.part("validation")[0])
    train, validation = TEN.read(small.parent, "training").split()
    pixels = train.images.astype(np.float64)
    mean, deviation = (one(pixels, axis=(0, 2, 3), keepdims=True) for one in (np.mean, np.std))
    assert np.allclose(seen.numpy(), (validation.images - mean) / deviation, atol=1e-5)


def test_moments_are_exact_and_a_constant_colour_has_deviation_one() -> None:
    images = np.random.default_rng(0).integers(0, 256, (11_000, 2, 3, 3), np.uint8)
    images[:, 1] = 7
    mean, deviation = moments(images)
    assert mean == pytest.approx([images[:, 0].mean(), 7], rel=1e-12)
    assert deviation == pytest.approx([images[:, 0].std(), 1], rel=1e-9)


def test_rungs_are_epochs() -> None:
    assert [rung.steps for rung in epochs(45_000)] == [352, 1_758, 17_579]


def test_a_batch_follows_from_its_indices_and_keeps_its_labels(small: Path) -> None:
    task, again = CIFAR10Cells(), CIFAR10Cells()
    train, _ = TEN.read(small.parent, "training").split()
    drawn = [next(batches(36, Rung(1, 64), (seed, 0, 0), "cpu")) for seed in (0, 0, 1)]
    images, labels = task.batch(drawn[0])
    same_images, same_labels = again.batch(drawn[1])
    assert images.shape == (64, 3, 32, 32) and images.dtype == torch.float32
    assert torch.equal(images, same_images) and torch.equal(labels, same_labels)
    assert labels.tolist() == train.labels[drawn[0].numpy()].tolist()
    other = drawn[0].clone()
    other[-1] = (other[-1] + 1) % 36  # another batch, in which all but one image are the same
    changed = (task.batch(other)[0] != images).flatten(1).any(1)
    assert changed.float().mean() > 0.9
    assert not torch.equal(task.batch(drawn[2])[0], images)


def test_random_words_are_uniform_and_independent() -> None:
    found = random_words(torch.arange(20_000), 5).double() / 2**32
    assert found.shape == (5, 20_000) and found.min() >= 0 and found.max() < 1
    assert (found.mean(1) - 0.5).abs().max() < 0.01 and (found.var(1) * 12 - 1).abs().max() < 0.03
    assert (torch.corrcoef(found) - torch.eye(5)).abs().max() < 0.03
    assert torch.equal(random_words(torch.tensor([4, 4, 9]), 2), random_words(torch.tensor([4, 4, 9]), 2))


def test_a_crop_is_a_window_of_the_zero_padded_image() -> None:
    """Every crop of the padded image, mirrored and not, comes up, and nothing else."""
    images = torch.arange(1, 2 * 3 * 4 + 1, dtype=torch.uint8).reshape(1, 2, 3, 4).repeat(2_000, 1, 1, 1)
    down, right, flip = random_words(torch.arange(2_000), 3)
    found = cropped(images, 1, down, right, flip)
    assert found.shape == images.shape and found.dtype == torch.uint8
    padded = torch.nn.functional.pad(images[0], (1, 1, 1, 1))
    crops = [padded[:, y : y + 3, x : x + 4] for y in range(3) for x in range(3)]
    expected = {one.contiguous().numpy().tobytes() for crop in crops for one in (crop, crop.flip(2))}
    assert {one.contiguous().numpy().tobytes() for one in found} == expected
    assert torch.equal(cropped(images, 0, down, right, torch.zeros_like(flip)), images)


def test_a_cutout_is_a_square_with_its_centre_in_the_image() -> None:
    down, right = random_words(torch.arange(4_000), 2)
    found = cut_out(torch.ones(4_000, 3, 32, 32), 16, down, right)
    holes = found == 0
    assert torch.equal(holes[:, 0], holes[:, 2])
    rows, columns = holes[:, 0].any(2), holes[:, 0].any(1)
    assert torch.equal(holes[:, 0], rows[:, :, None] & columns[:, None, :])
    for side in (rows, columns):
        # From 8 pixels, where the centre is at the border's start, to all 16; 32 centres, each of them drawn.
        assert (int(side.sum(1).min()), int(side.sum(1).max())) == (8, 16)
        assert len(side.unique(dim=0)) == 32
    assert ((found == 0) | (found == 1)).all()


def refused(read: Callable[[], object], path: Path, message: str) -> None:
    with pytest.raises(DamagedData) as caught:
        read()
    told = str(caught.value)
    assert str(path) in told and message in told and "\n" not in told
