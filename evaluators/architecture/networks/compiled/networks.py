"""Networks of many architectures on a CPU: their tapes, run by the compiled kernels."""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from germline.evaluators.architecture.networks.compiled import kernels
from germline.evaluators.architecture.networks.compiled.gradient_memory import GradientMemory, gradient_memory
from germline.evaluators.architecture.networks.tape import Instruction, LayerKind, Slot, Tape, Window, table

Row = NDArray[np.float32]
Integers = NDArray[np.int64]


class CompiledNetworks:
    """The networks of N tapes of one skeleton, on a CPU.

    A network runs from its first instruction to the update of its weights before the next network begins, in working
    memory (an arena) that all share and that therefore stays in the processor's cache. No result depends on the other
    networks.

    Args:
        tapes: a tape for each network.
        tensors: the initial weights and statistics of each network, by their names in `Network.state_dict()`.
    """

    def __init__(self, tapes: Sequence[Tape], tensors: Sequence[Mapping[str, Tensor]]) -> None:
        self._tables = _Tables()
        pairs = zip(tapes, tensors, strict=True)
        self._networks = [_Network.of(tape, gradient_memory(tape), initial, self._tables) for tape, initial in pairs]
        self._arena = _Arena(0, self._networks)

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

        Raises:
            ValueError: the images have another shape, or the labels are not one class for each image.
        """
        self._check(images, labels)
        arena, batch, classes = self._load(images), len(images), labels.numpy()
        maps, lower, tables = arena.maps, arena.gradients(), self._tables.flat
        numbers = [np.float32(number) for number in (rate, momentum, decay, max_norm)]
        losses = []
        for network in self._networks:
            self._classify(network, batch, training=True)
            w, dw = network.weights, network.gradients
            dw.fill(0)
            losses.append(kernels.classify_back(network.head, maps, lower, w, dw, arena.logits, classes, arena.pooled))
            scratch = arena.rectified, arena.lower, *arena.rows
            kernels.backward(network.code, maps, lower, tables, w, dw, arena.batch_statistics, batch, *scratch)
            if rate:
                kernels.update(w, dw, network.velocity, *numbers)
        return torch.tensor(losses, dtype=torch.float32)

    def logits(self, images: Tensor, training: bool = False) -> Tensor:
        """Logits `[N, batch, classes]` of images `[batch, channels, height, width]`.

        In training the norms use the statistics of the batch and update their running statistics.
        """
        arena, batch, classes = self._load(images), len(images), self._networks[0].tape.skeleton.classes
        logits = []
        for network in self._networks:
            self._classify(network, batch, training)
            logits.append(torch.from_numpy(arena.logits[: classes * batch].copy()).view(classes, batch).T)
        return torch.stack(logits)

    def _check(self, images: Tensor, labels: Tensor) -> None:
        """Raises ValueError for labels that do not fit: compiled code checks no bounds, and would overwrite memory."""
        classes = self._networks[0].tape.skeleton.classes
        if labels.shape != images.shape[:1] or not len(labels):
            raise ValueError(f"expected a label for each of {len(images)} images, got {tuple(labels.shape)}")
        low, high = int(labels.min()), int(labels.max())
        if low < 0 or high >= classes:
            raise ValueError(
                f"expected labels from 0 to {classes - 1}, got {low} to {high}; correct the task's classes"
            )

    def _classify(self, network: "_Network", batch: int, training: bool) -> None:
        """Runs a network on the images in the arena, up to the logits."""
        arena = self._arena
        scratch = arena.batch_statistics, batch, training, arena.rectified, *arena.rows
        kernels.forward(network.code, arena.maps, self._tables.flat, network.weights, network.statistics, *scratch)
        kernels.classify(network.head, arena.maps, network.weights, arena.logits, arena.pooled, batch)

    def tensors(self, number: int) -> dict[str, Tensor]:
        """Copies of a network's weights and statistics, by their names in `Network.state_dict()`."""
        network = self._networks[number]
        weights = unpacked(network.tape.weights, network.weights)
        return weights | unpacked(network.tape.statistics, network.statistics)

    def keep(self, numbers: Sequence[int]) -> "CompiledNetworks":
        """The networks with the given numbers; they share weights, statistics and velocity with this object."""
        smaller = copy(self)
        smaller._networks = [self._networks[number] for number in numbers]
        return smaller

    def _load(self, images: Tensor) -> "_Arena":
        """The arena, with images copied to its beginning; it grows if the batch is larger than all before.

        Raises:
            ValueError: the images have another shape than the skeleton's.
        """
        if len(images) > self._arena.batch:
            self._arena = _Arena(len(images), self._networks)
        image, expected = self._networks[0].tape.image, self._networks[0].tape.skeleton.image
        if tuple(images.shape[1:]) != expected:
            raise ValueError(f"expected images of {expected}, got {tuple(images.shape[1:])}")
        channels = self._arena.maps[: image.size * len(images)].reshape(image.channels, -1, len(images))
        channels[:, : image.positions] = images.flatten(2).permute(1, 2, 0).numpy()
        return self._arena


@dataclass(frozen=True)
class _Network:
    """A tape as the kernels read it, with its weights, statistics, gradients and velocity.

    The velocity is momentum's decaying sum of gradients. `gradient_size` is how many numbers the gradients of all maps
    of one image take, `code` is int64 with a row of `kernels.FIELDS` for each instruction, and `head` is such a row for
    the classifier.
    """

    tape: Tape
    gradient_size: int
    code: Integers
    head: Integers
    weights: Row
    statistics: Row
    gradients: Row
    velocity: Row

    @classmethod
    def of(cls, tape: Tape, memory: GradientMemory, tensors: Mapping[str, Tensor], tables: "_Tables") -> Self:
        rows = [_instruction_row(instruction, tape, memory, tables) for instruction in tape.instructions]
        code = np.array(rows, dtype=np.int64)
        head = dict.fromkeys(kernels.FIELDS, 0)
        head |= {"source": tape.last.place, "in_channels": tape.last.channels}
        head |= {"out_channels": tape.skeleton.classes, "in_positions": tape.last.positions}
        head |= {"relu": int(tape.last_relu), "weight": tape.classifier}
        head |= {"source_gradient": memory.places[tape.last.place]}
        weights = packed(tape.weights, tensors)
        numbers = weights, packed(tape.statistics, tensors), np.zeros_like(weights), np.zeros_like(weights)
        return cls(tape, memory.size, code, np.array(list(head.values()), dtype=np.int64), *numbers)


class _Arena:
    """Working memory in which networks run one after the other; it fits the largest of them.

    Args:
        batch: the largest number of images.
        networks: the networks that run in it.
    """

    def __init__(self, batch: int, networks: Sequence[_Network]) -> None:
        layers = np.concatenate([np.vstack([*network.code, network.head]) for network in networks])
        fields = kernels.IN_CHANNELS, kernels.OUT_CHANNELS, kernels.IN_POSITIONS, kernels.TAPS
        in_channels, out_channels, in_positions, taps = (layers[:, field] for field in fields)
        largest = int((in_channels * (in_positions + kernels.GAP)).max())
        widest = int((taps * np.maximum(in_channels, out_channels)).max())
        # The chunks of a 1×1 convolution have gaps of their own.
        scratch_size = batch * largest + 16 * int(in_channels.max())
        self.batch = batch
        self.maps = _numbers(batch * max(network.tape.size for network in networks))
        self.batch_statistics = _numbers(max(network.tape.statistic_count for network in networks))
        self.rectified = _numbers(scratch_size)
        self.pooled, self.logits = _numbers(batch * int(in_channels.max())), _numbers(batch * int(out_channels.max()))
        panel_size = max(4 * widest, int((in_channels * out_channels).max()))
        self.rows = np.empty(max(widest, 1), dtype=np.int64), _numbers(panel_size)
        self._sizes = batch * max(network.gradient_size for network in networks), scratch_size
        self._gradients = self.lower = _numbers(0)

    def gradients(self) -> Row:
        """Memory for the gradients of maps, allocated at the first call: classification needs none."""
        if len(self._gradients) < self._sizes[0]:
            self._gradients, self.lower = (_numbers(size) for size in self._sizes)
        return self._gradients


class _Tables:
    """The window tables of all networks, concatenated in `flat`; equal windows on equal maps share a table."""

    def __init__(self) -> None:
        self.flat = np.zeros(0, dtype=np.int64)
        self._places: dict[tuple[int, int, Window], tuple[int, int]] = {}

    def places(self, instruction: Instruction) -> tuple[int, int]:
        """Where the forward and the backward table of an instruction's window begin."""
        key = instruction.source.height, instruction.source.width, instruction.window
        if key not in self._places:
            window_table = table(*key)
            self._places[key] = len(self.flat), len(self.flat) + len(window_table.forward)
            self.flat = np.concatenate([self.flat, *window_table])
        return self._places[key]


def _instruction_row(instruction: Instruction, tape: Tape, memory: GradientMemory, tables: _Tables) -> list[int]:
    """The numbers of an instruction, in the order of `kernels.FIELDS`."""
    forward, backward = tables.places(instruction)
    source, target = instruction.source, instruction.target
    needs_gradient = instruction.kind is not LayerKind.ZERO and source is not tape.image
    values = {
        "kind": int(instruction.kind),
        "source": source.place,
        "target": target.place,
        "in_channels": source.channels,
        "out_channels": target.channels,
        "in_positions": source.positions,
        "out_positions": target.positions,
        "relu": int(instruction.relu),
        "add": int(instruction.add),
        "forward_table": forward,
        "backward_table": backward,
        "taps": instruction.window.taps,
        "weight": instruction.weight,
        "statistics": instruction.statistics,
        "source_gradient": memory.places[source.place] if needs_gradient else 0,
        "target_gradient": memory.places[target.place],
        "overwrites": int(instruction in memory.overwriting),
        "needs_gradient": int(needs_gradient),
    }
    return [values[name] for name in kernels.FIELDS]


def packed(slots: Sequence[Slot], tensors: Mapping[str, Tensor]) -> Row:
    """Tensors as one row of numbers, in the order and layout of their slots."""
    rows = [np.zeros(0, dtype=np.float32)]
    for slot in slots:
        array = tensors[slot.name].detach().cpu().numpy()
        rows.append((array.transpose(0, 2, 3, 1) if slot.by_taps else array).reshape(-1))
    return np.concatenate(rows)


def unpacked(slots: Sequence[Slot], row: Row) -> dict[str, Tensor]:
    """Copies of the tensors of a row, by name."""
    tensors = {}
    for slot in slots:
        numbers = row[slot.place : slot.place + slot.size]
        if slot.by_taps:
            out_channels, in_channels, *kernel = slot.shape
            tensor = numbers.reshape(out_channels, *kernel, in_channels).transpose(0, 3, 1, 2)
        else:
            tensor = numbers.reshape(slot.shape)
        tensors[slot.name] = torch.from_numpy(tensor.copy())
    return tensors


def _numbers(size: int) -> Row:
    """Uninitialized numbers that begin at a cache line, so that no vector spans two; NumPy does not guarantee that."""
    return torch.empty(int(size), dtype=torch.float32).numpy()
