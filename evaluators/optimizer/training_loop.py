"""The course of a training, the same for programs and for optimizers of torch: its beginning, steps and checks."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from germline.evaluators.optimizer.task import TrainingTask
from germline.evaluators.task import Split
from germline.evaluators.training_seeds import weight_seed

CHECK_EVERY = 10
"""Steps between checks of which candidates are still finite; a check is a transfer to the host."""


@dataclass(frozen=True)
class TrainingResult:
    """The result of training a candidate.

    `measures` are those of the trained model, by name; None if the candidate was found to have diverged, or was dropped
    at the hurdle, after `step` steps. `hurdle_loss` is its training loss at the hurdle, the mean over the last
    `CHECK_EVERY` steps before it; None without a hurdle, if it diverged before, or if the mean is not finite. `dropped`
    is True if that loss exceeded the threshold. `curve` is the loss on the measured split after each of the
    `curve_steps`; empty if the candidate is out.
    """

    measures: Mapping[str, float] | None
    step: int
    hurdle_loss: float | None = None
    dropped: bool = False
    curve: tuple[float, ...] = ()


class InTraining(Protocol):
    """Candidates in training."""

    def step(self, step: int) -> None:
        """Makes the next step, which has this number, 1 at the first."""

    def record_curve(self, split: Split) -> None:
        """Adds the present loss on a split to the curves."""

    def drop_diverged(self, step: int, last: bool = False) -> bool:
        """Drops what is not finite. Returns False if no candidate is left. `last`: no step follows."""

    def finish(self, steps: int, split: Split) -> list[TrainingResult]:
        """Measures what is still in training; returns the result of every candidate, in order."""


def initial_tensors(task: TrainingTask, seed: Sequence[int]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Returns the initial parameters of a candidate by name, and the tensors that are kept beside them, on the CPU.

    Args:
        task: as one training has it, see `TrainingTask.for_training`.
        seed: entropy of the training.
    """
    start = task.start(torch.Generator().manual_seed(weight_seed(seed)))
    parameters = {spec.name: start[spec.name] for spec in task.parameters}
    return parameters, {name: value for name, value in start.items() if name not in parameters}


def gradients_of(losses: Tensor, parameters: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Returns the gradients of candidates, as the parameters `[N, *shape]`; zeros where a loss uses no parameter.

    A loss, an entry of `losses` `[N]`, depends on its own candidate alone, so that one backward pass of their sum gives
    the gradient of each.
    """
    return torch.autograd.grad(losses.sum(), parameters, materialize_grads=True)


def run_training(
    candidates: InTraining,
    steps: int,
    split: Split,
    curve_steps: Collection[int] = (),
    after_step: Callable[[int], None] = lambda step: None,
) -> list[TrainingResult]:
    """Takes candidates through the steps of a training, until it is over or none of them is left.

    Args:
        candidates: with their initial parameters.
        steps: of the training.
        split: the split on which curves and trained models are measured.
        curve_steps: steps, counted from 1, after which the loss on the split is measured too.
        after_step: is called after each step, with its number, before candidates are dropped.

    Returns:
        One result per candidate, in order.
    """
    for step in range(1, steps + 1):
        candidates.step(step)
        if step in curve_steps:
            candidates.record_curve(split)
        after_step(step)
        if step % CHECK_EVERY == 0 and not candidates.drop_diverged(step):
            break
    candidates.drop_diverged(steps, last=True)
    return candidates.finish(steps, split)
