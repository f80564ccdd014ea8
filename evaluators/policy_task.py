"""A task for policies: environments to play episodes in."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from germline.evaluators.errors import InvalidTask, UnknownTask, in_a_line
from germline.evaluators.outcome import Objective
from germline.evaluators.task import Episodes, Task
from germline.programs.policy.network import Box

Slots = NDArray[np.int64]
"""Numbers of slots, ascending."""


@dataclass(frozen=True)
class World:
    """What a policy meets.

    Args:
        observation: the shape of what it sees.
        actions: how many there are to choose from, or the box that they lie in.
        steps: the most decisions in an episode.
        frames: what is simulated for one decision.
        pixels: whether observations are whole numbers from 0 to 255.
    """

    observation: tuple[int, ...]
    actions: int | Box
    steps: int
    frames: int = 1
    pixels: bool = False

    def __post_init__(self) -> None:
        """Raises InvalidTask where a number is none."""
        if (
            not isinstance(self.observation, tuple | list)
            or not self.observation
            or not all(map(_whole, self.observation))
        ):
            raise InvalidTask(f"World: expected the shape of observations, such as (4,), got {self.observation!r:.60}")
        object.__setattr__(self, "observation", tuple(map(int, self.observation)))
        if not isinstance(self.actions, Box) and not _whole(self.actions):
            raise InvalidTask(f"World: expected how many actions there are, or their Box, got {self.actions!r:.60}")
        for name in ("steps", "frames"):
            if not _whole(getattr(self, name)):
                raise InvalidTask(
                    f"World: expected {name} to be a whole number from 1, got {getattr(self, name)!r:.60}"
                )


def _whole(found: Any) -> bool:
    return isinstance(found, int | np.integer) and not isinstance(found, bool) and int(found) > 0


def world_of_task(task: "type[PolicyTask]") -> World:
    """What a policy meets in a task; one of a user's own may raise, or give, anything.

    Raises:
        InvalidTask, UnknownTask: it does not tell; the message says why.
    """
    try:
        found = task.world()
    except (InvalidTask, UnknownTask):
        raise
    except (Exception, SystemExit) as error:
        raise InvalidTask(f"expected the task {task.name} to tell its world, got {in_a_line(error)}") from error
    if not isinstance(found, World):
        raise InvalidTask(f"expected the task {task.name} to tell its world, got {found!r:.60}")
    return found


@dataclass(frozen=True)
class Step:
    """What a step came to: rewards and whether the episode is over, `[n]` each; `failed` tells of those that raised."""

    rewards: NDArray[np.float64]
    over: NDArray[np.bool_]
    failed: Mapping[int, str] = field(default_factory=dict)
    """By place in the row of slots: what the environment raised, in a line."""


class Environments(Protocol):
    """Environments of one kind in slots, each with an episode of its own.

    An episode follows from its seed and the actions alone, whatever is in other slots.
    """

    slots: int
    observations: NDArray[Any]
    """What is seen in each slot now, `[slots, *observation]`; the same array all along."""

    def reset(self, slots: Slots, seeds: Sequence[int]) -> None:
        """Begins an episode in each of some slots. Raises whatever the environment raises."""
        ...

    def step(self, slots: Slots, actions: NDArray[Any]) -> Step:
        """One decision in each of some slots.

        Args:
            slots: those whose episodes go on.
            actions: int64 `[n]`, or float32 `[n, d]` inside the box.
        """
        ...

    def behaviour(self, slots: Slots) -> NDArray[np.float64]:
        """What episodes did, `[n, b]`, asked for when they are over; novelty is measured in it. b may be 0."""
        ...

    def close(self) -> None: ...


class PolicyTask(Task):
    """What policies play.

    A subclass says what its world is without building one that plays, and gives environments. Rungs are numbers of
    episodes: those of a training, of a review, and of a test.
    """

    kind = "policy"
    rungs: ClassVar[tuple[Episodes, ...]] = (Episodes(1), Episodes(30), Episodes(200))
    objectives = (Objective("return", "max"),)
    varies: ClassVar[bool] = True
    """Whether episodes differ; if they do not, one says all, and more are not played."""
    slots: ClassVar[int] = 64
    """How many episodes are played at a time on a CPU."""
    stacked_slots: ClassVar[int] = 256
    """How many on another device, where all networks whose turn it is are one batch."""

    def __init__(self, device: str = "cpu") -> None:
        self.device = device

    @classmethod
    @abstractmethod
    def world(cls) -> World:
        """What a policy meets here.

        Raises:
            InvalidTask: a package is missing, or it is no world for a policy.
        """

    @abstractmethod
    def environments(self, slots: int) -> Environments:
        """So many environments side by side."""


def environments_of(task: PolicyTask, slots: int) -> Environments:
    """So many environments of a task; one of a user's own may raise anything.

    Raises:
        InvalidTask, UnknownTask: they cannot be made; the message says why.
    """
    try:
        return task.environments(slots)
    except (InvalidTask, UnknownTask):
        raise
    except (Exception, SystemExit) as error:
        raise InvalidTask(f"expected the task {task.name} to have environments, got {in_a_line(error)}") from error
