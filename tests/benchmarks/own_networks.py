"""Policies with a module of the user's own: a decision beside 49 others by `vmap`, against one policy after the other.

The processor time of a decision, on one thread: `python tests/benchmarks/run.py own-networks`, a minute.
"""

import time
from dataclasses import replace
from statistics import median

import numpy as np
import torch
from torch import Tensor, nn

from germline.evaluators.policy.networks.own_network import OwnNetwork
from germline.evaluators.policy.networks.own_policies import OwnPolicies
from germline.evaluators.policy.networks.own_trial import own_network
from germline.evaluators.tasks.gym import GymTask
from germline.programs.policy.network import Network
from germline.programs.policy.parameters import initial_parameters

POLICIES, ROUNDS = 50, 7


class GRU(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell, self.head = nn.GRUCell(4, 16), nn.Linear(16, 2)

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        state = self.cell(x, state)
        return self.head(state), state


class LSTM(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer, self.head = nn.LSTM(4, 32), nn.Linear(32, 2)

    def forward(self, x: Tensor, state: object = None) -> tuple[Tensor, object]:
        outputs, state = self.layer(x[None], state)
        return self.head(outputs[0]), state


class Convolutions(nn.Module):
    """Two convolutions of a picture of 16×16, which is made of the observation."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = nn.Conv2d(1, 8, 3), nn.Conv2d(8, 8, 3, stride=2), nn.Linear(288, 2)

    def forward(self, x: Tensor) -> Tensor:
        picture = torch.outer(x[0], x[0])[None, None].repeat(1, 1, 4, 4)
        return self.head(self.second(self.first(picture).relu()).relu().flatten(1))


def perceptron() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 2))


MODULES = {"perceptron": perceptron, "gru": GRU, "lstm": LSTM, "convolutions": Convolutions}


def rows() -> list[dict[str, object]]:
    found = []
    for name, module in MODULES.items():
        attributes = {"name": name, "environment": "CartPole-v1", "network": staticmethod(module)}
        own = own_network(type(name, (GymTask,), attributes))
        assert own.way == "rules"
        together, alone = (microseconds(replace(own, way=way), calls) for way, calls in (("rules", 30), ("alone", 5)))
        found.append(
            {
                "name": f"own-networks/{name}",
                "value": together,
                "unit": f"μs a decision beside {POLICIES - 1}",
                "baseline": "one policy after the other",
                "ratio": alone / together,
            }
        )
    return found


def microseconds(own: OwnNetwork, calls: int) -> float:
    """Processor time of a decision: the median of `ROUNDS` rounds of calls of `forward`."""
    spec = own.task.environment_spec()
    network = Network("own", spec.observation, spec.actions, own=own.tensors)
    policies = OwnPolicies(network, [initial_parameters(network, seed) for seed in range(POLICIES)], own)
    slots, observations = np.arange(POLICIES), np.random.default_rng(0).normal(size=(POLICIES, *spec.observation))
    policies.assign_slots(slots, np.ones(POLICIES, np.bool_))
    policies.forward(slots, observations)
    rounds = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(calls):
            policies.forward(slots, observations)
        rounds.append((time.process_time() - began) / calls / POLICIES * 1e6)
    return median(rounds)
