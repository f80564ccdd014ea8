"""Networks of policies as data: observation shape, layers, actions, and the place of each tensor in a parameter row."""

from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from itertools import pairwise
from math import prod, sqrt
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from germline.programs.policy.noise import Floats
from germline.programs.policy.own_tensor import OwnTensor

Form = Literal["mlp", "conv", "own"]
Activation = Literal["tanh", "relu"]
Padding = Literal["same", "valid"]

PadWidths = tuple[int, int, int, int]
"""Zeros padded around an image: columns on the left and right, rows above and below."""

OUTPUT_GAIN = 0.1
"""Gain of the last layer, whose initial weights have the deviation gain / √inputs; other layers have the gain 1."""

CONVOLUTIONS = ((32, 8, 4), (64, 4, 2), (64, 3, 1))
"""Channels, kernel and stride of the convolutions in front of a dense layer (Mnih et al. 2015, as in Deep GA)."""

DENSE_UNITS = 512

OBSERVATION_LIMIT = 5.0
"""Normalised observations are clipped to plus or minus this many standard deviations."""

MAX_PARAMETERS = 10**8


class InvalidNetwork(ValueError):
    """Data that describe no valid network; the message says what was expected."""


@dataclass(frozen=True)
class Box:
    """Continuous actions: element i is from `low[i]` (an output of -1) to `high[i]` (an output of 1)."""

    low: tuple[float, ...]
    high: tuple[float, ...]

    def __post_init__(self) -> None:
        _canonicalise_floats(self, "low", "high")


@dataclass(frozen=True)
class Normalisation:
    """Standardises observations: `(observation - mean) * scale`, clipped to ±`OBSERVATION_LIMIT`."""

    mean: tuple[float, ...]
    scale: tuple[float, ...]

    def __post_init__(self) -> None:
        _canonicalise_floats(self, "mean", "scale")


def _canonicalise_floats(record: Box | Normalisation, *names: str) -> None:
    """Replaces -0.0 by 0.0 and integers by floats: the values are equal, so their genomes must be the same text."""
    for name in names:
        object.__setattr__(record, name, tuple(float(value) + 0.0 for value in getattr(record, name)))


@dataclass(frozen=True)
class ParameterTensor:
    """A weight or bias tensor in a network's row of parameters.

    Args:
        name: such as `hidden1.weight`.
        shape: its shape.
        begin: index of its first element in the row.
        std: initial standard deviation; 0 for biases.
        start: initial mean.
        units_first: whether its first axis counts units, as in torch, and the others inputs. Else the last axis does.
    """

    name: str
    shape: tuple[int, ...]
    begin: int
    std: float
    start: float = 0.0
    units_first: bool = False

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def columns(self) -> int:
        """Columns of the matrix of a tensor of two or more axes, whose rows follow each other in memory."""
        return prod(self.shape[1:]) if self.units_first else self.shape[-1]

    @property
    def span(self) -> slice:
        """Index of its elements in a row of parameters."""
        return slice(self.begin, self.begin + self.size)

    def view(self, parameters: Any) -> Any:
        """Its elements, `[..., *shape]`, in rows of the network's P parameters: an array or torch tensor `[..., P]`."""
        return parameters[..., self.span].reshape((*parameters.shape[:-1], *self.shape))


@dataclass(frozen=True)
class Network:
    """Structure of a policy network.

    Args:
        form: `mlp`: dense layers of `hidden` units; `conv`: three convolutions and a dense layer of 512 units, for
            images of integers from 0 to 255, which are divided by 255; `own`: code of the task, an `nn.Module`, of
            which the network has the names, shapes and initial values of its parameters alone.
        observation: shape of an observation; (channels, height, width) for `conv`.
        actions: number of discrete actions, or the box of continuous actions.
        hidden: units of each hidden layer (`mlp`).
        activation: activation of hidden layers (`mlp`); `conv` uses ReLU.
        padding: padding of convolutions (`conv`), as in TensorFlow: `same` pads images with zeros to an output of
            ceil(size / stride), `valid` does not pad.
        normalisation: standardisation of observations (`mlp` and `own`), or None.
        own: parameters of the module in the order of `named_parameters` (`own`).
    """

    form: Form
    observation: tuple[int, ...]
    actions: int | Box
    hidden: tuple[int, ...] = ()
    activation: Activation = "tanh"
    padding: Padding = "same"
    normalisation: Normalisation | None = None
    own: tuple[OwnTensor, ...] = ()

    @property
    def output_count(self) -> int:
        """Number of outputs: one for each discrete action, or for each element of a continuous action."""
        return self.actions if isinstance(self.actions, int) else len(self.actions.low)

    @cached_property
    def tensors(self) -> tuple[ParameterTensor, ...]:
        """Weight and bias of each layer in turn. Weights are `[inputs, units]` or `[height, width, inputs, units]`.

        Of an own network they are the parameters of the module, with their shapes in torch.
        """
        tensors: list[ParameterTensor] = []
        begin = 0
        for own in self.own:
            place = ParameterTensor(own.name, own.shape, begin, own.std, own.start or 0.0, units_first=True)
            tensors.append(place)
            begin += place.size
        if self.form == "own":
            return tuple(tensors)
        for name, shape in self._weight_shapes():
            gain = OUTPUT_GAIN if name == "output" else 1.0
            weight = ParameterTensor(f"{name}.weight", shape, begin, gain / sqrt(prod(shape[:-1])))
            bias = ParameterTensor(f"{name}.bias", shape[-1:], begin + weight.size, 0.0)
            tensors += [weight, bias]
            begin = bias.begin + bias.size
        return tuple(tensors)

    def _weight_shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        """Name and weight shape of each layer in the order of the forward pass."""
        if self.form == "mlp":
            widths = (prod(self.observation), *self.hidden, self.output_count)
            names = [*(f"hidden{number}" for number in range(1, len(widths) - 1)), "output"]
            return list(zip(names, pairwise(widths), strict=True))
        shapes: list[tuple[str, tuple[int, ...]]] = []
        channels = self.observation[0]
        for number, (units, kernel, _) in enumerate(CONVOLUTIONS, 1):
            shapes.append((f"conv{number}", (kernel, kernel, channels, units)))
            channels = units
        shapes.append(("dense", (prod(self.image_sizes[-1]) * channels, DENSE_UNITS)))
        shapes.append(("output", (DENSE_UNITS, self.output_count)))
        return shapes

    @cached_property
    def image_sizes(self) -> tuple[tuple[int, int], ...]:
        """Height and width of the observed image, then of the output of each convolution (`conv`)."""
        sizes = [(self.observation[1], self.observation[2])]
        for _, kernel, stride in CONVOLUTIONS:
            height, width = sizes[-1]
            cut = 0 if self.padding == "same" else kernel - 1
            sizes.append((-(-(height - cut) // stride), -(-(width - cut) // stride)))
        return tuple(sizes)

    @property
    def parameter_count(self) -> int:
        """Number of weights and biases; P in the shapes of arrays."""
        return self.tensors[-1].begin + self.tensors[-1].size

    @cached_property
    def layout(self) -> str:
        """Hash of the order, shapes and initial values of all tensors, 8 hexadecimal digits.

        It is part of every genome, because the same seeds give other parameters in another layout.
        """
        text = ";".join(
            f"{tensor.name}{tensor.shape}{tensor.std!r}" + (f"+{tensor.start!r}" if tensor.start else "")
            for tensor in self.tensors
        )
        return sha256(text.encode()).hexdigest()[:8]

    def data(self) -> dict[str, Any]:
        """The network as plain JSON data; `read_network(network.data()) == network`."""
        data: dict[str, Any] = {"form": self.form, "observation": list(self.observation)}
        if self.form == "mlp":
            data |= {"hidden": list(self.hidden), "activation": self.activation}
        elif self.form == "own":
            data |= {"tensors": [tensor.data() for tensor in self.own]}
        else:
            data |= {"padding": self.padding}
        if isinstance(self.actions, Box):
            data["actions"] = {"low": list(self.actions.low), "high": list(self.actions.high)}
        else:
            data["actions"] = self.actions
        if self.normalisation:
            data["normalise"] = {"mean": list(self.normalisation.mean), "scale": list(self.normalisation.scale)}
        return data


def paddings(network: Network) -> list[PadWidths]:
    """Zeros padded in front of each convolution; empty for `mlp`. An odd row goes below, an odd column to the right."""
    if network.form != "conv":
        return []
    if network.padding == "valid":
        return [(0, 0, 0, 0)] * len(CONVOLUTIONS)
    widths = []
    for (_, kernel, stride), before, after in zip(
        CONVOLUTIONS, network.image_sizes, network.image_sizes[1:], strict=False
    ):
        rows, columns = (max(0, (n - 1) * stride + kernel - m) for m, n in zip(before, after, strict=True))
        widths.append((columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))
    return widths


def choose_actions(actions: int | Box, outputs: Floats) -> NDArray[Any]:
    """Actions that a policy takes for n observations, given its network's outputs.

    Args:
        actions: number of discrete actions, or the box of continuous actions.
        outputs: float32 `[n, outputs]`.

    Returns:
        int64 `[n]`, the index of the first largest output; for a box float32 `[n, outputs]`, each output clipped to
        -1 to 1 and scaled to the box.
    """
    if isinstance(actions, int):
        best: NDArray[np.int64] = outputs.argmax(1)
        return best
    low, high = np.array(actions.low), np.array(actions.high)
    share = (np.clip(outputs.astype(np.float64), -1, 1) + 1) / 2
    scaled: Floats = (low + share * (high - low)).astype(np.float32)
    return scaled
