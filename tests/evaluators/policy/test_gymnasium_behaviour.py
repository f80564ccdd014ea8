"""Names of the behaviours of gymnasium's environments."""

import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from germline.evaluators.policy.environments.gymnasium_behaviour import behaviour_names
from germline.evaluators.policy.task import PolicyTask, opened_environments
from germline.evaluators.tasks.registry import task_class

ALWAYS = ("Acrobot-v1", "CartPole-v0", "CartPole-v1", "MountainCar-v0", "MountainCarContinuous-v0", "Pendulum-v1")
WITH_BOX2D = ("LunarLander-v3", "LunarLanderContinuous-v3")
WITH_MUJOCO = tuple(
    f"{name}-v5"
    for name in (
        *("HalfCheetah", "Hopper", "Walker2d", "Ant", "Humanoid", "HumanoidStandup", "Swimmer", "Reacher"),
        *("InvertedPendulum", "InvertedDoublePendulum"),
    )
)
OF_OTHERS = ("Reacher-v4", "InvertedDoublePendulum-v4")


@pytest.mark.slow
@pytest.mark.parametrize("name", [*ALWAYS, *WITH_BOX2D, *WITH_MUJOCO, *OF_OTHERS])
def test_there_is_a_name_for_each_number_of_behaviour(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # MuJoCo writes a log there
    package = "Box2D" if name in WITH_BOX2D else "mujoco"
    if name not in ALWAYS and find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    task = task_class(f"gym:{name}")
    assert issubclass(task, PolicyTask)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with opened_environments(task(), 1) as environments:
            slots = np.array([0])
            environments.reset(slots, [1])
            numbers = environments.behaviour(slots).shape[1]
    assert len(task.behaviour_names) == numbers == len(set(task.behaviour_names))


def test_unknown_environments_have_no_names() -> None:
    assert behaviour_names("Own-v0") == behaviour_names("module:Own-v0") == behaviour_names("") == ()
    assert behaviour_names("CartPole-v7") == behaviour_names("CartPole") == behaviour_names("CartPole-v1")
