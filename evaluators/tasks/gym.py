"""The tasks `gym:<id>`: environments of gymnasium. Those of classic control are stepped many at a time."""

from abc import abstractmethod
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import cache
from typing import ClassVar

from germline.evaluators.environments.acrobot import Acrobot
from germline.evaluators.environments.cart_pole import CartPole
from germline.evaluators.environments.gymnasium_slots import STEPS, Environment, GymnasiumEnvironments, make, world_of
from germline.evaluators.environments.mountain_car import MountainCar
from germline.evaluators.environments.mountain_car_continuous import MountainCarContinuous
from germline.evaluators.environments.pendulum import Pendulum
from germline.evaluators.errors import InvalidTask, UnknownTask, in_a_line
from germline.evaluators.policy_task import Environments, PolicyTask, World

VECTORISED: dict[str, tuple[World, Callable[[int], Environments]]] = {
    "Acrobot-v1": (Acrobot.world, Acrobot),
    "CartPole-v0": (replace(CartPole.world, steps=200), CartPole),
    "CartPole-v1": (CartPole.world, CartPole),
    "MountainCar-v0": (MountainCar.world, MountainCar),
    "MountainCarContinuous-v0": (MountainCarContinuous.world, MountainCarContinuous),
    "Pendulum-v1": (Pendulum.world, Pendulum),
}
"""Environments that are written for many at once: their world, and how so many are made."""


class GymnasiumTask(PolicyTask):
    """A task of one's own in an environment of gymnasium's form; a subclass has a `name` and makes the environment.

    Example:
        class Corridor(GymnasiumTask):
            '''A corridor.'''

            name = "corridor"

            def make(self) -> gymnasium.Env:
                return CorridorEnv(length=10)
    """

    steps: ClassVar[int] = STEPS
    """The most decisions in an episode, if the environment sets no limit itself."""
    clean: ClassVar[bool | None] = False
    """Whether an episode leaves nothing behind in its environment. If it may, each episode has a new one."""

    @abstractmethod
    def make(self) -> Environment:
        """One environment. It may raise whatever it likes; so may its `reset` and `step`, which fails the episode."""

    @classmethod
    def world(cls) -> World:
        return _world(cls)

    def environments(self, slots: int) -> Environments:
        return GymnasiumEnvironments(self.name, slots, self.make, self.clean)


@cache
def _world(task: type[GymnasiumTask]) -> World:
    try:
        environment = task().make()
        found = world_of(environment, task.name, task.steps)
    except (InvalidTask, UnknownTask):
        raise
    except (Exception, SystemExit) as error:
        raise InvalidTask(f"{task.name}: its environment cannot be made: {in_a_line(error)}") from error
    with suppress(Exception):
        environment.close()
    return found


class GymTask(GymnasiumTask):
    """An environment of gymnasium."""

    name = "gym:<id>"
    clean = None
    environment: ClassVar[str]

    @classmethod
    @cache
    def of(cls, name: str) -> "type[GymTask]":
        """The task of the environment of that id."""
        told = {"name": f"gym:{name}", "environment": name, "light": name in VECTORISED}
        return type("GymTask", (cls,), {**told, "__doc__": f"{name} of gymnasium."})

    @classmethod
    def world(cls) -> World:
        return VECTORISED[cls.environment][0] if cls.environment in VECTORISED else super().world()

    def make(self) -> Environment:
        return make(self.environment)

    def environments(self, slots: int) -> Environments:
        if self.environment in VECTORISED:
            return VECTORISED[self.environment][1](slots)
        return super().environments(slots)
