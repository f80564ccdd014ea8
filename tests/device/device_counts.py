"""What a training step asks of a GPU, counted on the meta device, and what that takes an H100 by arithmetic.

Nothing here is measured on a GPU. `python tests/device/device_counts.py` prints the tables of `docs/gpu.md`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import candidate_steps
import modules
import torch
from step_tape import StepTape
from torch.utils.flop_counter import FlopCounterMode

from germline.evaluators.optimizer.step_trace import StepTrace, traced
from germline.evaluators.optimizer.trainer import _Pack
from germline.evaluators.task import Rung
from germline.evaluators.tasks.registry import task_class
from germline.programs.optimizer import Program, trace

PACKS = (("digits-mlp", 4_096), ("text-transformer", 512), ("mnist5k-conv", 512))
ENGINE = "run_rows"


@dataclass(frozen=True)
class H100:
    """An H100 SXM by its data sheet, with usual figures for launches.

    Attributes:
        launch: seconds of the host for an operation of torch, between the fastest and a usual one of an eager step.
        node: least seconds of a kernel in a CUDA graph.
        memory, cache: bytes a second of its memory, and of its L2 cache.
        single: float32 operations a second of products of matrices without TF32.
        engine: element operations a second of the program engine: the goal, and the limit of the cache, through which
            an operation moves three numbers.
    """

    launch: tuple[float, float] = (2e-6, 5e-6)
    node: float = 1e-6
    memory: float = 3.35e12
    cache: float = 5.5e12
    single: float = 60e12
    engine: tuple[float, float] = (1e11, 5.5e12 / 12)


@dataclass(frozen=True)
class Counts:
    """A step of a pack.

    Attributes:
        task: name of the task.
        candidates: in the pack.
        trace: of the step.
        products: floating-point operations of products of matrices.
        elements: operations of the engine times the elements that they run on.
        alone: operations of torch in a step of a single candidate with an ordinary module, autograd and its program.
    """

    task: str
    candidates: int
    trace: StepTrace
    products: float
    elements: float
    alone: float


@cache
def counted(name: str, candidates: int) -> Counts:
    """Counts a step of candidates that train with programs of a real search."""
    task, pool = task_class(name)("meta"), candidate_steps.programs(candidates)
    pack = _Pack(task, pool, task.rungs[0], (0,), "meta", recorder=StepTape())
    pack.course.reach(1)
    step = traced(pack._step, "meta")
    with FlopCounterMode(display=False) as flops:
        pack._step()
    operations = sum(len(trace(program).live_statements) for program in pool)
    alone = launches_alone(name, pool[:: max(1, candidates // 4)][:4])
    return Counts(name, candidates, step, flops.get_total_flops(), pack.layout.elements * operations, alone)


def launches_alone(name: str, programs: Sequence[Program]) -> float:
    """Operations of torch in a step of a candidate by itself, the mean of some programs; counted on a CPU."""
    made, batch = modules.MODULES[name]("cpu"), task_class(name).rungs[0].batch

    def launches(program: Program, steps: int) -> int:
        return traced(lambda: candidate_steps.train_alone(made, program, Rung(steps, batch), "cpu"), "cpu").launches

    return sum(launches(program, 3) - launches(program, 2) for program in programs) / len(programs)


def milliseconds(counts: Counts, device: H100, engine: float, graph: bool, launch: float = 0.0) -> float:
    """The estimate of a step: each kernel takes as long as its bytes, or as its launch if that is longer; products of
    matrices take their operations in addition, and the engine its own."""
    least = device.node if graph else launch
    others = [each for each in counts.trace.operations if each.launches and each.name != ENGINE]
    moving = sum(max(least, (each.read + each.written) / device.memory) for each in others)
    return 1e3 * (moving + counts.products / device.single + max(least, counts.elements / engine))


def rows_of_counts(each: Counts) -> str:
    """A row of the table of what was counted."""
    return (
        f"| `{each.task}`, {each.candidates:,} | {each.trace.launches} | {each.trace.bytes / 1e9:.1f} GB "
        f"| {each.products / 1e9:.1f} G | {each.elements / 1e9:.2f} G | {each.alone:.0f} |"
    )


def row_of_estimates(each: Counts, device: H100) -> str:
    """A row of the table of estimates: the slow end of each range and the fast one."""
    graph = [milliseconds(each, device, engine, graph=True) for engine in device.engine]
    plain = [
        milliseconds(each, device, engine, graph=False, launch=launch)
        for engine, launch in zip(device.engine, reversed(device.launch), strict=True)
    ]
    alone = [1e3 * each.alone * launch for launch in device.launch]
    ratios = [each.candidates * one / step for one, step in zip(alone, graph, strict=True)]
    rates = [each.candidates / step for step in graph]
    cells = (
        f"`{each.task}`, {each.candidates:,}",
        f"{graph[1]:.1f} to {graph[0]:.1f} ms",
        f"{plain[1]:.1f} to {plain[0]:.1f} ms",
        f"{rates[0]:,.0f} to {rates[1]:,.0f} thousand",
        f"{alone[0]:.1f} to {alone[1]:.1f} ms",
        f"{ratios[0]:,.0f} to {ratios[1]:,.0f}",
    )
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    torch.set_num_threads(1)
    for pack in PACKS:
        print(rows_of_counts(counted(*pack)))
    for pack in PACKS:
        print(row_of_estimates(counted(*pack), H100()))
    for pack in PACKS:
        print(pack, dict(counted(*pack).trace.counts()))
