"""Measures the networks of Frostbite, and its game."""

import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import atari
import launches
import numpy as np
from device_cells import torch_defaults
from device_step import Results, extra

from germline.evaluators.policy.environments.atari import FRAMES, AtariEnvironments
from germline.evaluators.policy.networks.backend import networks_of
from germline.evaluators.policy.networks.stacked import StackedPolicies
from germline.evaluators.policy.player import Episode, play
from germline.programs.policy.parameters import initial_parameters


def frostbite(device: str, policies: int, decisions: int, alone: int, played: int) -> Results:
    """Decisions a second of the networks of Frostbite, and frames a second of the game if its emulator is here.

    Args:
        device: of the stacked networks and of the modules that are the baseline.
        policies: networks that decide side by side.
        decisions: of each network.
        alone: decisions of each module.
        played: decisions of each policy in the game.
    """
    parameters = np.stack([initial_parameters(atari.NETWORK, seed) for seed in range(policies)])
    which, emulator = np.arange(policies), find_spec("ale_py") is not None
    images = _drawn_images(policies, decisions)
    together, compiled = StackedPolicies(atari.NETWORK, parameters, device), networks_of(atari.NETWORK, parameters)
    compiled.assign_slots(which, np.ones(policies, bool))
    loop = atari.Loop(parameters[: min(policies, 32)], device)
    rates = {
        "stacked": _rate(lambda step: together.forward(which, images[step]), decisions, policies),
        "modules": _rate(lambda step: loop.forward(which[:32], images[step][:32]), alone, min(policies, 32)),
    }
    row = {
        "name": "frostbite/network" + ("/cuda" if device == "cuda" else ""),
        "value": rates["stacked"],
        "unit": "decisions/s",
        "baseline": "modules of torch, one policy after the other",
        "ratio": rates["stacked"] / rates["modules"],
    }
    summary = f"{rates['stacked']:,.0f} decisions/s on drawn frames, {row['ratio']:.1f}x modules"
    yield {"summary": summary, "rows": [row], "decisions_per_second": rates}

    def decide(count: int) -> None:
        for step in range(count):
            together.forward(which, images[step])

    rates["compiled, one core"] = _rate(
        lambda step: compiled.forward(which, images[step]), min(decisions, 10), policies
    )
    if device == "cuda":
        with torch_defaults():
            rates["modules with TF32"] = _rate(
                lambda step: loop.forward(which[:32], images[step][:32]), alone, min(policies, 32)
            )
    yield {"decisions_per_second": rates}
    counts = extra("per_decision", lambda: launches.per_step(decide, device, (1, 3)))
    if "per_decision" in counts:
        summary += f"; {launches.said(counts['per_decision'])}"
    yield {"summary": summary, **counts}
    if emulator:
        yield extra("game_frames_per_second", lambda: _game_rates(together, compiled, policies, played))


def _rate(decide: Callable[[int], object], decisions: int, policies: int) -> float:
    """Decisions a second; every pass brings its outputs to the host, and so waits for the device."""
    decide(0)
    began = time.perf_counter()
    for step in range(decisions):
        decide(step)
    return policies * decisions / (time.perf_counter() - began)


def _drawn_images(policies: int, decisions: int) -> list[np.ndarray]:
    """Observations like those of a game: a still picture with a few things that move."""
    rng = np.random.default_rng(0)
    still = rng.integers(0, 256, (policies, 12, 12), dtype=np.uint8).repeat(7, 1).repeat(7, 2)
    frames = []
    for time_ in range(decisions + 3):
        frame = still.copy()
        for thing in range(6):
            x, y = (5 * thing + time_ * (1 + thing % 3)) % 76, 12 * thing
            frame[:, y : y + 8, x : x + 8] = 40 * thing
        frames.append(frame)
    return [np.stack(frames[first : first + 4], 1) for first in range(decisions)]


def _game_rates(together: Any, compiled: Any, policies: int, decisions: int) -> dict[str, float]:
    """Frames a second of whole games in this process, with the networks on the device and on a core of the CPU."""
    games = AtariEnvironments(atari.GAME, policies)
    episodes = [Episode(policy, policy) for policy in range(policies)]
    rates = {}
    for name, backend, forward_async in (("stacked", together, together.forward_async), ("compiled", compiled, None)):
        arguments = atari.NETWORK.actions, games, episodes, decisions, backend.assign_slots, forward_async
        began = time.perf_counter()
        results = play(backend.forward, *arguments)
        rates[name] = FRAMES * sum(result.steps for result in results) / (time.perf_counter() - began)
    return rates
