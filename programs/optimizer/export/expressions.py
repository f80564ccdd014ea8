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
class Rule:
    """A program that is ready for export, with what its code needs to know.

    `program` is live and its names fit; `plain` says that its `lr` is the learning rate itself, a Python number, and
    not a schedule's value; `default` is the learning rate at schedule value 1; `hyperparameters` names the literals.
    """

    program: Program
    graph: Graph
    plain: bool
    default: float
    hyperparameters: Mapping[Place, str]
    inputs: frozenset[str]

    @property
    def whole_tree(self) -> bool:
        """Whether a step looks at several parameters at once."""
        return any(PRIMITIVES[line.function].scope == "tree" for line in self.program.body) or any(
            state.shape == "scalar" for state in self.program.states
        )

    @property
    def leaf_states(self) -> tuple[State, ...]:
        """The states that every parameter has for itself."""
        return tuple(state for state in self.program.states if state.shape != "scalar")

    def is_scalar(self, i: int) -> bool:
        """Whether statement `i` has one value for the whole tree."""
        return self.graph.nodes[self.graph.statements[i]].type == SCALAR

    def stored(self, state: State, value: str) -> str:
        """`value` as the next value of `state`: a copy where it may share memory with a parameter or its gradient."""
        position = self.program.states.index(state)
        return f"{value}.clone()" if _may_alias(self.graph, self.graph.next_states[position]) else value

    def keeps(self, state: State) -> bool:
        """Whether a state never changes its value."""
        position = self.program.states.index(state)
        return self.graph.next_states[position] == self.graph.state_nodes[position]

    def schedule_value(self, like: str) -> str:
        """The program's input `lr`."""
        if self.plain:
            return 'float(group["lr"])'
        scaled = 'float(group["lr"])' if self.default == 1.0 else f'float(group["lr"]) / {self.default!r}'
        return f"_number({scaled}, {like})"


def expression(rule: Rule, i: int, names: Mapping[str, str], like: str) -> str:
    """The right-hand side of statement `i`.

    Args:
        names: what a variable of the program is called in the code, where that differs.
        like: the tensor whose precision a number takes.
    """
    line = rule.program.body[i]
    if PRIMITIVES[line.function].scope == "constant":
        return f"_number({PRIMITIVES[line.function].source}, {like})"
    literal = [isinstance(arg, float) for arg in line.args]
    words = [_word(rule, (i, j), arg, names) for j, arg in enumerate(line.args)]
    if line.function in ("max", "min") and sum(literal) == 1 and 0.0 not in line.args:
        bound = literal.index(True)
        return f"torch.clamp({words[1 - bound]}, {_OTHER_SIDE[line.function]}={words[bound]})"
    for j, is_literal in enumerate(literal):
        if is_literal and not _takes_number(line.function, j, literal):
            words[j] = f"_number({words[j]}, {like})"
    if line.function == "interp" and all(literal):
        return f"_interp({', '.join(words)})"
    source = PRIMITIVES[line.function].source.format(*words)
    # Formatters set a power of two names without spaces.
    return re.sub(r"^([\w.]+) \*\* ([\w.]+)$", r"\1**\2", source)


def assignment(target: str, source: str, longest: int) -> list[str]:
    """`target = source`; a call that makes the line longer than `longest` gets a line for each argument."""
    line = f"{target} = {source}"
    call = re.fullmatch(r"([\w.]+)\((.*)\)", source)
    arguments = _arguments(call[2]) if call is not None else []
    if len(line) <= longest or call is None or len(arguments) < 2:
        return [line]
    return [f"{target} = {call[1]}(", *(f"    {argument}," for argument in arguments), ")"]


def _arguments(text: str) -> list[str]:
    """The arguments between the parentheses of a call; none where those two do not belong together."""
    found, depth = [""], 0
    for character in text:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth < 0:
            return []
        if character == "," and depth == 0:
            found.append("")
        else:
            found[-1] += character
    return [argument.strip() for argument in found]


_OTHER_SIDE = {"max": "min", "min": "max"}
"""max(x, floor) is a clamp with a min, and the other way round."""


def _word(rule: Rule, place: Place, arg: Argument, names: Mapping[str, str]) -> str:
    if isinstance(arg, float):
        return rule.hyperparameters.get(place, repr(arg))
    return names.get(arg, arg)


def _takes_number(function: str, j: int, literal: list[bool]) -> bool:
    """Whether torch takes a Python number there, with the bits that a tensor of its value would give."""
    if function in ("greater", "modulo"):
        return j == 1
    if function == "where":
        return j == 2 or (j == 1 and not literal[2])
    return (PRIMITIVES[function].operator or function == "interp") and not all(literal)


def _may_alias(graph: Graph, node: int) -> bool:
    """Whether a value can be w or g or a view of it: below rank 2, matrix functions return their first argument."""
    while graph.nodes[node].function in ("row_mean", "column_mean", "transpose", "orthogonalize", "rank_one"):
        node = graph.nodes[node].args[0]
    return graph.nodes[node].function in ("input:w", "input:g")
