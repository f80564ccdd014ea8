"""Scores without training: pure functions that say something about the real accuracy; and what a pool is."""

import numpy as np
import pytest
import torch

from germline.evaluators.data.load import nb201
from germline.programs.architecture.cells import SPACES
from germline.programs.architecture.counts import count
from germline.programs.architecture.genome import Architecture
from germline.programs.architecture.score import SCORES, size, synflow
from germline.programs.architecture.skeleton import Skeleton
from germline.programs.architecture.space import ArchitectureSpace

SKELETON = Skeleton(16, 15)


def place(genome: Architecture) -> int:
    number = 0
    for name, _ in genome.cells[0].edges:
        number = 5 * number + SPACES["nb201"].operations.index(name)
    return number


def ranks(values: list[float]) -> np.ndarray:
    return np.argsort(np.argsort(values)).astype(float)


@pytest.mark.slow
@pytest.mark.parametrize("name", SCORES)
def test_the_order_of_a_score_is_much_like_that_of_trained_networks(name: str) -> None:
    space = ArchitectureSpace(SPACES["nb201"], SKELETON)
    rng = np.random.default_rng(0)
    genomes = [space.draw(rng).genome for _ in range(60)]
    accuracy = np.nanmean(nb201("cifar10").accuracy, axis=1)
    trained = [float(accuracy[place(one)]) for one in genomes]
    guessed = [SCORES[name](one, SKELETON) for one in genomes]
    assert np.corrcoef(ranks(trained), ranks(guessed))[0, 1] > 0.4


def test_synflow_is_the_same_every_time_and_leaves_the_dice_alone() -> None:
    space = ArchitectureSpace(SPACES["eeea"], Skeleton(8, 3, 10, (1, 8, 8)))
    genome = space.draw(np.random.default_rng(1)).genome
    before = torch.get_rng_state()
    first = synflow(genome, space.skeleton)
    assert synflow(genome, space.skeleton) == first > 0
    assert torch.equal(torch.get_rng_state(), before)


def test_a_pool_gives_its_best() -> None:
    rng = np.random.default_rng(5)
    pooled = ArchitectureSpace(SPACES["darts"], SKELETON, pool=6, score=size).draw(rng).genome
    rng = np.random.default_rng(5)
    single = ArchitectureSpace(SPACES["darts"], SKELETON)
    assert count(pooled, SKELETON).params == max(count(single.draw(rng).genome, SKELETON).params for _ in range(6))
