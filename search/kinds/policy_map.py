"""The layout of the map of a run (strategy `map-elites`), which follows from the settings and the task."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

from germline.evaluators.policy.task import PolicyTask
from germline.search.behaviour_map import (
    MOST_BEHAVIOURS,
    MOST_CELLS,
    BadLayout,
    Bounds,
    MapLayout,
    is_range,
    read_layout,
)
from germline.search.kinds.policy_network import behaviour_length
from germline.search.map_cells import Cells, GridCells, VoronoiCells
from germline.search.settings import BadSetting
from germline.search.value_parsers import whole

MOST_GRID_DIMENSIONS = 3
"""A map of more behaviours is a Voronoi map, unless the setting `cells` has a number for each of them."""
VORONOI_CELLS = 1_000


class MapSettings(Protocol):
    """The settings of a policy search that decide its map (`PolicySettings` has them)."""

    @property
    def behaviours(self) -> Sequence[int] | Literal["all"]: ...
    @property
    def cells(self) -> Sequence[int]: ...
    @property
    def bounds(self) -> Sequence[str]: ...
    @property
    def voronoi(self) -> int: ...
    @property
    def map_data(self) -> Mapping[str, Any] | None: ...


def map_layout_for(settings: MapSettings, task: type[PolicyTask]) -> MapLayout:
    """The layout of the map of a new run on a task.

    Raises:
        BadSetting: the task reports no behaviours, or settings do not fit them.
    """
    length = behaviour_length(task)
    if length is None:  # its episodes cannot start, and scoring raises the real error
        length = len(task.behaviour_names) or 1 + max(settings.behaviours if settings.behaviours != "all" else [0])
    behaviours = tuple(range(length)) if settings.behaviours == "all" else tuple(settings.behaviours)
    if not length or max(behaviours) >= length:
        has = f"behaviours 0 to {length - 1}" if length else "none; --set strategy=truncation"
        wanted = "behaviour descriptors" if not length else f"behaviour {max(behaviours)}"
        raise BadSetting(f"expected a task that reports {wanted}, got {task.name}, which reports {has}")
    return MapLayout(behaviours, _bounds(settings, task, behaviours, length), _cells(settings, len(behaviours)))


def map_layout_of(settings: MapSettings) -> MapLayout:
    """The layout of the map of a run by its settings.

    Raises:
        BadSetting: the settings hold no layout, or a damaged layout.
    """
    try:
        return read_layout(settings.map_data)
    except BadLayout as invalid:
        raise BadSetting(str(invalid)) from None


def _cells(settings: MapSettings, dimensions: int) -> Cells:
    shape = settings.cells
    if len(shape) not in (1, dimensions):
        raise BadSetting(
            f"expected cells for each mapped behaviour ({dimensions}), or one number for all, got "
            f"cells={','.join(map(str, shape))}"
        )
    if settings.voronoi or (dimensions > MOST_GRID_DIMENSIONS and len(shape) != dimensions):
        return VoronoiCells(settings.voronoi or VORONOI_CELLS, dimensions)
    grid = GridCells(tuple(shape) * (dimensions if len(shape) == 1 else 1))
    if grid.count > MOST_CELLS:
        raise BadSetting(
            f"expected at most {MOST_CELLS:,} cells, got {grid.count:,} of cells={','.join(map(str, shape))}; "
            f"--set voronoi={VORONOI_CELLS} divides any number of behaviours into so many cells"
        )
    return grid


def _bounds(settings: MapSettings, task: type[PolicyTask], behaviours: Sequence[int], length: int) -> Bounds | None:
    if list(settings.bounds) != ["auto"]:
        if len(settings.bounds) != len(behaviours):
            raise BadSetting(
                f"expected bounds=auto, or a range for each mapped behaviour ({len(behaviours)}), got "
                f"bounds={','.join(settings.bounds)}"
            )
        return tuple(_range(text) for text in settings.bounds)
    if not task.behaviour_bounds:
        return None
    if len(task.behaviour_bounds) != length:
        raise BadSetting(
            f"expected behaviour_bounds of {task.name} for the {length} behaviours that it reports, got "
            f"{len(task.behaviour_bounds)}; correct the task, or --set bounds=LOW:HIGH,..."
        )
    return tuple((float(low), float(high)) for low, high in (task.behaviour_bounds[each] for each in behaviours))


def parse_bounds(text: str) -> list[str]:
    """Parses ranges LOW:HIGH, separated by commas, or `auto`; raises ValueError with the expected form."""
    parts = [part.strip() for part in text.split(",")]
    if parts != ["auto"]:
        for part in parts:
            _range(part)
    return parts


def parse_behaviours(text: str) -> list[int] | Literal["all"]:
    """Parses different whole numbers from 0, separated by commas, or `all`; raises ValueError with the expected
    form."""
    if text == "all":
        return "all"
    try:
        numbers = [whole(0, MOST_BEHAVIOURS - 1)(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if not numbers or len(set(numbers)) < len(numbers):
        raise ValueError("different numbers of behaviours from 0, separated by commas, as in 0,3, or all")
    return numbers


def parse_cells(text: str) -> list[int]:
    """Parses a number of cells, or several separated by commas; raises ValueError with the expected form."""
    try:
        return [whole(1, MOST_CELLS)(part) for part in text.split(",")]
    except ValueError as expected:
        raise ValueError(f"{expected}, or several separated by commas, as in 20,40") from None


def parse_offset(text: str) -> float | Literal["auto"]:
    """Parses a number, or `auto`; raises ValueError with the expected form."""
    if text == "auto":
        return "auto"
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not abs(value) <= 1e12:
        raise ValueError("a number up to 1e12, or auto")
    return value


def _range(text: str) -> tuple[float, float]:
    """The range that a text LOW:HIGH says; raises ValueError with the expected form."""
    try:
        low, high = map(float, text.split(":"))
    except ValueError:
        low = high = 0.0
    if not is_range((low, high)):
        raise ValueError("a range LOW:HIGH for each behaviour, separated by commas, as in 0:200,-1:1, or auto")
    return low, high
