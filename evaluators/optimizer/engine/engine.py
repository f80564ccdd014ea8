"""The program engine: N different programs, each on its own row of the parameters, in one call."""

from collections.abc import Sequence

import torch
from torch import Tensor

from germline.evaluators.optimizer.engine.bytecode_rows import BytecodeRows, compiles, rows_of
from germline.evaluators.optimizer.engine.micro import MicroProgram, Unsupported, lower
from germline.evaluators.optimizer.engine.torch_rows import TorchRows, grouped_order
from germline.programs.optimizer import Graph, Program, trace
from germline.programs.optimizer.flat import Layout
from germline.programs.optimizer.program import Statement


class ProgramEngine:
    """Holds the parameters and gradients of N candidates, and applies each candidate's program to its row.

    Programs that work on matrices run in plain torch, all others as bytecode.

    Args:
        programs: valid programs, one a candidate.
        layout: leaf shapes of the model.
        device: where the buffers live.
        compiled: whether to compile at all; plain torch gives the same numbers up to rounding.

    Attributes:
        order: for each row, the program it runs, by its position in `programs`.
        parameters, gradients: float32 of shape `[N, elements]`; replaced by `keep`.
    """

    def __init__(self, programs: Sequence[Program], layout: Layout, device: str = "cpu", compiled: bool = True) -> None:
        self.layout = layout
        graphs = [trace(program) for program in programs]
        compiled = compiled and compiles(device, layout)
        micro = {i: found for i, graph in enumerate(graphs) if compiled and (found := _lowered(graph, layout))}
        others = [i for i in range(len(programs)) if i not in micro]
        others = [others[i] for i in grouped_order([graphs[i] for i in others])]
        self.order = [*micro, *others]
        self._bytecode = BytecodeRows(rows_of(list(micro.values()), layout, device), len(others), layout, device)
        self._torch = TorchRows([graphs[i] for i in others], layout, device)

    @property
    def parameters(self) -> Tensor:
        return self._bytecode.parameters

    @property
    def gradients(self) -> Tensor:
        return self._bytecode.gradients

    @torch.no_grad()
    def step(self, lr: float, step: int) -> None:
        """Subtracts each row's update from its parameters.

        Args:
            lr: what the programs get as `lr`.
            step: what they get as `step`; 1 at the first step.
        """
        first = len(self._bytecode.rows)
        self._bytecode.step(lr, step)
        self._torch.step(self.parameters[first:], self.gradients[first:], lr, step)

    @torch.no_grad()
    def keep(self, rows: Sequence[int]) -> None:
        """Drops all rows but these, given in ascending order."""
        first = len(self._bytecode.rows)
        compiled = [row for row in rows if row < first]
        others = [row - first for row in rows if row >= first]
        smaller = self._bytecode.keep(compiled, len(others))
        smaller.parameters.copy_(self.parameters[torch.tensor(rows, dtype=torch.int64, device=self.parameters.device)])
        self._torch.keep(others)
        # Nothing fails from here on: where the memory is too small, all stays as it was.
        self._bytecode = smaller
        self.order = [self.order[row] for row in rows]


def prepare(device: str) -> None:
    """Compiles what programs run on before it is needed: some 20 seconds, once an installation."""
    engine = ProgramEngine([_TRIVIAL], Layout(((1,),)), device)
    engine.step(1.0, 1)


_TRIVIAL = Program((Statement("update", "*", ("g", "lr")),), states=(), returns=("update",))


def _lowered(graph: Graph, layout: Layout) -> MicroProgram | None:
    try:
        return lower(graph, layout)
    except Unsupported:
        return None
