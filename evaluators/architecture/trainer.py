"""Trains the networks of many architectures at once, each as it would be trained alone.

On a CPU a candidate comes to the same bits whoever trains beside it. On a graphics processor its products may round
differently for another number of candidates.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import torch
from torch import Tensor

from germline.evaluators.architecture.networks.compiled import CompiledNetworks
from germline.evaluators.architecture.networks.stacked import StackedNetwork
from germline.evaluators.architecture.networks.tape import tape
from germline.evaluators.hurdle import Hurdle
from germline.evaluators.optimizer.trainer import batches
from germline.evaluators.task import Rung
from germline.programs.architecture.counts import Skeleton
from germline.programs.architecture.genome import Architecture
from germline.programs.architecture.network import Network

RATE, MOMENTUM, DECAY, LONGEST_GRADIENT = 0.05, 0.9, 3e-4, 5.0
"""Stochastic gradient descent as EEEA-Net and DARTS train: the rate falls along half a cosine."""
CHECK_EVERY = 20
"""Steps between looks at whether the losses are still finite; a look is a transfer to the host."""


class Networks(Protocol):
    """Some networks that are trained and asked together."""

    def step(
        self, images: Tensor, labels: Tensor, rate: float, momentum: float, decay: float, longest: float
    ) -> Tensor: ...

    def logits(self, images: Tensor, training: bool = False) -> Tensor: ...

    def tensors(self, number: int) -> dict[str, Tensor]: ...

    def keep(self, numbers: Sequence[int]) -> Self: ...


@dataclass(frozen=True)
class Trained:
    """Networks after their training, and for each candidate which of them is its own: None if its loss left the finite
    numbers, or was too large at the hurdle. `shown` is what each showed there, if it came so far, and `dropped` says
    for whom that was too much."""

    networks: Networks
    rows: tuple[int | None, ...]
    shown: tuple[float | None, ...]
    dropped: tuple[bool, ...]

    def load_into(self, network: Network, candidate: int) -> None:
        """Gives a module of the candidate's architecture its weights and statistics, where they reach the loss."""
        row = self.rows[candidate]
        if row is None:
            raise ValueError(f"expected a candidate whose training stayed finite, got {candidate}")
        network.load_state_dict(self.networks.tensors(row), strict=False)


def entropy(seed: Sequence[int]) -> int:
    """The seed of torch's generator for the initial weights."""
    return int(np.random.SeedSequence(list(seed)).generate_state(1)[0])


def networks(
    architectures: Sequence[Architecture], skeleton: Skeleton, seed: int, device: str = "cpu", stacked: bool = False
) -> Networks:
    """Networks with the weights that each one's module has when it is built right after `torch.manual_seed(seed)`.

    Args:
        architectures: the cells.
        skeleton: of all networks.
        seed: of the weights.
        device: where they are.
        stacked: whether a CPU, too, runs them as other devices do.
    """
    tensors = []
    with torch.random.fork_rng(devices=[]):
        for architecture in architectures:
            torch.manual_seed(seed)
            tensors.append(Network(architecture, skeleton).state_dict())
    tapes = [tape(architecture, skeleton) for architecture in architectures]
    return (
        CompiledNetworks(tapes, tensors) if device == "cpu" and not stacked else StackedNetwork(tapes, tensors, device)
    )


def train_together(
    started: Networks,
    count: int,
    rung: Rung,
    seed: Sequence[int],
    size: int,
    batch: Callable[[Tensor], tuple[Tensor, Tensor]],
    device: str = "cpu",
    hurdle: Hurdle | None = None,
) -> Trained:
    """Trains networks on the same batches.

    Args:
        started: `count` networks.
        rung: optimizer steps and batch size.
        seed: entropy of the batches.
        size: how many examples there are.
        batch: images and labels of the examples of an index, on the device.
        device: where the index has to be.
        hurdle: where to look at the training losses, and which are too large.
    """
    rows = {candidate: candidate for candidate in range(count)}
    running, width = started, count
    looked_at = hurdle.step(rung.steps, CHECK_EVERY) if hurdle else 0
    recent = torch.zeros(count, device=device)
    shown: dict[int, float] = {}
    dropped: set[int] = set()
    for step, index in enumerate(batches(size, rung, seed, device), 1):
        images, labels = batch(index)
        losses = running.step(images, labels, rate(step - 1, rung.steps), MOMENTUM, DECAY, LONGEST_GRADIENT)
        # Networks are left out at multiples of CHECK_EVERY alone, so these losses belong to the same rows.
        if looked_at - CHECK_EVERY < step <= looked_at:
            recent = losses / CHECK_EVERY if step == looked_at - CHECK_EVERY + 1 else recent + losses / CHECK_EVERY
        if step % CHECK_EVERY == 0 or step == rung.steps:
            finite = torch.isfinite(losses).tolist()
            rows = {candidate: row for candidate, row in rows.items() if finite[row]}
            if hurdle and step == looked_at:
                seen = recent.tolist()
                shown = {candidate: seen[row] for candidate, row in rows.items()}
                dropped = {candidate for candidate, loss in shown.items() if hurdle.is_exceeded(candidate, loss)}
                rows = {candidate: row for candidate, row in rows.items() if candidate not in dropped}
            if not rows:
                break
            if 2 * len(rows) < width:
                running, width = running.keep(list(rows.values())), len(rows)
                rows = {candidate: row for row, candidate in enumerate(rows)}
    every = range(count)
    return Trained(
        running, tuple(map(rows.get, every)), tuple(map(shown.get, every)), tuple(i in dropped for i in every)
    )


def rate(step: int, steps: int) -> float:
    """The learning rate of a step: half a cosine from RATE down to 0."""
    return RATE * (1 + math.cos(math.pi * step / steps)) / 2
