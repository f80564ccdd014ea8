"""The batched trainer: N candidates train at once on the same batches.

Parameters are one `[N, P]` buffer with a view for each tensor of the model, and gradients land in a buffer of the same
shape. The model is written batched, one backward pass of the summed loss gives every candidate's gradient, and the
program engine applies each candidate's own program to its row.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from germline.evaluators.engine import ProgramEngine
from germline.evaluators.task import Rung, Split, TrainingTask
from germline.programs.optimizer import Program
from germline.programs.optimizer.flat import Layout

WARMUP = 0.05
"""Share of the steps over which the schedule rises from 0 to 1."""
CHECK_EVERY = 10
"""Steps between looks at which candidates are still finite; a look is a transfer to the host."""
COMPACT_BELOW = 0.75
"""The buffer is compacted when fewer than this share of its rows is alive."""


class BadTask(ValueError):
    """A task's model does not keep the contract of `TrainingTask`."""


@dataclass(frozen=True)
class Trained:
    """What became of one candidate: its measures, or None if it diverged (and by which step)."""

    measures: Mapping[str, float] | None
    step: int


def schedule(step: int, steps: int) -> float:
    """The learning rate's factor: a linear rise over the first 5 % of the steps, then half a cosine down to 0."""
    warmup = max(1, round(WARMUP * steps))
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 + 0.5 * math.cos(math.pi * (step - warmup) / max(1, steps - warmup))


def train(
    task: TrainingTask,
    programs: Sequence[Program],
    rung: Rung,
    seed: Sequence[int],
    device: str = "cpu",
    split: Split = "validation",
) -> list[Trained]:
    """Trains one model with each program.

    Args:
        task: the model and its data.
        programs: valid programs, one a candidate.
        rung: optimizer steps and batch size.
        seed: entropy of the initial parameters and of the batches, the same for every candidate.
        split: where the trained models are measured; a search never asks for the held-out one.

    Returns:
        One result a program, in the order given.
    """
    pack = _Pack(task, programs, seed, device)
    batches = np.random.default_rng([*seed, 1])
    size = task.size("train")
    for step in range(rung.steps):
        index = torch.as_tensor(batches.integers(0, size, rung.batch), device=device)
        pack.step(index, schedule(step, rung.steps), step + 1)
        if (step + 1) % CHECK_EVERY == 0 and not pack.bury(step + 1):
            break
    pack.bury(rung.steps)
    return pack.results(rung.steps, split)


class _Pack:
    """The buffers of the candidates that are still alive, and the fate of those that are not."""

    views: dict[str, Tensor]

    def __init__(self, task: TrainingTask, programs: Sequence[Program], seed: Sequence[int], device: str) -> None:
        self.task = task
        self.count = len(programs)
        self.layout = Layout(tuple(leaf.shape for leaf in task.leaves))
        self.engine = ProgramEngine(programs, self.layout, device)
        generator = torch.Generator().manual_seed(int(np.random.SeedSequence(list(seed)).generate_state(1)[0]))
        start = task.start(generator)
        row = torch.cat([start[leaf.name].reshape(-1) for leaf in task.leaves]).to(device)
        self.died: dict[int, int] = {}
        self.engine.parameters.copy_(row.expand(self.count, -1))
        self._view()

    def step(self, index: Tensor, lr: float, step: int) -> None:
        self.losses = self.task.loss(self.views, "train", index)
        if self.losses.shape != (len(self.engine.order),):
            got, wanted = tuple(self.losses.shape), len(self.engine.order)
            raise BadTask(f"expected loss of {self.task.name} to have one entry a candidate ({wanted},), got {got}")
        # The views are leaves of their own: differentiating the buffer would build a full-size gradient for each.
        leaves = torch.autograd.grad(self.losses.sum(), list(self.views.values()))
        torch.cat([leaf.reshape(len(leaf), -1) for leaf in leaves], 1, out=self.engine.gradients)
        self.engine.step(lr, step)

    @torch.no_grad()
    def bury(self, step: int) -> bool:
        """Marks candidates whose loss or parameters are not finite as dead; False if none is left alive."""
        finite = (torch.isfinite(self.losses.detach()) & torch.isfinite(self.engine.parameters).all(1)).tolist()
        alive = []
        for row, (member, healthy) in enumerate(zip(self.engine.order, finite, strict=True)):
            if healthy and member not in self.died:
                alive.append(row)
            else:
                self.died.setdefault(member, step)
        if not alive:
            return False
        if len(alive) < COMPACT_BELOW * len(self.engine.order):
            self.engine.keep(alive)
            self._view()
        return True

    @torch.no_grad()
    def results(self, steps: int, split: Split) -> list[Trained]:
        fates = [Trained(None, self.died.get(i, steps)) for i in range(self.count)]
        if len(self.died) == self.count:
            return fates
        found_by_name = self.task.measure(self.views, split)
        bad = [name for name, value in found_by_name.items() if value.shape != (len(self.engine.order),)]
        if bad or "loss" not in found_by_name:
            what = f"{bad[0]} is {tuple(found_by_name[bad[0]].shape)}" if bad else "there is no loss"
            raise BadTask(
                f"expected measure of {self.task.name} to give loss and others as ({len(self.engine.order)},), {what}"
            )
        measures = {name: value.tolist() for name, value in found_by_name.items()}
        for row, member in enumerate(self.engine.order):
            found = {name: values[row] for name, values in measures.items()}
            if member not in self.died and math.isfinite(found["loss"]):
                fates[member] = Trained(found, steps)
        return fates

    def _view(self) -> None:
        """Views of the parameter buffer, one for each leaf of the model."""
        self.losses = self.engine.parameters.new_zeros(len(self.engine.order))
        views = self.layout.split(self.engine.parameters)
        self.views = {
            leaf.name: view.detach().requires_grad_() for leaf, view in zip(self.task.leaves, views, strict=True)
        }
