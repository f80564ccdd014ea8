"""The program engine: N different programs, each on its own row of the parameters, in one call."""

from collections.abc import Sequence
from contextlib import suppress

import torch
from torch import Tensor

from germline.evaluators.optimizer.engine.bytecode_rows import BytecodeRows, rows_of, runs_bytecode
from germline.evaluators.optimizer.engine.micro import MicroProgram, Unsupported, lower
from germline.evaluators.optimizer.engine.torch_rows import TorchRows, grouped_order
from germline.programs.optimizer import Graph, Program, trace
from germline.programs.optimizer.flat import Layout
from germline.programs.optimizer.program import Statement


class ProgramEngine:
    """Holds the parameters and gradients of N candidates, and applies each candidate's program to its row.

    Programs that bytecode cannot express, such as those with matrix functions, run in plain torch; all others run as
    bytecode, and their rows come first.

    Args:
        programs: the valid program of each candidate.
        layout: leaf shapes of the model.
        device: the device of the buffers.
        compiled: False runs all programs in plain torch, which gives the same numbers up to rounding.

    Attributes:
        order: for each row the position of its program in `programs`.
        parameters, gradients: float32 of shape `[N, elements]`; replaced by `keep`.
    """

    def __init__(self, programs: Sequence[Program], layout: Layout, device: str = "cpu", compiled: bool = True) -> None:
        self.layout = layout
        graphs = [trace(program) for program in programs]
        lowered = _lower_all(graphs, layout) if compiled and runs_bytecode(device, layout) else {}
        others = [i for i in range(len(programs)) if i not in lowered]
        others = [others[i] for i in grouped_order([graphs[i] for i in others])]
        self.order = [*lowered, *others]
        self._bytecode = BytecodeRows(rows_of(list(lowered.values()), layout, device), len(others), layout, device)
        self._torch = TorchRows([graphs[i] for i in others], layout, device)

    @property
    def parameters(self) -> Tensor:
        return self._bytecode.parameters

    @property
    def gradients(self) -> Tensor:
        return self._bytecode.gradients

    @property
    def compiled_rows(self) -> int:
        """Number of rows that run as bytecode; they come first."""
        return len(self._bytecode.rows)

    @torch.no_grad()
    def step(self, lr: float, step: int) -> None:
        """Subtracts each row's update from its parameters.

        Args:
            lr: the programs' input `lr`.
            step: the programs' input `step`; 1 at the first step.
        """
        first = self.compiled_rows
        self._bytecode.step(lr, step)
        self._torch.step(self.parameters[first:], self.gradients[first:], lr, step)

    @torch.no_grad()
    def keep(self, rows: Sequence[int]) -> None:
        """Removes all rows except `rows`, which are in ascending order. If memory runs out, nothing has changed."""
        first = self.compiled_rows
        bytecode = [row for row in rows if row < first]
        others = [row - first for row in rows if row >= first]
        smaller = self._bytecode.keep(bytecode, len(others))
        smaller.parameters.copy_(self.parameters[torch.tensor(rows, dtype=torch.int64, device=self.parameters.device)])
        self._torch.keep(others)
        # No allocation follows.
        self._bytecode = smaller
        self.order = [self.order[row] for row in rows]


def prepare(device: str) -> None:
    """Compiles the interpreter before its first use: some 20 seconds, once per installation."""
    engine = ProgramEngine([_TRIVIAL], Layout(((1,),)), device)
    engine.step(1.0, 1)


_TRIVIAL = Program((Statement("update", "*", ("g", "lr")),), states=(), returns=("update",))


def _lower_all(graphs: Sequence[Graph], layout: Layout) -> dict[int, MicroProgram]:
    """The micro-operations of each program that bytecode can express, by its position."""
    lowered = {}
    for i, graph in enumerate(graphs):
        with suppress(Unsupported):
            lowered[i] = lower(graph, layout)
    return lowered
