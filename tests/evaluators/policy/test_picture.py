"""Frames of any number type and of the usual shapes become pictures; others are an error of one line."""

from typing import Any

import numpy as np
import pytest

from germline.evaluators.errors import InvalidTask
from germline.evaluators.policy.picture import Pictures

STEPS = np.arange(2 * 4 * 3).reshape(2, 4, 3)


def read(*frames: Any) -> list[Any]:
    pictures = Pictures()
    return [pictures.picture(frame) for frame in frames]


@pytest.mark.parametrize("type_", [np.uint8, np.int16, np.uint32, np.int64, np.float16, np.float32, np.float64])
def test_numbers_from_0_to_255_stay_as_they_are(type_: Any) -> None:
    [picture] = read(STEPS.astype(type_))
    assert picture.dtype == np.uint8 and np.array_equal(picture, STEPS)


def test_floats_are_from_0_to_1_unless_the_first_frame_that_is_not_black_has_larger_values() -> None:
    black, dim, bright = (np.full((2, 2, 3), value) for value in (0.0, 0.5, 200.0))
    assert [int(picture.max()) for picture in read(black, dim, bright)] == [0, 128, 255]
    assert [int(picture.max()) for picture in read(black, bright, dim)] == [0, 200, 0]


def test_values_out_of_range_and_nan_are_moved_into_it() -> None:
    frame = np.array([[[-5.0, np.nan, 0.25], [np.inf, -np.inf, 1.0]]])
    assert read(frame)[0].tolist() == [[[0, 0, 64], [255, 0, 255]]]
    assert read(np.array([[[-1, 300, 7]]]))[0].tolist() == [[[0, 255, 7]]]
    assert read(np.array([[[True, False, True]]]))[0].tolist() == [[[255, 0, 255]]]


def test_grey_and_transparent_frames_become_three_channels() -> None:
    for frame in (STEPS[..., 0], STEPS[..., :1]):
        assert np.array_equal(read(frame)[0], np.repeat(STEPS[..., :1], 3, 2))
    assert np.array_equal(read(np.concatenate([STEPS, STEPS[..., :1]], 2))[0], STEPS)


@pytest.mark.parametrize(
    ("frame", "shown"),
    [
        (None, "None"),
        ("a picture", "'a picture'"),
        (np.zeros((2, 2, 2)), "an array of float64 of shape [2, 2, 2]"),
        (np.zeros((0, 2, 3)), "an array of float64 of shape [0, 2, 3]"),
        (np.zeros((1, 2, 2, 3), np.uint8), "an array of uint8 of shape [1, 2, 2, 3]"),
        (np.zeros((2, 2, 3), complex), "an array of complex128 of shape [2, 2, 3]"),
        (np.full((2, 2, 3), "x"), "an array of <U1 of shape [2, 2, 3]"),
        (np.array(object()), "an array of object of shape []"),
    ],
)
def test_what_is_no_picture_is_an_error_of_one_line(frame: Any, shown: str) -> None:
    with pytest.raises(InvalidTask) as error:
        read(frame)
    assert str(error.value).endswith(f"got {shown}; play without a film") and "\n" not in str(error.value)


def test_a_film_has_pictures_of_one_size() -> None:
    with pytest.raises(InvalidTask, match=r"one size, got \[2, 3, 3\] after \[2, 4, 3\]"):
        read(STEPS, STEPS[:, :3])
