"""Scores of the map of a run of the strategy `map-elites`: coverage and QD score (Pugh, Soros and Stanley 2016).

The coverage is the share of cells that are occupied. The QD score is the sum, over the occupied cells, of the fitness
less an offset: the setting `qd_offset`, or the lowest fitness in the compared runs on the same task. Scores with
different offsets cannot be compared, so the offset is always printed beside the score.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from typing import TYPE_CHECKING

from germline.db.records import BirthScore, RunRecord
from germline.search.behaviour_map import BehaviourMap, Born, MapLayout, read_layout

if TYPE_CHECKING:
    from germline.db.store import Store


@dataclass(frozen=True)
class MappedRun:
    """A run with a map.

    Attributes:
        run: the run.
        layout: the cells of its map.
        blocks: the births of each complete block, in order.
        behaviours: the mapped components of the behaviour, by birth, where all are finite numbers.
    """

    run: RunRecord
    layout: MapLayout
    blocks: Sequence[Sequence[BirthScore]]
    behaviours: Mapping[int, tuple[float, ...]]

    def maps(self) -> Iterator[BehaviourMap[int]]:
        """The map after each block, with births as individuals; as the search had it."""
        known: BehaviourMap[int] = self.layout.empty()
        for block in self.blocks:
            known = self.layout.add(
                known,
                [
                    Born(each.birth, each.fitness, self.behaviours[each.birth])
                    for each in block
                    if each.fitness is not None and each.birth in self.behaviours
                ],
            )
            yield known

    def last_map(self) -> BehaviourMap[int]:
        """The map after the last block; empty without blocks."""
        last = deque(self.maps(), maxlen=1)
        return last[0] if last else self.layout.empty()

    def coverage(self, known: BehaviourMap[int]) -> float:
        """The share of cells that are occupied."""
        return len(known.occupants) / self.layout.cells.count


def qd_score(known: BehaviourMap[int], offset: float) -> float:
    """The sum, over the occupied cells of a map, of the fitness less the offset."""
    return fsum(occupant.fitness - offset for occupant in known.occupants)


def layout_of(run: RunRecord) -> MapLayout | None:
    """The layout of the map of a run; None if its strategy has no map.

    Raises:
        BadLayout: the config of the run is damaged.
    """
    settings = run.config.get("settings", {})
    return read_layout(settings.get("map_data")) if settings.get("strategy") == "map-elites" else None


def mapped_run(store: "Store", run: RunRecord, blocks: Sequence[Sequence[BirthScore]]) -> MappedRun | None:
    """A run with its map; None if its strategy has no map.

    Args:
        store: the database of the run.
        run: the run.
        blocks: the births of each complete block, in order.
    """
    layout = layout_of(run)
    return None if layout is None else run_on_map(store, run, blocks, layout)


def run_on_map(store: "Store", run: RunRecord, blocks: Sequence[Sequence[BirthScore]], layout: MapLayout) -> MappedRun:
    """A run of any strategy on a map of any layout, such as that of another run with which it is compared."""
    columns = [store.scores(run.name, f"behaviour_{component}").births for component in layout.behaviours]
    everyone = {births[0].birth: [each.measure for each in births] for births in zip(*columns, strict=True)}
    within = range(1 + max(layout.behaviours))
    behaviours = {}
    for birth, values in everyone.items():
        by_component = dict(zip(layout.behaviours, values, strict=True))
        known = [by_component.get(component, 0.0) for component in within]
        chosen = layout.chosen([float("nan") if value is None else value for value in known])
        if chosen is not None:
            behaviours[birth] = chosen
    return MappedRun(run, layout, blocks, behaviours)


def qd_offsets(runs: Sequence[MappedRun | None]) -> list[float | None]:
    """The offset of the QD score of each run: its setting `qd_offset`, else the lowest fitness in the runs on the same
    task that have no such setting either. None for a run without a map, or without an ok outcome."""
    lowest: dict[str, float] = {}
    for each in runs:
        if each is not None and _set_offset(each.run) is None:
            fitness = [birth.fitness for block in each.blocks for birth in block if birth.fitness is not None]
            if fitness:
                lowest[each.run.task] = min(lowest.get(each.run.task, min(fitness)), *fitness)
    return [None if each is None else _offset(each.run, lowest) for each in runs]


def _offset(run: RunRecord, lowest: Mapping[str, float]) -> float | None:
    chosen = _set_offset(run)
    return lowest.get(run.task) if chosen is None else chosen


def _set_offset(run: RunRecord) -> float | None:
    """The setting `qd_offset` of a run; None for `auto`."""
    value = run.config.get("settings", {}).get("qd_offset")
    return float(value) if type(value) in (int, float) else None
