"""Measured latencies. No duration is asserted, except between networks that differ a hundredfold."""

import pytest
import torch
from latency_parts import parts_of_space

from germline.evaluators.architecture import latency_measurement
from germline.evaluators.architecture.evaluator import ArchitectureEvaluator
from germline.evaluators.architecture.latency_measurement import measure_network, measure_table
from germline.evaluators.device import NoDevice
from germline.programs.architecture.cells import SPACES, CellSpace
from germline.programs.architecture.genome import write
from germline.programs.architecture.latency import REST, LatencyTable, predicted
from germline.programs.architecture.network import Network
from germline.programs.architecture.skeleton import Skeleton

SIZE = Skeleton(channels=4, cells=3, classes=3, image=(1, 8, 8))


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency_measurement, "ROUNDS", (3, 3))


@pytest.mark.slow
@pytest.mark.parametrize("name", SPACES)
def test_every_part_of_a_space_is_measured(name: str) -> None:
    table = measure_table(SPACES[name], SIZE)
    assert set(table.parts) == set(parts_of_space(SPACES[name], SIZE))
    assert table.device == "cpu" and table.parts[REST] >= 0.0
    assert all(time > 0.0 for part, time in table.parts.items() if part.name in ("stem", "head", "sep_conv_5x5"))


@pytest.mark.slow
def test_larger_networks_take_longer() -> None:
    cells = CellSpace(("skip_connect", "sep_conv_5x5"), nodes=4)
    slow = CellSpace(("sep_conv_5x5",), nodes=4).smallest()
    table = measure_table(cells, SIZE)
    assert predicted(slow, SIZE, table) > predicted(cells.smallest(), SIZE, table)
    slow_time, fast_time = (measure_network(Network(cell, SIZE), SIZE.image) for cell in (slow, cells.smallest()))
    assert slow_time > fast_time


def test_measuring_leaves_threads_and_generator_as_they_were() -> None:
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    measure_table(CellSpace(("skip_connect",), nodes=1), SIZE)
    assert torch.get_num_threads() == threads and torch.equal(torch.get_rng_state(), state)
    assert torch.is_grad_enabled()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_missing_device_is_refused() -> None:
    with pytest.raises(NoDevice, match="expected a CUDA device"):
        measure_table(SPACES["nb201"], SIZE, "cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_cuda_device_is_measured() -> None:
    cells = CellSpace(("skip_connect", "sep_conv_3x3"), nodes=2)
    table = measure_table(cells, SIZE, "cuda")
    assert table.device == "cuda" and set(table.parts) == set(parts_of_space(cells, SIZE))
    assert measure_network(Network(cells.smallest(), SIZE), SIZE.image, "cuda") > 0.0


def test_an_outcome_has_the_predicted_latency_if_the_run_has_a_table() -> None:
    cells = SPACES["nb201"]
    size = Skeleton(channels=16, cells=15, classes=10, image=(3, 32, 32))
    table = LatencyTable({part: float(number) for number, part in enumerate(parts_of_space(cells, size))})
    genome = cells.smallest()
    evaluator = ArchitectureEvaluator("nb201-cifar10", 0, latency=table.data())
    assert [objective.name for objective in evaluator.objectives] == ["validation_error", "params", "macs", "latency"]
    (outcome,) = evaluator.score([write(genome)], 0, 0)
    assert outcome.objectives["latency"] == predicted(genome, evaluator.full, table)
    (without,) = ArchitectureEvaluator("nb201-cifar10", 0).score([write(genome)], 0, 0)
    assert "latency" not in without.objectives
