"""A deceptive maze after the Hard Maze (Lehman and Stanley 2011), stepped for many robots at once.

A robot starts at the bottom left, and the goal is at the top left. The straight way up is a dead end right below the
goal: who only comes nearer ends there, and the way that leads on first leads away. As in the paper the robot feels six
range finders and the quarter in which the goal lies, and sets by how much its turning and its speed change.

The coordinates are our own: they follow the figure in the paper, rounded and in a frame from 0 to 200, and are not
those of the file that the authors published. The deception is the same in kind, but how many births it takes to a
solution cannot be compared with the paper's numbers.

The world is the same in each episode and nothing in it is drawn, so seeds play no part.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from germline.evaluators.policy.environments.environment import EnvironmentSpec, Slots, Step
from germline.programs.policy.network import Box

Floats = NDArray[np.float64]

SIZE = 200.0
"""The maze is so many units wide and high; x goes to the right and y up."""

START, GOAL = (30.0, 20.0), (30.0, 180.0)

NEAR = 5.0
"""A robot whose centre is less than this from the goal has solved the maze."""

RADIUS, FASTEST, REACH = 8.0, 3.0, 100.0
"""Of the robot: its radius, the most units and degrees in a step, and how far a range finder sees."""

FINDERS = np.deg2rad([-90.0, -45.0, 0.0, 45.0, 90.0, 180.0])
"""Where range finders look, from where the robot faces."""

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
"""`[walls, 2, 2]`: from which point to which. The way leads below the second inner one, and around all ends."""

PICTURE = 84
"""Height and width of a picture, in pixels."""

EMPTY, WALL, TARGET, BACK, FRONT = 0, 96, 160, 208, 255
"""Brightness of pixels. The half of the robot that faces ahead is brighter, so that one picture says it all."""

_BOX = Box((-0.5, -0.5), (0.5, 0.5))

WORLD = EnvironmentSpec((len(FINDERS) + 4,), _BOX, 400)
PIXELS = EnvironmentSpec((1, PICTURE, PICTURE), _BOX, 400, pixels=True)

# One axis each for walls and range finders, and robots on the last one, which numpy is fast along.
_X, _Y = WALLS[:, 0].T[:, :, None]
_DX, _DY = (WALLS[:, 1] - WALLS[:, 0]).T[:, :, None]


class HardMaze:
    """Robots in the maze.

    A decision changes turning, in degrees a step, and speed, in units a step, by up to a half each. The rewards of an
    episode add up to minus the distance from the goal where it ends, which is as soon as the goal is reached.

    Args:
        slots: how many.
        pixels: whether they see a picture of the maze from above, uint8 of shape `[1, 84, 84]`, in place of range
            finders (0: touching, 1: nothing in reach) and the goal's quarter (ahead, left, behind, right).
    """

    walls = WALLS
    """What stands behind a cloud of behaviours."""

    def __init__(self, slots: int, pixels: bool = False) -> None:
        self.slots = slots
        self.look = pictures if pixels else sensors
        self.x, self.y, self.headings, self.turns, self.speeds, self.gained = np.zeros((6, slots))
        self.first = self.look(*np.array([[START[0]], [START[1]], [0.0]]))
        self.observations: NDArray[Any] = np.repeat(self.first, slots, 0)

    def reset(self, slots: Slots, seeds: Sequence[int]) -> None:
        for values in (self.headings, self.turns, self.speeds, self.gained):
            values[slots] = 0.0
        self.x[slots], self.y[slots] = START
        self.observations[slots] = self.first

    def step(self, slots: Slots, actions: NDArray[np.float32]) -> Step:
        turns = np.clip(self.turns[slots] + actions[:, 0], -FASTEST, FASTEST)
        speeds = np.clip(self.speeds[slots] + actions[:, 1], -FASTEST, FASTEST)
        headings = self.headings[slots] + np.deg2rad(turns)
        x, y = self.x[slots], self.y[slots]
        there = x + speeds * np.cos(headings), y + speeds * np.sin(headings)
        # A step is shorter than the radius: no robot gets to the other side of a wall without having touched it.
        free = (clearances(*there) >= RADIUS).all(0)
        x, y = np.where(free, there[0], x), np.where(free, there[1], y)
        returns = -np.hypot(x - GOAL[0], y - GOAL[1])
        rewards = returns - self.gained[slots]
        self.x[slots], self.y[slots], self.headings[slots] = x, y, headings
        self.turns[slots], self.speeds[slots], self.gained[slots] = turns, speeds, returns
        self.observations[slots] = self.look(x, y, headings)
        return Step(rewards, -returns < NEAR)

    def behaviour(self, slots: Slots) -> Floats:
        """Where the robots are, x and y."""
        return np.stack([self.x[slots], self.y[slots]], 1)

    def picture(self, slot: int) -> NDArray[np.uint8]:
        """The maze from above, with the robot of a slot in it, for people: `[336, 336, 3]`."""
        seen = pictures(self.x[slot : slot + 1], self.y[slot : slot + 1], self.headings[slot : slot + 1])[0, 0]
        return np.repeat(seen.repeat(4, 0).repeat(4, 1)[..., None], 3, -1)

    def close(self) -> None:
        return


def clearances(x: Floats, y: Floats) -> Floats:
    """The distance of each place `[n]` from each wall, `[walls, n]`."""
    x, y = x - _X, y - _Y
    share = np.clip((x * _DX + y * _DY) / (_DX * _DX + _DY * _DY), 0.0, 1.0)
    x, y = x - share * _DX, y - share * _DY
    return np.sqrt(x * x + y * y)


def ranges(x: Floats, y: Floats, headings: Floats) -> Floats:
    """How far each range finder sees, `[finders, n]`: to the nearest wall, or `REACH`.

    The ray o + t·d meets the wall w + u·e where t = (w - o)×e / d×e and u = (w - o)×d / d×e, if u is from 0 to 1.
    """
    looks = headings + FINDERS[:, None]
    cos, sin = np.cos(looks), np.sin(looks)
    x, y = _X - x, _Y - y
    away = (x * _DY - y * _DX)[:, None]
    across = cos * _DY[:, None] - sin * _DX[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):  # parallel to a wall: it does not meet it
        t = away / across
        u = (x[:, None] * sin - y[:, None] * cos) / across
    nearest: Floats = np.where((t >= 0) & (u >= 0) & (u <= 1), t, REACH).min(0)
    return np.minimum(nearest, REACH)


def sensors(x: Floats, y: Floats, headings: Floats) -> NDArray[np.float32]:
    """What robots feel, `[n, 10]`: six ranges from 0 to 1, and a 1 for the quarter in which the goal lies."""
    cos, sin = np.cos(headings), np.sin(headings)
    forward = (GOAL[0] - x) * cos + (GOAL[1] - y) * sin
    left = (GOAL[1] - y) * cos - (GOAL[0] - x) * sin
    quarters = (forward >= abs(left), left > abs(forward), -forward >= abs(left), -left > abs(forward))
    return np.stack([*(ranges(x, y, headings) / REACH), *quarters], 1).astype(np.float32)


_CENTRES = (np.arange(PICTURE) + 0.5) * SIZE / PICTURE
"""x of each column of pixels, and y of each row from below."""


def _empty_maze() -> NDArray[np.uint8]:
    """The maze without a robot, `[84, 84]`; row 0 is at the top."""
    x, y = (axis.ravel() for axis in np.meshgrid(_CENTRES, _CENTRES[::-1]))
    values = np.where((clearances(x, y) <= SIZE / PICTURE).any(0), WALL, EMPTY)
    values[np.hypot(x - GOAL[0], y - GOAL[1]) <= NEAR] = TARGET
    return values.reshape(PICTURE, PICTURE).astype(np.uint8)


_MAZE = _empty_maze()
_AROUND = np.arange(-4, 5)
"""Columns and rows around the robot's own that may show it."""


def pictures(x: Floats, y: Floats, headings: Floats) -> NDArray[np.uint8]:
    """The maze from above with each robot in it, `[n, 1, 84, 84]`."""
    found = np.repeat(_MAZE[None, None], len(x), 0)
    columns, rows = (
        np.clip((at * PICTURE / SIZE).astype(np.int64)[:, None] + _AROUND, 0, PICTURE - 1) for at in (x, y)
    )
    right, up = (_CENTRES[columns] - x[:, None])[:, None], (_CENTRES[rows] - y[:, None])[:, :, None]
    cos, sin = np.cos(headings)[:, None, None], np.sin(headings)[:, None, None]
    robot = np.where(right * cos + up * sin > 0, FRONT, BACK)
    window = np.arange(len(x))[:, None, None], 0, PICTURE - 1 - rows[:, :, None], columns[:, None]
    found[window] = np.where(np.hypot(right, up) <= RADIUS, robot, found[window])
    return found
