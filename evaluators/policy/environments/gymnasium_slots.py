"""Any environment of gymnasium, one instance for each slot."""

import contextlib
import warnings
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from germline.evaluators.errors import InvalidTask, UnknownTask, in_a_line, message_of, shown
from germline.evaluators.plugin_path import import_from
from germline.evaluators.policy.environments.environment import EnvironmentSpec, Slots, Step
from germline.programs.policy.network import Box

Environment = gymnasium.Env[Any, Any]

DEFAULT_STEPS = 1_000
"""Decisions after which an episode is cut if the environment has no limit of its own."""

MAX_DESCRIPTOR_SIZE = 16
"""The last observation is the behaviour descriptor if it has at most this many elements."""

POSITION_KEYS = ("x_position", "y_position")
"""Keys of a step's info under which environments of MuJoCo report the position of the body."""

EXTRAS = {"Box2D": "box2d", "box2d": "box2d", "mujoco": "mujoco", "imageio": "mujoco", "ale_py": "atari"}
"""Extra of our package that installs a module, by the module's name."""


CLEAN_MODULES = tuple(
    f"gymnasium.envs.{name}" for name in ("box2d.lunar_lander", "classic_control", "mujoco", "tabular", "toy_text")
)
"""Modules of environments whose `reset` leaves no state of the last episode. Others may: the physics of BipedalWalker
keeps its contacts, so that the same seed gives another episode."""


class GymnasiumEnvironments:
    """An environment for each slot. If an environment raises, only its own episode fails.

    Args:
        name: id of the environment, or name of the task for messages.
        slots: number of slots.
        build: returns a new environment; None to build the environment of the id `name`.
        clean: whether `reset` leaves no state of the last episode; if False, each episode gets a new environment. None
            to decide by `CLEAN_MODULES`.
    """

    def __init__(
        self, name: str, slots: int, build: Callable[[], Environment] | None = None, clean: bool | None = None
    ) -> None:
        self.slots = slots
        self.name = name
        self.build = build or partial(make, name)
        self.environments: list[Environment] = []
        try:
            for _ in range(slots):
                self.environments.append(self.build())
            self._look_at_first(slots, clean)
        except BaseException:
            self.close()
            raise

    def _look_at_first(self, slots: int, clean: bool | None) -> None:
        """Sets the attributes that depend on observations and actions, which are alike in all environments."""
        self.clean = _is_clean(self.environments[0]) if clean is None else clean
        self.stale: set[int] = set()
        """Slots whose environment raised, or may keep state of its last episode; `reset` replaces the environment."""
        observation_space, action_space = self.environments[0].observation_space, self.environments[0].action_space
        self.integers = observation_space.dtype == np.uint8
        """Whether observations are integers from 0 to 255."""
        self.raw_shape: tuple[int, ...] = tuple(map(int, observation_space.shape or ()))
        """Shape of the environment's own observations, before channels are moved to the front."""
        self.channels_last = _channels_last(observation_space)
        self.first_action = int(getattr(action_space, "start", 0))
        self.action_type: Any = action_space.dtype
        dtype = np.uint8 if self.integers else np.float64
        self.observations = np.zeros((slots, *_channels_first_shape(observation_space)), dtype)
        self.position_keys = self._find_position_keys()
        """The `POSITION_KEYS` that the environment reports, determined before any episode: all episodes then have the
        same descriptor."""
        self.positions = np.full((slots, len(self.position_keys)), np.nan)
        """Last reported position in each slot; NaN before the first report."""

    def reset(self, slots: Slots, seeds: Sequence[int]) -> None:
        for slot, seed in zip(slots.tolist(), seeds, strict=True):
            if slot in self.stale:
                _close(self.environments[slot])
                self.environments[slot] = self.build()
            self.stale.add(slot)
            self.positions[slot] = np.nan
            self._observe(slot, *_unpack(self.environments[slot].reset(seed=seed), "observation, info", "reset"))
            if self.clean:
                self.stale.remove(slot)

    def step(self, slots: Slots, actions: NDArray[Any]) -> Step:
        rewards, over, failed = np.zeros(len(slots)), np.zeros(len(slots), np.bool_), {}
        discrete = actions.ndim == 1
        for i, slot in enumerate(slots.tolist()):
            action = self.first_action + int(actions[i]) if discrete else actions[i].astype(self.action_type)
            try:
                values = self.environments[slot].step(action)
                observation, reward, terminated, truncated, info = _unpack(values, _STEP_VALUES, "step")
                self._observe(slot, observation, info)
                rewards[i], over[i] = _number(reward), bool(terminated or truncated)
            except Exception as error:
                over[i], failed[i] = True, in_a_line(error)
                self.stale.add(slot)
        return Step(rewards, over, failed)

    def behaviour(self, slots: Slots) -> NDArray[np.float64]:
        """The last position, if the environment reports positions (`POSITION_KEYS`); else the last observation, if it
        has at most `MAX_DESCRIPTOR_SIZE` elements; else empty."""
        if self.position_keys:
            return self.positions[slots]
        if self.observations[0].size > MAX_DESCRIPTOR_SIZE:
            return np.zeros((len(slots), 0))
        return self.observations[slots].reshape(len(slots), -1).astype(np.float64)

    def close(self) -> None:
        for environment in self.environments:
            _close(environment)

    def _observe(self, slot: int, observation: Any, info: dict[str, Any]) -> None:
        """Stores what an environment returned.

        Raises:
            ValueError: the observation has another shape or type than the environment's space, or is not finite.
        """
        if np.shape(observation) != self.raw_shape:
            raise ValueError(
                f"expected observations of shape {list(self.raw_shape)}, got {list(np.shape(observation))}"
            )
        if self.integers and np.asarray(observation).dtype != np.uint8:
            raise ValueError(f"expected observations of type uint8, got {np.asarray(observation).dtype}")
        self.observations[slot] = np.moveaxis(observation, -1, 0) if self.channels_last else observation
        if not self.integers and not np.isfinite(self.observations[slot]).all():
            raise ValueError("expected finite observations, got others")
        for i, key in enumerate(self.position_keys):
            self.positions[slot, i] = float(info.get(key, self.positions[slot, i]))

    def _find_position_keys(self) -> list[str]:
        """The `POSITION_KEYS` that the first decision of an episode reports; none if the environment raises there."""
        environment = self.environments[0]
        self.stale.add(0)
        with contextlib.suppress(Exception):
            environment.action_space.seed(0)
            info = environment.reset(seed=0)[1] | environment.step(environment.action_space.sample())[4]
            if self.clean:
                self.stale.remove(0)
            return [key for key in POSITION_KEYS if key in info]
        return []


_STEP_VALUES = "observation, reward, terminated, truncated, info"


def _unpack(values: Any, names: str, method: str) -> tuple[Any, ...]:
    """The values that a method of an environment returned.

    Raises:
        TypeError: their number is wrong, as in environments from before gymnasium.
    """
    count = names.count(",") + 1
    if not isinstance(values, tuple | list) or len(values) != count:
        got = f"{len(values)} values" if isinstance(values, tuple | list) else type(values).__name__
        raise TypeError(f"expected {method} to return ({names}), got {got}")
    return tuple(values)


def _is_clean(environment: Environment) -> bool:
    return environment.spec is not None and str(environment.spec.entry_point).startswith(CLEAN_MODULES)


def _close(environment: Environment) -> None:
    with contextlib.suppress(Exception):
        environment.close()


def make(name: str, **options: Any) -> Environment:
    """The environment of an id, built with options such as `render_mode`. The module of `module:id` may lie in the
    working directory.

    Raises:
        UnknownTask: gymnasium has no such id.
        InvalidTask: a package that the environment needs is missing, or the environment cannot be built.
    """
    if ":" in name:
        import_from(Path.cwd())
    try:
        with warnings.catch_warnings():  # such as of an old version, which the user chose
            warnings.simplefilter("ignore")
            environment: Environment = gymnasium.make(name, disable_env_checker=True, **options)
    except (gymnasium.error.DependencyNotInstalled, ModuleNotFoundError) as error:
        raise InvalidTask(_missing_package(name, error)) from None
    except gymnasium.error.Error as error:
        raise UnknownTask(_unknown_id(name, f" ({in_a_line(error)})")) from None
    except Exception as error:
        raise InvalidTask(f"gym:{name} cannot be made: {in_a_line(error)}") from None
    if environment.spec and environment.spec.id != name.rpartition(":")[2]:  # gymnasium completes a missing version
        raise UnknownTask(_unknown_id(name, ""))
    return environment


def _unknown_id(name: str, reason: str) -> str:
    known = [identifier for identifier in gymnasium.registry if identifier != name]
    nearest = get_close_matches(name, known, n=1, cutoff=0.0)
    return f"expected an environment of gymnasium, got {name!r:.60}{reason}; the nearest is gym:{nearest[0]}"


def _missing_package(name: str, error: Exception) -> str:
    cause = error.__cause__ if isinstance(error.__cause__, ImportError) else error
    module = getattr(cause, "name", None) or next((known for known in EXTRAS if known in message_of(error)), None)
    extra = EXTRAS.get(str(module).partition(".")[0])
    remedy = f"pip install 'germline[{extra}]'" if extra else f"install the package that brings {module or 'it'}"
    return f"gym:{name} needs a package that is not here ({in_a_line(error)}); {remedy}"


def spec_of(environment: Environment, name: str, steps: int = DEFAULT_STEPS) -> EnvironmentSpec:
    """Specification of an environment, with pictures as `[channels, height, width]`.

    Args:
        environment: the environment.
        name: name of the task for messages.
        steps: decisions after which an episode is cut if the environment has no limit of its own.

    Raises:
        InvalidTask: observations are not a box, or actions are neither discrete nor a bounded row of real numbers.
    """
    observation_space, action_space = environment.observation_space, environment.action_space
    if not isinstance(observation_space, gymnasium.spaces.Box) or not observation_space.shape:
        raise InvalidTask(
            f"{name}: expected observations that are a box of numbers, got {shown(observation_space, 80)}; "
            "in a task of your own, gymnasium.wrappers.FlattenObservation turns most others into a box"
        )
    actions: int | Box
    if isinstance(action_space, gymnasium.spaces.Discrete):
        actions = int(action_space.n)
    elif isinstance(action_space, gymnasium.spaces.Box) and (box := _float32_box(action_space)):
        actions = box
    else:
        raise InvalidTask(
            f"{name}: expected a choice of actions or a bounded row of real numbers, got {shown(action_space, 80)}"
            f"{_action_hint(action_space)}"
        )
    limit = environment.spec.max_episode_steps if environment.spec else None
    pixels = observation_space.dtype == np.uint8 and len(observation_space.shape) == 3
    return EnvironmentSpec(_channels_first_shape(observation_space), actions, limit or steps, pixels=pixels)


def _action_hint(space: object) -> str:
    """What to do about actions that policies cannot choose; empty if it is not known."""
    if isinstance(space, gymnasium.spaces.MultiDiscrete | gymnasium.spaces.MultiBinary):
        return "; number the combinations, as Discrete, with gymnasium.wrappers.TransformAction"
    if isinstance(space, gymnasium.spaces.Box) and not space.is_bounded():
        return "; give the box finite bounds"
    if isinstance(space, gymnasium.spaces.Box) and bool((space.low >= space.high).any()):
        return "; leave out actions whose bounds are equal"
    return ""


def _number(reward: Any) -> float:
    """A reward as a float.

    Raises:
        ValueError: it is no number.
    """
    try:
        return float(reward)
    except (TypeError, ValueError):
        raise ValueError(f"expected a reward that is a number, got {shown(reward)}") from None


def _float32_box(space: gymnasium.spaces.Box) -> Box | None:
    """The largest box with float32 bounds inside the space, because actions are float32.

    None if the space is not a one-dimensional box of floating-point numbers with bounds up to 1e30, if no such box
    fits, or if the highest action as it is computed would exceed its bound by rounding.
    """
    row = len(space.shape) == 1 and space.is_bounded() and np.issubdtype(space.dtype, np.floating)
    if not row or (np.abs(np.array([space.low, space.high], np.float64)) > 1e30).any():
        return None
    low, high = space.low.astype(np.float32), space.high.astype(np.float32)
    low = np.where(low < space.low, np.nextafter(low, np.float32(np.inf)), low).astype(np.float64)
    high = np.where(high > space.high, np.nextafter(high, np.float32(-np.inf)), high).astype(np.float64)
    highest = (low + (high - low)).astype(np.float32)  # as actions are computed; may exceed a bound close to 0
    inside = (low < highest) & (highest <= high)
    return Box(tuple(map(float, low)), tuple(map(float, high))) if inside.all() else None


def _channels_first_shape(space: Any) -> tuple[int, ...]:
    shape = tuple(map(int, space.shape))
    return (shape[-1], *shape[:-1]) if _channels_last(space) else shape


def _channels_last(space: Any) -> bool:
    """Whether observations are pictures `[height, width, channels]`, as in most environments of gymnasium."""
    return space.dtype == np.uint8 and len(space.shape) == 3 and space.shape[-1] <= 4 < space.shape[0]
