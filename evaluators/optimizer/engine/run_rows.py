"""The interpreters of bytecode as an operation of torch, `germline::run_rows`, with an implementation for each device.

As an operation it is seen by whatever looks at those of torch: a trace counts it, a profiler times it. On the meta
device, which has shapes and no numbers, it does nothing.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

_LIBRARY: Any = torch.library.Library("germline", "DEF")  # type: ignore[no-untyped-call]
_LIBRARY.define(
    "run_rows(Tensor(a!) memory, Tensor[] tables, Tensor(b!) sums, int registers, int leaves, Tensor lr, Tensor step)"
    " -> ()"
)
_RUN_ROWS = torch.ops.germline.run_rows.default


def run_rows(
    memory: Tensor, tables: Sequence[Tensor], sums: Tensor, registers: int, leaves: int, lr: Tensor, step: Tensor
) -> None:
    """Runs a step of every row's program, on the device of `memory`.

    Args:
        memory: float32, the memory of all rows.
        tables: `code`, `sections`, `rows`, `whole` and `by_leaf`, see `interpreter.run_rows`.
        sums: float64 `[instances, sums]`; the rows are divided among as many instances of the interpreter.
        registers: numbers of scratch memory per instance, at the beginning of `memory`.
        leaves: number of leaves of the model.
        lr: input of the programs, float32 `[rows]`, or `[1]` for all rows.
        step: input of all programs, float32 `[1]`.
    """
    _RUN_ROWS(memory, tables, sums, registers, leaves, lr, step)


def _on_cpu(
    memory: Tensor, tables: Sequence[Tensor], sums: Tensor, registers: int, leaves: int, lr: Tensor, step: Tensor
) -> None:
    arrays: list[Any] = [tensor.numpy() for tensor in (memory, *tables, sums[0])]
    _interpreter().run_rows(*arrays, leaves, lr.numpy(), step.numpy())


def _on_gpu(*arguments: Any) -> None:
    from germline.evaluators.optimizer.engine import cuda  # here, since it needs Triton

    cuda.run_rows(*arguments)


def _without_numbers(*arguments: Any) -> None:
    pass


_LIBRARY.impl("run_rows", _on_cpu, "CPU")
_LIBRARY.impl("run_rows", _on_gpu, "CUDA")
_LIBRARY.impl("run_rows", _without_numbers, "Meta")


@cache
def _interpreter() -> Any:
    """The interpreter's module, imported late: Numba takes a second, and may not be needed."""
    from germline.evaluators.optimizer.engine import interpreter

    return interpreter
