"""Environment specifications: invalid ones, and boxes of actions, which any float32 action must stay inside."""

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import onnxruntime
import pytest

from germline.evaluators.errors import InvalidTask
from germline.evaluators.policy.environments.environment import EnvironmentSpec
from germline.evaluators.policy.environments.gymnasium_slots import GymnasiumEnvironments, spec_of
from germline.evaluators.policy.task import environment_spec_of
from germline.evaluators.tasks.registry import task_class
from germline.programs.export.origin import Origin
from germline.programs.policy.export import random_observations, verified_torch
from germline.programs.policy.genome import Policy
from germline.programs.policy.network import Box, Network, choose_actions
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
    actions = spec_of(environment, "strict").actions
    assert isinstance(actions, Box)
    return actions


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
def test_the_action_of_any_output_is_inside_the_environments_space(bounds: tuple[list[float], list[float]]) -> None:
    box, count = box_of(Strict(*bounds)), len(bounds[0])
    outputs = np.random.default_rng(0).normal(size=(200, count)) * np.logspace(-3, 3, 200)[:, None]
    extremes = np.array([[-np.inf], [-1.0], [0.0], [1 - 2**-24], [1.0], [1e30], [np.inf]]) * np.ones(count)
    actions = choose_actions(box, np.concatenate([outputs, extremes]).astype(np.float32))
    environments = GymnasiumEnvironments("strict", 1, lambda: Strict(*bounds))
    slot = np.zeros(1, np.int64)
    environments.reset(slot, [1])
    assert [dict(environments.step(slot, action[None]).failed) for action in actions] == [{}] * len(actions)
    assert actions[-1].tolist() == list(box.high) and actions[-7].tolist() == list(box.low)


def test_exported_policies_stay_inside_the_space() -> None:
    environment = Strict([-0.1, -0.1], [0.1, 0.1])
    policy = Policy(Network("mlp", (3,), box_of(environment)), 1, ((5, 100.0),))
    observations = random_observations(policy.network, 50)
    module = verified_torch(policy, Origin(None, None, "abc", None, None), "Found", "found").module
    session = onnxruntime.InferenceSession(verified_onnx(policy, Origin(None, None, "abc", None, None)).content)
    for actions in (
        np.array([module.act(observation) for observation in observations]),
        session.run(["action"], {"observation": observations})[0],
    ):
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
        spec_of(Strict([low], [high]), "strict")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("EnvironmentSpec(4, 2, 500)", "EnvironmentSpec: expected the shape of observations, such as (4,), got 4"),
        ("EnvironmentSpec((4, 0), 2, 500)", "EnvironmentSpec: expected the shape of observations"),
        ("EnvironmentSpec((4,), 0, 500)", "EnvironmentSpec: expected the number of actions, or their Box, got 0"),
        (
            "EnvironmentSpec((4,), True, 500)",
            "EnvironmentSpec: expected the number of actions, or their Box, got True",
        ),
        ("EnvironmentSpec((4,), 2, None)", "EnvironmentSpec: expected steps to be a whole number from 1, got None"),
        (
            "EnvironmentSpec((4,), 2, 500, frames=0.5)",
            "EnvironmentSpec: expected frames to be a whole number from 1, got 0.5",
        ),
        ("None", "expected environment_spec of the task odd to return an EnvironmentSpec, got None"),
        ("1 / 0", "expected environment_spec of the task odd to return an EnvironmentSpec, got ZeroDivisionError"),
        ("sys.exit(0)", "expected environment_spec of the task odd to return an EnvironmentSpec, got SystemExit: 0"),
    ],
)
def test_a_bad_environment_spec_is_an_error_of_one_line(tmp_path: Path, spec: str, message: str) -> None:
    path = tmp_path / "odd.py"
    path.write_text(f"""
import sys
from germline.evaluators.policy.environments.cart_pole import CartPole
from germline.evaluators.policy.task import PolicyTask
from germline.evaluators.policy.environments.environment import EnvironmentSpec

class Odd(PolicyTask):
    name = "odd"

    @classmethod
    def environment_spec(cls):
        return {spec}

    def environments(self, slots):
        return CartPole(slots)
""")
    with pytest.raises(InvalidTask) as raised:
        environment_spec_of(task_class(f"{path}:Odd"))  # type: ignore[arg-type]
    assert message in str(raised.value) and "\n" not in str(raised.value)


def test_a_specification_holds_plain_integers() -> None:
    assert EnvironmentSpec([np.int64(4)], 2, 500) == EnvironmentSpec((4,), 2, 500)  # type: ignore[arg-type]


def test_a_file_that_exits_is_an_error_of_one_line(tmp_path: Path) -> None:
    path = tmp_path / "leaves.py"
    path.write_text("import sys\nsys.exit(0)\n")
    with pytest.raises(InvalidTask, match=r"importing .*leaves\.py failed with SystemExit: 0; correct the file"):
        task_class(f"{path}:Any")
