"""Every scenario, with the number of its cases in the suite and in `make reliability`."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import candidates
import chaos
import genomes
import kills
import local_ray
import nodes
from result import Result


@dataclass(frozen=True)
class Scenario:
    """A scenario and its counts.

    Attributes:
        name: by which the runner and the suite call it.
        run: the scenario, called with a count and an empty folder.
        short: count in the suite, for some seconds.
        full: count that the contract asks for.
    """

    name: str
    run: Callable[[int, Path], Result]
    short: int
    full: int


SCENARIOS = (
    Scenario("kills-inline", kills.killed_at_random, 4, 100),
    Scenario("kills-ray", partial(kills.killed_at_random, workers=2), 2, 100),
    Scenario("kills-at-points", kills.killed_at_points, 5, 126),
    Scenario("cut-and-resumed", kills.cut_and_resumed, 1, 27),
    Scenario("whole-tree-terminated", kills.whole_tree_terminated, 1, 20),
    Scenario("interrupted", kills.interrupted, 2, 40),
    Scenario("workers-killed", chaos.workers_killed, 1, 20),
    Scenario("ray-killed", chaos.ray_killed, 1, 10),
    Scenario("local-ray", local_ray.listening, 3, 9),
    Scenario("node-killed", nodes.node_killed, 1, 10),
    Scenario("head-killed", nodes.head_killed, 1, 4),
    Scenario("bad-candidates", candidates.bad_candidates, 4, 13),
    Scenario("mutants", genomes.bred_and_read_back, 10_000, 1_000_000),
    Scenario("damaged-genomes", genomes.damaged, 2_000, 100_000),
    Scenario("equal-fingerprints", genomes.equal_fingerprints, 1_200, 100_000),
    Scenario("exported-programs", genomes.exported, 20, 1_000),
)
