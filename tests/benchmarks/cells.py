"""Closed-form counts against building the network, compiled networks against stacked ones on the CPU, and NSGA-II's
selection against pymoo's where that is installed.

The baseline of the counts is what EEEA-Net does for every draw of its first generation: the full network is built, and
its parameters are counted. The baseline of the compiled networks is the form that other devices use: equal layers of
different networks in one torch call.
"""

import time
from collections.abc import Callable
from importlib.util import find_spec
from statistics import median

import numpy as np
import torch

from germline.evaluators.architecture.trainer import (
    DECAY,
    MAX_GRADIENT_NORM,
    MOMENTUM,
    RATE,
    Networks,
    initial_networks,
)
from germline.evaluators.memory import keep_freed_memory
from germline.programs.architecture.cells import FULL, SPACES
from germline.programs.architecture.counts import count
from germline.programs.architecture.network import Network
from germline.programs.architecture.skeleton import Skeleton
from germline.programs.architecture.space import ArchitectureSpace
from germline.search import pareto

GENOMES = 20
ROUNDS = 5
TRAINING_ROUNDS = 3


def seconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def counts() -> dict[str, object]:
    space = ArchitectureSpace(SPACES["eeea"], FULL)
    rng = np.random.default_rng(0)
    genomes = [space.draw(rng).genome for _ in range(GENOMES)]
    built = median(
        seconds(lambda genome=genome: sum(p.numel() for p in Network(genome, FULL).parameters())) for genome in genomes
    )
    closed = median(seconds(lambda: [count(genome, FULL) for genome in genomes]) for _ in range(ROUNDS)) / GENOMES
    return {
        "name": "counts/eeea-20-cells",
        "value": 1 / closed,
        "unit": "architectures/s",
        "baseline": "building the network and counting its parameters",
        "ratio": built / closed,
    }


def training(name: str, skeleton: Skeleton, networks_at_once: int, batch: int, steps: int) -> dict[str, object]:
    """Steps of the compiled form against the same steps of the stacked form, in turns, by CPU time."""
    space = ArchitectureSpace(SPACES["eeea-paper"], skeleton)
    rng = np.random.default_rng(0)
    architectures = [space.draw(rng).genome for _ in range(networks_at_once)]
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(batch, *skeleton.image, generator=generator)
    labels = torch.randint(0, skeleton.classes, (batch,), generator=generator)
    keep_freed_memory()
    forms = [initial_networks(architectures, skeleton, 0, stacked=stacked) for stacked in (False, True)]

    def cpu_seconds(form: Networks) -> float:
        began = time.process_time()
        for _ in range(steps):
            form.step(images, labels, RATE, MOMENTUM, DECAY, MAX_GRADIENT_NORM)
        return (time.process_time() - began) / steps

    # The first round compiles, or reads what is compiled.
    rounds = [[cpu_seconds(form) for form in forms] for _ in range(TRAINING_ROUNDS + 1)][1:]
    compiled, stacked = (median(side) for side in zip(*rounds, strict=True))
    return {
        "name": f"compiled-networks/{name}",
        "value": networks_at_once / compiled,
        "unit": "candidate-steps/CPU-s",
        "baseline": "stacked, same process",
        "ratio": stacked / compiled,
    }


def selection(objectives: int) -> dict[str, object]:
    from pymoo.core.population import Population
    from pymoo.core.problem import Problem
    from pymoo.operators.survival.rank_and_crowding import RankAndCrowding

    points = np.random.default_rng(0).random((2000, objectives))
    population = Population.new("X", np.zeros((2000, 1)), "F", points)
    problem, theirs = Problem(n_var=1, n_obj=objectives), RankAndCrowding()
    pareto.survivors(points, 1000)
    rounds = [
        (
            seconds(lambda: pareto.survivors(points, 1000)),
            seconds(lambda: theirs.do(problem, population, n_survive=1000)),
        )
        for _ in range(3 * ROUNDS)
    ]
    ours, other = (median(side) for side in zip(*rounds, strict=True))
    return {
        "name": f"nsga2-selection/{objectives}-objectives",
        "value": 1 / ours,
        "unit": "selections/s, 2,000 to 1,000",
        "baseline": "pymoo",
        "ratio": other / ours,
    }


def rows() -> list[dict[str, object]]:
    trainings = [
        training("quick-16", Skeleton(8, 3, 10, (1, 8, 8)), 16, 64, 5),
        training("mnist5k-16", Skeleton(8, 3, 10, (1, 28, 28)), 16, 64, 1),
        training("proxy-2", Skeleton(16, 8, 10, (3, 32, 32)), 2, 128, 1),
    ]
    return [counts(), *trainings, *([selection(2), selection(3)] if find_spec("pymoo") else [])]
