"""Compiled kernels of multi-layer perceptrons: a batch of policies side by side, each in a column of its own.

Elements of different policies that lie side by side fill vector registers, whatever the size of a layer. The order of
every sum is fixed by the code.

`layers` is int64 `[layers, 4]`, with a row for each layer: the indices in a row of parameters at which its weights and
its biases begin, and its numbers of inputs and units.
"""

from typing import Any

import numpy as np

from germline.programs.compiling import compiled

RELU, TANH = 0, 1

VECTOR = 8
"""The number of columns is a multiple of this, so that they fill whole vector registers."""


@compiled(error_model="numpy")
def tanh(values: Any, powers: Any, rests: Any) -> None:
    """Hyperbolic tangent in place, to three units in the last place: q / (q + 2) where q = e^2x - 1.

    e^2x is a power of two times (1 + a power series). q is computed as power * series + (power - 1), so that nothing
    cancels where x is small.

    Args:
        values: float64 `[n]`.
        powers, rests: int64 and float64 buffers of at least that size.
    """
    count = values.size
    for i in range(count):
        x = min(abs(values[i]), 20.0) * 2.0
        whole = np.floor(x * 1.4426950408889634 + 0.5)
        rests[i] = (x - whole * 0.693147180369123816490) - whole * 1.90821492927058770002e-10
        powers[i] = (np.int64(whole) + 1023) << 52  # the bits of the double 2^whole
    powers_of_two = powers.view(np.float64)
    for i in range(count):
        rest = rests[i]
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
        series = series * rest * rest + rest
        q = series * powers_of_two[i] + (powers_of_two[i] - 1.0)
        values[i] = np.copysign(q / (q + 2.0), values[i])


@compiled()
def write_column(parameters: Any, column: int, layers: Any, columns: Any) -> None:
    """Writes the P parameters of a policy, `[P]`, to a column of `columns` `[P, width]`, with the weights of each layer
    transposed: all weights of a unit in sequence."""
    for layer in range(layers.shape[0]):
        begin, biases, inputs, units = layers[layer, 0], layers[layer, 1], layers[layer, 2], layers[layer, 3]
        for j in range(units):
            for i in range(inputs):
                columns[begin + j * inputs + i, column] = parameters[begin + i * units + j]
            columns[biases + j, column] = parameters[biases + j]


@compiled(error_model="numpy")
def dense(inputs: Any, weights: Any, biases: Any, sums: Any, width: int) -> None:
    """`sums = biases + inputs @ weights` in each column, added up in the order of inputs.

    Args:
        inputs: float64 `[inputs, width]`, flat.
        weights, biases: float32 `[units, inputs, width]` and `[units, width]`, flat.
        sums: float64 `[units, width]`, flat; written.
        width: number of columns.
    """
    count = inputs.size // width
    whole = count - count % 4
    for j in range(sums.size // width):
        unit_sums, bias = sums[j * width : (j + 1) * width], biases[j * width : (j + 1) * width]
        for n in range(width):
            unit_sums[n] = bias[n]
        row = j * count
        for k in range(0, whole, 4):
            x, at = inputs[k * width : (k + 4) * width], (row + k) * width
            w = weights[at : at + 4 * width]
            for n in range(width):
                first_two = (unit_sums[n] + x[n] * w[n]) + x[width + n] * w[width + n]
                unit_sums[n] = (first_two + x[2 * width + n] * w[2 * width + n]) + x[3 * width + n] * w[3 * width + n]
        for k in range(whole, count):
            x, w = inputs[k * width : (k + 1) * width], weights[(row + k) * width : (row + k + 1) * width]
            for n in range(width):
                unit_sums[n] += x[n] * w[n]


@compiled(error_model="numpy")
def forward_perceptrons(
    observations: Any, columns: Any, places: Any, mean: Any, scale: Any, limit: float, layers: Any, activation: int,
    inputs: Any, sums: Any, powers: Any, outputs: Any,
) -> None:  # fmt: skip
    """Outputs of multi-layer perceptrons for n observations of D numbers.

    Args:
        observations: `[n, D]`.
        columns: policies of P parameters, float32 `[P, width]`, as `write_column` writes them.
        places: column of each observation's policy, int64 `[n]`.
        mean, scale: float64 `[D]`, or empty for no normalisation.
        limit: normalised observations are clipped to ±limit.
        layers: see the head of this file.
        activation: `RELU` or `TANH`.
        inputs, sums: float64 buffers `[widest layer, width]`, flat; their values must be finite.
        powers: int64 buffer of the same size.
        outputs: float32, whose first `n` rows are written.
    """
    width, flat = columns.shape[1], columns.reshape(-1)
    for i in range(places.size):
        for d in range(observations.shape[1]):
            x = np.float64(observations[i, d])
            if mean.size:
                x = min(max((x - mean[d]) * scale[d], -limit), limit)
            inputs[d * width + places[i]] = x
    for layer in range(layers.shape[0]):
        begin, biases, input_count, units = layers[layer, 0], layers[layer, 1], layers[layer, 2], layers[layer, 3]
        layer_sums = sums[: units * width]
        weights, bias = flat[begin * width : biases * width], flat[biases * width : (biases + units) * width]
        dense(inputs[: input_count * width], weights, bias, layer_sums, width)
        if layer < layers.shape[0] - 1:
            if activation == TANH:
                tanh(layer_sums, powers[: layer_sums.size], inputs)
            else:
                for k in range(layer_sums.size):
                    layer_sums[k] = max(layer_sums[k], 0.0)
        inputs, sums = sums, inputs
    for i in range(places.size):
        for j in range(outputs.shape[1]):
            outputs[i, j] = inputs[j * width + places[i]]


@compiled()
def select_columns(columns: Any, chosen: Any, width: int) -> Any:
    """A copy of the columns with the numbers `chosen`, in that order, as `[P, width]`; further columns are 0."""
    narrow = np.zeros((columns.shape[0], width), columns.dtype)
    for p in range(columns.shape[0]):
        for i in range(chosen.size):
            narrow[p, i] = columns[p, chosen[i]]
    return narrow


@compiled()
def choose_actions(outputs: Any, count: int, low: Any, high: Any, actions: Any) -> None:
    """Same as `germline.programs.policy.network.choose_actions`, for the first `count` rows."""
    for i in range(count):
        if actions.ndim == 1:
            best = 0
            for j in range(1, outputs.shape[1]):
                if outputs[i, j] > outputs[i, best] or (np.isnan(outputs[i, j]) and not np.isnan(outputs[i, best])):
                    best = j
            actions[i] = best
        else:
            for j in range(outputs.shape[1]):
                output = np.float64(outputs[i, j])
                clipped = output if np.isnan(output) else min(max(output, -1.0), 1.0)
                actions[i, j] = low[j] + (clipped + 1.0) / 2.0 * (high[j] - low[j])


def play_episodes(
    step: Any, states: Any, observations: Any, constants: Any,
    columns: Any, places: Any, mean: Any, scale: Any, limit: float, layers: Any, activation: int,
    inputs: Any, sums: Any, powers: Any,
    actions: Any, low: Any, high: Any, outputs: Any, totals: Any, lengths: Any, max_steps: int,
) -> None:  # fmt: skip
    """Plays an episode in each of the first n slots until it is over, its return is not finite, or `max_steps` passed.

    Args:
        step, states, observations, constants: a step kernel and its arguments, see
            `germline.evaluators.policy.environments.classic_control`.
        columns, places, mean, scale, limit, layers, activation, inputs, sums, powers: see `forward_perceptrons`.
        actions, outputs: buffers, int64 `[n]` or float32 `[n, outputs]`, and float32 `[n, outputs]`.
        low, high: bounds of a box of actions; empty for discrete actions.
        totals, lengths: returns and numbers of decisions, float64 and int64 `[n]`; 0 before the call.
        max_steps: decisions after which an episode is cut.
    """
    count = totals.size
    playing, column, batch = np.arange(count), places.copy(), np.empty((count, observations.shape[1]), np.float32)
    rewards, over = np.empty(count), np.empty(count, np.bool_)
    for _ in range(max_steps):
        for i in range(count):
            for d in range(batch.shape[1]):
                batch[i, d] = observations[playing[i], d]
        forward_perceptrons(
            batch[:count], columns, column[:count], mean, scale, limit, layers, activation, inputs, sums, powers,
            outputs,
        )  # fmt: skip
        choose_actions(outputs, count, low, high, actions)
        step(states, observations, playing[:count], actions, rewards, over, constants)
        still_playing = 0
        for i in range(count):
            slot = playing[i]
            totals[slot] += rewards[i]
            lengths[slot] += 1
            if not over[i] and np.isfinite(totals[slot]):
                playing[still_playing], column[still_playing] = slot, column[i]
                still_playing += 1
        count = still_playing
        if count == 0:
            return
        width = (count + VECTOR - 1) // VECTOR * VECTOR
        if width < columns.shape[1]:
            columns = select_columns(columns, column[:count], width)
            for i in range(count):  # a slice assignment would take 2 more seconds to compile, for its error message
                column[i] = i
