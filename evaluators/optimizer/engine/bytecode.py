"""Assembles micro-operations into bytecode, the form that the compiled engines interpret.

A row's memory: its parameters, its gradient, its tree states (and trees that outlive a section), and its numbers. A
section is a straight run of instructions, either over numbers (a scalar, or one for each leaf) or over the elements of
the row, a chunk at a time, so that what is computed on the way stays in registers of one chunk's length. A sum has to
see all chunks before anything can use it, so it ends a section.

Code refers to memory relative to its row and to constants by their place. Programs that differ only in their constants
share it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from germline.evaluators.optimizer.engine.micro import REDUCING, Domain, Micro, MicroProgram


class Space(IntEnum):
    """Where an operand lies: registers of a chunk, trees of the row, or its numbers (one, or one for each leaf)."""

    REGISTER = 0
    PARAMETER = 1
    GRADIENT = 2
    TREE = 3
    NUMBER = 4
    LEAF_NUMBER = 5


SPACE_BITS = 3
SPACE_MASK = (1 << SPACE_BITS) - 1
"""An operand is `offset << SPACE_BITS | space`."""


class Op(IntEnum):
    """What an instruction does: the micro-operations by their names, and what only bytecode has."""

    # Elementwise, of one operand.
    NEGATIVE = 0
    ABS = 1
    SIGN = 2
    SQRT = 3
    RECIPROCAL = 4
    EXP = 5
    EXP2 = 6
    EXPM1 = 7
    LOG = 8
    LOG2 = 9
    LOG10 = 10
    SIN = 11
    COS = 12
    TAN = 13
    ARCSIN = 14
    ARCCOS = 15
    ARCTAN = 16
    SINH = 17
    COSH = 18
    TANH = 19
    ARCSINH = 20
    ARCCOSH = 21
    ARCTANH = 22
    COPY = 23
    # Elementwise, of two and of three.
    ADD = 24
    SUBTRACT = 25
    MULTIPLY = 26
    DIVIDE = 27
    POWER = 28
    MAXIMUM = 29
    MINIMUM = 30
    REMAINDER = 31
    GREATER = 32
    WHERE = 33
    # Subtracts its operand from the parameters.
    UPDATE = 34
    # A reduction over elements, between its beginning and its end, which are over numbers; and one over leaves.
    SUM = 35
    AMAX = 36
    BEGIN_SUM = 37
    BEGIN_AMAX = 38
    FINISH = 39
    SUM_LEAVES = 40
    AMAX_LEAVES = 41


FIRST_IS_NUMBER, SECOND_IS_NUMBER = 1, 2
"""Modes: this operand is one number for the whole chunk."""

FIELDS = ("opcode", "mode", "size", "target", "first", "second", "third")
GAP = 48
"""Numbers between two registers: at distances of 4 KiB a load waits for a store that it has nothing to do with."""
LR, STEP, FIXED_NUMBERS = 0, 1, 2
"""Places of the inputs that all rows share; a row's other numbers follow."""


@dataclass(frozen=True)
class Bytecode:
    """Code for one program structure.

    Args:
        code: instructions, with the fields `FIELDS`; `size` is the `Domain` over which one runs.
        sections: first and last (exclusive) instruction of each, and whether it runs over the elements.
        constants: for each constant of the program, its value's index and its place among the numbers.
        registers, trees, numbers, sums: how much memory it needs, of each kind.
        by_leaf: chunks must not cross leaves.
    """

    code: tuple[tuple[int, ...], ...]
    sections: tuple[tuple[int, int, bool], ...]
    constants: tuple[tuple[int, int], ...]
    registers: int
    trees: int
    numbers: int
    sums: int
    by_leaf: bool


def structure(program: MicroProgram) -> tuple[object, ...]:
    """What two programs must have in common to share their bytecode: everything but the constants."""
    return (
        tuple((one.operation, one.args, one.domain) for one in program.values),
        program.update,
        tuple(program.states.items()),
    )


def assemble(program: MicroProgram, leaves: int, elements: int, chunk: int) -> Bytecode:
    """Bytecode for a model with so many leaves and elements, run in chunks of at most `chunk` elements."""
    return _Assembler(program, leaves, elements, chunk).assemble()


class _Assembler:
    def __init__(self, program: MicroProgram, leaves: int, elements: int, chunk: int) -> None:
        self.values = program.values
        self.program = program
        # What replaces a state, or is subtracted from w, has as many numbers as that.
        ends = ((program.update, Domain.TREE), *program.states.values())
        assert all(self.values[end].domain == domain for end, domain in ends), "types and micro-operations disagree"
        self.leaves = leaves
        self.elements = elements
        self.chunk = chunk
        self.ready = _ready(program.values)
        elementwise = [self.ready[i] for i, one in enumerate(self.values) if one.domain == Domain.TREE]
        summed = [self.ready[i] - 1 for i in range(len(self.values)) if self._sums(i)]
        self.last = max([*elementwise, *summed], default=0)
        self.read_until = self._read_until()
        self.code: list[tuple[int, ...]] = []
        self.sections: list[tuple[int, int, bool]] = []
        self.place: dict[int, int] = {}
        self.numbers = FIXED_NUMBERS
        self.sums: dict[int, int] = {}
        self.sum_slots = 0
        self.by_leaf = False
        self.free: list[int] = []
        self.registers = 0
        tree_states = [name for name, (_, domain) in program.states.items() if domain == Domain.TREE]
        self.tree_of = {name: slot for slot, name in enumerate(tree_states)}
        self.trees = len(tree_states)
        self.number_of: dict[str, int] = {}
        self._place_inputs()

    def assemble(self) -> Bytecode:
        for phase in range(self.last + 1):
            self._numbers(phase)
            self._elements(phase)
        self._numbers(self.last + 1)
        constants = tuple((i, self.place[i] >> SPACE_BITS) for i in self._constants())
        sections = tuple(section for section in self.sections if section[0] < section[1])
        return Bytecode(
            tuple(self.code),
            sections,
            constants,
            self.registers,
            self.trees,
            self.numbers,
            self.sum_slots,
            self.by_leaf,
        )

    # Where things are

    def _place_inputs(self) -> None:
        for i, one in enumerate(self.values):
            name = one.operation.removeprefix("input:")
            if one.operation == "constant":
                self.place[i] = self._new_number(one.domain)
            elif name == one.operation:
                continue
            elif name in ("w", "g"):
                self.place[i] = Space.PARAMETER if name == "w" else Space.GRADIENT
            elif name in ("lr", "step"):
                self.place[i] = _operand(Space.NUMBER, LR if name == "lr" else STEP)
            elif one.domain == Domain.TREE:
                self.place[i] = self._tree(self.tree_of[name])
            else:
                self.place[i] = self._new_number(one.domain)
                self.number_of[name] = self.place[i]

    def _tree(self, slot: int) -> int:
        return _operand(Space.TREE, slot * self.elements)

    def _new_number(self, domain: Domain) -> int:
        self.numbers += self._size(domain)
        return _operand(Space.NUMBER, self.numbers - self._size(domain))

    def _size(self, domain: Domain) -> int:
        return self.leaves if domain == Domain.LEAF else 1

    def _constants(self) -> Iterable[int]:
        return (i for i, one in enumerate(self.values) if one.operation == "constant")

    def _sums(self, i: int) -> bool:
        """Whether value `i` is a reduction over elements."""
        one = self.values[i]
        return one.operation in REDUCING and self.values[one.args[0]].domain == Domain.TREE

    def _computed(self, i: int) -> bool:
        return bool(self.values[i].args)

    # Sections over numbers

    def _numbers(self, phase: int) -> None:
        first = len(self.code)
        for i, one in enumerate(self.values):
            if self._sums(i):
                if self.ready[i] == phase:
                    self.place[i] = self._new_number(one.domain)
                    self._emit("finish", one.domain, self.place[i], _operand(Space.NUMBER, self.sums[i]))
            elif self.ready[i] == phase and one.domain != Domain.TREE and self._computed(i):
                self.place[i] = self._new_number(one.domain)
                self._number(i, one)
        for i, one in enumerate(self.values):
            if self._sums(i) and self.ready[i] == phase + 1:
                self.sums[i] = self.sum_slots
                self.sum_slots += self._size(one.domain)
                self._emit(f"begin_{one.operation}", one.domain, _operand(Space.NUMBER, self.sums[i]))
        if phase > self.last:
            self._store_numbers()
        self.sections.append((first, len(self.code), False))

    def _number(self, i: int, one: Micro) -> None:
        args = [self.place[arg] for arg in one.args]
        narrow = [self.values[arg].domain < one.domain for arg in one.args]
        if one.operation in REDUCING:
            self._emit(f"{one.operation}_leaves", Domain.LEAF, self.place[i], *args)
            return
        if one.operation == "where":
            args = [self._widened(arg, one.domain) if thin else arg for arg, thin in zip(args, narrow, strict=True)]
            narrow = [False] * len(args)
        self._emit(one.operation, one.domain, self.place[i], *args, mode=_mode(narrow))

    def _widened(self, arg: int, domain: Domain) -> int:
        place = self._new_number(domain)
        self._emit("copy", domain, place, arg, mode=FIRST_IS_NUMBER)
        return place

    def _store_numbers(self) -> None:
        """States that are numbers; what another state entered with is copied first, as states may change places."""
        ends = [(name, end, domain) for name, (end, domain) in self.program.states.items() if domain != Domain.TREE]
        sources = {}
        for name, end, domain in ends:
            sources[name] = self.place[end]
            if self.values[end].operation.startswith("input:"):
                sources[name] = self._new_number(domain)
                self._emit("copy", domain, sources[name], self.place[end])
        for name, _, domain in ends:
            self._emit("copy", domain, self.number_of[name], sources[name])

    # Sections over elements

    def _elements(self, phase: int) -> None:
        first = len(self.code)
        ends = self._tree_ends()
        reads = self._reads(phase, ends)
        for i, one in enumerate(self.values):
            if self._sums(i) and self.ready[i] == phase + 1:
                space = Space.LEAF_NUMBER if one.domain == Domain.LEAF else Space.NUMBER
                self.by_leaf |= one.domain == Domain.LEAF
                self._emit(one.operation, Domain.TREE, _operand(space, self.sums[i]), self.place[one.args[0]])
            elif self.ready[i] == phase and one.domain == Domain.TREE and self._computed(i):
                filled = self._element(i, one, self._target(i, phase, reads, ends))
                self.free.extend(filled)
            else:
                continue
            for arg in set(one.args):
                self._release(arg, i, reads)
        if phase == self.last:
            self._store_trees(ends)
        self.sections.append((first, len(self.code), True))
        self.free = list(range(self.registers))[::-1]

    def _tree_ends(self) -> dict[str, int]:
        return {name: end for name, (end, domain) in self.program.states.items() if domain == Domain.TREE}

    def _reads(self, phase: int, ends: dict[str, int]) -> dict[int, int]:
        """The last value of this section's that reads each value; what the stores at the end read lasts longest."""
        reads: dict[int, int] = {}
        for i, one in enumerate(self.values):
            at = self.ready[i] - 1 if self._sums(i) else self.ready[i]
            if at == phase and (self._sums(i) or one.domain == Domain.TREE):
                reads.update(dict.fromkeys(one.args, i))
        if phase == self.last:
            reads.update(dict.fromkeys([self.program.update, *ends.values()], len(self.values)))
        return reads

    def _read_until(self) -> list[int]:
        """For each value the last section over elements that reads it."""
        until = [0] * len(self.values)
        for i, one in enumerate(self.values):
            for arg in one.args:
                until[arg] = max(until[arg], self.ready[i] - 1 if self._sums(i) else self.ready[i])
        for end in (self.program.update, *self._tree_ends().values()):
            until[end] = self.last
        return until

    def _target(self, i: int, phase: int, reads: dict[int, int], ends: dict[str, int]) -> int:
        """A register; a tree, if a later section needs the value; or the state it becomes, if nobody reads that."""
        if self.read_until[i] > phase:
            self.trees += 1
            return self._tree(self.trees - 1)
        if phase == self.last:
            for name, end in ends.items():
                old = next((j for j, one in enumerate(self.values) if one.operation == f"input:{name}"), None)
                if end == i and (old is None or reads.get(old, -1) < i):
                    return self._tree(self.tree_of[name])
        return self._new_register()

    def _new_register(self) -> int:
        if not self.free:
            self.free.append(self.registers)
            self.registers += 1
        return _operand(Space.REGISTER, self.free.pop() * (self.chunk + GAP))

    def _release(self, arg: int, reader: int, reads: dict[int, int]) -> None:
        if reads[arg] == reader and self._computed(arg):
            self._free(self.place.get(arg))

    def _free(self, place: int | None) -> None:
        if place is not None and place & SPACE_MASK == Space.REGISTER:
            self.free.append((place >> SPACE_BITS) // (self.chunk + GAP))

    def _element(self, i: int, one: Micro, target: int) -> list[int]:
        """Emits an elementwise operation; returns the registers it used on the way."""
        self.place[i] = target
        args = [self._as_element(arg) for arg in one.args]
        narrow = [self.values[arg].domain < Domain.TREE for arg in one.args]
        filled = []
        if one.operation == "where":
            for position, thin in enumerate(narrow):
                if thin:
                    register = self._new_register()
                    self._emit("copy", Domain.TREE, register, args[position], mode=FIRST_IS_NUMBER)
                    args[position] = register
                    filled.append((register >> SPACE_BITS) // (self.chunk + GAP))
            narrow = [False] * len(args)
        self._emit(one.operation, Domain.TREE, target, *args, mode=_mode(narrow))
        return filled

    def _as_element(self, i: int) -> int:
        """The operand by which an instruction over elements reads value `i`."""
        if self.values[i].domain != Domain.LEAF:
            return self.place[i]
        self.by_leaf = True
        return _operand(Space.LEAF_NUMBER, self.place[i] >> SPACE_BITS)

    def _store_trees(self, ends: dict[str, int]) -> None:
        """The parameters, then the states; what enters a step is copied before anything is written over it."""
        sources = {}
        for name, end in ends.items():
            sources[name] = self.place[end]
            if self.values[end].operation.startswith("input:") and sources[name] != self._tree(self.tree_of[name]):
                sources[name] = self._new_register()
                self._emit("copy", Domain.TREE, sources[name], self.place[end])
        self._emit("update", Domain.TREE, Space.PARAMETER, self.place[self.program.update])
        for name in ends:
            target = self._tree(self.tree_of[name])
            if sources[name] != target:
                self._emit("copy", Domain.TREE, target, sources[name])

    def _emit(self, operation: str, size: Domain, target: int, *args: int, mode: int = 0) -> None:
        first, second, third = (*args, 0, 0, 0)[:3]
        self.code.append((Op[operation.upper()], mode, size, target, first, second, third))


def _ready(values: Sequence[Micro]) -> list[int]:
    """For each value the first section in which it can be used."""
    ready: list[int] = []
    for one in values:
        at = max((ready[arg] for arg in one.args), default=0)
        sums = one.operation in REDUCING and values[one.args[0]].domain == Domain.TREE
        ready.append(at + 1 if sums else at)
    return ready


def _operand(space: Space, offset: int) -> int:
    return offset << SPACE_BITS | space


def _mode(numbers: Sequence[bool]) -> int:
    modes = (FIRST_IS_NUMBER, SECOND_IS_NUMBER)
    return sum(mode for mode, number in zip(modes, numbers, strict=False) if number)
