"""A part of a pack gets the bits that it would get in the pack, for tasks of every kind and of a user's own."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from own_tasks import LINE, task_file

from germline.evaluators.evaluator import EVALUATED_AT_ONCE, Evaluator, EvaluatorSpec
from germline.evaluators.optimizer import evaluator as optimizer_evaluator
from germline.evaluators.optimizer.trainer import train
from germline.evaluators.optimizer.training_loop import TrainingResult
from germline.evaluators.outcome import Outcome
from germline.evaluators.task import Task
from germline.evaluators.tasks.digits_mlp import DigitsMLP
from germline.evaluators.tasks.registry import task_class
from germline.programs.architecture.cells import SPACES
from germline.programs.architecture.genome import write as write_architecture
from germline.programs.architecture.skeleton import Skeleton
from germline.programs.architecture.space import ArchitectureSpace
from germline.programs.optimizer import library
from germline.programs.policy.genome import Policy
from germline.programs.policy.genome import write as write_policy
from germline.programs.policy.network import Network

DIVERGES = "def train(w, g, m, v, lr):\n  update = exp10(w) * 1e30\n  update = update * update\n  return update, m, v\n"
INVALID = "def train(w, g, lr):\n  return lr,\n"


def numbers(outcomes: Sequence[Outcome]) -> list[object]:
    return [(outcome.status, outcome.fitness, outcome.objectives, outcome.measures) for outcome in outcomes]


@pytest.fixture
def line(tmp_path: Path) -> str:
    return f"{task_file(tmp_path, LINE)}:Line"


def line_evaluator(line: str, **options: Any) -> Evaluator[Any]:
    return EvaluatorSpec("optimizer", line, seed=3, options=options).build()


PROGRAMS = [*list(library().values())[:9], INVALID, *[DIVERGES] * 6, library()["muon"], library()["sgd_momentum"]]


@pytest.mark.slow
def test_products_of_one_row_round_otherwise_than_those_of_a_pack(line: str) -> None:
    """Without this, the tests below would show nothing."""
    evaluator = line_evaluator(line)
    whole = evaluator.score(PROGRAMS, 0, 0)
    alone = [evaluator.score([program], 0, 0)[0] for program in PROGRAMS]
    assert numbers(whole) != numbers(alone)


@pytest.mark.slow
def test_a_part_of_a_pack_gets_the_bits_of_the_pack(line: str) -> None:
    evaluator = line_evaluator(line)
    whole = evaluator.score(PROGRAMS, 0, 0)
    assert sum(outcome.status == "diverged" for outcome in whole) >= 6  # a pack of independent rows would shrink
    assert [outcome.status for outcome in whole].count("rejected") == 1
    for part in [*((i,) for i in range(len(PROGRAMS))), (4, 2), (16, 17, 0), (9,), (9, 10), ()]:
        assert numbers(evaluator.score(PROGRAMS, 0, 0, only=part)) == numbers([whole[i] for i in part])


@pytest.mark.slow
def test_neighbours_that_diverge_do_not_change_a_bit(line: str) -> None:
    evaluator = line_evaluator(line, lengths=(0.5, 1.0))
    sound = list(library().values())[:16]
    mixed = [DIVERGES if i % 2 else program for i, program in enumerate(sound)]
    assert numbers(evaluator.score(sound, 0, 0)[::2]) == numbers(evaluator.score(mixed, 0, 0)[::2])


@pytest.mark.slow
def test_a_part_gets_the_same_bits_at_a_hurdle(line: str) -> None:
    evaluator = line_evaluator(line, lengths=(0.5, 1.0), hurdle=0.5)
    free = evaluator.score(PROGRAMS, 0, 0)
    limit = sorted(outcome.measures["hurdle"] for outcome in free if outcome.status == "ok")[3]
    limited = evaluator.score(PROGRAMS, 0, 0, limit)
    assert len({outcome.status for outcome in limited}) == 3
    for i, outcome in enumerate(limited):
        if outcome.status == "ok":
            assert outcome.fitness == free[i].fitness
        assert numbers(evaluator.score(PROGRAMS, 0, 0, limit, only=[i])) == numbers([outcome])


@pytest.mark.slow
def test_without_a_claim_a_task_on_digits_gets_the_bits_of_digits(tmp_path: Path) -> None:
    """Rows in the order of candidates, and rows in the order of the engine that leave, are the same numbers."""
    text = (
        "from germline.evaluators.tasks.digits_mlp import DigitsMLP\nclass Own(DigitsMLP):\n  batch_invariant = False\n"
    )
    spec = EvaluatorSpec("optimizer", f"{task_file(tmp_path, text)}:Own", seed=3, options={"lengths": (0.1, 0.2)})
    pack = [library()["muon"], *PROGRAMS[:4], library()["adafactor"], DIVERGES, DIVERGES, DIVERGES]
    expected = EvaluatorSpec("optimizer", "digits-mlp", seed=3, options={"lengths": (0.1, 0.2)}).build()
    evaluator = spec.build()
    assert not evaluator.independent and expected.independent
    assert numbers(evaluator.score(pack, 0, 0)) == numbers(expected.score(pack, 0, 0))
    assert numbers(evaluator.score(pack, 0, 0, only=[5, 1])) == numbers(expected.score(pack, 0, 0, only=[5, 1]))


@pytest.mark.slow
def test_the_genomes_of_the_other_places_are_not_evaluated(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    packs = []

    def recorded(task: object, programs: Sequence[object], *args: Any, **options: Any) -> list[TrainingResult]:
        packs.append(list(programs))
        return train(task, programs, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(optimizer_evaluator, "train", recorded)
    evaluator = line_evaluator(line)
    evaluator.score(PROGRAMS, 0, 0, only=[3])
    (pack,) = packs
    assert len(pack) == len(PROGRAMS) - 1 and pack == [evaluator.read(PROGRAMS[3])] * len(pack)
    packs.clear()
    digits = EvaluatorSpec("optimizer", "digits-mlp", seed=3, options={"lengths": (0.05,)}).build()
    digits.score(PROGRAMS, 0, 0, only=[3])
    assert [len(pack) for pack in packs] == [1]  # where rows are independent, a part is a pack of its own


@pytest.mark.slow
def test_a_pack_beyond_the_memory_says_how_many_were_evaluated_at_once(
    line: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sizes: list[int] = []

    def small(task: object, programs: Sequence[object], *args: Any, **options: Any) -> list[TrainingResult]:
        sizes.append(len(programs))
        if len(programs) > 3:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes")
        return train(task, programs, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(optimizer_evaluator, "train", small)
    evaluator = line_evaluator(line)
    pack = list(library().values())[:8]
    for _ in range(2):  # what a worker met before does not change what comes after
        outcomes = evaluator.score(pack, 0, 0)
        assert {outcome.measures[EVALUATED_AT_ONCE] for outcome in outcomes} == {2.0}
        assert sizes == [8, 4, 2, 2, 2, 2]
        sizes.clear()
    assert numbers(evaluator.score(pack, 0, 0, only=[5])) == numbers([outcomes[5]])
    assert sizes == [8, 4, 2]  # parts without a wanted genome are not evaluated
    assert "may change the last bits" in caplog.text and "--set pack=N" in caplog.text


@pytest.mark.slow
def test_parts_of_packs_of_architectures(tmp_path: Path) -> None:
    text = (
        "from germline.evaluators.tasks.image_cells import DigitsCells\n"
        "class Own(DigitsCells):\n  batch_invariant = False\n"
    )
    size = {"cells": 2, "channels": 4, "full_cells": 2, "full_channels": 4}
    space, rng = ArchitectureSpace(SPACES["darts"], Skeleton(4, 2, 10, (1, 8, 8))), np.random.default_rng(0)
    pack = [*(write_architecture(space.draw(rng).genome) for _ in range(3)), "{}"]
    for task in ("digits-cells", f"{task_file(tmp_path, text)}:Own"):
        evaluator = EvaluatorSpec("architecture", task, seed=3, options=size).build()
        whole = evaluator.score(pack, 0, 0)
        assert [outcome.status for outcome in whole] == ["ok", "ok", "ok", "rejected"]
        assert numbers(evaluator.score(pack, 0, 0, only=[3, 1])) == numbers([whole[3], whole[1]])


def test_parts_of_packs_of_policies() -> None:
    evaluator = EvaluatorSpec("policy", "gym:CartPole-v1", seed=3, options={"episodes": (2, 2, 2)}).build()
    network = Network("mlp", (4,), 2, (8,))
    pack = [*(write_policy(Policy(network, seed, ((7, 0.5),))) for seed in range(5)), "{}"]
    whole = evaluator.score(pack, 0, 0)
    assert numbers(evaluator.score(pack, 0, 0, only=[5, 3, 0])) == numbers([whole[i] for i in (5, 3, 0)])


def test_a_claim_is_about_code_and_is_not_inherited_by_other_code() -> None:
    class Weighted(DigitsMLP):
        def loss(self, params: Any, split: Any, index: Any) -> torch.Tensor:
            return 2 * super().loss(params, split, index)

    class Renamed(DigitsMLP):
        name = "renamed"

    class Claims(Weighted):
        batch_invariant = True

    claims: list[type[Task]] = [DigitsMLP, Weighted, Renamed, Claims]
    assert [task.batch_invariant for task in claims] == [True, False, True, True]


@pytest.mark.parametrize("name", ["digits-mlp", "digits-cells", "cifar10-cells", "nb201-cifar10", "gym:Pendulum-v1"])
def test_the_built_in_tasks_claim_to_be_batch_invariant(name: str) -> None:
    assert task_class(name).batch_invariant
