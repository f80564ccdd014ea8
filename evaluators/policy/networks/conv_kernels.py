"""Compiled kernels of convolutional networks: one decision after the other, each with its policy's parameters.

Little of an image changes from one decision to the next. So each slot (a place in which one episode runs) stores the
inputs and the sums of each layer, and only differences pass through the network: an input that differs from the stored
input changes the sums in which it takes part. The first image of an episode is the case in which all inputs changed
from 0.

`layers` is int64 `[layers, 13]`, with a row for each layer. Its columns:

- 0 and 1: the indices in a row of parameters at which its weights and its biases begin;
- 2 and 3: the inputs of each unit, and the units;
- 4 to 6: height, width and channels of its input;
- 7 and 8: kernel and stride;
- 9 and 10: height and width of its output;
- 11 and 12: padding above and to the left.

A dense layer is a convolution over one pixel, whose channels are its inputs.
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
"""After this many decisions the sums of a slot are computed anew, so that rounding errors do not accumulate. In Atari
games the error was at most 6e-14 times the largest sum of a layer; relative to a sum near 0 it may be larger."""

ROWS, LINE, LANES = 4, 16, 8
"""Rows of weights added at once; floats in a cache line; doubles in a vector register. A line is two vectors."""

VECTORS = not config.DISABLE_JIT
"""False where Numba's compiler is switched off, and with it the vector instructions of `add_rows`."""

LONG, AHEAD = 256, 8
"""Rows of at least `LONG` units are prefetched `AHEAD` rows before they are used, as they are not in the cache."""


@intrinsic
def add_rows(
    context: Any, changes: Any, places: Any, weights: Any, shift: Any, sums: Any, first: Any, prefetching: Any
) -> Any:
    """`add_changes` for the `ROWS` changes from `first` on; `prefetching`: also prefetch the rows `AHEAD` changes on.

    The number of units must be a multiple of `LINE`. It is written as LLVM instructions because the compiler turns the
    same loop in Python into a loop that first tests whether its arrays overlap, and prefetches in a separate loop.
    """
    numbers = types.float64, types.int64, types.float32, types.float64
    arrays = zip((changes, places, weights, sums), numbers, strict=True)
    if any(array.layout != "C" or array.dtype != number for array, number in arrays):
        return None  # Numba raises a TypingError at the call
    vector, singles = ir.VectorType(ir.DoubleType(), LANES), ir.VectorType(ir.FloatType(), LANES)
    number, short, byte = ir.IntType(64), ir.IntType(32), ir.IntType(8).as_pointer()

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def array(i: int) -> Any:
            return cgutils.create_struct_proxy(signature.args[i])(context, builder, arguments[i])

        def pointer(data: Any, at: Any, target_type: Any) -> Any:
            return builder.bitcast(builder.gep(data, [at]), target_type.as_pointer())

        def weight_row(k: Any) -> Any:
            at = builder.add(builder.load(builder.gep(array(1).data, [k])), arguments[3])
            return builder.gep(array(2).data, [builder.mul(at, units)])

        def broadcast(value: Any) -> Any:
            lane = builder.insert_element(ir.Constant(vector, ir.Undefined), value, short(0))
            return builder.shuffle_vector(lane, lane, ir.Constant(ir.VectorType(short, LANES), [0] * LANES))

        def add_lines(prefetched_rows: Sequence[Any]) -> None:
            with cgutils.for_range(builder, builder.udiv(units, number(LINE)), intp=number) as line:
                begin = builder.mul(line.index, number(LINE))
                for ahead in prefetched_rows:
                    builder.call(prefetch, [builder.bitcast(builder.gep(ahead, [begin]), byte), *hints])
                for half in range(0, LINE, LANES):
                    at = builder.add(begin, number(half))
                    target = pointer(array(4).data, at, vector)
                    total = builder.load(target, align=8)
                    for change, row in zip(factors, rows, strict=True):
                        weight = builder.fpext(builder.load(pointer(row, at, singles), align=4), vector)
                        total = builder.fadd(total, builder.fmul(change, weight))
                    builder.store(total, target, align=8)

        hints = [short(0), short(2), short(1)]  # for reading, into the L2 cache, data
        prefetch_type = ir.FunctionType(ir.VoidType(), [byte, *(hint.type for hint in hints)])
        prefetch = cgutils.get_or_insert_function(builder.module, prefetch_type, "llvm.prefetch.p0i8")
        units = array(4).nitems
        indices = [builder.add(arguments[5], number(i)) for i in range(ROWS)]
        rows = [weight_row(k) for k in indices]
        factors = [broadcast(builder.load(builder.gep(array(0).data, [k]))) for k in indices]
        with builder.if_else(arguments[6]) as (yes, no):
            with yes:
                add_lines([weight_row(builder.add(k, number(AHEAD))) for k in indices])
            with no:
                add_lines([])
        return context.get_dummy_value()

    return types.void(changes, places, weights, types.int64, sums, types.int64, types.boolean), generate


@compiled()
def add_changes(changes: Any, places: Any, weights: Any, shift: int, sums: Any) -> None:
    """`sums += changes @ weights[places + shift]`, added up in the order of the n changes.

    Args:
        changes: float64 `[n]`, new minus old value of each input that changed.
        places: int64 `[n]`, the input that each change belongs to, before the shift.
        weights: float32, the rows of `[inputs, units]` one after the other.
        shift: added to each place to get its row of `weights`.
        sums: float64 `[units]`, updated in place.
    """
    units, count = sums.size, changes.size
    whole = count - count % ROWS if VECTORS and units % LINE == 0 else 0
    for k in range(0, whole, ROWS):
        add_rows(changes, places, weights, shift, sums, k, units >= LONG and k + AHEAD + ROWS <= whole)
    for k in range(whole, count):
        begin = (places[k] + shift) * units
        x, row = changes[k], weights[begin : begin + units]
        for j in range(units):
            sums[j] += x * row[j]


@compiled()
def convolve_changes(shape: Any, starts: Any, changes: Any, places: Any, weights: Any, sums: Any) -> None:
    """Adds the effect of changed inputs to the sums of a convolution.

    Args:
        shape: int64 `[9]`, columns 4 to 12 of the layer's row of `layers`: height of the input to padding on the left.
        starts: int64 `[height, width + 1]`, flat: the index in `changes` of each pixel's first change; the last element
            of a line is where the changes of that line end.
        changes: float64, new minus old value of each input that changed, in the order of the pixels.
        places: int64, column * channels + channel of each change; within a line of the image they ascend.
        weights: float32 `[kernel, kernel, channels, units]`, flat.
        sums: float64 `[height, width, units]` of the output, flat.
    """
    height, width, channels, kernel, stride = shape[0], shape[1], shape[2], shape[3], shape[4]
    out_height, out_width, above, left = shape[5], shape[6], shape[7], shape[8]
    units = sums.size // (out_height * out_width)
    for y in range(kernel):
        for i in range(out_height):
            line = i * stride - above + y
            if 0 <= line < height:
                for j in range(out_width):
                    begin = j * stride - left
                    first = starts[line * (width + 1) + max(begin, 0)]
                    last = starts[line * (width + 1) + min(begin + kernel, width)]
                    if first < last:
                        at = (i * out_width + j) * units
                        shift = (y * kernel - begin) * channels
                        add_changes(changes[first:last], places[first:last], weights, shift, sums[at : at + units])


@compiled()
def image_changes(image: Any, stored: Any, starts: Any, changes: Any, places: Any) -> None:
    """Lists where an image differs from `stored`, the last image, both `[channels, height, width]`; updates `stored`.

    `starts`, `changes` and `places` are written as `convolve_changes` reads them.
    """
    channels, height, width = image.shape
    differs = np.empty(width, np.uint8)
    count = 0
    for y in range(height):
        differs[:] = 0
        for c in range(channels):
            new, old = image[c, y], stored[c, y]
            for x in range(width):
                differs[x] |= new[x] ^ old[x]
        for x in range(width):
            starts[y * (width + 1) + x] = count
            if differs[x]:
                for c in range(channels):
                    changes[count] = (np.float64(image[c, y, x]) - np.float64(stored[c, y, x])) / 255.0
                    places[count] = x * channels + c
                    count += image[c, y, x] != stored[c, y, x]
                    stored[c, y, x] = image[c, y, x]
        starts[y * (width + 1) + width] = count


@compiled()
def relu_changes(sums: Any, stored: Any, shape: Any, starts: Any, changes: Any, places: Any) -> None:
    """Lists where the ReLU of a layer's sums differs from `stored`, the last inputs of the next layer; updates it.

    Args:
        sums, stored: float64 `[height, width, channels]`, flat.
        shape: int64 `[9]`, columns 4 to 12 of the next layer's row of `layers`.
        starts, changes, places: written as `convolve_changes` reads them.
    """
    height, width, channels = shape[0], shape[1], shape[2]
    count = 0
    for y in range(height):
        for x in range(width):
            starts[y * (width + 1) + x] = count
            at = (y * width + x) * channels
            for c in range(channels):
                new, old = max(sums[at + c], 0.0), stored[at + c]
                changes[count] = new - old
                places[count] = x * channels + c
                count += new != old
                stored[at + c] = new
        starts[y * (width + 1) + width] = count


@compiled()
def forward_convolutional(
    parameters: Any, policies: Any, observations: Any, layers: Any, slots: Any, ages: Any, images: Any, inputs: Any,
    sums: Any, outputs: Any,
) -> None:  # fmt: skip
    """Outputs of convolutional networks; updates the state of their slots.

    Args:
        parameters: the P parameters of N policies, float32 `[N, P]`.
        policies: policy of each of n rows, int64 `[n]`.
        observations: uint8 `[n, channels, height, width]`.
        layers: see the head of this file.
        slots: slot of each row, int64 `[n]`.
        ages: decisions since the episode of each slot began, int64 `[slots]`, counted up. Where an age is a multiple of
            `REFRESH`, as at 0, the state of the slot is computed anew.
        images: last image of each slot, uint8 `[slots, channels, height, width]`.
        inputs: stored inputs of all layers but the first, concatenated, I numbers: float64 `[slots, I]`.
        sums: stored sums of all layers, concatenated, S numbers: float64 `[slots, S]`.
        outputs: float32 `[n, outputs]`, written.
    """
    most = (layers[:, 4] * layers[:, 5] * layers[:, 6]).max() + 1  # an input that did not change is written behind them
    changes, places = np.empty(most), np.empty(most, np.int64)
    starts = np.empty((layers[:, 4] * (layers[:, 5] + 1)).max(), np.int64)
    for i in range(policies.size):
        row, slot = parameters[policies[i]], slots[i]
        anew = ages[slot] % REFRESH == 0
        ages[slot] += 1
        if anew:
            images[slot] = 0
            inputs[slot] = 0.0
        image_changes(observations[i], images[slot], starts, changes, places)
        inputs_begin, sums_begin = 0, 0
        previous_sums = sums[slot, :0]
        for layer in range(layers.shape[0]):
            weights, biases, units, shape = layers[layer, 0], layers[layer, 1], layers[layer, 3], layers[layer, 4:]
            layer_sums = sums[slot, sums_begin : sums_begin + shape[5] * shape[6] * units]
            if anew:
                for k in range(layer_sums.size):
                    layer_sums[k] = row[biases + k % units]
            if layer:
                stored = inputs[slot, inputs_begin : inputs_begin + previous_sums.size]
                relu_changes(previous_sums, stored, shape, starts, changes, places)
                inputs_begin += previous_sums.size
            convolve_changes(shape, starts, changes, places, row[weights:biases], layer_sums)
            previous_sums = layer_sums
            sums_begin += layer_sums.size
        for j in range(outputs.shape[1]):
            outputs[i, j] = previous_sums[j]
