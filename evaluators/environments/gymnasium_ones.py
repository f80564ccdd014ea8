"""Any environment of gymnasium, one for each slot."""

from collections.abc import Sequence
from difflib import get_close_matches
from functools import cache
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from germline.evaluators.policies.play import in_a_line
from germline.evaluators.policy_task import Slots, Step, World
from germline.evaluators.tasks.registry import InvalidTask, UnknownTask
from germline.programs.policy.network import Box

STEPS = 1_000
"""The most decisions in an episode of an environment that sets no limit itself."""

SHOWN = 16
"""Observations of at most so many numbers are what an episode did, where there is nothing better."""

EXTRAS = {"Box2D": "box2d", "box2d": "box2d", "mujoco": "mujoco", "imageio": "mujoco", "ale_py": "atari"}
"""The extra of ours that brings a module."""


class GymnasiumEnvironments:
    """One environment for each slot; where one raises, its episode alone has failed.

    Args:
        name: its id.
        slots: how many.
    """

    def __init__(self, name: str, slots: int) -> None:
        self.slots = slots
        self.name = name
        self.environments = [make(name) for _ in range(slots)]
        space: Any = self.environments[0].observation_space
        self.first_action = int(getattr(self.environments[0].action_space, "start", 0))
        self.observations = np.zeros((slots, *space.shape), np.uint8 if space.dtype == np.uint8 else np.float64)
        self.places: dict[int, tuple[float, ...]] = {}

    def reset(self, slots: Slots, seeds: Sequence[int]) -> None:
        for slot, seed in zip(slots.tolist(), seeds, strict=True):
            self.observations[slot], _ = self.environments[slot].reset(seed=seed)
            self.places.pop(slot, None)

    def step(self, slots: Slots, actions: NDArray[Any]) -> Step:
        rewards, over, failed = np.zeros(len(slots)), np.zeros(len(slots), bool), {}
        for i, slot in enumerate(slots.tolist()):
            action = self.first_action + int(actions[i]) if actions.ndim == 1 else actions[i]
            try:
                seen, reward, terminated, truncated, info = self.environments[slot].step(action)
                self.observations[slot] = seen
                rewards[i], over[i] = float(reward), bool(terminated or truncated)
                if "x_position" in info:
                    self.places[slot] = tuple(
                        float(info[name]) for name in ("x_position", "y_position") if name in info
                    )
            except Exception as error:
                over[i], failed[i] = True, in_a_line(error)
                self.environments[slot] = make(self.name)  # what raised may be broken
        return Step(rewards, over, failed)

    def behaviour(self, slots: Slots) -> NDArray[np.float64]:
        """Where the body came to rest, if the environment says so; else the last observation, if it is short."""
        if all(slot in self.places for slot in slots.tolist()):
            return np.array([self.places[slot] for slot in slots.tolist()])
        if self.observations[0].size > SHOWN:
            return np.zeros((len(slots), 0))
        return self.observations[slots].reshape(len(slots), -1).astype(np.float64)

    def close(self) -> None:
        for environment in self.environments:
            environment.close()


def make(name: str, **options: Any) -> "gymnasium.Env[Any, Any]":
    """One environment.

    Raises:
        UnknownTask: there is none of that id.
        InvalidTask: a package that it needs is missing, or it cannot be made.
    """
    try:
        return gymnasium.make(name, disable_env_checker=True, **options)
    except gymnasium.error.DependencyNotInstalled as error:
        raise InvalidTask(_missing(name, error)) from None
    except gymnasium.error.Error as error:
        near = get_close_matches(name, gymnasium.registry, n=1, cutoff=0.0)
        raise UnknownTask(
            f"expected an environment of gymnasium, got {name!r:.60}; the nearest is {near[0]}"
        ) from error
    except ImportError as error:
        raise InvalidTask(_missing(name, error)) from None
    except Exception as error:
        raise InvalidTask(f"gym:{name} cannot be made: {in_a_line(error)}") from None


def _missing(name: str, error: Exception) -> str:
    cause = error.__cause__ if isinstance(error.__cause__, ImportError) else error
    module = getattr(cause, "name", None) or next((known for known in EXTRAS if known in str(error)), None)
    extra = EXTRAS.get(str(module).partition(".")[0])
    get = f"pip install 'germline[{extra}]'" if extra else f"install the package that brings {module or 'it'}"
    return f"gym:{name} needs a package that is not here ({in_a_line(error)}); {get}"


@cache
def world_of(name: str) -> World:
    """What a policy meets in an environment.

    Raises:
        UnknownTask, InvalidTask: as `make`; or its observations or actions are not numbers in a box or a choice.
    """
    environment = make(name)
    try:
        seen, chosen = environment.observation_space, environment.action_space
        limit = environment.spec.max_episode_steps if environment.spec else None
    finally:
        environment.close()
    if not isinstance(seen, gymnasium.spaces.Box) or not seen.shape:
        raise InvalidTask(f"gym:{name}: expected observations that are a box of numbers, got {seen!s:.80}")
    actions: int | Box
    if isinstance(chosen, gymnasium.spaces.Discrete):
        actions = int(chosen.n)
    elif isinstance(chosen, gymnasium.spaces.Box) and len(chosen.shape) == 1 and chosen.is_bounded():
        actions = Box(tuple(map(float, chosen.low)), tuple(map(float, chosen.high)))
    else:
        raise InvalidTask(f"gym:{name}: expected a choice of actions or a bounded row of numbers, got {chosen!s:.80}")
    pixels = seen.dtype == np.uint8 and len(seen.shape) == 3
    return World(tuple(seen.shape), actions, limit or STEPS, pixels=pixels)
