"""Verification of an exported optimizer: it runs beside the reference interpreter, step by step."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from germline.programs.export.loading import load_class
from germline.programs.export.origin import Origin
from germline.programs.export.verified import ExportMismatch, VerifiedExport, check_difference
from germline.programs.optimizer.export.source import STEPS, TOLERANCE, export_torch
from germline.programs.optimizer.graph import live_program
from germline.programs.optimizer.interpret import Interpreter
from germline.programs.optimizer.program import Program

SHAPES = ((), (7,), (5, 3), (4, 6), (4, 3, 2, 2))
"""Shapes of the parameters of the test model."""
SCHEDULE = (1.0, 0.6, 0.85, 0.3, 0.05, 0.45)
"""Schedule values of the learning rate, one for each step, repeated."""

FLOORS = {torch.float32: 1.0, torch.float64: 1e-3}
"""Elements below this share of the largest in their tensor are compared as if they were that large. In float32 that is
the largest itself, because kernels and the interpreter round differently where a sum nearly cancels, and because
numbers such as a bias correction are computed in double precision; float64 shows that both compute the same."""


def verified_torch(program: Program, origin: Origin, class_name: str) -> VerifiedExport[str]:
    """The readable form of a program's export if it equals the interpreter, its exact form otherwise.

    Raises:
        ExportMismatch: neither form equals the interpreter.
    """
    source = export_torch(program, origin, class_name)
    try:
        difference = verify_torch(source, program, class_name)
    except ExportMismatch:
        source = export_torch(program, origin, class_name, exact=True)
        difference = verify_torch(source, program, class_name)
    return VerifiedExport(source, class_name, difference, TOLERANCE)


def verify_torch(source: str, program: Program, class_name: str, steps: int = STEPS) -> float:
    """The largest relative difference between an exported class and the interpreter.

    Both start from the same random parameters of ranks 0 to 4 and get the same gradients, some of them zero, and the
    same varying learning rates. After each step all parameters and states are compared, in float32 and again in
    float64, where the update shows more of its digits, each for one parameter after another and for lists (`foreach`).
    For a and b the difference is |a - b| / max(|a|, |b|, FLOORS[dtype] * the tensor's largest finite magnitude); values
    that are not finite must be equal.

    Args:
        source: what `export_torch` returned. It is executed, so pass no text of another origin.
        program: the program that was exported.
        class_name: the class in the source.
        steps: how many steps to compare.

    Raises:
        ExportMismatch: the difference is above TOLERANCE.
    """
    exported = load_class(source, class_name)
    difference = max(
        _difference(exported, program, steps, dtype, seed, foreach)
        for seed, dtype in enumerate(FLOORS)
        for foreach in (False, True)
    )
    quantity = f"parameters and states of {class_name} and its program"
    check_difference(quantity, difference, TOLERANCE, f" in {steps} steps; export it with exact=True")
    return difference


def relative_difference(a: Tensor, b: Tensor, floor: float = FLOORS[torch.float64]) -> float:
    """The largest relative difference of two tensors, as `verify_torch` defines it.

    Infinity if their shapes or their values that are not finite differ.
    """
    if torch.equal(a, b):
        return 0.0
    if a.shape != b.shape or not torch.equal(a.isnan(), b.isnan()):
        return math.inf
    finite = a.isfinite() & b.isfinite()
    if not torch.equal(a[~finite].nan_to_num(0.0), b[~finite].nan_to_num(0.0)):
        return math.inf
    x, y = a[finite].double(), b[finite].double()
    if not x.numel():
        return 0.0
    size = torch.maximum(x.abs(), y.abs())
    size = torch.clamp(size, min=floor * float(size.max()))
    return float(((x - y).abs() / size).nan_to_num(0.0).max())


def probe(steps: int, dtype: torch.dtype, seed: int) -> tuple[list[Tensor], Iterator[list[Tensor]]]:
    """Random parameters of the shapes `SHAPES`, and the gradients of each step.

    About a tenth of the gradients' elements is zero, as at dead units.
    """
    random = torch.Generator().manual_seed(seed)

    def draw(scale: float) -> list[Tensor]:
        leaves = [scale * torch.randn(shape, generator=random, dtype=torch.float64) for shape in SHAPES]
        return [leaf.to(dtype) for leaf in leaves]

    weights = draw(0.5)

    def gradients() -> Iterator[list[Tensor]]:
        for step in range(steps):
            masks = [torch.rand(shape, generator=random) >= 0.1 for shape in SHAPES]
            yield [leaf * mask for leaf, mask in zip(draw((0.1, 1.0, 0.01)[step % 3]), masks, strict=True)]

    return weights, gradients()


def _difference(
    exported: type[torch.optim.Optimizer],
    program: Program,
    steps: int,
    dtype: torch.dtype,
    seed: int,
    foreach: bool,
) -> float:
    """The largest relative difference in one precision; steps end early once it is above 1."""
    start, gradients = probe(steps, dtype, seed)
    program = live_program(program)
    interpreter = Interpreter(program)
    w = [leaf.clone() for leaf in start]
    params = [leaf.clone().requires_grad_() for leaf in start]
    optimizer = exported(params, foreach=foreach)  # type: ignore[call-arg]
    group = optimizer.param_groups[0]
    default = float(group["lr"])
    largest = 0.0
    for step, g in enumerate(gradients):
        group["lr"] = default * SCHEDULE[step % len(SCHEDULE)]
        for p, gradient in zip(params, g, strict=True):
            p.grad = gradient.clone()
        optimizer.step()
        update = interpreter.step(w, g, group["lr"] / default)
        for leaf, change in zip(w, update, strict=True):
            leaf.sub_(change)
        pairs = [*zip((p.detach() for p in params), w, strict=True), *_state_pairs(optimizer, interpreter, params)]
        largest = max(largest, *(relative_difference(a, b, FLOORS[dtype]) for a, b in pairs))
        if largest > 1.0:
            break
    return largest


def _state_pairs(
    optimizer: torch.optim.Optimizer, interpreter: Interpreter, params: list[Tensor]
) -> Iterator[tuple[Tensor, Tensor]]:
    """Exported states with the interpreter's, matched by order: the file may use other names."""
    group = optimizer.param_groups[0]
    shared = [value for name, value in group.items() if name not in ("lr", "step") and isinstance(value, Tensor)]
    scalars = [value for value in interpreter.states.values() if isinstance(value, Tensor)]
    yield from zip(shared, scalars, strict=True)
    trees = [value for value in interpreter.states.values() if isinstance(value, list)]
    for i, p in enumerate(params):
        states = [value for name, value in optimizer.state[p].items() if name != "step"]
        yield from zip(states, (tree[i] for tree in trees), strict=True)
