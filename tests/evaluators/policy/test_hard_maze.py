"""The Hard Maze: walls hold, sensors are right, and a robot that only comes nearer to the goal ends in the dead end."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from germline.evaluators.policy.environments.hard_maze import (
    FINDER_ANGLES,
    FINDER_RANGE,
    GOAL,
    ROBOT_RADIUS,
    START,
    WALLS,
    HardMaze,
    finder_ranges,
    pixel_observations,
    sensor_observations,
    wall_distances,
)
from germline.evaluators.policy.evaluator import PolicyEvaluator
from germline.evaluators.policy.task import PolicyTask
from germline.evaluators.tasks.hard_maze import SOLVED
from germline.evaluators.tasks.registry import task_class
from germline.programs.policy.genome import Policy, write
from germline.programs.policy.network import Network, Padding

BELOW = ((95, 50), (112, 46), (135, 22), (165, 25), (170, 45))
ABOVE = ((120, 76), (75, 102), (90, 130), (146, 168), (140, 188))
WAY = (*BELOW, *ABOVE, GOAL)
"""From the start around all ends of walls to the goal."""


def crossed(begin: np.ndarray, end: np.ndarray) -> bool:
    """Whether the line from one place to another meets a wall, by the sides on which points lie."""

    def side(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> bool:
        return bool((b[0] - a[0]) * (c[1] - a[1]) > (b[1] - a[1]) * (c[0] - a[0]))

    return any(
        side(begin, end, wall[0]) != side(begin, end, wall[1])
        and side(wall[0], wall[1], begin) != side(wall[0], wall[1], end)
        for wall in WALLS
    )


def free_places(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places where a robot can be, and headings."""
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0, 200, (2, 20 * count))
    here = np.flatnonzero((wall_distances(x, y) >= ROBOT_RADIUS).all(0))[:count]
    return x[here], y[here], rng.uniform(-10, 10, count)


def driven(pilot: Callable[[float, float], tuple[float, float]]) -> tuple[float, float, float]:
    """The return of an episode in which a robot is steered to where a pilot points, and its last place."""
    maze, slot, total = HardMaze(1), np.arange(1), 0.0
    maze.reset(slot, [0])
    for _ in range(400):
        to = pilot(maze.x[0], maze.y[0])
        error = math.atan2(to[1] - maze.y[0], to[0] - maze.x[0]) - maze.headings[0]
        degrees = math.degrees(math.remainder(error, math.tau))
        wanted = max(-3.0, min(3.0, degrees / 5)), 2.5 if abs(degrees) < 25 else 0.3
        action = np.clip([[wanted[0] - maze.turns[0], wanted[1] - maze.speeds[0]]], -0.5, 0.5).astype(np.float32)
        step = maze.step(slot, action)
        total += step.rewards[0]
        if step.over[0]:
            break
    return total, *maze.behaviour(slot)[0]


def test_a_robot_that_follows_the_way_solves_the_maze() -> None:
    left = list(WAY)

    def pilot(x: float, y: float) -> tuple[float, float]:
        if math.dist((x, y), left[0]) < 4 and len(left) > 1:
            left.pop(0)
        return left[0]

    total, x, y = driven(pilot)
    assert total > SOLVED
    assert math.isclose(total, -math.dist((x, y), GOAL))


def test_a_robot_that_heads_for_the_goal_ends_in_the_dead_end() -> None:
    total, x, y = driven(lambda x, y: (42.0, y + 40.0) if y < 110 else GOAL)
    assert -42 < total < -37
    assert x < 55 and 138 < y <= 142


@pytest.mark.slow
def test_no_robot_comes_near_or_through_a_wall() -> None:
    maze, slots, rng = HardMaze(64), np.arange(64), np.random.default_rng(1)
    maze.reset(slots, range(64))
    pushes = rng.uniform(-0.5, 0.5, (64, 2))
    for _ in range(200):
        before = maze.behaviour(slots)
        maze.step(slots, (pushes + rng.uniform(-0.5, 0.5, (64, 2))).clip(-0.5, 0.5).astype(np.float32))
        after = maze.behaviour(slots)
        assert wall_distances(*after.T).min() >= ROBOT_RADIUS
        assert not any(crossed(begin, end) for begin, end in zip(before, after, strict=True))
    assert len(np.unique(after, axis=0)) == 64


def test_range_finders_see_the_nearest_wall() -> None:
    x, y, headings = free_places(200)
    measured = finder_ranges(x, y, headings)
    for finder, robot in np.ndindex(measured.shape):
        here, look = np.array([x[robot], y[robot]]), headings[robot] + FINDER_ANGLES[finder]
        ahead = np.array([math.cos(look), math.sin(look)])
        assert not crossed(here, here + (measured[finder, robot] - 1e-6) * ahead)
        assert measured[finder, robot] == FINDER_RANGE or crossed(here, here + (measured[finder, robot] + 1e-6) * ahead)
    assert 0 < (measured == FINDER_RANGE).mean() < 0.5


@pytest.mark.parametrize(("heading", "quarter"), [(90, 0), (0, 1), (-90, 2), (180, 3), (130, 0), (50, 0), (40, 1)])
def test_the_quarter_of_the_goal_is_observed(heading: float, quarter: int) -> None:
    """It is straight above the start."""
    observation = sensor_observations(*np.array([[START[0]], [START[1]], [math.radians(heading)]]))
    assert observation[0, len(FINDER_ANGLES) :].tolist() == [float(number == quarter) for number in range(4)]


@pytest.mark.parametrize("pixels", [False, True])
def test_an_episode_does_not_depend_on_its_neighbours_nor_on_its_seed(pixels: bool) -> None:
    pushes = np.random.default_rng(2).uniform(-0.5, 0.5, (80, 9, 2)).astype(np.float32)
    together, alone = HardMaze(9, pixels), HardMaze(1, pixels)
    playing = np.arange(9)
    together.reset(playing, range(9))
    recorded = []
    for push in pushes:
        rewards = together.step(playing, push[playing]).rewards
        recorded.append([dict(zip(playing, rewards, strict=True)), together.observations.copy()])
        playing = playing[: max(1, len(playing) - 1)] if len(recorded) % 10 == 0 else playing
    for slot in (0, 5):
        alone.reset(np.arange(1), [77])
        for push, (rewards, observations) in zip(pushes, recorded, strict=True):
            if slot in rewards:
                assert alone.step(np.arange(1), push[slot : slot + 1]).rewards[0] == rewards[slot]
                assert (alone.observations[0] == observations[slot]).all()


def test_a_picture_shows_the_robot_where_it_is_and_where_it_faces() -> None:
    x, y, headings = free_places(100)
    empty = np.minimum.reduce(pixel_observations(*np.array([[30.0, 165.0], [20.0, 15.0], [0.0, 0.0]])))[0]
    for picture, *robot, heading in zip(pixel_observations(x, y, headings)[:, 0], x, y, headings, strict=True):
        rows, columns = np.nonzero(picture > 200)
        centres = np.stack([(columns + 0.5) / 84 * 200, 200 - (rows + 0.5) / 84 * 200], 1)
        assert 28 <= len(rows) <= 42  # π·8² / (200 / 84)² is 35.5
        assert np.allclose(centres.mean(0), robot, atol=0.6)
        front = centres[picture[rows, columns] == 255].mean(0) - centres.mean(0)
        assert front @ [math.cos(heading), math.sin(heading)] > 2
        assert (picture[picture <= 200] == empty[picture <= 200]).all()


def test_both_kinds_of_observation_have_the_same_dynamics() -> None:
    push = np.array([[0.1, 0.3]], np.float32)
    sensing, seeing = HardMaze(1), HardMaze(1, pixels=True)
    for maze in (sensing, seeing):
        maze.reset(np.arange(1), [0])
        for _ in range(50):
            maze.step(np.arange(1), push)
    assert (sensing.behaviour(np.arange(1)) == seeing.behaviour(np.arange(1))).all()


def policy_for(task: str, padding: Padding = "valid") -> str:
    chosen = task_class(task)
    assert issubclass(chosen, PolicyTask)
    spec = chosen.environment_spec()
    form = "conv" if spec.pixels else "mlp"
    return write(Policy(Network(form, spec.observation, spec.actions, (4,), padding=padding), 7))  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize(("task", "steps"), [("hard-maze", 0), ("hard-maze", 90), ("hard-maze-pixels", 5)])
def test_the_return_is_minus_the_distance_from_the_goal_wherever_an_episode_is_cut(task: str, steps: int) -> None:
    outcome, again = PolicyEvaluator(task, seed=1, steps=steps).score([policy_for(task)] * 2, 0, 0)
    assert outcome.fitness is not None and outcome.status == "ok"
    behaviour = outcome.measures["behaviour_0"], outcome.measures["behaviour_1"]
    assert math.isclose(outcome.fitness, -math.dist(behaviour, GOAL))
    assert outcome.measures["steps"] == (steps or 400)
    assert again.fitness == outcome.fitness
