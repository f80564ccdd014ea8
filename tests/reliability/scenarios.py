"""Every scenario, with the number of its cases in the suite and in `make reliability`."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import candidates
import chaos
import databases
import disks
import genomes
import kills
import local_ray
import locks
import nodes
import scale
import servers
import texts
from result import Result


@dataclass(frozen=True)
class Scenario:
    """A scenario and its counts.

    Attributes:
        name: by which the runner and the suite call it.
        run: the scenario, called with a count and an empty folder.
        short: count in the suite, for some seconds; 0 if another test of the suite does the same, or its
            time limits ask for a machine that does nothing else.
        full: count in `make reliability`.
    """

    name: str
    run: Callable[[int, Path], Result]
    short: int
    full: int


SCENARIOS = (
    Scenario("kills-inline", kills.killed_at_random, 1, 100),
    Scenario("kills-ray", partial(kills.killed_at_random, workers=2), 1, 100),
    Scenario("kills-at-points", kills.killed_at_points, 1, 42),
    Scenario("cut-and-resumed", kills.cut_and_resumed, 1, 27),
    Scenario("whole-tree-terminated", kills.whole_tree_terminated, 1, 20),
    Scenario("interrupted", kills.interrupted, 1, 20),
    Scenario("workers-killed", chaos.workers_killed, 0, 20),
    Scenario("ray-killed", chaos.ray_killed, 1, 10),
    Scenario("local-ray", local_ray.listening, 0, 9),
    Scenario("node-killed", nodes.node_killed, 0, 10),
    Scenario("head-killed", nodes.head_killed, 0, 4),
    Scenario("bad-candidates", candidates.bad_candidates, 0, 13),
    Scenario("mutants", genomes.bred_and_read_back, 0, 1_000_000),
    Scenario("damaged-genomes", genomes.damaged, 2_000, 100_000),
    Scenario("hostile-texts", texts.hostile_texts, 0, 2_100),
    Scenario("equal-fingerprints", genomes.equal_fingerprints, 0, 100_000),
    Scenario("exported-programs", genomes.exported, 8, 1_000),
    Scenario("kills-on-postgres", servers.killed_on_postgres, 1, 20),
    Scenario("writers", locks.sixteen_writers, 32, 8_000),
    Scenario("held-locks", locks.held_locks, 1, 30),
    Scenario("odd-paths", disks.any_path, 30, 1_000),
    Scenario("refused-places", disks.refused, 6, 63),
    Scenario("full-disks", disks.full_disks, 1, 20),
    Scenario("many-individuals", scale.many_individuals, 0, 1_000_000),
    Scenario("released-schemas", databases.released_schemas, 8, 8),
    Scenario("hostile-schemas", databases.hostile_schemas, 40, 160),
    Scenario("damaged-databases", databases.damaged_databases, 70, 10_000),
)
