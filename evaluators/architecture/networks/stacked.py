"""Networks of many architectures on any device: equal layers of different networks run in one call.

The tapes of all networks are merged into one order in which layers that are equal and ready stand together, as in the
on-the-fly batching of DyNet (Neubig et al. 2017). A group of n layers on C channels is one layer on n·C channels:
depthwise convolutions, norms and pools as they are, 1×1 convolutions as batched products, full convolutions in n
groups. It is fast because a step launches some hundred kernels in all, not for each network.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from germline.evaluators.architecture.networks.tape import PIXEL, LayerKind, Map, Slot, Tape, Window

RUNNING_SHARE, EPSILON = 0.9, 1e-5
"""Of batch norm: the share of the old running statistics in the new ones, and the number added to the variance."""

IMAGE = -1
"""Stands for the images among the numbers of source nodes."""


class Signature(NamedTuple):
    """The computation of a layer: layers with equal signatures run in one call.

    Args:
        kind: the name of an instruction's `LayerKind`, or `SUM`, the sum of `terms` maps, or `HEAD`, the classifier.
        in_channels: of the source; several sources are joined by channels.
        out_channels: of the target.
        height, width: of the source.
        relu: whether a ReLU comes first.
        window: of a convolution or a pool.
        terms: number of maps that a sum adds.
    """

    kind: str
    in_channels: int
    out_channels: int
    height: int
    width: int
    relu: bool = False
    window: Window = PIXEL
    terms: int = 1


@dataclass(frozen=True)
class Node:
    """A layer of one network.

    Args:
        network: the number of the network.
        cell: the number of the cell that the layer belongs to.
        signature: its computation.
        sources: the numbers of the nodes whose outputs it takes.
        weights, statistics: the slots of its weights and of its running statistics, in the rows of its network.
    """

    network: int
    cell: int
    signature: Signature
    sources: tuple[int, ...]
    weights: tuple[Slot, ...] = ()
    statistics: tuple[Slot, ...] = ()


@dataclass(frozen=True)
class Group:
    """Nodes with equal signatures, and their numbers in the list of all nodes. Their outputs are joined by channels, in
    this order."""

    signature: Signature
    nodes: tuple[Node, ...]
    numbers: tuple[int, ...]


class StackedNetworks(nn.Module):
    """The networks of N tapes of one skeleton, on any device.

    Args:
        tapes: a tape for each network.
        tensors: the initial weights and statistics of each network, by their names in `Network.state_dict()`.
        device: on which they run.
    """

    def __init__(self, tapes: Sequence[Tape], tensors: Sequence[Mapping[str, Tensor]], device: str = "cpu") -> None:
        super().__init__()
        self.tapes, self.device = tapes, device
        self._groups = grouped(nodes(tapes))
        self._place = {n: (g, i) for g, group in enumerate(self._groups) for i, n in enumerate(group.numbers)}
        """Group of each node, and position in the group."""
        self._last_read = _last_reads(self._groups, self._place)
        weights = [[(node.network, node.weights) for node in group.nodes] for group in self._groups]
        running = [[(node.network, node.statistics) for node in group.nodes] for group in self._groups]
        self._weights = _Stack(weights, tensors, device)
        self._statistics = _Stack(running, tensors, device)
        self._gradients, self._velocity = (torch.zeros_like(self._weights.flat) for _ in range(2))
        self._leaves = [[view.detach().requires_grad_() for view in views] for views in self._weights.views()]
        for leaves, gradients in zip(self._leaves, self._weights.views(self._gradients), strict=True):
            for leaf, gradient in zip(leaves, gradients, strict=True):
                leaf.grad = gradient
        self._running = self._statistics.views()
        rows = self._weights.rows(len(tapes))
        self._owner = torch.as_tensor(self._weights.owner, device=device)
        self._rows = torch.as_tensor(rows, device=device)

    def forward(self, images: Tensor) -> Tensor:
        """Logits `[N, batch, classes]` of images `[batch, channels, height, width]`."""
        outputs: dict[int, Tensor] = {}
        logits: dict[int, Tensor] = {}
        for number, (group, leaves, running) in enumerate(zip(self._groups, self._leaves, self._running, strict=True)):
            out = self._run(group, self._terms(group, outputs, images) or [images], leaves, running)
            outputs[number] = out
            for read in self._last_read[number]:
                del outputs[read]  # or its memory would be kept until the end, where no gradient needs it
            if group.signature.kind == "HEAD":
                logits |= {node.network: out[i] for i, node in enumerate(group.nodes)}
        return torch.stack([logits[number] for number in range(len(self.tapes))])

    def step(
        self, images: Tensor, labels: Tensor, rate: float, momentum: float, decay: float, max_norm: float
    ) -> Tensor:
        """One step of gradient descent on the mean cross entropy; with `rate` 0 only the norms' statistics change.

        Args:
            images: float32 of shape `[batch, channels, height, width]`.
            labels: int64 of shape `[batch]`.
            rate, momentum, decay: learning rate, momentum and weight decay.
            max_norm: the norm to which each network's gradient is clipped.

        Returns:
            Losses before the step, in nats, of shape `[N]`.
        """
        self.train()
        self._gradients.zero_()
        logits = self(images)
        losses = F.cross_entropy(logits.flatten(0, 1), labels.repeat(len(logits)), reduction="none")
        losses = losses.view(len(logits), -1).mean(1)
        losses.sum().backward()  # type: ignore[no-untyped-call]
        if rate:
            self._descend(rate, momentum, decay, max_norm)
        return losses.detach()

    @torch.no_grad()
    def _descend(self, rate: float, momentum: float, decay: float, max_norm: float) -> None:
        padded = F.pad(self._gradients, (0, 1))[self._rows]
        share = (max_norm / (padded.norm(dim=1) + 1e-6)).clamp(max=1)
        self._gradients.mul_(share[self._owner]).add_(self._weights.flat, alpha=decay)
        self._velocity.mul_(momentum).add_(self._gradients)
        self._weights.flat.sub_(self._velocity, alpha=rate)

    @torch.no_grad()
    def logits(self, images: Tensor, training: bool = False) -> Tensor:
        """Logits `[N, batch, classes]` of images `[batch, channels, height, width]`, without gradients.

        In training the norms use the statistics of the batch and update their running statistics.
        """
        return self.train(training).forward(images)

    def tensors(self, number: int) -> dict[str, Tensor]:
        """Copies of a network's weights and statistics, by their names in `Network.state_dict()`."""
        return {**self._weights.of(number), **self._statistics.of(number)}

    def keep(self, numbers: Sequence[int]) -> "StackedNetworks":
        """The networks with the given numbers, with copies of their weights, statistics and velocity."""
        buffers = self._weights.flat, self._statistics.flat, self._velocity
        weights, statistics, velocity = (buffer.detach().cpu() for buffer in buffers)  # once, not for each network
        tensors = [{**self._weights.of(n, weights), **self._statistics.of(n, statistics)} for n in numbers]
        smaller = StackedNetworks([self.tapes[n] for n in numbers], tensors, self.device)
        smaller._velocity.copy_(smaller._weights.packed([self._weights.of(n, velocity) for n in numbers]))
        return smaller

    def _terms(self, group: Group, outputs: Mapping[int, Tensor], images: Tensor) -> list[Tensor]:
        """The inputs of a group of n nodes, each `[batch, n·channels, height, width]`.

        A list with a tensor for each term if the nodes are sums, else with a single tensor; empty for nodes without
        sources.
        """
        if group.signature.kind == "SUM":
            terms = [[node.sources[term] for node in group.nodes] for term in range(group.signature.terms)]
        else:
            terms = [[source for node in group.nodes for source in node.sources]]
        return [self._joined(sources, outputs, images) for sources in terms if sources]

    def _joined(self, sources: Sequence[int], outputs: Mapping[int, Tensor], images: Tensor) -> Tensor:
        """The outputs of some nodes, joined by channels; not copied where they are adjacent already."""
        if sources[0] == IMAGE:
            return images.repeat(1, len(sources), 1, 1)
        places = [self._place[source] for source in sources]
        pieces: list[Tensor] = []
        at = 0
        while at < len(places):
            g, first = places[at]
            end = at + 1
            while end < len(places) and places[end] == (g, first + end - at):
                end += 1
            width = self._groups[g].signature.out_channels
            pieces.append(outputs[g].narrow(1, first * width, (end - at) * width))
            at = end
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces, 1)

    def _run(self, group: Group, terms: list[Tensor], weights: list[Tensor], running: list[Tensor]) -> Tensor:
        signature, count = group.signature, len(group.nodes)
        if signature.kind == "ZERO":
            return terms[0].new_zeros(len(terms[0]), count * signature.out_channels, signature.height, signature.width)
        x = terms[0]
        for term in terms[1:]:
            x = x + term
        if signature.relu:
            x = F.relu(x)
        kernel, stride, dilation, padding = signature.window
        match signature.kind:
            case "SUM":
                return x
            case "NORM":
                scale, bias = (weight.flatten() for weight in weights)
                mean, variance = (statistic.view(-1) for statistic in running)
                return F.batch_norm(x, mean, variance, scale, bias, self.training, 1 - RUNNING_SHARE, EPSILON)
            case "MAX":
                return F.max_pool2d(x, kernel, stride, padding)
            case "AVERAGE":
                return F.avg_pool2d(x, kernel, stride, padding, ceil_mode=kernel == (2, 2), count_include_pad=False)
            case "DEPTHWISE":
                weight = weights[0].flatten(0, 1)
                return F.conv2d(x, weight, None, stride, padding, dilation, groups=len(weight))
            case "HEAD":
                means = x.mean((2, 3)).view(len(x), count, signature.in_channels).transpose(0, 1)
                return torch.baddbmm(weights[1][:, None], means, weights[0].transpose(1, 2))
        if signature.window.taps > 1:
            return F.conv2d(x, weights[0].flatten(0, 1), None, stride, padding, dilation, groups=count)
        return _pointwise(x, weights[0].flatten(2), stride[0], -padding[0])


def _pointwise(x: Tensor, weight: Tensor, stride: int, shift: int) -> Tensor:
    """1×1 convolutions of n nodes, as one batched product: `[batch, n·out_channels, height, width]`.

    Args:
        x: the inputs, `[batch, n·in_channels, height, width]`.
        weight: `[n, out_channels, in_channels]`.
        stride: distance of the rows and of the columns of x that are read.
        shift: the first row and column of x that is read; x is padded by as many zeros behind.
    """
    if shift:
        x = F.pad(x, (0, shift, 0, shift))[:, :, shift:, shift:]
    if stride > 1:
        x = x[:, :, ::stride, ::stride]
    count, out_channels, in_channels = weight.shape
    batch, _, height, width = x.shape
    columns = x.reshape(batch, count, in_channels, height * width).permute(1, 2, 0, 3).reshape(count, in_channels, -1)
    out = torch.bmm(weight, columns).view(count, out_channels, batch, height * width).permute(2, 0, 1, 3)
    return out.reshape(batch, count * out_channels, height, width)


class _Stack:
    """Tensors of nodes in one flat float32 buffer; equal tensors of the nodes of a group are adjacent.

    Args:
        groups: for each group, the network and the slots of each member.
        tensors: the values of each network, by name.
        device: of the buffer.
    """

    def __init__(
        self,
        groups: Sequence[Sequence[tuple[int, tuple[Slot, ...]]]],
        tensors: Sequence[Mapping[str, Tensor]],
        device: str,
    ) -> None:
        self.shapes: list[list[tuple[int, tuple[int, ...]]]] = []
        """For each group, place and shape `[members, ...]` of each tensor."""
        self.places: list[dict[str, tuple[int, tuple[int, ...]]]] = [{} for _ in tensors]
        """For each network, place and shape of each tensor, by name."""
        owners, size = [np.zeros(0, dtype=np.int64)], 0
        for members in groups:
            self.shapes.append([])
            for slots in zip(*(slots for _, slots in members), strict=True):
                self.shapes[-1].append((size, (len(members), *slots[0].shape)))
                for (network, _), slot in zip(members, slots, strict=True):
                    self.places[network][slot.name] = size, slot.shape
                    size += slot.size
                    owners.append(np.full(slot.size, network))
        self.owner = np.concatenate(owners)
        """Network of each number of the buffer."""
        self.flat = torch.zeros(size, device=device)
        self.flat.copy_(self.packed(tensors))

    def packed(self, tensors: Sequence[Mapping[str, Tensor]]) -> Tensor:
        """Tensors of all networks as a buffer with this layout, on the CPU."""
        flat = torch.zeros(len(self.owner))
        for places, values in zip(self.places, tensors, strict=True):
            for name, (place, shape) in places.items():
                flat[place : place + int(np.prod(shape))] = values[name].detach().cpu().reshape(-1)
        return flat

    def views(self, flat: Tensor | None = None) -> list[list[Tensor]]:
        """For each group its tensors `[members, ...]`, as views of a buffer with this layout (None: of `self.flat`)."""
        buffer = self.flat if flat is None else flat
        return [[buffer[at : at + int(np.prod(shape))].view(shape) for at, shape in group] for group in self.shapes]

    def of(self, network: int, flat: Tensor | None = None) -> dict[str, Tensor]:
        """A network's tensors by name, copied to the host from a buffer with this layout (None: from `self.flat`)."""
        buffer = (self.flat if flat is None else flat).detach().cpu()
        places = self.places[network].items()
        return {name: buffer[at : at + int(np.prod(shape))].view(shape).clone() for name, (at, shape) in places}

    def rows(self, count: int) -> NDArray[np.int64]:
        """For each network the places of its numbers in the buffer, padded with the place behind the buffer's end."""
        own = [np.flatnonzero(self.owner == network) for network in range(count)]
        rows = np.full((count, max(map(len, own))), len(self.owner), dtype=np.int64)
        for row, places in zip(rows, own, strict=True):
            row[: len(places)] = places
        return rows


def nodes(tapes: Sequence[Tape]) -> list[Node]:
    """The nodes of all networks; the number of a source is its index in the list."""
    result: list[Node] = []
    for network, tape in enumerate(tapes):
        _Graph(result, network, tape).write()
    return result


class _Graph:
    """Turns the tape of one network into nodes, appended to a list that all networks share.

    A node for a sum is appended when a feature map with several additions is first read.

    Args:
        nodes: the list.
        network: the number of the network.
        tape: its tape.
    """

    def __init__(self, nodes: list[Node], network: int, tape: Tape) -> None:
        self.nodes, self.network, self.tape = nodes, network, tape
        self.terms: dict[int, list[int]] = defaultdict(list)
        """For each map, by its place, the numbers of the nodes whose outputs are added up in it."""
        self.terms[tape.image.place].append(IMAGE)
        self.weights = {slot.place: number for number, slot in enumerate(tape.weights)}
        self.statistics = {slot.place: number for number, slot in enumerate(tape.statistics)}

    def write(self) -> None:
        for instruction in self.tape.instructions:
            if instruction.kind is LayerKind.ZERO:
                continue
            sources, source = self.sources(instruction.source, instruction.cell), instruction.source
            if instruction.kind is LayerKind.COPY:
                self.terms[instruction.target.place] += sources
                continue
            shape = source.channels, instruction.target.channels, source.height, source.width
            count = {LayerKind.NORM: 2, LayerKind.DENSE: 1, LayerKind.DEPTHWISE: 1}.get(instruction.kind, 0)
            weights = self.tape.weights[self.weights[instruction.weight] :][:count] if count else ()
            statistics = self.tape.statistics[self.statistics[instruction.statistics] :][:2] if count == 2 else ()
            signature = Signature(instruction.kind.name, *shape, instruction.relu, instruction.window)
            node = Node(self.network, instruction.cell, signature, sources, weights, statistics)
            self.add(node, instruction.target)
        last, cell = self.tape.last, self.tape.skeleton.cells * 2
        sources = self.sources(last, cell)
        signature = Signature(
            "HEAD", last.channels, self.tape.skeleton.classes, last.height, last.width, self.tape.last_relu
        )
        slots = self.tape.weights[self.weights[self.tape.classifier] :]
        self.nodes.append(Node(self.network, cell, signature, sources, slots))

    def sources(self, source: Map, cell: int) -> tuple[int, ...]:
        """The numbers of the nodes whose outputs, joined by channels, are a map."""
        return tuple(self.source(leaf, cell) for leaf in source.leaves)

    def source(self, leaf: Map, cell: int) -> int:
        """The number of the node whose output is a map that joins no others.

        If not exactly one node wrote to the map, a node for the sum of all its terms is appended first, or for zeros if
        it has no terms.
        """
        terms = self.terms[leaf.place]
        if len(terms) != 1:
            kind = "SUM" if terms else "ZERO"
            signature = Signature(kind, leaf.channels, leaf.channels, leaf.height, leaf.width, terms=len(terms))
            self.terms[leaf.place] = []
            self.add(Node(self.network, cell, signature, tuple(terms)), leaf)
        return self.terms[leaf.place][0]

    def add(self, node: Node, target: Map) -> None:
        self.nodes.append(node)
        self.terms[target.place].append(len(self.nodes) - 1)


def _last_reads(groups: Sequence[Group], place: Mapping[int, tuple[int, int]]) -> list[list[int]]:
    """For each group the indices of the groups that it is the last to read: no later group needs their outputs."""
    last = {
        place[source][0]: reader
        for reader, group in enumerate(groups)
        for node in group.nodes
        for source in node.sources
        if source != IMAGE
    }
    reads: list[list[int]] = [[] for _ in groups]
    for read, reader in last.items():
        reads[reader].append(read)
    return reads


def grouped(all_nodes: Sequence[Node]) -> list[Group]:
    """All nodes in an order in which they can run, cell by cell: the largest group that is ready comes next."""
    readers: dict[int, list[int]] = defaultdict(list)
    missing = []
    for number, node in enumerate(all_nodes):
        sources = [source for source in node.sources if source != IMAGE]
        missing.append(len(sources))
        for source in sources:
            readers[source].append(number)
    ready: dict[tuple[int, Signature], list[int]] = defaultdict(list)
    for number, node in enumerate(all_nodes):
        if not missing[number]:
            ready[node.cell, node.signature].append(number)
    groups: list[Group] = []
    place: dict[int, tuple[int, int]] = {IMAGE: (-1, 0)}
    while ready:
        chosen = min(ready, key=lambda key: (key[0], -len(ready[key])))
        # In the order of their sources, so that no copy is needed where the sources are adjacent.
        numbers = sorted(ready.pop(chosen), key=lambda n: [place[source] for source in all_nodes[n].sources])
        place |= {number: (len(groups), i) for i, number in enumerate(numbers)}
        groups.append(Group(chosen[1], tuple(all_nodes[number] for number in numbers), tuple(numbers)))
        for number in numbers:
            for reader in readers[number]:
                missing[reader] -= 1
                if not missing[reader]:
                    ready[all_nodes[reader].cell, all_nodes[reader].signature].append(reader)
    return groups
