"""The role of each constant in a program: a pure analysis of its graph.

| role | a literal that |
|---|---|
| decay | weighs a state in a moving average, `interp(x, state, c)`, or is the base of its correction `power(c, step)` |
| momentum | multiplies a state whose product is added to something (`c * state + x`) |
| epsilon | is small and is added to, or bounds, what is divided by; also the 1e-8 of a protected division of trees |
| weight decay | multiplies the parameters (`c * w`), or their norm where the same number multiplies the parameters |
| structural | is 0, 1 or -1, an exponent, below 1e-20, or compared with the shape of a tensor: nobody would tune it |
| scale | is anything else |

Literals that express one idea are one constant: a decay with the bases of its bias corrections, the momentum of a state
wherever it multiplies it, epsilons of one value, and weight decays of one value.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Literal

from germline.programs.optimizer.export.signs import Place, nonnegative
from germline.programs.optimizer.graph import Graph, trace
from germline.programs.optimizer.primitives import EPSILON, PRIMITIVES
from germline.programs.optimizer.program import Program
from germline.programs.optimizer.types import LEAF, SCALAR

Role = Literal["decay", "momentum", "epsilon", "weight decay", "structural", "scale"]

PROTECTION = 2
"""In place of an argument's position: the number that a protected division adds to its divisor."""

_TINY = 1e-4
"""The largest literal that is an epsilon."""
_GUARD = 1e-20
"""Smaller literals only keep zeros from being divided by."""
_PASSING = {
    "sqrt",
    "+",
    "*",
    "interp",
    "rank_one",
    "row_mean",
    "column_mean",
    "max",
    "min",
    "square",
    "norm",
    "power",
    "abs",
}
"""Functions through which a small number still guards a division further on."""


@dataclass(frozen=True)
class Constant:
    """Literals of a program that are one number.

    Attributes:
        role: what it does.
        value: the number.
        places: where it stands in the program.
        state: the position of the state that a decay or momentum belongs to; None for other roles.
        signed: of a decay or momentum: True if its state can be negative, as an average of gradients can.
        decoupled: of a weight decay: True if no state depends on the decayed parameters.
    """

    role: Role
    value: float
    places: tuple[Place, ...]
    state: int | None = None
    signed: bool = False
    decoupled: bool = False


def constants(program: Program, fixed: Collection[Place] = ()) -> tuple[Constant, ...]:
    """The constants of a program without dead statements, in the order of the text.

    Args:
        program: a valid program.
        fixed: places that are left out, because they belong to the learning rate.
    """
    return tuple(sorted(_Analysis(program, fixed).run(), key=lambda constant: constant.places[0]))


@dataclass
class _Analysis:
    program: Program
    fixed: Collection[Place]
    graph: Graph = field(init=False)
    users: dict[int, list[tuple[int, int]]] = field(init=False)
    """For each node, the statements and positions that read it."""

    def __post_init__(self) -> None:
        self.graph = trace(self.program)
        self.signs = nonnegative(self.program, self.graph)
        self.users = {}
        for i, line in enumerate(self.program.body):
            if line.function != "=":
                for j, arg in enumerate(self.graph.nodes[self.graph.statements[i]].args):
                    self.users.setdefault(arg, []).append((i, j))

    def run(self) -> list[Constant]:
        """The constants, grouped."""
        groups: dict[tuple[Any, ...], list[Place]] = {}
        for place, value in self._literals():
            groups.setdefault((*self._role(place, value), value), []).append(place)
        decays = [key for key in groups if key[0] == "decay" and key[1] is not None]
        for key in [key for key in groups if key[0] == "base"]:
            for place in groups.pop(key):
                partner = self._partner(place, [decay for decay in decays if decay[-1] == key[-1]])
                groups.setdefault(partner or ("decay", None, key[-1]), []).append(place)
        own = {
            key[-1] for key, places in groups.items() if key[0] == "epsilon" and any(j != PROTECTION for _, j in places)
        }
        if own:
            # The program has an epsilon of its own: the language's is not another one to tune.
            groups = {key: at for key, at in groups.items() if key[0] != "epsilon" or key[-1] in own}
        weight_decays = {key[-1] for key in groups if key[0] == "weight decay"}
        for key in [key for key in groups if key[0] == "norm decay"]:
            if key[-1] in weight_decays:
                groups["weight decay", None, key[-1]] += groups.pop(key)
        result = []
        for (kind, state, *_, value), places in groups.items():
            role: Role = "scale" if kind == "norm decay" else kind
            single = [[place] for place in places] if role in ("scale", "structural") else [places]
            result += [
                Constant(
                    role,
                    float(value),
                    tuple(sorted(at)),
                    state if isinstance(state, int) else None,
                    isinstance(state, int) and self.graph.next_states[state] not in self.signs,
                    role == "weight decay" and not any(self._reaches_state(self.graph.statements[i]) for i, _ in at),
                )
                for at in single
            ]
        return result

    def _literals(self) -> list[tuple[Place, float]]:
        """Every literal with its place, and the 1e-8 of protected divisions of trees by trees."""
        places: list[tuple[Place, float]] = []
        for i, line in enumerate(self.program.body):
            places += [((i, j), arg) for j, arg in enumerate(line.args) if isinstance(arg, float)]
            if line.function == "/":
                divisor = self.graph.nodes[self.graph.nodes[self.graph.statements[i]].args[1]].type
                if divisor not in (SCALAR, LEAF):
                    places.append(((i, PROTECTION), EPSILON))
        return [(place, value) for place, value in places if place not in self.fixed]

    def _role(self, place: Place, value: float) -> tuple[Any, ...]:
        """The role of a literal and the state it belongs to, or None. `base` and `norm decay` are roles to be settled
        when all others are known."""
        (i, j), line = place, self.program.body[place[0]]
        if j == PROTECTION and line.function == "/":
            return "epsilon", None
        args = self.graph.nodes[self.graph.statements[i]].args if line.function != "=" else ()
        if line.function == "interp" and j == 2 and 0 <= value < 1:
            state = self._state(args[1])
            state = self._next_state(self.graph.statements[i]) if state is None else state
            if state is not None:
                return "decay", state
        if line.function == "power" and j == 0 and 0 < value < 1 and self.graph.nodes[args[1]].literal is None:
            return "base", None
        if line.function == "*" and value > 0:
            other = args[1 - j]
            state = self._state(other) if value <= 1 else None
            if state is not None and value < 1 and self._is_added(self.graph.statements[i]):
                return "momentum", state
            if self.graph.nodes[other].function == "input:w":
                return "weight decay", None
            if self._is_norm_of_w(other):
                return "norm decay", None
        if value in (0.0, 1.0, -1.0) or abs(value) < _GUARD or (line.function == "power" and j == 1):
            return "structural", None
        if line.function == "greater" and self._of_shape(args[1 - j]):
            return "structural", None
        if line.function in ("+", "max") and 0 < value <= _TINY and self._divides(self.graph.statements[i]):
            return "epsilon", None
        return "scale", None

    def _state(self, node: int) -> int | None:
        """The position of the state whose present or next value a node is, perhaps times a scalar or leaf."""
        graph = self.graph
        for nodes in (graph.state_nodes, graph.next_states):
            if node in nodes:
                return nodes.index(node)
        if graph.nodes[node].function == "*":
            states = [arg for arg in graph.nodes[node].args if arg in graph.state_nodes]
            others = [arg for arg in graph.nodes[node].args if graph.nodes[arg].type in (SCALAR, LEAF)]
            if len(states) == 1 and others:
                return graph.state_nodes.index(states[0])
        return None

    def _next_state(self, node: int) -> int | None:
        return self.graph.next_states.index(node) if node in self.graph.next_states else None

    def _is_added(self, node: int) -> bool:
        return any(self.program.body[i].function in ("+", "-") for i, _ in self.users.get(node, []))

    def _is_norm_of_w(self, node: int) -> bool:
        function, args, *_ = self.graph.nodes[node]
        return function in ("norm", "global_norm") and self.graph.nodes[args[0]].function == "input:w"

    def _of_shape(self, node: int) -> bool:
        function = self.graph.nodes[node].function
        return function in PRIMITIVES and PRIMITIVES[function].of_shape

    def _divides(self, node: int) -> bool:
        """True if a value reaches a divisor."""
        seen, stack = {node}, [node]
        while stack:
            for i, j in self.users.get(stack.pop(), []):
                function, user = self.program.body[i].function, self.graph.statements[i]
                if function == "reciprocal" or (function == "/" and j == 1):
                    return True
                if function in _PASSING and user not in seen:
                    seen.add(user)
                    stack.append(user)
        return False

    def _reaches_state(self, node: int) -> bool:
        """True if a next state depends on a node within the step."""
        seen, stack = {node}, [node]
        while stack:
            at = stack.pop()
            if at in self.graph.next_states:
                return True
            for i, _ in self.users.get(at, []):
                user = self.graph.statements[i]
                if user not in seen:
                    seen.add(user)
                    stack.append(user)
        return False

    def _partner(self, place: Place, decays: list[tuple[Any, ...]]) -> tuple[Any, ...] | None:
        """Of decays of one value, the decay of the state that a bias correction corrects; None if there is none."""
        if len(decays) < 2:
            return decays[0] if decays else None
        corrected = self._corrected(self.graph.statements[place[0]])
        for key in decays:
            if key[1] in corrected:
                return key
        return decays[0]

    def _corrected(self, node: int) -> set[int]:
        """The states that are multiplied or divided by what follows from a scalar or leaf value."""
        seen, stack, states = {node}, [node], set()
        while stack:
            at = stack.pop()
            for i, _ in self.users.get(at, []):
                user = self.graph.statements[i]
                others = [arg for arg in self.graph.nodes[user].args if arg != at]
                states |= {state for arg in others if (state := self._state(arg)) is not None}
                if user not in seen and self.graph.nodes[user].type in (SCALAR, LEAF):
                    seen.add(user)
                    stack.append(user)
        return states
