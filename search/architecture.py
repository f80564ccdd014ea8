"""The kind `architecture`: cells of networks, scored by training a small network of them or by a table."""

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from germline.evaluators.outcome import Objective
from germline.programs.architecture.canonical import FINGERPRINT_VERSION, fingerprint
from germline.programs.architecture.cells import SPACES
from germline.programs.architecture.counts import count
from germline.programs.architecture.genome import Architecture, InvalidArchitecture, read, write
from germline.programs.architecture.handmade import of_size
from germline.programs.architecture.latency import LatencyTable, predicted
from germline.programs.architecture.score import SCORES
from germline.programs.architecture.skeleton import Skeleton
from germline.programs.architecture.space import ArchitectureSpace, Limits
from germline.programs.space import Space
from germline.search.kind import Kind, Preset, Values
from germline.search.loop import Plan
from germline.search.settings import BadSetting, Setting, amount, choice, milliseconds, names, positive, share, whole
from germline.search.strategies.aging import AgingEvolution
from germline.search.strategies.eeea import EEEA
from germline.search.strategies.local_search import LocalSearch
from germline.search.strategies.nsga2 import NSGA2
from germline.search.strategies.pareto_local import ParetoLocalSearch
from germline.search.strategies.random_search import RandomSearch
from germline.search.strategy import Strategy

if TYPE_CHECKING:
    from germline.evaluators.architecture.task import CellTask

log = logging.getLogger(__name__)

OBJECTIVES = {name: Objective(name, "min") for name in ("validation_error", "params", "macs", "latency")}

TABLE = "latency_table"
"""Where a run's values hold what was measured when it was created, so that no decision depends on a clock."""

STRATEGIES = ("nsga2", "pareto-local", "local", "aging", "random", "eeea")

SETTINGS = (
    Setting("strategy", "nsga2", choice(*STRATEGIES), "how it is searched"),
    Setting("space", "eeea", choice(*SPACES), "which cells there are"),
    Setting("objectives", ["validation_error", "params"], names(*OBJECTIVES), "what competes, where several can"),
    Setting("population", 40, whole(2), "individuals that live at a time (nsga2, eeea, aging)"),
    Setting("crossover", 0.9, share, "how often a child has two parents (nsga2)"),
    Setting("tournament", 10, whole(1), "individuals drawn to find a parent (aging)"),
    Setting("starts", 10, whole(1), "genomes scored before a climb begins (local, pareto-local)"),
    Setting("pool", 1, whole(1, 10_000), "what is drawn is the best of so many, by a score without training"),
    Setting("score", "size", choice(*SCORES), "that score"),
    Setting("hurdle", 0.0, share, "share of the training after which the worst leave; 0: never"),
    Setting("passing", 0.75, share, "share of the population that would pass its children's hurdle (nsga2, aging)"),
    Setting("cells", 8, whole(1, 100), "cells of the network that is trained"),
    Setting("channels", 16, whole(1, 1000), "channels of its first cell"),
    Setting("full_cells", 20, whole(1, 100), "cells of the network that is counted"),
    Setting("full_channels", 36, whole(1, 1000), "channels of its first cell"),
    Setting("max_params", None, amount, "most parameters of the full network, such as 3M; off: any"),
    Setting("max_macs", None, amount, "most multiply-accumulates of the full network for an image; off: any"),
    Setting("max_latency", None, milliseconds, "most milliseconds of the full network for an image; off: any"),
    Setting("latency_device", "cpu", choice("cpu", "cuda"), "where they are measured, once, when the run is created"),
    Setting("enforce", "always", choice("always", "first"), "limits for all that is born, or for what is drawn alone"),
    Setting("block", 40, whole(1, 100_000), "births in a block"),
    Setting("depth", 0, whole(0, 8), "blocks in flight beyond the one that is scored"),
    Setting("pack", 4, whole(1, 100_000), "architectures scored in one job"),
    Setting("max_failures", 50, whole(1), "the search stops when so many scorings in a row failed"),
    Setting("timeout", 3600.0, positive, "seconds for a job before its worker is replaced (Ray only)"),
)

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
        "the loop of EEEA-Net's published code, faults and all: what the others are compared with",
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
        {"strategy": "local", "space": "nb201", "block": 1, "pack": 1, "starts": 5, "pool": 20},
        births=300,
        task="nb201-cifar10",
    ),
}


def _prepare(values: Values, task: "type[CellTask]") -> dict[str, Any]:
    if values["strategy"] in ("local", "pareto-local") and values["depth"]:
        name = values["strategy"]
        raise BadSetting(f"expected depth 0 for strategy={name}, got {values['depth']}: it moves after every block")
    if values["hurdle"] and values["strategy"] not in ("nsga2", "aging"):
        raise BadSetting(f"expected hurdle 0 for strategy={values['strategy']}, got {values['hurdle']:g}: it sets none")
    limited = any(values[limit] for limit in ("max_params", "max_macs", "max_latency"))
    if values["strategy"] == "eeea" and values["enforce"] == "always" and limited:
        raise BadSetting("expected enforce=first for strategy=eeea, got always: its children keep no limit")
    if task.space and values["space"] != task.space:
        raise BadSetting(
            f"expected space {task.space} for {task.name}, got {values['space']}; --set space={task.space}"
        )
    found = {**values, "classes": task.classes, "image": list(task.image)}
    if task.skeleton:
        found |= {"full_cells": task.skeleton.cells, "full_channels": task.skeleton.channels}
    _space({**found, "max_latency": None})  # what can be refused without a measurement
    if values["max_latency"] or "latency" in values["objectives"]:
        found[TABLE] = _measured(found).data()
        _space(found)
    return found


def _measured(values: Values) -> LatencyTable:
    from germline.evaluators.architecture.latency import measure
    from germline.evaluators.device import NoDevice

    log.info("measuring what the parts of a network take on %s, up to 20 seconds", values["latency_device"])
    try:
        return measure(SPACES[values["space"]], skeleton(values), values["latency_device"])
    except NoDevice:
        raise BadSetting(
            "expected a CUDA device for latency_device=cuda, found none; --set latency_device=cpu"
        ) from None


def _space(values: Values) -> ArchitectureSpace:
    limits = Limits(values["max_params"], values["max_macs"], values["enforce"] == "always", values["max_latency"])
    try:
        cells, score = SPACES[values["space"]], SCORES[values["score"]]
        return ArchitectureSpace(cells, skeleton(values), limits, _table(values), values["pool"], score)
    except InvalidArchitecture as impossible:
        raise BadSetting(str(impossible)) from None


def _table(values: Values) -> LatencyTable | None:
    """That of the run, if it has one."""
    return LatencyTable.of(values[TABLE]) if TABLE in values else None


def _strategy(values: Values, space: Space[Architecture]) -> Strategy[Any]:
    assert isinstance(space, ArchitectureSpace)
    if values["strategy"] == "random":
        return RandomSearch(None, "")
    if values["strategy"] == "aging":
        operators = {"operation": 1.0, "input": 1.0} if space.cells.inputs == 2 else {"operation": 1.0}
        return AgingEvolution(None, "", values["population"], values["tournament"], operators, passing=_passing(values))
    if values["strategy"] == "local":
        return LocalSearch(space, values["starts"])
    objectives = [OBJECTIVES[name] for name in values["objectives"]]
    if values["strategy"] == "pareto-local":
        return ParetoLocalSearch(space, objectives, values["starts"])
    if values["strategy"] == "eeea":
        return EEEA(space, objectives, values["population"])
    return NSGA2(space, objectives, values["population"], values["crossover"], _passing(values))


def _passing(values: Values) -> float:
    return values["passing"] if values["hurdle"] else 1.0


def _options(values: Values) -> dict[str, Any]:
    found = {name: values[name] for name in ("cells", "channels", "full_cells", "full_channels", "hurdle")}
    return {**found, "latency": values[TABLE]} if TABLE in values else found


def _plan(values: Values, seed: int) -> Plan:
    return Plan(seed=seed, **{name: values[name] for name in ("block", "depth", "pack", "max_failures")})


def skeleton(values: Values, architecture: Architecture | None = None, **asked: Any) -> Skeleton:
    """The full network of a run of these values, or as asked; what neither says is as in the paper of such cells."""
    papers = SPACES["nb201" if architecture and architecture.inputs == 1 else "eeea"].skeleton
    full = {name: values[f"full_{name}"] for name in ("channels", "cells") if f"full_{name}" in values}
    home = {name: values[name] for name in ("classes", "image") if name in values}
    found = {**full, **home, **asked}
    if "image" in found:
        found["image"] = tuple(found["image"])
    return replace(papers, **found)


def describe(text: str, values: Values, **asked: Any) -> dict[str, Any]:
    """Counts and the fingerprint of an architecture.

    Args:
        text: the architecture.
        values: of its run; empty for one of no run.
        asked: `channels`, `cells`, `classes` or `image`, where it shall not be the run's, or that of the papers.

    Returns:
        With `latency` in milliseconds, as the run predicts it, if it has a table and no other size was asked for.

    Raises:
        InvalidArchitecture: the text is not an architecture.
    """
    architecture = read(text)
    size = skeleton(values, architecture, **asked)
    counts = count(architecture, size)
    table = None if asked else _table(values)
    facts = {
        "kind": "architecture",
        "fingerprint": fingerprint(architecture),
        "params": counts.params,
        "macs": counts.macs,
        "nodes": [len(cell.nodes) for cell in architecture.cells],
    }
    return {**facts, "latency": predicted(architecture, size, table)} if table else facts


def _in_full(values: Values, task: "type[CellTask]") -> Values:
    """Without the latencies of a search: the network of another task, and a baseline, have other parts."""
    home = {"classes": task.classes, "image": list(task.image)}
    kept = {name: value for name, value in values.items() if name != TABLE}
    return {**kept, **home, "cells": values["full_cells"], "channels": values["full_channels"]}


def _baseline(text: str, values: Values) -> tuple[str, str, Values]:
    """A hand-made network with as many parameters and as many cells."""
    architecture = read(text)
    here = skeleton(values)
    made, size = of_size(count(architecture, here).params, architecture.inputs, here)
    sized = {"full_channels": size.channels, "channels": size.channels}
    return f"hand-made, {size.channels} channels", write(made), {**values, **sized}


KIND: Kind[Architecture] = Kind(
    name="architecture",
    genome_version=FINGERPRINT_VERSION,
    default_task="digits-cells",
    settings=SETTINGS,
    presets=PRESETS,
    prepare=_prepare,
    space=_space,
    strategy=_strategy,
    options=_options,
    plan=_plan,
    describe=describe,
    in_full=_in_full,
    baseline=_baseline,
)
