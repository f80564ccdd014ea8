"""Assembles micro-operations into bytecode for the two interpreters, on a CPU and on a GPU.

The memory of a row holds its parameters, its gradient, its trees (tree states, and trees that a later section needs)
and its numbers (scalars, and numbers per leaf). A section is a sequence of instructions that runs either over numbers,
or over the elements of the row in chunks, so that intermediate values stay in registers as long as a chunk. A sum is
known only after all chunks, so it ends a section.

Code addresses memory relative to its row, and constants by their place. Programs that differ only in their constants
share their code.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from germline.evaluators.optimizer.engine.micro import REDUCING, Domain, Micro, MicroProgram


class Space(IntEnum):
    """Where an operand lies: in a register, or among a row's parameters, gradient, trees or numbers. `LEAF_NUMBER`: a
    number for each leaf, of which an instruction over elements reads that of its chunk's leaf."""

    REGISTER = 0
    PARAMETER = 1
    GRADIENT = 2
    TREE = 3
    NUMBER = 4
    LEAF_NUMBER = 5


SPACE_BITS = 3
SPACE_MASK = (1 << SPACE_BITS) - 1
"""An operand is `offset << SPACE_BITS | space`, with the offset in float32 numbers from the beginning of the space."""


class Op(IntEnum):
    """Operations of instructions: the micro-operations by their names, and operations that only bytecode has."""

    # Elementwise, with one operand.
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
    # Elementwise, with two and with three operands.
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
    # Reductions over elements; their start and end, which run over numbers; and reductions over leaves.
    SUM = 35
    AMAX = 36
    BEGIN_SUM = 37
    BEGIN_AMAX = 38
    FINISH = 39
    SUM_LEAVES = 40
    AMAX_LEAVES = 41


GIVEN = ("progress", "loss")
"""Inputs that are written to the numbers of the rows that read them, before the code runs."""
FIRST_IS_NUMBER, SECOND_IS_NUMBER = 1, 2
"""Modes of an instruction: this operand is a single number for the whole chunk."""

FIELDS = ("opcode", "mode", "size", "target", "first", "second", "third")
GAP = 48
"""Unused numbers between two registers: at a distance of 4 KiB a load waits for an unrelated store (4K aliasing)."""
LR, STEP, FIXED_NUMBERS = 0, 1, 2
"""Places of `lr` and `step` among the numbers of a row, and how many such places there are."""


@dataclass(frozen=True)
class Bytecode:
    """Code of all programs with the same structure.

    Args:
        code: instructions, with the fields `FIELDS`; `size` is the `Domain` over which an instruction runs.
        sections: for each section its first and last (exclusive) instruction, and whether it runs over the elements.
        constants: for each constant, its index in the program's `values` and its place among the numbers.
        given: for each of the inputs `progress` and `loss` that is read, its name and its place among the numbers.
        registers, trees, numbers, sums: how many of each the code needs.
        by_leaf: True if chunks must not cross leaves.
    """

    code: tuple[tuple[int, ...], ...]
    sections: tuple[tuple[int, int, bool], ...]
    constants: tuple[tuple[int, int], ...]
    given: tuple[tuple[str, int], ...]
    registers: int
    trees: int
    numbers: int
    sums: int
    by_leaf: bool


def structure(program: MicroProgram) -> tuple[object, ...]:
    """Returns a key that is equal for programs that share bytecode: the program without the values of constants."""
    return (
        tuple((value.operation, value.args, value.domain) for value in program.values),
        program.update,
        tuple(program.states.items()),
    )


def assemble(program: MicroProgram, leaves: int, elements: int, chunk: int) -> Bytecode:
    """Returns the bytecode of a program.

    Args:
        program: the micro-operations.
        leaves, elements: number of leaves of the model, and of elements of a row.
        chunk: largest number of elements of a chunk.
    """
    return _Assembler(program, leaves, elements, chunk).assemble()


class _Assembler:
    """Assigns a place to every value, and emits the instructions section by section.

    The code is a sequence of phases, counted from 0. A phase is a section over numbers, then a section over elements;
    the last phase is followed by one more section over numbers.
    """

    def __init__(self, program: MicroProgram, leaves: int, elements: int, chunk: int) -> None:
        self.values = program.values
        self.program = program
        # The next value of a state has the domain of the state, and the update that of w.
        ends = ((program.update, Domain.TREE), *program.states.values())
        assert all(self.values[end].domain == domain for end, domain in ends), "types and micro-operations disagree"
        self.leaves = leaves
        self.elements = elements
        self.chunk = chunk
        self.ready = _ready(program.values)
        elementwise = [self.ready[i] for i, value in enumerate(self.values) if value.domain == Domain.TREE]
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
        self.given: dict[str, int] = {}
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
            tuple((name, place >> SPACE_BITS) for name, place in self.given.items()),
            self.registers,
            self.trees,
            self.numbers,
            self.sum_slots,
            self.by_leaf,
        )

    # Places of inputs and constants

    def _place_inputs(self) -> None:
        for i, value in enumerate(self.values):
            name = value.operation.removeprefix("input:")
            if value.operation == "constant":
                self.place[i] = self._new_number(value.domain)
            elif name == value.operation:
                continue
            elif name in ("w", "g"):
                self.place[i] = Space.PARAMETER if name == "w" else Space.GRADIENT
            elif name in ("lr", "step"):
                self.place[i] = _operand(Space.NUMBER, LR if name == "lr" else STEP)
            elif value.domain == Domain.TREE:
                self.place[i] = self._tree(self.tree_of[name])
            elif name in GIVEN and name not in self.program.states:
                self.place[i] = self.given[name] = self._new_number(value.domain)
            else:
                self.place[i] = self._new_number(value.domain)
                self.number_of[name] = self.place[i]

    def _tree(self, slot: int) -> int:
        return _operand(Space.TREE, slot * self.elements)

    def _new_number(self, domain: Domain) -> int:
        self.numbers += self._size(domain)
        return _operand(Space.NUMBER, self.numbers - self._size(domain))

    def _size(self, domain: Domain) -> int:
        return self.leaves if domain == Domain.LEAF else 1

    def _constants(self) -> Iterable[int]:
        return (i for i, value in enumerate(self.values) if value.operation == "constant")

    def _sums(self, i: int) -> bool:
        """True if value `i` is a sum or maximum over the elements of a tree, known one phase after its argument."""
        value = self.values[i]
        return value.operation in REDUCING and self.values[value.args[0]].domain == Domain.TREE

    def _computed(self, i: int) -> bool:
        """True if value `i` is an operation, not an input or a constant."""
        return bool(self.values[i].args)

    # Sections over numbers

    def _numbers(self, phase: int) -> None:
        """Emits the section over numbers of a phase: the results of the reductions that ended with the phase before,
        operations on numbers, and the start values of the reductions of this phase. After the last phase also the
        stores of states that are numbers."""
        first = len(self.code)
        for i, value in enumerate(self.values):
            if self._sums(i):
                if self.ready[i] == phase:
                    self.place[i] = self._new_number(value.domain)
                    self._emit("finish", value.domain, self.place[i], _operand(Space.NUMBER, self.sums[i]))
            elif self.ready[i] == phase and value.domain != Domain.TREE and self._computed(i):
                self.place[i] = self._new_number(value.domain)
                self._number(i, value)
        for i, value in enumerate(self.values):
            if self._sums(i) and self.ready[i] == phase + 1:
                self.sums[i] = self.sum_slots
                self.sum_slots += self._size(value.domain)
                self._emit(f"begin_{value.operation}", value.domain, _operand(Space.NUMBER, self.sums[i]))
        if phase > self.last:
            self._store_numbers()
        self.sections.append((first, len(self.code), False))

    def _number(self, i: int, value: Micro) -> None:
        args = [self.place[arg] for arg in value.args]
        narrow = [self.values[arg].domain < value.domain for arg in value.args]
        if value.operation in REDUCING:
            self._emit(f"{value.operation}_leaves", Domain.LEAF, self.place[i], *args)
            return
        if value.operation == "where":
            pairs = zip(args, narrow, strict=True)
            args = [self._widened(arg, value.domain) if is_number else arg for arg, is_number in pairs]
            narrow = [False] * len(args)
        self._emit(value.operation, value.domain, self.place[i], *args, mode=_mode(narrow))

    def _widened(self, arg: int, domain: Domain) -> int:
        """Emits copies of the number at operand `arg`, one for each number of `domain`; returns the operand of the
        copies."""
        place = self._new_number(domain)
        self._emit("copy", domain, place, arg, mode=FIRST_IS_NUMBER)
        return place

    def _store_numbers(self) -> None:
        """Emits the stores of states that are numbers. Inputs are copied first, since states may be swapped."""
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
        """Emits the section over elements of a phase: operations on trees, and the reductions over elements that the
        next phase uses. In the last phase also the stores of trees."""
        first = len(self.code)
        ends = self._tree_ends()
        reads = self._reads(phase, ends)
        for i, value in enumerate(self.values):
            if self._sums(i) and self.ready[i] == phase + 1:
                space = Space.LEAF_NUMBER if value.domain == Domain.LEAF else Space.NUMBER
                self.by_leaf |= value.domain == Domain.LEAF
                self._emit(value.operation, Domain.TREE, _operand(space, self.sums[i]), self.place[value.args[0]])
            elif self.ready[i] == phase and value.domain == Domain.TREE and self._computed(i):
                temporary = self._element(i, value, self._target(i, phase, reads, ends))
                self.free.extend(temporary)
            else:
                continue
            for arg in set(value.args):
                self._release(arg, i, reads)
        if phase == self.last:
            self._store_trees(ends)
        self.sections.append((first, len(self.code), True))
        self.free = list(range(self.registers))[::-1]

    def _tree_ends(self) -> dict[str, int]:
        """The index of the next value of each state that is a tree, by the name of the state."""
        return {name: end for name, (end, domain) in self.program.states.items() if domain == Domain.TREE}

    def _reads(self, phase: int, ends: dict[str, int]) -> dict[int, int]:
        """For each value that the section over elements of a phase reads, the index of its last reader. The stores at
        the end of the last section have the index `len(values)`."""
        reads: dict[int, int] = {}
        for i, value in enumerate(self.values):
            at = self.ready[i] - 1 if self._sums(i) else self.ready[i]
            if at == phase and (self._sums(i) or value.domain == Domain.TREE):
                reads.update(dict.fromkeys(value.args, i))
        if phase == self.last:
            reads.update(dict.fromkeys([self.program.update, *ends.values()], len(self.values)))
        return reads

    def _read_until(self) -> list[int]:
        """The last phase whose section over elements reads each value."""
        until = [0] * len(self.values)
        for i, value in enumerate(self.values):
            for arg in value.args:
                until[arg] = max(until[arg], self.ready[i] - 1 if self._sums(i) else self.ready[i])
        for end in (self.program.update, *self._tree_ends().values()):
            until[end] = self.last
        return until

    def _target(self, i: int, phase: int, reads: dict[int, int], ends: dict[str, int]) -> int:
        """The place of a new value: a tree if a later section reads it, its state if the old value of the state is not
        read any more, otherwise a register."""
        if self.read_until[i] > phase:
            self.trees += 1
            return self._tree(self.trees - 1)
        if phase == self.last:
            for name, end in ends.items():
                old = next((j for j, value in enumerate(self.values) if value.operation == f"input:{name}"), None)
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

    def _element(self, i: int, value: Micro, target: int) -> list[int]:
        """Emits an elementwise operation of value `i` into `target`.

        Returns:
            The registers into which single numbers were copied for it, and which are free again.
        """
        self.place[i] = target
        args = [self._as_element(arg) for arg in value.args]
        narrow = [self.values[arg].domain < Domain.TREE for arg in value.args]
        temporary = []
        if value.operation == "where":
            for position, is_number in enumerate(narrow):
                if is_number:
                    register = self._new_register()
                    self._emit("copy", Domain.TREE, register, args[position], mode=FIRST_IS_NUMBER)
                    args[position] = register
                    temporary.append((register >> SPACE_BITS) // (self.chunk + GAP))
            narrow = [False] * len(args)
        self._emit(value.operation, Domain.TREE, target, *args, mode=_mode(narrow))
        return temporary

    def _as_element(self, i: int) -> int:
        """The operand for value `i` in an instruction that runs over elements."""
        if self.values[i].domain != Domain.LEAF:
            return self.place[i]
        self.by_leaf = True
        return _operand(Space.LEAF_NUMBER, self.place[i] >> SPACE_BITS)

    def _store_trees(self, ends: dict[str, int]) -> None:
        """Emits the update of the parameters, then the stores of the states that are trees.

        A state whose next value is an input is copied first, because the update and the stores overwrite inputs.
        """
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
    """For each value the first phase in which other operations can use it; a reduction over elements needs one phase
    more than its argument."""
    ready: list[int] = []
    for value in values:
        at = max((ready[arg] for arg in value.args), default=0)
        sums = value.operation in REDUCING and values[value.args[0]].domain == Domain.TREE
        ready.append(at + 1 if sums else at)
    return ready


def _operand(space: Space, offset: int) -> int:
    """An operand of an instruction as a whole number: the space in the low bits, the offset in that space above them;
    see `SPACE_MASK`."""
    return offset << SPACE_BITS | space


def _mode(numbers: Sequence[bool]) -> int:
    """The mode of an instruction. `numbers` is True for each operand that is a single number, used for all elements."""
    modes = (FIRST_IS_NUMBER, SECOND_IS_NUMBER)
    return sum(mode for mode, number in zip(modes, numbers, strict=False) if number)
