"""Trains one model with an optimizer of torch, on the weights and batches that programs get."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from germline.evaluators.errors import of_foreign_code
from germline.evaluators.optimizer.schedule import Schedule
from germline.evaluators.optimizer.step_cost import Step
from germline.evaluators.optimizer.task import TrainingTask
from germline.evaluators.optimizer.training_loop import TrainingResult, initial_tensors, run_training
from germline.evaluators.task import Rung, Split
from germline.evaluators.training_seeds import batches

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
    model = _Model(task, optimizer_class, arguments, rung, seed, device, schedule)
    [result] = run_training(model, rung.steps, split, curve_steps)
    return result


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
    except of_foreign_code():  # whatever a class of the user's raises; its trainings will say why
        return None
    state = optimizer.state[weight]
    return sum(isinstance(value, Tensor) and value.shape == weight.shape for value in state.values())


class _Model:
    """The model in training, as `InTraining`, with its result once it has diverged."""

    def __init__(
        self,
        task: TrainingTask,
        optimizer_class: OptimizerClass,
        arguments: Mapping[str, Any],
        rung: Rung,
        seed: Sequence[int],
        device: str,
        schedule: Schedule,
    ) -> None:
        parameters, others = initial_tensors(task, seed)
        self.task = task
        self.weights = {name: value.to(device, copy=True).requires_grad_() for name, value in parameters.items()}
        self.kept = {name: value.to(device, copy=True)[None] for name, value in others.items()}
        self.optimizer = optimizer_class(list(self.weights.values()), **arguments)
        self.rates = [group["lr"] for group in self.optimizer.param_groups]
        self.schedule, self.steps = schedule, rung.steps
        self.batches = batches(task.size("train"), rung, seed, device)
        self.losses = torch.zeros(1)
        self.curve: list[float] = []
        self.diverged: TrainingResult | None = None

    def step(self, step: int) -> None:
        _switch(self.optimizer, "train")
        lr = self.schedule.value(step - 1, self.steps)
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * lr
        self.optimizer.zero_grad()
        self.losses = self.task.loss(self._tensors(), "train", next(self.batches))
        self.losses.sum().backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()

    def record_curve(self, split: Split) -> None:
        self.curve.append(self._measured(split)["loss"])

    def drop_diverged(self, step: int, last: bool = False) -> bool:
        if self.diverged is None and not all(
            bool(torch.isfinite(each).all()) for each in (self.losses, *self.weights.values())
        ):
            self.diverged = TrainingResult(None, step)
        return self.diverged is None

    def finish(self, steps: int, split: Split) -> list[TrainingResult]:
        if self.diverged is not None:
            return [self.diverged]
        measures = self._measured(split)
        finite = math.isfinite(measures["loss"])
        return [TrainingResult(measures if finite else None, steps, curve=tuple(self.curve))]

    @torch.no_grad()
    def _measured(self, split: Split) -> dict[str, float]:
        _switch(self.optimizer, "eval")
        return {name: float(value[0]) for name, value in self.task.measure(self._tensors(), split).items()}

    def _tensors(self) -> dict[str, Tensor]:
        """The weights, and what is kept beside them, as those of a pack with one row."""
        return {name: weight[None] for name, weight in self.weights.items()} | self.kept


def _switch(optimizer: torch.optim.Optimizer, mode: str) -> None:
    switch = getattr(optimizer, mode, None)
    if callable(switch):
        switch()
