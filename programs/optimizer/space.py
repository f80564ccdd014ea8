"""The space of optimizer programs, as a search sees it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import TypeVar

import numpy as np

from germline.programs.optimizer import mutate
from germline.programs.optimizer.fingerprint import fingerprint
from germline.programs.optimizer.graph import Graph, trace
from germline.programs.optimizer.primitives import FUNCTION_SETS
from germline.programs.optimizer.program import InvalidProgram, Program
from germline.programs.optimizer.text import parse, write
from germline.programs.space import NewGenome

K = TypeVar("K")
V = TypeVar("V")
Operator = Callable[[Program, np.random.Generator], Program | None]

MAX_TRIES = 1_000
"""A parent that gives no valid child after this many tries, or has nothing to change, is handed back unchanged."""

REMEMBERED_TEXTS, REMEMBERED_GRAPHS = 20_000, 4_000


@dataclass(slots=True)
class _Known:
    """What has been worked out about a program."""

    program: Program
    graph: Graph
    fingerprint: str | None = None


class OptimizerSpace:
    """Optimizer programs with the signature of a start program.

    Args:
        start: where random programs take their signature from.
        functions: `core` (the paper's 45) or `extended`.
        max_statements: `insert` grows no program beyond this.
    """

    def __init__(self, start: Program, functions: str = "core", max_statements: int = 100) -> None:
        self.start = start
        self.functions = FUNCTION_SETS[functions]
        self.max_statements = max_statements
        self._texts: dict[str, Program] = {}
        self._known: dict[int, _Known] = {}

    @cached_property
    def operators(self) -> Mapping[str, Operator]:
        return {
            "insert": lambda program, rng: mutate.insert(program, self.functions, self.max_statements, rng),
            "delete": mutate.delete,
            "modify": mutate.modify,
            "tune": mutate.tune,
            "rate": mutate.rate,
        }

    def draw(self, rng: np.random.Generator) -> NewGenome[Program]:
        length = max(1, len(self.start.body))
        for _ in range(100 * MAX_TRIES):
            program = mutate.random_program(self.start, self.functions, length, rng)
            if self.check(program) is None:
                return NewGenome(program)
        return NewGenome(self.start)

    def vary(self, genome: Program, operator: str, rng: np.random.Generator) -> NewGenome[Program]:
        change = self.operators[operator]
        parent = self._knows(genome)
        for _ in range(MAX_TRIES):
            child = change(genome, rng)
            if child is None:
                break
            try:
                self._knows(child, parent)
            except InvalidProgram:
                continue
            return NewGenome(child)
        return NewGenome(genome)

    def check(self, genome: Program) -> str | None:
        try:
            self._knows(genome)
        except InvalidProgram as invalid:
            return str(invalid)
        return None

    def fingerprint(self, genome: Program) -> str:
        known = self._knows(genome)
        if known.fingerprint is None:
            known.fingerprint = fingerprint(known.graph)
        return known.fingerprint

    def sizes(self, genome: Program) -> tuple[int, int]:
        return len(genome.body), len(self._knows(genome).graph.live_statements)

    def write(self, genome: Program) -> str:
        """A child is written before it is ever read as a parent, so that parsing is rare."""
        text = write(genome)
        _remember(self._texts, text, genome, REMEMBERED_TEXTS)
        return text

    def read(self, text: str) -> Program:
        program = self._texts.get(text)
        if program is None:
            program = parse(text)
            self._knows(program)
            _remember(self._texts, text, program, REMEMBERED_TEXTS)
        return program

    def _knows(self, program: Program, parent: _Known | None = None) -> _Known:
        """Remembered by identity: a child is checked, measured and fingerprinted in a row, and soon it is a parent."""
        known = self._known.get(id(program))
        if known is None or known.program is not program:
            if parent is None:
                known = _Known(program, trace(program))
            else:
                known = _Known(program, trace(program, (parent.program, parent.graph)))
                if known.graph.live is parent.graph.live:
                    known.fingerprint = parent.fingerprint
            _remember(self._known, id(program), known, REMEMBERED_GRAPHS)
        return known


def _remember(memory: dict[K, V], key: K, value: V, most: int) -> None:
    """The older half is forgotten when it is full, so that what lives now stays; only the time depends on this."""
    if len(memory) >= most:
        for old in list(islice(memory, most // 2)):
            del memory[old]
    memory[key] = value
