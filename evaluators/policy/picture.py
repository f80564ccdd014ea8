"""Pictures of environments: what an environment draws, in whatever form, as bytes of red, green and blue."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from germline.evaluators.errors import InvalidTask, shown

Picture = NDArray[np.uint8]
"""A frame of a film, `[height, width, 3]`."""


class Pictures:
    """Turns the frames of one film into pictures of one size.

    A frame is an array of numbers, `[height, width]` in grey or `[height, width, channels]` with 1, 3 or 4 channels, of
    which the fourth is left out. Integers are from 0 to 255. Floats are from 0 to 1, as in matplotlib, unless the first
    frame that is not black has larger values: then from 0 to 255. Values outside the range are moved to its nearer
    end, and NaN is black.
    """

    def __init__(self) -> None:
        self._brightest: float | None = None
        """The float that is white; None before the first frame that is not black."""
        self._shape: tuple[int, ...] | None = None

    def picture(self, frame: Any) -> Picture:
        """The picture of a frame.

        Raises:
            InvalidTask: the frame is no picture, or has another size than the frames before it.
        """
        array = np.asarray(frame)
        channels = array.shape[2] if array.ndim == 3 else 1
        if array.ndim not in (2, 3) or channels not in (1, 3, 4) or not array.size or array.dtype.kind not in "biuf":
            raise InvalidTask(
                "expected a picture, an array of numbers of shape [height, width, 3], "
                f"got {_description(frame, array)}; play without a film"
            )
        picture = np.broadcast_to(array.reshape(*array.shape[:2], channels)[..., :3], (*array.shape[:2], 3))
        if self._shape not in (None, picture.shape):
            raise InvalidTask(
                f"expected pictures of one size, got {list(picture.shape)} after {list(self._shape or ())}; "
                "play without a film"
            )
        self._shape = picture.shape
        return self._bytes(picture)

    def _bytes(self, picture: NDArray[Any]) -> Picture:
        kind = picture.dtype.kind
        if kind == "b":
            return np.where(picture, np.uint8(255), np.uint8(0))
        if kind != "f":
            clipped: Picture = np.clip(picture, 0, 255).astype(np.uint8)
            return clipped
        floats = np.where(np.isnan(picture), 0.0, picture.astype(np.float64))
        largest = floats.max(initial=0.0, where=np.isfinite(floats))
        if self._brightest is None and largest > 0.0:
            self._brightest = 1.0 if largest <= 1.0 else 255.0
        return np.rint(np.clip(floats / (self._brightest or 1.0), 0.0, 1.0) * 255.0).astype(np.uint8)


def _description(frame: Any, array: NDArray[Any]) -> str:
    """What a frame is that is no picture, in words for a message."""
    if not isinstance(frame, np.ndarray):
        return shown(frame)
    return f"an array of {array.dtype} of shape {list(array.shape)}"
