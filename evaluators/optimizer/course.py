"""The inputs of all steps of a training, as tables on its device, so that nothing is transferred between steps.

A step that is to be recorded reads its row of each table at a place that is a tensor too, and moves the place on: no
number of Python's enters it, and once it is recorded it is every step. Other steps get views of the rows, which cost no
operation of torch.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from germline.evaluators import training_seeds
from germline.evaluators.optimizer.schedule import Schedule
from germline.evaluators.task import Rung


@dataclass(frozen=True)
class StepInputs:
    """The inputs of a step.

    Attributes:
        index: of its examples, int64 `[batch]`.
        step: its number, 1 at the first step, float32 `[1]`.
        progress: share of the training that lies before it, float32 `[1]`.
        rates: the value of each schedule, float32 `[schedules]`.
    """

    index: Tensor
    step: Tensor
    progress: Tensor
    rates: Tensor


class Course:
    """The course of a training: the examples of each step, its number, its progress and the rates of its schedules.

    The tables have as many rows as are drawn at once, and are filled anew, in place, when these are used up.

    Args:
        size: number of training examples.
        rung: number of steps and batch size.
        seed: entropy of the training.
        schedules: different schedules.
        device: of the tables.
        by_place: whether steps are to be recorded.
    """

    def __init__(
        self,
        size: int,
        rung: Rung,
        seed: Sequence[int],
        schedules: Sequence[Schedule],
        device: str,
        by_place: bool = False,
    ) -> None:
        self.steps, self.schedules = rung.steps, schedules
        self.rows = min(training_seeds.DRAWN_AT_ONCE, rung.steps)
        self.indices = torch.zeros(self.rows, rung.batch, dtype=torch.int64, device=device)
        self.numbers = torch.zeros(self.rows, 2 + len(schedules), device=device)
        self.place = torch.zeros(1, dtype=torch.int64, device=device)
        self.by_place = by_place
        self._drawn: Iterator[np.ndarray] = training_seeds.batch_tables(size, rung, seed)
        self._rows: Iterator[StepInputs] = iter(())

    def reach(self, step: int) -> None:
        """Prepares the tables for a step, counted from 1; steps are reached one after the other, each once."""
        if (step - 1) % self.rows:
            return
        indices = next(self._drawn)
        numbers = [self._numbers(first) for first in range(step - 1, step - 1 + len(indices))]
        self.indices[: len(indices)] = torch.from_numpy(indices)
        self.numbers[: len(indices)] = torch.tensor(numbers)
        self.place.zero_()
        if not self.by_place:
            columns = self.numbers[:, :1], self.numbers[:, 1:2], self.numbers[:, 2:]
            self._rows = map(StepInputs, *(table.unbind(0) for table in (self.indices, *columns)))

    def take(self) -> StepInputs:
        """The inputs of the next step."""
        if not self.by_place:
            return next(self._rows)
        index, numbers = (table.index_select(0, self.place)[0] for table in (self.indices, self.numbers))
        self.place.add_(1)
        return StepInputs(index, numbers[:1], numbers[1:2], numbers[2:])

    def _numbers(self, before: int) -> list[float]:
        """The row of the table of numbers after so many steps."""
        return [before + 1, before / self.steps, *(each.value(before, self.steps) for each in self.schedules)]
