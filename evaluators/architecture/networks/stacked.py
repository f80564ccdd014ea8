"""Networks of many architectures on any device: what is alike in different ones runs in one call.

The tapes of all candidates are put in one order in which the layers that are alike and ready stand together, as in the
on-the-fly batching of DyNet (Neubig et al. 2017). A group of n layers on C channels is one layer on n·C channels:
depthwise convolutions, norms and pools as they are, 1×1 convolutions as batched products, full ones in n groups. That a
device is asked some hundred times a step, and not that often for each candidate, is what makes it fast.
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

from germline.evaluators.architecture.networks.tape import PIXEL, Kind, Map, Slot, Tape, Window

KEPT, EPSILON = 0.9, 1e-5
"""Of batch norm: how much of the running statistics a batch leaves, and what is added to the variance."""

IMAGE = -1
"""Stands for the number of a node where the images are taken."""


class Layer(NamedTuple):
    """What layers that run together have in common.

    `kind` is that of an instruction, or `SUM` of `terms` maps, or `HEAD`, the classifier. A source of several parts is
    joined by channels.
    """

    kind: str
    channels: int
    made: int
    height: int
    width: int
    relu: bool = False
    window: Window = PIXEL
    terms: int = 1


@dataclass(frozen=True)
class Node:
    """A layer of a candidate. `sources` are the nodes whose outputs it takes; the slots name its tensors."""

    candidate: int
    cell: int
    layer: Layer
    sources: tuple[int, ...]
    weights: tuple[Slot, ...] = ()
    statistics: tuple[Slot, ...] = ()


@dataclass(frozen=True)
class Group:
    """Nodes that are alike. Their outputs are joined by channels, in this order."""

    layer: Layer
    nodes: tuple[Node, ...]
    numbers: tuple[int, ...]


class StackedNetwork(nn.Module):
    """The networks of some tapes of one skeleton.

    Args:
        tapes: the networks.
        tensors: each one's initial weights and statistics, by the names that its module gives them.
        device: where they are to be.
    """

    def __init__(self, tapes: Sequence[Tape], tensors: Sequence[Mapping[str, Tensor]], device: str = "cpu") -> None:
        super().__init__()
        self.tapes, self.device = tapes, device
        self._groups = grouped(nodes(tapes))
        self._place = {n: (g, i) for g, one in enumerate(self._groups) for i, n in enumerate(one.numbers)}
        self._weights = _Stack([[(n.candidate, n.weights) for n in one.nodes] for one in self._groups], tensors, device)
        running = [[(n.candidate, n.statistics) for n in one.nodes] for one in self._groups]
        self._statistics = _Stack(running, tensors, device)
        self._gradients, self._momentum = (torch.zeros_like(self._weights.flat) for _ in range(2))
        self._leaves = [[one.detach().requires_grad_() for one in views] for views in self._weights.views()]
        for leaves, gradients in zip(self._leaves, self._weights.views(self._gradients), strict=True):
            for leaf, gradient in zip(leaves, gradients, strict=True):
                leaf.grad = gradient
        self._running = self._statistics.views()
        rows = self._weights.rows(len(tapes))
        self._owner = torch.as_tensor(self._weights.owner, device=device)
        self._rows = torch.as_tensor(rows, device=device)

    def forward(self, images: Tensor) -> Tensor:
        """Logits `[N, batch, classes]` of images `[batch, colours, height, width]`."""
        made: list[Tensor] = []
        logits: dict[int, Tensor] = {}
        for group, leaves, running in zip(self._groups, self._leaves, self._running, strict=True):
            out = self._run(group, self._terms(group, made, images) or [images], leaves, running)
            made.append(out)
            if group.layer.kind == "HEAD":
                logits |= {node.candidate: out[i] for i, node in enumerate(group.nodes)}
        return torch.stack([logits[number] for number in range(len(self.tapes))])

    def step(
        self, images: Tensor, labels: Tensor, rate: float, momentum: float, decay: float, longest: float
    ) -> Tensor:
        """One step of gradient descent on the mean cross entropy; with `rate` 0 nothing but statistics changes.

        Args:
            images: float32 of shape `[batch, colours, height, width]`.
            labels: int64 of shape `[batch]`.
            rate, momentum, decay: of the descent.
            longest: a candidate's gradient is scaled down to this norm.

        Returns:
            Losses of shape `[N]` in nats, before the step.
        """
        self.train()
        self._gradients.zero_()
        logits = self(images)
        losses = F.cross_entropy(logits.flatten(0, 1), labels.repeat(len(logits)), reduction="none")
        losses = losses.view(len(logits), -1).mean(1)
        losses.sum().backward()  # type: ignore[no-untyped-call]
        if rate:
            self._descend(rate, momentum, decay, longest)
        return losses.detach()

    @torch.no_grad()
    def _descend(self, rate: float, momentum: float, decay: float, longest: float) -> None:
        padded = F.pad(self._gradients, (0, 1))[self._rows]
        share = (longest / (padded.norm(dim=1) + 1e-6)).clamp(max=1)
        self._gradients.mul_(share[self._owner]).add_(self._weights.flat, alpha=decay)
        self._momentum.mul_(momentum).add_(self._gradients)
        self._weights.flat.sub_(self._momentum, alpha=rate)

    @torch.no_grad()
    def logits(self, images: Tensor, training: bool = False) -> Tensor:
        """`forward` without gradients. In training the norms use the batch's statistics, and remember them."""
        return self.train(training).forward(images)

    def tensors(self, number: int) -> dict[str, Tensor]:
        """The weights and statistics of a candidate, by the names of its module's."""
        return {**self._weights.of(number), **self._statistics.of(number)}

    def gradients(self, number: int) -> dict[str, Tensor]:
        """The last gradients of a candidate's weights."""
        return self._weights.of(number, self._gradients)

    def keep(self, numbers: Sequence[int]) -> "StackedNetwork":
        """A stack of some of the candidates; they go on in it."""
        kept = StackedNetwork([self.tapes[n] for n in numbers], [self.tensors(n) for n in numbers], self.device)
        kept._momentum.copy_(kept._weights.packed([self._weights.of(n, self._momentum) for n in numbers]))
        return kept

    def _terms(self, group: Group, made: list[Tensor], images: Tensor) -> list[Tensor]:
        """What a group takes: one tensor `[batch, n·channels, height, width]`, of a sum one for each term."""
        if group.layer.kind == "SUM":
            wanted = [[node.sources[term] for node in group.nodes] for term in range(group.layer.terms)]
        else:
            wanted = [[source for node in group.nodes for source in node.sources]]
        return [self._joined(sources, made, images) for sources in wanted if sources]

    def _joined(self, sources: Sequence[int], made: list[Tensor], images: Tensor) -> Tensor:
        """The outputs of some nodes, joined by channels; without a copy where they lie so."""
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
            width = self._groups[g].layer.made
            pieces.append(made[g].narrow(1, first * width, (end - at) * width))
            at = end
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces, 1)

    def _run(self, group: Group, terms: list[Tensor], weights: list[Tensor], running: list[Tensor]) -> Tensor:
        layer, count = group.layer, len(group.nodes)
        if layer.kind == "ZERO":
            return terms[0].new_zeros(len(terms[0]), count * layer.made, layer.height, layer.width)
        taken = terms[0]
        for term in terms[1:]:
            taken = taken + term
        if layer.relu:
            taken = F.relu(taken)
        kernel, stride, dilation, padding = layer.window
        match layer.kind:
            case "SUM":
                return taken
            case "NORM":
                scale, bias = (one.flatten() for one in weights)
                mean, variance = (one.view(-1) for one in running)
                return F.batch_norm(taken, mean, variance, scale, bias, self.training, 1 - KEPT, EPSILON)
            case "MAX":
                return F.max_pool2d(taken, kernel, stride, padding)
            case "AVERAGE":
                return F.avg_pool2d(taken, kernel, stride, padding, ceil_mode=kernel == 2, count_include_pad=False)
            case "DEPTHWISE":
                weight = weights[0].flatten(0, 1)
                return F.conv2d(taken, weight, None, stride, padding, dilation, groups=len(weight))
            case "HEAD":
                means = taken.mean((2, 3)).view(len(taken), count, layer.channels).transpose(0, 1)
                return torch.baddbmm(weights[1][:, None], means, weights[0].transpose(1, 2))
        if kernel > 1:
            return F.conv2d(taken, weights[0].flatten(0, 1), None, stride, padding, dilation, groups=count)
        return _pointwise(taken, weights[0].flatten(2), stride, -padding)


def _pointwise(taken: Tensor, weight: Tensor, stride: int, shift: int) -> Tensor:
    """1×1 convolutions of `weight` `[n, made, channels]`, as one batched product."""
    if shift:
        taken = F.pad(taken, (0, shift, 0, shift))[:, :, shift:, shift:]
    if stride > 1:
        taken = taken[:, :, ::stride, ::stride]
    count, made, channels = weight.shape
    batch, _, height, width = taken.shape
    columns = taken.reshape(batch, count, channels, height * width).permute(1, 2, 0, 3).reshape(count, channels, -1)
    out = torch.bmm(weight, columns).view(count, made, batch, height * width).permute(2, 0, 1, 3)
    return out.reshape(batch, count * made, height, width)


class _Stack:
    """Tensors of nodes, one flat buffer for all, those of a group side by side."""

    def __init__(
        self,
        groups: Sequence[Sequence[tuple[int, tuple[Slot, ...]]]],
        tensors: Sequence[Mapping[str, Tensor]],
        device: str,
    ) -> None:
        self.shapes: list[list[tuple[int, tuple[int, ...]]]] = []
        """For each group and each of its layer's tensors: the place in the buffer, and the shape with the members."""
        self.places: list[dict[str, tuple[int, tuple[int, ...]]]] = [{} for _ in tensors]
        """For each candidate, by name: the place in the buffer, and the shape."""
        owners, size = [np.zeros(0, dtype=np.int64)], 0
        for members in groups:
            self.shapes.append([])
            for slots in zip(*(slots for _, slots in members), strict=True):
                self.shapes[-1].append((size, (len(members), *slots[0].shape)))
                for (candidate, _), slot in zip(members, slots, strict=True):
                    self.places[candidate][slot.name] = size, slot.shape
                    size += slot.size
                    owners.append(np.full(slot.size, candidate))
        self.owner = np.concatenate(owners)
        self.flat = torch.zeros(size, device=device)
        self.flat.copy_(self.packed(tensors))

    def packed(self, tensors: Sequence[Mapping[str, Tensor]]) -> Tensor:
        """Tensors of all candidates as a buffer."""
        flat = torch.zeros(len(self.owner))
        for places, found in zip(self.places, tensors, strict=True):
            for name, (place, shape) in places.items():
                flat[place : place + int(np.prod(shape))] = found[name].detach().cpu().reshape(-1)
        return flat

    def views(self, flat: Tensor | None = None) -> list[list[Tensor]]:
        """For each group its tensors `[members, ...]`, as views of a buffer."""
        buffer = self.flat if flat is None else flat
        return [[buffer[at : at + int(np.prod(shape))].view(shape) for at, shape in one] for one in self.shapes]

    def of(self, candidate: int, flat: Tensor | None = None) -> dict[str, Tensor]:
        """A candidate's tensors by name, copied to the host."""
        buffer = (self.flat if flat is None else flat).detach().cpu()
        places = self.places[candidate].items()
        return {name: buffer[at : at + int(np.prod(shape))].view(shape).clone() for name, (at, shape) in places}

    def rows(self, count: int) -> NDArray[np.int64]:
        """For each candidate the places of its numbers, filled up with the place behind the last one."""
        own = [np.flatnonzero(self.owner == candidate) for candidate in range(count)]
        rows = np.full((count, max(map(len, own))), len(self.owner), dtype=np.int64)
        for row, places in zip(rows, own, strict=True):
            row[: len(places)] = places
        return rows


def nodes(tapes: Sequence[Tape]) -> list[Node]:
    """The layers of all candidates; a source's number is its place in the list."""
    made: list[Node] = []
    for candidate, tape in enumerate(tapes):
        _Graph(made, candidate, tape).write()
    return made


class _Graph:
    """The nodes of one tape. A map to which several instructions add becomes a sum when somebody takes it."""

    def __init__(self, made: list[Node], candidate: int, tape: Tape) -> None:
        self.made, self.candidate, self.tape = made, candidate, tape
        self.terms: dict[int, list[int]] = defaultdict(list)
        """What is added to a map, by its place."""
        self.terms[tape.image.place].append(IMAGE)
        self.weights = {slot.place: number for number, slot in enumerate(tape.weights)}
        self.statistics = {slot.place: number for number, slot in enumerate(tape.statistics)}

    def write(self) -> None:
        for one in self.tape.instructions:
            if one.kind is Kind.ZERO:
                continue
            sources, taken = self.sources(one.source, one.cell), one.source
            if one.kind is Kind.COPY:
                self.terms[one.target.place] += sources
                continue
            shape = taken.channels, one.target.channels, taken.height, taken.width
            count = {Kind.NORM: 2, Kind.DENSE: 1, Kind.DEPTHWISE: 1}.get(one.kind, 0)
            weights = self.tape.weights[self.weights[one.weight] :][:count] if count else ()
            statistics = self.tape.statistics[self.statistics[one.statistics] :][:2] if count == 2 else ()
            layer = Layer(one.kind.name, *shape, one.relu, one.window)
            self.add(Node(self.candidate, one.cell, layer, sources, weights, statistics), one.target)
        last, cell = self.tape.last, self.tape.skeleton.cells * 2
        sources = self.sources(last, cell)
        layer = Layer("HEAD", last.channels, self.tape.skeleton.classes, last.height, last.width, self.tape.last_relu)
        slots = self.tape.weights[self.weights[self.tape.classifier] :]
        self.made.append(Node(self.candidate, cell, layer, sources, slots))

    def sources(self, taken: Map, cell: int) -> tuple[int, ...]:
        return tuple(self.source(leaf, cell) for leaf in taken.leaves)

    def source(self, leaf: Map, cell: int) -> int:
        terms = self.terms[leaf.place]
        if len(terms) != 1:
            kind = "SUM" if terms else "ZERO"
            layer = Layer(kind, leaf.channels, leaf.channels, leaf.height, leaf.width, terms=len(terms))
            self.terms[leaf.place] = []
            self.add(Node(self.candidate, cell, layer, tuple(terms)), leaf)
        return self.terms[leaf.place][0]

    def add(self, node: Node, target: Map) -> None:
        self.made.append(node)
        self.terms[target.place].append(len(self.made) - 1)


def grouped(every: Sequence[Node]) -> list[Group]:
    """An order of all nodes, cell by cell: the largest group of nodes that are alike and ready is always the next."""
    takers: dict[int, list[int]] = defaultdict(list)
    missing = []
    for number, node in enumerate(every):
        sources = [source for source in node.sources if source != IMAGE]
        missing.append(len(sources))
        for source in sources:
            takers[source].append(number)
    ready: dict[tuple[int, Layer], list[int]] = defaultdict(list)
    for number, node in enumerate(every):
        if not missing[number]:
            ready[node.cell, node.layer].append(number)
    groups: list[Group] = []
    place: dict[int, tuple[int, int]] = {IMAGE: (-1, 0)}
    while ready:
        chosen = min(ready, key=lambda key: (key[0], -len(ready[key])))
        # In the order in which their sources lie, so that these need no copy where they are the same candidates'.
        numbers = sorted(ready.pop(chosen), key=lambda n: [place[source] for source in every[n].sources])
        place |= {number: (len(groups), i) for i, number in enumerate(numbers)}
        groups.append(Group(chosen[1], tuple(every[number] for number in numbers), tuple(numbers)))
        for number in numbers:
            for taker in takers[number]:
                missing[taker] -= 1
                if not missing[taker]:
                    ready[every[taker].cell, every[taker].layer].append(taker)
    return groups
