"""The networks of policies, compiled: one decision after the other, each with its own policy's parameters.

Parameters are float32, all else is computed in double precision, and only what comes out is rounded to float32. So the
same numbers come out whatever computes them, in whatever order it adds up (the chance of another last bit is some 1e-8
a number), and an exported network plays the same episodes. Every sum has its order written down.

`layers` holds a row for each layer: where its weights and its biases begin, how many inputs and outputs it has. A
convolution's row goes on with height, width and channels of its input, kernel, stride, height and width of its output,
and the padding above and to the left.
"""

from typing import Any

import numpy as np

from germline.programs.compiling import compiled

RELU, TANH = 0, 1

_POWERS = 2.0 ** np.arange(64)


@compiled()
def tanh(values: Any) -> None:
    """In place, to 2e-16: 1 - 2 / (e^2x + 1), with e^x from a power of two and the sum of a series."""
    for i in range(values.size):
        x = min(abs(values[i]), 20.0) * 2.0
        whole = np.floor(x * 1.4426950408889634 + 0.5)
        rest = (x - whole * 0.693147180369123816490) - whole * 1.90821492927058770002e-10
        series = 1.0 / 6227020800.0
        series = series * rest + 1.0 / 479001600.0
        series = series * rest + 1.0 / 39916800.0
        series = series * rest + 1.0 / 3628800.0
        series = series * rest + 1.0 / 362880.0
        series = series * rest + 1.0 / 40320.0
        series = series * rest + 1.0 / 5040.0
        series = series * rest + 1.0 / 720.0
        series = series * rest + 1.0 / 120.0
        series = series * rest + 1.0 / 24.0
        series = series * rest + 1.0 / 6.0
        series = series * rest + 0.5
        series = series * rest + 1.0
        series = series * rest + 1.0
        found = 1.0 - 2.0 / (series * _POWERS[np.int64(whole)] + 1.0)
        values[i] = found if values[i] >= 0.0 else -found


@compiled()
def activate(values: Any, activation: int) -> None:
    if activation == TANH:
        tanh(values)
    else:
        for i in range(values.size):
            values[i] = max(values[i], 0.0)


@compiled()
def dense(inputs: Any, weights: Any, biases: Any, out: Any, active: Any) -> None:
    """`out = biases + inputs @ weights`, added up in the order of the inputs; those that are 0 are passed over."""
    count = 0
    for i in range(inputs.size):
        if inputs[i] != 0.0:
            active[count] = i
            count += 1
    units = out.size
    for j in range(units):
        out[j] = biases[j]
    whole = count - count % 4
    for k in range(0, whole, 4):
        a, b, c, d = active[k], active[k + 1], active[k + 2], active[k + 3]
        xa, xb, xc, xd = inputs[a], inputs[b], inputs[c], inputs[d]
        wa, wb = weights[a * units : (a + 1) * units], weights[b * units : (b + 1) * units]
        wc, wd = weights[c * units : (c + 1) * units], weights[d * units : (d + 1) * units]
        for j in range(units):
            out[j] = (((out[j] + xa * wa[j]) + xb * wb[j]) + xc * wc[j]) + xd * wd[j]
    for k in range(whole, count):
        x, row = inputs[active[k]], weights[active[k] * units : (active[k] + 1) * units]
        for j in range(units):
            out[j] += x * row[j]


@compiled()
def mlp(
    parameters: Any, which: Any, observations: Any, mean: Any, scale: Any, limit: float, layers: Any, activation: int,
    out: Any,
) -> None:  # fmt: skip
    """Outputs of multi-layer perceptrons.

    Args:
        parameters: float32 `[N, P]`.
        which: whose turn it is, int64 `[n]`.
        observations: `[n, D]`.
        mean, scale: float64 `[D]`, or empty.
        limit: where normalised observations are cut.
        out: float32 `[n, A]`.
    """
    widest = max(layers[:, 2].max(), layers[:, 3].max())
    one, other = np.empty(widest), np.empty(widest)
    active = np.empty(widest, np.int64)
    for i in range(which.size):
        row = parameters[which[i]]
        for j in range(observations.shape[1]):
            one[j] = observations[i, j]
        if mean.size:
            for j in range(observations.shape[1]):
                one[j] = min(max((one[j] - mean[j]) * scale[j], -limit), limit)
        for layer in range(layers.shape[0]):
            begin, biases, inputs, units = layers[layer, 0], layers[layer, 1], layers[layer, 2], layers[layer, 3]
            dense(one[:inputs], row[begin:biases], row[biases : biases + units], other[:units], active)
            one, other = other, one
            if layer < layers.shape[0] - 1:
                activate(one[:units], activation)
        for j in range(out.shape[1]):
            out[i, j] = one[j]


_BLOCK = 4
"""Places of an image that a convolution works on together, so that its weights stay in the first cache meanwhile."""


@compiled()
def convolve(inputs: Any, weights: Any, biases: Any, shape: Any, out: Any, rows: Any) -> None:
    """A convolution with ReLU. `inputs` and `out` are `[height, width, channels]`, flat; weights are double.

    The inputs of `_BLOCK` places are copied into `rows`, then each output is added up in their order.
    """
    height, width, channels, kernel, stride = shape[0], shape[1], shape[2], shape[3], shape[4]
    wide, places, above, left = shape[6], shape[5] * shape[6], shape[7], shape[8]
    units, taps = biases.size, kernel * kernel * channels
    for first in range(0, places, _BLOCK):
        here = min(_BLOCK, places - first)
        for p in range(here):
            top, begin = (first + p) // wide * stride - above, (first + p) % wide * stride - left
            place = rows[p * taps : (p + 1) * taps]
            for y in range(kernel):
                for x in range(kernel):
                    at = (y * kernel + x) * channels
                    if 0 <= top + y < height and 0 <= begin + x < width:
                        source = ((top + y) * width + begin + x) * channels
                        for c in range(channels):
                            place[at + c] = inputs[source + c]
                    else:
                        for c in range(channels):
                            place[at + c] = 0.0
            target = out[(first + p) * units : (first + p + 1) * units]
            for j in range(units):
                target[j] = biases[j]
        for k in range(0, taps, 4):  # a multiple of 4: kernel or channels are even
            wa, wb = weights[k * units : (k + 1) * units], weights[(k + 1) * units : (k + 2) * units]
            wc, wd = weights[(k + 2) * units : (k + 3) * units], weights[(k + 3) * units : (k + 4) * units]
            for p in range(here):
                target = out[(first + p) * units : (first + p + 1) * units]
                at = p * taps + k
                xa, xb, xc, xd = rows[at], rows[at + 1], rows[at + 2], rows[at + 3]
                for j in range(units):
                    target[j] = (((target[j] + xa * wa[j]) + xb * wb[j]) + xc * wc[j]) + xd * wd[j]
        for p in range(here):
            target = out[(first + p) * units : (first + p + 1) * units]
            for j in range(units):
                target[j] = max(target[j], 0.0)


@compiled()
def conv(parameters: Any, which: Any, observations: Any, layers: Any, out: Any) -> None:
    """Outputs of convolutional networks: all rows of `layers` but the last two are convolutions.

    Args:
        parameters: float32 `[N, P]`.
        which: whose turn it is, int64 `[n]`.
        observations: uint8 `[n, channels, height, width]`.
        out: float32 `[n, A]`.
    """
    _, channels, height, width = observations.shape
    convolutions = layers.shape[0] - 2
    largest, most, heaviest = channels * height * width, layers[-2, 3], 0
    for layer in range(convolutions):
        largest = max(largest, layers[layer, 9] * layers[layer, 10] * layers[layer, 3])
        most = max(most, layers[layer, 2])
        heaviest = max(heaviest, layers[layer, 2] * layers[layer, 3])
    one, other = np.empty(largest), np.empty(largest)
    rows, weights = np.empty(_BLOCK * most), np.empty(heaviest)
    active = np.empty(largest, np.int64)
    for i in range(which.size):
        row = parameters[which[i]]
        for c in range(channels):
            for y in range(height):
                for x in range(width):
                    one[(y * width + x) * channels + c] = observations[i, c, y, x] / 255.0
        for layer in range(convolutions):
            begin, biases, inputs, units = layers[layer, 0], layers[layer, 1], layers[layer, 2], layers[layer, 3]
            for k in range(inputs * units):
                weights[k] = row[begin + k]
            convolve(one, weights, row[biases : biases + units], layers[layer, 4:], other, rows)
            one, other = other, one
        for layer in range(convolutions, convolutions + 2):
            begin, biases, inputs, units = layers[layer, 0], layers[layer, 1], layers[layer, 2], layers[layer, 3]
            dense(one[:inputs], row[begin:biases], row[biases : biases + units], other[:units], active)
            one, other = other, one
            if layer == convolutions:
                activate(one[:units], RELU)
        for j in range(out.shape[1]):
            out[i, j] = one[j]
