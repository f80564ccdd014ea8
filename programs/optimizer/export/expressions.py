"""One statement as a line of torch code that does the same operations as the interpreter, in the same order."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from germline.programs.optimizer.export.names import Place
from germline.programs.optimizer.graph import Graph
from germline.programs.optimizer.primitives import PRIMITIVES
from germline.programs.optimizer.program import Argument, Program, State
from germline.programs.optimizer.types import SCALAR


@dataclass(frozen=True)
class PreparedProgram:
    """A program that is ready for export.

    Attributes:
        program: live statements and states only, under names that fit into the code.
        graph: its trace.
        lr_is_rate: True if its `lr` is the learning rate itself, a Python number; False if it is a schedule value.
        default_rate: the learning rate at schedule value 1.
        hyperparameters: the name of each literal that is an argument of the constructor, by its place; other literals
            stay numbers.
        inputs_read: the inputs that it reads.
    """

    program: Program
    graph: Graph
    lr_is_rate: bool
    default_rate: float
    hyperparameters: Mapping[Place, str]
    inputs_read: frozenset[str]

    @property
    def whole_tree(self) -> bool:
        """True if parameters cannot be updated one by one: the program has a scalar state or a function of trees."""
        return any(PRIMITIVES[line.function].scope == "tree" for line in self.program.body) or any(
            state.shape == "scalar" for state in self.program.states
        )

    @property
    def leaf_states(self) -> tuple[State, ...]:
        """The states with a value for each parameter; a scalar state has one value for the whole tree."""
        return tuple(state for state in self.program.states if state.shape != "scalar")

    def is_scalar(self, i: int) -> bool:
        """True if statement `i` has one value for the whole tree."""
        return self.graph.nodes[self.graph.statements[i]].type == SCALAR

    def stored(self, state: State, value: str) -> str:
        """Source of a state's next value: `value`, copied if it may share memory with a parameter or its gradient."""
        position = self.program.states.index(state)
        return f"{value}.clone()" if _may_alias(self.graph, self.graph.next_states[position]) else value

    def is_constant(self, state: State) -> bool:
        """True if a state never changes its value."""
        position = self.program.states.index(state)
        return self.graph.next_states[position] == self.graph.state_nodes[position]

    def schedule_value(self, like: str) -> str:
        """The source of the program's input `lr`: the learning rate as a Python number, or the schedule value in the
        precision of the tensor that is named `like`."""
        if self.lr_is_rate:
            return 'float(group["lr"])'
        scaled = 'float(group["lr"])' if self.default_rate == 1.0 else f'float(group["lr"]) / {self.default_rate!r}'
        return f"_number({scaled}, {like})"


def expression(prepared: PreparedProgram, i: int, names: Mapping[str, str], like: str) -> str:
    """The right-hand side of statement `i`.

    Args:
        prepared: the program.
        i: the position of the statement.
        names: the name in the code of each variable of the program, where that differs.
        like: the name of a tensor; numbers get its precision.
    """
    line = prepared.program.body[i]
    if PRIMITIVES[line.function].scope == "constant":
        return f"_number({PRIMITIVES[line.function].source}, {like})"
    is_literal = [isinstance(arg, float) for arg in line.args]
    words = [_word(prepared, (i, j), arg, names) for j, arg in enumerate(line.args)]
    if line.function in ("max", "min") and sum(is_literal) == 1 and 0.0 not in line.args:
        bound = is_literal.index(True)
        return f"torch.clamp({words[1 - bound]}, {_OTHER_SIDE[line.function]}={words[bound]})"
    for j in range(len(words)):
        if is_literal[j] and not _takes_number(line.function, j, is_literal):
            words[j] = f"_number({words[j]}, {like})"
    if line.function == "interp" and all(is_literal):
        return f"_interp({', '.join(words)})"
    source = PRIMITIVES[line.function].source.format(*words)
    # Code formatters write a power of two names without spaces.
    return re.sub(r"^([\w.]+) \*\* ([\w.]+)$", r"\1**\2", source)


def assignment(target: str, source: str, longest: int) -> list[str]:
    """`target = source`; a call in a line longer than `longest` is split into a line for each argument."""
    line = f"{target} = {source}"
    call = re.fullmatch(r"([\w.]+)\((.*)\)", source)
    arguments = _arguments(call[2]) if call is not None else []
    if len(line) <= longest or call is None or len(arguments) < 2:
        return [line]
    return [f"{target} = {call[1]}(", *(f"    {argument}," for argument in arguments), ")"]


def _arguments(text: str) -> list[str]:
    """The arguments in the text between two parentheses; none if the parentheses belong to different calls."""
    arguments, depth = [""], 0
    for character in text:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth < 0:
            return []
        if character == "," and depth == 0:
            arguments.append("")
        else:
            arguments[-1] += character
    return [argument.strip() for argument in arguments]


_OTHER_SIDE = {"max": "min", "min": "max"}
"""max(x, floor) is a clamp with a `min`, and min(x, ceiling) a clamp with a `max`."""


def _word(prepared: PreparedProgram, place: Place, arg: Argument, names: Mapping[str, str]) -> str:
    """An argument as source: a variable, a hyper-parameter or a number."""
    if isinstance(arg, float):
        return prepared.hyperparameters.get(place, repr(arg))
    return names.get(arg, arg)


def _takes_number(function: str, j: int, is_literal: list[bool]) -> bool:
    """True if torch takes a Python number as argument `j`, with the same bits in the result as for a tensor."""
    if function in ("greater", "modulo"):
        return j == 1
    if function == "where":
        return j == 2 or (j == 1 and not is_literal[2])
    return (PRIMITIVES[function].operator or function == "interp") and not all(is_literal)


def _may_alias(graph: Graph, node: int) -> bool:
    """True if a value can be w or g, or a view of either: below rank 2 matrix functions return their first argument."""
    while graph.nodes[node].function in ("row_mean", "column_mean", "transpose", "orthogonalize", "rank_one"):
        node = graph.nodes[node].args[0]
    return graph.nodes[node].function in ("input:w", "input:g")
