"""From genome text to outcomes."""

import math
from pathlib import Path

import pytest
import torch

from germline.evaluators.evaluator import EvaluatorSpec
from germline.evaluators.executors.executor import Job
from germline.evaluators.executors.inline_executor import score_here
from germline.evaluators.optimizer import evaluator as training
from germline.evaluators.optimizer.trainer import BadTask, train
from germline.evaluators.optimizer.training_loop import TrainingResult
from germline.programs.optimizer import library, parse

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
def test_a_task_that_breaks_its_contract_raises(plug_in: str, name: str, message: str) -> None:
    evaluator = EvaluatorSpec("optimizer", f"{plug_in}:{name}", seed=1, options={"lengths": (0.05,)}).build()
    with pytest.raises(BadTask, match=message):
        evaluator.score([GOOD, GOOD], 0, 0)


def test_an_invalid_program_is_rejected_and_the_others_are_scored() -> None:
    good, bad = spec().build().score([GOOD, "def train(w, g, lr):\n  return lr,\n"], 0, 0)
    assert (good.status, bad.status) == ("ok", "rejected") and bad.error
    assert good.seconds > bad.seconds == 0 and good.worker == bad.worker


@pytest.mark.slow
def test_a_pack_that_does_not_fit_the_memory_is_halved_and_its_outcomes_are_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    genomes = [*list(library().values())[:7], DIVERGES]
    whole = spec().build().score(genomes, 0, 0)
    sizes = []

    def small(task: object, programs: list[object], *args: object, **options: object) -> list[TrainingResult]:
        sizes.append(len(programs))
        if len(programs) > 3:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes")
        return train(task, programs, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(training, "train", small)
    evaluator = spec().build()
    for _ in range(2):
        parts = evaluator.score(genomes, 0, 0)
        assert [(one.status, one.fitness) for one in parts] == [(one.status, one.fitness) for one in whole]
    # Halved until it fits, and the next pack begins with what fitted.
    assert sizes == [8, 4, 2, 2, 2, 2, 2, 2, 2, 2]


@pytest.mark.slow
def test_one_candidate_that_does_not_fit_is_out_of_memory_and_the_others_are_scored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    huge = parse(DIVERGES)

    def small(task: object, programs: list[object], *args: object, **options: object) -> list[TrainingResult]:
        if huge in programs:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return train(task, programs, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(training, "train", small)
    outcomes = score_here(spec().build(), Job((0,), (GOOD, DIVERGES, GOOD), 0, 0))
    assert [outcome.status for outcome in outcomes] == ["ok", "oom", "ok"]
    (outcome,) = spec().build().validate([DIVERGES], 0, 0)
    assert (outcome.status, outcome.error) == ("oom", "OutOfMemoryError: CUDA out of memory")


def test_a_validation_reports_the_loss_on_the_held_out_data_or_the_reason_of_a_failure() -> None:
    good, bad, invalid = spec().build().validate([GOOD, DIVERGES, "def train"], 0, 0)
    assert list(good.objectives) == ["heldout_loss"] and good.fitness == -good.objectives["heldout_loss"]
    assert (bad.status, invalid.status) == ("diverged", "rejected")
    assert "not finite by step" in str(bad.error) and invalid.error


@pytest.mark.slow
def test_a_candidate_over_the_limit_is_rejected_with_its_loss_at_the_hurdle() -> None:
    evaluator = spec(lengths=(0.1, 0.4), hurdle=0.5).build()
    free = evaluator.score(list(library().values()), 0, 0)
    seen = sorted(outcome.measures["hurdle"] for outcome in free)
    limited = evaluator.score(list(library().values()), 0, 0, limit=seen[3])
    assert sum(outcome.status == "ok" for outcome in limited) == 4
    for before, after in zip(free, limited, strict=True):
        assert after.measures["hurdle"] == before.measures["hurdle"]
        if after.status == "ok":
            assert after.fitness == before.fitness
        else:
            assert after.status == "rejected" and after.fitness is None
            assert after.measures["step"] == 40 and "hurdle" in str(after.error)
