"""Checks of trainers, networks and policies on a device against the CPU."""

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

import candidate_steps
import numpy as np
import torch
from device_step import Results
from torch import Tensor

from germline.evaluators.architecture.trainer import DECAY, MAX_GRADIENT_NORM, MOMENTUM, RATE, initial_networks
from germline.evaluators.evaluator import EvaluatorSpec
from germline.evaluators.optimizer.trainer import train
from germline.evaluators.policy.networks.backend import networks_of
from germline.evaluators.policy.networks.stacked import StackedPolicies
from germline.evaluators.task import Rung
from germline.evaluators.tasks.registry import task_class
from germline.programs.architecture.cells import SPACES
from germline.programs.architecture.genome import Architecture
from germline.programs.architecture.skeleton import Skeleton
from germline.programs.architecture.space import ArchitectureSpace
from germline.programs.policy.genome import Policy
from germline.programs.policy.genome import write as write_policy
from germline.programs.policy.network import Network, Normalisation
from germline.programs.policy.parameters import initial_parameters

SKELETON = Skeleton(8, 3, 10, (1, 8, 8))
TRAINING = ("digits-mlp", "mnist5k-conv", "text-transformer")
CLOSE = 1e-4
"""Largest relative error of how a step changes the weights of a network. Without weight decay it is 1e-3 or more."""
POLICY_NETWORKS = {
    "conv": Network("conv", (4, 84, 84), 18),
    "conv, valid": Network("conv", (2, 40, 44), 5, padding="valid"),
    "tanh": Network("mlp", (7,), 3, (16, 8)),
    "relu": Network("mlp", (7,), 3, (16,), "relu"),
    "normalised": Network("mlp", (7,), 3, (16,), normalisation=Normalisation((0.5,) * 7, (2.0,) * 7)),
}


def trainers(device: str, count: int, steps: int) -> Results:
    """Checks that losses after a short training are near the CPU's, and equal when the device trains again, and when it
    gets the operations of each step one by one instead of a recorded step."""
    results: dict[str, Any] = {}
    for name in TRAINING:
        here, there, again = (trained(name, count, steps, where) for where in ("cpu", device, device))
        unrecorded = trained(name, count, steps, device, recorded=False)
        pairs = [(a, b) for a, b in zip(here, there, strict=True) if a is not None and b is not None]
        errors = sorted(abs(a - b) / abs(a) for a, b in pairs)
        results[name] = {
            "median_error": median(errors) if errors else math.nan,
            "close": sum(error < 1e-3 for error in errors) / count,
            "both_diverged": sum(a is None and b is None for a, b in zip(here, there, strict=True)) / count,
            "same_again": there == again,
            "same_unrecorded": there == unrecorded,
        }
        good = all(
            each["close"] + each["both_diverged"] >= 0.9 and each["same_again"] and each["same_unrecorded"]
            for each in results.values()
        )
        medians = ", ".join(f"{name} {each['median_error']:.0e}" for name, each in results.items())
        yield {"passed": good, "summary": f"median relative error {medians}", "tasks": results}


def trained(name: str, count: int, steps: int, device: str, recorded: bool = True) -> list[float | None]:
    """The loss of each of `count` programs after a training on task `name`; None if it diverged."""
    task, rung = task_class(name)(device), Rung(steps, task_class(name).rungs[0].batch)
    results = train(task, candidate_steps.programs(count), rung, (0,), device, recorded=recorded)
    return [result.measures["loss"] if result.measures else None for result in results]


def drawn(count: int, skeleton: Skeleton = SKELETON) -> list[Architecture]:
    rng = np.random.default_rng(0)
    space = ArchitectureSpace(SPACES["eeea-paper"], skeleton)
    return [space.draw(rng).genome for _ in range(count)]


class Trained:
    """Stacked or compiled networks after some steps of training.

    Args:
        architectures: of the networks.
        steps: number of steps.
        device: on which they train.
        stacked: whether to use the stacked form.

    Attributes:
        losses: of each network before each step, `[steps, networks]`.
        changes: how each network's weights have changed, `[weights]` each, without the statistics of its norms.
    """

    def __init__(self, architectures: Sequence[Architecture], steps: int, device: str, stacked: bool) -> None:
        together = initial_networks(architectures, SKELETON, 3, device, stacked)
        before = [_weights(together.tensors(number)) for number in range(len(architectures))]
        numbers, losses = torch.Generator().manual_seed(0), []
        for _ in range(steps):
            images = torch.rand(64, 1, 8, 8, generator=numbers).to(device)
            labels = torch.randint(0, 10, (64,), generator=numbers).to(device)
            losses.append(together.step(images, labels, RATE, MOMENTUM, DECAY, MAX_GRADIENT_NORM).cpu())
        self.losses = torch.stack(losses)
        after = [_weights(together.tensors(number)) for number in range(len(architectures))]
        self.changes = [new - old for new, old in zip(after, before, strict=True)]


def _weights(tensors: Mapping[str, Tensor]) -> Tensor:
    """The weights of a network, in the order of their names."""
    names = sorted(name for name in tensors if "running" not in name and "num_batches" not in name)
    return torch.cat([tensors[name].reshape(-1).cpu() for name in names])


def networks(device: str, count: int, steps: int) -> Results:
    """Checks that stacked networks learn as the CPU's compiled networks do, and equally when repeated.

    A step changes weights by gradient and decay, the second one also by momentum. Rounding may lead a network over a
    kink of a ReLU or a pool, after which its gradient is another; so not all of them have to agree.
    """
    architectures = drawn(count)
    losses, changes = [], {}
    for number in (1, 2):
        here, there = Trained(architectures, number, "cpu", False), Trained(architectures, number, device, True)
        losses = ((there.losses[0] - here.losses[0]).abs() / here.losses[0].abs()).tolist()
        changes[number] = [float((a - b).norm() / b.norm()) for a, b in zip(there.changes, here.changes, strict=True)]
    close = {number: sum(error < CLOSE for error in errors) / count for number, errors in changes.items()}
    passed = max(losses) < 1e-5 and close[1] >= 0.75 and close[2] >= 0.5
    medians = ", ".join(f"{median(errors):.1e}" for errors in changes.values())
    summary = f"largest relative error of a first loss {max(losses):.1e}, median after one and two steps {medians}"
    yield {"passed": passed, "summary": summary, "first_loss_errors": losses, "change_errors": changes}
    once, again = (Trained(architectures, steps, device, True) for _ in range(2))
    repeated = bool((once.losses == again.losses).all())
    yield {
        "passed": passed and repeated,
        "summary": f"{summary}; the same again: {repeated}",
        "same_again": repeated,
        "last_losses": once.losses[-1].tolist(),
    }


def policies(device: str, count: int, rows: int, maze_policies: int, decisions: int) -> Results:
    """Checks outputs of networks, and returns of whole episodes in a maze, against those of the CPU."""
    unequal = {}
    for name in POLICY_NETWORKS:
        here, there = outputs(name, count, rows, "cpu", False), outputs(name, count, rows, device, True)
        unequal[name] = float((here != there).mean())
    here, there = (maze_returns(where, maze_policies, decisions) for where in ("cpu", device))
    differing = sum(a != b for a, b in zip(here, there, strict=True))
    yield {
        "passed": max(unequal.values()) < 1e-3 and differing <= len(here) / 20,
        "summary": f"outputs with other bits {max(unequal.values()):.1e}; other returns {differing} of {len(here)}",
        "unequal": unequal,
        "differing_returns": differing,
    }


def outputs(name: str, count: int, rows: int, device: str, stacked: bool) -> np.ndarray:
    """Outputs, float32 `[rows, outputs]`, for random observations, each of one of `count` policies at random."""
    network, rng = POLICY_NETWORKS[name], np.random.default_rng(1)
    parameters = [initial_parameters(network, seed) for seed in range(count)]
    which = rng.integers(0, count, rows)
    if network.form == "conv":
        observations = rng.integers(0, 256, (rows, *network.observation), dtype=np.uint8)
    else:
        observations = rng.normal(size=(rows, *network.observation))
    backend: Callable[..., Any] = StackedPolicies if stacked else networks_of
    result: np.ndarray = backend(network, parameters, device).forward(which, observations)
    return result


def maze_returns(device: str, count: int, decisions: int) -> list[float | None]:
    """Returns of random policies in the maze, whose perceptrons compute on the device."""
    evaluator = EvaluatorSpec("policy", "hard-maze", 1, device, {"steps": decisions}).build()
    network = Network("mlp", evaluator.spec.observation, evaluator.spec.actions, (16,))
    genomes = [write_policy(Policy(network, seed)) for seed in range(count)]
    try:
        return [outcome.fitness for outcome in evaluator.score(genomes, 0, 0)]
    finally:
        evaluator.close()
