"""Measurements of training tasks on a device, each with its baseline in the same process."""

from collections.abc import Sequence
from importlib.util import find_spec
from itertools import cycle, islice, product
from statistics import median
from time import perf_counter
from typing import Any

import candidate_steps
import launches
import numpy as np
from device_step import NotHere, Results, extra
from reference_runs import START

from germline.evaluators.memory import out_of_memory, release_memory
from germline.evaluators.optimizer.captured_step import recorder_for
from germline.evaluators.optimizer.engine import ProgramEngine
from germline.evaluators.optimizer.task import TrainingTask
from germline.evaluators.optimizer.trainer import _Pack, train
from germline.evaluators.task import Rung
from germline.evaluators.tasks.registry import task_class
from germline.programs.optimizer import Program, parse, write
from germline.programs.optimizer.flat import Layout
from germline.programs.optimizer.space import OptimizerSpace

WARM = 5
"""Steps of a pack before its steps are timed; a step is recorded after `captured_step.FIRST_STEPS` of them."""


def training(
    device: str,
    task: str,
    count: int,
    rounds: int,
    alone: int,
    steps: int | None,
    warm: int,
    profiled: tuple[int, int],
    timed: int,
) -> Results:
    """Candidates of a training task trained together against one after the other; then what a step costs.

    Args:
        device: of both sides.
        task: name of the training task.
        count: number of candidates that train together.
        rounds: of both sides, in turn.
        alone: number of candidates that the baseline trains, spread over all of them.
        steps: of a training; None: those of the first rung.
        warm: steps of a training of all candidates before the rounds.
        profiled: steps of the two trainings whose launches are counted.
        timed: steps whose time is measured.
    """
    pool, rung = candidate_steps.programs(count), task_class(task).rungs[0]
    rung = Rung(steps or rung.steps, rung.batch)
    few = pool[:: count // alone][:alone]
    candidate_steps.together(task, pool, Rung(warm, rung.batch), device)
    candidate_steps.one_by_one(task, few[:1], Rung(warm, rung.batch), device)
    fast, plain = [], []
    for _ in range(rounds):
        fast.append(candidate_steps.together(task, pool, rung, device))
        plain.append(candidate_steps.one_by_one(task, few, rung, device))
        row = {
            "name": f"candidate-steps/{task}/{count}" + ("/cuda" if device == "cuda" else ""),
            "value": median(fast),
            "unit": "candidate-steps/s",
            "baseline": candidate_steps.BASELINE,
            "ratio": median(fast) / median(plain),
        }
        rates = f"{row['value']:,.0f} candidate-steps/s, {row['ratio']:.1f}x"
        yield {"summary": rates, "rows": [row], "rates": fast, "baseline_rates": plain}
    loaded = task_class(task)(device)
    found = extra("cost", lambda: pack_cost(loaded, pool, rung.batch, device, timed))
    yield found
    found |= extra("unrecorded", lambda: pack_cost(loaded, pool, rung.batch, device, timed, recorded=False))
    yield found
    found |= extra("fresh", lambda: _fresh_rate(loaded, count, rung, device))
    yield found
    counts = extra(
        "per_step",
        lambda: launches.per_step(
            lambda few: train(loaded, pool, Rung(few, rung.batch), (0,), device), device, profiled
        ),
    )
    said = [rates]
    if "cost" in found:
        said.append(_said_of_cost(found["cost"], found.get("unrecorded")))
    if "fresh" in found:
        said.append(
            f"{found['fresh']['seconds_to_prepare']:.1f} s to prepare fresh programs, {found['fresh']['rate']:,.0f}/s"
        )
    if "per_step" in counts:
        said.append(launches.said(counts["per_step"]))
    yield {**counts, "summary": "; ".join(said)}


def pack_cost(
    task: TrainingTask, pool: Sequence[Program], batch: int, device: str, steps: int, recorded: bool = True
) -> dict[str, Any]:
    """The cost of a pack, without checks.

    Args:
        task: on the device.
        pool: the program of each candidate.
        batch: examples of a step.
        device: on which candidates train.
        steps: that are timed.
        recorded: whether a GPU may repeat a recorded step.

    Returns:
        `seconds_until_ready` to train at full speed, with a recorded step, `milliseconds_per_step` of all candidates,
        whether the step was `recorded`, and if not, the `obstacle`.
    """
    candidate_steps.synchronize(device)
    began = perf_counter()
    recorder = recorder_for(device) if recorded else None
    pack = _Pack(task, pool, Rung(WARM + steps, batch), (0,), device, recorder=recorder)
    for step in range(WARM):
        pack.step(step + 1)
    candidate_steps.synchronize(device)
    ready = perf_counter()
    for step in range(WARM, WARM + steps):
        pack.step(step + 1)
    candidate_steps.synchronize(device)
    return {
        "seconds_until_ready": ready - began,
        "milliseconds_per_step": 1e3 * (perf_counter() - ready) / steps,
        "recorded": pack.captured.recorded,
        "obstacle": pack.captured.obstacle,
    }


def _said_of_cost(cost: dict[str, Any], unrecorded: dict[str, Any] | None) -> str:
    """Milliseconds of a step, and beside them those of a step that is not recorded, if one is."""
    text = f"{cost['milliseconds_per_step']:.2f} ms a step"
    if cost["obstacle"]:
        return f"{text}, which was not recorded: {cost['obstacle']}"
    if not cost["recorded"] or unrecorded is None:
        return text
    return f"{text} as a graph, {unrecorded['milliseconds_per_step']:.2f} ms launched one by one"


def _fresh_rate(task: TrainingTask, count: int, rung: Rung, device: str) -> dict[str, float]:
    """Candidate-steps a second of a pack of programs that are all different and new to the engine, as in a search."""
    pool = fresh_programs(count)
    layout = Layout(tuple(spec.shape for spec in task.parameters))
    began = perf_counter()
    ProgramEngine(pool, layout, device)
    candidate_steps.synchronize(device)
    seconds = perf_counter() - began
    pool = [parse(write(program)) for program in pool]  # the engine knows programs by their identity
    began = perf_counter()
    train(task, pool, rung, (0,), device)
    return {"rate": count * rung.steps / (perf_counter() - began), "seconds_to_prepare": seconds}


def fresh_programs(count: int) -> list[Program]:
    """Mutants of programs of a real search."""
    space, rng = OptimizerSpace(START, "core"), np.random.default_rng(3)
    parents = islice(cycle(candidate_steps.programs(min(count, 256))), count)
    return [space.vary(parent, "modify", rng).genome for parent in parents]


def engine(device: str, count: int, rounds: int) -> Results:
    """The program engine alone against plain torch."""
    row = candidate_steps.engine(count, device, rounds)
    yield {"summary": f"{row['value']:.3g} operations/s, {row['ratio']:.1f}x", "rows": [row]}


def kernel_sizes(
    device: str, count: int, chunks: Sequence[int], warps: Sequence[int], instances: Sequence[int]
) -> Results:
    """Milliseconds of a step of the engine for several sizes of its kernel, see `engine/cuda.py`."""
    if find_spec("triton") is None:
        raise NotHere("the kernel of a GPU needs triton, which is not here")
    from germline.evaluators.optimizer.engine import cuda  # here, since it needs Triton

    pool, before = candidate_steps.programs(count), (cuda.CHUNK, cuda.WARPS, cuda.INSTANCES_PER_PROCESSOR)
    layout = Layout(tuple(spec.shape for spec in task_class("digits-mlp").parameters))
    times: dict[str, float] = {}
    try:
        for sizes in product(chunks, warps, instances):
            cuda.CHUNK, cuda.WARPS, cuda.INSTANCES_PER_PROCESSOR = sizes
            engine = ProgramEngine(pool, layout, device)
            engine.parameters.normal_()
            engine.gradients.normal_()
            name = "chunk {}, {} warps, {} instances".format(*sizes)
            times[name] = 1e3 * candidate_steps.seconds_a_step(engine, device)
            best = min(times, key=lambda size: times[size])
            yield {"summary": f"fastest {best}: {times[best]:.2f} ms a step", "milliseconds_per_step": times}
    finally:
        cuda.CHUNK, cuda.WARPS, cuda.INSTANCES_PER_PROCESSOR = before


def packs(device: str, counts: Sequence[int], steps: int) -> Results:
    """Candidate-steps a second of packs of several sizes in a first rung, to choose the size of packs in a run.

    A size whose pack does not fit the memory has None.
    """
    costs: dict[str, dict[str, Any]] = {}
    said: dict[str, str] = {}
    for name in ("digits-mlp", "text-transformer"):
        task, rung = task_class(name)(device), task_class(name).rungs[0]
        costs[name] = {}
        for count in counts:
            cost = _cost_or_none(task, count, rung.batch, device, steps)
            release_memory(device)
            if cost:
                seconds = cost["seconds_until_ready"] + 1e-3 * rung.steps * cost["milliseconds_per_step"]
                cost["candidate_steps_per_second"] = count * rung.steps / seconds
            costs[name][str(count)] = cost
            rates = [(each["candidate_steps_per_second"], size) for size, each in costs[name].items() if each]
            if rates:
                rate, size = max(rates)
                said[name] = f"{name}: {size} ({rate:,.0f} candidate-steps/s)"
            yield {"summary": f"fastest packs {', '.join(said.values())}", "costs": costs}


def _cost_or_none(task: TrainingTask, count: int, batch: int, device: str, steps: int) -> dict[str, Any] | None:
    pool = [parse(write(program)) for program in candidate_steps.programs(count)]
    try:
        return pack_cost(task, pool, batch, device, steps)
    except Exception as error:
        if not out_of_memory(error):
            raise
    return None
