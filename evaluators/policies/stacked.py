"""Policies on other devices: all of a pack in one batched pass, in double precision as on a CPU."""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from germline.programs.policy.network import CONVOLUTIONS, LIMIT, Network
from germline.programs.policy.noise import Floats

IMAGES_AT_ONCE = 256
"""How many images go through the convolutions together, so that their patches fit the memory."""


class StackedPolicies:
    """Policies of one network.

    Args:
        network: what all of them are.
        parameters: of each, float32 of shape `[P]`.
        device: of torch.
    """

    def __init__(self, network: Network, parameters: Sequence[Floats], device: str) -> None:
        self.network = network
        self.device = device
        self.policies = len(parameters)
        row = torch.from_numpy(np.stack(parameters)).to(device)
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
        rows, places = _grid(which)
        seen = torch.from_numpy(np.ascontiguousarray(observations)).to(self.device, non_blocking=True)
        at = torch.from_numpy(rows).to(self.device), torch.from_numpy(places).to(self.device)
        turns = int(places.max()) + 1
        grid = seen.new_zeros((self.policies, turns, *seen.shape[1:]))
        grid[at] = seen
        out = (self._conv(grid) if self.network.form == "conv" else self._mlp(grid))[at].float()
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

    def _mlp(self, seen: Tensor) -> Tensor:
        """`[N, m, *observation]` to `[N, m, outputs]`."""
        values = seen.reshape(*seen.shape[:2], prod(self.network.observation)).double()
        if self.normalisation:
            mean, scale = self.normalisation
            values = ((values - mean) * scale).clamp(-LIMIT, LIMIT)
        activation = torch.tanh if self.network.activation == "tanh" else torch.relu
        for number in range(1, len(self.network.hidden) + 1):
            values = activation(self._dense(f"hidden{number}", values))
        return self._dense("output", values)

    def _conv(self, seen: Tensor) -> Tensor:
        """The same for images, as many policies at once as may have their patches in memory."""
        some = max(1, IMAGES_AT_ONCE // seen.shape[1])
        return torch.cat([self._images(seen[i : i + some], slice(i, i + some)) for i in range(0, len(seen), some)])

    def _images(self, seen: Tensor, policies: slice) -> Tensor:
        count, turns, channels = seen.shape[:3]
        images = seen.double().flatten(0, 1) / 255.0
        for number, (units, kernel, stride) in enumerate(CONVOLUTIONS, 1):
            size, made = self.network.sizes[number - 1], self.network.sizes[number]
            lacking = [
                max(0, (out - 1) * stride + kernel - there) if self.network.padding == "same" else 0
                for there, out in zip(size, made, strict=True)
            ]
            edges = [edge for lack in reversed(lacking) for edge in (lack // 2, lack - lack // 2)]
            patches = functional.unfold(functional.pad(images, edges), kernel, stride=stride)
            # unfold has channels before kernel places, the weights have them behind.
            patches = patches.reshape(count, turns, channels, kernel * kernel, -1).permute(0, 1, 4, 3, 2)
            values = self._dense(f"conv{number}", patches.reshape(count, -1, kernel * kernel * channels), policies)
            images = values.relu().reshape(count * turns, *made, units).permute(0, 3, 1, 2)
            channels = units
        flat = images.permute(0, 2, 3, 1).reshape(count, turns, -1)
        return self._dense("output", self._dense("dense", flat, policies).relu(), policies)

    def _dense(self, name: str, values: Tensor, policies: slice = slice(None)) -> Tensor:
        weights = self.leaves[f"{name}.weight"][policies].flatten(1, -2)
        return torch.baddbmm(self.leaves[f"{name}.bias"][policies, None], values, weights)


def _grid(which: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each turn its policy, and how many turns of that policy come before it."""
    order = np.argsort(which, kind="stable")
    ordered = which[order]
    first = np.searchsorted(ordered, ordered)
    places = np.empty(len(which), np.int64)
    places[order] = np.arange(len(which)) - first
    return which, places
