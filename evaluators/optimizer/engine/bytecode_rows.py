"""Rows whose programs run as bytecode, all in one call of the interpreter."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
import torch

from germline.evaluators.optimizer.engine.bytecode import (
    FIELDS,
    FIXED_NUMBERS,
    GAP,
    GIVEN,
    Bytecode,
    Space,
    assemble,
    structure,
)
from germline.evaluators.optimizer.engine.micro import MicroProgram
from germline.evaluators.optimizer.engine.run_rows import run_rows
from germline.programs.optimizer.flat import Layout

CPU_CHUNK = 2048
"""Elements per chunk: registers of this length stay in the caches of one core."""


def runs_bytecode(device: str, layout: Layout) -> bool:
    """Returns True if bytecode can run on a device.

    A CPU always can; a GPU if Triton is installed and a chunk holds a number for each leaf.
    """
    return device == "cpu" or (find_spec("triton") is not None and len(layout.shapes) <= _chunk(device))


@dataclass(frozen=True)
class Row:
    """The program of a row: its code, shared by all rows of the same structure, and its own constants by place."""

    bytecode: Bytecode
    constants: tuple[tuple[int, float | tuple[float, ...]], ...]


def rows_of(programs: Sequence[MicroProgram], layout: Layout, device: str) -> list[Row]:
    """Returns the row of each program; programs of the same structure share their bytecode."""
    known: dict[tuple[object, ...], Bytecode] = {}
    rows = []
    for program in programs:
        key = structure(program)
        if key not in known:
            known[key] = assemble(program, len(layout.shapes), _stride(layout), _chunk(device))
        values = program.values
        constants = ((place, values[i].constant) for i, place in known[key].constants)
        rows.append(Row(known[key], tuple((place, value) for place, value in constants if value is not None)))
    return rows


class BytecodeRows:
    """The programs of the first rows of `parameters` and `gradients`, as bytecode, and the memory of all rows.

    A single tensor holds all of it: registers, parameters, gradients, and then for each row of bytecode its trees and
    its numbers.

    Args:
        rows: the program of each row.
        others: number of further rows of both buffers, whose programs run in plain torch.
        layout: leaf shapes of the model.
        device: the device of the memory.

    Attributes:
        parameters, gradients: float32 `[len(rows) + others, elements]`, views of the memory.
    """

    def __init__(self, rows: Sequence[Row], others: int, layout: Layout, device: str) -> None:
        self.rows = rows
        self.layout = layout
        self.device = device
        elements, stride = layout.elements, _stride(layout)
        count, chunk = len(rows) + others, _chunk(device)
        self.instances = _instances(len(rows), device)
        self.scratch = max((row.bytecode.registers for row in rows), default=0) * (chunk + GAP)
        owned = [row.bytecode.trees * stride + _aligned(row.bytecode.numbers) for row in rows]
        parameters = self.instances * self.scratch
        gradients = parameters + count * stride
        ends = gradients + count * stride + np.cumsum([0, *owned])
        self.starts: list[int] = ends.tolist()
        self.memory = torch.zeros(self.starts[-1], device=device)
        self.parameters = self.memory[parameters:gradients].view(count, stride)[:, :elements]
        self.gradients = self.memory[gradients : self.starts[0]].view(count, stride)[:, :elements]
        self._write_constants()
        self.given = {name: self._places(name) for name in GIVEN if name in self._inputs()}
        sums = max((row.bytecode.sums for row in rows), default=0)
        self.sums = torch.zeros(self.instances, sums, dtype=torch.float64, device=device)
        tables = [*self._tables(parameters, gradients), _chunks([elements], chunk), _chunks(layout.sizes, chunk)]
        self.tables = [torch.from_numpy(table).to(device) for table in tables]

    def step(self, lr: torch.Tensor, step: torch.Tensor, progress: torch.Tensor, loss: torch.Tensor) -> None:
        """Runs every row's program on its parameters and gradient. All inputs are float32, on the device.

        Args:
            lr: the input of each row, `[rows]`, or of all rows, `[1]`.
            step: the input of all rows, `[1]`; 1 at the first step.
            progress: the input of all rows, `[1]`.
            loss: the input of each row, `[rows]`.
        """
        if not self.rows:
            return
        for name, (rows, places) in self.given.items():
            self.memory[places] = loss[rows] if name == "loss" else progress
        run_rows(self.memory, self.tables, self.sums, self.scratch, len(self.layout.shapes), lr, step)

    def keep(self, rows: Sequence[int], others: int) -> "BytecodeRows":
        """Returns buffers for the given rows, with their programs and states; the caller fills in the parameters."""
        smaller = BytecodeRows([self.rows[i] for i in rows], others, self.layout, self.device)
        for new, old in enumerate(rows):
            own = self.memory[self.starts[old] : self.starts[old + 1]]
            smaller.memory[smaller.starts[new] : smaller.starts[new + 1]] = own
        return smaller

    def _inputs(self) -> set[str]:
        """The inputs out of `GIVEN` that some row reads."""
        return {name for row in self.rows for name, _ in row.bytecode.given}

    def _places(self, name: str) -> tuple[torch.Tensor, torch.Tensor]:
        """The rows that read an input out of `GIVEN`, and for each of them its place in the memory."""
        found = [
            (i, start + row.bytecode.trees * _stride(self.layout) + place)
            for i, (row, start) in enumerate(zip(self.rows, self.starts[:-1], strict=True))
            for own, place in row.bytecode.given
            if own == name
        ]
        rows, places = torch.tensor(found, dtype=torch.int64, device=self.device).T
        return rows, places

    def _write_constants(self) -> None:
        places: list[int] = []
        numbers: list[float] = []
        for row, start in zip(self.rows, self.starts[:-1], strict=True):
            for place, value in row.constants:
                values = value if isinstance(value, tuple) else (value,)
                first = start + row.bytecode.trees * _stride(self.layout) + place
                places.extend(range(first, first + len(values)))
                numbers.extend(values)
        self.memory[torch.tensor(places, dtype=torch.int64, device=self.device)] = torch.tensor(
            numbers, dtype=torch.float32, device=self.device
        )

    def _tables(self, parameters: int, gradients: int) -> list[np.ndarray]:
        """Returns `code`, `sections` and `rows`, which `run_rows` reads; rows of equal bytecode share the first two.

        Args:
            parameters, gradients: the index in `memory`, in float32 numbers, at which each of these buffers begins.
        """
        code: list[tuple[int, ...]] = []
        sections: list[tuple[int, int, bool]] = []
        first_section: dict[int, int] = {}
        table = []
        for i, row in enumerate(self.rows):
            bytecode = row.bytecode
            if id(bytecode) not in first_section:
                first_section[id(bytecode)] = len(sections)
                sections.extend((len(code) + begin, len(code) + end, over) for begin, end, over in bytecode.sections)
                code.extend(bytecode.code)
            first, numbers = first_section[id(bytecode)], self.starts[i] + bytecode.trees * _stride(self.layout)
            starts = {
                Space.REGISTER: 0,
                Space.PARAMETER: parameters + i * _stride(self.layout),
                Space.GRADIENT: gradients + i * _stride(self.layout),
                Space.TREE: self.starts[i],
                Space.NUMBER: numbers,
                Space.LEAF_NUMBER: numbers,
            }
            table.append((first, first + len(bytecode.sections), bytecode.by_leaf, *(starts[space] for space in Space)))
        return [
            np.array(code, np.int64).reshape(len(code), len(FIELDS)),
            np.array(sections, np.int32).reshape(len(sections), 3),
            np.array(table, np.int64).reshape(len(table), 3 + len(Space)),
        ]


def _aligned(numbers: int) -> int:
    """A count of float32 numbers, rounded up to whole cache lines."""
    return -(-numbers // 16) * 16


def _stride(layout: Layout) -> int:
    """Distance between the parameters of two neighbouring rows, in float32 numbers."""
    return _aligned(layout.elements)


def _chunk(device: str) -> int:
    """Number of elements that an instruction processes at once, by device."""
    if device == "cpu":
        return CPU_CHUNK
    from germline.evaluators.optimizer.engine import cuda  # here, since it needs Triton

    return cuda.CHUNK


def _instances(rows: int, device: str) -> int:
    """Rows that can run at the same time, each of which needs its own registers."""
    if device == "cpu" or not torch.cuda.is_available():
        return 1
    from germline.evaluators.optimizer.engine import cuda  # here, since it needs Triton

    processors = torch.cuda.get_device_properties(device).multi_processor_count
    return max(1, min(rows, processors * cuda.INSTANCES_PER_PROCESSOR))


def _chunks(sizes: Sequence[int], chunk: int) -> np.ndarray:
    """First element, size and leaf of each chunk, int32 `[chunks, 3]`; no chunk crosses the end of one of `sizes`."""
    chunks, first = [], 0
    for leaf, size in enumerate(sizes):
        chunks += [(first + at, min(chunk, size - at), leaf) for at in range(0, size, chunk)]
        first += size
    return np.array(chunks, np.int32)


assert FIXED_NUMBERS == 2, "both interpreters write lr and step to the first two numbers of a row"
