"""Loss and gradients of candidates that nobody trains, to be timed or counted."""

from collections.abc import Callable

import torch

from germline.evaluators.optimizer.task import TrainingTask
from germline.evaluators.optimizer.training_loop import gradients_of
from germline.evaluators.task import Rung
from germline.evaluators.training_seeds import batches


def gradient_call(task: TrainingTask, rung: Rung, count: int = 1, device: str = "cpu") -> Callable[[], None]:
    """Returns a function that computes loss and gradients of `count` candidates side by side, always the same.

    Args:
        task: the model and its data, on the device.
        rung: its batch size is that of the examples.
        count: candidates, all with the initial parameters of one seed.
        device: the device of the task's data.
    """
    start = task.start(torch.Generator().manual_seed(0))
    tensors = {name: value.to(device).expand(count, *value.shape).clone() for name, value in start.items()}
    parameters = [tensors[spec.name].requires_grad_() for spec in task.parameters]
    index = next(batches(task.size("train"), rung, (0,), device))

    def call() -> None:
        gradients_of(task.loss(tensors, "train", index), parameters)

    return call
