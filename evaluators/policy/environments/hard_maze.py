"""A deceptive maze after the Hard Maze (Lehman and Stanley 2011), stepped for many robots at once.

A robot starts at the bottom left, and the goal is at the top left. The straight way up is a dead end right below the
goal: a policy that only moves nearer ends there, and the way to the goal first leads away from it. As in the paper the
robot observes six range finders and the quarter in which the goal lies, and sets the changes of its turning and speed.

The coordinates are our own: they follow the figure in the paper, rounded and in a frame from 0 to 200, and not the file
that the authors published. The maze is deceptive in the same way, but the number of births to a solution cannot be
compared with the paper's.

Every episode begins in the same state and nothing is random, so seeds have no effect.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from germline.evaluators.policy.environments.environment import EnvironmentSpec, Slots, Step
from germline.programs.policy.network import Box

Floats = NDArray[np.float64]

SIZE = 200.0
"""Width and height of the maze in units; x goes to the right and y up."""

START, GOAL = (30.0, 20.0), (30.0, 180.0)

GOAL_RADIUS = 5.0
"""A robot whose centre is closer to the goal has solved the maze."""

ROBOT_RADIUS = 8.0

MAX_SPEED = 3.0
"""Limit of the speed, in units per step, and also of the turn, in degrees per step, in both directions."""

FINDER_RANGE = 100.0
"""Farthest distance that a range finder measures."""

FINDER_ANGLES = np.deg2rad([-90.0, -45.0, 0.0, 45.0, 90.0, 180.0])
"""Directions of the range finders in radians, relative to the robot's heading."""

WALLS = np.array(
    [
        [[0, 0], [SIZE, 0]],
        [[SIZE, 0], [SIZE, SIZE]],
        [[SIZE, SIZE], [0, SIZE]],
        [[0, SIZE], [0, 0]],
        [[0, 150], [55, 150]],  # between the dead end and the goal
        [[55, 150], [55, 45]],  # to the right of the dead end
        [[0, 120], [30, 80]],
        [[55, 95], [150, 40]],
        [[80, 0], [110, 35]],
        [[200, 55], [90, 110]],
        [[55, 150], [130, 175]],
    ],
    np.float64,
)
"""End points of each wall, `[walls, 2, 2]`. The way to the goal leads below the second inner wall."""

PICTURE_SIZE = 84
"""Height and width of a pixel observation."""

EMPTY, WALL, TARGET, BACK, FRONT = 0, 96, 160, 208, 255
"""Brightness of pixels. The robot's front half is brighter than its back, so that one picture shows the heading."""

_ACTIONS = Box((-0.5, -0.5), (0.5, 0.5))

SPEC = EnvironmentSpec((len(FINDER_ANGLES) + 4,), _ACTIONS, 400)
PIXEL_SPEC = EnvironmentSpec((1, PICTURE_SIZE, PICTURE_SIZE), _ACTIONS, 400, pixels=True)

# Walls and range finders have an axis each. Robots are the last axis, along which numpy is fast.
_WALL_X, _WALL_Y = WALLS[:, 0].T[:, :, None]
_WALL_DX, _WALL_DY = (WALLS[:, 1] - WALLS[:, 0]).T[:, :, None]


class HardMaze:
    """Robots in the maze, one in each slot.

    An action changes the turn, in degrees per step, and the speed, in units per step, by up to 0.5 each. The return of
    an episode is minus the distance from the goal at its end; it ends as soon as the goal is reached.

    Args:
        slots: number of slots.
        pixels: True: observations are pictures of the maze from above, uint8 `[1, 84, 84]`. False: they are float32
            `[10]`, the ranges of the finders (0: at a wall, 1: no wall within range) and, one-hot, the quarter in which
            the goal lies (ahead, left, behind, right).
    """

    walls = WALLS
    """The walls that the picture of a generation has behind the behaviours."""

    def __init__(self, slots: int, pixels: bool = False) -> None:
        self.slots = slots
        self.observe = pixel_observations if pixels else sensor_observations
        self.x, self.y, self.headings, self.turns, self.speeds, self.returns = np.zeros((6, slots))
        self.initial_observation = self.observe(*np.array([[START[0]], [START[1]], [0.0]]))
        self.observations: NDArray[Any] = np.repeat(self.initial_observation, slots, 0)

    def reset(self, slots: Slots, seeds: Sequence[int]) -> None:
        for values in (self.headings, self.turns, self.speeds, self.returns):
            values[slots] = 0.0
        self.x[slots], self.y[slots] = START
        self.observations[slots] = self.initial_observation

    def step(self, slots: Slots, actions: NDArray[np.float32]) -> Step:
        turns = np.clip(self.turns[slots] + actions[:, 0], -MAX_SPEED, MAX_SPEED)
        speeds = np.clip(self.speeds[slots] + actions[:, 1], -MAX_SPEED, MAX_SPEED)
        headings = self.headings[slots] + np.deg2rad(turns)
        x, y = self.x[slots], self.y[slots]
        next_x, next_y = x + speeds * np.cos(headings), y + speeds * np.sin(headings)
        # A step is shorter than the radius, so a robot cannot cross a wall without touching it.
        free = (wall_distances(next_x, next_y) >= ROBOT_RADIUS).all(0)
        x, y = np.where(free, next_x, x), np.where(free, next_y, y)
        returns = -np.hypot(x - GOAL[0], y - GOAL[1])
        rewards = returns - self.returns[slots]
        self.x[slots], self.y[slots], self.headings[slots] = x, y, headings
        self.turns[slots], self.speeds[slots], self.returns[slots] = turns, speeds, returns
        self.observations[slots] = self.observe(x, y, headings)
        return Step(rewards, -returns < GOAL_RADIUS)

    def behaviour(self, slots: Slots) -> Floats:
        """Positions x and y of the robots in n slots, `[n, 2]`, in units of the maze."""
        return np.stack([self.x[slots], self.y[slots]], 1)

    def picture(self, slot: int) -> NDArray[np.uint8]:
        """The maze from above with the robot of a slot, for films: uint8 `[336, 336, 3]`."""
        robot = slice(slot, slot + 1)
        grey = pixel_observations(self.x[robot], self.y[robot], self.headings[robot])[0, 0]
        return np.repeat(grey.repeat(4, 0).repeat(4, 1)[..., None], 3, -1)

    def close(self) -> None:
        return


def wall_distances(x: Floats, y: Floats) -> Floats:
    """Distance of each of n points, `x` and `y` `[n]`, from each wall, `[walls, n]`."""
    x, y = x - _WALL_X, y - _WALL_Y
    share = np.clip((x * _WALL_DX + y * _WALL_DY) / (_WALL_DX * _WALL_DX + _WALL_DY * _WALL_DY), 0.0, 1.0)
    x, y = x - share * _WALL_DX, y - share * _WALL_DY
    return np.sqrt(x * x + y * y)


def finder_ranges(x: Floats, y: Floats, headings: Floats) -> Floats:
    """Distances that the range finders of n robots measure, `[finders, n]`: to the nearest wall, up to `FINDER_RANGE`.

    The ray o + t·d meets the wall w + u·e where t = (w - o)×e / d×e and u = (w - o)×d / d×e, if u is from 0 to 1.
    """
    directions = headings + FINDER_ANGLES[:, None]
    cos, sin = np.cos(directions), np.sin(directions)
    x, y = _WALL_X - x, _WALL_Y - y
    numerators = (x * _WALL_DY - y * _WALL_DX)[:, None]
    denominators = cos * _WALL_DY[:, None] - sin * _WALL_DX[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):  # a ray parallel to a wall does not meet it
        t = numerators / denominators
        u = (x[:, None] * sin - y[:, None] * cos) / denominators
    nearest: Floats = np.where((t >= 0) & (u >= 0) & (u <= 1), t, FINDER_RANGE).min(0)
    return np.minimum(nearest, FINDER_RANGE)


def sensor_observations(x: Floats, y: Floats, headings: Floats) -> NDArray[np.float32]:
    """Observations of n robots, float32 `[n, 10]`: six ranges from 0 to 1, and the quarter of the goal, one-hot."""
    cos, sin = np.cos(headings), np.sin(headings)
    forward = (GOAL[0] - x) * cos + (GOAL[1] - y) * sin
    left = (GOAL[1] - y) * cos - (GOAL[0] - x) * sin
    quarters = (forward >= abs(left), left > abs(forward), -forward >= abs(left), -left > abs(forward))
    return np.stack([*(finder_ranges(x, y, headings) / FINDER_RANGE), *quarters], 1).astype(np.float32)


_PIXEL_CENTRES = (np.arange(PICTURE_SIZE) + 0.5) * SIZE / PICTURE_SIZE
"""x of each column of pixels, and y of each row from below."""


def _empty_maze() -> NDArray[np.uint8]:
    """Picture of the maze without a robot, `[84, 84]`; row 0 is at the top."""
    x, y = (axis.ravel() for axis in np.meshgrid(_PIXEL_CENTRES, _PIXEL_CENTRES[::-1]))
    values = np.where((wall_distances(x, y) <= SIZE / PICTURE_SIZE).any(0), WALL, EMPTY)
    values[np.hypot(x - GOAL[0], y - GOAL[1]) <= GOAL_RADIUS] = TARGET
    return values.reshape(PICTURE_SIZE, PICTURE_SIZE).astype(np.uint8)


_MAZE = _empty_maze()
_ROBOT_WINDOW = np.arange(-4, 5)
"""Offsets of the columns and rows around the robot's centre in which the robot is visible."""


def pixel_observations(x: Floats, y: Floats, headings: Floats) -> NDArray[np.uint8]:
    """A picture of the maze from above for each of n robots, uint8 `[n, 1, 84, 84]`."""
    images = np.repeat(_MAZE[None, None], len(x), 0)
    columns, rows = (
        np.clip((at * PICTURE_SIZE / SIZE).astype(np.int64)[:, None] + _ROBOT_WINDOW, 0, PICTURE_SIZE - 1)
        for at in (x, y)
    )
    right, up = (_PIXEL_CENTRES[columns] - x[:, None])[:, None], (_PIXEL_CENTRES[rows] - y[:, None])[:, :, None]
    cos, sin = np.cos(headings)[:, None, None], np.sin(headings)[:, None, None]
    robot = np.where(right * cos + up * sin > 0, FRONT, BACK)
    window = np.arange(len(x))[:, None, None], 0, PICTURE_SIZE - 1 - rows[:, :, None], columns[:, None]
    images[window] = np.where(np.hypot(right, up) <= ROBOT_RADIUS, robot, images[window])
    return images
