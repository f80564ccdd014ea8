"""Networks that have learnt nothing: they are on a front, being small, and a search does not hand them over."""

from collections.abc import Callable
from typing import Any

import pytest

from germline.evaluators.outcome import Objective, Outcome
from germline.evaluators.tasks.image_cells import DigitsCells
from germline.evaluators.tasks.nb201 import CIFAR10Cells
from germline.programs.architecture.cells import SPACES
from germline.programs.architecture.space import ArchitectureSpace
from germline.search.individual import Individual, Scored
from germline.search.strategies.nsga2 import NSGA2, NSGA2State
from germline.search.strategies.pareto_local import ParetoLocalSearch, ParetoLocalState
from germline.search.strategy import Strategy

SPACE = ArchitectureSpace(SPACES["nb201"], SPACES["nb201"].skeleton)
OBJECTIVES = (Objective("validation_error", "min"), Objective("params", "min"))


def scored(birth: int, error: float, params: float) -> Scored:
    individual = Individual(birth, 0, (), "random", str(birth), str(birth))
    return Scored(individual, Outcome("ok", -error, {"validation_error": error, "params": params}))


FRONT = (scored(0, 0.0, 9.0), scored(1, 30.0, 8.5), scored(2, 49.0, 1.0), scored(3, 90.0, 0.9))


def nsga2(chance_error: float | None) -> tuple[Strategy[Any], Any]:
    return NSGA2(SPACE, OBJECTIVES, 3, 0.9, chance_error=chance_error), NSGA2State(FRONT, len(FRONT))


def pareto_local(chance_error: float | None) -> tuple[Strategy[Any], Any]:
    return ParetoLocalSearch(SPACE, OBJECTIVES, 3, chance_error), ParetoLocalState(FRONT)


@pytest.mark.parametrize("search", [nsga2, pareto_local])
@pytest.mark.parametrize(("chance_error", "birth"), [(None, 2), (91.0, 2), (50.0, 0), (49.0, 0), (0.0, 2)])
def test_the_winner_beats_chance_if_any_individual_does(
    search: Callable[[float | None], tuple[Strategy[Any], Any]], chance_error: float | None, birth: int
) -> None:
    strategy, state = search(chance_error)
    winner = strategy.winner(state)
    assert winner is not None and winner.birth == birth


def test_the_error_of_one_class_follows_from_the_labels() -> None:
    labels = DigitsCells().part("validation")[1]
    most = max(int((labels == digit).sum()) for digit in range(10))
    assert DigitsCells.chance_error() == pytest.approx(100 * (1 - most / len(labels)))
    assert CIFAR10Cells.chance_error() == pytest.approx(90.0)
