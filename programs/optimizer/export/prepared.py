"""A program that is ready for export."""

from collections.abc import Mapping
from dataclasses import dataclass

from germline.programs.optimizer.export.signs import Place
from germline.programs.optimizer.graph import Graph
from germline.programs.optimizer.primitives import PRIMITIVES
from germline.programs.optimizer.program import Program, State


@dataclass(frozen=True)
class PreparedProgram:
    """A program that is ready for export.

    Attributes:
        program: live statements and states only, under names that fit into the code.
        graph: its trace.
        lr_is_rate: True if its `lr` is the learning rate itself; False if it is a schedule value, 1 at the default.
        default_rate: the learning rate at schedule value 1.
        names: the variable for each literal that is a hyper-parameter, by its place; other literals stay numbers.
        ranges: of each of these variables, as in `HyperParameter`.
        exact: True if every statement is computed as the interpreter computes it, bit for bit.
    """

    program: Program
    graph: Graph
    lr_is_rate: bool
    default_rate: float
    names: Mapping[Place, str]
    ranges: Mapping[str, str]
    exact: bool = False

    @property
    def whole_tree(self) -> bool:
        """True if parameters cannot be updated one by one: the program has a scalar state or a function of trees."""
        return any(PRIMITIVES[line.function].scope == "tree" for line in self.program.body) or any(
            state.shape == "scalar" for state in self.program.states
        )

    @property
    def leaf_states(self) -> tuple[State, ...]:
        """The states with a value for each parameter."""
        return tuple(state for state in self.program.states if state.shape != "scalar")

    @property
    def scalar_states(self) -> tuple[State, ...]:
        """The states with one value for a parameter group."""
        return tuple(state for state in self.program.states if state.shape == "scalar")

    @property
    def reads_lr(self) -> bool:
        """True if the program reads its learning rate."""
        lr = self.program.inputs.index("lr")
        live = [self.graph.nodes[node].args for node in self.graph.live if node >= len(self.program.inputs)]
        return any(lr in args for args in live) or lr in (self.graph.update, *self.graph.next_states)
