"""Whether the rows of a training task are independent: loss, gradients and measures of candidates in packs of any size.

This is more sensitive than whole trainings, in which the rounding of a later step may hide a different last bit.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from germline.evaluators.optimizer.task import TrainingTask
from germline.evaluators.optimizer.training_loop import gradients_of
from germline.evaluators.training_seeds import batches

CANDIDATES = 16
SIZES = (1, 2, 3, 5, 8, 11, 15)
"""Sizes of the packs whose rows are compared with those of a pack of all `CANDIDATES`."""
DRAWS = 3
"""Number of repetitions, each with other parameters and other examples."""


def equal_rows(task: TrainingTask) -> tuple[int, int]:
    """The number of rows that have the same bits as in the pack of all candidates, and the number of rows compared."""
    equal = compared = 0
    generator = torch.Generator().manual_seed(0)
    indices = batches(task.size("train"), task.rungs[0], (0,), "cpu")
    for _, index in zip(range(DRAWS), indices, strict=False):
        params = {
            spec.name: (spec.std + 0.1) * torch.randn(CANDIDATES, *spec.shape, generator=generator)
            for spec in task.parameters
        }
        whole = _numbers(task, params, index)
        for size in SIZES:
            places = torch.randperm(CANDIDATES, generator=generator)[:size]
            part = _numbers(task, {name: values[places] for name, values in params.items()}, index)
            equal += int((whole[places].nan_to_num() == part.nan_to_num()).all(1).sum())
            compared += size
    return equal, compared


def _numbers(task: TrainingTask, params: Mapping[str, Tensor], index: Tensor) -> Tensor:
    """Loss, gradients and measures of each candidate, `[N, numbers]`."""
    leaves = {name: values.clone().requires_grad_() for name, values in params.items()}
    losses = task.loss(leaves, "train", index)
    gradients = gradients_of(losses, list(leaves.values()))
    with torch.no_grad():
        measures = task.measure(leaves, "validation")
    columns = [losses.detach(), *gradients, *(measures[name] for name in sorted(measures))]
    return torch.cat([column.reshape(len(losses), -1).double() for column in columns], 1)
