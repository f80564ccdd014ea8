"""Checks of the program engine: the bits of a device against those of the CPU."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import candidate_steps
import numpy as np
import special_values
import torch
from device_step import Results
from reference_runs import RoundsOnce, mutants, run_alone, same
from torch import Tensor

from germline.evaluators.optimizer.engine import ProgramEngine
from germline.evaluators.optimizer.engine.interpreter import FAR
from germline.evaluators.tasks.registry import task_class
from germline.programs.optimizer import Program, library, parse, write
from germline.programs.optimizer.flat import Layout

SMALL_LAYOUT = Layout(((6, 4), (5,), (), (3, 2, 2)))


@dataclass(frozen=True)
class Stepped:
    """Three steps of programs on a device.

    Args:
        parameters: of each row after them, `[rows, elements]`; the compiled rows come first.
        compiled: number of compiled rows.
        order: for each row the index of its program.
    """

    parameters: Tensor
    compiled: int
    order: Sequence[int]


def engine_bits(device: str, count: int) -> Results:
    """Checks that three steps of real and random programs give the bits of the CPU's engine, also when repeated.

    A program that reaches an angle or a quotient so large that a GPU does not promise the bits is listed apart.
    """
    pool = [*map(parse, library().values()), *candidate_steps.programs(count)]
    pool += [*mutants(count, 6), *mutants(count, 7, "extended")]
    digits = Layout(tuple(spec.shape for spec in task_class("digits-mlp").parameters))
    parts: dict[str, dict[str, Any]] = {}
    for name, layout in (("small", SMALL_LAYOUT), ("digits-mlp", digits)):
        parts[name] = _compared(pool, layout, device)
        total = {key: sum(part[key] for part in parts.values()) for key in ("rows", "equal", "far")}
        yield {
            "passed": all(part["passed"] for part in parts.values()),
            "summary": f"{total['equal']} of {total['rows']} rows have the CPU's bits, {total['far']} reach far angles",
            "layouts": parts,
        }


def _compared(pool: Sequence[Program], layout: Layout, device: str) -> dict[str, Any]:
    here, there, again = (stepped(pool, layout, where) for where in ("cpu", device, device))
    same_rows = (here.compiled, here.order) == (there.compiled, there.order)
    if not (same_rows and here.compiled):
        rows = f"expected {here.compiled} compiled rows in the CPU's order, got {there.compiled}"
        return {"passed": False, "rows": here.compiled, "equal": 0, "far": 0, "error": rows}
    compiled = here.compiled
    equal = same(here.parameters[:compiled], there.parameters[:compiled]).all(1)
    differing = [pool[here.order[row]] for row in (~equal).nonzero().flatten().tolist()]
    far = [program for program in differing if reaches_far(program, layout)]
    wrong = [program for program in differing if program not in far]
    repeated = bool(same(there.parameters, again.parameters).all())
    errors = relative_errors(there.parameters[compiled:], here.parameters[compiled:])
    error = median(errors) if errors else 0.0
    return {
        "passed": not wrong and repeated and error < 1e-4,
        "rows": compiled,
        "equal": int(equal.sum()),
        "far": len(far),
        "finite_rows": float(here.parameters[:compiled].isfinite().all(1).float().mean()),
        "same_again": repeated,
        "programs_that_differ": [write(program) for program in wrong[:10]],
        "programs_that_reach_far": [write(program) for program in far[:10]],
        "matrix_programs": len(errors),
        "matrix_programs_median_error": error,
    }


def stepped(pool: Sequence[Program], layout: Layout, device: str) -> Stepped:
    engine = ProgramEngine(pool, layout, device)
    start, gradients = _numbers(layout)
    engine.parameters.copy_(start.expand(len(pool), -1))
    for step, gradient in enumerate(gradients, 1):
        engine.gradients.copy_(gradient.expand(len(pool), -1))
        engine.step(1.0 / step, step)
    return Stepped(engine.parameters.cpu(), engine.compiled_rows, engine.order)


def _numbers(layout: Layout) -> tuple[Tensor, Tensor]:
    """The parameters at the start, `[elements]`, and the gradients of three steps, `[3, elements]`."""
    numbers = torch.Generator().manual_seed(1)
    start, *gradients = (0.5 * torch.randn(layout.elements, generator=numbers) for _ in range(4))
    return start, torch.stack(gradients)


def relative_errors(actual: Tensor, expected: Tensor) -> list[float]:
    """Norm of the difference of each row relative to that of the row, where it is finite."""
    errors = (actual - expected).norm(dim=1) / expected.norm(dim=1)
    return [error for error in errors.tolist() if np.isfinite(error)]


class _Watching(RoundsOnce):
    """Functions that round once, and note whether they get an angle or a quotient that is too large for a GPU."""

    def __init__(self) -> None:
        self.far = False

    def __getattr__(self, name: str) -> Any:
        function = super().__getattr__(name)
        if name not in (*special_values.ANGLES, "remainder"):
            return function

        def watched(x: Any, *others: Any) -> Any:
            sizes = torch.as_tensor(x).double()
            for other in others:
                sizes = sizes / torch.as_tensor(other).double()
            most = special_values.FAR_QUOTIENT if others else FAR
            self.far |= bool(((sizes.abs() > most) & sizes.isfinite()).any())
            return function(x, *others)

        return watched


def reaches_far(program: Program, layout: Layout) -> bool:
    """Whether in those steps a program computes with an angle or a quotient for which a GPU does not promise bits."""
    watching = _Watching()
    run_alone(program, layout.shapes, *_numbers(layout), watching)
    return watching.far


def special(device: str) -> Results:
    """Checks the bits of every elementwise function on zeros of both signs, subnormal and huge numbers, infinities and
    NaN, and those of the reciprocal of its result."""
    programs = special_values.programs()
    here, there = (_states(list(programs.values()), where) for where in ("cpu", device))
    if here.keys() != there.keys() or not here:
        raise ValueError(f"expected {len(here)} compiled functions, got {len(there)}")
    wrong: dict[str, list[list[float]]] = {}
    for number, name in enumerate(programs):
        if number not in here:
            continue
        equal = special_values.equal_bits(here[number], there[number]).all(0)
        places = (~equal & special_values.is_near(name)).nonzero().flatten()[:5]
        if len(places):
            columns = special_values.FIRST, special_values.SECOND, here[number][0], there[number][0]
            wrong[name] = [[float(column[place]) for column in columns] for place in places.tolist()]
    said = f"{len(here) - len(wrong)} of {len(here)} functions have the CPU's bits on all pairs of special values"
    yield {
        "passed": not wrong,
        "summary": said + (f", but not {', '.join(wrong)}" if wrong else ""),
        "first_second_cpu_device": wrong,
    }


def _states(programs: Sequence[Program], device: str) -> dict[int, Tensor]:
    """The states of the compiled programs after a step, by the index of the program."""
    engine = ProgramEngine(programs, special_values.LAYOUT, device)
    engine.parameters.copy_(special_values.SECOND.expand(len(programs), -1))
    engine.gradients.copy_(special_values.FIRST.expand(len(programs), -1))
    engine.step(1.0, 1)
    states = special_values.states(engine._bytecode)
    return {engine.order[row]: states[row] for row in range(engine.compiled_rows)}
