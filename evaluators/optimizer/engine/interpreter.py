"""The bytecode interpreter for a CPU, compiled by Numba to vector instructions.

Elementary functions are computed in double precision from their series and rounded once: the result is nearly always
the float32 nearest to the exact value, for every argument, on every machine. They are written out here because a call
of the C library per element would prevent vectorization. All compiled code is in this file, since the compiler's cache
on disk notices changes of this file only; constants from other files are part of the key of the cache.
"""

import math
from typing import Any
from zlib import crc32

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

from germline.evaluators.optimizer.engine.bytecode import (
    FIRST_IS_NUMBER,
    SECOND_IS_NUMBER,
    SPACE_BITS,
    SPACE_MASK,
    Op,
    Space,
)
from germline.programs.compiling import compiled

OPTIONS: dict[str, Any] = {"error_model": "numpy", "boundscheck": False}
LOOP = {**OPTIONS, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
"""Options of functions that only compiled code calls."""
INLINE = {**LOOP, "forceinline": True}
"""Options of functions that loops call: a loop with a call that is not inlined is not vectorized."""

ROUND = 1.5 * 2.0**52
"""Adding this to a double and subtracting it again rounds the double to a whole number."""
LN2, LOG2_E, LOG10_E = math.log(2), 1 / math.log(2), 1 / math.log(10)
PI = math.pi
# pi / 2 in three parts: products of the first two with a whole number below 2**20 are exact.
HALF_PI_1 = float.fromhex("0x1.921fb544p+0")
HALF_PI_2 = float.fromhex("0x1.0b4611a6p-34")
HALF_PI_3 = float.fromhex("0x1.3198a2e037073p-69")
ROOT_HALF = 0x3FE6A09E667F3BCD
"""The bits of the square root of 1/2."""
FAR = 1e6
"""Arguments beyond this need more digits of pi: the C library computes them."""


# Building blocks of the elementary functions. `cuda.py` has its own for a GPU.

double, single, fabs, root, with_sign = np.float64, np.float32, abs, math.sqrt, math.copysign
INF = math.inf
"""These functions write NaN as `INF - INF`, since a NaN constant would not equal itself when constants are compared."""
EVEN = 2.0**24
"""Every float32 from here on is an even number."""


@intrinsic  # type: ignore[untyped-decorator]
def bits(typing_context: Any, x: Any) -> Any:
    """The bits of a double as an integer."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], context.get_value_type(types.int64))

    return types.int64(types.float64), generate


@intrinsic  # type: ignore[untyped-decorator]
def from_bits(typing_context: Any, x: Any) -> Any:
    """The double with these bits."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], context.get_value_type(types.float64))

    return types.float64(types.int64), generate


@intrinsic  # type: ignore[untyped-decorator]
def choose(typing_context: Any, condition: Any, x: Any, y: Any) -> Any:
    """`x if condition else y` without a branch: a loop with a branch is not vectorized."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(args[0], args[1], args[2])

    return x(types.boolean, x, x), generate


# Elementary functions of doubles


@njit(**INLINE)
def _expm1_parts(y):
    """2**n and exp(r) - 1, where y = n * ln 2 + r and |r| <= ln 2 / 2."""
    y = choose(y > 700.0, 700.0, y)
    y = choose(y < -700.0, -700.0, y)
    shifted = y * LOG2_E + ROUND
    n = shifted - ROUND
    r = y - n * LN2
    p = 1 / 3628800 + r * (1 / 39916800)
    p = 1 / 40320 + r * (1 / 362880 + r * p)
    p = 1 / 720 + r * (1 / 5040 + r * p)
    p = 1 / 24 + r * (1 / 120 + r * p)
    p = r + r * r * (1 / 2 + r * (1 / 6 + r * p))
    return from_bits((bits(shifted) + 1023) << 52), p


@njit(**INLINE)
def _exp(y):
    scale, p = _expm1_parts(y)
    return scale + scale * p


@njit(**INLINE)
def _expm1(y):
    scale, p = _expm1_parts(y)
    return scale * p + (scale - 1.0)


@njit(**INLINE)
def _log(y):
    """The natural logarithm of a normal double, of 0 and of infinity; NaN for negative numbers."""
    word = bits(y)
    # With this exponent the fraction lies between the square roots of 1/2 and of 2.
    exponent = (word - ROOT_HALF) >> 52
    fraction = from_bits(word - (exponent << 52))
    s = (fraction - 1.0) / (fraction + 1.0)
    z = s * s
    p = 1 / 13 + z * (1 / 15 + z * (1 / 17 + z * (1 / 19)))
    p = 1 / 7 + z * (1 / 9 + z * (1 / 11 + z * p))
    result = double(exponent) * LN2 + 2.0 * (s + s * z * (1 / 3 + z * (1 / 5 + z * p)))
    result = choose(y > 1.7e308, y, result)
    result = choose(y == 0.0, -INF, result)
    return choose((y < 0.0) | (y != y), INF - INF, result)


@njit(**INLINE)
def _quadrant(y):
    """k modulo 4 and r, where y = k * pi / 2 + r and |r| <= pi / 4."""
    shifted = y * (2 / PI) + ROUND
    k = shifted - ROUND
    r = ((y - k * HALF_PI_1) - k * HALF_PI_2) - k * HALF_PI_3
    # For large arguments the parts of pi have too few digits; the rest must stay small.
    return bits(shifted) & 3, choose(fabs(r) > 1.0, y - y, r)


@njit(**INLINE)
def _sine(r):
    z = r * r
    p = 1 / 362880 - z * (1 / 39916800 - z * (1 / 6227020800))
    return r * (1.0 - z * (1 / 6 - z * (1 / 120 - z * (1 / 5040 - z * p))))


@njit(**INLINE)
def _cosine(r):
    z = r * r
    p = 1 / 40320 - z * (1 / 3628800 - z * (1 / 479001600))
    return 1.0 - z * (1 / 2 - z * (1 / 24 - z * (1 / 720 - z * p)))


@njit(**INLINE)
def _atan(y):
    """The arctangent: two reductions to an argument below tan(pi / 8), then the series."""
    size = fabs(y)
    inverted = size > 1.0
    t = choose(inverted, 1.0 / size, size)
    turned = t > 0.41421356237309503
    t = choose(turned, (t - 1.0) / (t + 1.0), t)
    z = t * t
    p = 1 / 21 - z * (1 / 23 - z * (1 / 25 - z * (1 / 27)))
    p = 1 / 13 - z * (1 / 15 - z * (1 / 17 - z * (1 / 19 - z * p)))
    p = 1 / 5 - z * (1 / 7 - z * (1 / 9 - z * (1 / 11 - z * p)))
    angle = t - t * z * (1 / 3 - z * p)
    angle = choose(turned, angle + PI / 4, angle)
    angle = choose(inverted, PI / 2 - angle, angle)
    return with_sign(angle, y)


# The micro-operations on float32


@njit(**INLINE)
def negative(x):
    return -x


@njit(**INLINE)
def absolute(x):
    return fabs(x)


@njit(**INLINE)
def sign(x):
    return single(x > 0.0) - single(x < 0.0)


@njit(**INLINE)
def exp(x):
    return single(_exp(double(x)))


@njit(**INLINE)
def exp2(x):
    return single(_exp(double(x) * LN2))


@njit(**INLINE)
def expm1(x):
    return single(with_sign(_expm1(double(x)), double(x)))


@njit(**INLINE)
def log(x):
    return single(_log(double(x)))


@njit(**INLINE)
def log2(x):
    return single(_log(double(x)) * LOG2_E)


@njit(**INLINE)
def log10(x):
    return single(_log(double(x)) * LOG10_E)


@njit(**INLINE)
def sin(x):
    k, r = _quadrant(double(x))
    y = choose(k & 1 == 1, _cosine(r), _sine(r))
    return single(choose(k & 2 == 2, -y, y))


@njit(**INLINE)
def cos(x):
    k, r = _quadrant(double(x))
    y = choose(k & 1 == 1, _sine(r), _cosine(r))
    return single(choose((k + 1) & 2 == 2, -y, y))


@njit(**INLINE)
def tan(x):
    k, r = _quadrant(double(x))
    s, c = _sine(r), _cosine(r)
    return single(choose(k & 1 == 1, -c / s, s / c))


@njit(**INLINE)
def arcsin(x):
    y = double(x)
    return single(_atan(y / root((1.0 - y) * (1.0 + y))))


@njit(**INLINE)
def arccos(x):
    y = double(x)
    return single(2.0 * _atan(root((1.0 - y) / (1.0 + y))))


@njit(**INLINE)
def arctan(x):
    return single(_atan(double(x)))


@njit(**INLINE)
def sinh(x):
    y = double(x)
    u = _expm1(fabs(y))
    return single(with_sign(0.5 * (u + u / (u + 1.0)), y))


@njit(**INLINE)
def cosh(x):
    e = _exp(fabs(double(x)))
    return single(0.5 * (e + 1.0 / e))


@njit(**INLINE)
def tanh(x):
    y = double(x)
    u = _expm1(2.0 * choose(fabs(y) > 20.0, 20.0, fabs(y)))
    return single(with_sign(u / (u + 2.0), y))


@njit(**INLINE)
def arcsinh(x):
    y = fabs(double(x))
    z = y * y
    near = y - y * z * (1 / 6 - z * (3 / 40 - z * (15 / 336)))
    far = _log(y + root(z + 1.0))
    return single(with_sign(choose(y < 0.01, near, far), double(x)))


@njit(**INLINE)
def arccosh(x):
    y = double(x)
    return single(choose(y < 1.0, INF - INF, _log(y + root((y - 1.0) * (y + 1.0)))))


@njit(**INLINE)
def arctanh(x):
    y = double(x)
    z = y * y
    near = y + y * z * (1 / 3 + z * (1 / 5 + z * (1 / 7)))
    far = 0.5 * _log((1.0 + y) / (1.0 - y))
    return single(choose(fabs(y) < 0.01, near, far))


@njit(**INLINE)
def add(x, y):
    return x + y


@njit(**INLINE)
def subtract(x, y):
    return x - y


@njit(**INLINE)
def multiply(x, y):
    return x * y


@njit(**INLINE)
def power(x, y):
    a, b = double(x), double(y)
    size, half = fabs(a), 0.5 * b
    result = _exp(b * _log(size))
    far = fabs(b) >= EVEN
    whole = far | ((b + ROUND) - ROUND == b)
    odd = (fabs(b) < EVEN) & ((b + ROUND) - ROUND == b) & ((half + ROUND) - ROUND != half)
    result = choose(odd, with_sign(result, a), result)
    result = choose((a < 0.0) & (size < INF), choose(whole, result, INF - INF), result)
    result = choose((size == 1.0) & (fabs(b) == INF), 1.0, result)
    return single(choose((b == 0.0) | (a == 1.0), 1.0, result))


@njit(**INLINE)
def maximum(x, y):
    return choose((x > y) | (x != x), x, y)


@njit(**INLINE)
def minimum(x, y):
    return choose((x < y) | (x != x), x, y)


@njit(**INLINE)
def greater(x, y):
    return single(x > y)


@njit(**INLINE)
def where(condition, x, y):
    return choose(condition > 0.0, x, y)


# Four operations that `cuda.py` implements in its own way.


@njit(**INLINE)
def sqrt(x):
    return math.sqrt(x)


@njit(**INLINE)
def reciprocal(x):
    return single(1.0) / x


@njit(**INLINE)
def divide(x, y):
    return x / y


@njit(**INLINE)
def remainder(x, y):
    """The remainder with the sign of the divisor, or a zero with the sign of the dividend, as in torch."""
    rest = np.fmod(x, y)
    return rest + y if (rest != 0.0) and ((rest < 0.0) != (y < 0.0)) else rest


# Loops over operands in memory. Places and counts are unsigned: Numba then omits the test for negative indices, which
# would prevent vectorization.


def _named(run: Any, function: Any) -> Any:
    """Compiles the loop `run` under a name of its own; the cache on disk would confuse loops of the same name."""
    run.__name__ = run.__qualname__ = f"each_{function.py_func.__name__}"
    return njit(**LOOP)(run)


def _unary(function: Any) -> Any:
    """A loop over an operation with one operand."""

    def run(memory, target, first, n):
        for i in range(n):
            memory[target + i] = function(memory[first + i])

    return _named(run, function)


def _circular(function: Any, exact: Any) -> Any:
    """A loop over a function of angles; beyond `FAR` it calls the C library's `exact`, which is not vectorized."""

    def run(memory, target, first, n):
        far = False
        for i in range(n):
            far |= abs(memory[first + i]) > FAR
        if not far:
            for i in range(n):
                memory[target + i] = function(memory[first + i])
        else:
            for i in range(n):
                memory[target + i] = exact(double(memory[first + i]))

    return _named(run, function)


def _binary(function: Any) -> Any:
    """A loop over an operation with two operands, either of which may be a single number."""

    def run(memory, mode, target, first, second, n):
        if mode == 0:
            for i in range(n):
                memory[target + i] = function(memory[first + i], memory[second + i])
        elif mode == FIRST_IS_NUMBER:
            number = memory[first]
            for i in range(n):
                memory[target + i] = function(number, memory[second + i])
        else:
            number = memory[second]
            for i in range(n):
                memory[target + i] = function(memory[first + i], number)

    return _named(run, function)


@njit(**LOOP)
def _exact_sin(y):
    return math.sin(y)


@njit(**LOOP)
def _exact_cos(y):
    return math.cos(y)


@njit(**LOOP)
def _exact_tan(y):
    return math.tan(y)


@njit(**LOOP)
def _where(memory, target, first, second, third, n):
    for i in range(n):
        memory[target + i] = where(memory[first + i], memory[second + i], memory[third + i])


@njit(**LOOP)
def _copy(memory, mode, target, first, n):
    if mode == FIRST_IS_NUMBER:
        number = memory[first]
        for i in range(n):
            memory[target + i] = number
    else:
        for i in range(n):
            memory[target + i] = memory[first + i]


@njit(**LOOP)
def _update(memory, mode, target, first, n):
    if mode == FIRST_IS_NUMBER:
        number = memory[first]
        for i in range(n):
            memory[target + i] -= number
    else:
        for i in range(n):
            memory[target + i] -= memory[first + i]


@njit(fastmath={"reassoc"}, **LOOP)
def _sum(memory, first, n):
    """The sum, in double precision, of the `n` float32 numbers of `memory` from index `first` on.

    The compiler may reorder the additions; the difference vanishes when the result is rounded to float32.
    """
    total = 0.0
    for i in range(n):
        total += double(memory[first + i])
    return total


@njit(**LOOP)
def _amax(memory, first, n, most):
    for i in range(n):
        most = maximum(double(memory[first + i]), most)
    return most


each_negative, each_abs, each_sign, each_sqrt = _unary(negative), _unary(absolute), _unary(sign), _unary(sqrt)
each_reciprocal, each_exp, each_exp2, each_expm1 = _unary(reciprocal), _unary(exp), _unary(exp2), _unary(expm1)
each_log, each_log2, each_log10 = _unary(log), _unary(log2), _unary(log10)
each_sin, each_cos = _circular(sin, _exact_sin), _circular(cos, _exact_cos)
each_tan = _circular(tan, _exact_tan)
each_arcsin, each_arccos, each_arctan = _unary(arcsin), _unary(arccos), _unary(arctan)
each_sinh, each_cosh, each_tanh = _unary(sinh), _unary(cosh), _unary(tanh)
each_arcsinh, each_arccosh, each_arctanh = _unary(arcsinh), _unary(arccosh), _unary(arctanh)
each_add, each_subtract, each_multiply = _binary(add), _binary(subtract), _binary(multiply)
each_divide, each_power, each_maximum = _binary(divide), _binary(power), _binary(maximum)
each_minimum, each_remainder, each_greater = _binary(minimum), _binary(remainder), _binary(greater)


@njit(**LOOP)
def _execute(memory, sums, code, line, at, leaf, n):
    """Runs instruction `line` of `code` on `n` numbers: a chunk of elements, one number, or a number per leaf.

    Args:
        memory: float32, the memory of all rows.
        sums: float64, the running sums of the row.
        code: int64 `[instructions, 7]`.
        line: index of the instruction.
        at: int64 `[6]`, where each `Space` begins in `memory`, for this chunk.
        leaf: leaf of the chunk, 0 if chunks are not by leaf; a reduction per leaf adds to the sum of this leaf.
        n: how many numbers.
    """
    operation, mode = code[line, 0], code[line, 1]
    target = np.uint64(at[code[line, 3] & SPACE_MASK] + (code[line, 3] >> SPACE_BITS))
    first = np.uint64(at[code[line, 4] & SPACE_MASK] + (code[line, 4] >> SPACE_BITS))
    second = np.uint64(at[code[line, 5] & SPACE_MASK] + (code[line, 5] >> SPACE_BITS))
    if operation == Op.ADD:
        each_add(memory, mode, target, first, second, n)
    elif operation == Op.MULTIPLY:
        each_multiply(memory, mode, target, first, second, n)
    elif operation == Op.SUBTRACT:
        each_subtract(memory, mode, target, first, second, n)
    elif operation == Op.DIVIDE:
        each_divide(memory, mode, target, first, second, n)
    elif operation == Op.POWER:
        each_power(memory, mode, target, first, second, n)
    elif operation == Op.MAXIMUM:
        each_maximum(memory, mode, target, first, second, n)
    elif operation == Op.MINIMUM:
        each_minimum(memory, mode, target, first, second, n)
    elif operation == Op.REMAINDER:
        each_remainder(memory, mode, target, first, second, n)
    elif operation == Op.GREATER:
        each_greater(memory, mode, target, first, second, n)
    elif operation == Op.NEGATIVE:
        each_negative(memory, target, first, n)
    elif operation == Op.ABS:
        each_abs(memory, target, first, n)
    elif operation == Op.SIGN:
        each_sign(memory, target, first, n)
    elif operation == Op.SQRT:
        each_sqrt(memory, target, first, n)
    elif operation == Op.RECIPROCAL:
        each_reciprocal(memory, target, first, n)
    elif operation == Op.EXP:
        each_exp(memory, target, first, n)
    elif operation == Op.EXP2:
        each_exp2(memory, target, first, n)
    elif operation == Op.EXPM1:
        each_expm1(memory, target, first, n)
    elif operation == Op.LOG:
        each_log(memory, target, first, n)
    elif operation == Op.LOG2:
        each_log2(memory, target, first, n)
    elif operation == Op.LOG10:
        each_log10(memory, target, first, n)
    elif operation == Op.SIN:
        each_sin(memory, target, first, n)
    elif operation == Op.COS:
        each_cos(memory, target, first, n)
    elif operation == Op.TAN:
        each_tan(memory, target, first, n)
    elif operation == Op.ARCSIN:
        each_arcsin(memory, target, first, n)
    elif operation == Op.ARCCOS:
        each_arccos(memory, target, first, n)
    elif operation == Op.ARCTAN:
        each_arctan(memory, target, first, n)
    elif operation == Op.SINH:
        each_sinh(memory, target, first, n)
    elif operation == Op.COSH:
        each_cosh(memory, target, first, n)
    elif operation == Op.TANH:
        each_tanh(memory, target, first, n)
    elif operation == Op.ARCSINH:
        each_arcsinh(memory, target, first, n)
    elif operation == Op.ARCCOSH:
        each_arccosh(memory, target, first, n)
    elif operation == Op.ARCTANH:
        each_arctanh(memory, target, first, n)
    elif operation == Op.WHERE:
        third = np.uint64(at[code[line, 6] & SPACE_MASK] + (code[line, 6] >> SPACE_BITS))
        _where(memory, target, first, second, third, n)
    elif operation == Op.COPY:
        _copy(memory, mode, target, first, n)
    elif operation == Op.UPDATE:
        _update(memory, mode, target, first, n)
    else:
        _reduce(memory, sums, code, line, target, first, leaf, n)


@njit(**LOOP)
def _reduce(memory, sums, code, line, target, first, leaf, n):
    """Runs an instruction that begins, adds to or finishes a reduction, see `Op`. Arguments are those of `_execute`;
    `target` and `first` are indices in `memory`."""
    operation, slot = code[line, 0], code[line, 3] >> SPACE_BITS
    if operation == Op.SUM or operation == Op.AMAX:
        slot += leaf if code[line, 3] & SPACE_MASK == Space.LEAF_NUMBER else 0
        if operation == Op.SUM:
            sums[slot] += _sum(memory, first, n)
        else:
            sums[slot] = _amax(memory, first, n, sums[slot])
    elif operation == Op.BEGIN_SUM or operation == Op.BEGIN_AMAX:
        for i in range(n):
            sums[np.uint64(slot) + i] = 0.0 if operation == Op.BEGIN_SUM else -np.inf
    elif operation == Op.FINISH:
        slot = code[line, 4] >> SPACE_BITS
        for i in range(n):
            memory[target + i] = sums[np.uint64(slot) + i]
    elif operation == Op.SUM_LEAVES:
        memory[target] = _sum(memory, first, n)
    else:
        memory[target] = _amax(memory, first, n, -np.inf)


def _declared(numbering: int) -> Any:
    """`run_rows`, compiled once per installation, or once per process if the cache cannot be written.

    The values of `Op` and `Space` are constants in the compiled code. `numbering` is their checksum: as a variable that
    `run_rows` closes over, and reads, it belongs to the key of the cache, so that other values never find this code.
    """

    def run_rows(memory, code, sections, rows, whole, by_leaf, sums, leaves, lr, step):
        """Runs a step of every row's program.

        Args:
            memory: float32, the memory of all rows.
            code: int64 `[instructions, 7]`, the code of all rows.
            sections: int32 `[sections, 3]`: first and last (exclusive) instruction, and whether it runs over elements.
            rows: int64 `[rows, 9]`: first and last (exclusive) section, whether chunks are by leaf, and where in
                `memory` each `Space` begins.
            whole, by_leaf: int32 `[chunks, 3]`: first element, size and leaf of each chunk.
            sums: float64, the running sums of a row.
            leaves: number of leaves of the model.
            lr: float32 `[rows]`, an input of the programs, or `[1]` for all of them.
            step: float32 `[1]`, an input of all programs.
        """
        if not numbering:
            return
        at = np.empty(6, np.int64)
        for row in range(len(rows)):
            chunks = by_leaf if rows[row, 2] else whole
            for n in range(6):  # slices take 2 seconds to compile, for their error message
                at[n] = rows[row, 3 + n]
            memory[at[Space.NUMBER]] = lr[min(row, len(lr) - 1)]
            memory[at[Space.NUMBER] + 1] = step[0]
            for section in range(rows[row, 0], rows[row, 1]):
                begin, end = sections[section, 0], sections[section, 1]
                if sections[section, 2]:
                    for chunk in range(len(chunks)):
                        start, n, leaf = chunks[chunk, 0], np.uint64(chunks[chunk, 1]), chunks[chunk, 2]
                        at[Space.PARAMETER] = rows[row, 3 + Space.PARAMETER] + start
                        at[Space.GRADIENT] = rows[row, 3 + Space.GRADIENT] + start
                        at[Space.LEAF_NUMBER] = rows[row, 3 + Space.NUMBER] + leaf
                        at[Space.TREE] = rows[row, 3 + Space.TREE] + start
                        for i in range(begin, end):
                            _execute(memory, sums, code, i, at, leaf, n)
                else:
                    for i in range(begin, end):
                        _execute(memory, sums, code, i, at, 0, np.uint64(leaves if code[i, 2] == 1 else 1))

    return compiled(nogil=True, **OPTIONS)(run_rows)


_NUMBERS = [*((member.name, int(member)) for member in (*Op, *Space)), SPACE_BITS, FIRST_IS_NUMBER, SECOND_IS_NUMBER]
run_rows = _declared(crc32(repr(_NUMBERS).encode()) | 1)
