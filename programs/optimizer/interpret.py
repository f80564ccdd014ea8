"""The reference interpreter: a program on a list of torch tensors, one operation at a time.

It defines the meaning of the language: the batched engine and every exported class are tested against it.
All values have the parameters' floating-point type. Only `+ - * /` and `interp` take a literal as a Python number, if
another argument is a tensor.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from germline.programs.optimizer.graph import trace
from germline.programs.optimizer.primitives import PRIMITIVES
from germline.programs.optimizer.program import Program, Statement
from germline.programs.optimizer.types import LEAF_SHAPES, SCALAR, STATE_TYPES, Type

Value = list[Tensor] | Tensor | float
"""A tree (a tensor for each leaf), a scalar (no dimensions), or a literal."""


@dataclass
class Interpreter:
    """Runs one program on one model.

    Attributes:
        program: a valid program.
        states: the value of each state by name; empty before the first step.
        steps: how many steps have been run.
        xp: the array library whose functions the primitives call.

    Raises:
        InvalidProgram: on construction, if the program does not pass abstract execution.
    """

    program: Program
    states: dict[str, Value] = field(default_factory=dict)
    steps: int = 0
    xp: Any = torch

    def __post_init__(self) -> None:
        graph = trace(self.program)
        self._types = [graph.nodes[node].type for node in graph.statements]

    def step(
        self,
        w: Sequence[Tensor],
        g: Sequence[Tensor],
        lr: float = 1.0,
        progress: float = 0.0,
        loss: float = 0.0,
    ) -> list[Tensor]:
        """Runs one step: replaces `states`, and returns the update, a tensor like each of `w`.

        The caller subtracts the update from the parameters. Its tensors may also be those of a state, so they must not
        be changed in place.

        Args:
            w: the parameters.
            g: their gradients, of the same shapes.
            lr: the schedule value, 1 at the peak.
            progress: the share of the training's steps that are done, 0 at the first.
            loss: the loss of the batch that gave `g`, at `w`.
        """
        self.steps += 1
        like = w[0].new_tensor
        for state in self.program.states:
            if state.name not in self.states:
                self.states[state.name] = _start(state.shape, w)
        # Copies, because a program may return w or g as a state and the caller changes them in place.
        inputs = {"w": [leaf.clone() for leaf in w], "g": [leaf.clone() for leaf in g]}
        numbers: dict[str, Value] = {"step": like(self.steps), "progress": like(progress), "loss": like(loss)}
        declared = {name: numbers[name] for name in self.program.optional_inputs}
        scope: dict[str, Value] = {**inputs, **self.states, "lr": like(lr), **declared}
        for line, result_type in zip(self.program.body, self._types, strict=True):
            scope[line.target] = _run(self.xp, line, scope, result_type, w[0])
        update, *states = (scope[name] for name in self.program.returns)
        self.states = dict(zip((state.name for state in self.program.states), states, strict=True))
        assert isinstance(update, list), "trace() admits only a tree as the update"
        return update

    def evaluated(self, w: Sequence[Tensor]) -> list[Tensor]:
        """The weights with which the model is evaluated: the read-out, or the parameters `w` themselves if the program
        has none or has not run."""
        readout = self.program.readout
        if readout is None or not self.steps:
            return list(w)
        value = self.states[self.program.states[readout].name]
        assert isinstance(value, list), "trace() admits only a tree as the read-out"
        return value


def _start(shape: str, w: Sequence[Tensor]) -> Value:
    """The zero value of a state before the first step."""
    if STATE_TYPES[shape].shapes is None:
        return w[0].new_zeros(())
    return [leaf.new_zeros(LEAF_SHAPES[shape](tuple(leaf.shape))) for leaf in w]


def _run(xp: Any, line: Statement, scope: dict[str, Value], result_type: Type, like: Tensor) -> Value:
    """The value of a statement.

    Args:
        xp: the array library.
        line: the statement.
        scope: the value of each variable.
        result_type: the type of the statement's value.
        like: a tensor; numbers get its precision and device.
    """
    primitive = PRIMITIVES[line.function]
    args = [scope[arg] if isinstance(arg, str) else arg for arg in line.args]
    if primitive.scope == "constant":
        return like.new_tensor(primitive.run())
    # Only + - * / and interp take plain numbers in torch, and at least one argument must be a tensor.
    if not (primitive.operator or line.function == "interp") or all(isinstance(arg, float) for arg in args):
        args = [like.new_tensor(arg) if isinstance(arg, float) else arg for arg in args]
    if primitive.scope == "tree":
        return _whole_tree(xp, primitive.run, args, result_type)
    trees = [arg for arg in args if isinstance(arg, list)]
    if not trees:
        value: Value = primitive.run(xp, *args)
        return value
    leaves = []
    for i in range(len(trees[0])):
        at_leaf: list[Any] = [arg[i] if isinstance(arg, list) else arg for arg in args]
        if primitive.scope == "leaf":
            leaves.append(primitive.run(xp, *(leaf[None] for leaf in at_leaf))[0])
        else:
            leaves.append(primitive.run(xp, *at_leaf))
    return leaves


def _whole_tree(xp: Any, run: Any, args: list[Any], result_type: Type) -> Value:
    """The value of a function of whole trees, which gets a tree as `[1, elements]` and a scalar as `[1, 1]`."""
    flat = [
        torch.cat([leaf.reshape(1, -1) for leaf in arg], 1) if isinstance(arg, list) else arg.reshape(1, 1)
        for arg in args
    ]
    result = run(xp, *flat)
    if result_type == SCALAR:
        scalar: Tensor = result.reshape(())
        return scalar
    leaves = result.split([leaf.numel() for leaf in args[0]], 1)
    return [part.reshape(leaf.shape) for part, leaf in zip(leaves, args[0], strict=True)]
