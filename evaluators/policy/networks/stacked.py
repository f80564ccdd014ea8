"""Policies on devices such as a GPU: one batched forward pass in double precision, as on a CPU."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from germline.programs.policy.network import CONVOLUTIONS, OBSERVATION_LIMIT, Network, paddings
from germline.programs.policy.noise import Floats

IMAGES_AT_ONCE = 256
"""About as many images pass through the convolutions together, which bounds the memory of their unfolded patches."""


BATCHES_KEPT = 2
"""Batches whose places stay on the device: the slots are played in two halves, and their policies change rarely."""


@dataclass(frozen=True)
class Places:
    """Where the n elements of a batch lie in a grid with a row for each of its policies.

    Args:
        policies: the policy of each element, `[n]`; the batch is recognised by the identity of this array.
        cells: row and column of each element on the device, `[n]` each.
        shape: rows and columns of the grid.
        parts: rows that are computed together, and the index of their policies in the stack: a slice, which copies no
            weights, if the policies have no gaps.
    """

    policies: NDArray[np.int64]
    cells: tuple[Tensor, Tensor]
    shape: tuple[int, int]
    parts: tuple[tuple[slice, slice | Tensor], ...]


class StackedPolicies:
    """Policies of one network with their parameters stacked on a device.

    Args:
        network: the network of all policies.
        parameters: the P parameters of each of N policies: float32 `[P]` each, or one array `[N, P]`.
        device: a device of torch.
    """

    def __init__(self, network: Network, parameters: Sequence[Floats] | Floats, device: str) -> None:
        self.network = network
        self.device = device
        stacked = torch.from_numpy(np.asarray(parameters)).to(device)
        self.tensors = {tensor.name: tensor.view(stacked).double() for tensor in network.tensors}
        self.normalisation = network.normalisation and (
            torch.tensor(network.normalisation.mean, dtype=torch.float64, device=device),
            torch.tensor(network.normalisation.scale, dtype=torch.float64, device=device),
        )
        self.places: deque[Places] = deque(maxlen=BATCHES_KEPT)

    def assign_slots(self, slots: NDArray[np.int64], starting: NDArray[np.bool_]) -> None:
        return

    def forward(self, policies: NDArray[np.int64], observations: NDArray[Any]) -> Floats:
        return self.forward_async(policies, observations)()

    def forward_async(self, policies: NDArray[np.int64], observations: NDArray[Any]) -> Callable[[], Floats]:
        places = self._places(policies)
        batch = torch.from_numpy(np.ascontiguousarray(observations)).to(self.device, non_blocking=True)
        grid = batch.new_zeros((*places.shape, *batch.shape[1:]))
        grid[places.cells] = batch
        forward_part = self._forward_conv if self.network.form == "conv" else self._forward_mlp
        parts = [forward_part(grid[rows], index) for rows, index in places.parts]
        outputs = torch.cat(parts)[places.cells].float()
        if self.device == "cpu":
            return outputs.numpy
        host_outputs = torch.empty(outputs.shape, pin_memory=True)
        host_outputs.copy_(outputs, non_blocking=True)
        done = torch.cuda.Event()  # type: ignore[no-untyped-call]
        done.record()

        def wait() -> Floats:
            done.synchronize()
            return host_outputs.numpy()

        return wait

    def _places(self, policies: NDArray[np.int64]) -> Places:
        """The places of a batch; not computed again for one of the last `BATCHES_KEPT` batches."""
        for places in self.places:
            if places.policies is policies:
                return places
        present, rows, columns = _grid(policies)
        width = int(columns.max()) + 1
        height = max(1, IMAGES_AT_ONCE // width) if self.network.form == "conv" else len(present)
        together = [slice(first, min(first + height, len(present))) for first in range(0, len(present), height)]
        cells = torch.from_numpy(rows).to(self.device), torch.from_numpy(columns).to(self.device)
        parts = tuple((part, self._index(present[part])) for part in together)
        self.places.append(Places(policies, cells, (len(present), width), parts))
        return self.places[-1]

    def _forward_mlp(self, grid: Tensor, index: slice | Tensor) -> Tensor:
        """Outputs `[p, m, outputs]` of perceptrons for m observations of each of p policies, `[p, m, *observation]`;
        `index` chooses the p policies from the stacked weights."""
        values = grid.reshape(*grid.shape[:2], prod(self.network.observation)).double()
        if self.normalisation:
            mean, scale = self.normalisation
            values = ((values - mean) * scale).clamp(-OBSERVATION_LIMIT, OBSERVATION_LIMIT)
        activation = torch.tanh if self.network.activation == "tanh" else torch.relu
        for number in range(1, len(self.network.hidden) + 1):
            values = activation(self._dense(f"hidden{number}", values, index))
        return self._dense("output", values, index)

    def _forward_conv(self, grid: Tensor, index: slice | Tensor) -> Tensor:
        """Outputs `[p, m, outputs]` of convolutional networks for m images of each of p policies, `[p, m, channels,
        height, width]` with pixels from 0 to 255; `index` chooses the p policies from the stacked weights."""
        count, images_each, channels = grid.shape[:3]
        images = grid.double().flatten(0, 1) / 255.0
        layers = zip(CONVOLUTIONS, paddings(self.network), self.network.image_sizes[1:], strict=True)
        for number, ((units, kernel, stride), padding, size) in enumerate(layers, 1):
            padded = functional.pad(images, padding)
            # Views, since `functional.unfold` launches a kernel for each image. The weights have the channels last.
            patches = padded.unfold(2, kernel, stride).unfold(3, kernel, stride).permute(0, 2, 3, 4, 5, 1)
            values = self._dense(f"conv{number}", patches.reshape(count, -1, kernel * kernel * channels), index)
            images = values.relu().reshape(count * images_each, *size, units).permute(0, 3, 1, 2)
            channels = units
        flat = images.permute(0, 2, 3, 1).reshape(count, images_each, -1)
        return self._dense("output", self._dense("dense", flat, index).relu(), index)

    def _index(self, policies: NDArray[np.int64]) -> slice | Tensor:
        """What selects the given policies (ascending numbers) from a stacked tensor: a slice, which copies nothing, if
        no number between them is left out; else an int64 tensor on the device."""
        first, last = int(policies[0]), int(policies[-1])
        if last - first < len(policies):
            return slice(first, last + 1)
        return torch.from_numpy(policies).to(self.device)

    def _dense(self, name: str, values: Tensor, index: slice | Tensor) -> Tensor:
        """A dense layer for m rows of each of p policies: `[p, m, inputs]` to `[p, m, units]`, with the weights of the
        policies at `index`."""
        weights, bias = self.tensors[f"{name}.weight"][index], self.tensors[f"{name}.bias"][index]
        return torch.baddbmm(bias[:, None], values, weights.flatten(1, -2))


def _grid(policies: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Places the n elements of a batch in a grid with a row for each of the p policies in it.

    Returns:
        The policies of the batch, ascending `[p]`; and the row and the column of each element of the batch, `[n]` each.
    """
    present, rows, counts = np.unique(policies, return_inverse=True, return_counts=True)
    columns = np.empty(len(policies), np.int64)
    first = np.cumsum(counts) - counts
    columns[np.argsort(policies, kind="stable")] = np.arange(len(policies)) - np.repeat(first, counts)
    return present, rows, columns
