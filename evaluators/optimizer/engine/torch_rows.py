"""Rows whose programs run in plain torch.

Rows whose live programs differ only in their constants form a group: one pass over the operations of the group updates
all its rows, with the constants as a column. The rows of a group are contiguous, so that it reads the buffers through
views. Programs that bytecode cannot express run here; tests and benchmarks compare bytecode with it.

A row gets the same bits in a group of any size. Only functions that are not rounded correctly could break this: torch
computes the last few elements of a buffer by another method than the elements before them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from germline.programs.optimizer import Graph
from germline.programs.optimizer.flat import FlatProgram, Layout
from germline.programs.optimizer.primitives import Primitive
from germline.programs.optimizer.types import LEAF, SCALAR, TREE

APPROXIMATE = frozenset(
    (
        *("cos", "sin", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh"),
        *("exp", "exp2", "exp10", "expm1", "log", "log10", "log2", "log1p", "cbrt", "power"),
    )
)
"""Elementwise functions whose bits may depend on the place of an element in its buffer. All others round correctly."""


def structure(graph: Graph) -> tuple[object, ...]:
    """Returns a key that is equal for programs of a group: the live operations without the values of constants."""
    lines = tuple((i, graph.nodes[i].function, graph.nodes[i].args) for i in graph.live)
    states = [(graph.state_nodes[k], graph.next_states[k]) for k in graph.live_states]
    returned = tuple((present, following, graph.nodes[present].type) for present, following in states)
    return (lines, graph.update, returned, graph.readout)


def grouped_order(graphs: Sequence[Graph]) -> list[int]:
    """Returns an order of the programs in which groups are contiguous, in the order of their first program."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for i, graph in enumerate(graphs):
        groups.setdefault(structure(graph), []).append(i)
    return [i for members in groups.values() for i in members]


@dataclass
class _Group:
    """Consecutive rows of the same structure: their constants (`literals`), `[rows, 1]` each, and their states.

    `names` and `states` are by the position of a state in the program; `borrowed` are the positions of states whose
    next value may be a view of a buffer: of the parameters, of the gradients, or of another state.
    """

    program: FlatProgram
    names: dict[int, str]
    rows: int
    literals: list[Tensor]
    states: dict[int, Any]
    borrowed: frozenset[int]


class TorchRows:
    """Rows that are updated by plain torch, group by group.

    Args:
        graphs: the graph of each row's program, in the order of `grouped_order`.
        layout: leaf shapes of the model.
        device: the device of the buffers.
    """

    def __init__(self, graphs: Sequence[Graph], layout: Layout, device: str) -> None:
        self.layout = layout
        self.device = device
        leaf_of = torch.as_tensor(layout.leaf_of, device=device)
        self.groups: list[_Group] = []
        start = 0
        while start < len(graphs):
            key = structure(graphs[start])
            end = start
            while end < len(graphs) and structure(graphs[end]) == key:
                end += 1
            self.groups.append(self._group(graphs[start:end], leaf_of))
            start = end

    def step(self, w: Tensor, g: Tensor, lr: Tensor, step: Tensor, progress: Tensor, loss: Tensor) -> None:
        """Subtracts each row's update from `w`; states are written in place. All inputs are float32, on the device.

        Args:
            w, g: parameters and gradients, `[rows, elements]`.
            lr: the input of each row, `[rows]`, or of all rows, `[1]`.
            step: the input of all rows, `[1]`.
            progress: the input of all rows, `[1]`.
            loss: the input of each row, `[rows]`.
        """
        start = 0
        for group in self.groups:
            end = start + group.rows
            rates = lr if len(lr) == 1 else lr[start:end]
            shared = {"lr": rates, "step": step, "progress": progress, "loss": loss[start:end]}
            inputs = {name: value[:, None] for name, value in shared.items() if name in group.program.inputs}
            inputs.update(w=w[start:end], g=g[start:end])
            inputs.update((group.names[k], value) for k, value in group.states.items())
            update, states = group.program.run(inputs, group.literals)
            # The next value of a state, and the update, may be views of buffers that change now.
            states = {k: _copied(value) if k in group.borrowed else value for k, value in states.items()}
            w[start:end] -= update
            group.states = {k: self._stored(group.states[k], value) for k, value in states.items()}
            start = end

    def evaluated(self, w: Tensor) -> Tensor:
        """The parameters `w`, `[rows, elements]`, with the read-out in the rows of programs that have one."""
        result = w
        start = 0
        for group in self.groups:
            end = start + group.rows
            readout = group.program.graph.readout
            if readout is not None:
                result = result.clone() if result is w else result
                result[start:end] = group.states[readout]
            start = end
        return result

    def keep(self, rows: Sequence[int]) -> None:
        """Removes all rows except `rows`, which are in ascending order."""
        start = 0
        groups: list[_Group] = []
        for group in self.groups:
            inside = [row - start for row in rows if start <= row < start + group.rows]
            start += group.rows
            if inside:
                index = torch.tensor(inside, device=self.device)
                literals = [literal[index] for literal in group.literals]
                states = {k: _selected(value, index) for k, value in group.states.items()}
                groups.append(_Group(group.program, group.names, len(inside), literals, states, group.borrowed))
        self.groups = groups

    def _group(self, graphs: Sequence[Graph], leaf_of: Tensor) -> _Group:
        first = graphs[0]
        program = FlatProgram(first, self.layout, torch, leaf_of, _call if self.device == "cpu" else None)
        columns = [[[graph.nodes[i].literal] for graph in graphs] for i in program.literals]
        literals = [torch.tensor(column, dtype=torch.float32, device=self.device) for column in columns]
        states = {k: self._zeros(first, k, len(graphs)) for k in first.live_states}
        names = {k: first.nodes[first.state_nodes[k]].function.removeprefix("input:") for k in states}
        next_nodes = {k: first.nodes[first.next_states[k]] for k in states}
        borrowed = frozenset(
            k for k, node in next_nodes.items() if not node.args or node.type not in (TREE, LEAF, SCALAR)
        )
        return _Group(program, names, len(graphs), literals, states, borrowed)

    def _stored(self, state: Any, value: Any) -> Any:
        """The buffers of a state, `[rows, …]`, with its next value.

        They are written in place, as a recorded step of a GPU needs it. On a CPU a matrix stays in the order, by rows
        or by columns, in which a function returned it, since recorded runs have the bits of that order: a buffer in
        another order is replaced, which happens in the first step.
        """
        if isinstance(state, list):
            return [self._stored(*pair) for pair in zip(state, value, strict=True)]
        if self.device == "cpu" and value.shape == state.shape and value.stride() != state.stride():
            return value
        return state.copy_(value)  # a value computed from the inputs of all rows alone has a single row

    def _zeros(self, graph: Graph, position: int, rows: int) -> Any:
        state_type = graph.nodes[graph.state_nodes[position]].type
        return self.layout.zeros(state_type, rows, partial(torch.zeros, device=self.device))


def _call(primitive: Primitive, *args: Tensor) -> Any:
    """The result of a function, computed row by row if its bits could depend on the number of rows."""
    rows = max(map(len, args))
    if rows == 1 or primitive.name not in APPROXIMATE:
        return primitive.run(torch, *args)
    at_row = (tuple(arg[i : i + 1] if len(arg) > 1 else arg for arg in args) for i in range(rows))
    parts = [primitive.run(torch, *row) for row in at_row]
    first = parts[0]
    if first.is_contiguous():
        return torch.cat(parts)
    # A matrix by columns stays by columns, as in a row alone: sums of its elements round otherwise in another order.
    whole = torch.empty_strided((rows, *first.shape[1:]), (first[0].numel(), *first.stride()[1:]), device=first.device)
    return torch.cat(parts, out=whole)


def _selected(value: Any, index: Tensor) -> Any:
    """The rows of a state at an index; the state is a tensor, or a list with a tensor for each leaf."""
    return [leaf[index] for leaf in value] if isinstance(value, list) else value[index]


def _copied(value: Any) -> Any:
    """A copy of the value of a state."""
    return [leaf.clone() for leaf in value] if isinstance(value, list) else value.clone()
