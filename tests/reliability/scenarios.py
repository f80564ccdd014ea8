"""Every scenario, with the number of its cases in the suite and in `make reliability`."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import kills
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
)
