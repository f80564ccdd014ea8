"""Convolutional networks of policies, compiled: one decision after the other, each with its policy's parameters.

A network looks at images of which little changes from one decision to the next. So a slot keeps what its
layers were fed and the sums that came out, and only the differences pass through: what is fed to a layer and is not
what it was changes the sums that it takes part in. An image after nothing is the case in which all of it has changed.

`layers` holds a row for each layer: where its weights and its biases begin, how many inputs and outputs it has, height,
width and channels of its input, kernel, stride, height and width of its output, and the padding above and to the left;
to a dense layer all inputs are channels of one pixel.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic

from germline.programs.compiling import compiled

REFRESH = 100
"""After so many decisions a slot begins anew, so that rounding does not add up. In Atari games it came to at most 6e-14
of the largest sum of a layer; of a sum near 0 that may be much more of its own size."""

ROWS, LINE, LANES = 4, 16, 8
"""So many rows of weights are added at once, by lines of memory of so many floats, each in two vectors."""

VECTORS = not config.DISABLE_JIT
"""What is not compiled has no vectors."""

LONG, AHEAD = 256, 8
"""Rows of so many units are asked for so many rows before they are used: they come from far away."""


@intrinsic
def add_rows(
    context: Any, changes: Any, places: Any, weights: Any, shift: Any, sums: Any, first: Any, fetching: Any
) -> Any:
    """Of `add`, the `ROWS` changes from `first` on; units in whole lines. What is `fetching` asks for rows to come.

    These are the instructions themselves, because the compiler makes of the same loop in Python one that looks first
    whether its arrays overlap, and asks the memory for lines in a loop of its own.
    """
    numbers = types.float64, types.int64, types.float32, types.float64
    arrays = zip((changes, places, weights, sums), numbers, strict=True)
    if any(one.layout != "C" or one.dtype != number for one, number in arrays):
        return None  # which is an error of types where it is called
    vector, singles = ir.VectorType(ir.DoubleType(), LANES), ir.VectorType(ir.FloatType(), LANES)
    number, short, byte = ir.IntType(64), ir.IntType(32), ir.IntType(8).as_pointer()

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def array(i: int) -> Any:
            return cgutils.create_struct_proxy(signature.args[i])(context, builder, arguments[i])

        def place(data: Any, at: Any, kind: Any) -> Any:
            return builder.bitcast(builder.gep(data, [at]), kind.as_pointer())

        def row(k: Any) -> Any:
            at = builder.add(builder.load(builder.gep(array(1).data, [k])), arguments[3])
            return builder.gep(array(2).data, [builder.mul(at, units)])

        def everywhere(value: Any) -> Any:
            one = builder.insert_element(ir.Constant(vector, ir.Undefined), value, short(0))
            return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(short, LANES), [0] * LANES))

        def lines(later: Sequence[Any]) -> None:
            with cgutils.for_range(builder, builder.udiv(units, number(LINE)), intp=number) as line:
                begin = builder.mul(line.index, number(LINE))
                for one in later:
                    builder.call(prefetch, [builder.bitcast(builder.gep(one, [begin]), byte), *how])
                for half in range(0, LINE, LANES):
                    at = builder.add(begin, number(half))
                    summed = place(array(4).data, at, vector)
                    total = builder.load(summed, align=8)
                    for change, one in zip(new, rows, strict=True):
                        weight = builder.fpext(builder.load(place(one, at, singles), align=4), vector)
                        total = builder.fadd(total, builder.fmul(change, weight))
                    builder.store(total, summed, align=8)

        how = [short(0), short(2), short(1)]  # to read, into the second cache, data
        kind = ir.FunctionType(ir.VoidType(), [byte, *(one.type for one in how)])
        prefetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        units = array(4).nitems
        each = [builder.add(arguments[5], number(i)) for i in range(ROWS)]
        rows = [row(k) for k in each]
        new = [everywhere(builder.load(builder.gep(array(0).data, [k]))) for k in each]
        with builder.if_else(arguments[6]) as (yes, no):
            with yes:
                lines([row(builder.add(k, number(AHEAD))) for k in each])
            with no:
                lines([])
        return context.get_dummy_value()

    return types.void(changes, places, weights, types.int64, sums, types.int64, types.boolean), generate


@compiled()
def add(changes: Any, places: Any, weights: Any, shift: int, sums: Any) -> None:
    """`sums += changes @ weights[places + shift]`, added up in their order; `weights` is flat."""
    units, count = sums.size, changes.size
    whole = count - count % ROWS if VECTORS and units % LINE == 0 else 0
    for k in range(0, whole, ROWS):
        add_rows(changes, places, weights, shift, sums, k, units >= LONG and k + AHEAD + ROWS <= whole)
    for k in range(whole, count):
        a = (places[k] + shift) * units
        x, row = changes[k], weights[a : a + units]
        for j in range(units):
            sums[j] += x * row[j]


@compiled()
def convolve(shape: Any, starts: Any, changes: Any, places: Any, weights: Any, sums: Any) -> None:
    """What changed in an image changes the sums of a convolution.

    Args:
        shape: the layer's row from the height of its input on.
        starts: where the changes of each pixel begin, `[height, width + 1]`, flat: the last of a line is its end.
        changes: new less old.
        places: of each change, column * channels + channel; line after line, ascending in each.
        weights: float32 `[kernel, kernel, channels, units]`, flat.
        sums: `[height, width, units]` of the output, flat.
    """
    height, width, channels, kernel, stride = shape[0], shape[1], shape[2], shape[3], shape[4]
    high, wide, above, left = shape[5], shape[6], shape[7], shape[8]
    units = sums.size // (high * wide)
    for y in range(kernel):
        for i in range(high):
            line = i * stride - above + y
            if 0 <= line < height:
                for j in range(wide):
                    begin = j * stride - left
                    first = starts[line * (width + 1) + max(begin, 0)]
                    last = starts[line * (width + 1) + min(begin + kernel, width)]
                    if first < last:
                        at = (i * wide + j) * units
                        shift = (y * kernel - begin) * channels
                        add(changes[first:last], places[first:last], weights, shift, sums[at : at + units])


@compiled()
def look(image: Any, seen: Any, starts: Any, changes: Any, places: Any) -> None:
    """Takes note of what an image has that was not `seen`, both `[channels, height, width]`; then it was."""
    channels, height, width = image.shape
    differs = np.empty(width, np.uint8)
    count = 0
    for y in range(height):
        differs[:] = 0
        for c in range(channels):
            new, old = image[c, y], seen[c, y]
            for x in range(width):
                differs[x] |= new[x] ^ old[x]
        for x in range(width):
            starts[y * (width + 1) + x] = count
            if differs[x]:
                for c in range(channels):
                    changes[count] = (np.float64(image[c, y, x]) - np.float64(seen[c, y, x])) / 255.0
                    places[count] = x * channels + c
                    count += image[c, y, x] != seen[c, y, x]
                    seen[c, y, x] = image[c, y, x]
        starts[y * (width + 1) + width] = count


@compiled()
def rectify(sums: Any, fed: Any, shape: Any, starts: Any, changes: Any, places: Any) -> None:
    """Takes note of where ReLU of the sums is not what the next layer was `fed`, both flat; then it is."""
    height, width, channels = shape[0], shape[1], shape[2]
    count = 0
    for y in range(height):
        for x in range(width):
            starts[y * (width + 1) + x] = count
            at = (y * width + x) * channels
            for c in range(channels):
                new, old = max(sums[at + c], 0.0), fed[at + c]
                changes[count] = new - old
                places[count] = x * channels + c
                count += new != old
                fed[at + c] = new
        starts[y * (width + 1) + width] = count


@compiled()
def conv(
    parameters: Any, which: Any, observations: Any, layers: Any, slots: Any, ages: Any, seen: Any, fed: Any, sums: Any,
    out: Any,
) -> None:  # fmt: skip
    """Outputs of convolutional networks; what slots keep is brought up to date.

    Args:
        parameters: float32 `[N, P]`.
        which: whose turn it is, int64 `[n]`.
        observations: uint8 `[n, channels, height, width]`.
        slots: which of those below is whose, int64 `[n]`.
        ages: for how many decisions each slot has kept what follows, int64 `[slots]`; for none: it begins anew.
        seen: the last image of each slot, uint8 `[slots, channels, height, width]`.
        fed: what each layer but the first was fed, float64 `[slots, F]`.
        sums: what each layer made of it, float64 `[slots, S]`.
        out: float32 `[n, A]`.
    """
    most = (layers[:, 4] * layers[:, 5] * layers[:, 6]).max() + 1  # one beyond is written to
    changes, places = np.empty(most), np.empty(most, np.int64)
    starts = np.empty((layers[:, 4] * (layers[:, 5] + 1)).max(), np.int64)
    for i in range(which.size):
        row, slot = parameters[which[i]], slots[i]
        anew = ages[slot] % REFRESH == 0
        ages[slot] += 1
        if anew:
            seen[slot] = 0
            fed[slot] = 0.0
        look(observations[i], seen[slot], starts, changes, places)
        into, begin = 0, 0
        before = sums[slot, :0]
        for layer in range(layers.shape[0]):
            weights, biases, units, shape = layers[layer, 0], layers[layer, 1], layers[layer, 3], layers[layer, 4:]
            made = sums[slot, begin : begin + shape[5] * shape[6] * units]
            if anew:
                for k in range(made.size):
                    made[k] = row[biases + k % units]
            if layer:
                rectify(before, fed[slot, into : into + before.size], shape, starts, changes, places)
                into += before.size
            convolve(shape, starts, changes, places, row[weights:biases], made)
            before = made
            begin += made.size
        for j in range(out.shape[1]):
            out[i, j] = before[j]
