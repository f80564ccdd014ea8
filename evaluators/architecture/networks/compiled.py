"""Networks of many architectures on a CPU: their tapes, run by the compiled interpreter."""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from germline.evaluators.architecture.networks import kernels
from germline.evaluators.architecture.networks.tape import Instruction, Kind, Map, Slot, Tape, Window, table

Row = NDArray[np.float32]
Integers = NDArray[np.int64]


class CompiledNetworks:
    """The networks of some tapes of one skeleton, and what trains them.

    Each one runs from its first instruction to the update of its weights before the next one begins, in an arena that
    they share and that therefore stays in the cache. Nothing that one comes to depends on the others.

    Args:
        tapes: the networks.
        tensors: each one's initial weights and statistics, by the names that its module gives them.
    """

    def __init__(self, tapes: Sequence[Tape], tensors: Sequence[Mapping[str, Tensor]]) -> None:
        self._tables = _Tables()
        pairs = zip(tapes, tensors, strict=True)
        self._networks = [_Network.of(tape, plan(tape), found, self._tables) for tape, found in pairs]
        self._arena = _Arena(0, self._networks)

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

        Raises:
            ValueError: images of another shape, or labels that are not one class for each image.
        """
        self._check(images, labels)
        arena, batch, wanted = self._with(images), len(images), labels.numpy()
        maps, lower, tables = arena.maps, arena.gradients(), self._tables.flat
        numbers = [np.float32(one) for one in (rate, momentum, decay, longest)]
        losses = []
        for one in self._networks:
            self._classify(one, batch, training=True)
            w, dw = one.weights, one.gradients
            dw.fill(0)
            losses.append(kernels.classify_back(one.head, maps, lower, w, dw, arena.logits, wanted, arena.pooled))
            room = arena.rectified, arena.lower, *arena.rows
            kernels.backward(one.code, maps, lower, tables, w, dw, arena.seen, batch, *room)
            if rate:
                kernels.update(w, dw, one.momentum, *numbers)
        return torch.tensor(losses, dtype=torch.float32)

    def logits(self, images: Tensor, training: bool = False) -> Tensor:
        """Logits `[N, batch, classes]` of images `[batch, colours, height, width]`.

        In training the norms use the batch's statistics, and remember them.
        """
        arena, batch, classes = self._with(images), len(images), self._networks[0].tape.skeleton.classes
        found = []
        for one in self._networks:
            self._classify(one, batch, training)
            found.append(torch.from_numpy(arena.logits[: classes * batch].copy()).view(classes, batch).T)
        return torch.stack(found)

    def _check(self, images: Tensor, labels: Tensor) -> None:
        """Compiled code looks at nothing: what does not fit would be written beside the arena."""
        classes = self._networks[0].tape.skeleton.classes
        if labels.shape != images.shape[:1] or not len(labels):
            raise ValueError(f"expected a label for each of {len(images)} images, got {tuple(labels.shape)}")
        low, high = int(labels.min()), int(labels.max())
        if low < 0 or high >= classes:
            raise ValueError(
                f"expected labels from 0 to {classes - 1}, got {low} to {high}; correct the task's classes"
            )

    def _classify(self, one: "_Network", batch: int, training: bool) -> None:
        """Brings the arena's images through a network."""
        arena = self._arena
        room = arena.seen, batch, training, arena.rectified, *arena.rows
        kernels.forward(one.code, arena.maps, self._tables.flat, one.weights, one.statistics, *room)
        kernels.classify(one.head, arena.maps, one.weights, arena.logits, arena.pooled, batch)

    def tensors(self, number: int) -> dict[str, Tensor]:
        """The weights and statistics of a candidate, by the names of its module's."""
        one = self._networks[number]
        return {**unpacked(one.tape.weights, one.weights), **unpacked(one.tape.statistics, one.statistics)}

    def gradients(self, number: int) -> dict[str, Tensor]:
        """The last gradients of a candidate's weights."""
        one = self._networks[number]
        return unpacked(one.tape.weights, one.gradients)

    def keep(self, numbers: Sequence[int]) -> "CompiledNetworks":
        """Some of the networks; they go on as these."""
        kept = copy(self)
        kept._networks = [self._networks[number] for number in numbers]
        return kept

    def _with(self, images: Tensor) -> "_Arena":
        """An arena that is large enough, with images at its beginning."""
        if len(images) > self._arena.batch:
            self._arena = _Arena(len(images), self._networks)
        image, expected = self._networks[0].tape.image, self._networks[0].tape.skeleton.image
        if tuple(images.shape[1:]) != expected:
            raise ValueError(f"expected images of {expected}, got {tuple(images.shape[1:])}")
        room = self._arena.maps[: image.size * len(images)].reshape(image.channels, -1, len(images))
        room[:, : image.positions] = images.flatten(2).permute(1, 2, 0).numpy()
        return self._arena


@dataclass(frozen=True)
class _Network:
    """A tape as the interpreter reads it, and its numbers."""

    tape: Tape
    gradient_size: int
    code: Integers
    head: Integers
    weights: Row
    statistics: Row
    gradients: Row
    momentum: Row

    @classmethod
    def of(cls, tape: Tape, plan: "Plan", tensors: Mapping[str, Tensor], tables: "_Tables") -> Self:
        code = np.array([_instruction(one, tape, plan, tables) for one in tape.instructions], dtype=np.int64)
        head = dict.fromkeys(kernels.FIELDS, 0)
        head |= {"source": tape.last.place, "channels": tape.last.channels, "made": tape.skeleton.classes}
        head |= {"entering": tape.last.positions, "relu": int(tape.last_relu), "weight": tape.classifier}
        head |= {"source_gradient": plan.places[tape.last.place]}
        weights = packed(tape.weights, tensors)
        numbers = weights, packed(tape.statistics, tensors), np.zeros_like(weights), np.zeros_like(weights)
        return cls(tape, plan.size, code, np.array(list(head.values()), dtype=np.int64), *numbers)


class _Arena:
    """Room for what passes through the largest of some networks, for so many images at a time."""

    def __init__(self, batch: int, networks: Sequence[_Network]) -> None:
        layers = np.concatenate([np.vstack([*network.code, network.head]) for network in networks])
        channels, made, entering, taps = (
            layers[:, one] for one in (kernels.CHANNELS, kernels.MADE, kernels.ENTERING, kernels.TAPS)
        )
        largest = int((channels * (entering + kernels.GAP)).max())
        widest = int((taps * np.maximum(channels, made)).max())
        # A chunk of a 1×1 convolution has gaps of its own.
        room = batch * largest + 16 * int(channels.max())
        self.batch = batch
        self.maps = _numbers(batch * max(network.tape.size for network in networks))
        self.seen = _numbers(max(network.tape.statistic_count for network in networks))
        self.rectified = _numbers(room)
        self.pooled, self.logits = _numbers(batch * int(channels.max())), _numbers(batch * int(made.max()))
        panel = max(4 * widest, int((channels * made).max()))
        self.rows = np.empty(max(widest, 1), dtype=np.int64), _numbers(panel)
        self._sizes = batch * max(network.gradient_size for network in networks), room
        self._gradients = self.lower = _numbers(0)

    def gradients(self) -> Row:
        """Room for the gradients of maps, made when it is first asked for: to classify takes none."""
        if len(self._gradients) < self._sizes[0]:
            self._gradients, self.lower = (_numbers(size) for size in self._sizes)
        return self._gradients


class _Tables:
    """The tables of all windows on all sizes of maps, one behind the other."""

    def __init__(self) -> None:
        self.flat = np.zeros(0, dtype=np.int64)
        self._places: dict[tuple[int, int, Window], tuple[int, int]] = {}

    def places(self, one: Instruction) -> tuple[int, int]:
        """Where the table of an instruction's window begins, forward and back."""
        key = one.source.height, one.source.width, one.window
        if key not in self._places:
            found = table(*key)
            self._places[key] = len(self.flat), len(self.flat) + len(found.forward)
            self.flat = np.concatenate([self.flat, *found])
        return self._places[key]


def _instruction(one: Instruction, tape: Tape, plan: "Plan", tables: _Tables) -> list[int]:
    begin, back = tables.places(one)
    wanted = one.kind is not Kind.ZERO and one.source is not tape.image
    values = {
        "kind": int(one.kind),
        "source": one.source.place,
        "target": one.target.place,
        "channels": one.source.channels,
        "made": one.target.channels,
        "entering": one.source.positions,
        "leaving": one.target.positions,
        "relu": int(one.relu),
        "add": int(one.add),
        "table": begin,
        "back": back,
        "taps": one.window.kernel**2,
        "weight": one.weight,
        "statistics": one.statistics,
        "source_gradient": plan.places[one.source.place] if wanted else 0,
        "target_gradient": plan.places[one.target.place],
        "fresh": int(one in plan.fresh),
        "wanted": int(wanted),
    }
    return [values[name] for name in kernels.FIELDS]


def packed(slots: Sequence[Slot], tensors: Mapping[str, Tensor]) -> Row:
    """Tensors as a row. Full convolutions lie tap by tap."""
    if not slots:
        return np.zeros(0, dtype=np.float32)
    arrays = [(one, tensors[one.name].detach().cpu().numpy()) for one in slots]
    return np.concatenate([(a.transpose(0, 2, 3, 1) if one.by_taps else a).reshape(-1) for one, a in arrays])


def unpacked(slots: Sequence[Slot], row: Row) -> dict[str, Tensor]:
    """The tensors of a row, copied."""
    found = {}
    for slot in slots:
        numbers = row[slot.place : slot.place + slot.size]
        if slot.by_taps:
            made, channels, *kernel = slot.shape
            tensor = numbers.reshape(made, *kernel, channels).transpose(0, 3, 1, 2)
        else:
            tensor = numbers.reshape(slot.shape)
        found[slot.name] = torch.from_numpy(tensor.copy())
    return found


def _numbers(size: int) -> Row:
    """Numbers that begin with a cache line, as NumPy's own need not: a vector then lies in one line, not in two."""
    return torch.empty(int(size), dtype=torch.float32).numpy()


@dataclass(frozen=True)
class Plan:
    """Where the gradients of a tape's maps lie, by the places of the maps, and how many numbers of an image they take.

    A gradient lives from the last instruction that reads its map to the first one that writes it, seen from the end;
    then another one takes its place. `fresh` are the instructions that are the first, from the end, to write one.
    """

    places: dict[int, int]
    size: int
    fresh: frozenset[Instruction]


def plan(tape: Tape) -> Plan:
    """Places for gradients: each time the lowest ones that are free."""
    whole = {part.place: one for one in _maps(tape) for part in one.parts}
    begun: dict[int, int] = {}
    for number, one in reversed(list(enumerate(tape.instructions))):
        begun[whole.get(one.target.place, one.target).place] = number
    places: dict[int, int] = {}
    taken: dict[int, tuple[int, int]] = {}
    written: set[int] = set()
    fresh: set[Instruction] = set()
    size = 0

    def place(source: Map) -> None:
        nonlocal size
        root = whole.get(source.place, source)
        if root.place not in taken:
            at = _gap(sorted(taken.values()), root.size)
            taken[root.place] = (at, at + root.size)
            size = max(size, at + root.size)
            for leaf in root.leaves:
                places[leaf.place] = at + leaf.place - root.place
        written.update(leaf.place for leaf in source.leaves)

    place(tape.last)
    for number, one in reversed(list(enumerate(tape.instructions))):
        if one.kind is not Kind.ZERO and one.source is not tape.image:
            if not any(leaf.place in written for leaf in one.source.leaves):
                fresh.add(one)
            place(one.source)
        root = whole.get(one.target.place, one.target)
        if begun[root.place] == number:
            del taken[root.place]
    return Plan(places, size, frozenset(fresh))


def _maps(tape: Tape) -> list[Map]:
    return [tape.last, *(one for instruction in tape.instructions for one in (instruction.source, instruction.target))]


def _gap(taken: Sequence[tuple[int, int]], size: int) -> int:
    """The lowest place with so much room."""
    at = 0
    for begin, end in taken:
        if begin - at >= size:
            break
        at = max(at, end)
    return at
