"""Frostbite with 32 policies of 4,052,658 parameters, one process and two.

The limits are what the emulator does without looking at the screen, and what ale-py's vector environment does with
random actions. The baseline is a loop over modules of torch in single precision, one for each policy, in the same
environments: side by side in 32 slots, as evaluators of populations do it, and one policy after the other. Seconds are
those of the CPU, which other work on the machine stretches least.
"""

import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from multiprocessing import get_context
from typing import Any

import numpy as np
import torch
from torch import nn

from germline.evaluators.policy.environments.atari import FRAMES, AtariEnvironments, load_game
from germline.evaluators.policy.networks.backend import networks_of
from germline.evaluators.policy.player import Episode, play
from germline.programs.policy.network import CONVOLUTIONS, Network
from germline.programs.policy.parameters import initial_parameters

GAME, POLICIES, DECISIONS, ROUNDS = "frostbite", 32, 200, 1
NETWORK = Network("conv", (4, 84, 84), 18)


class Loop:
    """Modules of torch, one for each policy, that decide one after the other."""

    def __init__(self, parameters: Sequence[np.ndarray], device: str = "cpu") -> None:
        self.device = device
        self.modules = [module(row).to(device) for row in parameters]

    def forward(self, which: np.ndarray, observations: np.ndarray) -> np.ndarray:
        frames = torch.from_numpy(observations).to(self.device)
        with torch.inference_mode():
            outputs = [self.modules[policy](frames[i : i + 1].float() / 255) for i, policy in enumerate(which.tolist())]
        return torch.cat(outputs).cpu().numpy()


def module(row: np.ndarray) -> nn.Sequential:
    tensors = {tensor.name: torch.tensor(tensor.view(row)) for tensor in NETWORK.tensors}
    layers: list[nn.Module] = []
    for number, (units, kernel, stride) in enumerate(CONVOLUTIONS, 1):
        there, made = NETWORK.image_sizes[number - 1][0], NETWORK.image_sizes[number][0]
        lacking = (made - 1) * stride + kernel - there
        weight = tensors[f"conv{number}.weight"].permute(3, 2, 0, 1)
        layers.append(nn.ZeroPad2d((lacking // 2, lacking - lacking // 2) * 2))
        layers += [holding(nn.Conv2d(weight.shape[1], units, kernel, stride), weight, tensors[f"conv{number}.bias"])]
        layers.append(nn.ReLU())
    places, inputs = NETWORK.image_sizes[-1][0] ** 2, tensors["dense.weight"].shape[0]
    weight = tensors["dense.weight"].reshape(places, inputs // places, -1).permute(2, 1, 0).flatten(1)
    layers += [nn.Flatten(), holding(nn.Linear(*weight.shape[::-1]), weight, tensors["dense.bias"]), nn.ReLU()]
    weight = tensors["output.weight"].T
    return nn.Sequential(*layers, holding(nn.Linear(*weight.shape[::-1]), weight, tensors["output.bias"]))


def holding(layer: Any, weight: torch.Tensor, bias: torch.Tensor) -> nn.Module:
    layer.load_state_dict({"weight": weight.contiguous(), "bias": bias})
    return layer


class Side:
    """One way to play all policies, a share of them in each round."""

    def __init__(self, networks: Any, environments: AtariEnvironments) -> None:
        self.networks, self.environments = networks, environments
        self.frames, self.seconds = 0, 0.0
        self.play(0, 2)
        self.frames, self.seconds = 0, 0.0

    def play(self, round_: int, decisions: int = DECISIONS) -> None:
        episodes = [Episode(i, 1_000 * round_ + i) for i in range(POLICIES)]
        assign_slots = getattr(self.networks, "assign_slots", None)
        began = time.process_time()
        played = play(self.networks.forward, NETWORK.output_count, self.environments, episodes, decisions, assign_slots)
        self.seconds += time.process_time() - began
        self.frames += FRAMES * sum(one.steps for one in played)

    @property
    def rate(self) -> float:
        return self.frames / self.seconds


def rates(first: int, rounds: int = ROUNDS) -> tuple[float, float, float]:
    """Frames per CPU-second: ours, the loop side by side, the loop one policy after the other. They take turns."""
    torch.set_num_threads(1)
    parameters = [initial_parameters(NETWORK, first + i) for i in range(POLICIES)]
    single, many, loop = AtariEnvironments(GAME, 1), AtariEnvironments(GAME, POLICIES), Loop(parameters)
    sides = [Side(networks_of(NETWORK, parameters), single), Side(loop, many), Side(loop, single)]
    for round_ in range(rounds):
        for side in sides:
            side.play(round_)
    ours, beside, after = (side.rate for side in sides)
    return ours, beside, after


def together(first: int) -> list[tuple[float, float, float]]:
    """`rates` in two processes at once: the result of each."""
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        return list(pool.map(rates, [first, first + POLICIES]))


def emulator(frames: int = 4_000) -> float:
    played, rng = load_game(GAME), np.random.default_rng(0)
    actions = played.getMinimalActionSet()
    chosen = [actions[i] for i in rng.integers(0, len(actions), frames // FRAMES)]
    began = time.process_time()
    for frame in range(frames):
        played.act(chosen[frame // FRAMES])
        if played.game_over():
            played.reset_game()
    return frames / (time.process_time() - began)


def vector_environment(decisions: int = 30) -> float:
    """Frames per CPU-second of ale-py's vector environment, without resets, each of which loads the game anew."""
    from ale_py.vector_env import AtariVectorEnv

    environment = AtariVectorEnv(
        GAME, POLICIES, num_threads=1, reward_clipping=False, use_fire_reset=False, autoreset_mode="SameStep"
    )
    environment.reset(seed=0)
    rng = np.random.default_rng(0)
    began = time.process_time()
    for _ in range(decisions):
        environment.step(rng.integers(0, NETWORK.output_count, POLICIES))
    return FRAMES * POLICIES * decisions / (time.process_time() - began)


def environments_alone(decisions: int = 1_000) -> float:
    ours, rng, slot = AtariEnvironments(GAME, 1), np.random.default_rng(0), np.zeros(1, np.int64)
    ours.reset(slot, [0])
    ours.step(slot, np.zeros(1, np.int64))
    began = time.process_time()
    for decision in range(decisions):
        if ours.step(slot, rng.integers(0, NETWORK.output_count, 1)).over[0]:
            ours.reset(slot, [decision])
    return FRAMES * decisions / (time.process_time() - began)


def row(name: str, value: float, baseline: str, other: float) -> dict[str, object]:
    name = f"atari/{name}"
    return {"name": name, "value": value, "unit": "frames per CPU-second", "baseline": baseline, "ratio": value / other}


def rows() -> list[dict[str, object]]:
    if not find_spec("ale_py"):
        return []
    raw, vector, alone = emulator(), vector_environment(), environments_alone()
    ours, beside, after = rates(0)
    pairs = together(0)
    two, two_beside, two_after = (sum(side) for side in zip(*pairs, strict=True))
    return [
        row("emulator", raw, "itself", raw),
        row("vector-environment", vector, "the emulator", raw),
        row("environments", alone, "the vector environment", vector),
        row("policies", ours, "modules of torch, 32 side by side", beside),
        row("policies-1-slot", ours, "modules of torch, one after the other", after),
        row("policies-2-processes", two, "modules of torch, 32 side by side", two_beside),
        row("policies-2-processes-1-slot", two, "modules of torch, one after the other", two_after),
    ]
