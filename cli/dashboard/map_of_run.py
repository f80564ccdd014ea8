"""The map of a run of the strategy `map-elites`: its coverage and QD score, and the picture of `germline draw`."""

from threading import Lock
from typing import Any

from germline.db.records import RunRecord
from germline.db.store import Store
from germline.search.analysis.generation import behaviour_names_of, walls_of
from germline.search.analysis.map_plot import MapPlot, NoMap, map_plot
from germline.search.analysis.map_scores import layout_of
from germline.search.behaviour_map import BadLayout

_drawing = Lock()
"""Matplotlib keeps its settings for the whole process, so one picture is drawn at a time."""


def has_map(run: RunRecord) -> bool:
    """Whether the strategy of a run has a map."""
    try:
        return layout_of(run) is not None
    except (BadLayout, AttributeError):  # a config may come from anywhere
        return False


def map_of(store: Store, run: RunRecord) -> MapPlot | None:
    """The map of a run after its last complete block; None before the first, and for another strategy."""
    try:
        return map_plot(store, run, behaviour_names_of(run.task)) if has_map(run) else None
    except NoMap:
        return None


def map_texts(plot: MapPlot) -> dict[str, Any]:
    """What a page says of a map: `occupied` and `cells`, numbers of cells; `coverage`, 0 to 1; `score` and `offset`;
    `block`, after which it is; `names` of the mapped behaviours."""
    return {
        "occupied": len(plot.occupants),
        "cells": plot.layout.cells.count,
        "coverage": plot.coverage,
        "score": plot.score,
        "offset": plot.offset,
        "block": plot.block,
        "names": plot.names,
    }


def map_image(plot: MapPlot) -> bytes:
    """The picture of a map as SVG."""
    from germline.cli.pictures.map_picture import map_picture  # matplotlib takes half a second to import
    from germline.cli.pictures.page import picture_bytes

    with _drawing:
        return picture_bytes(map_picture(plot, f"{plot.run.name}: the map", walls_of(plot.run.task)), "svg")
