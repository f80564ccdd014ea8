"""The strategies of searches for optimizers, each made from the settings and the space of a run."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from germline.programs.optimizer import InvalidProgram, Program, parse
from germline.programs.optimizer.space import OptimizerSpace
from germline.search.settings import BadSetting
from germline.search.strategies.aging import AgingEvolution, Donors
from germline.search.strategies.constant_tuning import ConstantTuning
from germline.search.strategies.funnel import Funnel
from germline.search.strategies.islands import Islands
from germline.search.strategies.program_front import ProgramFront
from germline.search.strategies.random_search import RandomSearch
from germline.search.strategy import Strategy

if TYPE_CHECKING:
    from germline.search.kinds.optimizer import OptimizerSettings

OPERATORS = ("insert", "delete", "modify", "tune", "rate", "replace", "idiom", "graft", "cross")
PAIR_OPERATORS = ("graft", "cross")
"""Those of `OPERATORS` that take two programs."""
CONSTANTS_ONLY = {"tune": 1.0}


def _random(settings: "OptimizerSettings", space: OptimizerSpace) -> Strategy[Any]:
    """Random search.

    Raises:
        BadSetting: no random program has the signature of the start program.
    """
    if settings.tune_every:
        raise BadSetting(f"expected tune_every=0 for random search, got {settings.tune_every}: it tunes no constants")
    try:
        space.draw(np.random.default_rng(0))  # now, rather than in the middle of a run
    except InvalidProgram as invalid:
        raise BadSetting(str(invalid)) from None
    return RandomSearch(space, space.start)


def _constants(settings: "OptimizerSettings", space: OptimizerSpace) -> Strategy[Any]:
    aging = AgingEvolution(
        space,
        space.start,
        population=settings.population,
        tournament=settings.tournament,
        operators=CONSTANTS_ONLY,
        patience=settings.patience,
        restart=settings.restart,
        passing=_passing(settings),
    )
    return _reviewed(_tuned(aging, settings, space), settings)


def _aging(settings: "OptimizerSettings", space: OptimizerSpace) -> Strategy[Any]:
    return _reviewed(_tuned(_evolution(settings, space, space.start), settings, space), settings)


def _islands(settings: "OptimizerSettings", space: OptimizerSpace) -> Strategy[Any]:
    starts = [space.start, *(parse(text) for text in (settings.island_programs or {}).values())]
    islands = [_evolution(settings, space, start, birth) for birth, start in enumerate(starts)]
    return _reviewed(_tuned(Islands(islands, settings.migrate_every), settings, space), settings)


def _front(settings: "OptimizerSettings", space: OptimizerSpace) -> Strategy[Any]:
    if len(set(settings.front) - {"tasks"}) + ("tasks" in settings.front) * 2 < 2:
        raise BadSetting(f"expected at least two objectives for strategy=front, got front={','.join(settings.front)}")
    children = _evolution(settings, space, space.start)
    front = ProgramFront(space, settings.front, children, settings.population, _passing(settings))
    return _reviewed(_tuned(front, settings, space), settings)


def _tuned(strategy: Strategy[Any], settings: "OptimizerSettings", space: OptimizerSpace) -> Strategy[Any]:
    """The strategy with the tuning of constants by a numeric search, if the settings ask for it."""
    if not settings.tune_every:
        return strategy
    places = settings.depth + 1
    return ConstantTuning(space, strategy, settings.tune_every, settings.tune_generations, settings.block, places)


def _evolution(
    settings: "OptimizerSettings", space: OptimizerSpace, start: Program, seed_birth: int = 0
) -> AgingEvolution:
    return AgingEvolution(
        space,
        start,
        population=settings.population,
        tournament=settings.tournament,
        operators=settings.operators,
        warmup=settings.warmup,
        warmup_operators=CONSTANTS_ONLY,
        variants=settings.litter,
        sibling_operators=settings.siblings,
        patience=settings.patience,
        restart=settings.restart,
        passing=_passing(settings),
        pair_operators=PAIR_OPERATORS,
        donors=_donors(settings),
        seed_birth=seed_birth,
    )


def _donors(settings: "OptimizerSettings") -> Sequence[Donors]:
    """The sources of donors: a source for each name in the setting."""
    programs = {name: parse(text) for name, text in (settings.donor_programs or {}).items()}
    sources: list[Donors] = []
    for name in settings.donors:
        if name == "population":
            sources.append("population")
        else:
            sources.append(programs if name == "library" else {name: programs[name]})
    return sources


def _reviewed(strategy: Strategy[Any], settings: "OptimizerSettings") -> Strategy[Any]:
    """The strategy with reviews of its best individuals, if the settings ask for reviews."""
    if not settings.review_every:
        return strategy
    return Funnel(strategy, settings.review_rung, settings.review_every, settings.review_seeds)


def _passing(settings: "OptimizerSettings") -> float:
    task_hurdle = settings.references is not None and settings.task_hurdle is not None
    return settings.passing if settings.hurdle or task_hurdle else 1.0


STRATEGIES: Mapping[str, Callable[["OptimizerSettings", OptimizerSpace], Strategy[Any]]] = {
    "aging": _aging,
    "islands": _islands,
    "front": _front,
    "random": _random,
    "constants": _constants,
}
