"""The batched trainer: N candidates train at once on the same batches.

The program engine holds the parameters of all candidates in one `[N, P]` buffer, with a view for each tensor of the
model, and their gradients in another. The model is written batched, one backward pass of the summed loss gives every
candidate's gradient, and the engine applies each candidate's own program to its row.

On a CPU a candidate comes to the same bits whoever trains beside it. On a graphics processor the model's products may
round differently for another number of candidates; the engine itself does not.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from germline.evaluators.hurdle import Hurdle
from germline.evaluators.memory import out_of_memory
from germline.evaluators.optimizer.engine import ProgramEngine
from germline.evaluators.optimizer.task import TrainingTask
from germline.evaluators.task import Rung, Split
from germline.programs.optimizer import Program
from germline.programs.optimizer.flat import Layout

WARMUP = 0.05
"""Share of the steps over which the schedule rises from 0 to 1."""
CHECK_EVERY = 10
"""Steps between looks at which candidates are still finite; a look is a transfer to the host."""
COMPACT_BELOW = 0.75
"""The buffer is compacted when fewer than this share of its rows is alive."""
DRAWN_AT_ONCE = 1_000
"""Steps whose batches are drawn, and brought to the device, together."""


class BadTask(ValueError):
    """A task's model does not keep the contract of `TrainingTask`."""


@dataclass(frozen=True)
class TrainingResult:
    """What became of one candidate.

    `measures` is None if it diverged or failed the hurdle, by `step`. `hurdle` is its loss there, if it came so far;
    `dropped` says that this was too large.
    """

    measures: Mapping[str, float] | None
    step: int
    hurdle: float | None = None
    dropped: bool = False


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
    hurdle: Hurdle | None = None,
    compiled: bool = True,
) -> list[TrainingResult]:
    """Trains one model with each program.

    Args:
        task: the model and its data.
        programs: valid programs, one a candidate.
        rung: optimizer steps and batch size.
        seed: entropy of the initial parameters and of the batches, the same for every candidate.
        device: where the task keeps its data.
        split: where the trained models are measured; a search never asks for the held-out one.
        hurdle: where to look at the training loss, and what is too large there.
        compiled: False runs the programs in plain torch.

    Returns:
        One result a program, in the order given.
    """
    pack = _Pack(task, programs, seed, device, compiled)
    hurdle_step = hurdle.step(rung.steps, CHECK_EVERY) if hurdle else 0
    for step, index in enumerate(batches(task.size("train"), rung, seed, device), 1):
        pack.step(index, schedule(step - 1, rung.steps), step)
        if hurdle_step - CHECK_EVERY < step <= hurdle_step:
            pack.watch()
        if hurdle and step == hurdle_step:
            pack.clear_hurdle(hurdle, step)
        if step % CHECK_EVERY == 0 and not pack.bury(step):
            break
    pack.bury(rung.steps, last=True)
    return pack.results(rung.steps, split)


def batches(size: int, rung: Rung, seed: Sequence[int], device: str) -> Iterator[Tensor]:
    """The examples of each step, int64 of shape `[batch]`, on the device; the same ones on every device."""
    rng = np.random.default_rng([*seed, 1])
    for first in range(0, rung.steps, DRAWN_AT_ONCE):
        count = min(DRAWN_AT_ONCE, rung.steps - first)
        yield from torch.as_tensor(rng.integers(0, size, (count, rung.batch)), device=device)


class _Pack:
    """The candidates that are still in training, and the fate of those that are not."""

    parts: list[tuple[slice, dict[str, Tensor]]]
    losses: Tensor
    recent: Tensor

    def __init__(
        self, task: TrainingTask, programs: Sequence[Program], seed: Sequence[int], device: str, compiled: bool
    ) -> None:
        self.task = task
        self.count = len(programs)
        self.layout = Layout(tuple(leaf.shape for leaf in task.leaves))
        self.engine = ProgramEngine(programs, self.layout, device, compiled)
        generator = torch.Generator().manual_seed(int(np.random.SeedSequence(list(seed)).generate_state(1)[0]))
        start = task.start(generator)
        row = torch.cat([start[leaf.name].reshape(-1) for leaf in task.leaves]).to(device)
        self.fates: dict[int, TrainingResult] = {}
        self.hurdles: dict[int, float] = {}
        self.engine.parameters.copy_(row.expand(self.count, -1))
        self._view()

    def step(self, index: Tensor, lr: float, step: int) -> None:
        for rows, views in self.parts:
            losses = self.task.loss(views, "train", index)
            gradients = self.engine.gradients[rows]
            if losses.shape != (len(gradients),):
                got, wanted = tuple(losses.shape), len(gradients)
                raise BadTask(f"expected loss of {self.task.name} to have one entry a candidate ({wanted},), got {got}")
            # The views are leaves of their own: differentiating the buffer would build a full-size gradient for each.
            leaves = torch.autograd.grad(losses.sum(), list(views.values()))
            torch.cat([leaf.reshape(len(leaf), -1) for leaf in leaves], 1, out=gradients)
            self.losses[rows] = losses.detach()
        self.engine.step(lr, step)

    @torch.no_grad()
    def watch(self) -> None:
        """Adds the losses of this step to those that a hurdle looks at."""
        self.recent += self.losses / CHECK_EVERY

    @torch.no_grad()
    def clear_hurdle(self, hurdle: Hurdle, step: int) -> None:
        """Notes each candidate's recent loss; for whom it is too much is out."""
        for member, loss in zip(self.engine.order, self.recent.tolist(), strict=True):
            if member in self.fates:
                continue
            if math.isfinite(loss):
                self.hurdles[member] = loss
            if hurdle.is_exceeded(member, loss):
                self.fates[member] = TrainingResult(None, step, self.hurdles.get(member), dropped=True)

    @torch.no_grad()
    def bury(self, step: int, last: bool = False) -> bool:
        """Marks candidates whose loss or parameters are not finite as diverged; False if none is left in training."""
        finite = (torch.isfinite(self.losses.detach()) & torch.isfinite(self.engine.parameters).all(1)).tolist()
        alive = []
        for row, (member, healthy) in enumerate(zip(self.engine.order, finite, strict=True)):
            if healthy and member not in self.fates:
                alive.append(row)
            else:
                self.fates.setdefault(member, TrainingResult(None, step, self.hurdles.get(member)))
        if not alive:
            return False
        if not last and len(alive) < COMPACT_BELOW * len(self.engine.order):
            self._compact(alive)
        return True

    def _compact(self, alive: Sequence[int]) -> None:
        """Drops the rows of the others. For a moment both buffers exist; where they do not fit, the large one stays."""
        try:
            self.engine.keep(alive)
        except Exception as error:
            if not out_of_memory(error):
                raise
        else:
            self._view()

    @torch.no_grad()
    def results(self, steps: int, split: Split) -> list[TrainingResult]:
        if len(self.fates) < self.count:
            self._measure(steps, split)
        return [self.fates[member] for member in range(self.count)]

    def _measure(self, steps: int, split: Split) -> None:
        for rows, views in self.parts:
            members = self.engine.order[rows]
            found_by_name = self.task.measure(views, split)
            bad = [name for name, value in found_by_name.items() if value.shape != (len(members),)]
            if bad or "loss" not in found_by_name:
                what = f"{bad[0]} is {tuple(found_by_name[bad[0]].shape)}" if bad else "there is no loss"
                expected = f"loss and others as ({len(members)},)"
                raise BadTask(f"expected measure of {self.task.name} to give {expected}, {what}")
            measures = {name: value.tolist() for name, value in found_by_name.items()}
            for row, member in enumerate(members):
                found = {name: values[row] for name, values in measures.items()}
                finite = math.isfinite(found["loss"])
                self.fates.setdefault(
                    member, TrainingResult(found if finite else None, steps, self.hurdles.get(member))
                )

    def _view(self) -> None:
        """Views of the parameter buffer, one for each leaf of the model, for as many rows as pass through it at once.

        On a CPU the activations of a few candidates stay in the cache; elsewhere one launch for all is what is fast.
        """
        count = len(self.engine.order)
        self.losses = self.engine.parameters.new_zeros(count)
        self.recent = torch.zeros_like(self.losses)
        size = self.task.at_once if self.losses.device.type == "cpu" else count
        self.parts = []
        for first in range(0, count, size):
            rows = slice(first, min(first + size, count))
            views = self.layout.split(self.engine.parameters[rows])
            names = (leaf.name for leaf in self.task.leaves)
            self.parts.append((rows, {n: v.detach().requires_grad_() for n, v in zip(names, views, strict=True)}))
