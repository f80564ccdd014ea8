"""Architectures scored: the table, real training, and what is no architecture."""

import json
from collections.abc import Sequence

import numpy as np
import pytest

from germline.evaluators.architecture.evaluator import ArchitectureEvaluator
from germline.evaluators.architecture.trainer import Networks, initial_networks
from germline.evaluators.outcome import Outcome
from germline.evaluators.task import NoHeldout, Rung
from germline.evaluators.tasks import image_cells
from germline.evaluators.tasks.image_cells import DigitsCells
from germline.programs.architecture.cells import SPACES
from germline.programs.architecture.genome import Architecture, write
from germline.programs.architecture.handmade import SEPARABLE
from germline.programs.architecture.skeleton import Skeleton
from germline.programs.architecture.space import ArchitectureSpace

BEST = ["nor_conv_3x3", "nor_conv_3x3", "nor_conv_3x3", "skip_connect", "nor_conv_3x3", "nor_conv_1x1"]
NONE = ["none"] * 6


def cell(operations: list[str]) -> str:
    return json.dumps({"cell": [[name, source] for name, source in zip(operations, (0, 0, 1, 0, 1, 2), strict=True)]})


def test_the_table_knows_what_was_trained() -> None:
    """The best cell on CIFAR-10 has a mean validation accuracy of 91.607 %; nothing but zeros guesses."""
    found = ArchitectureEvaluator("nb201-cifar10", 0).score([cell(BEST), cell(NONE)], 0, 0)
    assert [one.status for one in found] == ["ok", "ok"]
    assert found[0].objectives["validation_error"] == pytest.approx(100 - 91.6067, abs=1e-3)
    assert found[0].objectives["params"] == 1_073_466
    assert found[0].fitness == -found[0].objectives["validation_error"]
    assert found[1].objectives["validation_error"] == pytest.approx(90, abs=1)
    assert found[0].measures["training_seconds"] > found[1].measures["training_seconds"] > 0


@pytest.mark.slow
def test_a_network_is_trained_and_one_of_other_weights_differs() -> None:
    evaluator = ArchitectureEvaluator("digits-cells", 0, cells=2, channels=4, full_cells=5, full_channels=8)
    genome = write(SPACES["darts"].smallest())
    first, again = evaluator.score([genome, genome], 0, 0)
    (other,) = evaluator.score([genome], 0, 1)
    assert first.status == "ok" and first.fitness is not None and first.fitness > -50
    assert first.fitness == again.fitness and first.measures == again.measures
    assert other.measures["loss"] != first.measures["loss"]
    assert first.objectives["params"] > 0


def test_an_invalid_architecture_is_an_outcome() -> None:
    (found,) = ArchitectureEvaluator("nb201-cifar10", 0).score(["def train(): pass"], 0, 0)
    assert found.status == "rejected" and "expected JSON" in str(found.error)


@pytest.mark.slow
def test_a_hurdle_drops_candidates_over_their_own_limit_and_changes_no_others() -> None:
    rng = np.random.default_rng(3)
    size = {"cells": 3, "channels": 4, "full_cells": 3, "full_channels": 4}
    space = ArchitectureSpace(SPACES["darts"], Skeleton(4, 3, 10, (1, 8, 8)))
    genomes = [write(space.draw(rng).genome) for _ in range(6)]
    free = ArchitectureEvaluator("digits-cells", 0, **size).score(genomes, 0, 0)
    looking = ArchitectureEvaluator("digits-cells", 0, hurdle=0.4, **size)
    looked = looking.score(genomes, 0, 0)
    assert [one.objectives for one in looked] == [one.objectives for one in free]
    shown = [one.measures["hurdle"] for one in looked]
    assert len(set(shown)) == 6 and all(0 < loss < 3 for loss in shown)
    middle = sorted(shown)[2]
    for limit, expected in (
        (middle, [loss <= middle for loss in shown]),
        (0.0, [False] * 6),
        # Only those that are as large as the largest meet a hurdle that nobody clears.
        (((max(one.objectives["params"] for one in free), 0.0),), [one is not largest(free) for one in free]),
    ):
        dropped = looking.score(genomes, 0, 0, limit)
        assert [one.status == "ok" for one in dropped] == expected
        for before, after in zip(looked, dropped, strict=True):
            assert after.measures["hurdle"] == before.measures["hurdle"] and after.seconds > 0
            if after.status == "ok":
                assert (after.fitness, after.measures) == (before.fitness, before.measures)
            else:
                assert after.status == "rejected" and "above the threshold of the hurdle" in str(after.error)


def largest(outcomes: list[Outcome]) -> Outcome:
    return max(outcomes, key=lambda one: one.objectives["params"])


@pytest.mark.slow
def test_held_out_images_are_measured_only_when_asked_for() -> None:
    evaluator = ArchitectureEvaluator("digits-cells", 0, cells=3, channels=4, full_cells=3, full_channels=4)
    genome = write(SEPARABLE)
    (outcome,) = evaluator.validate([genome], 0, 1_000)
    (same,) = evaluator.score([genome], 0, 1_000)
    error = outcome.objectives["heldout_error"]
    assert 0 < error < 90
    assert error != same.objectives["validation_error"]
    again, bad = evaluator.validate([genome, "nothing"], 0, 1_000)
    assert again.objectives == outcome.objectives and not bad.objectives
    assert bad.status == "rejected" and "expected JSON" in str(bad.error)
    with pytest.raises(NoHeldout, match="nb201-cifar10 is a table"):
        ArchitectureEvaluator("nb201-cifar10", 0).validate([cell(BEST)], 0, 0)


@pytest.mark.slow
def test_a_pack_that_does_not_fit_the_memory_is_halved_and_its_outcomes_are_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(DigitsCells, "rungs", (Rung(3, 16),))
    space = ArchitectureSpace(SPACES["darts"], Skeleton(2, 2, 10, (1, 8, 8)))
    rng = np.random.default_rng(5)
    genomes = [write(space.draw(rng).genome) for _ in range(5)]
    size, packs = {"cells": 2, "channels": 2, "full_cells": 2, "full_channels": 2}, []
    whole = ArchitectureEvaluator("digits-cells", 1, **size).score(genomes, 0, 0)

    def narrow(architectures: Sequence[Architecture], *args: object) -> Networks:
        packs.append(len(architectures))
        if len(architectures) > 2:
            raise MemoryError("too many")
        return initial_networks(architectures, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(image_cells, "initial_networks", narrow)
    evaluator = ArchitectureEvaluator("digits-cells", 1, **size)
    parts = evaluator.score(genomes, 0, 0)
    assert [(one.status, one.measures) for one in parts] == [(one.status, one.measures) for one in whole]
    assert packs == [5, 2, 2, 1]
    assert evaluator.score([], 0, 0) == []
