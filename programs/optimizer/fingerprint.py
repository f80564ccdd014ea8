"""Fingerprints of programs, equal for programs that compute the same; they are computed in two stages.

The first stage is the structure: live statements without names and order, arguments of commutative functions sorted,
constant expressions folded. It is cheap, and most structures in a search occurred before. The second stage is a
short run on fixed inputs, which finds equal programs of different structure (`x - x`, `arcsin(sin(x))`, a state under
another name): the fingerprint is a digest of the bits of their updates.

The run keeps every value in float32. Operations that IEEE 754 defines exactly run as they are; all others are computed
in float64 and rounded, so that the bits do not depend on the machine.

Equal updates alone are not enough: under a `sign`, a `max` or a division that saturates, programs with different
constants can have the same updates for all fixed inputs. The digest therefore includes the arguments of operations
that jump (select or clip, such as `sign` and `max`) or lose most of their arguments (see `_LossDetector`).

The structure alone is the fingerprint if the run is inconclusive: if an update or a read-out is not finite for inputs
of small or ordinary magnitude, if the arguments of an operation that jumps stay on one side of the jump, or if a
function magnifies rounding (`inverse_root`, `eigenbasis`).
"""

from functools import cache, lru_cache, partial
from hashlib import blake2b
from typing import Any

import numpy as np

from germline.programs.optimizer.flat import FlatProgram, Layout
from germline.programs.optimizer.graph import Graph, Node
from germline.programs.optimizer.primitives import PRIMITIVES, Primitive
from germline.programs.optimizer.types import LEAF, REFERENCE, SCALAR, TREE, Type

_LAYOUT = Layout(REFERENCE)
_SCALES = ((0.3, 0.03), (1.0, 1.0), (3.0, 30.0))
"""Standard deviations of w and g for each row of inputs: small, ordinary, large."""
_SPREAD = (4.0, 0.0, 0.0)
"""For each row, the largest power of ten by which an element is scaled down: with a wide spread no function saturates
for all elements."""
_FIRST_STEP = (1.0, 1.0, 500.0)
"""The step count of each row in the first step."""
_RATES = (1.0, 0.6, 0.02, 0.85, 0.003, 0.3)
"""Values of `lr`, one for each step, repeated; each row begins at a different value."""
_ORDINARY = 2
"""The updates of this many rows, counted from the first, must stay finite."""
_EXTRA_STEPS = 2
"""Number of steps beyond the number of live states, so that a difference in any state can reach the update."""
_MIN_STEPS = 6
"""The smallest number of steps: enough for a value that is fed back squared or exponentiated to overflow. Until it
overflows, `0 * x` cannot be told from zero."""
_MODERATE = 1e6
"""If all magnitudes stay below this in every row, even in the row of large inputs, no pole is near."""

_EXACT = frozenset(
    ("+", "-", "*", "/", "max", "min", "abs", "sign", "square", "cube", "sqrt", "negative", "reciprocal", "interp")
)
"""Functions that consist of operations which IEEE 754 defines exactly."""

MAGNIFYING = frozenset(("inverse_root", "eigenbasis"))
"""Functions that magnify the rounding of their argument, so that their float32 bits depend on the machine although
they are computed in float64."""

FINGERPRINT_VERSION = 1
_CACHE: dict[str, str] = {}
"""Fingerprints by structure."""
_MAX_CACHED = 200_000


def fingerprint(graph: Graph) -> str:
    """The fingerprint of a traced program: 24 hexadecimal digits, the same on every machine."""
    structure = structural_fingerprint(graph)
    if (cached := _CACHE.get(structure)) is None:
        if len(_CACHE) >= _MAX_CACHED:
            _CACHE.clear()
        cached = _CACHE[structure] = numeric_fingerprint(graph) or structure
    return cached


def structural_fingerprint(graph: Graph) -> str:
    """Digest of the expressions of the update and of the next values of live states in terms of the inputs; 24
    hexadecimal digits.

    Programs with equal digests compute the same updates, but for one case. Dead code, names of variables and the order
    of arguments that may be exchanged do not count; names and order of live states do.

    The case: `max` and `min` of 0.0 and -0.0 are the second argument, and 1 / 0.0 is infinity, 1 / -0.0 minus infinity.
    So `reciprocal(max(x, y))` and `reciprocal(max(y, x))`, which share a digest, may differ at zeros of opposite signs;
    `power` and `rank_one` have such poles too. NaNs win in either order.
    """
    keys: dict[int, bytes] = {}
    literals: dict[int, float] = {}
    nodes = graph.nodes
    for i in graph.live:
        function, args, literal, _ = nodes[i]
        if literal is not None:
            literals[i] = literal
            keys[i] = repr(literal).encode()
        elif not args:
            keys[i] = function.encode()
        elif literals.keys() >= set(args):
            literals[i] = _fold(function, *map(repr, (literals[arg] for arg in args)))
            keys[i] = repr(literals[i]).encode()
        else:
            parts = [keys[arg] for arg in args]
            if len(parts) > 1 and PRIMITIVES[function].commutative:
                parts.sort()
            keys[i] = blake2b(b"\0".join([function.encode(), *parts]), digest_size=12).digest()
    returned = [keys[graph.update]]
    for k in graph.live_states:
        state = graph.state_nodes[k]
        kept_as = b"readout" if k == graph.readout else str(nodes[state].type).encode()
        returned += [keys[state], kept_as, keys[graph.next_states[k]]]
    return blake2b(b"\1".join(returned), digest_size=12).hexdigest()


@lru_cache(maxsize=100_000)
def _fold(function: str, *values: str) -> float:
    """The value of a function of literals. The literals are text, because as cache keys 0.0 and -0.0 would be equal."""
    with np.errstate(all="ignore"):
        arrays = (np.full((1, 1), float(value), np.float32) for value in values)
        return float(float32_call(PRIMITIVES[function], *arrays)[0, 0])


def numeric_fingerprint(graph: Graph) -> str | None:
    """Digest of the updates, of read-outs, and of the arguments of operations that jump or are lossy, on fixed inputs.

    24 hexadecimal digits; None if the run is inconclusive, see the head of this file.
    """
    if any(graph.nodes[i].function in MAGNIFYING for i in graph.live):
        return None
    program = FlatProgram(graph, _LAYOUT, np, _LAYOUT.leaf_of, call=float32_call)
    literals = [np.full((1, 1), graph.nodes[i].literal, np.float32) for i in program.literals]
    types = {k: graph.nodes[graph.state_nodes[k]].type for k in graph.live_states}
    states = {k: _LAYOUT.zeros(each, len(_SCALES), partial(np.zeros, dtype=np.float32)) for k, each in types.items()}
    names = {k: graph.nodes[graph.state_nodes[k]].function.removeprefix("input:") for k in states}
    jumps = [i for i in program.operations if PRIMITIVES[graph.nodes[i].function].jumps]
    sides_reached: dict[int, set[bool]] = {i: set() for i in jumps}
    values_by_step: list[dict[int, Any]] = []
    with np.errstate(all="ignore"):
        for step in range(max(_MIN_STEPS, _EXTRA_STEPS + len(states))):
            inputs = dict(_probe(step))
            inputs.update((names[k], value) for k, value in states.items())
            values = program.values(inputs, literals)
            states = {k: values[graph.next_states[k]] for k in states}
            results = [values[node] for node in _results(graph)]
            if not all(np.isfinite(result[:_ORDINARY]).all() for result in results):
                return None
            values_by_step.append(values)
        digest = blake2b(digest_size=12)
        lossy_by_step = _LossDetector(graph, program.operations).lossy(values_by_step)
        for values, lossy in zip(values_by_step, lossy_by_step, strict=True):
            for node in _results(graph):
                digest.update(_bits(np.broadcast_to(values[node], (len(_SCALES), _LAYOUT.elements))))
            digest.update(b"".join(sorted({_arguments(graph.nodes[i], values) for i in {*sides_reached, *lossy}})))
            for jump, reached in sides_reached.items():
                reached |= _sides(graph, jump, values)
    return digest.hexdigest() if all(len(reached) == 2 for reached in sides_reached.values()) else None


def _results(graph: Graph) -> tuple[int, ...]:
    """The nodes of the update and, if there is one, of the next read-out."""
    return (graph.update,) if graph.readout is None else (graph.update, graph.next_states[graph.readout])


class _LossDetector:
    """Finds lossy operations, whose results depend on too little of their arguments.

    An operation is lossy if in some row its result has less than half as many distinct values as an argument, or if a
    sum or difference equals one argument although the other is not zero. A result of zeros alone is an identity, such
    as `x - x` or `0 * x`, and not lossy, unless some value of the step reaches `_MODERATE` or the operation depends on
    a function with a pole (`_after_poles`), which the inputs may have missed.

    Args:
        graph: the program.
        operations: the nodes that are functions.
    """

    def __init__(self, graph: Graph, operations: tuple[int, ...]) -> None:
        nodes = graph.nodes
        self.graph = graph
        self.trees = [i for i in graph.live if nodes[i].type == TREE]
        tree_index = {node: k for k, node in enumerate(self.trees)}
        flat = [i for i in operations if all(_is_flat(nodes[k].type) for k in (i, *nodes[i].args))]
        self.flat_trees = [i for i in flat if i in tree_index]
        arguments = {i: [tree_index[arg] for arg in nodes[i].args if arg in tree_index] for i in self.flat_trees}
        self.reducing = [i for i, trees in arguments.items() if trees]
        self.results = np.array([tree_index[i] for i in self.reducing], dtype=np.intp)
        # Fewer than three arguments are repeated, which changes no maximum.
        self.arguments = np.array([(arguments[i] * 3)[:3] for i in self.reducing], dtype=np.intp).reshape(-1, 3)
        self.small = [i for i in flat if i not in tree_index]
        self.risky = _after_poles(graph, operations)
        self.sums = [i for i in flat if nodes[i].function in ("+", "-")]

    def lossy(self, steps: list[dict[int, Any]]) -> list[list[int]]:
        """The lossy operations of each step, given the values of all nodes in each step."""
        stacked = np.stack([[values[i] for i in self.trees] for values in steps])
        ascending = np.sort(stacked, axis=3)
        distinct = np.count_nonzero(ascending[..., 1:] != ascending[..., :-1], axis=3) + 1
        few: Any = (2 * distinct[:, self.results] < distinct[:, self.arguments].max(axis=2)).any(axis=2)
        nonzero: Any = stacked.reshape(len(steps), len(self.trees), -1).any(axis=2)
        return [self._lossy(values, few[k], nonzero[k]) for k, values in enumerate(steps)]

    def _lossy(self, values: dict[int, Any], few: np.ndarray, nonzero: np.ndarray) -> list[int]:
        """The lossy operations of one step.

        Args:
            values: the value of each node.
            few: for each of `self.reducing`, True if it keeps less than half of the distinct values.
            nonzero: for each of `self.trees`, True if an element is not zero.
        """
        lossy = {self.reducing[k] for k in np.flatnonzero(few)}
        lossy.update(i for i in self.sums if _absorbs(values[i], [values[arg] for arg in self.graph.nodes[i].args]))
        not_zero = {self.trees[k] for k in np.flatnonzero(nonzero)}
        zeros_alone = [i for i in self.flat_trees if i not in not_zero]
        zeros_alone += [i for i in self.small if not values[i].any()]
        lossy.difference_update(zeros_alone)
        if zeros_alone and not _all_moderate(values):
            return [*lossy, *zeros_alone]
        return [*lossy, *(i for i in zeros_alone if i in self.risky)]


def _after_poles(graph: Graph, operations: tuple[int, ...]) -> set[int]:
    """The operations that depend on a reciprocal or a power, neither of which is protected against poles."""
    after_poles: set[int] = set()
    for i in operations:
        args = graph.nodes[i].args
        if any(arg in after_poles or graph.nodes[arg].function in ("reciprocal", "power") for arg in args):
            after_poles.add(i)
    return after_poles


def _is_flat(value_type: Type) -> bool:
    """True if a value of this type is stored as one array."""
    return value_type in (SCALAR, LEAF, TREE)


def _all_moderate(values: dict[int, Any]) -> bool:
    """True if every value of a step is below `_MODERATE` in magnitude."""
    leaves = (leaf for value in values.values() for leaf in (value if isinstance(value, list) else [value]))
    return all((np.abs(leaf) < _MODERATE).all() for leaf in leaves)


def _absorbs(total: Any, sides: list[Any]) -> bool:
    """True if a sum equals one side although the other side is not zero."""
    return any(a.shape == total.shape and (a == total).all() and b.any() for a, b in (sides, sides[::-1]))


def _arguments(node: Node, values: dict[int, Any]) -> bytes:
    """Bytes of a function and its arguments, which are sorted if it is commutative."""
    parts = [blake2b(_bits(values[arg]), digest_size=12).digest() for arg in node.args]
    if PRIMITIVES[node.function].commutative:
        parts.sort()
    return b"".join([node.function.encode(), *parts])


def _bits(value: Any) -> bytes:
    """The bytes of a value, with -0.0 as 0.0 and all NaNs equal."""
    if isinstance(value, list):
        return b"".join(map(_bits, value))
    canonical = value + np.float32(0.0)
    canonical[np.isnan(canonical)] = 1e30
    return bytes(canonical.tobytes())


def _sides(graph: Graph, jump: int, values: dict[int, Any]) -> set[bool]:
    """The sides of its jump that a function reaches in a step: True above the jump, False at it or below.

    Empty if an argument is not stored as one array.
    """
    node = graph.nodes[jump]
    args = [values[arg] for arg in node.args]
    if any(isinstance(arg, list) for arg in args):
        return set()
    types = {graph.nodes[arg].type for arg in node.args}
    if LEAF in types and TREE in types:
        typed = [(values[arg], graph.nodes[arg].type) for arg in node.args]
        args = [arg[:, _LAYOUT.leaf_of] if arg_type == LEAF else arg for arg, arg_type in typed]
    if node.function == "clip":
        left, right = args[1], np.linalg.norm(args[0], axis=1, keepdims=True)
    elif node.function == "modulo":
        left, right = np.abs(np.floor(args[0] / args[1])), 0.0
    else:
        left, right = args[0], args[1] if node.function in ("max", "min", "greater") else 0.0
    return {side for side, reached in ((True, left > right), (False, left <= right)) if reached.any()}


@cache
def _probe(step: int) -> dict[str, Any]:
    """The fixed inputs of one step by name, with a row for each of `_SCALES`.

    Some weights and gradients are exactly zero, as in biases and dead units.
    """
    rng = np.random.default_rng([20230213, step])
    count = len(_SCALES)
    rows = []
    for scale in np.transpose(_SCALES):
        row = scale[:, None] * rng.standard_normal((count, _LAYOUT.elements))
        row *= 10.0 ** -(np.array(_SPREAD)[:, None] * rng.random(row.shape))
        rows.append(np.where(rng.random(row.shape) < 0.08, 0.0, row).astype(np.float32))
    rates = [_RATES[(step + 2 * k) % len(_RATES)] for k in range(count)]
    return {
        "w": rows[0],
        "g": rows[1],
        "lr": np.array(rates, np.float32)[:, None],
        "step": np.array(_FIRST_STEP, np.float32)[:, None] + np.float32(step),
        "progress": np.array([(0.23 * step + 0.37 * k) % 1.0 for k in range(count)], np.float32)[:, None],
        "loss": np.array([4.0 / (1.3 + step + 2.7 * k) for k in range(count)], np.float32)[:, None],
    }


def float32_call(primitive: Primitive, *args: Any) -> Any:
    """The value of a primitive in float32, the same bits on every machine."""
    if primitive.name in _EXACT:
        return primitive.run(np, *args)
    return np.asarray(primitive.run(np, *(arg.astype(np.float64) for arg in args))).astype(np.float32)
