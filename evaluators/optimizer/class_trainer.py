"""Trains one model with an optimizer of torch, on the weights and batches that programs get."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from germline.evaluators.optimizer.schedule import Schedule
from germline.evaluators.optimizer.step_cost import Step
from germline.evaluators.optimizer.task import TrainingTask
from germline.evaluators.optimizer.trainer import CHECK_EVERY, TrainingResult
from germline.evaluators.task import Rung, Split
from germline.evaluators.training_seeds import batches, weight_seed

OptimizerClass = Callable[..., torch.optim.Optimizer]


def train_with_class(
    task: TrainingTask,
    optimizer_class: OptimizerClass,
    arguments: Mapping[str, Any],
    rung: Rung,
    seed: Sequence[int],
    device: str,
    split: Split,
    schedule: Schedule,
    curve_steps: Collection[int] = (),
) -> TrainingResult:
    """Trains one model; arguments and result are those of `trainer.train`.

    The schedule multiplies the rate of each parameter group. An optimizer with methods `train` and `eval`, as
    schedule-free optimizers have, is switched for measurements. The exceptions of the class are not caught.
    """
    task = task.for_training(seed)
    start = task.start(torch.Generator().manual_seed(weight_seed(seed)))
    weights = {spec.name: start[spec.name].to(device, copy=True).requires_grad_() for spec in task.parameters}
    kept = {name: value.to(device, copy=True)[None] for name, value in start.items() if name not in weights}
    optimizer = optimizer_class(list(weights.values()), **arguments)
    rates = [group["lr"] for group in optimizer.param_groups]
    curve = []
    loss = torch.zeros(1)
    for step, index in enumerate(batches(task.size("train"), rung, seed, device), 1):
        _switch(optimizer, "train")
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * schedule.value(step - 1, rung.steps)
        optimizer.zero_grad()
        loss = task.loss(_views(weights) | kept, "train", index)
        loss.sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if step in curve_steps:
            curve.append(_measured(task, optimizer, weights, kept, split)["loss"])
        if (step % CHECK_EVERY == 0 or step == rung.steps) and not _finite(loss, weights):
            return TrainingResult(None, step)
    measures = _measured(task, optimizer, weights, kept, split)
    return TrainingResult(measures if math.isfinite(measures["loss"]) else None, rung.steps, curve=tuple(curve))


def class_step(task: type[TrainingTask], optimizer_class: OptimizerClass, arguments: Mapping[str, Any]) -> Step:
    """Returns the step of an optimizer that trains one model of a task on a CPU, on fixed random gradients."""
    generator = torch.Generator().manual_seed(0)
    weights = [(0.1 * torch.randn(spec.shape, generator=generator)).requires_grad_() for spec in task.parameters]
    for weight in weights:
        weight.grad = 0.1 * torch.randn(weight.shape, generator=generator)
    optimizer = optimizer_class(weights, **arguments)
    _switch(optimizer, "train")

    def step(number: int) -> None:
        optimizer.step()

    return step


def states_of(optimizer_class: OptimizerClass) -> int | None:
    """The number of tensors that an optimizer keeps for each matrix; None if it cannot be made by its defaults."""
    weight = torch.zeros(3, 2, requires_grad=True)
    weight.grad = torch.ones(3, 2)
    try:
        optimizer = optimizer_class([weight])
        _switch(optimizer, "train")
        optimizer.step()
    except Exception:  # whatever a class of the user's raises; its trainings will say why
        return None
    state = optimizer.state[weight]
    return sum(isinstance(value, Tensor) and value.shape == weight.shape for value in state.values())


def _views(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights as those of a pack with one row."""
    return {name: weight[None] for name, weight in weights.items()}


@torch.no_grad()
def _measured(
    task: TrainingTask,
    optimizer: torch.optim.Optimizer,
    weights: Mapping[str, Tensor],
    kept: Mapping[str, Tensor],
    split: Split,
) -> dict[str, float]:
    _switch(optimizer, "eval")
    return {name: float(value[0]) for name, value in task.measure({**_views(weights), **kept}, split).items()}


def _switch(optimizer: torch.optim.Optimizer, mode: str) -> None:
    switch = getattr(optimizer, mode, None)
    if callable(switch):
        switch()


def _finite(loss: Tensor, weights: Mapping[str, Tensor]) -> bool:
    return bool(torch.isfinite(loss).all()) and all(bool(torch.isfinite(each).all()) for each in weights.values())
