"""Elementwise functions on zeros of both signs, subnormal and huge numbers, infinities and NaN."""

import numpy as np
import torch
from torch import Tensor

from germline.evaluators.optimizer.engine.bytecode_rows import BytecodeRows
from germline.evaluators.optimizer.engine.interpreter import FAR
from germline.programs.optimizer import Program, parse
from germline.programs.optimizer.flat import Layout
from germline.programs.optimizer.primitives import PRIMITIVES

NUMBERS = np.array(
    [
        *(0.0, 1e-45, 1e-40, 2.0**-126, 1e-20, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 88.8, 104.0, 5e5, FAR - 1, FAR + 1),
        *(2.0**24, 2.0**24 + 2, 1e10, 3.4e38, np.inf, np.nan),
    ],
    np.float32,
)
SIGNED = torch.from_numpy(np.concatenate([NUMBERS, -NUMBERS]))
LAYOUT = Layout(((len(SIGNED) ** 2,),))
FIRST, SECOND = SIGNED.repeat_interleave(len(SIGNED)), SIGNED.repeat(len(SIGNED))
"""All pairs of them: the gradient and the parameters, `[elements]`."""

ANGLES, FAR_QUOTIENT = ("sin", "cos", "tan"), 2.0**28


def programs() -> dict[str, Program]:
    """For each elementwise function with one or two operands a program that stores its result in the state `m`, and the
    reciprocal of it, which shows the sign of a zero, in the state `v`."""
    calls = {}
    for name, primitive in PRIMITIVES.items():
        if primitive.scope == "elementwise" and primitive.arity in (1, 2) and name not in ("invert", "="):
            operands = "g" if primitive.arity == 1 else "g, w"
            calls[name] = f"g {name} w" if primitive.operator else f"{name}({operands})"
    head, tail = "def train(w, g, m, v, lr):\n  u = m + v\n  m = ", "\n  v = reciprocal(m)\n  return u, m, v\n"
    return {name: parse(head + call + tail) for name, call in calls.items()}


def is_near(name: str) -> Tensor:
    """Where a GPU promises the bits of a CPU for a function, boolean `[elements]`: see `engine/cuda.py`."""
    if name in ANGLES:
        return (FIRST.abs() <= FAR) | ~FIRST.isfinite()
    if name == "modulo":
        quotients = (FIRST.double() / SECOND.double()).abs()
        return (quotients <= FAR_QUOTIENT) | ~quotients.isfinite()
    return torch.ones(len(FIRST), dtype=torch.bool)


def equal_bits(x: Tensor, y: Tensor) -> Tensor:
    """Where two float32 tensors have the same bits, or are both NaN."""
    return (x.view(torch.int32) == y.view(torch.int32)) | (x.isnan() & y.isnan())


def states(rows: BytecodeRows) -> Tensor:
    """The states `m` and `v` of each of these programs, `[programs, 2, elements]`, on the CPU."""
    stride = rows.parameters.stride(0)
    found = [rows.memory[start : start + 2 * stride].view(2, stride) for start in rows.starts[:-1]]
    return torch.stack(found)[..., : LAYOUT.elements].cpu()
