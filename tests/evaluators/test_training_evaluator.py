"""From genome text to outcomes."""

import math
from pathlib import Path

import pytest

from germline.evaluators.device import NoDevice, resolve
from germline.evaluators.evaluator import EvaluatorSpec
from germline.evaluators.trainer import BadTask
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


PLUG_IN = """
from germline.evaluators.outcome import Objective
from germline.evaluators.tasks.digits_mlp import DigitsMLP
class Accuracy(DigitsMLP):
    name = "accuracy"
    objectives = (Objective("accuracy", "max"),)
class Summed(DigitsMLP):
    name = "summed"
    def loss(self, params, split, index):
        return super().loss(params, split, index).sum()
class Lossless(DigitsMLP):
    name = "lossless"
    def measure(self, params, split):
        return {"accuracy": super().measure(params, split)["accuracy"]}
"""


@pytest.fixture
def plug_in(tmp_path: Path) -> str:
    (tmp_path / "plug_in.py").write_text(PLUG_IN)
    return str(tmp_path / "plug_in.py")


def test_the_objective_of_a_task_makes_the_fitness(plug_in: str) -> None:
    outcome = EvaluatorSpec("optimizer", f"{plug_in}:Accuracy", seed=1, options={"lengths": (0.2,)}).build()
    found = outcome.score([GOOD], 0, 0)[0]
    assert found.fitness == found.objectives["accuracy"] and 0.1 < found.fitness <= 1.0


@pytest.mark.parametrize(
    ("name", "message"),
    [("Summed", "expected loss of summed to have one entry a candidate"), ("Lossless", "there is no loss")],
)
def test_a_task_that_breaks_its_contract_is_told_so(plug_in: str, name: str, message: str) -> None:
    evaluator = EvaluatorSpec("optimizer", f"{plug_in}:{name}", seed=1, options={"lengths": (0.05,)}).build()
    with pytest.raises(BadTask, match=message):
        evaluator.score([GOOD, GOOD], 0, 0)


def test_a_genome_that_is_no_program_is_rejected_and_costs_only_itself() -> None:
    good, bad = spec().build().score([GOOD, "def train(w, g, lr):\n  return lr,\n"], 0, 0)
    assert (good.status, bad.status) == ("ok", "rejected") and bad.error
