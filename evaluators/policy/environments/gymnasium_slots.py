"""Any environment of gymnasium, one for each slot."""

import contextlib
import warnings
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from functools import partial
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from germline.evaluators.errors import InvalidTask, UnknownTask, in_a_line
from germline.evaluators.policy.environments.environment import EnvironmentSpec, Slots, Step
from germline.programs.policy.network import Box

Environment = gymnasium.Env[Any, Any]

STEPS = 1_000
"""The most decisions in an episode of an environment that sets no limit itself."""

SHOWN = 16
"""Observations of at most so many numbers are what an episode did, where there is nothing better."""

PLACE = ("x_position", "y_position")
"""Where a body is, in what MuJoCo's environments tell beside an observation."""

EXTRAS = {"Box2D": "box2d", "box2d": "box2d", "mujoco": "mujoco", "imageio": "mujoco", "ale_py": "atari"}
"""The extra of ours that brings a module."""


CLEAN = tuple(
    f"gymnasium.envs.{name}" for name in ("box2d.lunar_lander", "classic_control", "mujoco", "tabular", "toy_text")
)
"""Modules of environments whose `reset` leaves nothing of the episode before. That of others may: the physics of
BipedalWalker goes on with what it knows of contacts, and the same seed is another episode then."""


class GymnasiumEnvironments:
    """One environment for each slot; where one raises, its episode alone has failed.

    Args:
        name: its id, or how it is called.
        slots: how many.
        build: makes one that has no id.
        clean: whether an episode leaves nothing behind in its environment; if it may, each has one of its own. None:
            of what gymnasium has, it is known.
    """

    def __init__(
        self, name: str, slots: int, build: Callable[[], Environment] | None = None, clean: bool | None = None
    ) -> None:
        self.slots = slots
        self.name = name
        self.build = build or partial(make, name)
        self.environments = [self.build() for _ in range(slots)]
        self.clean = _clean(self.environments[0]) if clean is None else clean
        self.stale: set[int] = set()
        """Slots whose environment raised, or is no longer as new: it is made anew for the next episode."""
        seen, chosen = self.environments[0].observation_space, self.environments[0].action_space
        self.whole = seen.dtype == np.uint8
        self.shape: tuple[int, ...] = tuple(map(int, seen.shape or ()))
        self.last = _channels_last(seen)
        self.first_action = int(getattr(chosen, "start", 0))
        self.action_type: Any = chosen.dtype
        self.observations = np.zeros((slots, *_shape(seen)), np.uint8 if self.whole else np.float64)
        self.tells = self._try()
        """Which of `PLACE` the environment tells; it is found out before any episode, so that all do the same."""
        self.places = np.full((slots, len(self.tells)), np.nan)

    def reset(self, slots: Slots, seeds: Sequence[int]) -> None:
        for slot, seed in zip(slots.tolist(), seeds, strict=True):
            if slot in self.stale:
                _close(self.environments[slot])
                self.environments[slot] = self.build()
            self.stale.add(slot)
            self.places[slot] = np.nan
            self._show(slot, *_all(self.environments[slot].reset(seed=seed), "observation, info", "reset"))
            if self.clean:
                self.stale.remove(slot)

    def step(self, slots: Slots, actions: NDArray[Any]) -> Step:
        rewards, over, failed = np.zeros(len(slots)), np.zeros(len(slots), np.bool_), {}
        discrete = actions.ndim == 1
        for i, slot in enumerate(slots.tolist()):
            action = self.first_action + int(actions[i]) if discrete else actions[i].astype(self.action_type)
            try:
                found = self.environments[slot].step(action)
                seen, reward, terminated, truncated, told = _all(found, _STEP, "step")
                self._show(slot, seen, told)
                rewards[i], over[i] = float(reward), bool(terminated or truncated)
            except Exception as error:
                over[i], failed[i] = True, in_a_line(error)
                self.stale.add(slot)
        return Step(rewards, over, failed)

    def behaviour(self, slots: Slots) -> NDArray[np.float64]:
        """Where the body was last, if the environment tells, NaN before; else the last observation, if it is short."""
        if self.tells:
            return self.places[slots]
        if self.observations[0].size > SHOWN:
            return np.zeros((len(slots), 0))
        return self.observations[slots].reshape(len(slots), -1).astype(np.float64)

    def close(self) -> None:
        for environment in self.environments:
            _close(environment)

    def _show(self, slot: int, seen: Any, told: dict[str, Any]) -> None:
        if np.shape(seen) != self.shape:
            raise ValueError(f"expected observations of shape {list(self.shape)}, got {list(np.shape(seen))}")
        if self.whole and np.asarray(seen).dtype != np.uint8:
            raise ValueError(f"expected whole numbers from 0 to 255 to see, got {np.asarray(seen).dtype}")
        self.observations[slot] = np.moveaxis(seen, -1, 0) if self.last else seen
        if not self.whole and not np.isfinite(self.observations[slot]).all():
            raise ValueError("expected finite numbers to see, got others")
        for i, name in enumerate(self.tells):
            self.places[slot, i] = float(told.get(name, self.places[slot, i]))

    def _try(self) -> list[str]:
        """What the first decision of an episode tells of a place; nothing, if there the environment raises."""
        first = self.environments[0]
        self.stale.add(0)
        with contextlib.suppress(Exception):
            first.action_space.seed(0)
            told = first.reset(seed=0)[1] | first.step(first.action_space.sample())[4]
            if self.clean:
                self.stale.remove(0)
            return [name for name in PLACE if name in told]
        return []


_STEP = "observation, reward, terminated, truncated, info"


def _all(found: Any, names: str, method: str) -> tuple[Any, ...]:
    """What a method gave, which is as much as it is to give: before gymnasium, environments gave less."""
    count = names.count(",") + 1
    if not isinstance(found, tuple | list) or len(found) != count:
        came = f"{len(found)} values" if isinstance(found, tuple | list) else type(found).__name__
        raise TypeError(f"expected {method} to return ({names}), got {came}")
    return tuple(found)


def _clean(environment: Environment) -> bool:
    return environment.spec is not None and str(environment.spec.entry_point).startswith(CLEAN)


def _close(environment: Environment) -> None:
    with contextlib.suppress(Exception):
        environment.close()


def make(name: str, **options: Any) -> Environment:
    """The environment of an id.

    Raises:
        UnknownTask: there is none of that id.
        InvalidTask: a package that it needs is missing, or it cannot be made.
    """
    try:
        with warnings.catch_warnings():  # what gymnasium warns of, such as an old version, is not ours to answer
            warnings.simplefilter("ignore")
            found: Environment = gymnasium.make(name, disable_env_checker=True, **options)
    except (gymnasium.error.DependencyNotInstalled, ModuleNotFoundError) as error:
        raise InvalidTask(_missing(name, error)) from None
    except gymnasium.error.Error as error:
        raise UnknownTask(_unknown(name, f" ({in_a_line(error)})")) from None
    except Exception as error:
        raise InvalidTask(f"gym:{name} cannot be made: {in_a_line(error)}") from None
    if found.spec and found.spec.id != name.rpartition(":")[2]:  # gymnasium takes the newest where no version is given
        raise UnknownTask(_unknown(name, ""))
    return found


def _unknown(name: str, why: str) -> str:
    known = [one for one in gymnasium.registry if one != name]
    near = get_close_matches(name, known, n=1, cutoff=0.0)
    return f"expected an environment of gymnasium, got {name!r:.60}{why}; the nearest is gym:{near[0]}"


def _missing(name: str, error: Exception) -> str:
    cause = error.__cause__ if isinstance(error.__cause__, ImportError) else error
    module = getattr(cause, "name", None) or next((known for known in EXTRAS if known in str(error)), None)
    extra = EXTRAS.get(str(module).partition(".")[0])
    get = f"pip install 'germline[{extra}]'" if extra else f"install the package that brings {module or 'it'}"
    return f"gym:{name} needs a package that is not here ({in_a_line(error)}); {get}"


def spec_of(environment: Environment, name: str, steps: int = STEPS) -> EnvironmentSpec:
    """What a policy meets in an environment. Pictures are `[channels, height, width]`.

    Args:
        name: of the task, for messages.
        steps: the most decisions in an episode, if the environment sets no limit itself.

    Raises:
        InvalidTask: its observations or actions are not numbers in a box or a choice.
    """
    seen, chosen = environment.observation_space, environment.action_space
    if not isinstance(seen, gymnasium.spaces.Box) or not seen.shape:
        raise InvalidTask(
            f"{name}: expected observations that are a box of numbers, got {seen!s:.80}; "
            "gymnasium.wrappers.FlattenObservation makes most others one, in a task of your own"
        )
    actions: int | Box
    if isinstance(chosen, gymnasium.spaces.Discrete):
        actions = int(chosen.n)
    elif isinstance(chosen, gymnasium.spaces.Box) and (row := _row(chosen)):
        actions = row
    else:
        raise InvalidTask(f"{name}: expected a choice of actions or a bounded row of real numbers, got {chosen!s:.80}")
    limit = environment.spec.max_episode_steps if environment.spec else None
    return EnvironmentSpec(
        _shape(seen), actions, limit or steps, pixels=seen.dtype == np.uint8 and len(seen.shape) == 3
    )


def _row(space: gymnasium.spaces.Box) -> Box | None:
    """The float32 numbers in a bounded row, since actions are rounded to such; None: there are none."""
    row = len(space.shape) == 1 and space.is_bounded() and np.issubdtype(space.dtype, np.floating)
    if not row or (np.abs(np.array([space.low, space.high], np.float64)) > 1e30).any():
        return None
    low, high = space.low.astype(np.float32), space.high.astype(np.float32)
    low = np.where(low < space.low, np.nextafter(low, np.float32(np.inf)), low).astype(np.float64)
    high = np.where(high > space.high, np.nextafter(high, np.float32(-np.inf)), high).astype(np.float64)
    highest = (low + (high - low)).astype(np.float32)  # as an action is made; it may not reach past a bound near 0
    inside = (low < highest) & (highest <= high)
    return Box(tuple(map(float, low)), tuple(map(float, high))) if inside.all() else None


def _shape(space: Any) -> tuple[int, ...]:
    shape = tuple(map(int, space.shape))
    return (shape[-1], *shape[:-1]) if _channels_last(space) else shape


def _channels_last(space: Any) -> bool:
    """Whether it is a picture whose colours come last, as in most of gymnasium."""
    return space.dtype == np.uint8 and len(space.shape) == 3 and space.shape[-1] <= 4 < space.shape[0]
