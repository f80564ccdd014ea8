"""When are two programs the same? A fingerprint in two levels.

The structure comes first: live statements only, names and order forgotten, arguments of commutative functions sorted,
constant expressions folded. It is cheap, and a search meets the same structures again and again. What structure cannot
see (`x - x`, a detour through `arcsin(sin(x))`, a state by another name) shows in a short run on fixed inputs: programs
whose updates agree there bit for bit share a fingerprint.

The run keeps every value in float32. Operations that IEEE 754 defines exactly run as they are; all others are computed
in float64 and rounded, so that the bits do not depend on the machine.

The updates alone would prove too little: under a `sign`, a `max` or a division that saturates, programs with different
constants can agree on every probe. So the arguments of what jumps, saturates or absorbs count too.
Where the run proves nothing, the structure alone is the fingerprint: if a value is not finite at ordinary magnitudes,
or if a jump shows from one side only.
"""

from functools import cache, lru_cache
from hashlib import blake2b
from typing import Any

import numpy as np

from germline.programs.optimizer.flat import FlatProgram, Layout
from germline.programs.optimizer.graph import Graph, Node
from germline.programs.optimizer.primitives import PRIMITIVES, Primitive
from germline.programs.optimizer.types import LEAF, REFERENCE, SCALAR, TREE, Type

_LAYOUT = Layout(REFERENCE)
_SCALES = ((0.3, 0.03), (1.0, 1.0), (3.0, 30.0))
"""Standard deviations of w and g, a pair for each row of probes: small, ordinary, large."""
_SPREAD = (4.0, 0.0, 0.0)
"""For each row, over how many powers of ten below that its elements scatter, so that nothing saturates everywhere."""
_FIRST_STEP = (1.0, 1.0, 500.0)
"""The step count with which each row starts."""
_RATES = (1.0, 0.6, 0.02, 0.85, 0.003, 0.3)
"""The schedule values; each row starts with another."""
_ORDINARY = 2
"""How many of the rows, from the first, must stay finite."""
_EXTRA_STEPS = 2
"""Steps beyond one per live state, so that a difference can travel from any state to the update."""
_MIN_STEPS = 6
"""Long enough for what feeds its own square or exponential back to overflow: `0 * x` is an identity only until then."""
_TAME = 1e6
"""What stays below this in every row, the large one too, has no poles to fear."""

_EXACT = frozenset(
    ("+", "-", "*", "/", "max", "min", "abs", "sign", "square", "cube", "sqrt", "negative", "reciprocal", "interp")
)

FINGERPRINT_VERSION = 1
_REMEMBERED: dict[str, str] = {}
_CAPACITY = 200_000


def fingerprint(graph: Graph) -> str:
    """The fingerprint of a traced program: 24 hexadecimal digits, the same on every machine."""
    structure = structural_fingerprint(graph)
    # A memo of a pure function: it saves time and changes no result.
    if (known := _REMEMBERED.get(structure)) is None:
        if len(_REMEMBERED) >= _CAPACITY:
            _REMEMBERED.clear()
        known = _REMEMBERED[structure] = behaviour_fingerprint(graph) or structure
    return known


def structural_fingerprint(graph: Graph) -> str:
    """A digest of how the update follows from the inputs; equal digests mean equal programs."""
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
        returned += [keys[state], str(nodes[state].type).encode(), keys[graph.next_states[k]]]
    return blake2b(b"\1".join(returned), digest_size=12).hexdigest()


@lru_cache(maxsize=100_000)
def _fold(function: str, *values: str) -> float:
    """The value of a function of literals, which come as text because 0.0 and -0.0 are equal as keys."""
    with np.errstate(all="ignore"):
        arrays = (np.full((1, 1), float(value), np.float32) for value in values)
        return float(_call(PRIMITIVES[function], *arrays)[0, 0])


def behaviour_fingerprint(graph: Graph) -> str | None:
    """A digest of the updates, and of what jumps, on fixed inputs; None where they prove nothing."""
    program = FlatProgram(graph, _LAYOUT, np, _LAYOUT.leaf_of, call=_call)
    literals = [np.full((1, 1), graph.nodes[i].literal, np.float32) for i in program.literals]
    states = {k: zeros(graph.nodes[graph.state_nodes[k]].type) for k in graph.live_states}
    names = {k: graph.nodes[graph.state_nodes[k]].function.removeprefix("input:") for k in states}
    sides: dict[int, set[bool]] = {i: set() for i in program.operations if PRIMITIVES[graph.nodes[i].function].jumps}
    taken: list[dict[int, Any]] = []
    with np.errstate(all="ignore"):
        for step in range(max(_MIN_STEPS, _EXTRA_STEPS + len(states))):
            inputs = dict(_probe(step))
            inputs.update((names[k], value) for k, value in states.items())
            values = program.values(inputs, literals)
            states = {k: values[graph.next_states[k]] for k in states}
            if not np.isfinite(values[graph.update][:_ORDINARY]).all():
                return None
            taken.append(values)
        digest = blake2b(digest_size=12)
        for values, lossy in zip(taken, _Watch(graph, program.operations).lossy(taken), strict=True):
            digest.update(_bits(np.broadcast_to(values[graph.update], (len(_SCALES), _LAYOUT.elements))))
            digest.update(b"".join(sorted({_arguments(graph.nodes[i], values) for i in {*sides, *lossy}})))
            for jump, seen in sides.items():
                seen |= _sides(graph, jump, values)
    return digest.hexdigest() if all(len(seen) == 2 for seen in sides.values()) else None


class _Watch:
    """Looks for operations whose results show too little of what they got.

    In some row less than half of an argument's distinct values are left, or a sum equals one side although the other is
    not zero. Zeros alone are an identity, such as `x - x` or `0 * x`, unless some value is very large, or comes from a
    function with a pole that the probes may have missed.
    """

    def __init__(self, graph: Graph, operations: tuple[int, ...]) -> None:
        nodes = graph.nodes
        self.graph = graph
        self.trees = [i for i in graph.live if nodes[i].type == TREE]
        place = {node: k for k, node in enumerate(self.trees)}
        flat = [i for i in operations if all(_is_flat(nodes[k].type) for k in (i, *nodes[i].args))]
        takes = {i: [place[arg] for arg in nodes[i].args if arg in place] for i in flat if i in place}
        self.reducing = [i for i, args in takes.items() if args]
        self.results = np.array([place[i] for i in self.reducing], dtype=np.intp)
        # Fewer than three trees: the first one again, which changes no maximum.
        self.takes = np.array([(takes[i] * 3)[:3] for i in self.reducing], dtype=np.intp).reshape(-1, 3)
        self.small = [i for i in flat if i not in place]
        self.flat_trees = [i for i in flat if i in place]
        self.risky = _after_poles(graph, operations)
        self.sums = [i for i in flat if nodes[i].function in ("+", "-")]

    def lossy(self, steps: list[dict[int, Any]]) -> list[list[int]]:
        """For each step, with the values that it took, the operations that hide something in it."""
        stacked = np.stack([[values[i] for i in self.trees] for values in steps])
        ascending = np.sort(stacked, axis=3)
        distinct = np.count_nonzero(ascending[..., 1:] != ascending[..., :-1], axis=3) + 1
        few: Any = (2 * distinct[:, self.results] < distinct[:, self.takes].max(axis=2)).any(axis=2)
        nonzero: Any = stacked.reshape(len(steps), len(self.trees), -1).any(axis=2)
        return [self._lossy(values, few[k], nonzero[k]) for k, values in enumerate(steps)]

    def _lossy(self, values: dict[int, Any], few: np.ndarray, nonzero: np.ndarray) -> list[int]:
        found = {self.reducing[k] for k in np.flatnonzero(few)}
        found.update(i for i in self.sums if _absorbs(values[i], [values[arg] for arg in self.graph.nodes[i].args]))
        filled = {self.trees[k] for k in np.flatnonzero(nonzero)}
        zeros_alone = [i for i in self.flat_trees if i not in filled]
        zeros_alone += [i for i in self.small if not values[i].any()]
        found.difference_update(zeros_alone)
        if zeros_alone and not _tame(values):
            return [*found, *zeros_alone]
        return [*found, *(i for i in zeros_alone if i in self.risky)]


def _after_poles(graph: Graph, operations: tuple[int, ...]) -> set[int]:
    """The operations that get something from an unprotected division or power."""
    found: set[int] = set()
    for i in operations:
        args = graph.nodes[i].args
        if any(arg in found or graph.nodes[arg].function in ("reciprocal", "power") for arg in args):
            found.add(i)
    return found


def _is_flat(kind: Type) -> bool:
    return kind in (SCALAR, LEAF, TREE)


def _tame(values: dict[int, Any]) -> bool:
    leaves = (leaf for value in values.values() for leaf in (value if isinstance(value, list) else [value]))
    return all((np.abs(leaf) < _TAME).all() for leaf in leaves)


def _absorbs(total: Any, sides: list[Any]) -> bool:
    return any(a.shape == total.shape and (a == total).all() and b.any() for a, b in (sides, sides[::-1]))


def _arguments(node: Node, values: dict[int, Any]) -> bytes:
    """What a function gets, as bytes; the order does not matter if it is commutative."""
    parts = [blake2b(_bits(values[arg]), digest_size=12).digest() for arg in node.args]
    if PRIMITIVES[node.function].commutative:
        parts.sort()
    return b"".join([node.function.encode(), *parts])


def _bits(value: Any) -> bytes:
    """The bytes of a value, in which -0.0 is 0.0 and there is one NaN."""
    if isinstance(value, list):
        return b"".join(map(_bits, value))
    canonical = value + np.float32(0.0)
    canonical[np.isnan(canonical)] = 1e30
    return bytes(canonical.tobytes())


def _sides(graph: Graph, jump: int, values: dict[int, Any]) -> set[bool]:
    """On which sides of its jump a function shows in this step; none for values that are not held flat."""
    node = graph.nodes[jump]
    args = [values[arg] for arg in node.args]
    if any(isinstance(arg, list) for arg in args):
        return set()
    types = {graph.nodes[arg].type for arg in node.args}
    if LEAF in types and TREE in types:
        kinds = [graph.nodes[arg].type for arg in node.args]
        args = [arg[:, _LAYOUT.leaf_of] if kind == LEAF else arg for arg, kind in zip(args, kinds, strict=True)]
    if node.function == "clip":
        left, right = args[1], np.linalg.norm(args[0], axis=1, keepdims=True)
    elif node.function == "modulo":
        left, right = np.abs(np.floor(args[0] / args[1])), 0.0
    else:
        left, right = args[0], args[1] if node.function in ("max", "min", "greater") else 0.0
    return {side for side, shows in ((True, left > right), (False, left <= right)) if shows.any()}


def zeros(kind: Type) -> Any:
    """A state before the first step, on the reference tree."""
    rows = len(_SCALES)
    if kind == SCALAR:
        return np.zeros((rows, 1), np.float32)
    if kind == LEAF:
        return np.zeros((rows, len(REFERENCE)), np.float32)
    if kind == TREE:
        return np.zeros((rows, _LAYOUT.elements), np.float32)
    return [np.zeros((rows, *shape), np.float32) for shape in kind.shapes or ()]


@cache
def _probe(step: int) -> dict[str, Any]:
    """The inputs of one step. Some weights and gradients are exactly zero, as biases and dead units are."""
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
    }


def _call(primitive: Primitive, *args: Any) -> Any:
    if primitive.name in _EXACT:
        return primitive.run(np, *args)
    return np.asarray(primitive.run(np, *(arg.astype(np.float64) for arg in args))).astype(np.float32)
