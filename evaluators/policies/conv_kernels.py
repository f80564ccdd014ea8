"""Convolutional networks of policies, compiled: one decision after the other, each with its policy's parameters.

A network looks at images of which little changes from one decision to the next. So a slot keeps what its
layers were fed and the sums that came out, and only the differences pass through: what is fed to a layer and is not
what it was changes the sums that it takes part in. An image after nothing is the case in which all of it has changed.

`layers` holds a row for each layer: where its weights and its biases begin, how many inputs and outputs it has, height,
width and channels of its input, kernel, stride, height and width of its output, and the padding above and to the left;
to a dense layer all inputs are channels of one pixel.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from germline.programs.compiling import compiled

REFRESH = 100
"""After so many decisions a slot begins anew, so that rounding does not add up. In Atari games it came to at most 6e-14
of the largest sum of a layer; of a sum near 0 that may be much more of its own size."""

LONG, AHEAD, LINE = 256, 8, 16
"""Rows of so many units are asked for so many rows before they are used, a line of so many floats at a time."""


@intrinsic
def fetch(context: Any, values: Any, at: Any) -> Any:
    """Asks the memory for the line of `values[at]`, and does not wait for it. Changes no number."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = cgutils.create_struct_proxy(signature.args[0])(context, builder, arguments[0]).data
        place = builder.bitcast(builder.gep(data, [arguments[1]]), ir.IntType(8).as_pointer())
        how = [ir.Constant(ir.IntType(32), number) for number in (0, 2, 1)]  # to read, into the second cache, data
        kind = ir.FunctionType(ir.VoidType(), [place.type, *(one.type for one in how)])
        builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8"), [place, *how])
        return context.get_dummy_value()

    return types.void(values, at), generate


@compiled()
def add(changes: Any, places: Any, weights: Any, shift: int, sums: Any) -> None:
    """`sums += changes @ weights[places + shift]`, added up in their order; `weights` is flat."""
    units, count = sums.size, changes.size
    whole = count - count % 4
    for k in range(0, whole, 4):
        a, b = (places[k] + shift) * units, (places[k + 1] + shift) * units
        c, d = (places[k + 2] + shift) * units, (places[k + 3] + shift) * units
        wa, wb, wc, wd = weights[a : a + units], weights[b : b + units], weights[c : c + units], weights[d : d + units]
        xa, xb, xc, xd = changes[k], changes[k + 1], changes[k + 2], changes[k + 3]
        if units >= LONG and k + AHEAD + 4 <= whole:
            for later in range(k + AHEAD, k + AHEAD + 4):
                for j in range(0, units, LINE):
                    fetch(weights, (places[later] + shift) * units + j)
        for j in range(units):
            sums[j] = (((sums[j] + xa * wa[j]) + xb * wb[j]) + xc * wc[j]) + xd * wd[j]
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
