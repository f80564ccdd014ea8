"""The compiled kernels: the forward pass of a tape in one call, and the backward pass in another.

Maps are `[channels, positions, batch]`: the images of a batch lie side by side, so that a window, a stride or a pool
never interrupts a vector, and maps joined by channels are adjacent in memory. docs/compiled_networks.md says why.

Recurring names: `i` is an instruction, with a number for each of `FIELDS`; `x` the maps of the network and `g` their
gradients; `w` and `dw` the weights and their gradients; `tables` the window tables (`Table` in `tape.py`); `batch` the
number of images; `rectified`, `lower`, `places` and `row` scratch memory.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from germline.programs.compiling import compiled

# The numbers of an instruction. Places and sizes of maps are for a single image.
FIELDS = (
    "kind",
    "source",
    "target",
    "in_channels",
    "out_channels",
    "in_positions",
    "out_positions",
    "relu",
    "add",
    "forward_table",
    "backward_table",
    "taps",
    "weight",
    "statistics",
    "source_gradient",
    "target_gradient",
    "overwrites",
    "needs_gradient",
)
(
    KIND,
    SOURCE,
    TARGET,
    IN_CHANNELS,
    OUT_CHANNELS,
    IN_POSITIONS,
    OUT_POSITIONS,
    RELU,
    ADD,
    FORWARD_TABLE,
    BACKWARD_TABLE,
    TAPS,
    WEIGHT,
    STATISTICS,
    SOURCE_GRADIENT,
    TARGET_GRADIENT,
    OVERWRITES,
    NEEDS_GRADIENT,
) = range(len(FIELDS))
# Equal to `tape.LayerKind`; not imported, because the compiler's cache on disk notices changes of this file only.
DEPTHWISE, DENSE, NORM, MAX, AVERAGE, COPY, ZERO = range(7)

# The compiler may not reorder a sum or fuse operations by itself: it decides differently in a process that compiles and
# in one that reads the compiler's cache, and results would differ in their last bits.
OPTIONS = {"nogil": True, "error_model": "numpy", "fastmath": {"nsz"}}
f32 = np.float32
EPSILON, RUNNING_SHARE = f32(1e-5), f32(0.9)
"""Of batch norm: the number added to the variance, and the share of the old running statistics in the new ones."""
GAP = 1
"""Unused positions behind each channel of a map. Without them the channels would often lie a power of two apart, where
they evict each other from the cache."""
SHORTEST, MIDDLING, LONGEST = 64, 256, 512
"""Lengths of a chunk: of so many numbers of each row, which are processed at a time, so that the chunk stays in a
cache. A 1×1 convolution chooses between the first and the last (`_chunk`)."""
CACHED = 6144
"""How many numbers of a chunk, of all rows together, fit the first-level cache."""


# Sums over rows


def _operands(context, builder, signature, args):
    """Arguments of an intrinsic; of an array, the pointer to its numbers."""
    pairs = zip(signature.args, args, strict=True)
    return [
        make_array(numba_type)(context, builder, argument).data if isinstance(numba_type, types.Array) else argument
        for numba_type, argument in pairs
    ]


def _vector_at(builder, base, place, lanes):
    vector = ir.VectorType(ir.FloatType(), lanes)
    return builder.bitcast(builder.gep(base, [place]), vector.as_pointer())


def _times_and_add(builder, total, factor, other_factor):
    """Adds a product, fused if the processor can, to a sum in memory that the compiler keeps in a register."""
    product = builder.fmul(factor, other_factor, flags=("contract",))
    builder.store(builder.fadd(builder.load(total), product, flags=("contract",)), total)


def _weighing(outputs, vectors, lanes):
    """An intrinsic that adds weighted rows of x to `outputs` rows of `out`, `vectors` * `lanes` numbers of each.

    The sums stay in registers over all rows of x, which the compiler does not achieve from a loop.

    Args (of the intrinsic):
        out, first, apart: the first row of `out` begins at `first`; rows are `apart` numbers apart.
        x, places, offset: row k of x begins at `places[k] + offset`.
        weights, count: weights `[count, outputs]` of `count` rows of x.
    """

    @intrinsic
    def weigh(_, out, first, apart, x, places, offset, weights, count):
        def generate(context, builder, signature, args):
            vector, word = ir.VectorType(ir.FloatType(), lanes), ir.IntType(64)
            to, start, between, source, begins, shift, factors, rows = _operands(context, builder, signature, args)
            starts = [builder.add(start, builder.mul(between, word(m))) for m in range(outputs)]
            cells = [
                _vector_at(builder, to, builder.add(row_start, word(lanes * v)), lanes)
                for row_start in starts
                for v in range(vectors)
            ]
            sums = [cgutils.alloca_once_value(builder, builder.load(cell, align=4)) for cell in cells]
            with cgutils.for_range(builder, rows) as loop:
                begin = builder.add(builder.load(builder.gep(begins, [loop.index])), shift)
                inputs = [
                    builder.load(_vector_at(builder, source, builder.add(begin, word(lanes * v)), lanes), align=4)
                    for v in range(vectors)
                ]
                for m in range(outputs):
                    place = builder.add(builder.mul(loop.index, word(outputs)), word(m))
                    factor = builder.load(builder.gep(factors, [place]))
                    single = builder.insert_element(ir.Constant(vector, ir.Undefined), factor, word(0))
                    first_lane = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
                    spread = builder.shuffle_vector(single, single, first_lane)
                    for v in range(vectors):
                        _times_and_add(builder, sums[m * vectors + v], inputs[v], spread)
            for total, cell in zip(sums, cells, strict=True):
                builder.store(builder.load(total), cell, align=4)
            return context.get_dummy_value()

        integer = types.int64
        return types.void(out, integer, integer, x, places, integer, weights, integer), generate

    return weigh


def _correlating(outputs, rows, lanes):
    """An intrinsic that adds the scalar products of `outputs` rows of g with `rows` rows of x to `sums`.

    Args (of the intrinsic):
        sums, to, between: `[outputs, rows]`, begins at `to`; rows are `between` numbers apart.
        g, first, apart: the first row of g begins at `first`; rows are `apart` numbers apart.
        x, places, k: the rows of x begin at `places[k]`, `places[k + 1]`, …
        begin, end: the range of each row that counts, a multiple of `lanes` long.
    """

    @intrinsic
    def correlate(_, sums, to, between, g, first, apart, x, places, k, begin, end):
        def generate(context, builder, signature, args):
            vector, word = ir.VectorType(ir.FloatType(), lanes), ir.IntType(64)
            results, start, distance, upper, g_start, g_distance, source, begins, row, low, high = _operands(
                context, builder, signature, args
            )
            zero = ir.Constant(vector, [0.0] * lanes)
            totals = [cgutils.alloca_once_value(builder, zero) for _ in range(outputs * rows)]
            uppers = [builder.add(g_start, builder.mul(g_distance, word(m))) for m in range(outputs)]
            sources = [builder.load(builder.gep(begins, [builder.add(row, word(r))])) for r in range(rows)]
            with cgutils.for_range_slice(builder, low, high, word(lanes), inc=True) as (t, _):
                input_vectors = [
                    builder.load(_vector_at(builder, source, builder.add(row_start, t), lanes), align=4)
                    for row_start in sources
                ]
                for m, row_start in enumerate(uppers):
                    gradient = builder.load(_vector_at(builder, upper, builder.add(row_start, t), lanes), align=4)
                    for r in range(rows):
                        _times_and_add(builder, totals[m * rows + r], gradient, input_vectors[r])
            for m in range(outputs):
                for r in range(rows):
                    total, width = builder.load(totals[m * rows + r]), lanes
                    while width > 1:
                        width //= 2
                        half = [ir.Constant(ir.IntType(32), lane + width) for lane in range(width)]
                        high_lanes = ir.Constant(ir.VectorType(ir.IntType(32), width), half)
                        low_lanes = ir.Constant(ir.VectorType(ir.IntType(32), width), list(range(width)))
                        total = builder.fadd(
                            builder.shuffle_vector(total, total, low_lanes),
                            builder.shuffle_vector(total, total, high_lanes),
                        )
                    place = builder.add(builder.add(start, builder.mul(distance, word(m))), word(r))
                    cell = builder.gep(results, [place])
                    whole = builder.extract_element(total, ir.Constant(ir.IntType(32), 0))
                    builder.store(builder.fadd(builder.load(cell), whole), cell)
            return context.get_dummy_value()

        i = types.int64
        return types.void(sums, i, i, g, i, i, x, places, i, i, i), generate

    return correlate


def _adding(term):
    """An intrinsic that returns a sum over x and y, in an order that no compilation changes.

    Args:
        term: writes the instructions that add a term to a total, from a number of x, a number of y and `center`.

    Args (of the intrinsic):
        x, y: two rows of numbers.
        center: the number that `term` subtracts.
        count: number of terms, a multiple of `WIDE`.
    """

    @intrinsic
    def add_up(_, x, y, center, count):
        def generate(context, builder, signature, args):
            vector, word = ir.VectorType(ir.FloatType(), LANES), ir.IntType(64)
            x_data, y_data, middle, whole = _operands(context, builder, signature, args)
            single = builder.insert_element(ir.Constant(vector, ir.Undefined), middle, word(0))
            spread = builder.shuffle_vector(
                single, single, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
            )
            zero = ir.Constant(vector, [0.0] * LANES)
            totals = [cgutils.alloca_once_value(builder, zero) for _ in range(WIDE // LANES)]
            with cgutils.for_range_slice(builder, word(0), whole, word(WIDE), inc=True) as (t, _):
                for v, total in enumerate(totals):
                    place = builder.add(t, word(v * LANES))
                    a, b = (builder.load(_vector_at(builder, base, place, LANES), align=4) for base in (x_data, y_data))
                    term(builder, total, a, b, spread)
            sums = [builder.load(total) for total in totals]
            while len(sums) > 1:
                sums = [builder.fadd(a, b) for a, b in zip(sums[::2], sums[1::2], strict=True)]
            result = builder.extract_element(sums[0], ir.Constant(ir.IntType(32), 0))
            for lane in range(1, LANES):
                result = builder.fadd(result, builder.extract_element(sums[0], ir.Constant(ir.IntType(32), lane)))
            return result

        return types.float32(x, y, types.float32, types.int64), generate

    return add_up


def _plain(builder, total, a, b, center):
    builder.store(builder.fadd(builder.load(total), a), total)


def _squared(builder, total, a, b, center):
    distance = builder.fsub(a, center)
    _times_and_add(builder, total, distance, distance)


def _product(builder, total, a, b, center):
    _times_and_add(builder, total, a, builder.fsub(b, center))


LANES, WIDE = 8, 32
ADD_UP, ADD_UP_SQUARES, ADD_UP_PRODUCTS = _adding(_plain), _adding(_squared), _adding(_product)
WEIGH_FOUR, WEIGH_FOUR_SINGLY = _weighing(4, 2, LANES), _weighing(4, 1, 1)
WEIGH, WEIGH_SHORT, WEIGH_SINGLY = _weighing(1, 8, LANES), _weighing(1, 1, LANES), _weighing(1, 1, 1)
DOT_FOUR, DOT_FOUR_ONCE = _correlating(4, 2, LANES), _correlating(4, 1, LANES)
DOT, DOT_ONCE, DOT_SINGLY = _correlating(1, 8, LANES), _correlating(1, 1, LANES), _correlating(1, 1, 1)


@compiled(**OPTIONS)
def _weigh(out, first, length, x, places, weights, count):
    """Adds `count` rows of x, each times its weight, to `length` numbers of `out` from `first` on. Row k of x begins at
    `places[k]`."""
    done = 0
    while done + 8 * LANES <= length:
        WEIGH(out, first + done, 0, x, places, done, weights, count)
        done += 8 * LANES
    while done + LANES <= length:
        WEIGH_SHORT(out, first + done, 0, x, places, done, weights, count)
        done += LANES
    while done < length:
        WEIGH_SINGLY(out, first + done, 0, x, places, done, weights, count)
        done += 1


@compiled(**OPTIONS)
def _weigh_four(out, first, apart, length, x, places, weights, count):
    """`_weigh` for four rows of `out`, `apart` numbers apart, with weights `[count, 4]`."""
    done = 0
    while done + 2 * LANES <= length:
        WEIGH_FOUR(out, first + done, apart, x, places, done, weights, count)
        done += 2 * LANES
    while done < length:
        WEIGH_FOUR_SINGLY(out, first + done, apart, x, places, done, weights, count)
        done += 1


@compiled(**OPTIONS)
def _dot(sums, to, g, first, length, x, places, count):
    """Adds the scalar products of a row of g with `count` rows of x to `count` numbers of `sums` from `to` on. The row
    of g begins at `first`, row k of x at `places[k]`; `length` is that of each row."""
    whole = length // LANES * LANES
    k = 0
    while k + 8 <= count:
        DOT(sums, to + k, 0, g, first, 0, x, places, k, 0, whole)
        k += 8
    while k < count:
        DOT_ONCE(sums, to + k, 0, g, first, 0, x, places, k, 0, whole)
        k += 1
    if whole < length:
        for k in range(count):
            DOT_SINGLY(sums, to + k, 0, g, first, 0, x, places, k, whole, length)


@compiled(**OPTIONS)
def _dot_all(sums, to, between, g, first, apart, out_channels, length, x, places, count):
    """`_dot` for `out_channels` rows of g, `apart` numbers apart, into rows of `sums`, `between` numbers apart."""
    whole = length // LANES * LANES
    four = out_channels // 4 * 4
    for m in range(0, four, 4):
        k, target, source = 0, to + m * between, first + m * apart
        while k + 2 <= count:
            DOT_FOUR(sums, target + k, between, g, source, apart, x, places, k, 0, whole)
            k += 2
        if k < count:
            DOT_FOUR_ONCE(sums, target + k, between, g, source, apart, x, places, k, 0, whole)
        if whole < length:
            for k in range(count):
                for q in range(4):
                    at = source + q * apart
                    DOT_SINGLY(sums, target + q * between + k, 0, g, at, 0, x, places, k, whole, length)
    for m in range(four, out_channels):
        _dot(sums, to + m * between, g, first + m * apart, length, x, places, count)


@compiled(**OPTIONS)
def _sum(x):
    total = 0.0
    for first in range(0, len(x), 4096):
        part = x[first : first + 4096]
        whole = len(part) // WIDE * WIDE
        partial = ADD_UP(part, part, f32(0), whole)
        for t in range(whole, len(part)):
            partial += part[t]
        total += partial
    return total


@compiled(**OPTIONS)
def _squares(x, center):
    """The sum of the squares of x - `center`."""
    total = 0.0
    for first in range(0, len(x), 4096):
        part = x[first : first + 4096]
        whole = len(part) // WIDE * WIDE
        partial = ADD_UP_SQUARES(part, part, center, whole)
        for t in range(whole, len(part)):
            distance = part[t] - center
            partial += distance * distance
        total += partial
    return total


@compiled(**OPTIONS)
def _products(x, y, center):
    """Sum of the products of x with y - `center`."""
    total = 0.0
    for first in range(0, len(x), 4096):
        u, s = x[first : first + 4096], y[first : first + 4096]
        whole = len(u) // WIDE * WIDE
        part = ADD_UP_PRODUCTS(u, s, center, whole)
        for t in range(whole, len(u)):
            part += u[t] * (s[t] - center)
        total += part
    return total


@compiled(**OPTIONS)
def _rectify(out, x):
    for t in range(len(out)):
        value = x[t]
        # Not max(): NaN has to stay NaN.
        out[t] = f32(0) if value < f32(0) else value


@compiled(**OPTIONS)
def _pass_back(lower, x, upper, relu, overwrites):
    """Adds `upper` to the gradient `lower`, or overwrites it. With relu, `upper` counts as 0 unless x is positive."""
    if relu and overwrites:
        for t in range(len(lower)):
            lower[t] = upper[t] if x[t] > f32(0) else f32(0)
    elif relu:
        for t in range(len(lower)):
            lower[t] += upper[t] if x[t] > f32(0) else f32(0)
    elif overwrites:
        for t in range(len(lower)):
            lower[t] = upper[t]
    else:
        for t in range(len(lower)):
            lower[t] += upper[t]


@compiled(**OPTIONS)
def _clear(x):
    for t in range(len(x)):
        x[t] = f32(0)


# Convolutions over all channels


@compiled(**OPTIONS)
def _chunk(rows):
    return max(SHORTEST, min(LONGEST, CACHED // rows // 64 * 64))


@compiled(**OPTIONS)
def _multiply(
    out, out_channels, apart, x, in_channels, distance, w, by_output, by_tap, by_input, tables, at, batch, places, row
):
    """Adds the convolution of `in_channels` channels of x to `out_channels` channels of `out`.

    From one channel to the next there are `apart` numbers in `out` and `distance` in x. The weight of an output channel
    m, a tap k and an input channel c lies at `m * by_output + k * by_tap + c * by_input` of w. The table of the window
    begins at `tables[at]`. `places` and `row` are scratch arrays, which are overwritten.
    """
    for _ in range(tables[at]):
        pixel, pixels, taps = tables[at + 1], tables[at + 2], tables[at + 3]
        count, length = taps * in_channels, pixels * batch
        for begin in range(0, length, MIDDLING):
            size = min(MIDDLING, length - begin)
            for k in range(taps):
                first = tables[at + 5 + 2 * k] * batch + begin
                for c in range(in_channels):
                    places[k * in_channels + c] = first + c * distance
            for m in range(0, out_channels, 4):
                together = 4 if m + 4 <= out_channels else 1
                for output in range(m, min(m + 4, out_channels), together):
                    for k in range(taps):
                        for q in range(together):
                            first = (output + q) * by_output + tables[at + 4 + 2 * k] * by_tap
                            for c in range(in_channels):
                                row[(k * in_channels + c) * together + q] = w[first + c * by_input]
                    first = output * apart + pixel * batch + begin
                    if together == 4:
                        _weigh_four(out, first, apart, size, x, places, row, count)
                    else:
                        _weigh(out, first, size, x, places, row, count)
        at += 3 + 2 * taps


@compiled(**OPTIONS)
def _correlate(dw, g, out_channels, apart, x, in_channels, distance, tables, at, batch, places, row):
    """Adds to dw the gradients of weights, flat `[out_channels, taps, in_channels]`: the sums over positions and batch
    of g, the gradient of the output, times x, the input. From one channel to the next there are `apart` numbers in g
    and `distance` in x. The table of the window begins at `tables[at]`; `places` and `row` are overwritten."""
    window = len(dw) // out_channels
    for _ in range(tables[at]):
        pixel, pixels, taps = tables[at + 1], tables[at + 2], tables[at + 3]
        count, length = taps * in_channels, pixels * batch
        for begin in range(0, length, LONGEST):
            size = min(LONGEST, length - begin)
            for k in range(taps):
                first = tables[at + 5 + 2 * k] * batch + begin
                for c in range(in_channels):
                    places[k * in_channels + c] = first + c * distance
            for m in range(0, out_channels, 4):
                together, first = min(4, out_channels - m), m * apart + pixel * batch + begin
                _clear(row[: together * count])
                _dot_all(row, 0, count, g, first, apart, together, size, x, places, count)
                for q in range(together):
                    for k in range(taps):
                        weight = (m + q) * window + tables[at + 4 + 2 * k] * in_channels
                        for c in range(in_channels):
                            dw[weight + c] += row[q * count + k * in_channels + c]
        at += 3 + 2 * taps


@compiled(**OPTIONS)
def _arrange(panel, w, out_channels, in_channels, by_output, by_input):
    """Copies the weights of a 1×1 convolution into `panel`: `[in_channels, 4]` for each four output channels, as
    `_weigh_four` reads them, then `[in_channels]` for each of up to three last ones, as `_weigh` does. `by_output` and
    `by_input` are the strides of w."""
    for m in range(out_channels):
        group, q = m // 4 * 4, m % 4
        complete = group + 4 <= out_channels
        for c in range(in_channels):
            to = group * in_channels + 4 * c + q if complete else m * in_channels + c
            panel[to] = w[m * by_output + c * by_input]


@compiled(**OPTIONS)
def _multiply_chunk(out, first, out_channels, apart, size, x, places, panel, in_channels):
    """Adds the weighted sum of all input channels to a chunk of each output channel; weights are from `_arrange`."""
    for m in range(0, out_channels, 4):
        if m + 4 <= out_channels:
            _weigh_four(out, first + m * apart, apart, size, x, places, panel[m * in_channels :], in_channels)
        else:
            for last in range(m, out_channels):
                _weigh(out, first + last * apart, size, x, places, panel[last * in_channels :], in_channels)


@compiled(**OPTIONS)
def _pointwise(i, x, tables, w, batch, rectified, places, panel):
    """A 1×1 convolution, chunk by chunk: a chunk of all channels stays in the cache."""
    out_channels, in_channels = i[OUT_CHANNELS], i[IN_CHANNELS]
    in_size, out_size = (i[IN_POSITIONS] + GAP) * batch, (i[OUT_POSITIONS] + GAP) * batch
    source = x[i[SOURCE] * batch : i[SOURCE] * batch + in_channels * in_size]
    out = x[i[TARGET] * batch : i[TARGET] * batch + out_channels * out_size]
    _arrange(panel, w[i[WEIGHT] :], out_channels, in_channels, in_channels, 1)
    chunk = min(_chunk(in_channels + out_channels), out_size - GAP * batch)
    at = i[FORWARD_TABLE]
    for _ in range(tables[at]):
        pixel, pixels, taps = tables[at + 1], tables[at + 2], tables[at + 3]
        for begin in range(0, pixels * batch, chunk):
            size, first = min(chunk, pixels * batch - begin), pixel * batch + begin
            if not i[ADD]:
                for m in range(out_channels):
                    _clear(out[first + m * out_size : first + m * out_size + size])
            if taps:
                entry = tables[at + 5] * batch + begin
                inputs = rectified if i[RELU] else source
                for c in range(in_channels):
                    places[c] = c * chunk if i[RELU] else entry + c * in_size
                    if i[RELU]:
                        channel = source[entry + c * in_size : entry + c * in_size + size]
                        _rectify(rectified[c * chunk : c * chunk + size], channel)
                _multiply_chunk(out, first, out_channels, out_size, size, inputs, places, panel, in_channels)
        at += 3 + 2 * taps


@compiled(**OPTIONS)
def _pointwise_back(i, x, g, tables, w, dw, batch, rectified, lower, places, panel):
    out_channels, in_channels = i[OUT_CHANNELS], i[IN_CHANNELS]
    in_size, out_size = (i[IN_POSITIONS] + GAP) * batch, (i[OUT_POSITIONS] + GAP) * batch
    source = x[i[SOURCE] * batch : i[SOURCE] * batch + in_channels * in_size]
    upper = g[i[TARGET_GRADIENT] * batch : i[TARGET_GRADIENT] * batch + out_channels * out_size]
    lower_map = g[i[SOURCE_GRADIENT] * batch : i[SOURCE_GRADIENT] * batch + in_channels * in_size]
    _arrange(panel, w[i[WEIGHT] :], in_channels, out_channels, 1, in_channels)
    chunk = min(LONGEST, out_size)
    overwrites = i[OVERWRITES]
    if overwrites and (in_size != out_size or tables[i[FORWARD_TABLE] + 3] == 0):
        # At stride 2 some pixels have no output, and the only pixel of a map may have none: their gradient is zero.
        _clear(lower_map)
        overwrites = 0
    at = i[FORWARD_TABLE]
    for _ in range(tables[at]):
        pixel, pixels, taps = tables[at + 1], tables[at + 2], tables[at + 3]
        for begin in range(0, pixels * batch if taps else 0, chunk):
            size, first = min(chunk, pixels * batch - begin), pixel * batch + begin
            entry = tables[at + 5] * batch + begin
            for c in range(in_channels):
                # A little more than a chunk apart, for the reason of GAP.
                places[c] = c * (chunk + 16)
                channel = source[entry + c * in_size : entry + c * in_size + size]
                copy = rectified[c * (chunk + 16) : c * (chunk + 16) + size]
                if i[RELU]:
                    _rectify(copy, channel)
                else:
                    _pass_back(copy, channel, channel, False, True)
            _dot_all(
                dw, i[WEIGHT], in_channels, upper, first, out_size, out_channels, size, rectified, places, in_channels
            )
            for m in range(out_channels):
                places[m] = first + m * out_size
            _clear(lower[: in_channels * (chunk + 16)])
            _multiply_chunk(lower, 0, in_channels, chunk + 16, size, upper, places, panel, out_channels)
            for c in range(in_channels):
                to, begin_of_chunk = entry + c * in_size, c * (chunk + 16)
                _pass_back(
                    lower_map[to : to + size], rectified[begin_of_chunk:], lower[begin_of_chunk:], i[RELU], overwrites
                )
        at += 3 + 2 * taps


@compiled(**OPTIONS)
def _dense(i, x, tables, w, batch, rectified, places, row):
    out_channels, in_channels, taps = i[OUT_CHANNELS], i[IN_CHANNELS], i[TAPS]
    in_size, out_size = (i[IN_POSITIONS] + GAP) * batch, (i[OUT_POSITIONS] + GAP) * batch
    source = x[i[SOURCE] * batch : i[SOURCE] * batch + in_channels * in_size]
    if i[RELU]:
        _rectify(rectified[: len(source)], source)
        source = rectified[: len(source)]
    out = x[i[TARGET] * batch : i[TARGET] * batch + out_channels * out_size]
    if not i[ADD]:
        _clear(out)
    _multiply(
        out, out_channels, out_size, source, in_channels, in_size, w[i[WEIGHT] :], taps * in_channels, in_channels, 1,
        tables, i[FORWARD_TABLE], batch, places, row,
    )  # fmt: skip


@compiled(**OPTIONS)
def _dense_back(i, x, g, tables, w, dw, batch, rectified, lower, places, row):
    out_channels, in_channels, taps = i[OUT_CHANNELS], i[IN_CHANNELS], i[TAPS]
    in_size, out_size = (i[IN_POSITIONS] + GAP) * batch, (i[OUT_POSITIONS] + GAP) * batch
    inputs = x[i[SOURCE] * batch : i[SOURCE] * batch + in_channels * in_size]
    source = inputs
    if i[RELU]:
        _rectify(rectified[: len(inputs)], inputs)
        source = rectified[: len(inputs)]
    upper = g[i[TARGET_GRADIENT] * batch : i[TARGET_GRADIENT] * batch + out_channels * out_size]
    weight_gradients = dw[i[WEIGHT] : i[WEIGHT] + out_channels * taps * in_channels]
    _correlate(
        weight_gradients, upper, out_channels, out_size, source, in_channels, in_size,
        tables, i[FORWARD_TABLE], batch, places, row,
    )  # fmt: skip
    if i[NEEDS_GRADIENT]:
        lower = lower[: len(inputs)]
        _clear(lower)
        _multiply(
            lower, in_channels, in_size, upper, out_channels, out_size,
            w[i[WEIGHT] :], 1, in_channels, taps * in_channels, tables, i[BACKWARD_TABLE], batch, places, row,
        )  # fmt: skip
        begin = i[SOURCE_GRADIENT] * batch
        _pass_back(g[begin : begin + len(inputs)], inputs, lower, i[RELU], i[OVERWRITES])


# Depthwise convolutions


@compiled(**OPTIONS)
def _windows(out, x, first, tables, at, w, batch, places, row):
    """Adds to `out` the convolution of one channel of x, which begins at `first`, with the window w. The table of the
    window begins at `tables[at]`; `places` and `row` are overwritten."""
    for _ in range(tables[at]):
        pixel, pixels, taps = tables[at + 1], tables[at + 2], tables[at + 3]
        for k in range(taps):
            row[k] = w[tables[at + 4 + 2 * k]]
            places[k] = first + tables[at + 5 + 2 * k] * batch
        _weigh(out, pixel * batch, pixels * batch, x, places, row, taps)
        at += 3 + 2 * taps


@compiled(**OPTIONS)
def _depthwise(i, x, tables, w, batch, rectified, places, row):
    in_size, out_size = i[IN_POSITIONS] * batch, i[OUT_POSITIONS] * batch
    for c in range(i[IN_CHANNELS]):
        begin = (i[SOURCE] + c * (i[IN_POSITIONS] + GAP)) * batch
        source = x[begin : begin + in_size]
        if i[RELU]:
            _rectify(rectified[:in_size], source)
            source = rectified[:in_size]
        begin = (i[TARGET] + c * (i[OUT_POSITIONS] + GAP)) * batch
        out = x[begin : begin + out_size]
        if not i[ADD]:
            _clear(out)
        place = i[WEIGHT] + c * i[TAPS]
        _windows(out, source, 0, tables, i[FORWARD_TABLE], w[place : place + i[TAPS]], batch, places, row)


@compiled(**OPTIONS)
def _depthwise_back(i, x, g, tables, w, dw, batch, rectified, lower, places, row):
    in_size, out_size = i[IN_POSITIONS] * batch, i[OUT_POSITIONS] * batch
    lower = lower[:in_size]
    for c in range(i[IN_CHANNELS]):
        begin = (i[SOURCE] + c * (i[IN_POSITIONS] + GAP)) * batch
        inputs = x[begin : begin + in_size]
        source = inputs
        if i[RELU]:
            _rectify(rectified[:in_size], inputs)
            source = rectified[:in_size]
        first = (i[TARGET_GRADIENT] + c * (i[OUT_POSITIONS] + GAP)) * batch
        upper = g[first : first + out_size]
        place = i[WEIGHT] + c * i[TAPS]
        at = i[FORWARD_TABLE]
        for _ in range(tables[at]):
            pixel, pixels, taps = tables[at + 1], tables[at + 2], tables[at + 3]
            for k in range(taps):
                row[k] = f32(0)
                places[k] = tables[at + 5 + 2 * k] * batch
            _dot(row, 0, upper, pixel * batch, pixels * batch, source, places, taps)
            for k in range(taps):
                dw[place + tables[at + 4 + 2 * k]] += row[k]
            at += 3 + 2 * taps
        _clear(lower)
        _windows(lower, upper, 0, tables, i[BACKWARD_TABLE], w[place : place + i[TAPS]], batch, places, row)
        begin = (i[SOURCE_GRADIENT] + c * (i[IN_POSITIONS] + GAP)) * batch
        _pass_back(g[begin : begin + in_size], inputs, lower, i[RELU], i[OVERWRITES])


# Norms


@compiled(**OPTIONS)
def _norm(i, x, w, running, batch_statistics, batch, training):
    channels, size = i[IN_CHANNELS], i[OUT_POSITIONS] * batch
    for c in range(channels):
        begin = (i[SOURCE] + c * (i[OUT_POSITIONS] + GAP)) * batch
        source = x[begin : begin + size]
        mean, variance = i[STATISTICS] + c, i[STATISTICS] + channels + c
        if training:
            center = f32(_sum(source) / size)
            spread = f32(_squares(source, center) / size)
            batch_statistics[mean], batch_statistics[variance] = center, f32(1) / np.sqrt(spread + EPSILON)
            running[mean] = RUNNING_SHARE * running[mean] + (f32(1) - RUNNING_SHARE) * center
            unbiased = spread * f32(size / max(1, size - 1))
            running[variance] = RUNNING_SHARE * running[variance] + (f32(1) - RUNNING_SHARE) * unbiased
        else:
            center, spread = running[mean], running[variance]
        scale = w[i[WEIGHT] + c] / np.sqrt(spread + EPSILON)
        bias = w[i[WEIGHT] + channels + c]
        begin = (i[TARGET] + c * (i[OUT_POSITIONS] + GAP)) * batch
        out = x[begin : begin + size]
        if i[ADD]:
            for t in range(size):
                out[t] += (source[t] - center) * scale + bias
        else:
            for t in range(size):
                out[t] = (source[t] - center) * scale + bias


@compiled(**OPTIONS)
def _norm_back(i, x, g, w, dw, batch_statistics, batch):
    channels, size = i[IN_CHANNELS], i[OUT_POSITIONS] * batch
    for c in range(channels):
        begin = (i[SOURCE] + c * (i[OUT_POSITIONS] + GAP)) * batch
        source = x[begin : begin + size]
        begin = (i[TARGET_GRADIENT] + c * (i[OUT_POSITIONS] + GAP)) * batch
        upper = g[begin : begin + size]
        center, inverse = batch_statistics[i[STATISTICS] + c], batch_statistics[i[STATISTICS] + channels + c]
        total, aligned = _sum(upper), _products(upper, source, center)
        aligned *= inverse
        dw[i[WEIGHT] + c] += f32(aligned)
        dw[i[WEIGHT] + channels + c] += f32(total)
        mean, slope = f32(total / size), inverse * f32(aligned / size)
        scale = w[i[WEIGHT] + c] * inverse
        begin = (i[SOURCE_GRADIENT] + c * (i[OUT_POSITIONS] + GAP)) * batch
        lower = g[begin : begin + size]
        if i[OVERWRITES]:
            for t in range(size):
                lower[t] = scale * (upper[t] - mean - (source[t] - center) * slope)
        else:
            for t in range(size):
                lower[t] += scale * (upper[t] - mean - (source[t] - center) * slope)


# Pools


@compiled(**OPTIONS)
def _largest(out, x, tables, at, batch, length):
    """Writes to `out` the maximum over the window, NaN being the largest, for a run of pixels: `length` numbers. The
    entry of the run begins at `tables[at]`."""
    for k in range(tables[at + 2]):
        begin = tables[at + 4 + 2 * k] * batch
        tap = x[begin : begin + length]
        if k == 0:
            for t in range(length):
                out[t] = tap[t]
        else:
            for t in range(length):
                # NaN counts as the largest.
                out[t] = out[t] if out[t] >= tap[t] or out[t] != out[t] else tap[t]


@compiled(**OPTIONS)
def _pool(i, x, tables, batch, largest):
    in_size, out_size = i[IN_POSITIONS] * batch, i[OUT_POSITIONS] * batch
    for c in range(i[IN_CHANNELS]):
        begin = (i[SOURCE] + c * (i[IN_POSITIONS] + GAP)) * batch
        source = x[begin : begin + in_size]
        begin = (i[TARGET] + c * (i[OUT_POSITIONS] + GAP)) * batch
        out = x[begin : begin + out_size]
        at = i[FORWARD_TABLE] + 1
        for _ in range(tables[at - 1]):
            length, taps = tables[at + 1] * batch, tables[at + 2]
            best = largest[:length]
            if i[KIND] == MAX:
                _largest(best, source, tables, at, batch, length)
            else:
                _clear(best)
                for k in range(taps):
                    begin = tables[at + 4 + 2 * k] * batch
                    tap = source[begin : begin + length]
                    for t in range(length):
                        best[t] += tap[t]
                share = f32(1 / taps)
                for t in range(length):
                    best[t] *= share
            _pass_back(out[tables[at] * batch : tables[at] * batch + length], best, best, False, not i[ADD])
            at += 3 + 2 * taps


@compiled(**OPTIONS)
def _pool_back(i, x, g, tables, batch, largest, remainders):
    in_size, out_size = i[IN_POSITIONS] * batch, i[OUT_POSITIONS] * batch
    for c in range(i[IN_CHANNELS]):
        begin = (i[SOURCE] + c * (i[IN_POSITIONS] + GAP)) * batch
        source = x[begin : begin + in_size]
        begin = (i[SOURCE_GRADIENT] + c * (i[IN_POSITIONS] + GAP)) * batch
        lower = g[begin : begin + in_size]
        begin = (i[TARGET_GRADIENT] + c * (i[OUT_POSITIONS] + GAP)) * batch
        upper = g[begin : begin + out_size]
        if i[OVERWRITES]:
            _clear(lower)
        at = i[FORWARD_TABLE] + 1
        for _ in range(tables[at - 1]):
            first, length, taps = tables[at] * batch, tables[at + 1] * batch, tables[at + 2]
            best, remaining = largest[:length], remainders[:length]
            share = f32(1) if i[KIND] == MAX else f32(1 / taps)
            for t in range(length):
                remaining[t] = share * upper[first + t]
            if i[KIND] == MAX:
                _largest(best, source, tables, at, batch, length)
            for k in range(taps):
                begin = tables[at + 4 + 2 * k] * batch
                tap, gradient = source[begin : begin + length], lower[begin : begin + length]
                if i[KIND] == MAX:
                    # Of several equal maxima the first gets the whole gradient.
                    for t in range(length):
                        hit = tap[t] == best[t]
                        gradient[t] += remaining[t] if hit else f32(0)
                        remaining[t] = f32(0) if hit else remaining[t]
                else:
                    for t in range(length):
                        gradient[t] += remaining[t]
            at += 3 + 2 * taps


# A network


@compiled(**OPTIONS)
def forward(code, x, tables, w, running, batch_statistics, batch, training, rectified, places, row):
    """The forward pass: reads the images at the beginning of x, and writes all other maps behind them.

    In training, the norms use the statistics of the batch, which update `running`, and `batch_statistics` receives mean
    and 1 / standard deviation of every norm. Otherwise the norms use `running`.
    """
    for number in range(len(code)):
        i = code[number]
        kind = i[KIND]
        if kind == DENSE and i[TAPS] == 1:
            _pointwise(i, x, tables, w, batch, rectified, places, row)
        elif kind == DENSE:
            _dense(i, x, tables, w, batch, rectified, places, row)
        elif kind == DEPTHWISE:
            _depthwise(i, x, tables, w, batch, rectified, places, row)
        elif kind == NORM:
            _norm(i, x, w, running, batch_statistics, batch, training)
        elif kind in (MAX, AVERAGE):
            _pool(i, x, tables, batch, rectified)
        else:
            size = i[IN_CHANNELS] * (i[OUT_POSITIONS] + GAP) * batch
            source, target = i[SOURCE] * batch, i[TARGET] * batch
            if kind == ZERO:
                _clear(x[target : target + size])
            else:
                values = x[source : source + size]
                _pass_back(x[target : target + size], values, values, False, not i[ADD])


@compiled(**OPTIONS)
def backward(code, x, g, tables, w, dw, batch_statistics, batch, rectified, lower, places, row):
    """The backward pass from the gradient of the last map in g: adds to the gradients dw of the weights."""
    for number in range(len(code) - 1, -1, -1):
        i = code[number]
        kind = i[KIND]
        if kind == DENSE and i[TAPS] == 1:
            _pointwise_back(i, x, g, tables, w, dw, batch, rectified, lower, places, row)
        elif kind == DENSE:
            _dense_back(i, x, g, tables, w, dw, batch, rectified, lower, places, row)
        elif kind == DEPTHWISE:
            _depthwise_back(i, x, g, tables, w, dw, batch, rectified, lower, places, row)
        elif kind == NORM:
            _norm_back(i, x, g, w, dw, batch_statistics, batch)
        elif kind in (MAX, AVERAGE):
            _pool_back(i, x, g, tables, batch, rectified, lower)
        elif kind == COPY:
            size = i[IN_CHANNELS] * (i[OUT_POSITIONS] + GAP) * batch
            target, below = i[TARGET_GRADIENT] * batch, i[SOURCE_GRADIENT] * batch
            upper = g[target : target + size]
            _pass_back(g[below : below + size], upper, upper, False, i[OVERWRITES])


@compiled(**OPTIONS)
def classify(i, x, w, logits, pooled, batch):
    """Computes the logits: the mean of each channel of the last map, after a ReLU if `i[RELU]`, then a linear layer.

    Args:
        i: the instruction of the classifier.
        x: all feature maps, flat.
        w: all weights, flat.
        logits: receives the logits, `[classes, batch]`, flat.
        pooled: receives the means, `[channels, batch]`, flat.
        batch: number of images.
    """
    channels, classes, pixels = i[IN_CHANNELS], i[OUT_CHANNELS], i[IN_POSITIONS]
    share = f32(1 / pixels)
    for k in range(classes):
        logits[k * batch : (k + 1) * batch] = w[i[WEIGHT] + classes * channels + k]
    for c in range(channels):
        mean = pooled[c * batch : (c + 1) * batch]
        _clear(mean)
        for pixel in range(pixels):
            begin = (i[SOURCE] + c * (pixels + GAP) + pixel) * batch
            values = x[begin : begin + batch]
            for t in range(batch):
                mean[t] += f32(0) if i[RELU] and values[t] < f32(0) else values[t]
        for t in range(batch):
            mean[t] *= share
        for k in range(classes):
            weight, out = w[i[WEIGHT] + k * channels + c], logits[k * batch : (k + 1) * batch]
            for t in range(batch):
                out[t] += weight * mean[t]


@compiled(**OPTIONS)
def classify_back(i, x, g, w, dw, logits, labels, pooled):
    """Returns the mean cross entropy, writes its gradient for the last map to g, and adds its gradients for the weights
    and biases of the classifier to dw.

    Overwrites `logits` and `pooled`.
    """
    batch, channels, classes, pixels = len(labels), i[IN_CHANNELS], i[OUT_CHANNELS], i[IN_POSITIONS]
    loss = 0.0
    for b in range(batch):
        highest = logits[b]
        for k in range(1, classes):
            highest = max(highest, logits[k * batch + b])
        own = logits[labels[b] * batch + b] - highest
        total = f32(0)
        for k in range(classes):
            value = np.exp(logits[k * batch + b] - highest)
            logits[k * batch + b] = value
            total += value
        loss += np.log(total) - own
        for k in range(classes):
            logits[k * batch + b] /= total * f32(batch)
        logits[labels[b] * batch + b] -= f32(1 / batch)
    for k in range(classes):
        dw[i[WEIGHT] + classes * channels + k] += f32(_sum(logits[k * batch : (k + 1) * batch]))
    share = f32(1 / pixels)
    for c in range(channels):
        mean = pooled[c * batch : (c + 1) * batch]
        for k in range(classes):
            dw[i[WEIGHT] + k * channels + c] += f32(_products(logits[k * batch : (k + 1) * batch], mean, f32(0)))
        _clear(mean)
        for k in range(classes):
            weight, upper = share * w[i[WEIGHT] + k * channels + c], logits[k * batch : (k + 1) * batch]
            for t in range(batch):
                mean[t] += weight * upper[t]
        for pixel in range(pixels):
            begin = (i[SOURCE] + c * (pixels + GAP) + pixel) * batch
            to = (i[SOURCE_GRADIENT] + c * (pixels + GAP) + pixel) * batch
            _pass_back(g[to : to + batch], x[begin : begin + batch], mean, i[RELU], True)
    return f32(loss / batch)


@compiled(**OPTIONS)
def update(w, dw, velocity, rate, momentum, decay, max_norm):
    """Gradient descent with momentum and weight decay; the gradient is clipped to the norm `max_norm`."""
    total = 0.0
    for first in range(0, len(dw), 4096):
        total += _squares(dw[first : first + 4096], f32(0))
    share = f32(min(1.0, max_norm / (np.sqrt(total) + 1e-6)))
    for t in range(len(w)):
        velocity[t] = momentum * velocity[t] + (share * dw[t] + decay * w[t])
        w[t] -= rate * velocity[t]
