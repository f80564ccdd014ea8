"""The numerical check of every step of a simplification.

Program and simplified program run side by side for 50 steps in the scenarios of `trajectory`, in double precision and,
where a step claims equal bits, in single precision too. What is compared depends on the claim:

- equal bits: every update, infinities included; -0.0 counts as 0.0, and numbers that are none as equal;
- rounding: no function may leave its domain, as a power of negative numbers would, where the program before does not;
  updates may differ by `ROUNDING` times what rounding does to the program itself, as measured by moving the result of
  each of its operations (see `trajectory`). No fixed tolerance would do: a sum that cancels magnifies the
  rounding of its terms without limit, in the program as in any other way to compute it. A scenario ends where a value
  is within a factor of a million of over- or underflow, or where rounding alone decides the update;
- a bound: the changed value itself, for equal inputs, differs by no more than the bound says, and nothing else
  changes: each of the two programs has the bits of the form that its values were compared in. How far the updates of
  the two programs then differ is reported.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

import torch
from torch import Tensor

from germline.programs.optimizer.graph import Graph
from germline.programs.optimizer.interpret import Interpreter
from germline.programs.optimizer.program import Program
from germline.programs.optimizer.simplify.engine import Rewriting, Simplified, Step
from germline.programs.optimizer.simplify.form import Form
from germline.programs.optimizer.simplify.rewriting import with_expressions
from germline.programs.optimizer.simplify.trajectory import (
    LAYOUT,
    SCENARIOS,
    STEPS,
    Trajectory,
    inputs,
    run,
    values_by_step,
)

ROUNDING = 64.0
"""How many times the measured effect of rounding two updates may differ. The effect is the largest of four samples,
which may all be small by chance."""

DECIDED = 1e-6
"""Where rounding moves an update by more than this share of the largest of its scenario, it decides the update."""

RESIDUE = 1e-12
"""Where an update cancels to zero up to rounding, as often in the first step, rounding moves it by no more than this
share of the largest update of its scenario."""

EPS = 2.0**-52


@dataclass(frozen=True)
class Check:
    """The comparison of two programs.

    Attributes:
        holds: True if every compared update agrees as claimed.
        compared: the share of steps and scenarios that were compared and in which something happens: an update
            without a finite number shows nothing, and updates that are zero throughout, as of a rule without weight
            decay where gradients are zero, show little. Neither counts.
        difference: the largest difference of two updates, as a share of the largest update of their scenario and step.
        by_scenario: the same by scenario, of those in which something was compared, zeros included.
    """

    holds: bool
    compared: float
    difference: float
    by_scenario: dict[str, float]

    @property
    def verified(self) -> bool:
        """True if something was compared, zeros included, and agrees."""
        return self.holds and bool(self.by_scenario)


def prove(simplified: Simplified, steps: int = STEPS) -> tuple[Check, ...]:
    """The check of each step of a simplification, in order: the program before it against the program after it.

    Args:
        simplified: the simplification.
        steps: number of optimizer steps that the programs run for.
    """
    checks = []
    before: Trajectory | None = None
    for step in simplified.steps:
        before = before or run(step.before, steps)
        after = run(step.after, steps)
        checks.append(_check(step, before, after, steps))
        before = after
    return tuple(checks)


def proved(simplified: Simplified, steps: int = STEPS) -> tuple[Simplified, tuple[Check, ...]]:
    """The simplification up to the first step whose check fails, which is left out, and the check of each step."""
    checks = prove(simplified, steps)
    holding = next((i for i, check in enumerate(checks) if not check.holds), len(checks))
    if holding == len(checks):
        return simplified, checks
    kept = simplified.steps[:holding]
    return Simplified(simplified.given, kept[-1].after if kept else simplified.given, kept), checks[:holding]


def _check(step: Step, before: Trajectory, after: Trajectory, steps: int) -> Check:
    if step.tier == "bounded":
        assert step.rewriting is not None
        inside = within_bound(step.rewriting, steps)
        usable = _usable(before, after) & (inside is not None)
        written = all(
            same_bits(run(program, steps, samples=0).updates, run(graph_of(form), steps, samples=0).updates)
            for program, form in ((step.before, step.rewriting.before), (step.after, step.rewriting.after))
        )
        return _compare(before, after, inside is not False and written, usable)
    if not step.rounds:
        # Without samples, because functions of numbers then have the shapes that they have in the interpreter.
        equal = all(
            same_bits(*(run(program, steps, precision, samples=0).updates for program in (step.before, step.after)))
            for precision in (torch.float64, torch.float32)
        )
        return _compare(before, after, equal, _finite(before))
    return compare(before, after)


def _finite(trajectory: Trajectory) -> Tensor:
    """`[steps, scenarios]`: where an update has a finite number."""
    return trajectory.updates.isfinite().any(-1)


def same_bits(a: Tensor, b: Tensor) -> bool:
    """True if all numbers are equal."""
    return bool(((a == b) | (a.isnan() & b.isnan())).all())


def compare(before: Trajectory, after: Trajectory) -> Check:
    """The comparison of two programs that may differ by rounding."""
    a, b = before.updates, after.updates
    noise = before.noise + after.noise
    largest = a.abs().amax(-1, keepdim=True)
    usable = _usable(before, after)[..., None]
    relative = torch.where(a != 0, noise / a.abs(), 0.0).nan_to_num(0.0, 0.0, 0.0)
    # An element that cancels says nothing of how far rounding moves the others.
    relative = relative.clamp(max=DECIDED).mean(-1, keepdim=True)
    allowed = ROUNDING * (noise + (EPS + relative) * a.abs())
    wrong = usable & ~((a - b).abs() <= allowed) & (largest > 0)
    wrong = wrong | (usable & (largest == 0) & (b != 0)) | leaves_a_domain(before, after)[..., None]
    return _compare(before, after, not bool(wrong.any()), usable[..., 0])


def leaves_a_domain(before: Trajectory, after: Trajectory) -> Tensor:
    """`[steps, scenarios]`: where a function of the program after gets values outside its domain, while all values of
    the program before are numbers, and stay so when they are moved by rounding."""
    numbers = before.noise.isfinite().all(-1).cumprod(0).bool()
    return before.in_range & numbers & after.undefined


def _usable(before: Trajectory, after: Trajectory) -> Tensor:
    """`[steps, scenarios]`: where the two updates are compared: until a value leaves the range or rounding decides an
    update. An update that is nothing but the residue of a sum that cancels is left out by itself."""
    noise = _largest(torch.maximum(before.noise, after.noise))
    size = _largest(before.updates)
    in_range = before.in_range & after.in_range
    decided = noise <= DECIDED * size
    residue = noise <= RESIDUE * torch.where(in_range[..., None], size, 0.0).amax(0)
    return ((decided | residue).all(-1) & in_range).cumprod(0).bool() & decided.all(-1)


def _largest(values: Tensor) -> Tensor:
    """The largest magnitude of an update and, of a program with a read-out, of that: `[steps, scenarios, results]`."""
    return values.abs().reshape(*values.shape[:-1], -1, LAYOUT.elements).amax(-1)


def _compare(before: Trajectory, after: Trajectory, holds: bool, usable: Tensor) -> Check:
    """The check of two trajectories with its figures; `usable`, `[steps, scenarios]`, says where they count."""
    size, distance = _largest(before.updates), _largest(before.updates - after.updates)
    share = torch.where(usable[..., None] & (size > 0), distance / size, 0.0).nan_to_num(0.0).amax(-1)
    figures = {name: float(share[:, i].max()) for i, name in enumerate(SCENARIOS) if bool(usable[:, i].any())}
    happens = torch.stack([(one.updates != 0) & one.updates.isfinite() for one in (before, after)]).any(0).any(-1)
    return Check(holds, float((usable & happens).double().mean()), max(figures.values(), default=0.0), figures)


def within_bound(rewriting: Rewriting, steps: int = STEPS) -> bool | None:
    """True if the value that a bounded rule changed stays within the bound, on the trajectory of the program before;
    None if that value is never finite."""
    form, proposal = rewriting.before, rewriting.proposal
    ((node, replacement),) = proposal.changes.items()
    assert proposal.bound is not None
    longer, (new, bound) = with_expressions(form, [replacement, proposal.bound])
    any_finite = False
    for values, _ in values_by_step(graph_of(longer), steps, torch.float64, samples=0):
        for old_value, new_value, limit in _leafwise(values[node], values[new], values[bound]):
            finite = old_value.isfinite()
            any_finite |= bool(finite.any())
            inside = (old_value - new_value).abs() <= limit.abs() * (1.0 + 1e-9) + 8 * EPS * old_value.abs()
            if not bool((inside | ~finite).all()):
                return False
    return True if any_finite else None


def _leafwise(*values: Tensor | list[Tensor]) -> Iterator[tuple[Tensor, ...]]:
    """Values of one type: as they are or, of a tree whose leaves have shapes of their own, leaf by leaf."""
    return zip(*(value if isinstance(value, list) else [value] for value in values), strict=True)


def graph_of(form: Form) -> Graph:
    """A form as a graph in which every node is live."""
    readout = next((k for k, state in enumerate(form.states) if state.shape == "readout"), None)
    live = tuple(range(len(form.nodes)))
    return Graph(form.nodes, (), form.update, form.following, form.present, live, readout)


def interpreted(program: Program, steps: int = STEPS) -> Tensor:
    """The updates, as in `Trajectory`, of the reference interpreter in double precision."""
    runs = [Interpreter(program) for _ in SCENARIOS]
    result = []
    for at_step in _leaves_by_step(steps):
        rows = []
        for interpreter, given in zip(runs, at_step, strict=True):
            leaves = interpreter.step(*given)
            leaves = leaves if program.readout is None else [*leaves, *interpreter.evaluated(given[0])]
            rows.append(torch.cat([leaf.reshape(-1) for leaf in leaves]))
        result.append(torch.stack(rows))
    return torch.stack(result)


@cache
def _leaves_by_step(steps: int) -> list[list[tuple[list[Tensor], list[Tensor], float, float, float]]]:
    """For each step and scenario the weights, the gradients, the schedule value, the progress and the loss."""
    return [
        [
            (
                _leaves(at_step["w"][i : i + 1]),
                _leaves(at_step["g"][i : i + 1]),
                float(at_step["lr"][i]),
                float(at_step["progress"][i]),
                float(at_step["loss"][i]),
            )
            for i in range(len(SCENARIOS))
        ]
        for at_step in inputs(steps, torch.float64)
    ]


def _leaves(row: Tensor) -> list[Tensor]:
    return [leaf[0] for leaf in LAYOUT.split(row)]


def prove_whole(simplified: Simplified, steps: int = STEPS) -> Check:
    """The given program against the simplified one, by the reference interpreter; the claim is that of the weakest
    step, and for a bounded simplification nothing but the difference."""
    before, after = run(simplified.given, steps), run(simplified.program, steps)
    before = replace(before, updates=interpreted(simplified.given, steps))
    after = replace(after, updates=interpreted(simplified.program, steps))
    if simplified.tier == "bounded":
        return _compare(before, after, True, _usable(before, after))
    if not any(step.rounds for step in simplified.steps):
        return _compare(before, after, same_bits(before.updates, after.updates), _finite(before))
    return compare(before, after)
