"""Optimizers of torch on the weights and batches of programs."""

from pathlib import Path

import pytest
import torch

from germline.evaluators.optimizer.class_trainer import states_of, train_with_class
from germline.evaluators.optimizer.schedule import Schedule
from germline.evaluators.optimizer.torch_classes import InvalidClass, exact_name, is_class_name, optimizer_class
from germline.evaluators.optimizer.trainer import train
from germline.evaluators.optimizer.training import ClassUse, Training, write_training
from germline.evaluators.optimizer.training_evaluator import TrainingEvaluator
from germline.evaluators.task import Rung
from germline.evaluators.tasks.registry import task_class
from germline.programs.optimizer import library, parse

OWN = """
import torch


class Switching(torch.optim.Optimizer):
    def __init__(self, params, lr=0.1):
        super().__init__(params, {"lr": lr})
        self.modes = []

    def train(self):
        self.modes.append("train")

    def eval(self):
        self.modes.append("eval")

    @torch.no_grad()
    def step(self):
        assert self.modes[-1] == "train"
        for group in self.param_groups:
            for p in group["params"]:
                p -= group["lr"] * p.grad


class NoOptimizer:
    pass
"""


@pytest.mark.slow
def test_a_class_trains_as_the_program_that_does_the_same() -> None:
    torch.set_num_threads(1)
    task, rung, schedule = task_class("digits-mlp")("cpu"), Rung(40, 32), Schedule("linear", 0.1)
    arguments = {"lr": 0.01, "momentum": 0.9}
    ours = train_with_class(
        task, torch.optim.SGD, arguments, rung, (0, 0, 7), "cpu", "heldout", schedule, curve_steps=(20, 40)
    )
    [program] = train(
        task,
        [parse(library()["sgd_momentum"])],
        rung,
        (0, 0, 7),
        split="heldout",
        schedules=[schedule],
        curve_steps=(20, 40),
    )
    assert ours.measures is not None and program.measures is not None
    assert ours.curve == pytest.approx(program.curve, rel=1e-4)
    assert ours.measures["loss"] == pytest.approx(program.measures["loss"], rel=1e-4) == ours.curve[-1]
    diverged = train_with_class(task, torch.optim.SGD, {"lr": 1e30}, rung, (0, 0, 7), "cpu", "heldout", schedule)
    assert diverged.measures is None and diverged.step == 10


@pytest.mark.slow
def test_a_class_trains_on_the_tensors_of_a_variant() -> None:
    task, rung, schedule = task_class("digits-mlp@rescaled")("cpu"), Rung(20, 32), Schedule("linear", 0.1)
    ours = train_with_class(task, torch.optim.SGD, {"lr": 0.1}, rung, (0, 0, 7), "cpu", "validation", schedule)
    plain = parse("def train(w, g, lr):\n  update = g * (lr * 0.1)\n  return update\n")
    [program] = train(task, [plain], rung, (0, 0, 7), schedules=[schedule])
    assert ours.measures is not None and program.measures is not None
    assert ours.measures["loss"] == pytest.approx(program.measures["loss"], rel=1e-3)


def test_an_optimizer_with_modes_is_switched(tmp_path: Path) -> None:
    file = tmp_path / "own.py"
    file.write_text(OWN)
    found = optimizer_class(f"{file}:Switching")
    task = task_class("digits-mlp")("cpu")
    result = train_with_class(task, found, {"lr": 0.1}, Rung(3, 8), (0, 0, 0), "cpu", "validation", Schedule(), (2,))
    assert result.measures is not None and len(result.curve) == 1
    assert states_of(found) == 0 and states_of(torch.optim.AdamW) == 2


def test_names_of_classes(tmp_path: Path) -> None:
    file = tmp_path / "own.py"
    file.write_text(OWN)
    assert optimizer_class("torch:AdamW") is torch.optim.AdamW
    assert is_class_name("torch:AdamW") and is_class_name("own.py:X") and not is_class_name("library:adamw")
    with pytest.raises(InvalidClass, match=r"expected torch:NAME with one of .*AdamW"):
        optimizer_class("torch:Adamw")
    with pytest.raises(InvalidClass, match="expected a subclass of torch"):
        optimizer_class(f"{file}:NoOptimizer")
    with pytest.raises(InvalidClass, match="no class 'Missing' in the file; it defines Switching, NoOptimizer"):
        optimizer_class(f"{file}:Missing")
    before = exact_name(f"{file}:Switching")
    file.write_text(OWN + "\n")
    assert exact_name(f"{file}:Switching") != before, "another text is another contender"


ENDING = """
import torch


class Ending(torch.optim.SGD):
    def __init__(self, params, lr=0.1):
        super().__init__(params, lr=lr)

    def step(self, closure=None):
        raise SystemExit(0)
"""


def test_a_class_that_ends_the_process_is_an_outcome(tmp_path: Path) -> None:
    file = tmp_path / "ending.py"
    file.write_text(ENDING)
    evaluator = TrainingEvaluator("digits-mlp", 0, classes={"ending": f"{file}:Ending"})
    training = Training(ClassUse("ending", {"lr": 0.1}), Schedule("constant", 0.0), 0.01, "validation", False)
    [outcome] = evaluator.score([write_training(training)], 0, 0)
    assert (outcome.status, outcome.error) == ("crashed", "SystemExit: 0")
