"""A network as a tape: the list of instructions of its forward pass, and the place of each of its tensors.

The network is the torch module of `programs.architecture.network`, with the same names of tensors. `CompiledNetworks`
runs tapes without calling modules; `StackedNetworks` merges the tapes of many networks, so that equal layers run
together. Layers that do not reach the loss are left out; autograd gives them no gradient either.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from functools import lru_cache
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from germline.programs.architecture.genome import Architecture
from germline.programs.architecture.layers import IMAGE, NetworkLayer, layers
from germline.programs.architecture.operations import OPERATIONS
from germline.programs.architecture.skeleton import Skeleton, halved


class LayerKind(IntEnum):
    """What the layer of an instruction computes; the compiled kernels use the same numbers."""

    DEPTHWISE = 0
    DENSE = 1
    NORM = 2
    MAX = 3
    AVERAGE = 4
    COPY = 5
    ZERO = 6


class Window(NamedTuple):
    """The pixels that an output pixel reads: rows `stride * y - padding + dilation * i` for i below `kernel`, and
    columns in the same way.

    Kernel, stride and padding are pairs: along rows (the height) and along columns. A negative padding is a shift. The
    output has `ceil(size / stride)` pixels a side.
    """

    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    dilation: int = 1
    padding: tuple[int, int] = (0, 0)

    @property
    def taps(self) -> int:
        return self.kernel[0] * self.kernel[1]

    def output(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the output for a map of this height and width."""
        return -(-height // self.stride[0]), -(-width // self.stride[1])


def square(kernel: int, stride: int = 1, padding: int = 0) -> Window:
    """A window with the same kernel, stride and padding along rows and columns."""
    return Window((kernel, kernel), (stride, stride), 1, (padding, padding))


PIXEL = Window()
GAP = 1
"""Unused positions behind each channel; equal to `GAP` of the compiled kernels, which say why."""


@dataclass(frozen=True, slots=True)
class Map:
    """The feature maps of one image at one point of the network, as a place in memory.

    Args:
        place: where it begins: how many float32 numbers of one image lie before it.
        channels, height, width: its shape. Behind each channel lie `GAP` unused positions.
        parts: the maps that it joins by channels; empty for a map that joins none.
    """

    place: int
    channels: int
    height: int
    width: int
    parts: tuple["Map", ...] = ()

    @property
    def positions(self) -> int:
        return self.height * self.width

    @property
    def size(self) -> int:
        return self.channels * (self.positions + GAP)

    @property
    def leaves(self) -> tuple["Map", ...]:
        """Its parts, or the map itself if it joins none."""
        return self.parts or (self,)


class Slot(NamedTuple):
    """The place of a tensor in the row of a network's weights, or in the row of its running statistics.

    Args:
        name: in `Network.state_dict()`.
        shape: of the tensor.
        place: where it begins in the row.
        by_taps: true for a full convolution, whose `[out, in, height, width]` lies there as `[out, height, width, in]`.
    """

    name: str
    shape: tuple[int, ...]
    place: int = 0
    by_taps: bool = False

    @property
    def size(self) -> int:
        return prod(self.shape)


@dataclass(frozen=True, slots=True)
class Instruction:
    """One layer.

    Args:
        kind: what it computes.
        target: the map it writes.
        source: the map it reads.
        relu: whether a ReLU comes first.
        add: whether it adds to its target; otherwise it overwrites it.
        window: of a convolution or a pool.
        weight: place of a convolution's weights `[out, taps, in]` (depthwise `[channels, taps]`), or of a norm's scale
            and bias.
        statistics: place of a norm's running mean and variance.
        cell: the `cell` of its `NetworkLayer`.
    """

    kind: LayerKind
    target: Map
    source: Map
    relu: bool = False
    add: bool = False
    window: Window = PIXEL
    weight: int = 0
    statistics: int = 0
    cell: int = 0


@dataclass(frozen=True, slots=True)
class Tape:
    """The instructions of a network's forward pass and the places of its tensors, without layers that do not reach the
    loss.

    Args:
        skeleton: of the network.
        instructions: in the order in which they run.
        image: the map of the image, the first in memory.
        last: the map whose mean over positions the classifier reads.
        last_relu: whether a ReLU comes before that mean.
        classifier: place of the classifier's weights `[classes, channels]` and bias.
        size: how many numbers all maps of one image take.
        weights: slots of all weights, in the order of the row.
        statistics: slots of all running statistics, in the order of the row.
    """

    skeleton: Skeleton
    instructions: tuple[Instruction, ...]
    image: Map
    last: Map
    last_relu: bool
    classifier: int
    size: int
    weights: tuple[Slot, ...]
    statistics: tuple[Slot, ...]

    @property
    def statistic_count(self) -> int:
        return sum(slot.size for slot in self.statistics)


def tape(architecture: Architecture, skeleton: Skeleton) -> Tape:
    """The tape of `Network(architecture, skeleton)`."""
    writer, network = _Writer(), layers(architecture, skeleton)
    image = writer.map(*skeleton.image)
    maps = {IMAGE: image}
    sums = _Sums(writer, network)
    *inner, head = network
    for number, layer in enumerate(inner):
        writer.cell = layer.cell
        source, channels = maps.get(layer.inputs[0]), layer.part.out_channels
        match layer.part.name:
            case "add" | "concat":
                maps[number] = sums.target(number)
                continue
        assert source is not None
        match layer.part.name:
            case "stem":
                maps[number] = writer.stem(source, channels, layer.path)
            case "enter":
                maps[number] = writer.enter(source, channels, layer.path)
            case "halve":
                maps[number] = writer.halve(source, channels, layer.path)
            case "block":
                maps[number] = writer.residual_block(source, channels, layer.path)
            case operation:
                writer.edge(operation, source, sums.target(sums.of_edge[number]), layer.part.stride, layer.path)
    last = maps[head.inputs[0]]
    if head.norm:
        last = writer.norm(last, "last.0")
    return writer.finished(skeleton, image, last, head.norm)


class _Sums:
    """The feature maps of a network's sums and joined maps. An edge writes into the map of its sum, and the sums that
    a cell joins lie side by side in memory, so that neither sums nor joins need an instruction."""

    def __init__(self, writer: "_Writer", network: Sequence[NetworkLayer]) -> None:
        self.writer, self.network = writer, network
        self.of_edge = {
            edge: number for number, layer in enumerate(network) if layer.part.name == "add" for edge in layer.inputs
        }
        """The sum to which each edge is added."""
        self.joined = {layer.cell: number for number, layer in enumerate(network) if layer.part.name == "concat"}
        """The layer that joins the maps of a cell."""
        self.maps: dict[int, Map] = {}

    def target(self, number: int) -> Map:
        """The map of a sum or of joined maps."""
        if number not in self.maps:
            part, joined = self.network[number].part, self.joined.get(self.network[number].cell)
            if joined is not None and joined not in self.maps:
                self._join(joined)
        if number not in self.maps:
            shape = part.out_channels, part.height, part.width
            self.maps[number] = self.writer.map(*shape)
        return self.maps[number]

    def _join(self, number: int) -> None:
        part, inputs = self.network[number].part, self.network[number].inputs
        self.maps[number] = self.writer.joined(len(inputs), part.in_channels, part.height, part.width)
        self.maps |= dict(zip(inputs, self.maps[number].leaves, strict=True))


@dataclass
class _Writer:
    """Collects instructions, and allocates the maps they write."""

    instructions: list[Instruction] = field(default_factory=list)
    slots: dict[tuple[bool, int], tuple[Slot, ...]] = field(default_factory=dict)
    """The tensors of an instruction, by (whether they are statistics, number of the instruction)."""
    written: set[int] = field(default_factory=set)
    """The places of maps that an instruction has written; further instructions add to them."""
    size: int = 0
    cell: int = 0

    def map(self, channels: int, height: int, width: int) -> Map:
        result = Map(self.size, channels, height, width)
        self.size += result.size
        return result

    def joined(self, count: int, channels: int, height: int, width: int) -> Map:
        parts = tuple(self.map(channels, height, width) for _ in range(count))
        return Map(parts[0].place, count * channels, height, width, parts)

    def emit(self, instruction: Instruction, weights: tuple[Slot, ...] = (), statistics: tuple[Slot, ...] = ()) -> None:
        number, place = len(self.instructions), instruction.target.place
        self.slots[False, number], self.slots[True, number] = weights, statistics
        self.instructions.append(replace(instruction, add=place in self.written, cell=self.cell))
        self.written.add(place)

    def convolve(
        self, source: Map, channels: int, window: Window, name: str, relu: bool = False, into: Map | None = None
    ) -> Map:
        target = into or self.map(channels, *window.output(source.height, source.width))
        shape = (channels, source.channels, *window.kernel)
        slot = Slot(f"{name}.weight", shape, by_taps=True)
        self.emit(Instruction(LayerKind.DENSE, target, source, relu, window=window), (slot,))
        return target

    def convolve_depthwise(self, source: Map, window: Window, name: str, relu: bool) -> Map:
        target = self.map(source.channels, *window.output(source.height, source.width))
        shape = (source.channels, 1, *window.kernel)
        self.emit(
            Instruction(LayerKind.DEPTHWISE, target, source, relu, window=window), (Slot(f"{name}.weight", shape),)
        )
        return target

    def norm(self, source: Map, name: str, into: Map | None = None) -> Map:
        target = into or self.map(source.channels, source.height, source.width)
        shape = (source.channels,)
        learned = tuple(Slot(f"{name}.{tensor}", shape) for tensor in ("weight", "bias"))
        running = tuple(Slot(f"{name}.{tensor}", shape) for tensor in ("running_mean", "running_var"))
        self.emit(Instruction(LayerKind.NORM, target, source), learned, running)
        return target

    def stem(self, source: Map, channels: int, name: str) -> Map:
        return self.norm(self.convolve(source, channels, square(3, 1, 1), f"{name}.0"), f"{name}.1")

    def residual_block(self, source: Map, channels: int, name: str) -> Map:
        inner = self.norm(self.convolve(source, channels, square(3, 2, 1), f"{name}.main.1", True), f"{name}.main.2")
        out = self.norm(self.convolve(inner, channels, square(3, 1, 1), f"{name}.main.4", True), f"{name}.main.5")
        pooled = self.map(source.channels, out.height, out.width)
        self.emit(Instruction(LayerKind.AVERAGE, pooled, source, window=square(2, 2)))
        self.convolve(pooled, channels, PIXEL, f"{name}.beside.1", into=out)
        return out

    def enter(self, source: Map, channels: int, name: str) -> Map:
        return self.norm(self.convolve(source, channels, PIXEL, f"{name}.1", True), f"{name}.2")

    def halve(self, source: Map, channels: int, name: str, into: Map | None = None) -> Map:
        height, width = halved(source.height), halved(source.width)
        parts = (self.map(channels // 2, height, width), self.map(channels - channels // 2, height, width))
        self.convolve(source, parts[0].channels, square(1, 2), f"{name}.first", True, parts[0])
        self.convolve(source, parts[1].channels, square(1, 2, -1), f"{name}.second", True, parts[1])
        return self.norm(Map(parts[0].place, channels, height, width, parts), f"{name}.norm", into)

    def edge(self, operation: str, source: Map, into: Map, stride: int, name: str) -> None:
        """Emits an operation on the map `source`, whose output is added to `into`, the map of a node of the cell."""
        inner = OPERATIONS[operation].layers
        if OPERATIONS[operation].zero:
            # A node whose edges are all zero still has to be written.
            if into.place not in self.written:
                self.emit(Instruction(LayerKind.ZERO, into, into))
            return
        if not inner:
            if stride == 1:
                self.emit(Instruction(LayerKind.COPY, into, source))
            else:
                self.halve(source, source.channels, name, into)
            return
        if OPERATIONS[operation].residual and stride == 1:
            self.emit(Instruction(LayerKind.COPY, into, source))
        current, relu = source, False
        for number, layer in enumerate(inner):
            target = into if number == len(inner) - 1 else None
            window = Window(layer.window, layer.strides(stride), layer.dilation, layer.padding)
            if layer.step == "relu":
                relu = True
                continue
            if layer.step == "norm":
                current = self.norm(current, f"{name}.{number}", target)
            elif layer.step == "conv" and layer.depthwise:
                current = self.convolve_depthwise(current, window, f"{name}.{number}", relu)
            elif layer.step == "conv":
                current = self.convolve(current, current.channels, window, f"{name}.{number}", relu)
            else:
                self.emit(
                    Instruction(
                        LayerKind.MAX if layer.step == "max" else LayerKind.AVERAGE, into, current, window=window
                    )
                )
            relu = False

    def finished(self, skeleton: Skeleton, image: Map, last: Map, last_relu: bool) -> Tape:
        """The tape of the instructions that reach the classifier, with their tensors in consecutive places."""
        needed, reaching = {leaf.place for leaf in last.leaves}, []
        for number in reversed(range(len(self.instructions))):
            instruction = self.instructions[number]
            if any(leaf.place in needed for leaf in instruction.target.leaves):
                reaching.append(number)
                if instruction.kind is not LayerKind.ZERO:
                    needed.update(leaf.place for leaf in instruction.source.leaves)
        weights, statistics, instructions = _Row(), _Row(), []
        for number in reversed(reaching):
            places = weights.add(self.slots[False, number]), statistics.add(self.slots[True, number])
            instructions.append(replace(self.instructions[number], weight=places[0], statistics=places[1]))
        linear = ("weight", (skeleton.classes, last.channels)), ("bias", (skeleton.classes,))
        classifier = weights.add(tuple(Slot(f"classifier.{name}", shape) for name, shape in linear))
        rows = tuple(weights.slots), tuple(statistics.slots)
        return Tape(skeleton, tuple(instructions), image, last, last_relu, classifier, self.size, *rows)


class _Row:
    """Lays the tensors of a network one behind the other in one row of numbers, by giving slots consecutive places."""

    def __init__(self) -> None:
        self.slots: list[Slot] = []
        self.size = 0

    def add(self, slots: tuple[Slot, ...]) -> int:
        """Gives slots the next places. Returns the place of the first."""
        first = self.size
        for slot in slots:
            self.slots.append(slot._replace(place=self.size))
            self.size += slot.size
        return first


class Table(NamedTuple):
    """A window on a map of some size, as runs of consecutive pixels with the same taps.

    Pixels and taps are numbered row by row; a tap is a position in the window. Both arrays are int64: the number of
    runs, then for each run its first pixel, its number of pixels, its number of taps, and for each tap its number and
    the pixel that the first pixel of the run reads through it; the next pixel of the run reads the next pixel, and so
    on. `forward` has the runs of output pixels, which read input pixels; `backward` has the runs of input pixels, which
    read the gradients of output pixels.
    """

    forward: NDArray[np.int64]
    backward: NDArray[np.int64]


@lru_cache(maxsize=1024)
def table(height: int, width: int, window: Window) -> Table:
    """The table of a window on a map; taps that fall outside the map are not in it."""
    rows, columns = window.output(height, width)
    inputs: list[list[tuple[int, int]]] = [[] for _ in range(rows * columns)]
    outputs: list[list[tuple[int, int]]] = [[] for _ in range(height * width)]
    for out in range(rows * columns):
        row, column = divmod(out, columns)
        top, left = window.stride[0] * row - window.padding[0], window.stride[1] * column - window.padding[1]
        for tap in range(window.taps):
            down, right = divmod(tap, window.kernel[1])
            y, x = top + window.dilation * down, left + window.dilation * right
            if 0 <= y < height and 0 <= x < width:
                inputs[out].append((tap, y * width + x))
                outputs[y * width + x].append((tap, out))
    return Table(_runs(inputs), _runs([sorted(taps) for taps in outputs]))


def _runs(pixels: list[list[tuple[int, int]]]) -> NDArray[np.int64]:
    """One array of a `Table`: runs of consecutive pixels that read the same taps at pixels that advance with them.
    `pixels` has the (tap, pixel) pairs that each pixel reads."""
    runs: list[tuple[int, list[tuple[int, int]]]] = []
    for pixel, taps in enumerate(pixels):
        if runs:
            first, before = runs[-1]
            if taps == [(tap, at + pixel - first) for tap, at in before]:
                continue
        runs.append((pixel, taps))
    flat = [len(runs)]
    ends = [first for first, _ in runs[1:]] + [len(pixels)]
    for (first, taps), end in zip(runs, ends, strict=True):
        flat += [first, end - first, len(taps), *(number for pair in taps for number in pair)]
    return np.array(flat, dtype=np.int64)
