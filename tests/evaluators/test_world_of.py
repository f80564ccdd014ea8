"""Boxes of actions: what is chosen is a float32 number, and lies in the space of the environment all the same."""

from typing import Any

import gymnasium
import numpy as np
import onnxruntime
import pytest

from germline.evaluators.environments.gymnasium_slots import GymnasiumEnvironments, world_of
from germline.evaluators.errors import InvalidTask
from germline.programs.export.origin import Origin
from germline.programs.policy.export import random_observations, verified_torch
from germline.programs.policy.genome import Policy
from germline.programs.policy.network import Box, Network, chosen
from germline.programs.policy.onnx_file import verified_onnx

FLOAT32 = np.float32(0.1)  # larger than 0.1
NARROW = float(np.nextafter(FLOAT32, np.float32(0)))


class Strict(gymnasium.Env[Any, Any]):
    """Takes no action that is not in its space."""

    observation_space = gymnasium.spaces.Box(-1, 1, (3,), np.float64)

    def __init__(self, low: Any, high: Any, dtype: Any = np.float64) -> None:
        self.action_space = gymnasium.spaces.Box(np.array(low, dtype), np.array(high, dtype), dtype=dtype)

    def reset(self, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return np.zeros(3), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action), f"{action!r} is outside"
        return np.zeros(3), 0.0, False, False, {}


def box_of(environment: Strict) -> Box:
    found = world_of(environment, "strict").actions
    assert isinstance(found, Box)
    return found


def test_bounds_of_double_precision_become_the_next_float32_numbers_inside() -> None:
    assert float(FLOAT32) > 0.1 > NARROW
    assert box_of(Strict([-0.1, 0.1, -0.25], [0.1, 0.3, 0.5])) == Box(
        (-NARROW, float(FLOAT32), -0.25), (NARROW, float(np.nextafter(np.float32(0.3), np.float32(0))), 0.5)
    )


def test_bounds_of_float32_stay_what_they_are() -> None:
    assert box_of(Strict([-0.1], [0.1], np.float32)) == Box((-float(FLOAT32),), (float(FLOAT32),))


SPACES = {
    "a tenth": ([-0.1, -0.1], [0.1, 0.1]),
    "many": ((-1 / np.arange(1, 50)).tolist(), (1 / np.arange(2, 51)).tolist()),
    "of different size": ([-1e6, -0.1], [0.1, 1e6]),
}


@pytest.mark.parametrize("bounds", SPACES.values(), ids=SPACES)
def test_whatever_a_network_says_the_environment_takes_it(bounds: tuple[list[float], list[float]]) -> None:
    box, count = box_of(Strict(*bounds)), len(bounds[0])
    outputs = np.random.default_rng(0).normal(size=(200, count)) * np.logspace(-3, 3, 200)[:, None]
    extremes = np.array([[-np.inf], [-1.0], [0.0], [1 - 2**-24], [1.0], [1e30], [np.inf]]) * np.ones(count)
    actions = chosen(box, np.concatenate([outputs, extremes]).astype(np.float32))
    here = GymnasiumEnvironments("strict", 1, lambda: Strict(*bounds))
    one = np.zeros(1, np.int64)
    here.reset(one, [1])
    assert [dict(here.step(one, action[None]).failed) for action in actions] == [{}] * len(actions)
    assert actions[-1].tolist() == list(box.high) and actions[-7].tolist() == list(box.low)


def test_exported_policies_stay_in_the_space_too() -> None:
    environment = Strict([-0.1, -0.1], [0.1, 0.1])
    policy = Policy(Network("mlp", (3,), box_of(environment)), 1, ((5, 100.0),))
    seen = random_observations(policy.network, 50)
    module = verified_torch(policy, Origin(None, None, "abc", None, None), "Found", "found").module
    session = onnxruntime.InferenceSession(verified_onnx(policy, Origin(None, None, "abc", None, None)))
    for actions in (np.array([module.act(one) for one in seen]), session.run(["action"], {"observation": seen})[0]):
        assert {-NARROW, NARROW} <= set(actions.ravel().tolist())
        assert all(environment.action_space.contains(action.astype(np.float64)) for action in actions)


@pytest.mark.parametrize(
    ("low", "high"),
    [
        (0.1, 0.1 + 1e-12),  # no float32 number
        (0.1, float(FLOAT32)),  # a single one
        (-1e8, 0.09999998658895493),  # in double precision low + (high - low) is above high
        (-1e31, 1.0),
        (0.0, float(np.nextafter(np.float32(1e30), np.float32(np.inf)))),
    ],
)
def test_bounds_with_no_room_for_float32_are_refused(low: float, high: float) -> None:
    with pytest.raises(InvalidTask, match="strict: expected a choice of actions or a bounded row of real numbers"):
        world_of(Strict([low], [high]), "strict")
