"""The tasks `hard-maze` and `hard-maze-pixels`: a deceptive maze, where moving towards the goal ends in a dead end."""

from typing import ClassVar

from germline.evaluators.policy.environments.environment import Environments, EnvironmentSpec
from germline.evaluators.policy.environments.hard_maze import GOAL_RADIUS, PIXEL_SPEC, SIZE, SPEC, HardMaze
from germline.evaluators.policy.task import PolicyTask
from germline.evaluators.task import Episodes

SOLVED = -GOAL_RADIUS
"""A policy with a higher return has reached the goal: the return is minus the distance from it at the end."""


class HardMazeTask(PolicyTask):
    """The Hard Maze, observed with range finders. Nothing is random, so all episodes of a policy are equal."""

    name = "hard-maze"
    rungs = (Episodes(1), Episodes(1), Episodes(1))
    varies = False
    behaviour_names = ("final x position", "final y position")
    behaviour_bounds = ((0.0, SIZE), (0.0, SIZE))
    slots = stacked_slots = 512
    pixels: ClassVar[bool] = False

    @classmethod
    def environment_spec(cls) -> EnvironmentSpec:
        return PIXEL_SPEC if cls.pixels else SPEC

    def environments(self, slots: int) -> Environments:
        return HardMaze(slots, self.pixels)


class HardMazePixels(HardMazeTask):
    """The Hard Maze, observed from above as an image of 84×84."""

    name = "hard-maze-pixels"
    slots, stacked_slots = 64, 256
    pixels = True
