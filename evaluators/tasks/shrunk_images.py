"""Images at half their height and width."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

PIXELS = 14 * 14


def columns_of(images: NDArray[np.uint8]) -> Tensor:
    """Returns images of 28×28 with values 0..255, uint8 `[n, 28, 28]`, as columns: float32 `[196, n]` in 0..1, each
    pixel the mean of four."""
    pixels = torch.from_numpy(images).float().view(-1, 14, 2, 14, 2).mean((2, 4)) / 255
    return pixels.flatten(1).T.contiguous()
