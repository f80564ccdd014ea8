"""The tasks `gym:<id>`: environments of gymnasium. Classic control is vectorised."""

import re
from abc import abstractmethod
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import cache
from typing import ClassVar

from germline.evaluators.errors import InvalidTask, UnknownTask, in_a_line
from germline.evaluators.policy.environments.acrobot import Acrobot
from germline.evaluators.policy.environments.cart_pole import CartPole
from germline.evaluators.policy.environments.environment import Environments, EnvironmentSpec
from germline.evaluators.policy.environments.gymnasium_behaviour import behaviour_bounds, behaviour_names
from germline.evaluators.policy.environments.gymnasium_slots import (
    DEFAULT_STEPS,
    Environment,
    GymnasiumEnvironments,
    make,
    spec_of,
)
from germline.evaluators.policy.environments.mountain_car import MountainCar
from germline.evaluators.policy.environments.mountain_car_continuous import MountainCarContinuous
from germline.evaluators.policy.environments.pendulum import Pendulum
from germline.evaluators.policy.task import PolicyTask

_ATARI = re.compile(r"(?:ALE/(?P<in_ale>\w+?)|(?P<before>\w+?)(?:NoFrameskip|Deterministic))-v\d+\Z")
"""Ids of Atari games in gymnasium: `ALE/Pong-v5`, and `PongNoFrameskip-v4` of earlier versions."""

VECTORISED: dict[str, tuple[EnvironmentSpec, Callable[[int], Environments]]] = {
    "Acrobot-v1": (Acrobot.spec, Acrobot),
    "CartPole-v0": (replace(CartPole.spec, steps=200), CartPole),
    "CartPole-v1": (CartPole.spec, CartPole),
    "MountainCar-v0": (MountainCar.spec, MountainCar),
    "MountainCarContinuous-v0": (MountainCarContinuous.spec, MountainCarContinuous),
    "Pendulum-v1": (Pendulum.spec, Pendulum),
}
"""Environments written for many episodes at once, by id: their spec, and the class, called with a number of slots."""


class GymnasiumTask(PolicyTask):
    """A task in the user's own environment with gymnasium's interface; a subclass declares `name` and `make`.

    Example:
        class Corridor(GymnasiumTask):
            '''A corridor.'''

            name = "corridor"

            def make(self) -> gymnasium.Env:
                return CorridorEnv(length=10)
    """

    steps: ClassVar[int] = DEFAULT_STEPS
    """The most decisions in an episode, if the environment sets no limit itself."""
    clean: ClassVar[bool | None] = False
    """True if `reset` removes all traces of an episode; False: each episode gets a new environment. None: True for the
    environments of gymnasium that are known to be clean (`CLEAN_MODULES`)."""

    @abstractmethod
    def make(self) -> Environment:
        """Returns a new environment. If its `reset` or `step` raises, the episode fails."""

    @classmethod
    def environment_spec(cls) -> EnvironmentSpec:
        return _built_spec(cls)

    def environments(self, slots: int) -> Environments:
        return GymnasiumEnvironments(self.name, slots, self.make, self.clean)


@cache
def _built_spec(task: type[GymnasiumTask]) -> EnvironmentSpec:
    """The specification of a task, read from an environment that is built for this once per process."""
    environment = None
    try:
        environment = task().make()
        return spec_of(environment, task.name, task.steps)
    except (InvalidTask, UnknownTask):
        raise
    except (Exception, SystemExit) as error:
        raise InvalidTask(f"{task.name}: its environment cannot be made: {in_a_line(error)}") from error
    finally:
        with suppress(Exception):
            if environment is not None:
                environment.close()


class GymTask(GymnasiumTask):
    """The task `gym:<id>`: the environment that gymnasium registers under the id `environment`."""

    name = "gym:<id>"
    clean = None
    environment: ClassVar[str]

    @classmethod
    @cache
    def of(cls, name: str) -> "type[GymTask]":
        """Returns the task of the environment with this id, which may be an id that gymnasium lacks.

        Raises:
            UnknownTask: it is a game of the Atari, which has tasks of its own.
        """
        if game := _ATARI.match(name):
            own = re.sub(r"(?<!^)(?=[A-Z])", "_", game["in_ale"] or game["before"]).lower()
            raise UnknownTask(f"expected atari:{own}, with the preprocessing of the field, got gym:{name:.60}")
        attributes = {
            "name": f"gym:{name}",
            "environment": name,
            "light": name in VECTORISED,
            "behaviour_names": behaviour_names(name),
            "behaviour_bounds": behaviour_bounds(name),
        }
        return type("GymTask", (cls,), {**attributes, "__doc__": f"{name} of gymnasium."})

    @classmethod
    def environment_spec(cls) -> EnvironmentSpec:
        return VECTORISED[cls.environment][0] if cls.environment in VECTORISED else super().environment_spec()

    def make(self) -> Environment:
        return make(self.environment)

    def environments(self, slots: int) -> Environments:
        if self.environment in VECTORISED:
            return VECTORISED[self.environment][1](slots)
        return super().environments(slots)
