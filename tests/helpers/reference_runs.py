"""What the engine's tests compare with: the reference interpreter, in plain torch or with functions that round once."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from germline.programs.optimizer import Program, library, parse
from germline.programs.optimizer.interpret import Interpreter
from germline.programs.optimizer.space import OptimizerSpace

START = parse(library()["adamw_plain"])


class RoundsOnce:
    """torch, with every function computed in double precision and rounded once.

    It defines the result of a function to the bit. What torch's own float32 functions give depends on the vector
    library it was built with, and is off by a unit in the last place now and then.
    """

    ones_like, zeros_like, where = staticmethod(torch.ones_like), staticmethod(torch.zeros_like), torch.where
    linalg = torch.linalg

    def __getattr__(self, name: str) -> Any:
        function = getattr(torch, name)

        def rounded(*args: Any, **options: Any) -> Tensor:
            wide = (arg.double() if isinstance(arg, Tensor) else arg for arg in args)
            result: Tensor = function(*wide, **options).float()
            return result

        return rounded

    def mean(self, x: Tensor, axis: int) -> Tensor:
        """As torch does it: the sum, rounded, over the count."""
        total: Tensor = self.sum(x, axis)
        return total / x.shape[axis]

    def pow(self, x: Any, y: Any) -> Tensor:
        base, exponent = (arg if isinstance(arg, Tensor) else torch.tensor(arg) for arg in (x, y))
        return torch.pow(base.double(), exponent.double()).float()


def mutants(count: int, seed: int, functions: str = "core", most: int = 30) -> list[Program]:
    """Random valid programs: the start program after 1 to `most - 1` mutations."""
    space = OptimizerSpace(START, functions)
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        program = START
        for _ in range(int(rng.integers(1, most))):
            program = space.vary(
                program, ("insert", "insert", "delete", "modify", "tune")[int(rng.integers(5))], rng
            ).genome
        found.append(program)
    return found


def run_alone(
    program: Program, shapes: Sequence[tuple[int, ...]], w: Tensor, gradients: Tensor, xp: Any = torch
) -> Tensor:
    """Parameters, `[elements]`, after a step of the reference interpreter for each row of `gradients`.

    Args:
        program: the program.
        shapes: the shape of each leaf.
        w: the parameters before the first step, `[elements]`.
        gradients: `[steps, elements]`. The learning rate of step i, from 1, is 1 / i.
        xp: the array library of the interpreter.
    """
    sizes = [int(np.prod(shape)) for shape in shapes]
    interpreter = Interpreter(program, xp=xp)
    for step, g in enumerate(gradients, 1):
        leaves = [part.reshape(shape) for part, shape in zip(w.split(sizes), shapes, strict=True)]
        slopes = [part.reshape(shape) for part, shape in zip(g.split(sizes), shapes, strict=True)]
        updates = interpreter.step(leaves, slopes, lr=1.0 / step)
        w = w - torch.cat([update.reshape(-1) for update in updates])
    return w


def same(a: Tensor, b: Tensor) -> Tensor:
    """Where two tensors hold equal numbers, or NaN both."""
    return (a == b) | (a.isnan() & b.isnan())
