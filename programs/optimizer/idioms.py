"""Idioms: building blocks of the field's optimizers, and the operator `idiom` that puts one into a program.

An idiom is a program text that computes, from a value `x`, the value that takes its place at one use. Its other names
without an assignment are holes as well:

| name | stands for |
|---|---|
| `w`, `g`, `lr`, `step` | the inputs of the program |
| `decay` | a constant drawn from `DECAYS` |
| `new`, `weight` | what the moving average `x` averages, and its decay: `x` has to be `interp(new, x, weight)` |

A state without a declared shape has the shape of `x`. To add an idiom, add it to `IDIOMS`. A text that is changed or
removed changes what runs breed: see `FINGERPRINT_VERSION`. Runs record the names of their idioms, so that a new idiom
changes no older run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

import numpy as np

from germline.programs.optimizer.fragment import (
    Fragment,
    Hole,
    Limits,
    OldState,
    Operand,
    Operation,
    Place,
    Value,
    live_places,
    recipients,
    scaled_updates,
    splice,
)
from germline.programs.optimizer.graph import Graph
from germline.programs.optimizer.primitives import PRIMITIVES
from germline.programs.optimizer.program import Program
from germline.programs.optimizer.text import parse
from germline.programs.optimizer.types import SCALAR, SHAPE_WORDS

DECAYS = (0.5, 0.9, 0.95, 0.99, 0.999)
"""Decays of moving averages."""

MAX_PLACES = 10
"""Tries to find an idiom and a place for it, before dead statements are removed to make room, and after that."""


@dataclass(frozen=True)
class Idiom:
    """A building block.

    Attributes:
        meaning: what becomes of a value, in a line.
        text: a program, see the head of this file.
    """

    meaning: str
    text: str

    @cached_property
    def program(self) -> Program:
        return parse(self.text)

    @cached_property
    def functions(self) -> frozenset[str]:
        """Names of the functions that it needs."""
        return frozenset(line.function for line in self.program.body)

    @cached_property
    def of_averages(self) -> bool:
        """True if `x` has to be a moving average."""
        return any(arg in ("new", "weight") for line in self.program.body for arg in line.args)

    def fragment(self, shape: str | None, constants: Mapping[str, float]) -> Fragment | None:
        """The idiom as a fragment.

        Args:
            shape: the shape of `x` as of a state; None if no state can have it.
            constants: by the names of holes.

        Returns:
            None if a state needs a shape, and there is none.
        """
        program = self.program
        shapes = [shape if state.shape == "tree" else state.shape for state in program.states]
        known = [each for each in shapes if each is not None]
        if len(known) < len(shapes):
            return None
        scope: dict[str, Operand] = {state.name: OldState(k) for k, state in enumerate(program.states)}
        scope.update(constants)
        operations: list[Operation] = []
        for line in program.body:
            operands = [arg if isinstance(arg, float) else scope.get(arg, Hole(arg)) for arg in line.args]
            scope[line.target] = Value(len(operations))
            operations.append(Operation(line.function, tuple(operands)))
        result, *next_states = (scope.get(name, Hole(name)) for name in program.returns)
        return Fragment(tuple(operations), result, tuple(known), tuple(next_states))


IDIOMS: Mapping[str, Idiom] = MappingProxyType(
    {
        "average": Idiom(
            "its exponential moving average",
            "def train(w, g, s, lr):\n  s = interp(x, s, decay)\n  return s, s\n",
        ),
        "bias_correction": Idiom(
            "a moving average without the weight of its zero at the first step (Adam)",
            "def train(w, g, lr, step):\n  y = x * reciprocal(1.0 - power(weight, step))\n  return y\n",
        ),
        "nesterov": Idiom(
            "a moving average that looks ahead by one more step of the same gradient (NAdam)",
            "def train(w, g, lr):\n  y = interp(new, x, weight)\n  return y\n",
        ),
        "adaptive": Idiom(
            "divided by the root of the moving average of its square (RMSProp)",
            "def train(w, g, s, lr):\n  s = interp(square(x), s, decay)\n  y = x / sqrt(s)\n  return y, s\n",
        ),
        "sign": Idiom("its sign", "def train(w, g, lr):\n  y = sign(x)\n  return y\n"),
        "trust_ratio": Idiom(
            "as long, leaf by leaf, as the parameters (LAMB)",
            "def train(w, g, lr):\n  y = x * (norm(w) / norm(x))\n  return y\n",
        ),
        "unit_leaf": Idiom("of length 1, leaf by leaf", "def train(w, g, lr):\n  y = x / norm(x)\n  return y\n"),
        "normalize_leaf": Idiom(
            "of mean square 1, leaf by leaf",
            "def train(w, g, lr):\n  y = x / sqrt(leaf_mean(square(x)))\n  return y\n",
        ),
        "normalize_row": Idiom(
            "of mean square 1, row by row",
            "def train(w, g, lr):\n  y = x / sqrt(row_mean(square(x)))\n  return y\n",
        ),
        "cautious": Idiom(
            "zero where it and the gradient disagree, the rest larger by the share that is left (Liang et al. 2024)",
            "def train(w, g, lr):\n  mask = greater(x * g, 0.0)\n"
            "  y = x * (mask * reciprocal(max(leaf_mean(mask), 0.001)))\n  return y\n",
        ),
        "orthogonalize": Idiom(
            "brought close to an orthogonal matrix, at its own length (Muon)",
            "def train(w, g, lr):\n  o = orthogonalize(x)\n  y = o * (norm(x) / norm(o))\n  return y\n",
        ),
        "whiten_rows": Idiom(
            "its rows uncorrelated over the past, at its own length (Shampoo from the left)",
            "def train(w, g, s: left, lr):\n  s = interp(matmul(x, transpose(x)), s, decay)\n"
            "  o = matmul(inverse_root(s), x)\n  y = o * (norm(x) / norm(o))\n  return y, s\n",
        ),
        "whiten_columns": Idiom(
            "its columns uncorrelated over the past, at its own length (Shampoo from the right)",
            "def train(w, g, s: right, lr):\n  s = interp(matmul(transpose(x), x), s, decay)\n"
            "  o = matmul(x, inverse_root(s))\n  y = o * (norm(x) / norm(o))\n  return y, s\n",
        ),
    }
)
"""Every idiom by name."""


def idiom(
    program: Program, graph: Graph, names: Sequence[str], limits: Limits, rng: np.random.Generator
) -> Program | None:
    """Puts a random idiom in the place of a live value at one use; None if no idiom fits.

    Args:
        program, graph: a valid program and its graph.
        names: of the idioms to draw from, in an order that does not vary.
        limits: of the program's size. Where it has no room left, its dead statements and states are removed first.
        rng: the generator.
    """
    for recipient, own_graph in recipients(program, graph, limits) if names else ():
        places = idiom_places(recipient, own_graph)
        averages = moving_averages(own_graph)
        for _ in range(MAX_PLACES):
            chosen = IDIOMS[names[int(rng.random() * len(names))]]
            fitting = [place for place in places if place.node in averages] if chosen.of_averages else places
            if not fitting:
                continue
            place = fitting[int(rng.random() * len(fitting))]
            decay = DECAYS[int(rng.random() * len(DECAYS))]
            child = with_idiom(recipient, own_graph, place, chosen, decay, limits)
            if child is not None:
                return child
    return None


def idiom_places(program: Program, graph: Graph) -> list[Place]:
    """The uses of values that an idiom may change: no scalars, no next values of states, and no update that has been
    multiplied by a rate, since many idioms change the length of a value."""
    scaled = scaled_updates(graph)[:-1]
    return [
        place
        for place in live_places(program, graph)
        if graph.nodes[place.node].type != SCALAR and place.node not in scaled and _counts(program, place)
    ]


def _counts(program: Program, place: Place) -> bool:
    """True for the update on the return line, and for arguments of functions that look at more than a shape."""
    if place.statement == len(program.body):
        return place.argument == 0
    return not PRIMITIVES[program.body[place.statement].function].of_shape


def with_idiom(
    program: Program, graph: Graph, place: Place, chosen: Idiom, decay: float, limits: Limits
) -> Program | None:
    """The program with an idiom in the place of the value at `place`; None if it does not fit.

    The program may be invalid, if functions do not take the type of the value.
    """
    constants, bindings = {"decay": decay}, {"x": place.node}
    if chosen.of_averages:
        average = moving_averages(graph).get(place.node)
        if average is None:
            return None
        bindings["new"], constants["weight"] = average
    value_type = graph.nodes[place.node].type
    shape = SHAPE_WORDS.get(value_type)
    fragment = chosen.fragment(shape if shape in limits.shapes else None, constants)
    return None if fragment is None else splice(program, graph, place, fragment, bindings, limits)


def moving_averages(graph: Graph) -> dict[int, tuple[int, float]]:
    """The live values that are the next value of a state and `interp(new, state, weight)` with a literal weight.

    Returns:
        The node of `new`, and the weight, by the node of the average.
    """
    averages = {}
    for k in graph.live_states:
        node = graph.nodes[graph.next_states[k]]
        if node.function == "interp" and node.args[1] == graph.state_nodes[k]:
            weight = graph.nodes[node.args[2]]
            if weight.function == "literal" and weight.literal is not None:
                averages[graph.next_states[k]] = (node.args[0], weight.literal)
    return averages
