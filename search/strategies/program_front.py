"""NSGA-II over optimizer programs: fitness, gains on each task, program size and state memory compete.

Survivors are chosen as by `NSGA2`; children are made as in aging evolution, of parents that win a tournament by their
place among the survivors. What is not in an outcome follows from the program, so any run could be sorted like that.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from germline.db.records import EvaluationRecord, RunRecord
from germline.evaluators.hurdle import Limit, limit_passing
from germline.evaluators.outcome import Outcome
from germline.programs.optimizer import parse, trace
from germline.programs.optimizer.graph import live_program
from germline.programs.optimizer.space import OptimizerSpace
from germline.search import pareto
from germline.search.individual import Proposal, RngFor, Scored
from germline.search.strategies.aging import AgingEvolution, AgingState, Member
from germline.search.strategies.nsga2 import NSGA2, NSGA2State

OBJECTIVES = ("fitness", "tasks", "statements", "memory")
"""What may compete: the fitness, the gain on each of several tasks, the number of live statements, and the number of
live states as large as the parameters."""


class ProgramFront(NSGA2):
    """NSGA-II over programs that descend from a start program.

    Args:
        space: the space of the programs.
        names: those of `OBJECTIVES` that compete.
        children: makes the children; its population, restarts and hurdle are not used.
        population: number of individuals that survive a block.
        passing: share of the population whose loss at the hurdle is within the threshold for a child; 1: no hurdle.
    """

    def __init__(
        self,
        space: OptimizerSpace,
        names: Sequence[str],
        children: AgingEvolution,
        population: int,
        passing: float = 1.0,
    ) -> None:
        crossing: Any = space  # only the `breed` of NSGA2 crosses genomes
        super().__init__(crossing, (), population, crossover=0.0, passing=passing)
        self.names = tuple(names)
        self.children = children

    def breed(self, state: NSGA2State, birth: int, rng_for: RngFor) -> Proposal:
        if not state.population:
            return self.children.breed(self.children.init(), birth, rng_for)
        # The earlier in the population, the higher the rank in a tournament.
        living = tuple(Member(scored.individual, -place) for place, scored in enumerate(state.population))
        return self.children.breed(AgingState(living, None, None, None, gained=0), birth, rng_for)

    def limit(self, state: NSGA2State) -> Limit | None:
        if self.passing >= 1 or len(state.population) < self.population:
            return None
        losses = [scored.outcome.measures.get("hurdle", math.inf) for scored in state.population]
        return limit_passing(losses, self.passing)

    def points(self, individuals: Sequence[Scored]) -> pareto.Points:
        return program_points([(scored.individual.genome, scored.outcome) for scored in individuals], self.names)


def front_names(run: RunRecord) -> tuple[str, ...]:
    """Those of `OBJECTIVES` that compete in a run; empty for a run with another strategy."""
    settings = run.config.get("settings", {})
    return tuple(settings["front"]) if settings.get("strategy") == "front" and run.kind == "optimizer" else ()


def program_points(programs: Sequence[tuple[str, Outcome | EvaluationRecord]], names: Sequence[str]) -> pareto.Points:
    """Objectives of programs, all to be minimised: a row for each program.

    Args:
        programs: the text and the ok outcome of each.
        names: of `OBJECTIVES`, in the order of the columns; `tasks` has a column for each task.
    """
    return np.array([_point(text, outcome, names) for text, outcome in programs], np.float64).reshape(len(programs), -1)


def _point(text: str, outcome: Outcome | EvaluationRecord, names: Sequence[str]) -> list[float]:
    statements, memory = sizes(text)
    values: dict[str, list[float]] = {
        "fitness": [-(outcome.fitness or 0.0)],
        "tasks": [-outcome.measures[name] for name in sorted(outcome.measures) if name.endswith(":gain")],
        "statements": [statements],
        "memory": [memory],
    }
    return [value for name in names for value in values[name]]


@lru_cache(maxsize=4096)
def sizes(text: str) -> tuple[int, int]:
    """Live statements of a program, and live states as large as the parameters."""
    program = parse(text)
    graph = trace(program)
    return len(graph.live_statements), live_program(program, graph).large_states
