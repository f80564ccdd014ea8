"""The map of a run of the strategy `map-elites`, as the cells of a plot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from germline.db.records import RunRecord
from germline.search.analysis.learning_curve import complete_blocks
from germline.search.analysis.map_scores import mapped_run, qd_offsets, qd_score
from germline.search.behaviour_map import Bounds, MapLayout, Occupant
from germline.search.winner import winners

if TYPE_CHECKING:
    from germline.db.store import Store


class NoMap(ValueError):
    """The run has no map, or no cell of it is occupied yet."""


@dataclass(frozen=True)
class MapPlot:
    """The map of a run after its last complete block.

    Attributes:
        run: the run.
        layout: the cells of the map.
        bounds: the lowest and the highest value of each mapped behaviour.
        names: what each mapped behaviour is.
        occupants: the occupied cells, with births as individuals.
        behaviours: the behaviour of each of these individuals and of the winner, by birth.
        winner: the birth of the winner; None if it has no behaviour.
        block: the number of the block.
        coverage: the share of cells that are occupied.
        score: the QD score.
        offset: the fitness that counts 0 in the QD score.
    """

    run: RunRecord
    layout: MapLayout
    bounds: Bounds
    names: tuple[str, ...]
    occupants: Sequence[Occupant[int]]
    behaviours: Mapping[int, tuple[float, ...]]
    winner: int | None
    block: int
    coverage: float
    score: float
    offset: float


def map_plot(store: "Store", run: RunRecord, names: Sequence[str] = ()) -> MapPlot:
    """The map of a run.

    Args:
        store: the database of the run.
        run: the run.
        names: what each component of the behaviour descriptor is; components without a name have their number.

    Raises:
        NoMap: the strategy of the run has no map, or no block with a behaviour is complete.
        BadLayout: the config of the run is damaged.
    """
    won = winners(store, run.name)
    blocks = complete_blocks(store.scores(run.name, ""), won)
    mapped = mapped_run(store, run, blocks)
    if mapped is None:
        raise NoMap(f"expected a run with strategy=map-elites, got {run.name}")
    known = mapped.last_map()
    [offset] = qd_offsets([mapped])
    if known.bounds is None or not known.occupants or offset is None:
        raise NoMap(f"nothing in {run.name} has a cell of the map yet; wait for the first block")
    block = blocks[-1][0].block
    winner = won.get(block)
    births = [*(occupant.individual for occupant in known.occupants), *([] if winner is None else [winner])]
    return MapPlot(
        run,
        mapped.layout,
        known.bounds,
        tuple(names[i] if i < len(names) else f"behaviour {i}" for i in mapped.layout.behaviours),
        known.occupants,
        {birth: mapped.behaviours[birth] for birth in births if birth in mapped.behaviours},
        winner if winner in mapped.behaviours else None,
        block,
        mapped.coverage(known),
        qd_score(known, offset),
        offset,
    )
