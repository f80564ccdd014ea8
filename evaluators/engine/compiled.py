"""Rows whose programs run as bytecode, all of them in one call."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from germline.evaluators.engine.bytecode import FIELDS, GAP, Bytecode, Space, assemble, structure
from germline.evaluators.engine.interpreter import run_rows
from germline.evaluators.engine.micro import MicroProgram
from germline.programs.optimizer.flat import Layout

CHUNK = 2048
"""Elements at a time: a program's registers of this length stay in the first-level cache."""


@dataclass(frozen=True)
class Row:
    """One row's program: its code, shared with others of the same structure, and its own constants by their place."""

    bytecode: Bytecode
    constants: tuple[tuple[int, float | tuple[float, ...]], ...]


def rows_of(programs: Sequence[MicroProgram], layout: Layout) -> list[Row]:
    """Assembles each structure once."""
    known: dict[tuple[object, ...], Bytecode] = {}
    found = []
    for program in programs:
        key = structure(program)
        if key not in known:
            known[key] = assemble(program, len(layout.shapes), layout.elements, CHUNK)
        values = program.values
        constants = ((place, values[i].constant) for i, place in known[key].constants)
        found.append(Row(known[key], tuple((place, value) for place, value in constants if value is not None)))
    return found


class CompiledRows:
    """The first rows of `parameters` and `gradients`, and the memory in which those lie.

    Args:
        rows: what runs on each row.
        others: how many rows the buffers have beyond these.
        layout: leaf shapes of the model.
    """

    def __init__(self, rows: Sequence[Row], others: int, layout: Layout) -> None:
        self.rows = rows
        self.layout = layout
        elements, count = layout.elements, len(rows) + others
        trees = [row.bytecode.trees * elements for row in rows]
        numbers = [row.bytecode.numbers for row in rows]
        registers = max((row.bytecode.registers for row in rows), default=0) * (CHUNK + GAP)
        sizes = [registers, count * elements, count * elements, *trees, *numbers]
        ends = np.cumsum(sizes)
        starts = ends - sizes
        self.memory = torch.zeros(int(ends[-1]))
        _, parameters, gradients, *own = starts.tolist()
        self.tree_starts, self.number_starts = own[: len(rows)], own[len(rows) :]
        self.parameters = self.memory[parameters : parameters + sizes[1]].view(count, elements)
        self.gradients = self.memory[gradients : gradients + sizes[1]].view(count, elements)
        for row, start in zip(rows, self.number_starts, strict=True):
            for place, value in row.constants:
                size = len(value) if isinstance(value, tuple) else 1
                self.memory[start + place : start + place + size] = torch.tensor(value)
        self._tables(parameters, gradients)
        self.sums = np.zeros(max((row.bytecode.sums for row in rows), default=0))
        self.whole, self.by_leaf = _chunks([elements]), _chunks(layout.sizes)

    def step(self, lr: float, step: int) -> None:
        """Runs every row's program on its parameters and gradient."""
        if self.rows:
            memory = self.memory.numpy()
            leaves = len(self.layout.shapes)
            numbers = (np.float32(lr), np.float32(step))
            tables = (self.code, self.sections, self.table, self.whole, self.by_leaf, self.sums)
            run_rows(memory, *tables, leaves, *numbers)

    def keep(self, kept: Sequence[int], others: int) -> "CompiledRows":
        """The same programs and states on these rows alone; the parameters are left for the caller to fill in."""
        smaller = CompiledRows([self.rows[i] for i in kept], others, self.layout)
        for new, old in enumerate(kept):
            row = self.rows[old].bytecode
            for size, into, out_of in (
                (row.trees * self.layout.elements, smaller.tree_starts[new], self.tree_starts[old]),
                (row.numbers, smaller.number_starts[new], self.number_starts[old]),
            ):
                smaller.memory[into : into + size] = self.memory[out_of : out_of + size]
        return smaller

    def _tables(self, parameters: int, gradients: int) -> None:
        """Code and sections of each structure once, and for each row its sections and where its memory begins."""
        code: list[tuple[int, ...]] = []
        sections: list[tuple[int, int, bool]] = []
        first_section: dict[int, int] = {}
        table = []
        for i, row in enumerate(self.rows):
            one = row.bytecode
            if id(one) not in first_section:
                first_section[id(one)] = len(sections)
                sections.extend((len(code) + a, len(code) + b, over) for a, b, over in one.sections)
                code.extend(one.code)
            first = first_section[id(one)]
            own = i * self.layout.elements
            starts = {
                Space.REGISTER: 0,
                Space.PARAMETER: parameters + own,
                Space.GRADIENT: gradients + own,
                Space.TREE: self.tree_starts[i],
                Space.NUMBER: self.number_starts[i],
                Space.LEAF_NUMBER: self.number_starts[i],
            }
            table.append((first, first + len(one.sections), one.by_leaf, *(starts[space] for space in Space)))
        self.code = np.array(code, np.int32).reshape(len(code), len(FIELDS))
        self.sections = np.array(sections, np.int32).reshape(len(sections), 3)
        self.table = np.array(table, np.int64).reshape(len(table), 3 + len(Space))


def _chunks(sizes: Sequence[int]) -> np.ndarray:
    """First element, size and leaf of each chunk, none of which crosses the end of one of `sizes`."""
    found, first = [], 0
    for leaf, size in enumerate(sizes):
        found += [(first + at, min(CHUNK, size - at), leaf) for at in range(0, size, CHUNK)]
        first += size
    return np.array(found, np.int32)

