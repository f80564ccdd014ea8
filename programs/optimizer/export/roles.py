"""The role of each constant in a program: a pure analysis of its graph.

| role | a literal that |
|---|---|
| decay | weighs a state in a moving average, `interp(x, state, c)`, or in its own maximum, `max(c * state, x)`, or is a
base `power(c, step)` |
| momentum | multiplies a state in the sum that is its next value (`c * state + x`), or that sum (`c * (state + x)`) |
| epsilon | is small and is added to, or bounds, what is divided by; also the 1e-8 of a protected division of trees |
| weight decay | multiplies the parameters in a term of the update or beside the gradient (`g + c * w`), or their norm |
| structural | is 0, 1 or -1, below 1e-20, an exponent that makes no decay, the start of a fade with the step count,
compared with the shape of a tensor, or tells the first step from the others: nobody would tune it |
| scale | is anything else |

Literals that express one idea are one constant: a decay with the bases of its bias corrections `1 - power(c, step)`,
by which its state is divided, the momentum of a state wherever it multiplies it in a sum, epsilons of one value,
and weight decays of one value: those that the gradient has before a state sees it, and those of the update, each for
themselves. Where that is in doubt, a literal is a constant of its own.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Literal

from germline.programs.optimizer.export.bias_corrections import corrected_states
from germline.programs.optimizer.export.nodes import (
    has_factor,
    is_length_of_parameters,
    is_of_parameters_alone,
    state_of,
)
from germline.programs.optimizer.export.patterns import Patterns
from germline.programs.optimizer.export.signs import Place, nonnegative
from germline.programs.optimizer.export.weight_decays import WeightDecays
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
        decoupled: of a weight decay: True if it is neither added to the gradient nor seen by a state.
        seen: of a weight decay: True if a state depends on it.
    """

    role: Role
    value: float
    places: tuple[Place, ...]
    state: int | None = None
    signed: bool = False
    decoupled: bool = False
    seen: bool = False


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
        self.patterns = Patterns(self.program)
        self.users = self.patterns.users
        self.weight_decays = WeightDecays(self.patterns)

    def run(self) -> list[Constant]:
        """The constants, grouped."""
        groups: dict[tuple[Any, ...], list[Place]] = {}
        for place, value in self._literals():
            groups.setdefault((*self._role(place, value), value), []).append(place)
        decays = [key for key in groups if key[0] == "decay"]
        for key in [key for key in groups if key[0] == "base"]:
            for place in groups.pop(key):
                partner = self._partner(place, [decay for decay in decays if decay[-1] == key[-1]])
                groups.setdefault(partner or ("decay", None, place, key[-1]), []).append(place)
        for key in [key for key in groups if key[0] == "momentum again"]:
            momentum = ("momentum", *key[1:])
            groups.setdefault(momentum if momentum in groups else ("scale", None, key[-1]), []).extend(groups.pop(key))
        own = {place for key, at in groups.items() if key[0] == "epsilon" for place in at if place[1] != PROTECTION}
        if own:
            # The program has an epsilon of its own: the language's is not another one to tune.
            kept = {key: [p for p in at if key[0] != "epsilon" or p in own] for key, at in groups.items()}
            groups = {key: at for key, at in kept.items() if at}
        for key in [key for key in groups if key[0] == "norm decay"]:
            same = [own for own in groups if own[0] == "weight decay" and own[-1] == key[-1]]
            if same:
                coupled = self._reach_state(groups[key])
                same.sort(key=lambda own: (own[1] == "coupled") != coupled)
                groups[same[0]] += groups.pop(key)
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
                    state == "decoupled",
                    role == "weight decay" and self._reach_state(at),
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
        """The role of a literal and the state it belongs to, or None. `base`, `norm decay` and `momentum again` are
        roles to be settled when all others are known."""
        (i, j), line = place, self.program.body[place[0]]
        if j == PROTECTION and line.function == "/":
            return "epsilon", None
        args = self.graph.nodes[self.graph.statements[i]].args if line.function != "=" else ()
        if line.function == "power" and j == 1:
            return ("scale" if self.patterns.is_decay_exponent(place) else "structural"), None
        if value in (0.0, 1.0, -1.0) or abs(value) < _GUARD or self.patterns.is_start_of_fade(place):
            return "structural", None
        if line.function == "interp" and j == 2 and 0 < value < 1:
            state = state_of(self.graph, args[1])
            if state is not None:
                return "decay", state
        if line.function == "power" and j == 0 and 0 < value < 1 and self.graph.nodes[args[1]].literal is None:
            return "base", None
        if (of_maximum := self.patterns.decayed_maximum(place)) is not None and 0 < value < 1:
            return "decay", of_maximum
        if line.function == "*" and value > 0:
            other, product = args[1 - j], self.graph.statements[i]
            state = state_of(self.graph, other) if value < 1 else None
            if state is not None and self._is_added(product):
                return ("momentum" if self._is_momentum(product, state, value) else "momentum again"), state
            if value < 1 and (kept := self._scaled_sum(product, other)) is not None:
                return "momentum", kept
            if self.graph.nodes[other].function == "input:w" and self.weight_decays.is_one(product):
                return "weight decay", "coupled" if self.weight_decays.is_coupled(product) else "decoupled"
            if is_length_of_parameters(self.graph, other):
                return "norm decay", None
        if line.function == "greater" and (self._of_shape(args[1 - j]) or self.patterns.is_first_steps(place, value)):
            return "structural", None
        if self.patterns.is_initial_sum(place) or self.patterns.initial_state(place) is not None:
            return "scale", None
        if line.function in ("+", "max") and 0 < value <= _TINY and self._divides(self.graph.statements[i]):
            return "epsilon", None
        return "scale", None

    def _is_momentum(self, product: int, state: int, value: float) -> bool:
        """True if a product is a term of the next value of its own state, a tree that can be negative, and no term of
        an average: none beside it is weighed by one minus its factor, but for a weight decay amid a longer sum."""
        graph, following = self.graph, self.graph.next_states[state]
        shape = self.program.states[state].shape
        if following in self.signs or shape in ("leaf", "scalar") or following in graph.nodes[product].args:
            return False
        ends = {following}
        if graph.nodes[following].function == "where":
            ends |= set(graph.nodes[following].args[1:])
        at = product
        while at not in ends:
            users = [
                (i, j)
                for i, j in self.users.get(at, [])
                if self.program.body[i].function == "+" or (self.program.body[i].function == "-" and j == 0)
            ]
            if len(users) != 1:
                return False
            at = graph.statements[users[0][0]]
            [other] = (arg for k, arg in enumerate(graph.nodes[at].args) if k != users[0][1])
            if has_factor(graph, other, 1 - value) and (at in ends or not is_of_parameters_alone(graph, other)):
                return False
        return at != product

    def _scaled_sum(self, product: int, other: int) -> int | None:
        """The position of the state, a tree that can be negative, whose next value is a number times a sum with the
        present value, as Nesterov's momentum may be written; None if a product is no such value."""
        graph = self.graph
        if product not in graph.next_states or product in self.signs or graph.nodes[other].function != "+":
            return None
        state = graph.next_states.index(product)
        tree = self.program.states[state].shape not in ("leaf", "scalar")
        return state if tree and graph.state_nodes[state] in graph.nodes[other].args else None

    def _is_added(self, node: int) -> bool:
        return any(self.program.body[i].function in ("+", "-") for i, _ in self.users.get(node, []))

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

    def _reach_state(self, places: Collection[Place]) -> bool:
        """True if a state depends, within the step, on a statement at one of the places."""
        return any(self.weight_decays.reaches_state(self.graph.statements[i]) for i, _ in places)

    def _partner(self, place: Place, decays: list[tuple[Any, ...]]) -> tuple[Any, ...] | None:
        """Of decays of one value, the decay of the state that a bias correction corrects; None if it is not clear."""
        corrected = corrected_states(self.patterns, self.graph.statements[place[0]])
        partners = [key for key in decays if key[1] in corrected]
        return partners[0] if len(partners) == 1 else None
