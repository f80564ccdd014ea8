"""The batched trainer: N candidates train at once on the same batches.

The program engine holds the parameters of all candidates in one `[N, P]` buffer, with a view for each tensor of the
model, and their gradients in another. The model is written batched, one backward pass of the summed loss gives every
candidate's gradient, and the engine applies each candidate's own program to its row.

The engine gives a candidate the same bits whatever else is in the pack, and so does the model of a task that claims
`batch_invariant`, on a CPU. All other models may round differently for another number of rows, or in another row. They
get a pack that keeps its shape: the row of a candidate is its place in the pack, and rows of candidates that are out
stay. So the bits of a candidate do not depend on when its neighbours diverge.
"""

import math
from collections.abc import Collection, Mapping, Sequence

import torch
from torch import Tensor

from germline.evaluators.errors import shown
from germline.evaluators.hurdle import Hurdle
from germline.evaluators.memory import out_of_memory
from germline.evaluators.optimizer.captured_step import CapturedStep, Recorder, recorder_for
from germline.evaluators.optimizer.course import Course
from germline.evaluators.optimizer.engine import ProgramEngine
from germline.evaluators.optimizer.model_rows import ModelRows
from germline.evaluators.optimizer.schedule import SCHEDULE, Schedule
from germline.evaluators.optimizer.task import TrainingTask
from germline.evaluators.optimizer.training_loop import (
    CHECK_EVERY,
    TrainingResult,
    gradients_of,
    initial_tensors,
    run_training,
)
from germline.evaluators.task import Rung, Split, independent_rows
from germline.programs.optimizer import Program
from germline.programs.optimizer.flat import Layout

COMPACT_BELOW = 0.75
"""The buffer of a pack of independent rows is compacted when a smaller share of its rows is still in training."""


class BadTask(ValueError):
    """A task's model breaks the contract of `TrainingTask`."""


def train(
    task: TrainingTask,
    programs: Sequence[Program],
    rung: Rung,
    seed: Sequence[int],
    device: str = "cpu",
    split: Split = "validation",
    hurdle: Hurdle | None = None,
    compiled: bool = True,
    schedules: Sequence[Schedule] | None = None,
    curve_steps: Collection[int] = (),
    recorded: bool = True,
) -> list[TrainingResult]:
    """Trains one model with each program.

    Args:
        task: the model and its data.
        programs: the valid program of each candidate.
        rung: optimizer steps and batch size.
        seed: entropy of the initial parameters and of the batches, the same for every candidate.
        device: the device of the task's data.
        split: the split on which the trained models are measured; a search never uses the held-out split.
        hurdle: early stopping; None: no candidate is dropped for its loss.
        compiled: False runs the programs in plain torch.
        schedules: the schedule of each candidate; None: `SCHEDULE` for all.
        curve_steps: steps after which the loss on the split is measured too.
        recorded: False: a GPU gets the operations of every step one by one, instead of a recorded step. The numbers are
            the same.

    Returns:
        One result per program, in order.

    Raises:
        BadTask: `loss` or `measure` of the task returned something else than its contract says.
    """
    task = task.for_training(seed)
    recorder = recorder_for(device) if recorded else None
    pack = _Pack(task, programs, rung, seed, device, compiled, schedules, recorder)
    hurdle_step = hurdle.step(rung.steps, CHECK_EVERY) if hurdle else 0

    def after_step(step: int) -> None:
        if hurdle_step - CHECK_EVERY < step <= hurdle_step:
            pack.record_losses()
        if hurdle and step == hurdle_step:
            pack.apply_hurdle(hurdle, step)

    return run_training(pack, rung.steps, split, curve_steps, after_step)


def shape_of(value: object) -> tuple[int, ...] | str:
    """The shape of a tensor; the text of any other value, for messages."""
    return tuple(value.shape) if isinstance(value, Tensor) else shown(value)


class _Pack:
    """The candidates in training, as `InTraining`, and the results of those that have diverged or were dropped."""

    rows: ModelRows
    """What passes through the model."""
    parts: list[tuple[slice, dict[str, Tensor]]]
    """Rows that pass through the model together, and the views of their parameters by name."""
    kept: dict[str, Tensor]
    """What the model keeps for each row beside its parameters, `[N, *shape]` by name."""
    losses: Tensor
    """Training loss of each row in the last step."""
    recent: Tensor
    """Mean training loss of each row over the last `CHECK_EVERY` steps before the hurdle."""
    schedule_of: Tensor | None
    """The schedule of each row of the engine, int64 `[N]`; None if all have the same."""
    captured: CapturedStep
    """`_step`, which a GPU repeats by itself."""

    def __init__(
        self,
        task: TrainingTask,
        programs: Sequence[Program],
        rung: Rung,
        seed: Sequence[int],
        device: str,
        compiled: bool = True,
        schedules: Sequence[Schedule] | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self.task = task
        self.count = len(programs)
        self.independent = independent_rows(task, device)
        """Whether rows may change their places, and leave."""
        self.device, self.recorder = device, recorder
        self.layout = Layout(tuple(spec.shape for spec in task.parameters))
        self.engine = ProgramEngine(programs, self.layout, device, compiled)
        self.reads_loss = any(program.loss for program in programs)
        self.schedules = [SCHEDULE] * self.count if schedules is None else schedules
        distinct = list(dict.fromkeys(self.schedules))
        self.course = Course(task.size("train"), rung, seed, distinct, device, by_place=recorder is not None)
        parameters, others = initial_tensors(task, seed)
        row = torch.cat([value.reshape(-1) for value in parameters.values()]).to(device)
        self.results: dict[int, TrainingResult] = {}
        self.hurdle_losses: dict[int, float] = {}
        self.curves: dict[int, list[float]] = {candidate: [] for candidate in range(self.count)}
        self.engine.parameters.copy_(row.expand(self.count, -1))
        self.kept = {name: value.to(device).expand(self.count, *value.shape).clone() for name, value in others.items()}
        self._make_views()

    def step(self, step: int) -> None:
        """Trains all rows on the examples of a step."""
        self.course.reach(step)
        self.captured(self._step)

    def _step(self) -> None:
        """Makes the next step, as a function of buffers alone, which stay where they are until `_make_views`."""
        now = self.course.take()
        self.rows.read()
        for rows, views in self.parts:
            losses = self.task.loss(views | self._kept_in(rows), "train", now.index)
            gradients = self.rows.gradients[rows]
            if shape_of(losses) != (len(gradients),):
                expected, got = len(gradients), shape_of(losses)
                raise BadTask(
                    f"expected loss of {self.task.name} to have one entry a candidate ({expected},), got {got}"
                )
            # The views are leaves of their own: differentiating the buffer would build a full-size gradient for each.
            leaves = gradients_of(losses, list(views.values()))
            torch.cat([leaf.reshape(len(leaf), -1) for leaf in leaves], 1, out=gradients)
            self.losses[rows] = losses.detach()
        self.rows.write_gradients()
        lr = now.rates if self.schedule_of is None else now.rates[self.schedule_of]
        read = self.rows.of_engine(self.losses) if self.reads_loss else None
        self.engine.run(lr, now.step, now.progress, read)

    @torch.no_grad()
    def record_losses(self) -> None:
        """Adds the losses of this step to the mean that is compared at the hurdle."""
        self.recent += self.losses / CHECK_EVERY

    @torch.no_grad()
    def apply_hurdle(self, hurdle: Hurdle, step: int) -> None:
        """Records each candidate's recent loss, and drops the candidates whose loss exceeds the threshold."""
        for candidate, loss in zip(self.rows.candidates, self.recent.tolist(), strict=True):
            if candidate in self.results:
                continue
            if math.isfinite(loss):
                self.hurdle_losses[candidate] = loss
            if hurdle.is_exceeded(candidate, loss):
                self.results[candidate] = TrainingResult(None, step, self.hurdle_losses.get(candidate), dropped=True)

    @torch.no_grad()
    def drop_diverged(self, step: int, last: bool = False) -> bool:
        """Drops candidates whose loss or parameters are not finite. Returns False if no candidate is left."""
        self.rows.read()
        finite = (torch.isfinite(self.losses.detach()) & torch.isfinite(self.rows.parameters).all(1)).tolist()
        alive = []
        for row, (candidate, healthy) in enumerate(zip(self.rows.candidates, finite, strict=True)):
            if healthy and candidate not in self.results:
                alive.append(row)
            else:
                self.results.setdefault(candidate, TrainingResult(None, step, self.hurdle_losses.get(candidate)))
        if not alive:
            return False
        if self.independent and not last and len(alive) < COMPACT_BELOW * len(self.rows.candidates):
            self._compact(alive)
        return True

    def _compact(self, alive: Sequence[int]) -> None:
        """Removes all other rows. For a moment both buffers exist; if they do not fit, the large buffer stays."""
        try:
            self.engine.keep(alive)
        except Exception as error:
            if not out_of_memory(error):
                raise
        else:
            self.kept = {name: value[list(alive)] for name, value in self.kept.items()}
            self._make_views()

    @torch.no_grad()
    def finish(self, steps: int, split: Split) -> list[TrainingResult]:
        """Measures the candidates still in training; returns the result of every candidate, in order."""
        if len(self.results) < self.count:
            self._measure(steps, split)
        return [self.results[candidate] for candidate in range(self.count)]

    @torch.no_grad()
    def record_curve(self, split: Split) -> None:
        """Adds the present loss on a split to the curve of each candidate that is still in training."""
        for rows, views in self._evaluated():
            losses = self.task.measure(views | self._kept_in(rows), split)["loss"].tolist()
            for candidate, loss in zip(self.rows.candidates[rows], losses, strict=True):
                self.curves[candidate].append(loss)

    def _measure(self, steps: int, split: Split) -> None:
        for rows, views in self._evaluated():
            candidates = self.rows.candidates[rows]
            measured = self.task.measure(views | self._kept_in(rows), split)
            expected = f"expected measure of {self.task.name} to give loss and others as ({len(candidates)},)"
            if not isinstance(measured, Mapping) or "loss" not in measured:
                got = "there is no loss" if isinstance(measured, Mapping) else f"got {shown(measured)}"
                raise BadTask(f"{expected}, {got}")
            for name, values in measured.items():
                if shape_of(values) != (len(candidates),):
                    raise BadTask(f"{expected}, {shown(name)} is {shape_of(values)}")
            values_by_name = {name: values.tolist() for name, values in measured.items()}
            for row, candidate in enumerate(candidates):
                measures = {name: values[row] for name, values in values_by_name.items()}
                finite = math.isfinite(measures["loss"])
                result = TrainingResult(
                    measures if finite else None,
                    steps,
                    self.hurdle_losses.get(candidate),
                    curve=tuple(self.curves[candidate]),
                )
                self.results.setdefault(candidate, result)

    def _evaluated(self) -> list[tuple[slice, dict[str, Tensor]]]:
        """As `parts`, with the weights with which models are evaluated: read-outs in the place of parameters."""
        self.rows.read()
        weights = self.engine.evaluated()
        if weights is self.engine.parameters:
            return self.parts
        if self.rows.order is not None:
            in_place = torch.empty_strided(weights.shape, weights.stride(), device=weights.device)
            weights = in_place.index_copy_(0, self.rows.order, weights)
        names = [spec.name for spec in self.task.parameters]
        return [(rows, dict(zip(names, self.layout.split(weights[rows]), strict=True))) for rows, _ in self.parts]

    def _kept_in(self, rows: slice) -> dict[str, Tensor]:
        return {name: value[rows] for name, value in self.kept.items()}

    def _make_views(self) -> None:
        """Creates views of the parameter buffer: for each group of rows that run together, a view per model tensor.

        On a CPU the activations of a few candidates stay in the cache; elsewhere one launch for all rows is fastest.
        """
        count = len(self.engine.order)
        self.captured = CapturedStep(self.task.name, self.device, self.recorder)
        self.rows = ModelRows(self.engine, in_place=not self.independent)
        distinct = self.course.schedules
        of_rows = [distinct.index(self.schedules[program]) for program in self.engine.order]
        self.schedule_of = torch.tensor(of_rows, device=self.device) if len(distinct) > 1 else None
        self.losses = self.engine.parameters.new_zeros(count)
        self.recent = torch.zeros_like(self.losses)
        size = self.task.at_once if self.losses.device.type == "cpu" else count
        self.parts = []
        for first in range(0, count, size):
            rows = slice(first, min(first + size, count))
            views = self.layout.split(self.rows.parameters[rows])
            named = zip(self.task.parameters, views, strict=True)
            self.parts.append((rows, {spec.name: view.detach().requires_grad_() for spec, view in named}))
