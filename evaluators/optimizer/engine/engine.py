"""The program engine: N different programs, each on its own row of the parameters, in one call."""

from collections.abc import Sequence
from dataclasses import dataclass

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
        lowered = {}
        if compiled and runs_bytecode(device, layout):
            prepared = _prepare_all(programs, layout)
            graphs = [each.graph for each in prepared]
            lowered = {i: each.lowered for i, each in enumerate(prepared) if each.lowered is not None}
        else:
            graphs = [trace(program) for program in programs]
        others = [i for i in range(len(programs)) if i not in lowered]
        others = [others[i] for i in grouped_order([graphs[i] for i in others])]
        self.order = [*lowered, *others]
        self._bytecode = BytecodeRows(rows_of(list(lowered.values()), layout, device), len(others), layout, device)
        self._torch = TorchRows([graphs[i] for i in others], layout, device)
        self._no_losses = torch.zeros(len(programs), device=device)

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

    def step(self, lr: float | Sequence[float], step: int, progress: float = 0.0, loss: Tensor | None = None) -> None:
        """Subtracts each row's update from its parameters.

        Args:
            lr: the programs' input `lr`: one number for all, or one for each program that the engine was built with.
            step: the programs' input `step`; 1 at the first step.
            progress: the programs' input `progress`, 0 at the first step.
            loss: the programs' input `loss`, float32 `[N]` in the order of the rows; None: 0 for all.
        """
        of_rows = [lr] if isinstance(lr, float) else [lr[program] for program in self.order]
        new = self.parameters.new_tensor
        self.run(new(of_rows), new([float(step)]), new([progress]), loss)

    @torch.no_grad()
    def run(self, lr: Tensor, step: Tensor, progress: Tensor, loss: Tensor | None = None) -> None:
        """`step` with inputs that are on the device already: float32, `lr` for all rows `[1]` or for each row `[N]` in
        their order, `step` and `progress` `[1]`. It uses no number of Python's that changes between steps."""
        first = self.compiled_rows
        losses = self._no_losses[: len(self.order)] if loss is None else loss
        single = len(lr) == 1
        if first:
            self._bytecode.step(lr if single else lr[:first], step, progress, losses[:first])
        if first < len(self.order):
            rates = lr if single else lr[first:]
            self._torch.step(self.parameters[first:], self.gradients[first:], rates, step, progress, losses[first:])

    @torch.no_grad()
    def evaluated(self) -> Tensor:
        """The weights with which each row's model is evaluated, after at least one step: its program's read-out, or its
        parameters. `parameters` itself if no program has a read-out."""
        others = self.parameters[self.compiled_rows :]
        evaluated = self._torch.evaluated(others)
        if evaluated is others:
            return self.parameters
        # With the same distance between rows: at other addresses a model could round differently.
        result = torch.empty_strided(self.parameters.shape, self.parameters.stride(), device=self.parameters.device)
        result[: self.compiled_rows] = self.parameters[: self.compiled_rows]
        result[self.compiled_rows :] = evaluated
        return result

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


@dataclass(frozen=True)
class _Prepared:
    """A program with its graph, and its micro-operations on a layout: None if bytecode cannot express it."""

    program: Program
    layout: Layout
    graph: Graph
    lowered: MicroProgram | None


_last_pack: dict[int, _Prepared] = {}
"""The programs of the last pack by identity, since programs with 0.0 and with -0.0 are equal."""


def _prepare_all(programs: Sequence[Program], layout: Layout) -> list[_Prepared]:
    """Prepares programs, which takes a millisecond each. Programs of the last pack are not prepared again, since the
    next replicate has the same."""
    pack: dict[int, _Prepared] = {}
    for program in programs:
        known = pack.get(id(program)) or _last_pack.get(id(program))
        if known is None or known.program is not program or known.layout != layout:
            known = _prepare(program, layout)
        pack[id(program)] = known
    _last_pack.clear()
    _last_pack.update(pack)
    return [pack[id(program)] for program in programs]


def _prepare(program: Program, layout: Layout) -> _Prepared:
    graph = trace(program)
    try:
        return _Prepared(program, layout, graph, lower(graph, layout))
    except Unsupported:
        return _Prepared(program, layout, graph, None)
