"""A task for policies: environments to play episodes in."""

from abc import abstractmethod
from typing import ClassVar

from germline.evaluators.errors import InvalidTask, UnknownTask, in_a_line
from germline.evaluators.outcome import Objective
from germline.evaluators.policy.environments.environment import Environments, EnvironmentSpec
from germline.evaluators.task import Episodes, Task


def environment_spec_of(task: "type[PolicyTask]") -> EnvironmentSpec:
    """What a policy meets in a task; one of a user's own may raise, or give, anything.

    Raises:
        InvalidTask, UnknownTask: it does not tell; the message says why.
    """
    expected = f"expected environment_spec of the task {task.name} to return an EnvironmentSpec"
    try:
        found = task.environment_spec()
    except (InvalidTask, UnknownTask):
        raise
    except (Exception, SystemExit) as error:
        raise InvalidTask(f"{expected}, got {in_a_line(error)}") from error
    if not isinstance(found, EnvironmentSpec):
        raise InvalidTask(f"{expected}, got {found!r:.60}")
    return found


class PolicyTask(Task):
    """What policies play.

    A subclass describes its environment without building a playable one, and builds environments. Rungs are numbers of
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
    def environment_spec(cls) -> EnvironmentSpec:
        """What a policy meets here.

        Raises:
            InvalidTask: a package is missing, or a policy cannot play it.
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
