"""The space of optimizer programs, as a search sees it."""

from collections.abc import Callable, Mapping
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

K = TypeVar("K")
V = TypeVar("V")
Operator = Callable[[Program, np.random.Generator], Program | None]

MAX_TRIES = 1_000
"""A parent that gives no valid child after this many tries, or has nothing to change, is handed back unchanged."""

REMEMBERED_TEXTS, REMEMBERED_GRAPHS = 20_000, 4_000


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
        self._graphs: dict[int, tuple[Program, Graph]] = {}

    @cached_property
    def operators(self) -> Mapping[str, Operator]:
        return {
            "insert": lambda program, rng: mutate.insert(program, self.functions, self.max_statements, rng),
            "delete": mutate.delete,
            "modify": mutate.modify,
            "tune": mutate.tune,
            "rate": mutate.rate,
        }

    def draw(self, rng: np.random.Generator) -> Program:
        length = max(1, len(self.start.body))
        for _ in range(100 * MAX_TRIES):
            program = mutate.random_program(self.start, self.functions, length, rng)
            if self.check(program) is None:
                return program
        return self.start

    def vary(self, genome: Program, operator: str, rng: np.random.Generator) -> Program:
        change = self.operators[operator]
        parent = (genome, self._trace(genome))
        for _ in range(MAX_TRIES):
            child = change(genome, rng)
            if child is None:
                break
            try:
                self._trace(child, parent)
            except InvalidProgram:
                continue
            return child
        return genome

    def check(self, genome: Program) -> str | None:
        try:
            self._trace(genome)
        except InvalidProgram as invalid:
            return str(invalid)
        return None

    def fingerprint(self, genome: Program) -> str:
        return fingerprint(self._trace(genome))

    def sizes(self, genome: Program) -> tuple[int, int]:
        return len(genome.body), len(self._trace(genome).live_statements)

    def write(self, genome: Program) -> str:
        """A child is written before it is ever read as a parent, so that parsing is rare."""
        text = write(genome)
        _remember(self._texts, text, genome, REMEMBERED_TEXTS)
        return text

    def read(self, text: str) -> Program:
        program = self._texts.get(text)
        if program is None:
            program = parse(text)
            self._trace(program)
            _remember(self._texts, text, program, REMEMBERED_TEXTS)
        return program

    def _trace(self, program: Program, parent: tuple[Program, Graph] | None = None) -> Graph:
        """Remembered by identity: a child is checked, measured and fingerprinted in a row, and soon it is a parent."""
        known = self._graphs.get(id(program))
        if known is None or known[0] is not program:
            known = (program, trace(program, parent))
            _remember(self._graphs, id(program), known, REMEMBERED_GRAPHS)
        return known[1]


def _remember(memory: dict[K, V], key: K, value: V, most: int) -> None:
    """The older half is forgotten when it is full, so that what lives now stays; only the time depends on this."""
    if len(memory) >= most:
        for old in list(islice(memory, most // 2)):
            del memory[old]
    memory[key] = value
