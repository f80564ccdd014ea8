"""Environments of gymnasium as tasks: all forms of spaces, and all ways to fail."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from germline.evaluators.errors import InvalidTask, UnknownTask
from germline.evaluators.evaluator import EvaluatorSpec
from germline.evaluators.executors.executor import Job
from germline.evaluators.executors.inline_executor import InlineExecutor
from germline.evaluators.outcome import Outcome
from germline.evaluators.policy.environments.gymnasium_slots import GymnasiumEnvironments, make, spec_of
from germline.evaluators.policy.evaluator import PolicyEvaluator
from germline.evaluators.tasks.registry import describe, task_class
from germline.programs.policy.genome import Policy, write
from germline.programs.policy.network import Box, Network

OWN = '''
import os, time
import gymnasium, numpy as np
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete
from germline.evaluators.tasks.gym import GymnasiumTask

NUMBERS = Box(-1, 1, (2,), np.float32)


class Place(gymnasium.Env):
    """Ten steps on a line; the reward is the place."""

    def __init__(self, seen=NUMBERS, chosen=Discrete(2, start=5)):
        self.observation_space, self.action_space = seen, chosen

    def reset(self, seed=None, options=None):
        super().reset(seed=seed)
        self.at, self.count = self.np_random.uniform(-1, 1), 0
        return self.seen(), {}

    def seen(self):
        return np.array([self.at, self.count / 10], np.float32)

    def step(self, action):
        assert self.action_space.contains(action), repr(action)
        self.at += 0.1 * (action - 5.5) if np.ndim(action) == 0 else float(action[0])
        self.count += 1
        return self.seen(), self.at, self.count == 10, False, {}


class Line(GymnasiumTask):
    """A line."""

    name = "line"

    def make(self):
        return Place()


ODD = {"seen": lambda seen: seen * np.nan, "far": lambda seen: seen * np.inf, "short": lambda seen: seen[:1]}


class Trouble(Place):
    """Misbehaves at the third step if the place is above 0."""

    def __init__(self, trouble):
        super().__init__()
        self.trouble = trouble

    def step(self, action):
        misbehaves = self.count == 2 and self.at > 0
        seen, reward, *rest = super().step(action)
        if misbehaves and self.trouble == "raise":
            self.step = None  # broken for good
            raise RuntimeError("an environment that raises")
        if misbehaves and self.trouble == "exit":
            os._exit(3)
        if misbehaves and self.trouble == "hang":
            time.sleep(3600)
        reward = float("nan") if misbehaves and self.trouble == "reward" else reward
        if misbehaves and self.trouble in ODD:
            seen = ODD[self.trouble](seen)
        return seen, reward, *rest

    def reset(self, seed=None, options=None):
        observation, info = super().reset(seed=seed)
        if self.trouble == "reset" and self.at > 0:
            raise RuntimeError("an environment that cannot begin")
        return observation, info


class Early(Place):
    """An environment from before gymnasium: `reset` returns the observation alone, `step` four values."""

    def __init__(self, trouble):
        super().__init__()
        self.trouble = trouble

    def reset(self, seed=None, options=None):
        observation, info = super().reset(seed=seed)
        return (observation, info) if self.trouble == "step" else observation

    def step(self, action):
        return super().step(action)[:4]


class EarlyReset(GymnasiumTask):
    name = "reset"

    def make(self):
        return Early(self.name)


class EarlyStep(EarlyReset):
    name = "step"


class Raise(GymnasiumTask):
    name = "raise"

    def make(self):
        return Trouble(self.name)


class Exit(Raise):
    name = "exit"


class Hang(Raise):
    name = "hang"


class Reward(Raise):
    name = "reward"


class Seen(Raise):
    name = "seen"


class Far(Raise):
    name = "far"


class Short(Raise):
    name = "short"


class Reset(Raise):
    name = "reset"


class Leaves(GymnasiumTask):
    name = "leaves"

    def make(self):
        raise SystemExit(0)


class Nothing(GymnasiumTask):
    name = "nothing"

    def make(self):
        return None


class Told(Place):
    """Tells where it is at each step, or only far out."""

    def __init__(self, always):
        super().__init__()
        self.always = always

    def step(self, action):
        seen, *rest, _ = super().step(action)
        return seen, *rest, {"x_position": self.at} if self.always or abs(self.at) > 0.7 else {}


class Always(GymnasiumTask):
    name = "always"

    def make(self):
        return Told(True)


class Seldom(GymnasiumTask):
    name = "seldom"

    def make(self):
        return Told(False)


class Unmakeable(GymnasiumTask):
    name = "unmakeable"

    def make(self):
        raise OSError("no such device")


class Words(GymnasiumTask):
    name = "words"

    def make(self):
        return Place(seen=Dict({"a": NUMBERS}))


class Choices(GymnasiumTask):
    name = "choices"

    def make(self):
        return Place(chosen=MultiDiscrete([2, 2]))


class Unbounded(GymnasiumTask):
    name = "unbounded"

    def make(self):
        return Place(chosen=Box(-np.inf, np.inf, (1,)))


class Real(GymnasiumTask):
    name = "real"
    steps = 7

    def make(self):
        return Place(chosen=Box(-0.25, 0.5, (1,), np.float64))
'''

LINE = Network("mlp", (2,), 2, (4,))


@pytest.fixture
def own(tmp_path: Path) -> Callable[[str], str]:
    """Names tasks in a file of a user's own."""
    path = tmp_path / "own.py"
    path.write_text(OWN)
    return lambda name: f"{path}:{name}"


def genomes(count: int, network: Network = LINE) -> tuple[str, ...]:
    return tuple(write(Policy(network, seed)) for seed in range(count))


def score(task: str, count: int = 12, network: Network = LINE, slots: int = 5) -> list[Outcome]:
    return PolicyEvaluator(task, seed=1, episodes=(1, 2, 3), slots=slots).score(genomes(count, network), 0, 0)


def test_a_task_of_a_user_needs_a_name_and_make(own: Callable[[str], str]) -> None:
    spec = task_class(own("Line")).environment_spec()  # type: ignore[attr-defined]
    assert (spec.observation, spec.actions, spec.steps, spec.pixels) == ((2,), 2, 1000, False)
    assert [outcome.status for outcome in score(own("Line"))] == ["ok"] * 12
    assert (describe(own("Line")).name, describe(own("Line")).summary) == ("line", "A line.")


def test_continuous_actions_lie_in_their_box_and_have_its_type(own: Callable[[str], str]) -> None:
    found = score(own("Real"), network=Network("mlp", (2,), Box((-0.25,), (0.5,)), (4,)))
    assert [(outcome.status, outcome.measures["steps"]) for outcome in found] == [("ok", 7.0)] * 12


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Words", "words: expected observations that are a box of numbers, got Dict"),
        ("Choices", "choices: expected a choice of actions or a bounded row of real numbers, got MultiDiscrete"),
        ("Unbounded", "unbounded: expected a choice of actions or a bounded row of real numbers, got Box"),
        ("Unmakeable", "unmakeable: its environment cannot be made: OSError: no such device"),
        ("Leaves", "leaves: its environment cannot be made: SystemExit: 0"),
        ("Nothing", "nothing: its environment cannot be made: AttributeError"),
    ],
)
def test_an_environment_that_no_policy_can_play_is_an_error_of_one_line(
    own: Callable[[str], str], name: str, message: str
) -> None:
    with pytest.raises(InvalidTask) as raised:
        task_class(own(name)).environment_spec()  # type: ignore[attr-defined]
    assert message in str(raised.value) and "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "status", "error"),
    [
        ("Raise", "crashed", "RuntimeError: an environment that raises"),
        ("Reset", "crashed", "RuntimeError: an environment that cannot begin"),
        ("Seen", "crashed", "ValueError: expected finite observations, got others"),
        ("Far", "crashed", "ValueError: expected finite observations, got others"),
        ("Short", "crashed", "ValueError: expected observations of shape [2], got [1]"),
        ("Reward", "diverged", "a return was nan"),
    ],
)
def test_an_environment_that_misbehaves_fails_its_episode_alone(
    own: Callable[[str], str], name: str, status: str, error: str
) -> None:
    clean, found = score(own("Line"), 24), score(own(name), 24)
    failed = [i for i, outcome in enumerate(found) if outcome.status != "ok"]
    assert 2 < len(failed) < 22
    assert {(found[i].status, found[i].error) for i in failed} == {(status, error)}
    assert [outcome.fitness for i, outcome in enumerate(clean) if i not in failed] == [
        outcome.fitness for outcome in found if outcome.status == "ok"
    ]


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("EarlyReset", "TypeError: expected reset to return (observation, info), got ndarray"),
        (
            "EarlyStep",
            "TypeError: expected step to return (observation, reward, terminated, truncated, info), got 4 values",
        ),
    ],
)
def test_the_error_of_an_environment_from_before_gymnasium_says_what_is_missing(
    own: Callable[[str], str], name: str, error: str
) -> None:
    assert {(outcome.status, outcome.error) for outcome in score(own(name), 2)} == {("crashed", error)}


@pytest.mark.parametrize(("name", "numbers"), [("Always", 1), ("Seldom", 2)])
def test_a_behaviour_does_not_depend_on_other_slots(own: Callable[[str], str], name: str, numbers: int) -> None:
    def behaviours(slots: int, count: int) -> list[list[float]]:
        environments = task_class(own(name))().environments(slots)  # type: ignore[attr-defined]
        found = []
        for first in range(0, count, slots):
            here = np.arange(slots)
            environments.reset(here, [first + slot for slot in range(slots)])
            for step in range(10):
                environments.step(here, (here + first + step) % 2)
            found += environments.behaviour(here).tolist()
        return found

    alone, together = behaviours(1, 12), behaviours(12, 12)
    assert alone == together
    assert {len(behaviour) for behaviour in alone} == {numbers}
    outcomes = PolicyEvaluator(own(name), seed=1, episodes=(4, 4, 4), slots=3).score(genomes(6), 0, 0)
    assert [outcome.status for outcome in outcomes] == ["ok"] * 6


def test_a_position_is_nan_before_it_is_reported(own: Callable[[str], str]) -> None:
    environments = task_class(own("Always"))().environments(2)  # type: ignore[attr-defined]
    both = np.arange(2)
    environments.reset(both, [1, 2])
    environments.step(both[1:], np.zeros(1, np.int64))
    assert np.isnan(environments.behaviour(both)).tolist() == [[True], [False]]
    environments.reset(both, [1, 2])
    assert np.isnan(environments.behaviour(both)).all()


@pytest.mark.slow
def test_environments_know_neither_tasks_nor_policies() -> None:
    code = (
        "import sys; from germline.evaluators.policy.environments import atari, gymnasium_slots, hard_maze;"
        "rooms = ['tasks', 'policy.networks', 'policy.player', 'policy.task'];"
        "forbidden = tuple(f'germline.evaluators.{room}' for room in rooms);"
        "print(*(module for module in sys.modules if module.startswith(forbidden)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.slow
def test_an_environment_that_kills_or_blocks_its_worker_is_a_failed_outcome(
    local_ray: None, own: Callable[[str], str]
) -> None:
    from germline.evaluators.executors.ray_executor import RayExecutor

    bad = next(i for i, outcome in enumerate(score(own("Raise"), 12)) if outcome.status != "ok")
    executors = [
        RayExecutor(EvaluatorSpec("policy", own(name), 1, options={"episodes": (1, 2, 3)}), workers=1, timeout=timeout)
        for name, timeout in {"Exit": 600.0, "Hang": 2.0}.items()
    ]
    try:
        for executor in executors:
            executor.submit(Job((0,), genomes(12)[bad : bad + 1], 0, 0))
        found = [executor.next()[1][0] for executor in executors]
    finally:
        for executor in executors:
            executor.close()
    assert [outcome.status for outcome in found] == ["crashed", "timeout"]


def test_a_constructor_that_raises_in_a_worker_is_one_clear_error(own: Callable[[str], str]) -> None:
    from germline.evaluators.executors.executor import NoWorker

    with pytest.raises(NoWorker, match=r"could not load the task .*no such device"):
        InlineExecutor(EvaluatorSpec("policy", own("Unmakeable"), seed=1))


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("Cartpole-v1", "CartPole-v1"), ("CartPole", "CartPole-v1"), ("LunarLander-v2", "LunarLander-v3")],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_an_unknown_id_names_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(UnknownTask, match=f"got '{name}'.*the nearest is gym:{nearest}$"):
        make(name)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "module", "extra"),
    [
        ("LunarLander-v3", "Box2D", "box2d"),
        ("HalfCheetah-v5", "mujoco", "mujoco"),
        ("HalfCheetah-v5", "imageio", "mujoco"),
    ],
)
def test_a_missing_package_names_the_extra_that_brings_it(
    monkeypatch: pytest.MonkeyPatch, name: str, module: str, extra: str
) -> None:
    for known in [
        module for module in sys.modules if module.startswith(("gymnasium.envs.box2d", "gymnasium.envs.mujoco"))
    ]:
        monkeypatch.delitem(sys.modules, known)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InvalidTask, match=rf"gym:{name} needs a package.*; pip install 'germline\[{extra}\]'$"):
        make(name)


def test_a_missing_module_without_an_extra_is_named() -> None:
    with pytest.raises(InvalidTask, match="install the package that brings no_such_module"):
        make("no_such_module:Env-v0")


def test_pictures_have_their_channels_first() -> None:
    pytest.importorskip("Box2D")
    environment = make("CarRacing-v3")
    spec = spec_of(environment, "racing")
    assert (spec.observation, spec.pixels, spec.steps) == ((3, 96, 96), True, 1000)
    here = GymnasiumEnvironments("CarRacing-v3", 1)
    here.reset(np.array([0]), [3])
    assert (here.observations[0].transpose(1, 2, 0) == environment.reset(seed=3)[0]).all()
    assert here.observations.dtype == np.uint8


def test_the_behaviour_in_mujoco_is_the_last_position_of_the_body() -> None:
    pytest.importorskip("mujoco")
    spec = task_class("gym:Humanoid-v5").environment_spec()  # type: ignore[attr-defined]
    assert (spec.observation, len(spec.actions.low), spec.steps) == ((348,), 17, 1000)
    outcome = score("gym:Humanoid-v5", 1, Network("mlp", (348,), spec.actions, (8,)))[0]
    assert outcome.status == "ok" and {"behaviour_0", "behaviour_1"} <= set(outcome.measures)
    assert "behaviour_2" not in outcome.measures
