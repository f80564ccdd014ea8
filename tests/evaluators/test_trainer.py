"""The batched trainer against training one candidate at a time with the reference interpreter."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from germline.evaluators.task import Rung, TrainingTask
from germline.evaluators.tasks.registry import task_class
from germline.evaluators.trainer import Trained, schedule, train
from germline.programs.optimizer import Program, library, parse
from germline.programs.optimizer.interpret import Interpreter
from germline.programs.optimizer.space import OptimizerSpace

RUNG = Rung(steps=20, batch=16)
DIVERGES = "def train(w, g, m, v, lr):\n  update = exp10(w) * 1e30\n  update = update * update\n  return update, m, v\n"
START = parse(library()["adamw_plain"])


@pytest.fixture(scope="module")
def digits() -> TrainingTask:
    torch.set_num_threads(1)
    return task_class("digits-mlp")("cpu")


def mutants(count: int, seed: int) -> list[Program]:
    """Valid programs, each some random mutations away from the start program."""
    space = OptimizerSpace(START)
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        program = START
        for _ in range(int(rng.integers(1, 12))):
            program = space.vary(program, ("insert", "delete", "modify", "tune")[int(rng.integers(4))], rng)
        found.append(program)
    return found


def alone(task: TrainingTask, program: Program, rung: Rung, seed: tuple[int, ...]) -> Trained:
    """One candidate with ordinary autograd and the interpreter, on the batches and weights that `train` uses."""
    generator = torch.Generator().manual_seed(int(np.random.SeedSequence(list(seed)).generate_state(1)[0]))
    weights = [leaf.clone() for leaf in task.start(generator).values()]
    interpreter = Interpreter(program)
    batches = np.random.default_rng([*seed, 1])

    def views() -> dict[str, Tensor]:
        return {leaf.name: weight[None] for leaf, weight in zip(task.leaves, weights, strict=True)}

    for step in range(rung.steps):
        index = torch.as_tensor(batches.integers(0, task.size("train"), rung.batch))
        for weight in weights:
            weight.requires_grad_()
        gradients = torch.autograd.grad(task.loss(views(), "train", index).sum(), weights)
        weights = [weight.detach() for weight in weights]
        updates = interpreter.step(weights, gradients, schedule(step, rung.steps))
        weights = [weight - update for weight, update in zip(weights, updates, strict=True)]
    if not all(torch.isfinite(weight).all() for weight in weights):
        return Trained(None, rung.steps)
    loss = float(task.measure(views(), "validation")["loss"][0])
    return Trained({"loss": loss} if math.isfinite(loss) else None, rung.steps)


@pytest.mark.parametrize("name", ["digits-mlp", "mnist5k-conv", "text-transformer"])
def test_a_pack_trains_as_each_candidate_would_alone(name: str) -> None:
    task = task_class(name)("cpu")
    rung = Rung(steps=10, batch=4)
    programs = [*map(parse, library().values()), *mutants(24 if name == "digits-mlp" else 4, seed=1)]
    together = train(task, programs, rung, (5, 0))
    compared = 0
    for program, found in zip(programs, together, strict=True):
        expected = alone(task, program, rung, (5, 0))
        assert (found.measures is None) == (expected.measures is None)
        # A model that explodes amplifies the last bit of every step, so its numbers are not compared.
        if found.measures is not None and expected.measures is not None and expected.measures["loss"] < 20:
            compared += 1
            assert found.measures["loss"] == pytest.approx(expected.measures["loss"], rel=1e-5)
    assert compared >= 0.8 * len(programs)


def test_what_a_candidate_comes_to_does_not_depend_on_its_pack(digits: TrainingTask) -> None:
    programs = [*map(parse, library().values()), *mutants(12, seed=2)]
    together = train(digits, programs, RUNG, (7, 0))
    backwards = train(digits, programs[::-1], RUNG, (7, 0))[::-1]
    singly = [train(digits, [program], RUNG, (7, 0))[0] for program in programs]
    assert [found.measures for found in together] == [found.measures for found in backwards]
    assert [found.measures for found in together] == [found.measures for found in singly]


def test_a_diverging_candidate_is_told_apart_and_leaves_the_others_alone(digits: TrainingTask) -> None:
    programs = [START, parse(DIVERGES), *map(parse, list(library().values())[:3]), parse(DIVERGES), parse(DIVERGES)]
    with_dead = train(digits, programs, RUNG, (1, 0))
    without = train(digits, [programs[i] for i in (0, 2, 3, 4)], RUNG, (1, 0))
    assert [found.measures is None for found in with_dead] == [False, True, False, False, False, True, True]
    assert [with_dead[i].measures for i in (0, 2, 3, 4)] == [found.measures for found in without]
    assert with_dead[1].step < RUNG.steps


def test_a_pack_in_which_all_diverge_has_outcomes_all_the_same(digits: TrainingTask) -> None:
    assert [found.measures for found in train(digits, [parse(DIVERGES)] * 3, RUNG, (1, 0))] == [None, None, None]


def test_the_held_out_split_gives_other_numbers_than_validation(digits: TrainingTask) -> None:
    validation = train(digits, [START], RUNG, (1, 0))[0].measures
    heldout = train(digits, [START], RUNG, (1, 0), split="heldout")[0].measures
    assert validation is not None and heldout is not None and validation["loss"] != heldout["loss"]


def test_the_schedule_rises_to_one_and_falls_to_nearly_zero() -> None:
    values = [schedule(step, 200) for step in range(200)]
    assert max(values) == 1.0 and values.index(1.0) == 9
    assert values[:10] == sorted(values[:10]) and values[10:] == sorted(values[10:], reverse=True)
    assert 0.0 < values[-1] < 1e-3
    assert schedule(0, 1) == 1.0
