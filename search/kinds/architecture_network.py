"""The network around the cells of a run's architectures, and the latencies of its parts."""

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from germline.evaluators.device import NoDevice
from germline.programs.architecture.cells import SPACES
from germline.programs.architecture.genome import Architecture
from germline.programs.architecture.latency import LatencyTable
from germline.programs.architecture.skeleton import Skeleton
from germline.search.settings import BadSetting, check

if TYPE_CHECKING:
    from germline.search.kinds.architecture import ArchitectureSettings

log = logging.getLogger(__name__)


def skeleton(
    settings: "ArchitectureSettings | None", architecture: Architecture | None = None, **size: Any
) -> Skeleton:
    """The skeleton of the full network of a run or, for a genome of no run, of the papers' network.

    Args:
        settings: of the run; None: of no run.
        architecture: the cells; without a run, their number of inputs decides between NAS-Bench-201's network and
            EEEA-Net's. None: EEEA-Net's.
        size: other values for `channels`, `cells`, `classes` or `image`.

    Raises:
        BadSetting: this version does not take a setting of the run.
    """
    default = SPACES["nb201" if architecture and architecture.inputs == 1 else "eeea"].skeleton
    own: dict[str, Any] = {}
    if settings is not None:
        check(settings)
        own = {"channels": settings.full_channels, "cells": settings.full_cells}
        if settings.classes is not None:
            own["classes"] = settings.classes
        if settings.image is not None:
            own["image"] = settings.image
    values = {**own, **size}
    if "image" in values:
        values["image"] = tuple(values["image"])
    return replace(default, **values)


def measured_latencies(settings: "ArchitectureSettings") -> LatencyTable:
    """The latencies of all parts of a run's full network, measured now on the device that the settings name.

    Raises:
        BadSetting: this machine has no such device.
    """
    from germline.evaluators.architecture.latency_measurement import measure_table  # imports torch

    log.info("measuring the latency of the parts of a network on %s, up to 20 seconds", settings.latency_device)
    try:
        return measure_table(SPACES[settings.space], skeleton(settings), settings.latency_device)
    except NoDevice:
        raise BadSetting(
            "expected a CUDA device for latency_device=cuda, found none; --set latency_device=cpu"
        ) from None


def latency_table(settings: "ArchitectureSettings") -> LatencyTable | None:
    """The latencies that were measured when the run was created; None for a run that needs none."""
    return None if settings.latency_table is None else LatencyTable.of(settings.latency_table)
