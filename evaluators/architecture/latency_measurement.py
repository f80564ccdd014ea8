"""Measures the latency of networks, and of their parts, for one image on a device."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from germline.evaluators.device import resolve
from germline.evaluators.memory import keep_freed_memory
from germline.programs.architecture.cells import CellSpace
from germline.programs.architecture.genome import Architecture
from germline.programs.architecture.latency import REST, LatencyTable, covering, predicted
from germline.programs.architecture.layers import Part
from germline.programs.architecture.network import Network
from germline.programs.architecture.skeleton import Skeleton
from germline.programs.architecture.space import ArchitectureSpace

ROUNDS = (5, 101)
"""Smallest and largest number of rounds. In a round every call is timed once."""
SECONDS = 12.0
"""Beyond the smallest number of rounds, no round begins later than this many seconds after the first."""
_WARM_UP = 3
_ON_CUDA = 20
"""Calls on CUDA that are timed together, with one synchronisation at the end, as in a network."""
_WHOLE_NETWORKS = 6
"""Number of networks of random cells that are timed as a whole, for the time that their parts do not explain."""

Call = Callable[[], Any]


def measure_table(cells: CellSpace, skeleton: Skeleton, device: str = "cpu") -> LatencyTable:
    """The milliseconds for one image of each part that a network of the space can have, and, as the part `REST`, of
    what a whole network takes beyond its parts, per cell. On a CPU they are processor time.

    Args:
        cells: the space.
        skeleton: the skeleton of the networks.
        device: `cpu` (one thread), `cuda`, or `auto`.

    Raises:
        NoDevice: the device does not exist.
    """
    device = resolve(device)
    space, rng = ArchitectureSpace(cells, skeleton), np.random.default_rng(0)
    architectures = [space.draw(rng).genome for _ in range(_WHOLE_NETWORKS)]
    with torch.random.fork_rng(devices=[]):
        calls: dict[Part, Call] = {}
        for architecture in covering(cells):
            for part, call in _calls(architecture, skeleton, device):
                calls.setdefault(part, call)
        networks = [Network(architecture, skeleton) for architecture in architectures]
        whole = [_network_call(network, skeleton.image, device) for network in networks]
        times = _timed([*calls.values(), *whole], device)
    table = LatencyTable({**dict(zip(calls, times, strict=False)), REST: 0.0}, device)
    # The overhead of a network beyond its parts is shared evenly by its cells.
    pairs = zip(architectures, times[len(calls) :], strict=True)
    overheads = [measured_time - predicted(architecture, skeleton, table) for architecture, measured_time in pairs]
    rest = max(0.0, math.fsum(overheads) / len(overheads) / skeleton.cells)
    return LatencyTable({**table.parts, REST: rest}, device)


def measure_network(network: nn.Module, image: tuple[int, int, int], device: str = "cpu") -> float:
    """The milliseconds of a network for one image; on a CPU, processor time.

    Args:
        network: takes images `[1, channels, height, width]`; it is moved to the device and set to evaluation mode.
        image: channels, height, width.
        device: `cpu` (one thread), `cuda`, or `auto`.

    Raises:
        NoDevice: the device does not exist.
    """
    device = resolve(device)
    with torch.random.fork_rng(devices=[]):
        return _timed([_network_call(network, image, device)], device)[0]


def _network_call(network: nn.Module, image: tuple[int, int, int], device: str) -> Call:
    network = network.to(device).eval()
    images = torch.randn(1, *image).to(device)
    return lambda: network(images)


def _calls(architecture: Architecture, skeleton: Skeleton, device: str) -> Iterator[tuple[Part, Call]]:
    """The part of each layer of a network, with a call that computes the part once.

    A layer that would add a single map computes nothing and is left out.
    """
    network = Network(architecture, skeleton).to(device).eval()
    for number, layer in enumerate(network.layers):
        if layer.additions:
            part = layer.part
            x = torch.randn(1, part.in_channels, part.height, part.width).to(device)
            yield part, partial(network.compute, number, [x] * (2 if part.name == "add" else len(layer.inputs)))


def _timed(calls: Sequence[Call], device: str) -> list[float]:
    """Milliseconds of each call: the lower quartile over rounds; in each round every call runs once.

    In a round, as in a network, other calls have used the caches in between; repeated alone a call would be a seventh
    too fast. Other load of the machine only ever adds time, so the lower quartile excludes it.
    """
    keep_freed_memory()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.no_grad():
            times = _rounds([_nothing, *calls], device)
    finally:
        torch.set_num_threads(threads)
    clock, *seconds = np.quantile(times, 0.25, axis=0).tolist()
    return [1000.0 * max(0.0, duration - clock) for duration in seconds]


def _rounds(calls: Sequence[Call], device: str) -> list[list[float]]:
    """Seconds of each call, `[rounds][calls]`: every round times all calls once, so that a slow moment of the machine
    does not hit one call alone."""
    for call in calls:
        for _ in range(_WARM_UP):
            call()
    time_call = _time_on_cuda if device == "cuda" else _time_on_cpu
    began = time.perf_counter()
    rounds: list[list[float]] = []
    while len(rounds) < ROUNDS[0] or (len(rounds) < ROUNDS[1] and time.perf_counter() - began < SECONDS):
        rounds.append([time_call(call) for call in calls])
    return rounds


def _time_on_cpu(call: Call) -> float:
    """CPU seconds of a call on this thread, where all of it runs; other load of the machine does not count."""
    began = time.thread_time()
    call()
    return time.thread_time() - began


def _time_on_cuda(call: Call) -> float:
    torch.cuda.synchronize()
    began = time.perf_counter()
    for _ in range(_ON_CUDA):
        call()
    torch.cuda.synchronize()
    return (time.perf_counter() - began) / _ON_CUDA


def _nothing() -> None:
    """Does nothing. Its time, which is that of reading the clock and of a call, is subtracted from all other times."""
