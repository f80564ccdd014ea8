"""The tasks `atari:<game>`: games of the Atari 2600 by their names in ale-py."""

from functools import cache
from typing import ClassVar

from germline.evaluators.errors import UnknownTask
from germline.evaluators.policy.environments.atari import AtariEnvironments, spec_of
from germline.evaluators.policy.environments.environment import Environments, EnvironmentSpec
from germline.evaluators.policy.task import PolicyTask

STICKY = 0.25
"""With `@sticky`: the probability with which a frame repeats the action of the frame before (Machado et al. 2018)."""


class AtariTask(PolicyTask):
    """A game of the Atari 2600, points as they are, at most 20,000 frames an episode.

    Starts differ by 1 to 30 frames without an action. After `@sticky`, frames repeat actions too, as is usual today.
    """

    name = "atari:<game>"
    game: ClassVar[str]
    sticky: ClassVar[float] = 0.0
    slots: ClassVar[int] = 1
    """One policy after the other: the weights of one stay in a CPU's cache, those of many would not."""

    @classmethod
    @cache
    def of(cls, name: str) -> "type[AtariTask]":
        """The task of a game, written `frostbite` or `frostbite@sticky`."""
        game, _, how = name.partition("@")
        if how not in ("", "sticky") or name.endswith("@"):
            raise UnknownTask(f"expected atari:{game} or atari:{game}@sticky, got atari:{name:.60}")
        said = {"name": f"atari:{name}", "game": game, "sticky": STICKY if how else 0.0}
        return type("AtariTask", (cls,), {**said, "__doc__": f"{game} of the Atari 2600."})

    @classmethod
    def environment_spec(cls) -> EnvironmentSpec:
        return spec_of(cls.game)

    def environments(self, slots: int) -> Environments:
        return AtariEnvironments(self.game, slots, self.sticky)
