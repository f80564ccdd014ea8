"""The closed form of latency against networks that are built, and the limit on it."""

import json
import math
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from latency_parts import parts_of_space
from torch import nn

from germline.programs.architecture.cells import SPACES, CellSpace
from germline.programs.architecture.counts import count
from germline.programs.architecture.genome import Architecture, InvalidArchitecture
from germline.programs.architecture.latency import (
    REST,
    BadTable,
    LatencyTable,
    NotMeasured,
    fastest,
    parts,
    predicted,
)
from germline.programs.architecture.layers import Part
from germline.programs.architecture.network import Network
from germline.programs.architecture.skeleton import Skeleton
from germline.programs.architecture.space import ArchitectureSpace, Limits

SKELETONS = (
    Skeleton(channels=4, cells=3, classes=10, image=(3, 16, 16)),
    Skeleton(channels=6, cells=5, classes=7, image=(1, 9, 14)),
    Skeleton(channels=2, cells=1, classes=2, image=(1, 5, 5)),
    Skeleton(channels=4, cells=8, classes=100, image=(3, 11, 13)),
)
WITHOUT_MODULE = ("add", "concat", "rest")
SPACE = SPACES["eeea-paper"]
SIZE = SKELETONS[0]


def made_up(cells: CellSpace, skeleton: Skeleton, seed: int = 0) -> LatencyTable:
    """A table of random times."""
    times = np.random.default_rng(seed).uniform(0.01, 1.0, 1000)
    return LatencyTable({part: float(time) for part, time in zip(parts_of_space(cells, skeleton), times, strict=False)})


@pytest.mark.slow
@pytest.mark.parametrize("name", SPACES)
def test_the_parts_are_those_of_the_built_network(name: str) -> None:
    rng = np.random.default_rng(1)
    for number in range(12):
        skeleton = SKELETONS[number % len(SKELETONS)]
        genome = ArchitectureSpace(SPACES[name], skeleton).draw(rng).genome
        assert built(genome, skeleton) == [part for part in parts(genome, skeleton) if part.name not in WITHOUT_MODULE]


def built(genome: Architecture, skeleton: Skeleton) -> list[Part]:
    """The parts of a network with a module, in order, by the shapes that the modules receive when it runs."""
    network = Network(genome, skeleton).eval()
    result: list[Part] = []

    def watch(module: nn.Module, name: str, stride: int = 1, out_channels: int | None = None) -> None:
        def record(_: nn.Module, inputs: tuple[torch.Tensor, ...], out: torch.Tensor) -> None:
            in_shape = inputs[0].shape
            result.append(Part(name, stride, in_shape[1], out_channels or out.shape[1], *in_shape[2:]))

        module.register_forward_hook(record)

    watch(network.stem, "stem")
    for number, cell in enumerate(network.cells):
        if not hasattr(cell, "edges"):
            watch(cell, "block", 2)
            continue
        reduces = genome.inputs == 2 and number in skeleton.reductions
        if genome.inputs == 2:
            after = number - 1 in skeleton.reductions
            watch(cell.get_submodule("enter0"), "halve" if after else "enter", 2 if after else 1)
            watch(cell.get_submodule("enter1"), "enter")
        for (name, source), edge in zip(
            genome.cells[reduces].edges, cell.get_submodule("edges").children(), strict=True
        ):
            watch(edge, name, 2 if reduces and source < 2 else 1)
    # `last`, a norm or the identity, receives the output of the last cell, as the head does.
    watch(network.last, "head", out_channels=skeleton.classes)
    with torch.no_grad():
        network(torch.zeros(1, *skeleton.image))
    return result


@pytest.mark.slow
@pytest.mark.parametrize("name", SPACES)
def test_the_prediction_is_the_sum_over_the_built_network(name: str) -> None:
    rng = np.random.default_rng(2)
    for number in range(8):
        skeleton = SKELETONS[number % len(SKELETONS)]
        table = made_up(SPACES[name], skeleton, number)
        genome = ArchitectureSpace(SPACES[name], skeleton).draw(rng).genome
        left = [part for part in parts(genome, skeleton) if part.name in WITHOUT_MODULE]
        times = [table.parts[part] for part in (*built(genome, skeleton), *left)]
        assert predicted(genome, skeleton, table) == math.fsum(times)
        joined = [part.out_channels // part.in_channels for part in left if part.name == "concat"]
        order = [number in skeleton.reductions for number in range(skeleton.cells)]
        if genome.inputs == 2:
            assert joined == [len(genome.cells[reduces].concat) for reduces in order]
            assert [part.name for part in left].count("add") == skeleton.cells * SPACES[name].nodes
        assert left.count(REST) == skeleton.cells


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("skeleton", SKELETONS)
def test_what_is_measured_is_enough_for_all_of_a_space(name: str, skeleton: Skeleton) -> None:
    rng = np.random.default_rng(3)
    table = made_up(SPACES[name], skeleton)
    space = ArchitectureSpace(SPACES[name], skeleton)
    for _ in range(100):
        assert predicted(space.draw(rng).genome, skeleton, table) > 0


def every(cells: CellSpace) -> Iterator[Architecture]:
    """All architectures of a small space."""
    choices = []
    for number in range(cells.nodes):
        sources = cells.sources(number)
        taken = [tuple(sources)] if cells.inputs == 1 else list(product(sources, repeat=2))
        nodes = [
            tuple(zip(names, one, strict=True)) for one in taken for names in product(cells.operations, repeat=len(one))
        ]
        choices.append(nodes)
    made = [cells.cell(tuple(nodes)) for nodes in product(*choices)]
    yield from (Architecture(one) for one in product(made, repeat=cells.inputs))


SMALL = (
    CellSpace(("max_pool_3x3", "skip_connect"), nodes=1),
    CellSpace(("max_pool_3x3",), nodes=2),
    CellSpace(("max_pool_3x3",), nodes=2, concat="all"),
    CellSpace(("max_pool_3x3",), nodes=3, last=False),
    CellSpace(("none", "skip_connect", "nor_conv_1x1"), nodes=2, inputs=1),
)


@pytest.mark.slow
@pytest.mark.parametrize("cells", SMALL)
def test_the_fastest_of_a_space_is_the_fastest(cells: CellSpace) -> None:
    for seed, skeleton in enumerate(SKELETONS):
        table = made_up(cells, skeleton, seed)
        times = [predicted(one, skeleton, table) for one in every(cells)]
        assert predicted(fastest(cells, skeleton, table), skeleton, table) == min(times)


@pytest.mark.parametrize("name", SPACES)
def test_no_draw_is_faster_than_the_fastest(name: str) -> None:
    rng = np.random.default_rng(4)
    for seed, skeleton in enumerate(SKELETONS):
        table = made_up(SPACES[name], skeleton, seed)
        space = ArchitectureSpace(SPACES[name], skeleton)
        quick = fastest(SPACES[name], skeleton, table)
        assert space.check(quick) is None
        least = predicted(quick, skeleton, table)
        assert all(predicted(space.draw(rng).genome, skeleton, table) >= least for _ in range(100))
        assert all(predicted(one, skeleton, table) >= least for one in space.neighbours(quick))


def test_a_limit_on_latency_holds_for_all_that_is_born() -> None:
    rng = np.random.default_rng(5)
    table = made_up(SPACE, SIZE)
    drawn = sorted(predicted(ArchitectureSpace(SPACE, SIZE).draw(rng).genome, SIZE, table) for _ in range(60))
    least = predicted(fastest(SPACE, SIZE, table), SIZE, table)
    for limit in (drawn[20], least * 1.02, least):
        space = ArchitectureSpace(SPACE, SIZE, Limits(latency=limit), table)
        genomes = [space.draw(rng).genome for _ in range(4)]
        genomes += [space.vary(one, "mutate", rng).genome for one in genomes]
        genomes += [space.cross(genomes[0], one, rng).genome for one in genomes]
        for one in genomes:
            assert predicted(one, SIZE, table) <= limit and space.check(one) is None
        assert all(predicted(one, SIZE, table) <= limit for one in space.neighbours(genomes[0])[:20])


def test_what_no_network_can_keep_is_refused() -> None:
    table = made_up(SPACE, SIZE)
    quick = predicted(fastest(SPACE, SIZE, table), SIZE, table)
    with pytest.raises(InvalidArchitecture, match=f"so fast: expected at most .* ms of latency, got {quick:g}"):
        ArchitectureSpace(SPACE, SIZE, Limits(latency=quick * 0.999), table)
    with pytest.raises(InvalidArchitecture, match="so small: expected at most 10 params"):
        ArchitectureSpace(SPACE, SIZE, Limits(params=10, latency=quick * 0.999), table)


def test_limits_that_exclude_each_other_are_refused_with_both() -> None:
    """Here the operation with parameters is the fast one."""
    cells = CellSpace(("max_pool_3x3", "sep_conv_3x3"), nodes=1)
    times = {part: 5.0 if part.name == "max_pool_3x3" else 1.0 for part in parts_of_space(cells, SIZE)}
    table = LatencyTable(times)
    quick = predicted(fastest(cells, SIZE, table), SIZE, table)
    assert (
        ArchitectureSpace(cells, SIZE, Limits(latency=quick), table).fallback
        == fastest(cells, SIZE, table)
        != cells.smallest()
    )
    params = count(cells.smallest(), SIZE).params
    with pytest.raises(InvalidArchitecture, match=r"keeps all limits: .* smallest one, .* params, .* for the fastest"):
        ArchitectureSpace(cells, SIZE, Limits(params=params, latency=quick), table)


def test_a_table_is_the_same_after_json() -> None:
    table = made_up(SPACE, SIZE)
    assert LatencyTable.of(json.loads(json.dumps(table.data()))) == table


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {"parts": []},
        {"device": "cpu", "parts": [["add", 1, 2, 2, 4]]},
        {"device": "cpu", "parts": [["add", 1, 2, 2, 4, 4, -1.0]]},
        {"device": "cpu", "parts": [["add", 1, 2, 2, 4, 4, float("nan")]]},
        {"device": "cpu", "parts": [["add", "x", 2, 2, 4, 4, 1.0]]},
        {"device": "cpu", "parts": 3},
    ],
)
def test_what_is_no_table_is_refused(data: Any) -> None:
    with pytest.raises(BadTable, match="expected a table of latencies"):
        LatencyTable.of(data)


def test_a_network_of_another_size_is_not_guessed() -> None:
    table = made_up(SPACE, SIZE)
    with pytest.raises(NotMeasured, match="expected a network of measured parts, got stem"):
        predicted(SPACE.smallest(), SKELETONS[1], table)


def test_loose_ends_of_the_cover_are_all_that_there_are() -> None:
    rng = np.random.default_rng(6)
    for name, cells in SPACES.items():
        if cells.inputs == 2 and cells.concat == "loose":
            drawn = {
                len(cell.concat) for _ in range(200) for cell in ArchitectureSpace(cells, SIZE).draw(rng).genome.cells
            }
            measured = {
                part.out_channels // part.in_channels for part in parts_of_space(cells, SIZE) if part.name == "concat"
            }
            assert drawn <= measured, name
