"""The bytecode interpreter for a GPU: a single Triton kernel runs the programs of all rows.

Each instance of the kernel runs several rows in turn, with their registers in its own scratch memory, which stays in
the L2 cache. The elementary functions are compiled from the CPU interpreter's source, in the same double precision and
without fused multiply-adds, so that both round alike. They differ where the CPU has a slower path that does not pay
here: `remainder` for quotients beyond 2**28, and functions of angles beyond `interpreter.FAR`.

A number changes its sign by `* -1.0`: Triton up to 3.6 compiles `-x` to `0 - x`, which is not -0.0 for 0.0. The shared
functions write `-y` only where y is not zero.
"""

from collections.abc import Sequence
from types import FunctionType, ModuleType
from typing import Any

import triton
import triton.language as tl
from torch import Tensor

from germline.evaluators.optimizer.engine import interpreter
from germline.evaluators.optimizer.engine.bytecode import (
    FIRST_IS_NUMBER,
    SECOND_IS_NUMBER,
    SPACE_BITS,
    SPACE_MASK,
    Op,
    Space,
)

CHUNK = 1024
"""Elements per chunk."""
INSTANCES_PER_PROCESSOR = 8
"""Instances of the kernel per multiprocessor."""
WARPS = 4
"""Warps of 32 threads per instance."""

INFINITY = tl.constexpr(float("inf"))


@triton.jit
def double(x):
    return x.to(tl.float64)


@triton.jit
def single(x):
    return x.to(tl.float32)


@triton.jit
def fabs(x):
    return tl.abs(x)


@triton.jit
def root(x):
    return tl.sqrt(x)


@triton.jit
def bits(x):
    return x.to(tl.int64, bitcast=True)


@triton.jit
def from_bits(x):
    return x.to(tl.float64, bitcast=True)


@triton.jit
def choose(condition, x, y):
    return tl.where(condition, x, y)


@triton.jit
def with_sign(x, y):
    return tl.where(bits(y) < 0, tl.abs(x) * -1.0, tl.abs(x))


@triton.jit
def sqrt(x):
    return tl.sqrt_rn(x)


@triton.jit
def reciprocal(x):
    return tl.div_rn(tl.full(x.shape, 1.0, tl.float32), x)


@triton.jit
def divide(x, y):
    return tl.div_rn(x, y)


@triton.jit
def remainder(x, y):
    a, b = x.to(tl.float64), y.to(tl.float64)
    rest = a - tl.floor(a / b) * b
    # The quotient may have been rounded up to the next whole number.
    rest = tl.where((rest != 0.0) & ((rest < 0.0) != (b < 0.0)), rest + b, rest)
    rest = tl.where(rest == 0.0, with_sign(rest, a), rest)
    # An infinite divisor leaves a dividend of its own sign unchanged.
    rest = tl.where(tl.abs(b) == INFINITY, tl.where((a == 0.0) | ((a < 0.0) == (b < 0.0)), a, b), rest)
    rest = tl.where((tl.abs(a) == INFINITY) | (a != a) | (b != b), INFINITY - INFINITY, rest)
    return rest.to(tl.float32)


_OWN = (double, single, fabs, root, bits, from_bits, choose, with_sign)
_CONSTANTS = (
    *("ROUND", "LN2", "LOG2_E", "LOG10_E", "PI", "HALF_PI_1", "HALF_PI_2", "HALF_PI_3", "INF", "EVEN", "ROOT_HALF"),
)
_SHARED = (
    *("_expm1_parts", "_exp", "_expm1", "_log", "_quadrant", "_sine", "_cosine", "_atan"),
    *("sign", "exp", "exp2", "expm1", "log", "log2", "log10", "sin", "cos", "tan", "arcsin", "arccos", "arctan"),
    *("sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh", "power", "maximum", "minimum", "greater", "where"),
)


def _module(name: str, members: dict[str, Any]) -> ModuleType:
    """A module of these members; a module is the only kind of namespace that a kernel can read."""
    module = ModuleType(f"{__name__}.{name}")
    vars(module).update(members)
    return module


def _shared() -> dict[str, Any]:
    """The functions of the CPU's interpreter by name, compiled for the GPU to call those of `_OWN`."""
    names: dict[str, Any] = {"__name__": __name__, "tl": tl, **{function.fn.__name__: function for function in _OWN}}
    names.update((name, tl.constexpr(getattr(interpreter, name))) for name in _CONSTANTS)
    for name in _SHARED:
        function = getattr(interpreter, name).py_func
        names[name] = triton.jit(FunctionType(function.__code__, names, name))
    return {name: names[name] for name in _SHARED}


on = _module("on", _shared())
op = _module("op", {member.name: tl.constexpr(member.value) for member in Op})
at = _module("at", {member.name: tl.constexpr(member.value) for member in Space})
BITS, MASK = tl.constexpr(SPACE_BITS), tl.constexpr(SPACE_MASK)
MODE_FIRST, MODE_SECOND = tl.constexpr(FIRST_IS_NUMBER), tl.constexpr(SECOND_IS_NUMBER)


@triton.jit
def _elementwise(operation, x, y, z):
    """The result of an elementwise operation; frequent operations come first."""
    if operation == op.MULTIPLY:
        result = x * y
    elif operation == op.ADD:
        result = x + y
    elif operation == op.DIVIDE:
        result = divide(x, y)
    elif operation == op.SUBTRACT or operation == op.UPDATE:
        result = x - y
    elif operation == op.ABS:
        result = tl.abs(x)
    elif operation == op.SQRT:
        result = sqrt(x)
    elif operation == op.COPY:
        result = x
    elif operation == op.POWER:
        result = on.power(x, y)
    elif operation == op.MAXIMUM:
        result = on.maximum(x, y)
    elif operation == op.MINIMUM:
        result = on.minimum(x, y)
    elif operation == op.REMAINDER:
        result = remainder(x, y)
    elif operation == op.GREATER:
        result = on.greater(x, y)
    elif operation == op.NEGATIVE:
        result = x * -1.0
    elif operation == op.SIGN:
        result = on.sign(x)
    elif operation == op.RECIPROCAL:
        result = reciprocal(x)
    elif operation == op.EXP:
        result = on.exp(x)
    elif operation == op.EXP2:
        result = on.exp2(x)
    elif operation == op.EXPM1:
        result = on.expm1(x)
    elif operation == op.LOG:
        result = on.log(x)
    elif operation == op.LOG2:
        result = on.log2(x)
    elif operation == op.LOG10:
        result = on.log10(x)
    elif operation == op.SIN:
        result = on.sin(x)
    elif operation == op.COS:
        result = on.cos(x)
    elif operation == op.TAN:
        result = on.tan(x)
    elif operation == op.ARCSIN:
        result = on.arcsin(x)
    elif operation == op.ARCCOS:
        result = on.arccos(x)
    elif operation == op.ARCTAN:
        result = on.arctan(x)
    elif operation == op.SINH:
        result = on.sinh(x)
    elif operation == op.COSH:
        result = on.cosh(x)
    elif operation == op.TANH:
        result = on.tanh(x)
    elif operation == op.ARCSINH:
        result = on.arcsinh(x)
    elif operation == op.ARCCOSH:
        result = on.arccosh(x)
    elif operation == op.ARCTANH:
        result = on.arctanh(x)
    else:
        result = on.where(x, y, z)
    return result


@triton.jit
def _address(operand, register, parameter, gradient, tree, number, leaf):
    """The place of an operand in memory, given the start of each space."""
    space = operand & MASK
    base = number
    base = tl.where(space == at.REGISTER, register, base)
    base = tl.where(space == at.PARAMETER, parameter, base)
    base = tl.where(space == at.GRADIENT, gradient, base)
    base = tl.where(space == at.TREE, tree, base)
    base = tl.where(space == at.LEAF_NUMBER, number + leaf, base)
    return base + (operand >> BITS)


@triton.jit
def _largest(x, inside):
    """The largest of the numbers where `inside` is True, or NaN if any of them is NaN."""
    most = tl.max(tl.where(inside, x, -INFINITY), 0)
    return tl.where(tl.sum((inside & (x != x)).to(tl.int32), 0) > 0, INFINITY - INFINITY, most)


@triton.jit
def _execute(memory, sums, line, register, parameter, gradient, tree, number, leaf, n, SIZE: tl.constexpr):
    """Runs an instruction over `n` numbers. Every load and store has the same layout, one number per lane."""
    lane = tl.arange(0, SIZE)
    inside = lane < n
    operation, mode, written = tl.load(line), tl.load(line + 1), tl.load(line + 3)
    target = _address(written, register, parameter, gradient, tree, number, leaf)
    first = _address(tl.load(line + 4), register, parameter, gradient, tree, number, leaf)
    second = _address(tl.load(line + 5), register, parameter, gradient, tree, number, leaf)
    step_first = 1 - (mode & MODE_FIRST)
    step_second = 1 - (mode & MODE_SECOND) // MODE_SECOND
    # The first operand of an update is its target.
    updates = operation == op.UPDATE
    second, step_second = tl.where(updates, first, second), tl.where(updates, step_first, step_second)
    first, step_first = tl.where(updates, target, first), tl.where(updates, 1, step_first)
    slot = (written >> BITS) + tl.where(written & MASK == at.LEAF_NUMBER, leaf, 0)
    if operation == op.SUM or operation == op.AMAX:
        elements = tl.load(memory + first + lane, mask=inside, other=0.0).to(tl.float64)
        before = tl.load(sums + slot)
        if operation == op.SUM:
            tl.store(sums + slot, before + tl.sum(elements, 0))
        else:
            tl.store(sums + slot, on.maximum(before, _largest(elements, inside)))
    elif operation == op.BEGIN_SUM or operation == op.BEGIN_AMAX:
        begin = tl.where(operation == op.BEGIN_SUM, 0.0, -INFINITY).to(tl.float64)
        tl.store(sums + slot + lane, tl.zeros([SIZE], tl.float64) + begin, mask=inside)
    elif operation == op.FINISH:
        total = tl.load(sums + (tl.load(line + 4) >> BITS) + lane, mask=inside, other=0.0)
        tl.store(memory + target + lane, total.to(tl.float32), mask=inside)
    elif operation == op.SUM_LEAVES or operation == op.AMAX_LEAVES:
        numbers = tl.load(memory + first + lane, mask=inside, other=0.0).to(tl.float64)
        reduced = tl.where(operation == op.SUM_LEAVES, tl.sum(numbers, 0), _largest(numbers, inside))
        tl.store(memory + target, reduced.to(tl.float32))
    else:
        x = tl.load(memory + first + lane * step_first, mask=inside, other=0.0)
        y = tl.load(memory + second + lane * step_second, mask=inside, other=0.0)
        z = x
        if operation == op.WHERE:
            third = _address(tl.load(line + 6), register, parameter, gradient, tree, number, leaf)
            z = tl.load(memory + third + lane, mask=inside, other=0.0)
        tl.store(memory + target + lane, _elementwise(operation, x, y, z), mask=inside)
    # Any lane may read what another lane has written.
    tl.debug_barrier()


@triton.jit(do_not_specialize=["count", "whole_count", "leaf_count", "scratch", "sum_count", "leaves", "rates"])
def _run_rows(
    memory,
    code,
    sections,
    rows,
    count,
    whole,
    whole_count,
    by_leaf,
    leaf_count,
    sums,
    sum_count,
    scratch,
    leaves,
    lr,
    rates,
    step,
    SIZE: tl.constexpr,
):
    """Like `interpreter.run_rows`; each instance has its own `scratch` numbers for registers and `sum_count` sums, and
    `rates` is the length of `lr`."""
    instance = tl.program_id(0)
    own_sums = sums + instance * sum_count
    for row in range(instance, count, tl.num_programs(0)):
        info = rows + row * 9
        register = tl.load(info + 3) + instance.to(tl.int64) * scratch
        parameter, gradient = tl.load(info + 4), tl.load(info + 5)
        tree, number = tl.load(info + 6), tl.load(info + 7)
        tl.store(memory + number, tl.load(lr + tl.minimum(row, rates - 1)))
        tl.store(memory + number + 1, tl.load(step))
        tl.debug_barrier()
        chunks = tl.where(tl.load(info + 2) != 0, by_leaf, whole)
        chunk_count = tl.where(tl.load(info + 2) != 0, leaf_count, whole_count)
        for section in range(tl.load(info), tl.load(info + 1)):
            begin, end = tl.load(sections + section * 3), tl.load(sections + section * 3 + 1)
            over_elements = tl.load(sections + section * 3 + 2) != 0
            for chunk in range(tl.where(over_elements, chunk_count, 1)):
                place = chunks + chunk * 3
                start = tl.where(over_elements, tl.load(place), 0)
                leaf = tl.where(over_elements, tl.load(place + 2), 0)
                for i in range(begin, end):
                    line = code + i * 7
                    few = tl.where(tl.load(line + 2) == 1, leaves, 1)
                    n = tl.where(over_elements, tl.load(place + 1), few)
                    _execute(
                        *(memory, own_sums, line, register, parameter + start, gradient + start, tree + start),
                        *(number, leaf, n, SIZE),
                    )


def run_rows(
    memory: Tensor, tables: Sequence[Tensor], sums: Tensor, registers: int, leaves: int, lr: Tensor, step: Tensor
) -> None:
    """Runs a step of every row's program, on the device of `memory`; the arguments are those of `run_rows.run_rows`.

    Nothing that changes between steps is an argument of the kernel by value, so that a launch can be captured.
    """
    code, sections, rows, whole, by_leaf = tables
    _run_rows[(len(sums),)](
        *(memory, code, sections, rows, len(rows), whole, len(whole), by_leaf, len(by_leaf)),
        *(sums, sums.shape[1], registers, leaves, lr, len(lr), step),
        SIZE=CHUNK,
        num_warps=WARPS,
        enable_fp_fusion=False,
    )
