"""Tasks that return numbers that are not finite, or no numbers: an outcome for the genome, never an exception."""

import math
from pathlib import Path

import pytest
from own_tasks import task_file

from germline.db.store import Store
from germline.evaluators.evaluator import EvaluatorSpec
from germline.evaluators.executors.executor import Job
from germline.evaluators.executors.inline_executor import score_here
from germline.evaluators.outcome import Outcome
from germline.programs.architecture.genome import write as write_architecture
from germline.programs.architecture.handmade import SEPARABLE
from germline.programs.optimizer import library
from germline.programs.policy.genome import Policy
from germline.programs.policy.genome import write as write_policy
from germline.programs.policy.network import Network
from germline.search.run import evolve, new_run

GOOD, OTHER = library()["adamw_plain"], library()["lion_raw"]
NOT_FINITE = ("nan", "inf", "-inf")

TRAINING = """
import torch
from germline.evaluators.outcome import Objective
from germline.evaluators.task import Rung
from germline.evaluators.tasks.digits_mlp import DigitsMLP

class Own(DigitsMLP):
    name = "own"
    rungs = (Rung(25, 16),)
    {objectives}
    calls = 0
    def loss(self, params, split, index):
        losses, self.calls = super().loss(params, split, index), self.calls + 1
        {loss}
        return losses
    def measure(self, params, split):
        measures = super().measure(params, split)
        {measure}
        return measures
"""


def score(folder: Path, loss: str = "", measure: str = "", objectives: str = "", genomes: int = 1) -> list[Outcome]:
    path = task_file(folder, TRAINING.format(loss=loss, measure=measure, objectives=objectives))
    evaluator = EvaluatorSpec("optimizer", f"{path}:Own", seed=1).build()
    return score_here(evaluator, Job((0,), tuple([GOOD, OTHER][:genomes]), 0, 0))


@pytest.mark.parametrize("value", NOT_FINITE)
@pytest.mark.parametrize("step", [1, 13, 25])
def test_a_training_whose_loss_is_not_finite_has_diverged(tmp_path: Path, step: int, value: str) -> None:
    """Of the first of two genomes; the other gets the bits that it gets beside a sound neighbour."""
    broken = f"if self.calls == {step}: losses = losses * torch.tensor([float('{value}'), 1.0])"
    (tmp_path / "sound").mkdir()
    diverged, sound = score(tmp_path, broken, genomes=2)
    assert (diverged.status, diverged.fitness, diverged.objectives) == ("diverged", None, {})
    assert "not finite by step" in str(diverged.error)
    assert sound == _same_place(sound, score(tmp_path / "sound", genomes=2)[1])


def _same_place(outcome: Outcome, expected: Outcome) -> Outcome:
    """`expected` with the time and worker of `outcome`."""
    return Outcome(
        expected.status, expected.fitness, expected.objectives, expected.measures, outcome.seconds, outcome.worker
    )


@pytest.mark.parametrize("value", NOT_FINITE)
def test_a_measured_loss_that_is_not_finite_has_diverged(tmp_path: Path, value: str) -> None:
    (outcome,) = score(tmp_path, measure=f"measures['loss'] = measures['loss'] * 0 + float('{value}')")
    assert (outcome.status, outcome.fitness, outcome.objectives) == ("diverged", None, {})


@pytest.mark.parametrize("value", NOT_FINITE)
def test_an_objective_that_is_not_finite_has_diverged(tmp_path: Path, value: str) -> None:
    broken = f"measures['accuracy'] = measures['accuracy'] * 0 + float('{value}')"
    (outcome,) = score(tmp_path, measure=broken, objectives="objectives = (Objective('accuracy', 'max'),)")
    assert (outcome.status, outcome.fitness, outcome.error) == ("diverged", None, f"accuracy was {float(value)}")


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        ("return None", "to have one entry a candidate (1,), got None"),
        ("return 0.5", "to have one entry a candidate (1,), got 0.5"),
        ("return 'low'", "to have one entry a candidate (1,), got 'low'"),
        ("return losses[:0]", "to have one entry a candidate (1,), got (0,)"),
        ("return losses[None]", "to have one entry a candidate (1,), got (1, 1)"),
        ("return losses.to('meta')", ""),
        ("return losses.long()", ""),
        ("return losses.detach()", ""),
        ("raise type('\\x1b[31mE', (Exception,), {})('\\x1b' * 10_000_000)", ""),
        ("raise type('E', (Exception,), {'__str__': lambda self: 5})", "E: (its message cannot be read)"),
    ],
)
def test_a_loss_that_breaks_the_contract_is_a_crash_in_a_line(tmp_path: Path, loss: str, message: str) -> None:
    _assert_crashed(score(tmp_path, loss)[0], message)


@pytest.mark.parametrize(
    ("measure", "message"),
    [
        ("return None", "to give loss and others as (1,), got None"),
        ("return {'accuracy': measures['accuracy']}", "there is no loss"),
        ("return {'loss': 0.5}", "'loss' is 0.5"),
        ("measures['accuracy'] = None", "'accuracy' is None"),
        ("measures['accuracy'] = 'high'", "'accuracy' is 'high'"),
        ("measures['loss'] = measures['loss'].to('meta')", ""),
        ("measures['loss'] = measures['loss'].to(torch.complex64)", ""),
        ("measures['x' * 1000] = measures['loss']", "expected a short, printable name of a measure"),
        ("measures[5] = measures['loss']", "expected a short, printable name of a measure, got 5"),
    ],
)
def test_a_measure_that_breaks_the_contract_is_a_crash_in_a_line(tmp_path: Path, measure: str, message: str) -> None:
    _assert_crashed(score(tmp_path, measure=measure)[0], message)


def _assert_crashed(outcome: Outcome, message: str) -> None:
    assert (outcome.status, outcome.fitness, outcome.objectives) == ("crashed", None, {})
    assert outcome.error and message in outcome.error
    assert outcome.error.isprintable() and len(outcome.error) < 400


CELLS = """
from germline.evaluators.tasks.image_cells import DigitsCells
from germline.evaluators.task import Rung

class Own(DigitsCells):
    rungs = (Rung(25, 16),)
    calls = 0
    def batch(self, index):
        (images, labels), self.calls = super().batch(index), self.calls + 1
        {batch}
        return images, labels
    def measure(self, *args, **options):
        measures = super().measure(*args, **options)
        {measure}
        return measures
"""


def score_cells(folder: Path, batch: str = "", measure: str = "") -> Outcome:
    path = task_file(folder, CELLS.format(batch=batch, measure=measure))
    size = {"cells": 1, "channels": 4, "full_cells": 1, "full_channels": 4}
    evaluator = EvaluatorSpec("architecture", f"{path}:Own", seed=1, options=size).build()
    return score_here(evaluator, Job((0,), (write_architecture(SEPARABLE),), 0, 0))[0]


@pytest.mark.slow
@pytest.mark.parametrize("value", NOT_FINITE)
@pytest.mark.parametrize("step", [1, 13, 25])
def test_a_network_whose_loss_is_not_finite_has_diverged(tmp_path: Path, step: int, value: str) -> None:
    outcome = score_cells(tmp_path, f"if self.calls == {step}: images = images * float('{value}')")
    assert (outcome.status, outcome.fitness, outcome.objectives) == ("diverged", None, {})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("measure", "status", "message"),
    [
        *((f"measures[0]['validation_error'] = float('{value}')", "diverged", f"was {value}") for value in NOT_FINITE),
        ("return [None]", "diverged", "the loss was not finite"),
        ("return [{}]", "crashed", "expected validation_error in the measures of digits-cells, got []"),
        ("return ['low']", "crashed", "expected measures of digits-cells by name, got 'low'"),
        ("return []", "crashed", ""),
        ("return None", "crashed", ""),
        ("measures[0]['validation_error'] = 'low'", "crashed", "expected validation_error to be a number, got 'low'"),
        ("measures[0]['validation_error'] = None", "crashed", "expected validation_error to be a number, got None"),
        ("measures[0]['loss'] = [1]", "crashed", "expected loss to be a number, got [1]"),
    ],
)
def test_what_a_task_measures_of_a_network(tmp_path: Path, measure: str, status: str, message: str) -> None:
    outcome = score_cells(tmp_path, measure=measure)
    assert (outcome.status, outcome.fitness, outcome.objectives) == (status, None, {})
    assert message in str(outcome.error)


EPISODES = """
import gymnasium, numpy
from germline.evaluators.tasks.gym import GymnasiumTask

class Walk(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(-1.0, 1.0, (2,), numpy.float32)
    action_space = gymnasium.spaces.Discrete(2)
    def reset(self, *, seed=None, options=None):
        self.step_number = 0
        return numpy.zeros(2, numpy.float32), {{}}
    def step(self, action):
        self.step_number += 1
        reward, observation = 1.0, numpy.zeros(2, numpy.float32)
        {step}
        return observation, reward, self.step_number == 9, False, {{}}

class Own(GymnasiumTask):
    name = "own"
    def make(self):
        return Walk()
"""


def play(folder: Path, step: str) -> Outcome:
    path = task_file(folder, EPISODES.format(step=step))
    evaluator = EvaluatorSpec("policy", f"{path}:Own", seed=1, options={"episodes": (2, 2, 2)}).build()
    return score_here(evaluator, Job((0,), (write_policy(Policy(Network("mlp", (2,), 2, (4,)), 1)),), 0, 0))[0]


@pytest.mark.parametrize("value", NOT_FINITE)
@pytest.mark.parametrize("step", [1, 5, 9])
def test_a_return_that_is_not_finite_has_diverged(tmp_path: Path, step: int, value: str) -> None:
    outcome = play(tmp_path, f"reward = float('{value}') if self.step_number == {step} else 1.0")
    assert (outcome.status, outcome.fitness, outcome.objectives) == ("diverged", None, {})
    assert outcome.error == f"a return was {float(value)}"


@pytest.mark.parametrize("step", ["reward = None", "reward = 'high'", "observation = None", "observation *= numpy.nan"])
def test_what_an_environment_returns_instead_of_numbers(tmp_path: Path, step: str) -> None:
    _assert_crashed(play(tmp_path, step), "")


@pytest.mark.slow
def test_a_search_never_names_what_is_not_finite(tmp_path: Path) -> None:
    """Losses of -inf, which would look like the best fitness, and measures that are NaN or infinite."""
    measure = (
        "far = params['hidden1.bias'].abs().mean(1) > 0.01; "
        "measures['loss'] = torch.where(far, -torch.inf, measures['loss']); "
        "measures['accuracy'] = torch.where(far, 1.0, torch.nan); measures['other'] = -measures['loss'] * torch.inf"
    )
    path = task_file(tmp_path, TRAINING.format(loss="", measure=measure, objectives=""))
    with Store(str(tmp_path / "runs.db")) as store:
        settings = ("block=8", "pack=4", "population=8", "lengths=1", "warmup=0", "review_every=0")
        run = new_run(store, task=f"{path}:Own", births=48, settings=settings, seed=1)
        progress = list(evolve(store, run.name, task=run.task, executor="inline", device="cpu"))[-1]
        assert progress.failures["diverged"] > 3
        best = store.best(run.name)
        assert best.evaluation is not None and math.isfinite(best.evaluation.fitness or math.nan)
        assert math.isnan(best.evaluation.measures["accuracy"]) and best.evaluation.measures["other"] == -math.inf
        assert progress.winner is not None
