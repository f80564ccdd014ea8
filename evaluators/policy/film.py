"""Films: one episode of a policy, picture by picture."""

from collections.abc import Callable, Iterator
from functools import partial
from math import isfinite
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from germline.evaluators.errors import InvalidTask, in_a_line
from germline.evaluators.policy.environments.environment import Environments
from germline.evaluators.policy.environments.gymnasium_slots import Environment, GymnasiumEnvironments, make
from germline.evaluators.policy.player import Attend, Outputs, Played, chooser, stepped
from germline.evaluators.policy.task import PolicyTask, environments_of
from germline.evaluators.tasks.gym import GymnasiumTask, GymTask
from germline.programs.policy.network import Box

Picture = NDArray[np.uint8]
"""`[height, width, 3]`."""

PACE = 30
"""Pictures a second, where an environment does not say."""

_ONLY = np.array([0])


@runtime_checkable
class Pictured(Protocol):
    """Environments that can be looked at: what they may offer beyond `Environments`.

    They may also have `pace`, how many pictures make a second.
    """

    def picture(self, slot: int) -> Picture:
        """What a slot looks like now, uint8 `[height, width, 3]`."""
        ...


class Film:
    """An episode that is played while its pictures are taken one after the other; it can be gone through once.

    The first picture is taken at once: where nothing can be filmed, this is known before anything is played.

    Args:
        outputs: the network of policy 0.
        actions: what its outputs are read as.
        task: where it plays; an environment of gymnasium is drawn by gymnasium, whose numbers are the same.
        seed: of the episode.
        steps: the most decisions.
        attend: for networks that keep something from one decision to the next, which makes them fast.

    Raises:
        InvalidTask: the task cannot be drawn, a package for it is missing, or the episode cannot begin.
    """

    def __init__(
        self,
        outputs: Outputs,
        actions: int | Box,
        task: PolicyTask,
        seed: int,
        steps: int,
        attend: Attend | None = None,
    ) -> None:
        self.outputs = outputs
        self.choose = chooser(actions)
        self.environments = pictured(task)
        self.steps = steps
        self.attend = attend
        self.pace = int(getattr(self.environments, "pace", PACE))
        self.played: Played | None = None
        """What the episode came to, when all pictures were taken."""
        try:
            self.environments.reset(_ONLY, [seed])
            self.first = self._picture()
        except Exception as error:
            self.close()
            if isinstance(error, InvalidTask):
                raise
            raise InvalidTask(
                f"expected an episode of {task.name} to film, got {in_a_line(error)}; leave the film away"
            ) from None

    def __iter__(self) -> Iterator[Picture]:
        environments = self.environments
        yield self.first
        if self.attend:
            self.attend(_ONLY, np.array([True]))
        total, over, length, error = 0.0, False, 0, None
        while not over:
            step = stepped(environments, _ONLY, self.choose(self.outputs(_ONLY, environments.observations)))
            total += float(step.rewards[0])
            length += 1
            over, error = bool(step.over[0]) or length >= self.steps or not isfinite(total), step.failed.get(0)
            if error is None:
                yield self._picture()
        behaviour = environments.behaviour(_ONLY)[0]
        self.played = Played(total, length, tuple(map(float, behaviour)), error)

    def _picture(self) -> Picture:
        assert isinstance(self.environments, Pictured)
        return self.environments.picture(0)

    def close(self) -> None:
        self.environments.close()


def pictured(task: PolicyTask) -> Environments:
    """One environment of a task that can be looked at.

    Raises:
        InvalidTask: there is none, or a package for it is missing.
    """
    environments = environments_of(task, 1)
    if isinstance(environments, Pictured):
        return environments
    environments.close()
    if isinstance(task, GymTask):
        return DrawnByGymnasium(task.name, partial(make, task.environment, render_mode="rgb_array"))
    if isinstance(task, GymnasiumTask):
        return DrawnByGymnasium(task.name, task.make)
    raise InvalidTask(
        f"expected a task that can be filmed, got {task.name}: its environments have no picture(slot); leave the film "
        "away"
    )


class DrawnByGymnasium(GymnasiumEnvironments):
    """One environment of gymnasium that draws itself.

    Args:
        name: of its task.
        made: makes it, with the render mode `rgb_array`.

    Raises:
        InvalidTask: it was made with another one, or a package is missing.
    """

    def __init__(self, name: str, made: Callable[[], Environment]) -> None:
        super().__init__(name, 1, made)
        [first] = self.environments
        assert first is not None
        if first.render_mode != "rgb_array":
            self.close()
            raise InvalidTask(
                f"expected an environment that can be filmed, got {name}, whose render_mode is {first.render_mode}; "
                'make it with render_mode="rgb_array"'
            )
        self.pace = int(first.metadata.get("render_fps") or PACE)

    def picture(self, slot: int) -> Picture:
        environment = self.environments[slot]
        assert environment is not None
        try:
            drawn: Any = environment.render()
        except Exception as error:
            raise InvalidTask(_undrawable(self.name, error)) from None
        if not isinstance(drawn, np.ndarray):
            raise InvalidTask(f"expected a picture of {self.name}, got {type(drawn).__name__}; leave the film away")
        return drawn


def _undrawable(name: str, error: Exception) -> str:
    get = "pip install 'germline[video]'" if "pygame" in str(error) else "leave the film away"
    return f"expected {name} to draw itself, got {in_a_line(error)}; {get}"
