"""The tasks `atari:<game>`: games of the Atari 2600 by their names in ale-py."""

from functools import cache
from typing import ClassVar

from germline.evaluators.errors import UnknownTask
from germline.evaluators.policy.environments.atari import AtariEnvironments, spec_of
from germline.evaluators.policy.environments.environment import Environments, EnvironmentSpec
from germline.evaluators.policy.task import PolicyTask

STICKY = 0.25
"""With `@sticky`: probability that a frame repeats the action of the previous frame (Machado et al. 2018)."""


class AtariTask(PolicyTask):
    """A game of the Atari 2600, rewards unclipped, at most 20,000 frames per episode.

    Episodes begin with 1 to 30 frames without an action. With `@sticky` in its name, frames repeat actions at random.
    """

    name = "atari:<game>"
    game: ClassVar[str]
    sticky: ClassVar[float] = 0.0
    slots: ClassVar[int] = 1
    """Policies play one after another: the weights of a single policy stay in a CPU's cache."""

    @classmethod
    @cache
    def of(cls, name: str) -> "type[AtariTask]":
        """Returns the task of a game, written `frostbite` or `frostbite@sticky`. The game may be one that ale-py lacks.

        Raises:
            UnknownTask: there is something else than `sticky` behind the `@`.
        """
        game, _, variant = name.partition("@")
        if variant not in ("", "sticky") or name.endswith("@"):
            raise UnknownTask(f"expected atari:{game} or atari:{game}@sticky, got atari:{name:.60}")
        attributes = {"name": f"atari:{name}", "game": game, "sticky": STICKY if variant else 0.0}
        return type("AtariTask", (cls,), {**attributes, "__doc__": f"{game} of the Atari 2600."})

    @classmethod
    def environment_spec(cls) -> EnvironmentSpec:
        return spec_of(cls.game)

    def environments(self, slots: int) -> Environments:
        return AtariEnvironments(self.game, slots, self.sticky)
