"""Closed-form counts against building the network, and NSGA-II's selection against pymoo's where that is installed.

The baseline of the counts is what EEEA-Net does for every draw of its first generation: the full network is built, and
its parameters are counted.
"""

import time
from collections.abc import Callable
from importlib.util import find_spec
from statistics import median

import numpy as np

from germline.programs.architecture.cells import FULL, SPACES
from germline.programs.architecture.counts import count
from germline.programs.architecture.network import Network
from germline.programs.architecture.space import ArchitectureSpace
from germline.search import pareto

GENOMES = 20
ROUNDS = 5


def seconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def counts() -> dict[str, object]:
    space = ArchitectureSpace(SPACES["eeea"], FULL)
    rng = np.random.default_rng(0)
    genomes = [space.draw(rng).genome for _ in range(GENOMES)]
    built = median(seconds(lambda one=one: sum(p.numel() for p in Network(one, FULL).parameters())) for one in genomes)
    closed = median(seconds(lambda: [count(one, FULL) for one in genomes]) for _ in range(ROUNDS)) / GENOMES
    return {
        "name": "counts/eeea-20-cells",
        "value": 1 / closed,
        "unit": "architectures/s",
        "baseline": "building the network and counting its parameters",
        "ratio": built / closed,
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
    return [counts(), *([selection(2), selection(3)] if find_spec("pymoo") else [])]
