"""The tasks `gym:<id>`: environments of gymnasium. Those of classic control are stepped many at a time."""

from collections.abc import Callable
from typing import ClassVar

from germline.evaluators.environments.cart_pole import WORLD as CART_POLE
from germline.evaluators.environments.cart_pole import CartPole
from germline.evaluators.environments.gymnasium_ones import GymnasiumEnvironments, world_of
from germline.evaluators.policy_task import Environments, PolicyTask, World

VECTORISED: dict[str, tuple[World, Callable[[int], Environments]]] = {
    "CartPole-v1": (CART_POLE, CartPole),
}
"""Environments that are written for many at once: their world, and how so many are made."""


class GymTask(PolicyTask):
    """An environment of gymnasium."""

    name = "gym:<id>"
    environment: ClassVar[str]

    @classmethod
    def of(cls, name: str) -> "type[GymTask]":
        """The task of the environment of that id."""
        return type("GymTask", (cls,), {"name": f"gym:{name}", "environment": name, "__doc__": f"{name} of gymnasium."})

    @classmethod
    def world(cls) -> World:
        if cls.environment in VECTORISED:
            return VECTORISED[cls.environment][0]
        return world_of(cls.environment)

    def environments(self, slots: int) -> Environments:
        if self.environment in VECTORISED:
            return VECTORISED[self.environment][1](slots)
        return GymnasiumEnvironments(self.environment, slots)
