"""The compiled interpreter of tapes: a network's pass forward, and back, in one call each.

Maps are `[channels, positions, batch]`: the images of a batch lie side by side, so that a window, a stride or a pool
never breaks a vector, and joined channels are joined memory.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from germline.programs.compiling import compiled

# An instruction is a row of these numbers. Places and sizes of maps are for one image.
FIELDS = (
    "kind",
    "source",
    "target",
    "channels",
    "made",
    "entering",
    "leaving",
    "relu",
    "add",
    "table",
    "back",
    "taps",
    "weight",
    "statistics",
    "source_gradient",
    "target_gradient",
    "fresh",
    "wanted",
)
(
    KIND,
    SOURCE,
    TARGET,
    CHANNELS,
    MADE,
    ENTERING,
    LEAVING,
    RELU,
    ADD,
    TABLE,
    BACK,
    TAPS,
    WEIGHT,
    STATISTICS,
    SOURCE_GRADIENT,
    TARGET_GRADIENT,
    FRESH,
    WANTED,
) = range(len(FIELDS))
# The numbers of networks.tape.Kind: the compiler's cache on disk notices changes of this file alone.
DEPTHWISE, DENSE, NORM, MAX, AVERAGE, COPY, ZERO = range(7)

# No order of a sum is left to the compiler, nor what it joins to one operation: it decides otherwise in a process that
# compiles than in what it keeps on disk for the next one.
OPTIONS = {"nogil": True, "error_model": "numpy", "fastmath": {"nsz"}}
f32 = np.float32
EPSILON, KEPT = f32(1e-5), f32(0.9)
"""Of batch norm: what is added to the variance, and how much of the running statistics a batch leaves."""
GAP = 1
"""So many positions lie unused behind each channel of a map. Without them channels would lie a power of two apart, and
the cache keeps only a few numbers that do."""
SHORTEST, MIDDLING, LONGEST = 64, 256, 512
"""How many numbers of each row are worked on at a time, so that a chunk of all rows stays in a cache."""
CACHED = 6144
"""So many numbers stay in the first cache."""


# Sums over rows


def _operands(context, builder, signature, args):
    """Arguments of a function that is written as the compiler's own code: of arrays, where their numbers begin."""
    pairs = zip(signature.args, args, strict=True)
    return [
        make_array(kind)(context, builder, one).data if isinstance(kind, types.Array) else one for kind, one in pairs
    ]


def _vector_at(builder, base, place, lanes):
    vector = ir.VectorType(ir.FloatType(), lanes)
    return builder.bitcast(builder.gep(base, [place]), vector.as_pointer())


def _times_and_add(builder, total, one, other):
    """Adds a product to a sum in memory, which the compiler keeps in a register."""
    product = builder.fmul(one, other, flags=("contract",))
    builder.store(builder.fadd(builder.load(total), product, flags=("contract",)), total)


def _weighing(outputs, vectors, lanes):
    """A function that adds to some numbers of `outputs` rows of `out` so many rows of x, each by its weights.

    Its sums, `vectors` vectors of `lanes` numbers for each output, stay in registers over all rows: no loop comes to
    that.

    Args (of the function):
        out, first, apart: the rows of `out` begin at `first`, and are so far apart.
        x, places, offset: the rows of x begin at `places` + `offset`.
        weights, count: `[count, outputs]`, for so many rows of x.
    """

    @intrinsic
    def weigh(_, out, first, apart, x, places, offset, weights, count):
        def generate(context, builder, signature, args):
            vector, word = ir.VectorType(ir.FloatType(), lanes), ir.IntType(64)
            to, start, between, source, begins, shift, factors, rows = _operands(context, builder, signature, args)
            starts = [builder.add(start, builder.mul(between, word(m))) for m in range(outputs)]
            cells = [
                _vector_at(builder, to, builder.add(one, word(lanes * v)), lanes)
                for one in starts
                for v in range(vectors)
            ]
            sums = [cgutils.alloca_once_value(builder, builder.load(cell, align=4)) for cell in cells]
            with cgutils.for_range(builder, rows) as loop:
                begin = builder.add(builder.load(builder.gep(begins, [loop.index])), shift)
                seen = [
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
                        _times_and_add(builder, sums[m * vectors + v], seen[v], spread)
            for one, cell in zip(sums, cells, strict=True):
                builder.store(builder.load(one), cell, align=4)
            return context.get_dummy_value()

        integer = types.int64
        return types.void(out, integer, integer, x, places, integer, weights, integer), generate

    return weigh


def _correlating(outputs, rows, lanes):
    """A function that adds to `found` the products of `outputs` rows of g with `rows` rows of x.

    Args (of the function):
        found, to, between: `[outputs, rows]`, begins at `to`; its rows are so far apart.
        g, first, apart: the rows of g begin at `first`, and are so far apart.
        x, places, k, begin: the rows of x begin at `places[k]` and those behind it.
        begin, end: where in each row the product begins and ends, a multiple of `lanes` apart.
    """

    @intrinsic
    def correlate(_, found, to, between, g, first, apart, x, places, k, begin, end):
        def generate(context, builder, signature, args):
            vector, word = ir.VectorType(ir.FloatType(), lanes), ir.IntType(64)
            sums, start, distance, upper, g_start, g_distance, source, begins, row, low, high = _operands(
                context, builder, signature, args
            )
            zero = ir.Constant(vector, [0.0] * lanes)
            totals = [cgutils.alloca_once_value(builder, zero) for _ in range(outputs * rows)]
            uppers = [builder.add(g_start, builder.mul(g_distance, word(m))) for m in range(outputs)]
            sources = [builder.load(builder.gep(begins, [builder.add(row, word(r))])) for r in range(rows)]
            with cgutils.for_range_slice(builder, low, high, word(lanes), inc=True) as (t, _):
                seen = [
                    builder.load(_vector_at(builder, source, builder.add(one, t), lanes), align=4) for one in sources
                ]
                for m, one in enumerate(uppers):
                    here = builder.load(_vector_at(builder, upper, builder.add(one, t), lanes), align=4)
                    for r in range(rows):
                        _times_and_add(builder, totals[m * rows + r], here, seen[r])
            for m in range(outputs):
                for r in range(rows):
                    total, width = builder.load(totals[m * rows + r]), lanes
                    while width > 1:
                        width //= 2
                        half = [ir.Constant(ir.IntType(32), lane + width) for lane in range(width)]
                        other = ir.Constant(ir.VectorType(ir.IntType(32), width), half)
                        lower = ir.Constant(ir.VectorType(ir.IntType(32), width), list(range(width)))
                        total = builder.fadd(
                            builder.shuffle_vector(total, total, lower), builder.shuffle_vector(total, total, other)
                        )
                    place = builder.add(builder.add(start, builder.mul(distance, word(m))), word(r))
                    cell = builder.gep(sums, [place])
                    whole = builder.extract_element(total, ir.Constant(ir.IntType(32), 0))
                    builder.store(builder.fadd(builder.load(cell), whole), cell)
            return context.get_dummy_value()

        i = types.int64
        return types.void(found, i, i, g, i, i, x, places, i, i, i), generate

    return correlate


def _adding(term):
    """A function that adds up `count` terms of x and y, a multiple of `WIDE`, in an order that no compilation changes.

    Left to the compiler, the order of a sum differs between a process that compiles and one that reads its cache.

    Args (of the function):
        x, y: the rows of which the terms are, from their beginning.
        center: what `term` takes away.
        count: how many.
    """

    @intrinsic
    def add_up(_, x, y, center, count):
        def generate(context, builder, signature, args):
            vector, word = ir.VectorType(ir.FloatType(), LANES), ir.IntType(64)
            one, other, middle, whole = _operands(context, builder, signature, args)
            single = builder.insert_element(ir.Constant(vector, ir.Undefined), middle, word(0))
            spread = builder.shuffle_vector(
                single, single, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
            )
            zero = ir.Constant(vector, [0.0] * LANES)
            totals = [cgutils.alloca_once_value(builder, zero) for _ in range(WIDE // LANES)]
            with cgutils.for_range_slice(builder, word(0), whole, word(WIDE), inc=True) as (t, _):
                for v, total in enumerate(totals):
                    place = builder.add(t, word(v * LANES))
                    a, b = (builder.load(_vector_at(builder, base, place, LANES), align=4) for base in (one, other))
                    term(builder, total, a, b, spread)
            sums = [builder.load(total) for total in totals]
            while len(sums) > 1:
                sums = [builder.fadd(a, b) for a, b in zip(sums[::2], sums[1::2], strict=True)]
            found = builder.extract_element(sums[0], ir.Constant(ir.IntType(32), 0))
            for lane in range(1, LANES):
                found = builder.fadd(found, builder.extract_element(sums[0], ir.Constant(ir.IntType(32), lane)))
            return found

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
    """Adds to `length` numbers of `out` so many rows of x, each by its weight."""
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
    """`_weigh` of four rows of `out`, which are so far apart, with weights `[count, 4]`."""
    done = 0
    while done + 2 * LANES <= length:
        WEIGH_FOUR(out, first + done, apart, x, places, done, weights, count)
        done += 2 * LANES
    while done < length:
        WEIGH_FOUR_SINGLY(out, first + done, apart, x, places, done, weights, count)
        done += 1


@compiled(**OPTIONS)
def _dot(found, to, g, first, length, x, places, count):
    """Adds to each of `count` numbers of `found` the product of a row of g with a row of x."""
    whole = length // LANES * LANES
    k = 0
    while k + 8 <= count:
        DOT(found, to + k, 0, g, first, 0, x, places, k, 0, whole)
        k += 8
    while k < count:
        DOT_ONCE(found, to + k, 0, g, first, 0, x, places, k, 0, whole)
        k += 1
    if whole < length:
        for one in range(count):
            DOT_SINGLY(found, to + one, 0, g, first, 0, x, places, one, whole, length)


@compiled(**OPTIONS)
def _dot_all(found, to, between, g, first, apart, made, length, x, places, count):
    """`_dot` of `made` rows of g, which are so far apart, into rows of `found`, which are `between` apart."""
    whole = length // LANES * LANES
    four = made // 4 * 4
    for m in range(0, four, 4):
        k, here, there = 0, to + m * between, first + m * apart
        while k + 2 <= count:
            DOT_FOUR(found, here + k, between, g, there, apart, x, places, k, 0, whole)
            k += 2
        if k < count:
            DOT_FOUR_ONCE(found, here + k, between, g, there, apart, x, places, k, 0, whole)
        if whole < length:
            for k in range(count):
                for one in range(4):
                    at = there + one * apart
                    DOT_SINGLY(found, here + one * between + k, 0, g, at, 0, x, places, k, whole, length)
    for m in range(four, made):
        _dot(found, to + m * between, g, first + m * apart, length, x, places, count)


@compiled(**OPTIONS)
def _sum(x):
    total = 0.0
    for first in range(0, len(x), 4096):
        here = x[first : first + 4096]
        whole = len(here) // WIDE * WIDE
        part = ADD_UP(here, here, f32(0), whole)
        for t in range(whole, len(here)):
            part += here[t]
        total += part
    return total


@compiled(**OPTIONS)
def _squares(x, center):
    """The sum of squared distances from a number."""
    total = 0.0
    for first in range(0, len(x), 4096):
        here = x[first : first + 4096]
        whole = len(here) // WIDE * WIDE
        part = ADD_UP_SQUARES(here, here, center, whole)
        for t in range(whole, len(here)):
            distance = here[t] - center
            part += distance * distance
        total += part
    return total


@compiled(**OPTIONS)
def _products(x, y, center):
    """The sum of the products of x with the distance of y from a number."""
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
        # Not max(): what is not a number has to stay so.
        out[t] = f32(0) if value < f32(0) else value


@compiled(**OPTIONS)
def _pass_back(lower, x, upper, relu, fresh):
    """Hands a gradient on to `lower`; with relu, where x is positive."""
    if relu and fresh:
        for t in range(len(lower)):
            lower[t] = upper[t] if x[t] > f32(0) else f32(0)
    elif relu:
        for t in range(len(lower)):
            lower[t] += upper[t] if x[t] > f32(0) else f32(0)
    elif fresh:
        for t in range(len(lower)):
            lower[t] = upper[t]
    else:
        for t in range(len(lower)):
            lower[t] += upper[t]


@compiled(**OPTIONS)
def _clear(x):
    for t in range(len(x)):
        x[t] = f32(0)


# Products of all channels


@compiled(**OPTIONS)
def _chunk(rows):
    return max(SHORTEST, min(LONGEST, CACHED // rows // 64 * 64))


@compiled(**OPTIONS)
def _multiply(out, made, apart, x, channels, distance, w, by_made, by_tap, by_channel, tables, at, batch, places, row):
    """Adds to `made` rows of `out` what their pixels see of `channels` rows of x through a window.

    `apart` and `distance` are between rows; the `by_` are how far apart neighbours lie in the weights w.
    """
    for _ in range(tables[at]):
        pixel, pixels, taps = tables[at + 1], tables[at + 2], tables[at + 3]
        count, length = taps * channels, pixels * batch
        for begin in range(0, length, MIDDLING):
            size = min(MIDDLING, length - begin)
            for k in range(taps):
                first = tables[at + 5 + 2 * k] * batch + begin
                for c in range(channels):
                    places[k * channels + c] = first + c * distance
            for m in range(0, made, 4):
                together = 4 if m + 4 <= made else 1
                for one in range(m, min(m + 4, made), together):
                    for k in range(taps):
                        for q in range(together):
                            first = (one + q) * by_made + tables[at + 4 + 2 * k] * by_tap
                            for c in range(channels):
                                row[(k * channels + c) * together + q] = w[first + c * by_channel]
                    first = one * apart + pixel * batch + begin
                    if together == 4:
                        _weigh_four(out, first, apart, size, x, places, row, count)
                    else:
                        _weigh(out, first, size, x, places, row, count)
        at += 3 + 2 * taps


@compiled(**OPTIONS)
def _correlate(dw, g, made, apart, x, channels, distance, tables, at, batch, places, row):
    """Adds to the gradients of weights `[made, taps, channels]` the products of `made` rows of g with what they see."""
    window = len(dw) // made
    for _ in range(tables[at]):
        pixel, pixels, taps = tables[at + 1], tables[at + 2], tables[at + 3]
        count, length = taps * channels, pixels * batch
        for begin in range(0, length, LONGEST):
            size = min(LONGEST, length - begin)
            for k in range(taps):
                first = tables[at + 5 + 2 * k] * batch + begin
                for c in range(channels):
                    places[k * channels + c] = first + c * distance
            for m in range(0, made, 4):
                together, first = min(4, made - m), m * apart + pixel * batch + begin
                _clear(row[: together * count])
                _dot_all(row, 0, count, g, first, apart, together, size, x, places, count)
                for one in range(together):
                    for k in range(taps):
                        there = (m + one) * window + tables[at + 4 + 2 * k] * channels
                        for c in range(channels):
                            dw[there + c] += row[one * count + k * channels + c]
        at += 3 + 2 * taps


@compiled(**OPTIONS)
def _arrange(panel, w, made, channels, by_made, by_channel):
    """The weights of a 1×1 convolution as `_weigh_four` and, for what is left over, `_weigh` take them."""
    for m in range(made):
        group, q = m // 4 * 4, m % 4
        whole = group + 4 <= made
        for c in range(channels):
            to = group * channels + 4 * c + q if whole else m * channels + c
            panel[to] = w[m * by_made + c * by_channel]


@compiled(**OPTIONS)
def _multiply_chunk(out, first, made, apart, size, x, places, panel, channels):
    """Adds products of all channels to a chunk of each of `made` rows, with arranged weights."""
    for m in range(0, made, 4):
        if m + 4 <= made:
            _weigh_four(out, first + m * apart, apart, size, x, places, panel[m * channels :], channels)
        else:
            for one in range(m, made):
                _weigh(out, first + one * apart, size, x, places, panel[one * channels :], channels)


@compiled(**OPTIONS)
def _pointwise(i, x, tables, w, batch, rectified, places, panel):
    """A 1×1 convolution. A chunk of all channels goes through it, and stays in the cache, before the next one."""
    made, channels = i[MADE], i[CHANNELS]
    entering, leaving = (i[ENTERING] + GAP) * batch, (i[LEAVING] + GAP) * batch
    source = x[i[SOURCE] * batch : i[SOURCE] * batch + channels * entering]
    out = x[i[TARGET] * batch : i[TARGET] * batch + made * leaving]
    _arrange(panel, w[i[WEIGHT] :], made, channels, channels, 1)
    chunk = min(_chunk(channels + made), leaving - GAP * batch)
    at = i[TABLE]
    for _ in range(tables[at]):
        pixel, pixels, taps = tables[at + 1], tables[at + 2], tables[at + 3]
        for begin in range(0, pixels * batch, chunk):
            size, first = min(chunk, pixels * batch - begin), pixel * batch + begin
            if not i[ADD]:
                for m in range(made):
                    _clear(out[first + m * leaving : first + m * leaving + size])
            if taps:
                seen = tables[at + 5] * batch + begin
                taken = rectified if i[RELU] else source
                for c in range(channels):
                    places[c] = c * chunk if i[RELU] else seen + c * entering
                    if i[RELU]:
                        here = source[seen + c * entering : seen + c * entering + size]
                        _rectify(rectified[c * chunk : c * chunk + size], here)
                _multiply_chunk(out, first, made, leaving, size, taken, places, panel, channels)
        at += 3 + 2 * taps


@compiled(**OPTIONS)
def _pointwise_back(i, x, g, tables, w, dw, batch, rectified, lower, places, panel):
    made, channels = i[MADE], i[CHANNELS]
    entering, leaving = (i[ENTERING] + GAP) * batch, (i[LEAVING] + GAP) * batch
    source = x[i[SOURCE] * batch : i[SOURCE] * batch + channels * entering]
    upper = g[i[TARGET_GRADIENT] * batch : i[TARGET_GRADIENT] * batch + made * leaving]
    below = g[i[SOURCE_GRADIENT] * batch : i[SOURCE_GRADIENT] * batch + channels * entering]
    _arrange(panel, w[i[WEIGHT] :], channels, made, 1, channels)
    chunk = min(LONGEST, leaving)
    fresh = i[FRESH]
    if fresh and (entering != leaving or tables[i[TABLE] + 3] == 0):
        # Some pixels are seen by nobody; the only one of a map that is halved may be such a one.
        _clear(below)
        fresh = 0
    at = i[TABLE]
    for _ in range(tables[at]):
        pixel, pixels, taps = tables[at + 1], tables[at + 2], tables[at + 3]
        for begin in range(0, pixels * batch if taps else 0, chunk):
            size, first = min(chunk, pixels * batch - begin), pixel * batch + begin
            seen = tables[at + 5] * batch + begin
            for c in range(channels):
                # A little more than a chunk apart, for the same reason as the gaps.
                places[c] = c * (chunk + 16)
                here = source[seen + c * entering : seen + c * entering + size]
                there = rectified[c * (chunk + 16) : c * (chunk + 16) + size]
                if i[RELU]:
                    _rectify(there, here)
                else:
                    _pass_back(there, here, here, False, True)
            _dot_all(dw, i[WEIGHT], channels, upper, first, leaving, made, size, rectified, places, channels)
            for m in range(made):
                places[m] = first + m * leaving
            _clear(lower[: channels * (chunk + 16)])
            _multiply_chunk(lower, 0, channels, chunk + 16, size, upper, places, panel, made)
            for c in range(channels):
                here, there = seen + c * entering, c * (chunk + 16)
                _pass_back(below[here : here + size], rectified[there:], lower[there:], i[RELU], fresh)
        at += 3 + 2 * taps


@compiled(**OPTIONS)
def _dense(i, x, tables, w, batch, rectified, places, row):
    made, channels, taps = i[MADE], i[CHANNELS], i[TAPS]
    entering, leaving = (i[ENTERING] + GAP) * batch, (i[LEAVING] + GAP) * batch
    source = x[i[SOURCE] * batch : i[SOURCE] * batch + channels * entering]
    if i[RELU]:
        _rectify(rectified[: len(source)], source)
        source = rectified[: len(source)]
    out = x[i[TARGET] * batch : i[TARGET] * batch + made * leaving]
    if not i[ADD]:
        _clear(out)
    _multiply(
        out, made, leaving, source, channels, entering, w[i[WEIGHT] :], taps * channels, channels, 1,
        tables, i[TABLE], batch, places, row,
    )  # fmt: skip


@compiled(**OPTIONS)
def _dense_back(i, x, g, tables, w, dw, batch, rectified, lower, places, row):
    made, channels, taps = i[MADE], i[CHANNELS], i[TAPS]
    entering, leaving = (i[ENTERING] + GAP) * batch, (i[LEAVING] + GAP) * batch
    taken = x[i[SOURCE] * batch : i[SOURCE] * batch + channels * entering]
    source = taken
    if i[RELU]:
        _rectify(rectified[: len(taken)], taken)
        source = rectified[: len(taken)]
    upper = g[i[TARGET_GRADIENT] * batch : i[TARGET_GRADIENT] * batch + made * leaving]
    found = dw[i[WEIGHT] : i[WEIGHT] + made * taps * channels]
    _correlate(
        found, upper, made, leaving, source, channels, entering, tables, i[TABLE], batch, places, row
    )  # fmt: skip
    if i[WANTED]:
        lower = lower[: len(taken)]
        _clear(lower)
        _multiply(
            lower, channels, entering, upper, made, leaving, w[i[WEIGHT] :], 1, channels, taps * channels,
            tables, i[BACK], batch, places, row,
        )  # fmt: skip
        begin = i[SOURCE_GRADIENT] * batch
        _pass_back(g[begin : begin + len(taken)], taken, lower, i[RELU], i[FRESH])


# Products of each channel on its own


@compiled(**OPTIONS)
def _windows(out, x, first, tables, at, w, batch, places, row):
    """Adds to the pixels of one channel what they see of x through a window of weights w."""
    for _ in range(tables[at]):
        pixel, pixels, taps = tables[at + 1], tables[at + 2], tables[at + 3]
        for k in range(taps):
            row[k] = w[tables[at + 4 + 2 * k]]
            places[k] = first + tables[at + 5 + 2 * k] * batch
        _weigh(out, pixel * batch, pixels * batch, x, places, row, taps)
        at += 3 + 2 * taps


@compiled(**OPTIONS)
def _depthwise(i, x, tables, w, batch, rectified, places, row):
    entering, leaving = i[ENTERING] * batch, i[LEAVING] * batch
    for c in range(i[CHANNELS]):
        begin = (i[SOURCE] + c * (i[ENTERING] + GAP)) * batch
        source = x[begin : begin + entering]
        if i[RELU]:
            _rectify(rectified[:entering], source)
            source = rectified[:entering]
        begin = (i[TARGET] + c * (i[LEAVING] + GAP)) * batch
        out = x[begin : begin + leaving]
        if not i[ADD]:
            _clear(out)
        place = i[WEIGHT] + c * i[TAPS]
        _windows(out, source, 0, tables, i[TABLE], w[place : place + i[TAPS]], batch, places, row)


@compiled(**OPTIONS)
def _depthwise_back(i, x, g, tables, w, dw, batch, rectified, lower, places, row):
    entering, leaving = i[ENTERING] * batch, i[LEAVING] * batch
    lower = lower[:entering]
    for c in range(i[CHANNELS]):
        begin = (i[SOURCE] + c * (i[ENTERING] + GAP)) * batch
        taken = x[begin : begin + entering]
        source = taken
        if i[RELU]:
            _rectify(rectified[:entering], taken)
            source = rectified[:entering]
        first = (i[TARGET_GRADIENT] + c * (i[LEAVING] + GAP)) * batch
        upper = g[first : first + leaving]
        place = i[WEIGHT] + c * i[TAPS]
        at = i[TABLE]
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
        _windows(lower, upper, 0, tables, i[BACK], w[place : place + i[TAPS]], batch, places, row)
        begin = (i[SOURCE_GRADIENT] + c * (i[ENTERING] + GAP)) * batch
        _pass_back(g[begin : begin + entering], taken, lower, i[RELU], i[FRESH])


# Norms


@compiled(**OPTIONS)
def _norm(i, x, w, running, seen, batch, training):
    channels, size = i[CHANNELS], i[LEAVING] * batch
    for c in range(channels):
        begin = (i[SOURCE] + c * (i[LEAVING] + GAP)) * batch
        source = x[begin : begin + size]
        mean, variance = i[STATISTICS] + c, i[STATISTICS] + channels + c
        if training:
            center = f32(_sum(source) / size)
            spread = f32(_squares(source, center) / size)
            seen[mean], seen[variance] = center, f32(1) / np.sqrt(spread + EPSILON)
            running[mean] = KEPT * running[mean] + (f32(1) - KEPT) * center
            unbiased = spread * f32(size / max(1, size - 1))
            running[variance] = KEPT * running[variance] + (f32(1) - KEPT) * unbiased
        else:
            center, spread = running[mean], running[variance]
        scale = w[i[WEIGHT] + c] / np.sqrt(spread + EPSILON)
        bias = w[i[WEIGHT] + channels + c]
        begin = (i[TARGET] + c * (i[LEAVING] + GAP)) * batch
        out = x[begin : begin + size]
        if i[ADD]:
            for t in range(size):
                out[t] += (source[t] - center) * scale + bias
        else:
            for t in range(size):
                out[t] = (source[t] - center) * scale + bias


@compiled(**OPTIONS)
def _norm_back(i, x, g, w, dw, seen, batch):
    channels, size = i[CHANNELS], i[LEAVING] * batch
    for c in range(channels):
        begin = (i[SOURCE] + c * (i[LEAVING] + GAP)) * batch
        source = x[begin : begin + size]
        begin = (i[TARGET_GRADIENT] + c * (i[LEAVING] + GAP)) * batch
        upper = g[begin : begin + size]
        center, inverse = seen[i[STATISTICS] + c], seen[i[STATISTICS] + channels + c]
        total, aligned = _sum(upper), _products(upper, source, center)
        aligned *= inverse
        dw[i[WEIGHT] + c] += f32(aligned)
        dw[i[WEIGHT] + channels + c] += f32(total)
        mean, slope = f32(total / size), inverse * f32(aligned / size)
        scale = w[i[WEIGHT] + c] * inverse
        begin = (i[SOURCE_GRADIENT] + c * (i[LEAVING] + GAP)) * batch
        lower = g[begin : begin + size]
        if i[FRESH]:
            for t in range(size):
                lower[t] = scale * (upper[t] - mean - (source[t] - center) * slope)
        else:
            for t in range(size):
                lower[t] += scale * (upper[t] - mean - (source[t] - center) * slope)


# Pools


@compiled(**OPTIONS)
def _largest(out, x, tables, at, batch, length):
    """The largest of what a run of pixels sees; the table's entry begins at `at`."""
    for k in range(tables[at + 2]):
        begin = tables[at + 4 + 2 * k] * batch
        here = x[begin : begin + length]
        if k == 0:
            for t in range(length):
                out[t] = here[t]
        else:
            for t in range(length):
                # What is not a number is the largest.
                out[t] = out[t] if out[t] >= here[t] or out[t] != out[t] else here[t]


@compiled(**OPTIONS)
def _pool(i, x, tables, batch, largest):
    entering, leaving = i[ENTERING] * batch, i[LEAVING] * batch
    for c in range(i[CHANNELS]):
        begin = (i[SOURCE] + c * (i[ENTERING] + GAP)) * batch
        source = x[begin : begin + entering]
        begin = (i[TARGET] + c * (i[LEAVING] + GAP)) * batch
        out = x[begin : begin + leaving]
        at = i[TABLE] + 1
        for _ in range(tables[at - 1]):
            length, taps = tables[at + 1] * batch, tables[at + 2]
            best = largest[:length]
            if i[KIND] == MAX:
                _largest(best, source, tables, at, batch, length)
            else:
                _clear(best)
                for k in range(taps):
                    begin = tables[at + 4 + 2 * k] * batch
                    here = source[begin : begin + length]
                    for t in range(length):
                        best[t] += here[t]
                share = f32(1 / taps)
                for t in range(length):
                    best[t] *= share
            _pass_back(out[tables[at] * batch : tables[at] * batch + length], best, best, False, not i[ADD])
            at += 3 + 2 * taps


@compiled(**OPTIONS)
def _pool_back(i, x, g, tables, batch, largest, left):
    entering, leaving = i[ENTERING] * batch, i[LEAVING] * batch
    for c in range(i[CHANNELS]):
        begin = (i[SOURCE] + c * (i[ENTERING] + GAP)) * batch
        source = x[begin : begin + entering]
        begin = (i[SOURCE_GRADIENT] + c * (i[ENTERING] + GAP)) * batch
        lower = g[begin : begin + entering]
        begin = (i[TARGET_GRADIENT] + c * (i[LEAVING] + GAP)) * batch
        upper = g[begin : begin + leaving]
        if i[FRESH]:
            _clear(lower)
        at = i[TABLE] + 1
        for _ in range(tables[at - 1]):
            first, length, taps = tables[at] * batch, tables[at + 1] * batch, tables[at + 2]
            best, rest = largest[:length], left[:length]
            share = f32(1) if i[KIND] == MAX else f32(1 / taps)
            for t in range(length):
                rest[t] = share * upper[first + t]
            if i[KIND] == MAX:
                _largest(best, source, tables, at, batch, length)
            for k in range(taps):
                begin = tables[at + 4 + 2 * k] * batch
                here, below = source[begin : begin + length], lower[begin : begin + length]
                if i[KIND] == MAX:
                    # The first of several that are equally large gets all of it.
                    for t in range(length):
                        hit = here[t] == best[t]
                        below[t] += rest[t] if hit else f32(0)
                        rest[t] = f32(0) if hit else rest[t]
                else:
                    for t in range(length):
                        below[t] += rest[t]
            at += 3 + 2 * taps


# A network


@compiled(**OPTIONS)
def forward(code, x, tables, w, running, seen, batch, training, rectified, places, row):
    """Runs a tape: all maps of x behind the images. In training, `seen` gets mean and 1 / deviation of the batch."""
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
            _norm(i, x, w, running, seen, batch, training)
        elif kind in (MAX, AVERAGE):
            _pool(i, x, tables, batch, rectified)
        else:
            size = i[CHANNELS] * (i[LEAVING] + GAP) * batch
            source, target = i[SOURCE] * batch, i[TARGET] * batch
            if kind == ZERO:
                _clear(x[target : target + size])
            else:
                here = x[source : source + size]
                _pass_back(x[target : target + size], here, here, False, not i[ADD])


@compiled(**OPTIONS)
def backward(code, x, g, tables, w, dw, seen, batch, rectified, lower, places, row):
    """Runs a tape from its end, with the gradient of its last map in g: adds to the gradients of its weights."""
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
            _norm_back(i, x, g, w, dw, seen, batch)
        elif kind in (MAX, AVERAGE):
            _pool_back(i, x, g, tables, batch, rectified, lower)
        elif kind == COPY:
            size = i[CHANNELS] * (i[LEAVING] + GAP) * batch
            here, there = i[TARGET_GRADIENT] * batch, i[SOURCE_GRADIENT] * batch
            upper = g[here : here + size]
            _pass_back(g[there : there + size], upper, upper, False, i[FRESH])


@compiled(**OPTIONS)
def classify(i, x, w, logits, pooled, batch):
    """Logits `[classes, batch]` of the last map; i is an instruction that makes the classes out of its channels.

    `pooled` becomes the mean of each of the map's channels over its positions.
    """
    channels, classes, pixels = i[CHANNELS], i[MADE], i[ENTERING]
    share = f32(1 / pixels)
    for k in range(classes):
        logits[k * batch : (k + 1) * batch] = w[i[WEIGHT] + classes * channels + k]
    for c in range(channels):
        mean = pooled[c * batch : (c + 1) * batch]
        _clear(mean)
        for pixel in range(pixels):
            begin = (i[SOURCE] + c * (pixels + GAP) + pixel) * batch
            here = x[begin : begin + batch]
            for t in range(batch):
                mean[t] += f32(0) if i[RELU] and here[t] < f32(0) else here[t]
        for t in range(batch):
            mean[t] *= share
        for k in range(classes):
            weight, out = w[i[WEIGHT] + k * channels + c], logits[k * batch : (k + 1) * batch]
            for t in range(batch):
                out[t] += weight * mean[t]


@compiled(**OPTIONS)
def classify_back(i, x, g, w, dw, logits, labels, pooled):
    """The mean cross entropy; its gradients for the last map and for the classifier. Overwrites logits and `pooled`."""
    batch, channels, classes, pixels = len(labels), i[CHANNELS], i[MADE], i[ENTERING]
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
            there = (i[SOURCE_GRADIENT] + c * (pixels + GAP) + pixel) * batch
            _pass_back(g[there : there + batch], x[begin : begin + batch], mean, i[RELU], True)
    return f32(loss / batch)


@compiled(**OPTIONS)
def update(w, dw, momentum, rate, kept, decay, longest):
    """Gradient descent with momentum and weight decay, the gradient made no longer than `longest`."""
    total = 0.0
    for first in range(0, len(dw), 4096):
        total += _squares(dw[first : first + 4096], f32(0))
    share = f32(min(1.0, longest / (np.sqrt(total) + 1e-6)))
    for t in range(len(w)):
        momentum[t] = kept * momentum[t] + (share * dw[t] + decay * w[t])
        w[t] -= rate * momentum[t]
