"""Multi-layer perceptrons of policies, compiled: all decisions at once, each in a column with its own parameters.

Side by side the parameters of different policies fill the processor's vectors, whatever the size of a layer. Every sum
has its order written down.

`layers` holds a row for each layer: where its weights and its biases begin, how many inputs and how many units it has.
"""

from typing import Any

import numpy as np

from germline.programs.compiling import compiled

RELU, TANH = 0, 1

VECTOR = 8
"""Columns are as many as fill whole vectors."""


@compiled(error_model="numpy")
def tanh(values: Any, powers: Any, rests: Any) -> None:
    """In place, to three units in the last place: q / (q + 2) where q = e^2x - 1.

    e^2x is a power of two times 1 + the sum of a series. The 1 goes to the power: so nothing cancels where x is small.

    Args:
        values: float64 `[n]`.
        powers, rests: int64 and float64 of at least that size, for what is known in between.
    """
    count = values.size
    for i in range(count):
        x = min(abs(values[i]), 20.0) * 2.0
        whole = np.floor(x * 1.4426950408889634 + 0.5)
        rests[i] = (x - whole * 0.693147180369123816490) - whole * 1.90821492927058770002e-10
        powers[i] = (np.int64(whole) + 1023) << 52  # the bits of two to that power
    twos = powers.view(np.float64)
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
        grown = series * twos[i] + (twos[i] - 1.0)
        values[i] = np.copysign(grown / (grown + 2.0), values[i])


@compiled()
def place(parameters: Any, column: int, layers: Any, columns: Any) -> None:
    """Writes parameters `[P]` into a column of `[P, width]`, the weights of a unit one after another."""
    for layer in range(layers.shape[0]):
        begin, biases, inputs, units = layers[layer, 0], layers[layer, 1], layers[layer, 2], layers[layer, 3]
        for j in range(units):
            for i in range(inputs):
                columns[begin + j * inputs + i, column] = parameters[begin + i * units + j]
            columns[biases + j, column] = parameters[biases + j]


@compiled(error_model="numpy")
def dense(inputs: Any, weights: Any, biases: Any, sums: Any, width: int) -> None:
    """`sums = biases + inputs @ weights` in each column, added up in the order of inputs; all `[…, width]`, flat."""
    count = inputs.size // width
    whole = count - count % 4
    for j in range(sums.size // width):
        made, bias = sums[j * width : (j + 1) * width], biases[j * width : (j + 1) * width]
        for n in range(width):
            made[n] = bias[n]
        row = j * count
        for k in range(0, whole, 4):
            x, at = inputs[k * width : (k + 4) * width], (row + k) * width
            w = weights[at : at + 4 * width]
            for n in range(width):
                two = (made[n] + x[n] * w[n]) + x[width + n] * w[width + n]
                made[n] = (two + x[2 * width + n] * w[2 * width + n]) + x[3 * width + n] * w[3 * width + n]
        for k in range(whole, count):
            x, w = inputs[k * width : (k + 1) * width], weights[(row + k) * width : (row + k + 1) * width]
            for n in range(width):
                made[n] += x[n] * w[n]


@compiled(error_model="numpy")
def perceptrons(
    observations: Any, columns: Any, places: Any, mean: Any, scale: Any, limit: float, layers: Any, activation: int,
    one: Any, other: Any, powers: Any, out: Any,
) -> None:  # fmt: skip
    """Outputs of multi-layer perceptrons.

    Args:
        observations: `[n, D]`.
        columns: float32 `[P, width]`, as `place` writes them.
        places: the column of each observation, int64 `[n]`.
        mean, scale: float64 `[D]`, or empty.
        limit: where normalised observations are cut.
        one, other: float64 `[widest, width]`, flat, for what layers make; finite before.
        powers: int64 of the same size.
        out: float32, for `[n, A]` in its first rows.
    """
    width, flat = columns.shape[1], columns.reshape(-1)
    for i in range(places.size):
        for d in range(observations.shape[1]):
            x = np.float64(observations[i, d])
            if mean.size:
                x = min(max((x - mean[d]) * scale[d], -limit), limit)
            one[d * width + places[i]] = x
    for layer in range(layers.shape[0]):
        begin, biases, inputs, units = layers[layer, 0], layers[layer, 1], layers[layer, 2], layers[layer, 3]
        made = other[: units * width]
        weights, shift = flat[begin * width : biases * width], flat[biases * width : (biases + units) * width]
        dense(one[: inputs * width], weights, shift, made, width)
        if layer < layers.shape[0] - 1:
            if activation == TANH:
                tanh(made, powers[: made.size], one)
            else:
                for k in range(made.size):
                    made[k] = max(made[k], 0.0)
        one, other = other, one
    for i in range(places.size):
        for j in range(out.shape[1]):
            out[i, j] = one[j * width + places[i]]


@compiled()
def narrow(columns: Any, kept: Any, width: int) -> Any:
    """Some columns, from the left on; the rest is 0."""
    found = np.zeros((columns.shape[0], width), columns.dtype)
    for p in range(columns.shape[0]):
        for i in range(kept.size):
            found[p, i] = columns[p, kept[i]]
    return found


@compiled()
def choose(said: Any, count: int, low: Any, high: Any, actions: Any) -> None:
    """`germline.programs.policy.network.chosen`, for the first `count` rows."""
    for i in range(count):
        if actions.ndim == 1:
            best = 0
            for j in range(1, said.shape[1]):
                if said[i, j] > said[i, best] or (np.isnan(said[i, j]) and not np.isnan(said[i, best])):
                    best = j
            actions[i] = best
        else:
            for j in range(said.shape[1]):
                output = np.float64(said[i, j])
                share = output if np.isnan(output) else min(max(output, -1.0), 1.0)
                actions[i, j] = low[j] + (share + 1.0) / 2.0 * (high[j] - low[j])


def episodes(
    decide: Any, states: Any, seen: Any, constants: Any,
    columns: Any, places: Any, mean: Any, scale: Any, limit: float, layers: Any, activation: int,
    one: Any, other: Any, powers: Any,
    actions: Any, low: Any, high: Any, said: Any, totals: Any, lengths: Any, most: int,
) -> None:  # fmt: skip
    """Plays an episode in each of the first n slots until it is over, or its return no number, or after `most` steps.

    Args:
        decide, states, seen, constants: see `germline.evaluators.policy.environments.classic`.
        columns, places, mean, scale, limit, layers, activation, one, other, powers: see `perceptrons`.
        actions, said: int64 `[n]` or float32 `[n, outputs]`, and float32 `[n, outputs]`, for what is known in between.
        low, high: of a box of actions; empty for a choice.
        totals, lengths: `[n]`, 0 before: for returns and steps.
    """
    count = totals.size
    alive, at, shown = np.arange(count), places.copy(), np.empty((count, seen.shape[1]), np.float32)
    rewards, over = np.empty(count), np.empty(count, np.bool_)
    for _ in range(most):
        for i in range(count):
            for d in range(shown.shape[1]):
                shown[i, d] = seen[alive[i], d]
        perceptrons(
            shown[:count], columns, at[:count], mean, scale, limit, layers, activation, one, other, powers, said
        )
        choose(said, count, low, high, actions)
        decide(states, seen, alive[:count], actions, rewards, over, constants)
        going = 0
        for i in range(count):
            slot = alive[i]
            totals[slot] += rewards[i]
            lengths[slot] += 1
            if not over[i] and np.isfinite(totals[slot]):
                alive[going], at[going] = slot, at[i]
                going += 1
        count = going
        if count == 0:
            return
        width = (count + VECTOR - 1) // VECTOR * VECTOR
        if width < columns.shape[1]:
            columns = narrow(columns, at[:count], width)
            for i in range(count):  # a copy by slices takes 2 seconds to compile, for what it says if they do not fit
                at[i] = i
