"""The space of optimizer programs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import TypeVar

import numpy as np

from germline.programs.optimizer import constant_axes, mutate
from germline.programs.optimizer.crossing import cross, graft
from germline.programs.optimizer.fingerprint import fingerprint
from germline.programs.optimizer.fragment import Limits
from germline.programs.optimizer.graph import Graph, trace
from germline.programs.optimizer.idioms import IDIOMS, idiom
from germline.programs.optimizer.primitives import FUNCTION_SETS
from germline.programs.optimizer.program import InvalidProgram, Program, Statement, clashing_state
from germline.programs.optimizer.text import parse, write
from germline.programs.optimizer.types import STATE_TYPES
from germline.programs.optimizer.update_size import octaves_to, resized, update_rms
from germline.programs.optimizer.wrapping import unwrap, wrap
from germline.programs.space import NewGenome

K = TypeVar("K")
V = TypeVar("V")
Operator = Callable[[Program, np.random.Generator], Program | None]
PairOperator = Callable[[Program, Program, np.random.Generator], Program | None]

MAX_TRIES = 1_000
"""Tries to vary a parent. After the last try, or if there is nothing to change, the parent itself is returned."""

PROBES, LEAST_VALID = 5_000, 6
"""`draw` draws whole programs if at least `LEAST_VALID` of `PROBES` random programs are valid."""

MAX_BUILT = 10
"""Tries to build a program statement by statement."""

MAX_TEXTS, MAX_GRAPHS = 20_000, 4_000
"""Sizes of the caches."""


@dataclass(slots=True)
class _Traced:
    """A program, its graph and, once computed, its fingerprint and the size of its updates.

    `size` is `update_rms`; it is None until `size_known`, and if that is zero or not finite.
    """

    program: Program
    graph: Graph
    fingerprint: str | None = None
    size: float | None = None
    size_known: bool = False


class OptimizerSpace:
    """Optimizer programs. Drawn programs have the inputs and the returned names of a start program; operators may add
    states and the input `step`.

    Args:
        start: the start program.
        functions: a key of `primitives.FUNCTION_SETS`.
        max_statements: no operator grows a program beyond this.
        max_states: no operator gives a program more states than this.
        idioms: names of the idioms that the operator `idiom` draws from, without those that need other functions.
        keep_size: True: a child that differs from its parent in more than constants gets another learning rate, a
            power of two times its own, if its updates are nearer to the size of its parent's with it.
    """

    def __init__(
        self,
        start: Program,
        functions: str = "core",
        max_statements: int = 100,
        max_states: int = 8,
        idioms: Sequence[str] = tuple(IDIOMS),
        keep_size: bool = False,
    ) -> None:
        self.start = start
        self.functions = FUNCTION_SETS[functions]
        self.max_statements = max_statements
        # Without inverse_root a state of products is of little use, and older runs had none.
        products = () if "inverse_root" in self.functions else ("left", "right")
        self.limits = Limits(max_statements, max_states, tuple(word for word in STATE_TYPES if word not in products))
        self.idioms = tuple(name for name in idioms if IDIOMS[name].functions <= set(self.functions))
        self.keep_size = keep_size
        self._texts: dict[str, Program] = {}
        self._graphs: dict[int, _Traced] = {}

    @cached_property
    def operators(self) -> Mapping[str, Operator]:
        return {
            "insert": lambda program, rng: mutate.insert(program, self.functions, self.max_statements, rng),
            "delete": mutate.delete,
            "modify": mutate.modify,
            "tune": mutate.tune,
            "rate": mutate.rate,
            "replace": lambda program, rng: mutate.replace(program, self._graph(program), self.functions, rng),
            "wrap": lambda program, rng: wrap(program, self._graph(program), self.functions, self.limits, rng),
            "unwrap": lambda program, rng: unwrap(program, self._graph(program), self.limits, rng),
            "idiom": lambda program, rng: idiom(program, self._graph(program), self.idioms, self.limits, rng),
        }

    @cached_property
    def pair_operators(self) -> Mapping[str, PairOperator]:
        return {"graft": self._pair_operator(graft), "cross": self._pair_operator(cross)}

    def draw(self, rng: np.random.Generator) -> NewGenome[Program]:
        """A random valid program with as many statements as the start program, at least one.

        Programs are drawn as a whole until a valid one comes. If hardly any is valid, as with the signature and the
        length of Adafactor, the program is built statement by statement.

        Raises:
            InvalidProgram: no valid program with the signature of the start program was found, because its return line
                exchanges the types of inputs.
        """
        if self._often_valid:
            for _ in range(100 * MAX_TRIES):
                program = mutate.random_program(self.start, self.functions, self._length, rng)
                if self.check(program) is None:
                    return NewGenome(program)
        for _ in range(MAX_BUILT):
            built = mutate.random_valid_program(self.start, self.functions, self._length, rng)
            if built is not None:
                return NewGenome(built)
        raise InvalidProgram(
            "signature",
            "expected a start program whose signature random programs can have, got a return line that exchanges the "
            "types of inputs; return the states under their own names, or search with another strategy than random",
        )

    @property
    def _length(self) -> int:
        """Number of statements of a random program."""
        return max(1, len(self.start.body))

    @cached_property
    def _often_valid(self) -> bool:
        """True if enough of `PROBES` random programs, always the same, are valid."""
        rng = np.random.default_rng(0)
        programs = (mutate.random_program(self.start, self.functions, self._length, rng) for _ in range(PROBES))
        valid = (program for program in programs if self.check(program) is None)
        return len(list(islice(valid, LEAST_VALID))) == LEAST_VALID

    def vary(self, genome: Program, operator: str, rng: np.random.Generator) -> NewGenome[Program]:
        change = self.operators[operator]
        return self._valid_child(genome, lambda: change(genome, rng))

    def combine(self, genome: Program, donor: Program, operator: str, rng: np.random.Generator) -> NewGenome[Program]:
        change = self.pair_operators[operator]
        return self._valid_child(genome, lambda: change(genome, donor, rng))

    def check(self, genome: Program) -> str | None:
        try:
            self._traced(genome)
        except InvalidProgram as invalid:
            return str(invalid)
        return None

    def refuses(self, genome: Program) -> str | None:
        """Besides what `check` says, limits on statements and states, and functions, names and shapes of states and
        inputs that the operators of this space never give a program."""
        if len(genome.body) > self.max_statements:
            return f"expected at most {self.max_statements} statements, got {len(genome.body)}"
        if len(genome.states) > self.limits.states:
            return f"expected at most {self.limits.states} states, got {len(genome.states)}"
        for line in genome.body:
            if line.function not in self.functions and line.function != "=":
                return f"expected functions of the search, got {line.function}, which it does not have"
        shapes = self.state_shapes
        for state in genome.states:
            if state.shape not in shapes:
                return f"expected states of shape {', '.join(shapes)}, got {state.name}: {state.shape}"
        for name in genome.optional_inputs:
            if name not in self.optional_inputs:
                return f"expected no input {name}: the start program has none"
        return self.names_clash(genome) or self.check(genome)

    def names_clash(self, genome: Program) -> str | None:
        """Why a program has a state with the name of an optional input; None if it has none that the start program has
        not: those of an older run may."""
        return clashing_state(genome, [state.name for state in self.start.states])

    @property
    def state_shapes(self) -> tuple[str, ...]:
        """Shapes of states that a program may have, keys of `types.STATE_TYPES`; `readout` only if the start has it."""
        plain = ("tree", "leaf", "scalar") if self.functions == FUNCTION_SETS["core"] else self.limits.shapes
        own = (state.shape for state in self.start.states)
        return tuple(dict.fromkeys((*(shape for shape in plain if shape != "readout"), *own)))

    @property
    def optional_inputs(self) -> tuple[str, ...]:
        """Inputs after `lr` that a program may have: `step`, and those of the start program."""
        return tuple(dict.fromkeys(("step", *self.start.optional_inputs)))

    def fingerprint(self, genome: Program) -> str:
        traced = self._traced(genome)
        if traced.fingerprint is None:
            traced.fingerprint = fingerprint(traced.graph)
        return traced.fingerprint

    def sizes(self, genome: Program) -> tuple[int, int]:
        return len(genome.body), len(self._traced(genome).graph.live_statements)

    def structure(self, genome: Program) -> str:
        """A hash that is equal for programs that differ in the values of constants alone, if those that are equal in
        one are equal in the other, and their statements stand in the same order."""
        values = self._axes(genome)
        marks = {value: 1.0 + (i + 1) / 64 for i, value in enumerate(values)}
        return self.fingerprint(constant_axes.with_values(genome, marks))

    def axes(self, genome: Program) -> int:
        return len(self._axes(genome))

    def moved(self, genome: Program, octaves: Sequence[float]) -> Program:
        return constant_axes.moved(genome, self._axes(genome), octaves)

    def octaves(self, genome: Program, other: Program) -> tuple[float, ...]:
        return constant_axes.octaves_between(genome, self._axes(genome), other)

    def write(self, genome: Program) -> str:
        """The text of a program, which is cached: a child is written before it is read as a parent."""
        text = write(genome)
        _store(self._texts, text, genome, MAX_TEXTS)
        return text

    def read(self, text: str) -> Program:
        program = self._texts.get(text)
        if program is None:
            program = parse(text)
            self._traced(program)
            _store(self._texts, text, program, MAX_TEXTS)
        return program

    def _valid_child(self, genome: Program, change: Callable[[], Program | None]) -> NewGenome[Program]:
        """The first valid child; the genome itself if there is nothing to change, or after `MAX_TRIES` tries."""
        parent = self._traced(genome)
        for _ in range(MAX_TRIES):
            child = change()
            if child is None:
                break
            try:
                traced = self._traced(child, parent)
            except InvalidProgram:
                continue
            return NewGenome(self._resized(traced, parent) if self.keep_size else child)
        return NewGenome(genome)

    def _resized(self, child: _Traced, parent: _Traced) -> Program:
        """A child with updates about as large as its parent's.

        The child as it is, if it differs in constants alone, or if the other rate brings its updates no nearer.
        """
        program = child.program
        if child.graph.live is parent.graph.live or _differ_in_constants_alone(program, parent.program):
            return program
        wanted = self._size(parent)
        octaves = octaves_to(self._size(child), wanted)
        if not octaves:
            return program
        other = resized(program, octaves)
        if len(other.body) > self.max_statements:
            return program
        nearer = abs(octaves_to(self._size(self._traced(other, child)), wanted)) < abs(octaves)
        return other if nearer else program

    def _size(self, traced: _Traced) -> float | None:
        if not traced.size_known:
            traced.size, traced.size_known = update_rms(traced.graph), True
        return traced.size

    def _pair_operator(self, operator: Callable[..., Program | None]) -> PairOperator:
        def change(program: Program, donor: Program, rng: np.random.Generator) -> Program | None:
            return operator(program, self._graph(program), donor, self._graph(donor), self.limits, rng)

        return change

    def _axes(self, program: Program) -> tuple[float, ...]:
        return constant_axes.axes(program, self._graph(program))

    def _graph(self, program: Program) -> Graph:
        """The graph of a valid program."""
        return self._traced(program).graph

    def _traced(self, program: Program, parent: _Traced | None = None) -> _Traced:
        """The program with its graph, cached by identity: a child is checked, measured and fingerprinted in succession.

        Raises:
            InvalidProgram: the program does not pass abstract execution.
        """
        traced = self._graphs.get(id(program))
        if traced is None or traced.program is not program:
            if parent is None:
                traced = _Traced(program, trace(program))
            else:
                traced = _Traced(program, trace(program, (parent.program, parent.graph)))
                if traced.graph.live is parent.graph.live:
                    traced.fingerprint = parent.fingerprint
                    traced.size, traced.size_known = parent.size, parent.size_known
            _store(self._graphs, id(program), traced, MAX_GRAPHS)
        return traced


def _differ_in_constants_alone(program: Program, other: Program) -> bool:
    """True for programs that are equal but for the values of literals."""
    if (program.states, program.returns) != (other.states, other.returns) or len(program.body) != len(other.body):
        return False
    return all(map(_same_but_constants, program.body, other.body))


def _same_but_constants(line: Statement, other: Statement) -> bool:
    same = (line.target, line.function, len(line.args)) == (other.target, other.function, len(other.args))
    return same and all(
        a == b or (isinstance(a, float) and isinstance(b, float)) for a, b in zip(line.args, other.args, strict=True)
    )


def _store(cache: dict[K, V], key: K, value: V, size: int) -> None:
    """Stores a value in a cache; a full cache drops its older half first. Results do not depend on the caches."""
    if len(cache) >= size:
        for old in list(islice(cache, size // 2)):
            del cache[old]
    cache[key] = value
