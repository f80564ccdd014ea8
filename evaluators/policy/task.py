"""The contract of tasks for policies: the environments in which they play episodes."""

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, ClassVar

from germline.evaluators.errors import InvalidTask, UnknownTask, in_a_line, shown
from germline.evaluators.outcome import Objective
from germline.evaluators.policy.environments.environment import Environments, EnvironmentSpec
from germline.evaluators.task import Episodes, Task


def environment_spec_of(task: "type[PolicyTask]") -> EnvironmentSpec:
    """The environment specification of a task.

    Raises:
        InvalidTask, UnknownTask: the task, which may be a user's own, raised an error or returned something else.
    """
    expected = f"expected environment_spec of the task {task.name} to return an EnvironmentSpec"
    try:
        spec = task.environment_spec()
    except (InvalidTask, UnknownTask):
        raise
    except (Exception, SystemExit) as error:
        raise InvalidTask(f"{expected}, got {in_a_line(error)}") from error
    if not isinstance(spec, EnvironmentSpec):
        raise InvalidTask(f"{expected}, got {shown(spec)}")
    return spec


class PolicyTask(Task):
    """An environment that policies play; the objective is the mean return.

    A subclass describes its environment (`environment_spec`), and builds environments in slots (`environments`).
    Rungs are numbers of episodes: for fitness, for a review, and for the final test. A search has settings of its own
    for these numbers.
    """

    kind = "policy"
    rungs: ClassVar[tuple[Episodes, ...]] = (Episodes(1), Episodes(30), Episodes(200))
    objectives = (Objective("return", "max"),)
    batch_invariant = True
    """By the contract of `Environments`, whose episodes depend on their seeds and actions alone."""
    varies: ClassVar[bool] = True
    """Whether episodes of different seeds differ. If not, a single episode is played at each rung."""
    slots: ClassVar[int] = 64
    """Episodes played side by side on a CPU."""
    stacked_slots: ClassVar[int] = 256
    """Episodes played side by side on another device, whose networks compute as one batch."""

    behaviour_names: ClassVar[tuple[str, ...]] = ()
    """What the components of the behaviour descriptor are, in their order, such as `("final x position", "final y
    position")`; pictures name their axes so. Empty: they are numbered."""

    behaviour_bounds: ClassVar[tuple[tuple[float, float], ...]] = ()
    """The lowest and the highest value of each component of the behaviour descriptor, such as `((0, 200), (0, 200))`:
    the bounds of maps. Empty: not known, and a search learns them from its first births."""

    def __init__(self, device: str = "cpu") -> None:
        self.device = device

    @classmethod
    @abstractmethod
    def environment_spec(cls) -> EnvironmentSpec:
        """Observations, actions and length of the environment's episodes.

        Raises:
            InvalidTask: a package is missing, or no policy can play the environment.
        """

    @abstractmethod
    def environments(self, slots: int) -> Environments:
        """Builds environments with a number of slots."""

    def network(self) -> Any:
        """Returns a fresh `torch.nn.Module`, the network of all policies, each with parameters of its own. `network =
        MyModule` in a class does the same.

        Its `forward` is called with a batch of one observation, `[1, *observation]` in float64, and returns outputs
        `[1, outputs]`; if it is recurrent, it also takes a state, None at the beginning of an episode, and returns the
        outputs and the next state. Unless a subclass has a method of its own, settings decide the network.
        """
        raise NotImplementedError

    @classmethod
    def has_network(cls) -> bool:
        """Whether the task has a network of its own."""
        return cls.network is not PolicyTask.network


def environments_of(task: PolicyTask, slots: int) -> Environments:
    """Builds environments of a task with a number of slots.

    Raises:
        InvalidTask, UnknownTask: the environments cannot be built; the message says why.
    """
    try:
        return task.environments(slots)
    except (InvalidTask, UnknownTask):
        raise
    except (Exception, SystemExit) as error:
        raise InvalidTask(f"expected the task {task.name} to have environments, got {in_a_line(error)}") from error


def close_environments(environments: Environments) -> None:
    """Closes environments. What their `close` raises, which may be a user's own, is no reason to lose a result."""
    with suppress(Exception):
        environments.close()


@contextmanager
def opened_environments(task: PolicyTask, slots: int) -> Iterator[Environments]:
    """Yields environments of a task, and closes them. Raises as `environments_of` does."""
    environments = environments_of(task, slots)
    try:
        yield environments
    finally:
        close_environments(environments)
