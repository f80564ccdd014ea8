"""From genome text to outcomes."""

import math

import pytest

from germline.evaluators.device import NoDevice, resolve
from germline.evaluators.evaluator import EvaluatorSpec
from germline.programs.optimizer import library

GOOD = library()["adamw_plain"]
DIVERGES = "def train(w, g, m, v, lr):\n  update = exp10(w) * 1e30\n  update = update * update\n  return update, m, v\n"


def spec(**options: object) -> EvaluatorSpec:
    return EvaluatorSpec("optimizer", "digits-mlp", seed=1, options={"lengths": (0.1,), **options})


def test_fitness_is_minus_the_mean_loss_of_the_replicates() -> None:
    outcome = spec(lengths=(0.1, 0.2)).build().score([GOOD], 0, 0)[0]
    assert outcome.status == "ok" and outcome.fitness is not None
    assert outcome.fitness == -outcome.objectives["validation_loss"]
    assert outcome.fitness == -(outcome.measures["loss_0"] + outcome.measures["loss_1"]) / 2
    assert outcome.seconds > 0


def test_a_program_that_diverges_is_an_outcome_without_fitness_or_objectives() -> None:
    good, bad = spec().build().score([GOOD, DIVERGES], 0, 0)
    assert good.status == "ok"
    assert (bad.status, bad.fitness, dict(bad.objectives)) == ("diverged", None, {})
    assert bad.error and "not finite" in bad.error and not math.isnan(bad.measures["step"])


def test_other_seeds_mean_other_data_and_the_same_seed_the_same_bits() -> None:
    evaluator = spec().build()
    first, again, fresh = (evaluator.score([GOOD], 0, seed)[0] for seed in (0, 0, 1))
    assert first.fitness == again.fitness != fresh.fitness


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(NoDevice, match="expected a device out of auto, cpu, cuda"):
        resolve("tpu")
    assert resolve("cpu") == "cpu"
