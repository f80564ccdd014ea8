"""Names and bounds of the behaviours of gymnasium's environments."""

import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from germline.evaluators.policy.environments.gymnasium_behaviour import behaviour_bounds, behaviour_names
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


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Acrobot-v1", "MountainCar-v0", "MountainCarContinuous-v0"])
def test_bounds_are_those_that_the_environment_keeps_to(name: str) -> None:
    task = task_class(f"gym:{name}")
    assert issubclass(task, PolicyTask) and len(task.behaviour_bounds) == len(task.behaviour_names)
    low, high = np.array(task.behaviour_bounds).T
    slots, reached = np.arange(16), []
    with opened_environments(task(), 16) as environments:
        environments.reset(slots, range(16))
        actions = task.environment_spec().actions
        for _ in range(400):
            speeds = environments.behaviour(slots)[:, len(low) // 2]
            push = (speeds > 0).astype(np.int64)  # with the motion, which swings ever farther
            many = push * (actions - 1) if isinstance(actions, int) else np.float32(2 * push - 1)[:, None]
            environments.step(slots, many)
            reached.append(environments.behaviour(slots))
    places = np.concatenate(reached)
    assert (low - 1e-6 <= places).all() and (places <= high + 1e-6).all()  # some states are float32
    assert ((places.max(0) - places.min(0)) > 0.05 * (high - low)).all(), "bounds have the scale of what is reached"


def test_environments_whose_state_has_no_bounds_have_none_here() -> None:
    for name in ("CartPole-v1", "Pendulum-v1", "LunarLander-v3", "Own-v0", "module:Own-v0", ""):
        assert behaviour_bounds(name) == ()
    assert task_class("gym:CartPole-v1").behaviour_bounds == ()  # type: ignore[attr-defined]
