"""The strategies of searches for optimizers, each made from the settings and the space of a run, and these settings.

They share a file because each needs the other: a factory takes the settings, and the settings list the strategies.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np

from germline.programs.optimizer import InvalidProgram, Program, library, parse
from germline.programs.optimizer.idioms import IDIOMS
from germline.programs.optimizer.primitives import FUNCTION_SETS
from germline.programs.optimizer.space import OptimizerSpace
from germline.search.proposers.names import operator_weights
from germline.search.proposers.settings import LanguageModelSettings
from germline.search.settings import BadSetting, setting
from germline.search.strategies.aging import AgingEvolution, DonorSource, Restart
from germline.search.strategies.constant_tuning import ConstantTuning
from germline.search.strategies.funnel import Funnel
from germline.search.strategies.islands import Islands
from germline.search.strategies.program_front import OBJECTIVES, ProgramFront
from germline.search.strategies.random_search import RandomSearch
from germline.search.strategy import Strategy
from germline.search.value_parsers import (
    any_text,
    choice,
    names,
    positive,
    positive_or_off,
    positives,
    share,
    weights,
    whole,
)

OPERATORS = ("insert", "delete", "modify", "tune", "rate", "replace", "wrap", "unwrap", "idiom", "graft", "cross")
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
    return _reviewed(_with_tuned_constants(aging, settings, space), settings)


def _aging(settings: "OptimizerSettings", space: OptimizerSpace) -> Strategy[Any]:
    return _reviewed(_with_tuned_constants(_evolution(settings, space, space.start), settings, space), settings)


def _islands(settings: "OptimizerSettings", space: OptimizerSpace) -> Strategy[Any]:
    starts = [space.start, *(parse(text) for text in (settings.island_programs or {}).values())]
    islands = [_evolution(settings, space, start, birth, len(starts)) for birth, start in enumerate(starts)]
    return _reviewed(_with_tuned_constants(Islands(islands, settings.migrate_every), settings, space), settings)


def _front(settings: "OptimizerSettings", space: OptimizerSpace) -> Strategy[Any]:
    if len(set(settings.front) - {"tasks"}) + ("tasks" in settings.front) * 2 < 2:
        raise BadSetting(f"expected at least two objectives for strategy=front, got front={','.join(settings.front)}")
    children = _evolution(settings, space, space.start)
    front = ProgramFront(space, settings.front, children, settings.population, _passing(settings))
    return _reviewed(_with_tuned_constants(front, settings, space), settings)


def _with_tuned_constants(
    strategy: Strategy[Any], settings: "OptimizerSettings", space: OptimizerSpace
) -> Strategy[Any]:
    """The strategy with the tuning of constants by a numeric search, if the settings ask for it."""
    if not settings.tune_every:
        return strategy
    places = settings.depth + 1
    return ConstantTuning(space, strategy, settings.tune_every, settings.tune_generations, settings.block, places)


def _evolution(
    settings: "OptimizerSettings", space: OptimizerSpace, start: Program, seed_birth: int = 0, starts: int = 1
) -> AgingEvolution:
    return AgingEvolution(
        space,
        start,
        population=settings.population,
        tournament=settings.tournament,
        operators={name: weight for name, weight in settings.operators.items() if name in OPERATORS},
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
        starts=starts,
    )


def _donors(settings: "OptimizerSettings") -> Sequence[DonorSource]:
    """The sources of donors: a source for each name in the setting."""
    programs = {name: parse(text) for name, text in (settings.donor_programs or {}).items()}
    sources: list[DonorSource] = []
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


@dataclass(frozen=True, slots=True)
class OptimizerSettings(LanguageModelSettings):
    """Settings of a search for optimizers. `start` is a name or a file until the run is created, then the program.

    `--set` does not take `donor_programs` and `island_programs`: the texts of the library programs that are donors, and
    of those that islands start from, by name; None until the run is created, and if there are none. Nor does it take
    `references`: the data of the `Reference` of each of several tasks; None for a single task.
    """

    strategy: str = setting("aging", choice(*STRATEGIES), f"search strategy: {', '.join(STRATEGIES)}")
    start: str = setting("adamw_plain", any_text, "start program: a name of the library, or a file")
    functions: str = setting(
        "core",
        choice(*FUNCTION_SETS),
        "functions of programs: core (the paper's), extended (also conditions, matrices), or whitening (also roots)",
    )
    keep_size: Literal["on", "off"] = setting(
        "off",
        choice("on", "off"),
        "on: a child of another structure gets a rate that makes its updates about as large as those of its parent",
    )
    max_statements: int = setting(100, whole(1), "most statements of a program; no operator adds more")
    max_states: int = setting(8, whole(0, 100), "most states of a program; no operator adds more")
    population: int = setting(300, whole(2), "individuals that live at a time")
    tournament: int = setting(3, whole(1), "individuals drawn to find a parent")
    front: Sequence[str] = setting(
        ["fitness", "statements"],
        names(*OBJECTIVES),
        f"strategy front: what competes, out of {', '.join(OBJECTIVES)} (tasks: the gain on each of several tasks)",
    )
    operators: Mapping[str, float] = setting(
        {"insert": 1.0, "delete": 1.0, "modify": 1.0},
        operator_weights(*OPERATORS),
        "relative weights of the operators; llm, FILE.py:function and installed ones with their share of the births",
        operator_weights(*OPERATORS, recorded=True),
    )
    idioms: Sequence[str] = setting(
        list(IDIOMS),
        names(*IDIOMS),
        "operator idiom: the idioms that it draws from; those that need other functions are left out",
    )
    donors: Sequence[str] = setting(
        ["population"],
        names("population", "library", *library()),
        "operators graft and cross: second programs, of the population, the library, or library programs by name",
    )
    islands: Sequence[str] = setting(
        [],
        names(*library(), none=True),
        "strategy islands: library programs that further populations start from, beside the one of start",
    )
    migrate_every: int = setting(
        1000, whole(1), "strategy islands: births between two migrations of each island's best to the next"
    )
    warmup: int = setting(0, whole(), "number of first births that tune constants only")
    litter: int = setting(
        1, whole(1), "births in a batch of variants: a new structure, and siblings with other constants"
    )
    siblings: Mapping[str, float] = setting(
        {"tune": 1.0, "rate": 1.0},
        weights("tune", "rate"),
        "weights of the operators that make the siblings of a batch (litter)",
    )
    tune_every: int = setting(
        0,
        whole(),
        "every so many births, one tunes constants of the best structures by a search; 0: none (not for random)",
    )
    tune_generations: int = setting(
        12, whole(1), "generations in which a structure is tuned; each has block / tune_every births"
    )
    patience: int = setting(0, whole(), "births without a gain before a restart; 0: never")
    restart: Restart = setting(
        "best",
        choice("start", "best", "alternate"),
        "genome after a restart: start, best, or alternate (best and start in turn)",
    )
    lengths: Sequence[float] = setting(
        [1.0], positives, "replicates: multiples of the rung's steps, a training for each; their mean counts"
    )
    hurdle: float = setting(
        0.0,
        share,
        "early stopping: share of the training after which the worst programs are dropped; 0: never (not for random)",
    )
    passing: float = setting(
        0.75, share, "early stopping: the threshold is the loss that this share of the population has at most"
    )
    task_hurdle: float | None = setting(
        cast("float | None", 1.0),
        positive_or_off,
        "several tasks: a program sees no dearer task if its gain is lower by this than passing of the population have",
    )
    review_rung: int = setting(1, whole(1), "rung of a review, longer than rung 0")
    review_seeds: int = setting(3, whole(1), "fresh seeds of a review, at rung 0")
    review_every: int = setting(0, whole(), "births between two reviews of the best individual; 0: no reviews")
    block: int = setting(64, whole(1, 100_000), "births in a block")
    depth: int = setting(1, whole(0, 8), "blocks in flight beyond the block that is being scored")
    pack: int = setting(
        16,
        whole(1, 100_000),
        "programs trained together, in one job; on a GPU, unless it is set: a block, at most what fits it",
    )
    max_failures: int = setting(50, whole(1), "the search stops after this many failures in a row")
    timeout: float = setting(600.0, positive, "seconds before the worker of a pack at rung 0 is replaced (Ray only)")
    donor_programs: Mapping[str, str] | None = None
    island_programs: Mapping[str, str] | None = None
    references: Sequence[Mapping[str, Any]] | None = None
