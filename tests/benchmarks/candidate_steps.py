"""Candidate-steps a second on one CPU thread: N programs trained together, against one after the other.

The baseline is what a competent user would write without us: an ordinary module, autograd, and the program's live
statements as torch operations, one candidate after the other.
"""

import time

import breeding
import numpy as np
import torch

from germline.evaluators.task import Rung
from germline.evaluators.tasks.registry import task_class
from germline.evaluators.trainer import schedule, train
from germline.programs.optimizer import Program
from germline.programs.optimizer.graph import live_program
from germline.programs.optimizer.interpret import Interpreter

STEPS = 40
PACKS = (16, 64)


def batched(programs: list[Program]) -> float:
    task = task_class("digits-mlp")("cpu")
    train(task, programs[:2], Rung(2, 64), (0,))
    began = time.perf_counter()
    train(task, programs, Rung(STEPS, 64), (0,))
    return len(programs) * STEPS / (time.perf_counter() - began)


def one_by_one(programs: list[Program]) -> float:
    task = task_class("digits-mlp")("cpu")
    rng = np.random.default_rng(0)
    images = torch.rand(task.size("train"), 64)
    labels = torch.as_tensor(rng.integers(0, 10, task.size("train")))
    began = time.perf_counter()
    for program in programs:
        model = torch.nn.Sequential(
            torch.nn.Linear(64, 32), torch.nn.ReLU(), torch.nn.Linear(32, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10)
        )
        weights = list(model.parameters())
        interpreter = Interpreter(live_program(program))
        for step in range(STEPS):
            index = torch.as_tensor(rng.integers(0, len(images), 64))
            loss = torch.nn.functional.cross_entropy(model(images[index]), labels[index])
            gradients = torch.autograd.grad(loss, weights)
            with torch.no_grad():
                updates = interpreter.step(weights, gradients, schedule(step, STEPS))
                for weight, update in zip(weights, updates, strict=True):
                    weight -= update
    return len(programs) * STEPS / (time.perf_counter() - began)


def rows() -> list[dict[str, object]]:
    pool = breeding.parents()
    found = []
    for size in PACKS:
        rounds = [(batched(pool[:size]), one_by_one(pool[:8])) for _ in range(3)]
        fast, plain = sorted(rounds)[1]
        found.append(
            {
                "name": f"candidate-steps/digits-mlp/{size}",
                "value": fast,
                "unit": "candidate-steps/s",
                "baseline": "one candidate after the other, nn.Module and autograd",
                "ratio": fast / plain,
            }
        )
    return found
