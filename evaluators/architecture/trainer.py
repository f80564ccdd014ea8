"""Trains the networks of many architectures at once, each as it would be trained alone.

On a CPU the result of a candidate does not depend on the other candidates, to the bit. On a GPU its products may round
differently for another number of candidates.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import torch
from torch import Tensor

from germline.evaluators.architecture.networks.compiled.networks import CompiledNetworks
from germline.evaluators.architecture.networks.stacked import StackedNetworks
from germline.evaluators.architecture.networks.tape import tape
from germline.evaluators.hurdle import Hurdle
from germline.evaluators.task import Rung
from germline.evaluators.training_seeds import batches
from germline.programs.architecture.genome import Architecture
from germline.programs.architecture.network import Network
from germline.programs.architecture.skeleton import Skeleton

RATE, MOMENTUM, DECAY, MAX_GRADIENT_NORM = 0.05, 0.9, 3e-4, 5.0
"""Learning rate at the first step, momentum, weight decay and the norm to which gradients are clipped: the stochastic
gradient descent of DARTS and EEEA-Net, with a cosine schedule."""
CHECK_EVERY = 20
"""Steps between checks that the losses are finite; each check is a transfer to the host. The loss at a hurdle is the
mean over as many steps."""


class Networks(Protocol):
    """Networks of several candidates that run on the same batches: `StackedNetworks` or `CompiledNetworks`, whose
    docstrings describe the methods."""

    def step(
        self, images: Tensor, labels: Tensor, rate: float, momentum: float, decay: float, max_norm: float
    ) -> Tensor: ...

    def logits(self, images: Tensor, training: bool = False) -> Tensor: ...

    def tensors(self, number: int) -> dict[str, Tensor]: ...

    def keep(self, numbers: Sequence[int]) -> Self: ...


@dataclass(frozen=True)
class TrainedNetworks:
    """Networks after their training.

    Args:
        networks: the networks that were in memory at the end: those that finished, and perhaps some that did not.
        rows: for each candidate the number of its network among `networks`; None if its loss was not finite, or above
            its threshold at the hurdle.
        hurdle_losses: for each candidate its training loss at the hurdle, the mean over the last `CHECK_EVERY` steps
            before it; None if it diverged before, if that mean is NaN, or without a hurdle.
        dropped: for each candidate whether its loss at the hurdle was above its threshold.
    """

    networks: Networks
    rows: tuple[int | None, ...]
    hurdle_losses: tuple[float | None, ...]
    dropped: tuple[bool, ...]

    def load_into(self, network: Network, candidate: int) -> None:
        """Loads a candidate's weights and statistics, as far as they reach the loss, into a module of its architecture.

        Raises:
            ValueError: the candidate has no trained network.
        """
        row = self.rows[candidate]
        if row is None:
            raise ValueError(f"expected a candidate with a trained network, got {candidate}")
        network.load_state_dict(self.networks.tensors(row), strict=False)


def initial_networks(
    architectures: Sequence[Architecture], skeleton: Skeleton, seed: int, device: str = "cpu", stacked: bool = False
) -> Networks:
    """Networks with the initial weights of `Network(architecture, skeleton)` built after `torch.manual_seed(seed)`.

    Args:
        architectures: the architecture of each candidate.
        skeleton: the skeleton of all networks.
        seed: seed of the weights.
        device: the device on which they are trained.
        stacked: whether to use the stacked form, which other devices need, on a CPU too.
    """
    tensors = []
    with torch.random.fork_rng(devices=[]):
        for architecture in architectures:
            torch.manual_seed(seed)
            tensors.append(Network(architecture, skeleton).state_dict())
    tapes = [tape(architecture, skeleton) for architecture in architectures]
    return (
        CompiledNetworks(tapes, tensors) if device == "cpu" and not stacked else StackedNetworks(tapes, tensors, device)
    )


def train_together(
    networks: Networks,
    count: int,
    rung: Rung,
    seed: Sequence[int],
    examples: int,
    batch: Callable[[Tensor], tuple[Tensor, Tensor]],
    device: str = "cpu",
    hurdle: Hurdle | None = None,
) -> TrainedNetworks:
    """Trains networks on the same batches.

    Args:
        networks: the networks of `count` candidates with their initial weights.
        count: number of candidates.
        rung: optimizer steps and batch size.
        seed: entropy of the batches.
        examples: number of training examples.
        batch: returns images and labels, on the device, for an index of examples.
        device: device of the index.
        hurdle: where losses are compared with thresholds for early stopping; None: no candidate is dropped.

    Returns:
        The networks after the last step, or after the step at which no candidate was left.
    """
    rows = {candidate: candidate for candidate in range(count)}
    running, width = networks, count
    hurdle_step = hurdle.step(rung.steps, CHECK_EVERY) if hurdle else 0
    recent = torch.zeros(count, device=device)
    hurdle_losses: dict[int, float] = {}
    dropped: set[int] = set()
    for step, index in enumerate(batches(examples, rung, seed, device), 1):
        images, labels = batch(index)
        losses = running.step(images, labels, rate(step - 1, rung.steps), MOMENTUM, DECAY, MAX_GRADIENT_NORM)
        # The mean over the last CHECK_EVERY steps; networks leave only between such periods, so the rows are the same.
        if hurdle_step - CHECK_EVERY < step <= hurdle_step:
            share = losses / CHECK_EVERY
            recent = share if step == hurdle_step - CHECK_EVERY + 1 else recent + share
        if step % CHECK_EVERY == 0 or step == rung.steps:
            finite = torch.isfinite(losses).tolist()
            rows = {candidate: row for candidate, row in rows.items() if finite[row]}
            if hurdle and step == hurdle_step:
                means = recent.tolist()
                dropped = {candidate for candidate, row in rows.items() if hurdle.is_exceeded(candidate, means[row])}
                hurdle_losses = {candidate: means[row] for candidate, row in rows.items() if means[row] == means[row]}
                rows = {candidate: row for candidate, row in rows.items() if candidate not in dropped}
            if not rows:
                break
            if 2 * len(rows) < width:
                running, width = running.keep(list(rows.values())), len(rows)
                rows = {candidate: row for row, candidate in enumerate(rows)}
    return TrainedNetworks(
        running,
        tuple(rows.get(candidate) for candidate in range(count)),
        tuple(hurdle_losses.get(candidate) for candidate in range(count)),
        tuple(candidate in dropped for candidate in range(count)),
    )


def rate(step: int, steps: int) -> float:
    """Learning rate of a step, counted from 0: half a cosine from `RATE` down to 0."""
    return RATE * (1 + math.cos(math.pi * step / steps)) / 2
