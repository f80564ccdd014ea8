"""Modules of many styles, at random sizes, train as in a plain loop of torch with SGD and momentum."""

import os
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from module_styles import CLASSES, INPUTS, STYLES, drawn
from torch import Tensor, nn

from germline.evaluators.optimizer.module_task import ModuleTask
from germline.evaluators.optimizer.modules.computation import NOISE
from germline.evaluators.optimizer.modules.randomness import seeded
from germline.evaluators.optimizer.training_loop import gradients_of
from germline.evaluators.task import Rung
from germline.evaluators.training_seeds import batches

SCALE = int(os.environ.get("GERMLINE_SCALE", "1"))
RUNG = Rung(15, 8)
LR, MOMENTUM = 0.05, 0.9
SEEDS = (5, 6, 11)
"""Seeds of the initial weights of candidates that train together."""
GENERATOR = torch.Generator().manual_seed(0)
X, Y = torch.randn(120, INPUTS, generator=GENERATOR), torch.randint(CLASSES, (120,), generator=GENERATOR)


def task_of(style: str, seed: int) -> ModuleTask:
    build = drawn(style, seed)
    attributes: dict[str, Any] = {"name": "styled", "rungs": (RUNG,), "model": lambda self: build()}
    task = type("Own", (ModuleTask,), {**attributes, "data": lambda self: (X, Y)})()
    assert isinstance(task, ModuleTask)
    return task


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def trained_together(task: ModuleTask, noise: int) -> tuple[dict[str, Tensor], Tensor]:
    """The tensors of candidates after a training, and what each loses on the validation examples."""
    starts = [{**task.start(generator(seed)), NOISE: torch.tensor(noise)} for seed in SEEDS]
    tensors = {name: torch.stack([start[name] for start in starts]) for name in starts[0]}
    names = [spec.name for spec in task.parameters]
    momenta = {name: torch.zeros_like(tensors[name]) for name in names}
    for index in batches(task.size("train"), RUNG, SEEDS, "cpu"):
        leaves = {name: tensors[name].clone().requires_grad_() for name in names}
        losses = task.loss({**tensors, **leaves}, "train", index)
        for name, gradient in zip(names, gradients_of(losses, list(leaves.values())), strict=True):
            momenta[name] = MOMENTUM * momenta[name] + gradient
            tensors[name] = tensors[name] - LR * momenta[name]
    return tensors, task.measure(tensors, "validation")["loss"]


def trained_alone(task: ModuleTask, seed: int, noise: int) -> tuple[nn.Module, float]:
    """The same for the module itself by `torch.optim.SGD`."""
    torch.manual_seed(int(torch.randint(2**31, (2,), generator=generator(seed))[0]))
    module = task.model()
    optimizer = torch.optim.SGD([p for p in module.parameters() if p.requires_grad], lr=LR, momentum=MOMENTUM)
    for parameter in module.parameters():  # zero, not None: what a step does not use still moves by its momentum
        parameter.grad = torch.zeros_like(parameter)
    rows = task._examples.rows
    for step, index in enumerate(batches(task.size("train"), RUNG, SEEDS, "cpu")):
        optimizer.zero_grad(set_to_none=False)
        with seeded(noise + step):
            F.cross_entropy(module(X[rows["train"][index]]), Y[rows["train"][index]]).backward()
        optimizer.step()
    with torch.no_grad():
        return module, float(F.cross_entropy(module.eval()(X[rows["validation"]]), Y[rows["validation"]]))


@pytest.mark.slow
@pytest.mark.parametrize("style", STYLES)
def test_a_module_trains_as_in_a_plain_loop(style: str) -> None:
    for seed in range(SCALE):
        task = task_of(style, seed)
        if task.computation.random:  # together, the masks of dropout are others than those of a plain call
            task.set_way("alone")
        tensors, losses = trained_together(task, noise=100 + seed)
        for row, start in enumerate(SEEDS):
            module, loss = trained_alone(task, start, noise=100 + seed)
            for name, parameter in module.named_parameters():
                if name in tensors:
                    torch.testing.assert_close(tensors[name][row], parameter.detach(), atol=2e-5, rtol=1e-3)
            for name, buffer in module.named_buffers():
                if name in tensors:
                    torch.testing.assert_close(tensors[name][row], buffer, atol=2e-5, rtol=1e-3)
            assert float(losses[row]) == pytest.approx(loss, rel=1e-3)
        assert len({f"{float(loss):.4f}" for loss in losses}) == len(SEEDS)
