"""Measures how long networks, and the parts of networks, take for one image on a device."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from germline.evaluators.device import resolve
from germline.evaluators.memory import keep_freed_memory
from germline.programs.architecture.cells import CellSpace
from germline.programs.architecture.counts import Skeleton
from germline.programs.architecture.genome import Architecture
from germline.programs.architecture.latency import MODULES, REST, LatencyTable, Part, covering, parts, predicted
from germline.programs.architecture.network import Network
from germline.programs.architecture.space import ArchitectureSpace

ROUNDS = (5, 101)
"""How often everything is timed: at least, and at most."""
SECONDS = 12.0
"""No round is begun after so long."""
_WARM_UP = 3
_ON_CUDA = 20
"""Calls that are timed together there: none but the last is waited for, as in a network."""
_WHOLE = 6
"""Networks of random cells that are timed beside the parts."""

Call = Callable[[], Any]


def measure(cells: CellSpace, skeleton: Skeleton, device: str = "cpu") -> LatencyTable:
    """The table of all parts that a network of the space can have, measured here and now.

    Args:
        cells: the space.
        skeleton: of the network.
        device: `cpu` (one thread), `cuda`, or `auto`.

    Raises:
        NoDevice: there is no such device.
    """
    device = resolve(device)
    space, rng = ArchitectureSpace(cells, skeleton), np.random.default_rng(0)
    drawn = [space.draw(rng).genome for _ in range(_WHOLE)]
    with torch.random.fork_rng(devices=[]):
        calls: dict[Part, Call] = {}
        for architecture in covering(cells):
            for part, call in _calls(architecture, skeleton, device):
                calls.setdefault(part, call)
        whole = [_network_call(Network(one, skeleton), skeleton.image, device) for one in drawn]
        times = _timed([*calls.values(), *whole], device)
    table = LatencyTable({**dict(zip(calls, times, strict=False)), REST: 0.0}, device)
    # Modules that call modules, and lists of maps: what is left of whole networks is the same for every cell.
    left = [taken - predicted(one, skeleton, table) for one, taken in zip(drawn, times[len(calls) :], strict=True)]
    rest = max(0.0, math.fsum(left) / len(left) / skeleton.cells)
    return LatencyTable({**table.parts, REST: rest}, device)


def measured(network: nn.Module, image: tuple[int, int, int], device: str = "cpu") -> float:
    """Milliseconds that a network takes for one image.

    Args:
        network: takes images `[1, channels, height, width]`; it is moved to the device, and set to evaluation.
        image: channels, height, width.
        device: `cpu` (one thread), `cuda`, or `auto`.

    Raises:
        NoDevice: there is no such device.
    """
    device = resolve(device)
    with torch.random.fork_rng(devices=[]):
        return _timed([_network_call(network, image, device)], device)[0]


def _network_call(network: nn.Module, image: tuple[int, int, int], device: str) -> Call:
    network = network.to(device).eval()
    images = torch.randn(1, *image).to(device)
    return lambda: network(images)


def _calls(architecture: Architecture, skeleton: Skeleton, device: str) -> Iterator[tuple[Part, Call]]:
    """Every part of a network with a call that does what it does there."""
    modules = _in_order(Network(architecture, skeleton).to(device).eval())
    for part in parts(architecture, skeleton):
        if part != REST:
            taken = torch.randn(1, part.taken, part.height, part.width).to(device)
            yield part, _call(next(modules) if part.name in MODULES else None, part, taken)


def _call(module: Callable[[Tensor], Tensor] | None, part: Part, taken: Tensor) -> Call:
    if module is not None:
        return lambda: module(taken)
    if part.name == "add":
        return lambda: taken + taken
    maps = [taken] * (part.made // part.taken)
    return lambda: torch.cat(maps, dim=1)


def _in_order(network: Network) -> Iterator[Callable[[Tensor], Tensor]]:
    """The modules of a network that are parts of it, in the order in which it runs."""
    yield network.stem
    for cell in network.cells:
        names = [name for name, _ in cell.named_children() if name in ("enter0", "enter1")]
        yield from [cell.get_submodule(name) for name in names]
        edges = getattr(cell, "edges", None)
        yield from edges if isinstance(edges, nn.ModuleList) else [cell]
    yield lambda last: network.classifier(network.last(last).mean((2, 3)))


def _timed(calls: Sequence[Call], device: str) -> list[float]:
    """Milliseconds of each call, the lower quartile over rounds in each of which all of them have their turn.

    One after the other, as in a network, a call finds the caches as others left them; repeated by itself it would be a
    seventh too fast. What else the machine does only ever adds, and so falls out with the slower rounds.
    """
    keep_freed_memory()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.no_grad():
            times = _rounds([_nothing, *calls], device)
    finally:
        torch.set_num_threads(threads)
    clock, *found = np.quantile(times, 0.25, axis=0).tolist()
    return [1000.0 * max(0.0, one - clock) for one in found]


def _rounds(calls: Sequence[Call], device: str) -> list[list[float]]:
    """Seconds of every call, a list for each round."""
    for call in calls:
        for _ in range(_WARM_UP):
            call()
    block = _cuda_block if device == "cuda" else _once
    began = time.perf_counter()
    rounds: list[list[float]] = []
    while len(rounds) < ROUNDS[0] or (len(rounds) < ROUNDS[1] and time.perf_counter() - began < SECONDS):
        rounds.append([block(call) for call in calls])
    return rounds


def _once(call: Call) -> float:
    """Seconds that this thread, which is the only one, computes: not what others do on the machine meanwhile."""
    began = time.thread_time()
    call()
    return time.thread_time() - began


def _cuda_block(call: Call) -> float:
    torch.cuda.synchronize()
    began = time.perf_counter()
    for _ in range(_ON_CUDA):
        call()
    torch.cuda.synchronize()
    return (time.perf_counter() - began) / _ON_CUDA


def _nothing() -> None:
    """What reading the clock takes."""
