"""Checks of what a device computes against the CPU."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import candidate_steps
import numpy as np
import torch
from own_tree import ROOT
from reference_runs import mutants, same
from torch import Tensor

from germline.evaluators.architecture.trainer import DECAY, MAX_GRADIENT_NORM, MOMENTUM, RATE, initial_networks
from germline.evaluators.evaluator import EvaluatorSpec
from germline.evaluators.optimizer.engine import ProgramEngine, prepare
from germline.evaluators.optimizer.trainer import train
from germline.evaluators.policy.networks.backend import networks_of
from germline.evaluators.policy.networks.stacked import StackedPolicies
from germline.evaluators.task import Rung
from germline.evaluators.tasks.registry import task_class
from germline.programs.architecture.cells import SPACES
from germline.programs.architecture.genome import Architecture
from germline.programs.architecture.skeleton import Skeleton
from germline.programs.architecture.space import ArchitectureSpace
from germline.programs.optimizer import Program, library, parse
from germline.programs.optimizer import write as write_program
from germline.programs.optimizer.flat import Layout
from germline.programs.policy.genome import Policy
from germline.programs.policy.genome import write as write_policy
from germline.programs.policy.network import Network, Normalisation
from germline.programs.policy.parameters import initial_parameters

SMALL_LAYOUT = Layout(((6, 4), (5,), (), (3, 2, 2)))
SKELETON = Skeleton(8, 3, 10, (1, 8, 8))
TRAINING = ("digits-mlp", "mnist5k-conv", "text-transformer")
POLICY_NETWORKS = {
    "conv": Network("conv", (4, 84, 84), 18),
    "conv, valid": Network("conv", (2, 40, 44), 5, padding="valid"),
    "tanh": Network("mlp", (7,), 3, (16, 8)),
    "relu": Network("mlp", (7,), 3, (16,), "relu"),
    "normalised": Network("mlp", (7,), 3, (16,), normalisation=Normalisation((0.5,) * 7, (2.0,) * 7)),
}

COMPILING = {
    "engine": "from germline.evaluators.optimizer.engine import prepare; prepare('cpu')",
    "models": "import device_checks as d; d.trained('text-transformer', 1, 1, 'cpu')",
    "networks": "import device_checks as d; d.network_losses(d.drawn(1), 1, 'cpu', stacked=False)",
    "policies": "import device_checks as d; [d.outputs(name, 1, 1, 'cpu', False) for name in d.POLICY_NETWORKS]",
    "maze": "import device_checks as d; d.maze_returns('cpu', 1, 1)",
}
"""Programs that compile what the CPU's side of the checks needs, each in a process of its own."""


def compile_kernels(device: str, apart: bool) -> dict[str, Any]:
    """Compiles the kernel of the device here and, if `apart`, those of the CPU in processes beside this one."""
    paths = os.pathsep.join([str(ROOT / "tests" / "device"), os.environ["PYTHONPATH"]])
    environment = {**os.environ, "PYTHONPATH": paths}
    began, ended = time.monotonic(), {}
    processes = {
        name: subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.PIPE, text=True)
        for name, code in COMPILING.items()
        if apart
    }
    prepare(device)
    seconds = {"device": time.monotonic() - began}
    for name, process in processes.items():
        _, error = process.communicate()
        seconds[name] = time.monotonic() - began
        if process.returncode:
            ended[name] = error.strip().splitlines()[-1:]
    summary = f"compiled in {max(seconds.values()):.0f} s" + (f", but not {', '.join(ended)}" if ended else "")
    return {"passed": not ended, "summary": summary, "compiled_after": seconds, "errors": ended}


def engine_bits(device: str, count: int) -> dict[str, Any]:
    """Checks that three steps of real and random programs give the bits of the CPU's engine, also when repeated."""
    pool = [*map(parse, library().values()), *candidate_steps.programs(count)]
    pool += [*mutants(count, 6), *mutants(count, 7, "extended")]
    digits = Layout(tuple(spec.shape for spec in task_class("digits-mlp").parameters))
    differing: list[str] = []
    rows, repeated, errors = 0, True, []
    for layout in (SMALL_LAYOUT, digits):
        here, there, again = (_stepped(pool, layout, where) for where in ("cpu", device, device))
        compiled = there[1]
        equal = same(here[0], there[0]).all(1)
        rows += compiled
        differing += [write_program(pool[here[2][row]]) for row in (~equal[:compiled]).nonzero().flatten().tolist()]
        repeated &= bool(same(there[0], again[0]).all())
        errors += _relative_errors(there[0][compiled:], here[0][compiled:])
    matrix = median(errors) if errors else 0.0
    return {
        "passed": not differing and repeated,
        "summary": f"{rows - len(differing)} of {rows} rows have the CPU's bits; the same again: {repeated}",
        "rows_compared": rows,
        "differing": len(differing),
        "programs_that_differ": differing[:10],
        "same_again": repeated,
        "matrix_programs_median_error": matrix,
    }


def _stepped(pool: Sequence[Program], layout: Layout, device: str) -> tuple[Tensor, int, Sequence[int]]:
    """Three steps of programs: parameters `[rows, elements]`, how many rows are compiled, and the program of each row.

    The compiled rows come first. A program is its index in `pool`.
    """
    engine = ProgramEngine(pool, layout, device)
    numbers = torch.Generator().manual_seed(1)
    engine.parameters.copy_(0.5 * torch.randn(layout.elements, generator=numbers).expand(len(pool), -1))
    for step in (1, 2, 3):
        engine.gradients.copy_(0.5 * torch.randn(layout.elements, generator=numbers).expand(len(pool), -1))
        engine.step(1.0 / step, step)
    return engine.parameters.cpu(), engine.compiled_rows, engine.order


def _relative_errors(actual: Tensor, expected: Tensor) -> list[float]:
    """Norm of the difference of each row relative to that of the row, where it is finite."""
    errors = (actual - expected).norm(dim=1) / expected.norm(dim=1)
    return [error for error in errors.tolist() if np.isfinite(error)]


def trainers(device: str, count: int, steps: int) -> dict[str, Any]:
    """Checks that losses after a short training are near the CPU's, and equal when the device trains again."""
    results: dict[str, Any] = {}
    for name in TRAINING:
        here, there, again = (trained(name, count, steps, where) for where in ("cpu", device, device))
        pairs = [(a, b) for a, b in zip(here, there, strict=True) if a is not None and b is not None]
        errors = sorted(abs(a - b) / abs(a) for a, b in pairs)
        results[name] = {
            "median_error": median(errors),
            "close": sum(error < 1e-3 for error in errors) / count,
            "both_diverged": sum(a is None and b is None for a, b in zip(here, there, strict=True)) / count,
            "same_again": there == again,
        }
    good = all(each["close"] + each["both_diverged"] >= 0.9 and each["same_again"] for each in results.values())
    errors = ", ".join(f"{name} {each['median_error']:.0e}" for name, each in results.items())
    return {"passed": good, "summary": f"median relative error {errors}", "tasks": results}


def trained(name: str, count: int, steps: int, device: str) -> list[float | None]:
    """The loss of each of `count` programs after a training on task `name`; None if it diverged."""
    task, rung = task_class(name)(device), Rung(steps, task_class(name).rungs[0].batch)
    results = train(task, candidate_steps.programs(count), rung, (0,), device)
    return [result.measures["loss"] if result.measures else None for result in results]


def drawn(count: int, skeleton: Skeleton = SKELETON) -> list[Architecture]:
    rng = np.random.default_rng(0)
    space = ArchitectureSpace(SPACES["eeea-paper"], skeleton)
    return [space.draw(rng).genome for _ in range(count)]


def networks(device: str, count: int, steps: int) -> dict[str, Any]:
    """Checks that losses of stacked networks are near those of the CPU's compiled networks, and equal when repeated."""
    architectures = drawn(count)
    here = network_losses(architectures, steps, "cpu", stacked=False)
    there, again = (network_losses(architectures, steps, device, stacked=True) for _ in range(2))
    error, repeated = float(((there - here).abs() / here.abs()).max()), bool((there == again).all())
    summary = f"largest relative error of a loss {error:.1e}; the same again: {repeated}"
    return {"passed": error < 1e-2 and repeated, "summary": summary, "error": error, "same_again": repeated}


def network_losses(architectures: Sequence[Architecture], steps: int, device: str, stacked: bool) -> Tensor:
    """The loss of each network in each step of a training, `[steps, networks]`."""
    together = initial_networks(architectures, SKELETON, 3, device, stacked)
    numbers = torch.Generator().manual_seed(0)
    losses = []
    for _ in range(steps):
        images = torch.rand(64, 1, 8, 8, generator=numbers).to(device)
        labels = torch.randint(0, 10, (64,), generator=numbers).to(device)
        losses.append(together.step(images, labels, RATE, MOMENTUM, DECAY, MAX_GRADIENT_NORM).cpu())
    return torch.stack(losses)


def policies(device: str, count: int, rows: int, maze_policies: int, decisions: int) -> dict[str, Any]:
    """Checks outputs of networks, and returns of whole episodes in a maze, against those of the CPU."""
    unequal = {}
    for name in POLICY_NETWORKS:
        here, there = outputs(name, count, rows, "cpu", False), outputs(name, count, rows, device, True)
        unequal[name] = float((here != there).mean())
    here, there = (maze_returns(where, maze_policies, decisions) for where in ("cpu", device))
    differing = sum(a != b for a, b in zip(here, there, strict=True))
    return {
        "passed": max(unequal.values()) < 1e-3 and differing <= len(here) / 20,
        "summary": f"outputs with other bits {max(unequal.values()):.1e}; other returns {differing} of {len(here)}",
        "unequal": unequal,
        "differing_returns": differing,
    }


def outputs(name: str, count: int, rows: int, device: str, stacked: bool) -> np.ndarray:
    """Outputs, float32 `[rows, outputs]`, for random observations, each of one of `count` policies at random."""
    network, rng = POLICY_NETWORKS[name], np.random.default_rng(1)
    parameters = [initial_parameters(network, seed) for seed in range(count)]
    which = rng.integers(0, count, rows)
    if network.form == "conv":
        observations = rng.integers(0, 256, (rows, *network.observation), dtype=np.uint8)
    else:
        observations = rng.normal(size=(rows, *network.observation))
    backend: Callable[..., Any] = StackedPolicies if stacked else networks_of
    result: np.ndarray = backend(network, parameters, device).forward(which, observations)
    return result


def maze_returns(device: str, count: int, decisions: int) -> list[float | None]:
    """Returns of random policies in the maze, whose perceptrons compute on the device."""
    evaluator = EvaluatorSpec("policy", "hard-maze", 1, device, {"steps": decisions}).build()
    network = Network("mlp", evaluator.spec.observation, evaluator.spec.actions, (16,))
    genomes = [write_policy(Policy(network, seed)) for seed in range(count)]
    try:
        return [outcome.fitness for outcome in evaluator.score(genomes, 0, 0)]
    finally:
        evaluator.close()
