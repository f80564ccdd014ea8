"""Policies on other devices: all whose turn it is in one batched pass, in double precision as on a CPU."""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from germline.programs.policy.network import CONVOLUTIONS, LIMIT, Network, paddings
from germline.programs.policy.noise import Floats

IMAGES_AT_ONCE = 256
"""How many images go through the convolutions together, so that their patches fit the memory."""


class StackedPolicies:
    """Policies of one network.

    Args:
        network: what all of them are.
        parameters: of each, float32 of shape `[P]`, or one array `[N, P]`.
        device: of torch.
    """

    def __init__(self, network: Network, parameters: Sequence[Floats] | Floats, device: str) -> None:
        self.network = network
        self.device = device
        row = torch.from_numpy(np.asarray(parameters)).to(device)
        self.leaves = {
            leaf.name: row[:, leaf.begin : leaf.begin + leaf.size].reshape(-1, *leaf.shape).double()
            for leaf in network.leaves
        }
        self.normalisation = network.normalisation and (
            torch.tensor(network.normalisation.mean, dtype=torch.float64, device=device),
            torch.tensor(network.normalisation.scale, dtype=torch.float64, device=device),
        )

    def attend(self, slots: NDArray[np.int64], began: NDArray[np.bool_]) -> None:
        return

    def outputs(self, which: NDArray[np.int64], observations: NDArray[Any]) -> Floats:
        return self.submit(which, observations)()

    def submit(self, which: NDArray[np.int64], observations: NDArray[Any]) -> Callable[[], Floats]:
        """Meanwhile the host can do something else."""
        present, rows, places = _grid(which)
        seen = torch.from_numpy(np.ascontiguousarray(observations)).to(self.device, non_blocking=True)
        at = torch.from_numpy(rows).to(self.device), torch.from_numpy(places).to(self.device)
        grid = seen.new_zeros((len(present), int(places.max()) + 1, *seen.shape[1:]))
        grid[at] = seen
        out = (self._conv(grid, present) if self.network.form == "conv" else self._mlp(grid, present))[at].float()
        if self.device == "cpu":
            return out.numpy
        landed = torch.empty(out.shape, pin_memory=True)
        landed.copy_(out, non_blocking=True)
        done = torch.cuda.Event()  # type: ignore[no-untyped-call]
        done.record()

        def wait() -> Floats:
            done.synchronize()
            return landed.numpy()

        return wait

    def _mlp(self, seen: Tensor, policies: NDArray[np.int64]) -> Tensor:
        """`[n, m, *observation]` to `[n, m, outputs]`, a row for each of some policies."""
        chosen = self._chosen(policies)
        values = seen.reshape(*seen.shape[:2], prod(self.network.observation)).double()
        if self.normalisation:
            mean, scale = self.normalisation
            values = ((values - mean) * scale).clamp(-LIMIT, LIMIT)
        activation = torch.tanh if self.network.activation == "tanh" else torch.relu
        for number in range(1, len(self.network.hidden) + 1):
            values = activation(self._dense(f"hidden{number}", values, chosen))
        return self._dense("output", values, chosen)

    def _conv(self, seen: Tensor, policies: NDArray[np.int64]) -> Tensor:
        """The same for images, as many policies at once as may have their patches in memory."""
        some = max(1, IMAGES_AT_ONCE // seen.shape[1])
        parts = [slice(i, i + some) for i in range(0, len(seen), some)]
        return torch.cat([self._images(seen[part], self._chosen(policies[part])) for part in parts])

    def _images(self, seen: Tensor, policies: slice | Tensor) -> Tensor:
        count, turns, channels = seen.shape[:3]
        images = seen.double().flatten(0, 1) / 255.0
        shapes = zip(CONVOLUTIONS, paddings(self.network), self.network.sizes[1:], strict=True)
        for number, ((units, kernel, stride), edges, made) in enumerate(shapes, 1):
            patches = functional.unfold(functional.pad(images, edges), kernel, stride=stride)
            # unfold has channels before kernel places, the weights have them behind.
            patches = patches.reshape(count, turns, channels, kernel * kernel, -1).permute(0, 1, 4, 3, 2)
            values = self._dense(f"conv{number}", patches.reshape(count, -1, kernel * kernel * channels), policies)
            images = values.relu().reshape(count * turns, *made, units).permute(0, 3, 1, 2)
            channels = units
        flat = images.permute(0, 2, 3, 1).reshape(count, turns, -1)
        return self._dense("output", self._dense("dense", flat, policies).relu(), policies)

    def _chosen(self, policies: NDArray[np.int64]) -> slice | Tensor:
        """An index of theirs: where no policy is left out between them, one that copies no weights."""
        first, last = int(policies[0]), int(policies[-1])
        if last - first < len(policies):
            return slice(first, last + 1)
        return torch.from_numpy(policies).to(self.device)

    def _dense(self, name: str, values: Tensor, policies: slice | Tensor) -> Tensor:
        weights, bias = self.leaves[f"{name}.weight"][policies], self.leaves[f"{name}.bias"][policies]
        return torch.baddbmm(bias[:, None], values, weights.flatten(1, -2))


def _grid(which: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Whose turn it is, ascending; for each turn the row of its policy, and how many turns of that come before it."""
    present, rows, counts = np.unique(which, return_inverse=True, return_counts=True)
    places = np.empty(len(which), np.int64)
    places[np.argsort(which, kind="stable")] = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
    return present, rows, places
