"""The time that an optimizer's step takes on the parameters of a task, without the model's own work."""

import time
from collections.abc import Callable, Sequence

import torch

from germline.evaluators.optimizer.engine import ProgramEngine
from germline.evaluators.optimizer.task import TrainingTask
from germline.programs.optimizer import Program
from germline.programs.optimizer.flat import Layout

WARM, STEPS, ROUNDS = 3, 10, 7

Step = Callable[[int], None]
"""Makes the step of a number, from 1 on."""


def program_step(task: type[TrainingTask], program: Program, device: str) -> Step:
    """Returns the step of a program that trains one model of a task, on fixed random gradients."""
    layout = Layout(tuple(spec.shape for spec in task.parameters))
    engine = ProgramEngine([program], layout, device)
    generator = torch.Generator().manual_seed(0)
    for buffer in (engine.parameters, engine.gradients):
        buffer.copy_(0.1 * torch.randn(1, layout.elements, generator=generator))
    return lambda step: engine.step(1e-3, step)


def step_microseconds(steps: Sequence[Step], device: str) -> list[float]:
    """Returns the time of each step in microseconds: the least mean of several rounds, in which all take turns."""
    least = [float("inf")] * len(steps)
    for step in range(WARM):
        for each in steps:
            each(step + 1)
    for turn in range(ROUNDS):
        for place, each in enumerate(steps):
            _wait(device)
            began = _seconds(device)
            for step in range(STEPS):
                each(WARM + turn * STEPS + step + 1)
            _wait(device)
            least[place] = min(least[place], (_seconds(device) - began) / STEPS)
    return [1e6 * seconds for seconds in least]


def _seconds(device: str) -> float:
    """The time of this process on a CPU, which does not grow while others use it; else the time of day."""
    return time.process_time() if device == "cpu" else time.perf_counter()


def _wait(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize()
