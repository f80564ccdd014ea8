"""The updates of a program over many steps, in several scenarios at once, and how far rounding moves them.

A scenario is a distribution of gradients. Weights and gradients are the same for every program, so that programs are
compared on equal inputs and a difference does not feed on itself through the weights. How far rounding moves an update
is measured by Monte-Carlo arithmetic: the program runs again and again while the result of each operation is moved by a
few units in its last place, at random.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from germline.programs.optimizer.flat import FlatProgram, Layout
from germline.programs.optimizer.graph import Graph, trace
from germline.programs.optimizer.primitives import EPSILON, Primitive
from germline.programs.optimizer.program import Program
from germline.programs.optimizer.types import REFERENCE

STEPS = 50
LAYOUT = Layout(REFERENCE)
"""Tensors of rank 0 to 4."""

SCHEDULE = (1.0, 0.6, 0.85, 0.3, 0.05, 0.45)
"""Schedule values of the learning rate, one for each step, repeated."""

SAMPLES = 4
"""Runs with moved results."""
MOVED_BY = 8.0
"""The largest move of a result, in units of the precision's epsilon."""

HUGE, TINY = {torch.float64: 1e300, torch.float32: 1e32}, {torch.float64: 1e-300, torch.float32: 1e-32}
"""Magnitudes beyond which a value is taken for one that overflows or underflows, a factor of 10^6 or more from it."""

Draw = Callable[[np.random.Generator, int], np.ndarray]

SCENARIOS: dict[str, Draw] = {
    "normal": lambda rng, n: rng.standard_normal(n),
    "heavy tails": lambda rng, n: rng.standard_cauchy(n),
    "sparse": lambda rng, n: rng.standard_normal(n) * (rng.random(n) < 0.1),
    "zeros": lambda rng, n: np.zeros(n),
    "tiny": lambda rng, n: 1e-20 * rng.standard_normal(n),
    "huge": lambda rng, n: 1e15 * rng.standard_normal(n),
    "whole numbers": lambda rng, n: rng.integers(-2, 3, n).astype(float),
    "changing scale": lambda rng, n: 10.0 ** rng.uniform(-6, 3) * rng.standard_normal(n),
}
"""Distributions of gradients by name."""


@dataclass(frozen=True)
class Trajectory:
    """What a program computes.

    Attributes:
        updates: `[steps, scenarios, elements]`; of a program with a read-out also its elements, after those of the
            update.
        noise: how far rounding moves them, of the same shape; without samples zero.
        in_range: `[steps, scenarios]`: whether no value has been infinite, not a number, or close to over- or
            underflow up to this step; without samples not looked at, and true.
        undefined: `[steps, scenarios]`: whether a value of this step is not a number although no value is infinite or
            close to over- or underflow: a function outside its domain; without samples not looked at, and false.
    """

    updates: Tensor
    noise: Tensor
    in_range: Tensor
    undefined: Tensor


@cache
def inputs(steps: int, precision: torch.dtype) -> list[dict[str, Tensor]]:
    """The inputs of each step by name, with a row for each scenario."""
    rng = np.random.default_rng(20261128)
    rows = []
    for step in range(steps):
        g = np.stack([draw(rng, LAYOUT.elements) for draw in SCENARIOS.values()])
        w = rng.standard_normal(g.shape) * (rng.random(g.shape) > 0.1)
        rate = SCHEDULE[step % len(SCHEDULE)]
        count = np.full((len(SCENARIOS), 1), step + 1.0)
        named = {"w": w, "g": g, "lr": np.full_like(count, rate), "step": count}
        named |= {"progress": np.full_like(count, step / steps), "loss": _losses(step)}
        rows.append({name: torch.tensor(value, dtype=precision) for name, value in named.items()})
    return rows


def _losses(step: int) -> np.ndarray:
    """The loss of each scenario at a step, counted from 0: falling, `[scenarios, 1]`."""
    return (1.0 + np.arange(len(SCENARIOS)))[:, None] / (1.0 + 0.3 * step)


def run(
    program: Program | Graph, steps: int = STEPS, precision: torch.dtype = torch.float64, samples: int = SAMPLES
) -> Trajectory:
    """The trajectory of a valid program, by the functions of the reference interpreter on rows."""
    updates, noise, in_range, undefined = [], [], [], []
    usable = torch.ones(len(SCENARIOS), dtype=torch.bool)
    for values, graph in values_by_step(program, steps, precision, samples):
        results = [graph.update] if graph.readout is None else [graph.update, graph.next_states[graph.readout]]
        update = torch.cat([values[node].expand(len(SCENARIOS) * (1 + samples), -1) for node in results], 1)
        update = update.reshape(1 + samples, len(SCENARIOS), -1)
        updates.append(update[0])
        noise.append((update[1:] - update[0]).abs().amax(0) if samples else torch.zeros_like(update[0]))
        outside = torch.zeros(len(SCENARIOS), dtype=torch.bool)
        if samples:
            fine, outside = _ranges(values, graph, precision)
            usable = usable & fine
        in_range.append(usable)
        undefined.append(outside)
    return Trajectory(*(torch.stack(rows) for rows in (updates, noise, in_range, undefined)))


def values_by_step(program: Program | Graph, steps: int, precision: torch.dtype, samples: int) -> Any:
    """For each step the value of each live node and the graph; the first rows are those without moved results."""
    graph = trace(program) if isinstance(program, Program) else program
    call = _moving_call(samples, precision) if samples else _run
    flat = FlatProgram(graph, LAYOUT, torch, torch.tensor(LAYOUT.leaf_of), call)
    # In double precision first: a literal may be infinite in single precision.
    doubles = [torch.full((1, 1), graph.nodes[i].literal, dtype=torch.float64) for i in flat.literals]  # type: ignore[arg-type]
    literals = [literal.to(precision) for literal in doubles]
    count = len(SCENARIOS) * (1 + samples)
    types = {k: graph.nodes[graph.state_nodes[k]].type for k in graph.live_states}
    states = {k: LAYOUT.zeros(each, count, partial(torch.zeros, dtype=precision)) for k, each in types.items()}
    names = {k: graph.nodes[graph.state_nodes[k]].function.removeprefix("input:") for k in states}
    for at_step in inputs(steps, precision):
        given = {name: value.repeat(1 + samples, 1) for name, value in at_step.items()}
        values = flat.values(given | {names[k]: value for k, value in states.items()}, literals)
        states = {k: values[graph.next_states[k]] for k in states}
        yield values, graph


class _CorrectRoots:
    """The functions of torch, with square roots that are rounded correctly.

    On some CPUs those of torch are not, and folded constants would differ from what a program computes.
    """

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)

    def sqrt(self, x: Tensor) -> Tensor:
        return torch.from_numpy(np.sqrt(x.numpy()))


_TORCH = _CorrectRoots()


def _run(primitive: Primitive, *args: Any) -> Any:
    return primitive.run(_TORCH, *args)


def _moving_call(samples: int, precision: torch.dtype) -> Callable[..., Any]:
    """Applies a primitive and moves its results, except in the rows of the first run; also the results inside of
    functions in which terms can cancel."""
    factors = _factors(samples, precision)
    start = 0

    def moved(value: Any) -> Any:
        nonlocal start
        width = value[0].numel()
        start = (start + width) % (factors.shape[1] - LAYOUT.elements)
        start = start if start + width <= factors.shape[1] else 0  # a matrix of products may be larger than the tree
        return value * factors[:, start : start + width].reshape(-1, *value.shape[1:])

    def call(primitive: Primitive, *args: Any) -> Any:
        if primitive.name == "interp":
            x, y, a = args
            return moved(moved(moved(1 - a) * x) + moved(a * y))
        if primitive.name == "log1p":
            return moved(torch.log(torch.abs(moved(1.0 + args[0]))))
        if primitive.name == "/":
            return moved(args[0] / moved(args[1] + EPSILON))
        return moved(_run(primitive, *args))

    return call


@cache
def _factors(samples: int, precision: torch.dtype) -> Tensor:
    """Factors close to one, `[rows, many]`; one in the rows of the first run."""
    unit = MOVED_BY * torch.finfo(precision).eps
    count = len(SCENARIOS)
    moves = np.random.default_rng(1).uniform(-unit, unit, (count * (1 + samples), 20_011))
    moves[:count] = 0.0
    return torch.tensor(1.0 + moves, dtype=precision)


def _ranges(values: dict[int, Any], graph: Graph, precision: torch.dtype) -> tuple[Tensor, Tensor]:
    """For each scenario whether every value is in range, and whether all are but for those that are not numbers.

    In range is what is finite and neither very large nor, unless it is zero, very small; and no product of values that
    are not zero may be zero.
    """
    count = len(SCENARIOS)
    fine = torch.ones(count, dtype=torch.bool)
    parts = []
    for i, value in values.items():
        leaves = value if isinstance(value, list) else [value]
        parts += [leaf[:count].reshape(min(len(leaf), count), -1).expand(count, -1) for leaf in leaves]
        function, args, _, _ = graph.nodes[i]
        if function in _VANISHING and not isinstance(value, list):
            fine = fine & ~_vanished(value, [values[arg] for arg in args])
    sizes = torch.cat(parts, 1).abs()
    good = (sizes <= HUGE[precision]) & ((sizes >= TINY[precision]) | (sizes == 0))
    none = sizes.isnan()
    return fine & good.all(1), fine & (good | none).all(1) & none.any(1)


_VANISHING = frozenset(
    ("*", "/", "square", "cube", "exp", "exp2", "exp10", "power", "reciprocal", "norm", "global_norm")
)
"""Functions that are zero only for zeros, or where they underflow."""


def _vanished(value: Tensor, args: Sequence[Any]) -> Tensor:
    """For each scenario whether a result is zero while no argument that belongs to it is."""
    count = len(SCENARIOS)
    zero = value[:count] == 0
    if not bool(zero.any()):
        return torch.zeros(count, dtype=torch.bool)
    for arg in args:
        if isinstance(arg, list):
            return torch.zeros(count, dtype=torch.bool)
        if arg.shape[1] in (1, value.shape[1]):
            zero = zero & (arg[:count] != 0)
        else:
            zero = zero & (arg[:count] != 0).any(1, keepdim=True) if value.shape[1] == 1 else zero & False
    return zero.any(1).expand(count)
