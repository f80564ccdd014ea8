"""Networks of policies, as data: what they see, how they are built, what they choose, and where each weight lies."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from itertools import pairwise
from math import prod, sqrt
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from germline.programs.policy.noise import Floats

Form = Literal["mlp", "conv"]
Activation = Literal["tanh", "relu"]
Padding = Literal["same", "valid"]

Edges = tuple[int, int, int, int]
"""How many rows and columns of zeros stand around an image: left, right, above, below."""

OUTPUT_GAIN = 0.1
"""Standard deviation of the last layer's weights, times the root of what goes into a unit; 1 of all others."""

CONVOLUTIONS = ((32, 8, 4), (64, 4, 2), (64, 3, 1))
"""Channels, kernel and stride of the convolutions in front of `DENSE` units (Mnih et al. 2015, as in Deep GA)."""

DENSE = 512

MAX_PARAMETERS = 10**8


class InvalidNetwork(ValueError):
    """There is no such network; the message says what was expected."""


@dataclass(frozen=True)
class Box:
    """Continuous actions: one number each from `low` to `high`. An output of -1 is the lowest, of 1 the highest."""

    low: tuple[float, ...]
    high: tuple[float, ...]

    def __post_init__(self) -> None:
        _in_one_form(self, "low", "high")


@dataclass(frozen=True)
class Normalisation:
    """What is taken from each observed number, and by what the rest is multiplied; the result is cut at ±`LIMIT`."""

    mean: tuple[float, ...]
    scale: tuple[float, ...]

    def __post_init__(self) -> None:
        _in_one_form(self, "mean", "scale")


def _in_one_form(found: Box | Normalisation, *names: str) -> None:
    """Writes numbers as 0.0 and 1.0 where they came as -0.0 and 1: they are equal, and so are genomes with them."""
    for name in names:
        object.__setattr__(found, name, tuple(float(value) + 0.0 for value in getattr(found, name)))


LIMIT = 5.0
"""How many standard deviations of an observation a network sees."""


@dataclass(frozen=True)
class Leaf:
    """One tensor of parameters: its name, shape, place in the row of all, and standard deviation at the start."""

    name: str
    shape: tuple[int, ...]
    begin: int
    std: float

    @property
    def size(self) -> int:
        return prod(self.shape)


@dataclass(frozen=True)
class Network:
    """A network.

    Args:
        form: `mlp`: layers of `hidden` units; `conv`: three convolutions and a layer of 512 units, for images of
            whole numbers from 0 to 255, which are divided by 255.
        observation: the shape of what it sees, for `conv` (channels, height, width).
        actions: how many there are to choose from, or the box that they lie in.
        hidden, activation: of `mlp`; `conv` has ReLU.
        padding: of `conv`: `same` keeps the borders of images, `valid` cuts them.
        normalisation: of `mlp`: what is done to an observation first; None: nothing.
    """

    form: Form
    observation: tuple[int, ...]
    actions: int | Box
    hidden: tuple[int, ...] = ()
    activation: Activation = "tanh"
    padding: Padding = "same"
    normalisation: Normalisation | None = None

    @property
    def outputs(self) -> int:
        return self.actions if isinstance(self.actions, int) else len(self.actions.low)

    @cached_property
    def leaves(self) -> tuple[Leaf, ...]:
        """Weights and biases, layer by layer. Weights are `[inputs, outputs]` or `[height, width, inputs, outputs]`."""
        shapes: list[tuple[str, tuple[int, ...]]] = []
        if self.form == "conv":
            channels = self.observation[0]
            for number, (units, kernel, _) in enumerate(CONVOLUTIONS, 1):
                shapes.append((f"conv{number}", (kernel, kernel, channels, units)))
                channels = units
            shapes.append(("dense", (prod(self.sizes[-1]) * channels, DENSE)))
            shapes.append(("output", (DENSE, self.outputs)))
        else:
            widths = (prod(self.observation), *self.hidden, self.outputs)
            names = [*(f"hidden{number}" for number in range(1, len(widths) - 1)), "output"]
            shapes.extend((name, pair) for name, pair in zip(names, pairwise(widths), strict=True))
        found: list[Leaf] = []
        begin = 0
        for name, shape in shapes:
            gain = OUTPUT_GAIN if name == "output" else 1.0
            weight = Leaf(f"{name}.weight", shape, begin, gain / sqrt(prod(shape[:-1])))
            bias = Leaf(f"{name}.bias", shape[-1:], begin + weight.size, 0.0)
            found += [weight, bias]
            begin = bias.begin + bias.size
        return tuple(found)

    @cached_property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """Height and width of the image, and of what each convolution makes of it."""
        found = [(self.observation[1], self.observation[2])]
        for _, kernel, stride in CONVOLUTIONS:
            height, width = found[-1]
            cut = 0 if self.padding == "same" else kernel - 1
            found.append((-(-(height - cut) // stride), -(-(width - cut) // stride)))
        return tuple(found)

    @property
    def parameters(self) -> int:
        """How many weights and biases there are."""
        return self.leaves[-1].begin + self.leaves[-1].size

    @cached_property
    def layout(self) -> str:
        """A hash of where each parameter lies and how it begins; part of a genome, since it says what seeds mean."""
        told = ";".join(f"{leaf.name}{leaf.shape}{leaf.std!r}" for leaf in self.leaves)
        return sha256(told.encode()).hexdigest()[:8]

    def data(self) -> dict[str, Any]:
        """As plain data; `read_network(network.data()) == network`."""
        found: dict[str, Any] = {"form": self.form, "observation": list(self.observation)}
        if self.form == "mlp":
            found |= {"hidden": list(self.hidden), "activation": self.activation}
        else:
            found |= {"padding": self.padding}
        if isinstance(self.actions, Box):
            found["actions"] = {"low": list(self.actions.low), "high": list(self.actions.high)}
        else:
            found["actions"] = self.actions
        if self.normalisation:
            found["normalise"] = {"mean": list(self.normalisation.mean), "scale": list(self.normalisation.scale)}
        return found


def paddings(network: Network) -> list[Edges]:
    """What stands around the image at each convolution; if odd, a row more below and a column more on the right."""
    if network.form != "conv":
        return []
    found = []
    for (_, kernel, stride), taken, made in zip(CONVOLUTIONS, network.sizes, network.sizes[1:], strict=False):
        high, wide = (max(0, (m - 1) * stride + kernel - t) for t, m in zip(taken, made, strict=True))
        same = (wide // 2, wide - wide // 2, high // 2, high - high // 2)
        found.append(same if network.padding == "same" else (0, 0, 0, 0))
    return found


def chosen(actions: int | Box, outputs: Floats) -> NDArray[Any]:
    """The actions that outputs `[n, outputs]` stand for.

    Returns:
        int64 `[n]`: the first of the largest outputs; for a box float32 `[n, outputs]`: each output, cut to -1 to 1,
        scaled to the box.
    """
    if isinstance(actions, int):
        best: NDArray[np.int64] = outputs.argmax(1)
        return best
    low, high = np.array(actions.low), np.array(actions.high)
    share = (np.clip(outputs.astype(np.float64), -1, 1) + 1) / 2
    scaled: Floats = (low + share * (high - low)).astype(np.float32)
    return scaled


def read_network(found: Any) -> Network:
    """The network that plain data describe.

    Raises:
        InvalidNetwork: they describe none.
    """
    if not isinstance(found, dict) or found.get("form") not in ("mlp", "conv"):
        raise InvalidNetwork(f'expected a network with "form": "mlp" or "conv", got {found!r:.60}')
    mlp = found["form"] == "mlp"
    needed = {"form", "observation", "actions", *(("hidden", "activation") if mlp else ("padding",))}
    if not needed <= set(found) <= needed | ({"normalise"} if mlp else set()):
        raise InvalidNetwork(f"expected a network of {', '.join(sorted(needed))}, got {', '.join(sorted(found)):.80}")
    observation = _wholes("observation", found["observation"], 1 if mlp else 3, 8 if mlp else 3)
    actions = _actions(found["actions"])
    if mlp:
        network = Network(
            "mlp",
            observation,
            actions,
            _wholes("hidden", found["hidden"], 0, 16),
            _one_of("activation", found["activation"], ("tanh", "relu")),
            normalisation=_normalisation(found.get("normalise"), prod(observation)),
        )
    else:
        network = Network("conv", observation, actions, padding=_one_of("padding", found["padding"], ("same", "valid")))
        if min(min(size) for size in network.sizes) < 1:
            raise InvalidNetwork(f"expected images that three convolutions leave something of, got {observation}")
    if network.parameters > MAX_PARAMETERS:
        raise InvalidNetwork(f"expected at most {MAX_PARAMETERS:,} parameters, got {network.parameters:,}")
    return network


def _wholes(name: str, found: Any, fewest: int, most: int) -> tuple[int, ...]:
    whole = isinstance(found, list) and all(type(one) is int and 0 < one <= 10**6 for one in found)
    if not whole or not fewest <= len(found) <= most:
        raise InvalidNetwork(f"{name}: expected {fewest} to {most} whole numbers from 1, got {found!r:.60}")
    return tuple(found)


def _numbers(name: str, found: Any, count: int | None = None) -> tuple[float, ...]:
    real = isinstance(found, list) and all(type(one) in (int, float) and abs(one) <= 1e30 for one in found)
    if not real or not found or count not in (None, len(found)) or len(found) > 10**6:
        raise InvalidNetwork(f"{name}: expected {count or 'some'} finite numbers, got {found!r:.60}")
    return tuple(map(float, found))


def _one_of(name: str, found: Any, options: tuple[Any, ...]) -> Any:
    if found not in options:
        raise InvalidNetwork(f"{name}: expected {' or '.join(options)}, got {found!r:.60}")
    return found


def _actions(found: Any) -> int | Box:
    if type(found) is int and 1 <= found <= 10**6:
        return found
    if isinstance(found, Mapping) and set(found) == {"low", "high"}:
        low = _numbers("actions.low", found["low"])
        high = _numbers("actions.high", found["high"], len(low))
        if all(one < other for one, other in zip(low, high, strict=True)):
            return Box(low, high)
    raise InvalidNetwork(f'actions: expected how many there are, or {{"low": […], "high": […]}}, got {found!r:.60}')


def _normalisation(found: Any, count: int) -> Normalisation | None:
    if found is None:
        return None
    if not isinstance(found, Mapping) or set(found) != {"mean", "scale"}:
        raise InvalidNetwork(f"normalise: expected mean and scale, got {found!r:.60}")
    return Normalisation(
        _numbers("normalise.mean", found["mean"], count), _numbers("normalise.scale", found["scale"], count)
    )
