"""Films: one episode of a policy, frame by frame."""

from collections.abc import Callable, Iterator
from functools import partial
from math import isfinite
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from germline.evaluators.errors import InvalidTask, in_a_line, message_of
from germline.evaluators.policy.environments.environment import Environments
from germline.evaluators.policy.environments.gymnasium_slots import Environment, GymnasiumEnvironments, make
from germline.evaluators.policy.picture import Picture, Pictures
from germline.evaluators.policy.player import AssignSlots, EpisodeResult, Forward, step_environments
from germline.evaluators.policy.task import PolicyTask, close_environments, environments_of
from germline.evaluators.tasks.gym import GymnasiumTask, GymTask
from germline.programs.policy.network import Box, choose_actions

DEFAULT_PACE = 30
"""Frames per second of a film if the environment does not say."""

_SLOT = np.array([0])


@runtime_checkable
class Filmable(Protocol):
    """Environments that can be filmed. They may also have `pace`, the number of frames per second."""

    def picture(self, slot: int) -> NDArray[Any]:
        """Current picture of a slot, as `germline.evaluators.policy.picture.Pictures` reads it."""
        ...


class Film:
    """An episode that is played while its frames are iterated over, which is possible only once.

    The constructor takes the first picture, so that a task that cannot be filmed raises before anything is played.

    Args:
        forward: forward pass of the network of policy 0.
        actions: number of discrete actions, or the box of continuous actions.
        task: task to play. An environment of gymnasium is stepped and drawn by gymnasium, with the same numbers.
        seed: seed of the episode.
        max_steps: decisions after which the episode is cut.
        assign_slots: `Networks.assign_slots` of networks that keep state between decisions; None for others.

    Raises:
        InvalidTask: the task cannot be drawn, a package for it is missing, or the episode cannot begin.
    """

    def __init__(
        self,
        forward: Forward,
        actions: int | Box,
        task: PolicyTask,
        seed: int,
        max_steps: int,
        assign_slots: AssignSlots | None = None,
    ) -> None:
        self.forward = forward
        self.choose_actions = partial(choose_actions, actions)
        self.name = task.name
        self.environments = filmable_environments(task)
        self.pictures = Pictures()
        self.max_steps = max_steps
        self.assign_slots = assign_slots
        self.pace = int(getattr(self.environments, "pace", DEFAULT_PACE))
        self.result: EpisodeResult | None = None
        """Result of the episode; None until all frames have been iterated over."""
        try:
            self.environments.reset(_SLOT, [seed])
            self.first_picture = self._picture()
        except Exception as error:
            self.close()
            if isinstance(error, InvalidTask):
                raise
            raise InvalidTask(
                f"expected an episode of {task.name} to film, got {in_a_line(error)}; play without a film"
            ) from None

    def __iter__(self) -> Iterator[Picture]:
        environments = self.environments
        yield self.first_picture
        if self.assign_slots:
            self.assign_slots(_SLOT, np.array([True]))
        total, over, length, error = 0.0, False, 0, None
        while not over:
            outputs = self.forward(_SLOT, environments.observations)
            step = step_environments(environments, _SLOT, self.choose_actions(outputs))
            total += float(step.rewards[0])
            length += 1
            over = bool(step.over[0]) or length >= self.max_steps or not isfinite(total)
            error = step.failed.get(0)
            if error is None:
                yield self._picture()
        behaviour = environments.behaviour(_SLOT)[0]
        self.result = EpisodeResult(total, length, tuple(map(float, behaviour)), error)

    def _picture(self) -> Picture:
        """The present picture. Raises InvalidTask if the environment draws none."""
        assert isinstance(self.environments, Filmable)
        try:
            frame = self.environments.picture(0)
        except InvalidTask:
            raise
        except Exception as error:
            raise InvalidTask(_rendering_failed(self.name, error)) from None
        return self.pictures.picture(frame)

    def close(self) -> None:
        close_environments(self.environments)


def filmable_environments(task: PolicyTask) -> Environments:
    """Environments of a task with one slot that are `Filmable`.

    Raises:
        InvalidTask: the task has no environments that can be filmed, or a package for it is missing.
    """
    environments = environments_of(task, 1)
    if isinstance(environments, Filmable):
        return environments
    close_environments(environments)
    if isinstance(task, GymTask):
        return GymnasiumRendering(task.name, partial(make, task.environment, render_mode="rgb_array"))
    if isinstance(task, GymnasiumTask):
        return GymnasiumRendering(task.name, task.make)
    raise InvalidTask(
        f"expected a task that can be filmed, got {task.name}: its environments have no picture(slot); play "
        "without a film"
    )


class GymnasiumRendering(GymnasiumEnvironments):
    """One environment of gymnasium that renders itself.

    Args:
        name: name of the task.
        build: returns the environment, with the render mode `rgb_array`.

    Raises:
        InvalidTask: the environment has another render mode, or a package is missing.
    """

    def __init__(self, name: str, build: Callable[[], Environment]) -> None:
        super().__init__(name, 1, build)
        [environment] = self.environments
        if environment.render_mode != "rgb_array":
            self.close()
            raise InvalidTask(
                f"expected an environment that can be filmed, got {name}, whose render_mode is "
                f'{environment.render_mode}; make it with render_mode="rgb_array"'
            )
        self.pace = int(environment.metadata.get("render_fps") or DEFAULT_PACE)

    def picture(self, slot: int) -> NDArray[Any]:
        frame: NDArray[Any] = self.environments[slot].render()  # type: ignore[assignment]  # read by `Pictures`
        return frame


def _rendering_failed(name: str, error: Exception) -> str:
    remedy = "pip install 'germline[video]'" if "pygame" in message_of(error) else "play without a film"
    return f"expected {name} to draw itself, got {in_a_line(error)}; {remedy}"
