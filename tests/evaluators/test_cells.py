"""Architectures scored: the table, real training, and what is no architecture."""

import json

import pytest

from germline.evaluators.cells import CellEvaluator
from germline.programs.architecture.genome import write
from germline.programs.architecture.space import SPACES

BEST = ["nor_conv_3x3", "nor_conv_3x3", "nor_conv_3x3", "skip_connect", "nor_conv_3x3", "nor_conv_1x1"]
NONE = ["none"] * 6


def cell(operations: list[str]) -> str:
    return json.dumps({"cell": [[name, source] for name, source in zip(operations, (0, 0, 1, 0, 1, 2), strict=True)]})


def test_the_table_knows_what_was_trained() -> None:
    """The best cell on CIFAR-10 has a mean validation accuracy of 91.607 %; nothing but zeros guesses."""
    found = CellEvaluator("nb201-cifar10", 0).score([cell(BEST), cell(NONE)], 0, 0)
    assert [one.status for one in found] == ["ok", "ok"]
    assert found[0].objectives["validation_error"] == pytest.approx(100 - 91.6067, abs=1e-3)
    assert found[0].objectives["params"] == 1_073_466
    assert found[0].fitness == -found[0].objectives["validation_error"]
    assert found[1].objectives["validation_error"] == pytest.approx(90, abs=1)
    assert found[0].measures["training_seconds"] > found[1].measures["training_seconds"] > 0


def test_a_network_is_trained_and_one_of_other_weights_differs() -> None:
    evaluator = CellEvaluator("digits-cells", 0, cells=2, channels=4, full_cells=5, full_channels=8)
    genome = write(SPACES["darts"].smallest())
    first, again = evaluator.score([genome, genome], 0, 0)
    (other,) = evaluator.score([genome], 0, 1)
    assert first.status == "ok" and first.fitness is not None and first.fitness > -50
    assert first.fitness == again.fitness and first.measures == again.measures
    assert other.measures["loss"] != first.measures["loss"]
    assert first.objectives["params"] > 0


def test_what_is_no_architecture_is_an_outcome() -> None:
    (found,) = CellEvaluator("nb201-cifar10", 0).score(["def train(): pass"], 0, 0)
    assert found.status == "rejected" and "expected JSON" in str(found.error)
