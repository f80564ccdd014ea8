"""The vendored data are what DATA.md says, and the three parts of each set never share an example."""

import re
from collections.abc import Callable
from hashlib import sha256
from importlib.resources import files
from itertools import pairwise

import numpy as np
import pytest

from germline.evaluators.data.load import SPLITS, VERSES_PER_REGION, Digits, diamonds, digits, mnist5k, text, text_split

FOLDER = files("germline.evaluators.data")
PAGE = (FOLDER / "DATA.md").read_text(encoding="utf-8")
IMAGES = [(digits, (1797, 8, 8), 16, (1197, 300, 300)), (mnist5k, (5000, 28, 28), 255, (3500, 750, 750))]


def test_every_data_file_has_the_hash_in_data_md() -> None:
    stated = dict(re.findall(r"^\| `([\w.]+)` .*`([0-9a-f]{64})` \|$", PAGE, re.MULTILINE))
    shipped = {file.name for file in FOLDER.iterdir() if file.name.endswith((".npz", ".xz"))}
    assert shipped == set(stated)
    for name, expected in stated.items():
        assert sha256((FOLDER / name).read_bytes()).hexdigest() == expected, name


@pytest.mark.parametrize(("load", "shape", "largest", "sizes"), IMAGES)
def test_digits_have_their_shape_range_and_split_sizes(
    load: Callable[[], Digits], shape: tuple[int, ...], largest: int, sizes: tuple[int, ...]
) -> None:
    data = load()
    assert data.images.shape == shape
    assert data.images.dtype == data.labels.dtype == np.uint8
    assert (data.images.min(), data.images.max()) == (0, largest)
    assert tuple(len(data.part(split)[0]) for split in SPLITS) == sizes
    assert sum(sizes) == len(data.labels)
    assert f"| {sizes[0]:,} | {sizes[1]} | {sizes[2]} |" in PAGE


@pytest.mark.parametrize("load", [digits, mnist5k])
def test_no_image_is_in_two_parts(load: Callable[[], Digits]) -> None:
    data = load()
    parts = {split: {image.tobytes() for image in data.part(split)[0]} for split in SPLITS}
    assert all(parts[one].isdisjoint(other) for one in SPLITS for key, other in parts.items() if key != one)


@pytest.mark.parametrize("load", [digits, mnist5k])
def test_every_class_is_spread_evenly_over_the_parts(load: Callable[[], Digits]) -> None:
    data = load()
    share = np.bincount(data.labels) / len(data.labels)
    for split in SPLITS:
        labels = data.part(split)[1]
        assert np.abs(np.bincount(labels) - share * len(labels)).max() <= 1


def test_a_digit_still_looks_like_its_label() -> None:
    data = digits()
    pixels, labels = data.images.reshape(len(data.images), -1).astype(np.int64), data.labels
    centres = np.stack([pixels[labels == label].mean(0) for label in range(10)])
    nearest = ((pixels[:, None] - centres) ** 2).sum(-1).argmin(1)
    assert (nearest == labels).mean() > 0.85


def test_diamonds_have_their_ranges_and_share_no_stone_between_parts() -> None:
    data = diamonds()
    parts = [data.part(split) for split in SPLITS]
    assert [len(price) for _, _, price in parts] == [6_000, 1_000, 1_000]
    assert (data.numbers > 0).all() and data.grades.max(0).tolist() == [4, 6, 7]
    weight, price = np.log(data.numbers[:, 0]), np.log(data.price.astype(float))
    assert np.corrcoef(weight, price)[0, 1] > 0.95
    stones = [{row.tobytes() for row in np.column_stack(part)} for part in parts]
    assert all(one.isdisjoint(other) for one, other in pairwise([*stones, stones[0]]))


def test_the_text_is_the_whole_king_james_bible_in_printable_ascii() -> None:
    plain = text().tobytes().decode("ascii")
    assert len(plain) == 4_303_441
    lines = plain.removesuffix("\n").split("\n")
    assert len(lines) == 31_102
    assert all(re.match(r"\d+:\d+ \S", line) and line.isprintable() for line in lines)
    assert sum(line.startswith("1:1 ") for line in lines) == 66
    assert lines[0] == "1:1 In the beginning God created the heavens and the earth."
    assert lines[-1].startswith("22:21 The grace of our Lord Jesus Christ")


def test_verses_follow_one_another_without_a_gap() -> None:
    numbers = [tuple(map(int, pair)) for pair in re.findall(r"^(\d+):(\d+) ", text().tobytes().decode(), re.MULTILINE)]
    for (chapter, verse), following in pairwise(numbers):
        assert following in {(chapter, verse + 1), (chapter + 1, 1), (1, 1)}


@pytest.mark.slow
def test_the_parts_of_the_text_cover_it_once() -> None:
    codes = text()
    parts = text_split(codes)
    assert tuple(parts) == SPLITS
    assert (np.bincount(np.concatenate(list(parts.values())), minlength=len(codes)) == 1).all()
    stated = " | ".join(f"{len(parts[split]):,}" for split in SPLITS)
    assert f"| text | {stated} |" in PAGE


@pytest.mark.slow
def test_the_parts_of_the_text_are_whole_regions_of_verses() -> None:
    codes = text()
    for split, positions in text_split(codes).items():
        ends = np.flatnonzero(np.diff(positions) > 1)
        assert (codes[positions[ends]] == ord("\n")).all(), split
        for run in np.split(positions, ends + 1)[:-1]:
            assert (codes[run] == ord("\n")).sum() % VERSES_PER_REGION == 0
