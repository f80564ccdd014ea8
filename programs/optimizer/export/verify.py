"""Verification of an exported optimizer: it runs beside the reference interpreter, step by step.

In float64 every element must agree closely, which proves the algebra. In float32 every element must be as near to the
float64 result of the interpreter as rounding allows, which proves that the class computes in the right precision.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any

import torch
from torch import Tensor

from germline.programs.export.loading import load_class
from germline.programs.export.origin import Origin
from germline.programs.export.verified import ExportMismatch, Verification, VerifiedExport, check_difference
from germline.programs.optimizer.export.arguments import HyperParameter
from germline.programs.optimizer.export.changed import changes
from germline.programs.optimizer.export.draft import Draft, draft_of
from germline.programs.optimizer.export.progress import from_step_count
from germline.programs.optimizer.export.source import STEPS, TOLERANCE, export_torch
from germline.programs.optimizer.graph import live_program
from germline.programs.optimizer.interpret import Interpreter
from germline.programs.optimizer.program import Program

SHAPES = ((), (7,), (5, 3), (4, 6), (4, 3, 2, 2))
"""Shapes of the parameters of the test model."""
LOSSES = (2.5, 1.9, 2.1, 0.7, -0.4, 0.02, 1.3)
"""Losses of the steps, repeated, for programs that read the loss."""
SCHEDULE = (1.0, 0.6, 0.85, 0.3, 0.05, 0.45)
"""Schedule values of the learning rate, one for each step, repeated."""

OPTION_STEPS, MORE_OPTION_STEPS = 4, 12
"""The numbers of steps over which a class is compared with each of its arguments changed: the larger for an argument
that shows nothing before, such as one that has an effect from the sixth step on."""

VISIBLE = 1e-6
"""By how much a change of an argument has to change an element to be seen."""

FLOOR = 1e-5
"""Where terms cancel, an element is compared as if it were at least this share of the largest that it has been itself.
At a tolerance of 1e-9 this allows 45 roundings of float64."""
ROUNDINGS = 32
"""How many roundings of the largest that an element has been a float32 result may be away from the float64 result."""
OWN_ERRORS = 8
"""How many errors of the interpreter itself in float32 are allowed beside those roundings."""
NEARBY = 8
"""A changed argument may change the results of the exact form by so many times what a last bit of the rate changes."""


@dataclass(frozen=True)
class Difference:
    """How much an exported class differs from the interpreter.

    Attributes:
        double: the largest relative difference of an element in float64.
        single: the largest error of an element in float32, as a share of the error that rounding explains.
    """

    double: float
    single: float


def verified_torch(program: Program, origin: Origin, class_name: str) -> VerifiedExport[str]:
    """The readable form of a program's export if it equals the interpreter, its exact form otherwise.

    Raises:
        ExportMismatch: neither form equals the interpreter.
    """
    program = from_step_count(program)
    try:
        return _verified(program, origin, class_name, exact=False)
    except ExportMismatch:
        return _verified(program, origin, class_name, exact=True)


def _verified(program: Program, origin: Origin, class_name: str, exact: bool) -> VerifiedExport[str]:
    source = export_torch(program, origin, class_name, exact)
    difference, unseen = verify_torch(source, program, class_name, exact=exact)
    return VerifiedExport(
        source, class_name, difference, TOLERANCE, not_finite_from=not_finite_from(program), unseen_arguments=unseen
    )


def verify_torch(
    source: str, program: Program, class_name: str, steps: int = STEPS, exact: bool = False
) -> Verification:
    """The comparison of an exported class with the interpreter in float64, with its defaults and with each argument
    changed.

    Args:
        source: what `export_torch` returned. It is executed, so pass no text of another origin.
        program: the program that was exported.
        class_name: the class in the source.
        steps: how many steps to compare.
        exact: as it was for `export_torch`.

    Raises:
        ExportMismatch: a difference is above TOLERANCE, or rounding does not explain an error in float32.
    """
    difference = compare_torch(source, program, class_name, steps)
    quantity = f"parameters and states of {class_name} and its program"
    hint = f" in {steps} steps; export it with exact=True"
    check_difference(quantity, difference.double, TOLERANCE, hint)
    check_difference(f"{quantity} up to rounding of float32", difference.single, 1.0, f" times the rounding{hint}")
    return Verification(difference.double, _verify_options(source, program, class_name, exact))


def not_finite_from(program: Program) -> int | None:
    """The first of the compared steps, counted from 1, after which no parameter is finite; None if some stay finite."""
    schedule = [SCHEDULE[step % len(SCHEDULE)] for step in range(STEPS)]
    trajectory = _interpreted(live_program(program), schedule, torch.float64, torch.float64, False)
    finite = trajectory.values[:, : sum(math.prod(shape) for shape in SHAPES)].isfinite().any(1)
    return None if bool(finite[-1]) else int(finite.sum()) + 1


def _verify_options(source: str, program: Program, class_name: str, exact: bool) -> tuple[str, ...]:
    """Compares a class over a few steps in float64: with each argument changed, with the program whose literals are
    changed alike, and with `maximize` and the opposite gradients. Returns the arguments whose change shows nothing."""
    exported = load_class(source, class_name)
    draft = draft_of(program, exact)
    unseen = _verify_changes(exported, draft, draft.arguments, OPTION_STEPS, exact)
    later = [argument for argument in draft.arguments if argument.name in unseen]
    unseen = _verify_changes(exported, draft, later, MORE_OPTION_STEPS, exact)
    rates, schedule = _rates(exported, draft, OPTION_STEPS)
    expected = _interpreted(draft.program, schedule, torch.float64, torch.float64, False)
    for foreach in (False, True):
        ours = _exported(exported, rates, torch.float64, False, foreach, maximize=True)
        quantity = f"parameters and states of {class_name} with maximize=True and its program with opposite gradients"
        check_difference(quantity, _difference(ours, expected), TOLERANCE, f" in {OPTION_STEPS} steps")
    return unseen


def _verify_changes(
    exported: type[torch.optim.Optimizer], draft: Draft, arguments: Sequence[HyperParameter], steps: int, exact: bool
) -> tuple[str, ...]:
    """Compares a class with each of these arguments changed. Returns those whose change shows nothing.

    The program with a changed protection of a division is written with other functions than the class, so that the two
    round differently even in the exact form. A program that makes much of a last bit may then differ by as much as it
    does from itself at a learning rate that differs in the last bit.
    """
    rates, schedule = _rates(exported, draft, steps)
    expected = _interpreted(draft.program, schedule, torch.float64, torch.float64, False)
    unseen = []

    def differs(program: Program) -> bool:
        changed = _interpreted(program, schedule, torch.float64, torch.float64, False)
        return bool(changed.values.isfinite().all()) and _difference(changed, expected) > VISIBLE

    for name, value, program_with_value, shows in changes(draft.program, arguments, differs):
        if not shows:
            unseen.append(name)
        changed = _interpreted(program_with_value, schedule, torch.float64, torch.float64, False)
        difference = _difference(_exported(exported, rates, torch.float64, False, False, **{name: value}), changed)
        if exact and difference > TOLERANCE:
            nearby = [multiplier * (1 + torch.finfo(torch.float64).eps) for multiplier in schedule]
            own = _difference(_interpreted(program_with_value, nearby, torch.float64, torch.float64, False), changed)
            if difference <= NEARBY * own:
                continue
        quantity = f"parameters and states of {exported.__name__} with {name}={value} and its program with these"
        check_difference(f"{quantity} constants", difference, TOLERANCE, f" in {steps} steps")
    return tuple(dict.fromkeys(unseen))


def _rates(exported: type[torch.optim.Optimizer], draft: Draft, steps: int) -> tuple[list[float], list[float]]:
    """The learning rates of a class for some steps, and the inputs `lr` of its program."""
    default = float(exported([torch.zeros(1, requires_grad=True)]).defaults["lr"])  # type: ignore[call-arg]
    multipliers = [SCHEDULE[step % len(SCHEDULE)] for step in range(steps)]
    rates = [default * multiplier for multiplier in multipliers]
    return rates, rates if draft.lr_is_rate else multipliers


def compare_torch(source: str, program: Program, class_name: str, steps: int = STEPS) -> Difference:
    """How much an exported class differs from the interpreter; the arguments are those of `verify_torch`.

    Both start from the same random parameters of ranks 0 to 4 and get the same gradients and the same varying learning
    rates, in either precision, for one parameter after another and for lists (`foreach`). After each step every element
    of the states and of the change of the parameters since their start is compared, by `relative_difference` in float64
    and by `rounding_share` in float32. A program that is not finite any more where gradients are zero is compared again
    without zeros.
    """
    exported = load_class(source, class_name)
    program = live_program(program)
    default = float(exported([torch.zeros(1, requires_grad=True)]).defaults["lr"])
    rates = [default * SCHEDULE[step % len(SCHEDULE)] for step in range(steps)]
    schedule = [rate / default for rate in rates]
    double, single = 0.0, 0.0
    for zeros in (True, False):
        expected = _interpreted(program, schedule, torch.float64, torch.float64, zeros)
        own = _interpreted(program, schedule, torch.float32, torch.float32, zeros)
        exact = _interpreted(program, schedule, torch.float32, torch.float64, zeros)
        for foreach in (False, True):
            double = max(double, _difference(_exported(exported, rates, torch.float64, zeros, foreach), expected))
            single = max(single, _share(_exported(exported, rates, torch.float32, zeros, foreach), own, exact))
        if expected.values[-1].isfinite().double().mean() > 0.5:
            break
    return Difference(double, single)


def relative_difference(a: Tensor, b: Tensor, floor: Tensor | float = 0.0) -> float:
    """The largest relative difference of two elements of two tensors: |a - b| / max(|a|, |b|, floor).

    Infinity if their shapes or their values that are not finite differ.
    """
    if torch.equal(a, b):
        return 0.0
    if a.shape != b.shape or not torch.equal(a.isnan(), b.isnan()):
        return math.inf
    finite = a.isfinite() & b.isfinite()
    if not torch.equal(a[~finite].nan_to_num(0.0), b[~finite].nan_to_num(0.0)):
        return math.inf
    x, y = a.detach().double(), b.detach().double()
    size = torch.maximum(torch.maximum(x.abs(), y.abs()), torch.as_tensor(floor))
    return float(((x - y).abs() / size).where(finite & (x != y), 0.0).max())


def rounding_share(values: Tensor, own: Tensor, exact: Tensor, allowance: Tensor) -> float:
    """The largest error of an element, as a share of what is allowed.

    Args:
        values: the exported class's values.
        own: the interpreter's in the same precision; an element that equals its has no error.
        exact: the interpreter's in float64.
        allowance: the largest error allowed for each element.
    """
    same = (values == own) | (values.isnan() & own.isnan())
    share = (values.double() - exact).abs() / allowance
    return float(share.nan_to_num(math.inf).where(~same, 0.0).max())


def probe(steps: int, dtype: torch.dtype, seed: int, zeros: bool = True) -> tuple[list[Tensor], Iterator[list[Tensor]]]:
    """Random parameters of the shapes `SHAPES`, and the gradients of each step.

    About a tenth of the gradients' elements is always small, so that an epsilon shows. With `zeros`, about a tenth is
    zero at each step, as at dead units.
    """
    random = torch.Generator().manual_seed(seed)

    def draw(scale: float) -> list[Tensor]:
        return [scale * torch.randn(shape, generator=random, dtype=torch.float64) for shape in SHAPES]

    weights = [leaf.to(dtype) for leaf in draw(0.5)]
    small = [torch.rand(shape, generator=random) < 0.1 for shape in SHAPES]

    def gradients() -> Iterator[list[Tensor]]:
        for step in range(steps):
            zero = [torch.rand(shape, generator=random) < 0.1 * zeros for shape in SHAPES]
            yield [
                leaf.where(~at_small, 1e-5 * leaf).where(~at_zero, 0.0).to(dtype)
                for leaf, at_small, at_zero in zip(draw((0.1, 1.0, 0.01)[step % 3]), small, zero, strict=True)
            ]

    return weights, gradients()


_SEEDS = {torch.float32: 0, torch.float64: 1}


@dataclass(frozen=True)
class _Trajectory:
    """The parameters and states after each step.

    Attributes:
        start: `[elements]`, the parameters before the first step, and zero for each element of a state.
        values: `[steps, elements]`.
        layout: the shape and the precision of each tensor.
    """

    start: Tensor
    values: Tensor
    layout: list[tuple[torch.Size, torch.dtype]]


def _trajectory(start: list[Tensor], steps: list[list[Tensor]]) -> _Trajectory:
    values = torch.stack([torch.cat([value.detach().reshape(-1) for value in step]) for step in steps])
    begin = torch.cat([value.reshape(-1) for value in start]).to(values.dtype)
    zeros = begin.new_zeros(values.shape[1] - len(begin))
    return _Trajectory(torch.cat([begin, zeros]), values, [(value.shape, value.dtype) for value in steps[-1]])


def _interpreted(
    program: Program, schedule: list[float], dtype: torch.dtype, precision: torch.dtype, zeros: bool
) -> _Trajectory:
    """The trajectory of the interpreter, in a precision of its own."""
    start, gradients = probe(len(schedule), dtype, _SEEDS[dtype], zeros)
    interpreter = Interpreter(program)
    w = [leaf.to(precision) for leaf in start]
    steps = []
    for step, (lr, g) in enumerate(zip(schedule, gradients, strict=True)):
        loss = LOSSES[step % len(LOSSES)]
        update = interpreter.step(w, [leaf.to(precision) for leaf in g], lr, loss=loss)
        w = [leaf - change for leaf, change in zip(w, update, strict=True)]
        values = list(interpreter.states.values())
        scalars = [value for value in values if isinstance(value, Tensor)]
        trees = [value for value in values if isinstance(value, list)]
        steps.append([*w, *scalars, *(tree[i] for i in range(len(w)) for tree in trees)])
    return _trajectory(start, steps)


def _exported(
    exported: type[torch.optim.Optimizer],
    rates: list[float],
    dtype: torch.dtype,
    zeros: bool,
    foreach: bool,
    **options: Any,
) -> _Trajectory:
    """The trajectory of an exported class, with the opposite gradients if it maximizes. Its states are matched by
    order: the file may use other names."""
    start, gradients = probe(len(rates), dtype, _SEEDS[dtype], zeros)
    params = [leaf.clone().requires_grad_() for leaf in start]
    optimizer = exported(params, foreach=foreach, **options)  # type: ignore[call-arg]
    group = optimizer.param_groups[0]
    steps = []
    reads_loss = "loss" in signature(exported.step).parameters
    for step, (lr, g) in enumerate(zip(rates, gradients, strict=True)):
        group["lr"] = lr
        for p, gradient in zip(params, g, strict=True):
            p.grad = -gradient if options.get("maximize") else gradient
        try:
            sign = -1.0 if options.get("maximize") else 1.0
            loss: dict[str, Any] = {"loss": sign * LOSSES[step % len(LOSSES)]} if reads_loss else {}
            optimizer.step(**loss)
        except Exception as error:
            raise ExportMismatch(
                f"a step of {exported.__name__} failed: {type(error).__name__}: {error!s:.200}"
            ) from error
        scalars = [value for name, value in group.items() if name not in ("lr", "step") and isinstance(value, Tensor)]
        states = [value for p in params for name, value in optimizer.state[p].items() if name != "step"]
        steps.append([value.detach().clone() for value in (*params, *scalars, *states)])
    return _trajectory(start, steps)


def _difference(ours: _Trajectory, expected: _Trajectory) -> float:
    """The largest relative difference of an element of a state, or of the change of a parameter."""
    if ours.layout != expected.layout:
        return math.inf
    change, expected_change = ours.values - ours.start, expected.values - expected.start
    return relative_difference(change, expected_change, FLOOR * _largest_so_far(expected.values, expected.start))


def _share(ours: _Trajectory, own: _Trajectory, exact: _Trajectory) -> float:
    """The largest error of an element in float32, as a share of the error that rounding explains."""
    if ours.layout != own.layout:
        return math.inf
    rounding = ROUNDINGS * torch.finfo(torch.float32).eps * _largest_so_far(exact.values, exact.start)
    own_error = _largest_so_far(own.values - exact.values, torch.zeros_like(exact.start))
    return rounding_share(ours.values, own.values, exact.values, rounding + OWN_ERRORS * own_error)


def _largest_so_far(values: Tensor, start: Tensor) -> Tensor:
    """The largest finite magnitude of each element until each step."""
    sizes = values.abs().where(values.isfinite(), 0.0)
    return torch.cat([start.abs()[None], sizes]).cummax(0).values[1:]
