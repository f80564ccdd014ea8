"""The kind `architecture`: cells of networks, scored by training a small network of them or by a table."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from germline.evaluators.outcome import Objective
from germline.programs.architecture.canonical import FINGERPRINT_VERSION, fingerprint
from germline.programs.architecture.card import card
from germline.programs.architecture.cells import SPACES
from germline.programs.architecture.counts import count
from germline.programs.architecture.genome import Architecture, InvalidArchitecture, read, write
from germline.programs.architecture.handmade import of_size
from germline.programs.architecture.latency import predicted
from germline.programs.architecture.score import SCORES
from germline.programs.architecture.space import ArchitectureSpace, Limits
from germline.search.kind import Kind, Preset
from germline.search.kinds.architecture_network import latency_table, measured_latencies, skeleton
from germline.search.loop import LoopSettings
from germline.search.proposers.settings import LanguageModelSettings, shares_setting
from germline.search.settings import BadSetting, setting
from germline.search.strategies.aging import AgingEvolution
from germline.search.strategies.eeea import EEEA
from germline.search.strategies.local_search import LocalSearch
from germline.search.strategies.nsga2 import NSGA2
from germline.search.strategies.pareto_local import ParetoLocalSearch
from germline.search.strategies.random_search import RandomSearch
from germline.search.strategy import Strategy
from germline.search.value_parsers import amount, choice, milliseconds, names, positive, share, whole

if TYPE_CHECKING:
    from germline.evaluators.architecture.task import CellTask

OBJECTIVES = {name: Objective(name, "min") for name in ("validation_error", "params", "macs", "latency")}


def _nsga2(settings: "ArchitectureSettings", space: ArchitectureSpace) -> Strategy[Any]:
    return NSGA2(
        space, _objectives(settings), settings.population, settings.crossover, _passing(settings), settings.chance_error
    )


def _pareto_local(settings: "ArchitectureSettings", space: ArchitectureSpace) -> Strategy[Any]:
    _refuse_depth(settings)
    _refuse_hurdle(settings)
    return ParetoLocalSearch(space, _objectives(settings), settings.starts, settings.chance_error)


def _local(settings: "ArchitectureSettings", space: ArchitectureSpace) -> Strategy[Any]:
    _refuse_depth(settings)
    _refuse_hurdle(settings)
    return LocalSearch(space, settings.starts, settings.patience)


def _aging(settings: "ArchitectureSettings", space: ArchitectureSpace) -> Strategy[Any]:
    operators = {"operation": 1.0, "input": 1.0} if space.cells.inputs == 2 else {"operation": 1.0}
    return AgingEvolution(space, None, settings.population, settings.tournament, operators, passing=_passing(settings))


def _random(settings: "ArchitectureSettings", space: ArchitectureSpace) -> Strategy[Any]:
    _refuse_hurdle(settings)
    return RandomSearch(space)


def _eeea(settings: "ArchitectureSettings", space: ArchitectureSpace) -> Strategy[Any]:
    _refuse_hurdle(settings)
    limited = settings.max_params or settings.max_macs or settings.max_latency
    if settings.enforce == "always" and limited:
        raise BadSetting("expected enforce=first for strategy=eeea, got always: its children are not limited")
    return EEEA(space, _objectives(settings), settings.population)


def _refuse_depth(settings: "ArchitectureSettings") -> None:
    if settings.depth:
        raise BadSetting(
            f"expected depth 0 for strategy={settings.strategy}, got {settings.depth}: it needs all outcomes of a block"
        )


def _refuse_hurdle(settings: "ArchitectureSettings") -> None:
    if settings.hurdle:
        raise BadSetting(
            f"expected hurdle 0 for strategy={settings.strategy}, got {settings.hurdle:g}: it has no early stopping"
        )


def _objectives(settings: "ArchitectureSettings") -> list[Objective]:
    return [OBJECTIVES[name] for name in settings.objectives]


def _passing(settings: "ArchitectureSettings") -> float:
    return settings.passing if settings.hurdle else 1.0


STRATEGIES: Mapping[str, Callable[["ArchitectureSettings", ArchitectureSpace], Strategy[Any]]] = {
    "nsga2": _nsga2,
    "pareto-local": _pareto_local,
    "local": _local,
    "aging": _aging,
    "random": _random,
    "eeea": _eeea,
}


@dataclass(frozen=True, slots=True)
class ArchitectureSettings(LanguageModelSettings):
    """Settings of a search for architectures.

    `--set` does not take the last four fields, which are None until the run is created: `classes`, `image` and
    `chance_error` (in percent) come from the task, and `latency_table` holds the measured latencies of a run that needs
    them (else it stays None), so that no decision depends on a clock.
    """

    strategy: str = setting("nsga2", choice(*STRATEGIES), f"search strategy: {', '.join(STRATEGIES)}")
    space: str = setting("eeea", choice(*SPACES), f"space of cells: {', '.join(SPACES)}")
    objectives: Sequence[str] = setting(
        ["validation_error", "params"],
        names(*OBJECTIVES),
        f"objectives that compete, out of {', '.join(OBJECTIVES)} (nsga2, pareto-local, eeea)",
    )
    operators: Mapping[str, float] = shares_setting(language_model=True)
    population: int = setting(40, whole(2), "individuals that live at a time (nsga2, eeea, aging)")
    crossover: float = setting(0.9, share, "probability that a child has two parents (nsga2)")
    tournament: int = setting(10, whole(1), "individuals drawn to find a parent (aging)")
    starts: int = setting(10, whole(1), "genomes scored before a climb begins (local, pareto-local)")
    patience: int = setting(
        0,
        whole(0, 1_000),
        "genomes whose neighbours are visited, after the best of a climb, for one that is better than it (local)",
    )
    pool: int = setting(
        1, whole(1, 10_000), "genomes drawn for each random birth, of which the best by `score` is kept"
    )
    score: str = setting("size", choice(*SCORES), f"score without training, for pool: {', '.join(SCORES)}")
    hurdle: float = setting(
        0.0, share, "early stopping: share of the training after which the worst genomes are dropped; 0: never"
    )
    passing: float = setting(
        0.75,
        share,
        "early stopping: the threshold is the loss that this share of the population has at most (nsga2, aging)",
    )
    cells: int = setting(8, whole(1, 100), "cells of the network that is trained")
    channels: int = setting(16, whole(1, 1000), "channels of the first cell of the network that is trained")
    full_cells: int = setting(20, whole(1, 100), "cells of the full network, which is counted and exported")
    full_channels: int = setting(36, whole(1, 1000), "channels of the first cell of the full network")
    max_params: int | None = setting(
        None, amount, "limit on the parameters of the full network, such as 3M; off: no limit"
    )
    max_macs: int | None = setting(
        None, amount, "limit on its multiply-accumulates for an image, such as 600M; off: no limit"
    )
    max_latency: float | None = setting(
        None, milliseconds, "limit on its milliseconds for an image, such as 2.5; off: no limit"
    )
    latency_device: Literal["cpu", "cuda"] = setting(
        "cpu", choice("cpu", "cuda"), "device on which latencies are measured, once, when the run is created"
    )
    enforce: Literal["always", "first"] = setting(
        "always",
        choice("always", "first"),
        "the limits hold for all genomes (always) or for random genomes only (first)",
    )
    block: int = setting(40, whole(1, 100_000), "births in a block")
    depth: int = setting(0, whole(0, 8), "blocks in flight beyond the block that is being scored")
    pack: int = setting(
        4, whole(1, 100_000), "architectures scored in one job; on a GPU, unless it is set: a block, at most 16"
    )
    max_failures: int = setting(50, whole(1), "the search stops after this many failures in a row")
    timeout: float = setting(3600.0, positive, "seconds before the worker of a job is replaced (Ray only)")
    classes: int | None = None
    image: Sequence[int] | None = None
    chance_error: float | None = None
    latency_table: Mapping[str, Any] | None = None


PRESETS = {
    "quick": Preset(
        "a front of small networks for 8×8 digits in minutes on two cores",
        {
            "space": "eeea-paper",
            "cells": 3,
            "channels": 8,
            "full_cells": 3,
            "full_channels": 8,
            "population": 30,
            "block": 30,
            "pack": 5,
        },
        births=300,
    ),
    "paper": Preset(
        "EEEA-Net 2021: NSGA-II, 30 generations of 40, limits on the first generation alone, a proxy of 8 cells",
        {
            "space": "eeea-exclusive",
            "objectives": ["validation_error", "params", "macs"],
            "channels": 32,
            "enforce": "first",
            "max_params": 5_000_000,
        },
        births=1_200,
    ),
    "eeea": Preset(
        "the loop of EEEA-Net's published code with its faults, as a baseline",
        {
            "strategy": "eeea",
            "space": "eeea-exclusive",
            "objectives": ["validation_error", "params", "macs"],
            "enforce": "first",
            "max_params": 5_000_000,
            "block": 4,
            "pack": 2,
        },
        births=1_084,
    ),
    "nb201": Preset(
        "local search on NAS-Bench-201's table",
        {"strategy": "local", "space": "nb201", "block": 1, "pack": 1, "starts": 5, "patience": 4, "pool": 20},
        births=300,
        task="nb201-cifar10",
    ),
}


class ArchitectureKind(Kind[ArchitectureSettings, Architecture]):
    """Cells of networks."""

    name = "architecture"
    genome_version = FINGERPRINT_VERSION
    default_task = "digits-cells"
    settings_class = ArchitectureSettings
    presets = PRESETS
    strategies = STRATEGIES
    score_settings = ("cells", "channels")
    gpu_pack = 16

    def prepare(self, settings: ArchitectureSettings, task: "type[CellTask]") -> ArchitectureSettings:
        if task.space and settings.space != task.space:
            raise BadSetting(
                f"expected space {task.space} for {task.name}, got {settings.space}; --set space={task.space}"
            )
        settings = replace(settings, classes=task.classes, image=list(task.image), chance_error=task.chance_error())
        if task.skeleton:
            settings = replace(settings, full_cells=task.skeleton.cells, full_channels=task.skeleton.channels)
        # Raises what can be raised without the latencies, before they are measured.
        self.strategy(settings, self.space(replace(settings, max_latency=None)))
        if settings.max_latency or "latency" in settings.objectives:
            settings = replace(settings, latency_table=measured_latencies(settings).data())
            self.space(settings)
        return settings

    def space(self, settings: ArchitectureSettings) -> ArchitectureSpace:
        limits = Limits(settings.max_params, settings.max_macs, settings.enforce == "always", settings.max_latency)
        cells, score = SPACES[settings.space], SCORES[settings.score]
        try:
            return ArchitectureSpace(cells, skeleton(settings), limits, latency_table(settings), settings.pool, score)
        except InvalidArchitecture as impossible:
            raise BadSetting(str(impossible)) from None

    def evaluator_options(self, settings: ArchitectureSettings) -> dict[str, Any]:
        options: dict[str, Any] = {
            "cells": settings.cells,
            "channels": settings.channels,
            "full_cells": settings.full_cells,
            "full_channels": settings.full_channels,
            "hurdle": settings.hurdle,
        }
        return options if settings.latency_table is None else {**options, "latency": settings.latency_table}

    def language(self, settings: ArchitectureSettings) -> str:
        return card(SPACES[settings.space])

    def objectives(self, settings: ArchitectureSettings, task: "type[CellTask]") -> Sequence[Objective]:
        measured = () if settings.latency_table is None else (OBJECTIVES["latency"],)
        return (*task.objectives, *measured)

    def loop_settings(self, settings: ArchitectureSettings, seed: int) -> LoopSettings:
        return LoopSettings(seed, settings.block, settings.depth, settings.pack, settings.max_failures)

    def describe(self, text: str, settings: ArchitectureSettings | None, **size: Any) -> dict[str, Any]:
        """As `Kind.describe`, with the predicted `latency` in milliseconds if the run measured latencies and no size is
        given."""
        architecture = read(text)
        network = skeleton(settings, architecture, **size)
        counts = count(architecture, network)
        facts = {
            "kind": self.name,
            "fingerprint": fingerprint(architecture),
            "params": counts.params,
            "macs": counts.macs,
            "nodes": [len(cell.nodes) for cell in architecture.cells],
        }
        table = None if size or settings is None else latency_table(settings)
        return {**facts, "latency": predicted(architecture, network, table)} if table else facts

    def in_full(self, settings: ArchitectureSettings, task: "type[CellTask]") -> ArchitectureSettings:
        # Without latencies, because the network of another task or of a baseline has other parts.
        return replace(
            settings,
            classes=task.classes,
            image=list(task.image),
            cells=settings.full_cells,
            channels=settings.full_channels,
            latency_table=None,
        )

    def baseline(self, text: str, settings: ArchitectureSettings) -> tuple[str, str, ArchitectureSettings]:
        """A hand-made network with as many cells and about as many parameters."""
        architecture = read(text)
        network = skeleton(settings)
        handmade, size = of_size(count(architecture, network).params, architecture.inputs, network)
        settings = replace(settings, full_channels=size.channels, channels=size.channels)
        return f"hand-made, {size.channels} channels", write(handmade), settings
