"""What the text of an exported optimizer class is written from."""

from collections.abc import Mapping
from dataclasses import dataclass

from germline.programs.optimizer.export.arguments import HyperParameter
from germline.programs.optimizer.export.lowering import Step
from germline.programs.optimizer.export.prepared import PreparedProgram

WIDTH = 88
MATRIX = {
    *("row_mean", "column_mean", "rank_one", "matmul", "transpose", "orthogonalize"),
    *("inverse_root", "eigenbasis", "rotate_back", "rank", "rows", "columns"),
}
"""Functions for which the real and the imaginary parts of a tensor are no tensor of their own."""
REDUCTIONS = {*MATRIX, "leaf_max", "leaf_mean"} - {"rank", "transpose"}
"""Functions without a value for a tensor of no elements."""


@dataclass(frozen=True)
class Parts:
    """What a class is written from.

    Attributes:
        prepared: the program.
        arguments: the constructor's arguments beside lr.
        lists: the name of the list with a variable's value for each parameter.
        step: the kernels.
        head: lines before the loop over parameters.
        single: lines for one parameter.
        foreach: lines for all parameters.
        docstring: lines of the class's docstring.
    """

    prepared: PreparedProgram
    arguments: tuple[HyperParameter, ...]
    lists: Mapping[str, str]
    step: Step
    head: list[str]
    single: list[str]
    foreach: list[str]
    docstring: list[str]

    @property
    def functions(self) -> set[str]:
        """The functions of the program."""
        return {line.function for line in self.prepared.program.body}

    @property
    def states(self) -> list[str]:
        """The states with a value for each parameter."""
        return [state.name for state in self.prepared.leaf_states]

    @property
    def counts(self) -> bool:
        """True if the program reads the step count."""
        return self.prepared.program.step

    @property
    def own_counts(self) -> bool:
        """True if every parameter has a step count of its own."""
        return self.counts and not self.prepared.whole_tree

    @property
    def shared(self) -> list[str]:
        """The states that a parameter group has, as tensors."""
        counts = ["step"] if self.counts and self.prepared.whole_tree else []
        return [*(state.name for state in self.prepared.scalar_states), *counts]

    @property
    def reads_lr(self) -> bool:
        """True if the step reads lr."""
        return self.prepared.reads_lr

    @property
    def reads_loss(self) -> bool:
        """True if the step reads the loss."""
        return self.prepared.program.loss

    @property
    def lists_of_state(self) -> list[str]:
        """Names of the lists of states."""
        return [self.lists[name] for name in self.states]

    @property
    def numbers(self) -> list[str]:
        """Names of the keyword-only parameters of the exported functions that compute a step: `lr`, hyperparameters,
        scalar states, `step` (unless each parameter has its own), `loss` and `maximize`; those not needed are left out.
        """
        names = [name for argument in self.arguments for name in argument.variables]
        shared = [state.name for state in self.prepared.scalar_states]
        count = ["step"] if self.counts and not self.own_counts else []
        loss = ["loss"] if self.reads_loss else []
        return [*(["lr"] if self.reads_lr else []), *names, *shared, *count, *loss, "maximize"]

    @property
    def has_rows(self) -> bool:
        """True if a state has a number for each row or column, or for each two of them."""
        return any(state.shape not in ("tree", "leaf", "readout") for state in self.prepared.leaf_states)

    @property
    def readout(self) -> str | None:
        """The state that is the read-out; None without one."""
        return next((state.name for state in self.prepared.leaf_states if state.shape == "readout"), None)


def indent(lines: list[str], depth: int = 1) -> list[str]:
    """The lines, indented by four columns for each level; blank lines stay empty."""
    return ["    " * depth + line if line else line for line in lines]
