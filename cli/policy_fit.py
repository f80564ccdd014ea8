"""A policy and a task: can it play there?"""

from typing import TYPE_CHECKING

from germline.cli.candidate import Candidate
from germline.cli.errors import BadReference

if TYPE_CHECKING:
    from germline.evaluators.policy.environments.environment import EnvironmentSpec
    from germline.evaluators.policy.task import PolicyTask
    from germline.programs.policy.genome import Policy
    from germline.programs.policy.network import Box


def fitting(candidate: Candidate, task: str, hint: str = "") -> "tuple[Policy, type[PolicyTask], EnvironmentSpec]":
    """The policy of a candidate, and the task that it can play, with its world.

    Args:
        candidate: of kind policy.
        task: the whole name of a task.
        hint: what to do about a policy that does not fit, to end the message with.

    Raises:
        BadReference: the genome is none, the task is none for policies, or they do not fit.
    """
    from germline.evaluators.policy.task import PolicyTask, environment_spec_of
    from germline.evaluators.tasks.registry import task_class
    from germline.programs.policy.genome import InvalidPolicy, read

    try:
        policy = read(candidate.genome)
    except InvalidPolicy as invalid:
        raise BadReference(f"{candidate.label} is not a valid genome: {invalid}") from None
    chosen = task_class(task)
    if not issubclass(chosen, PolicyTask):
        raise BadReference(f"expected a task for policies, got {task}, which is for kind {chosen.kind}")
    network, spec = policy.network, environment_spec_of(chosen)
    if (network.observation, network.actions) != (spec.observation, spec.actions):
        raise BadReference(
            f"expected a policy for {task}, with observations {list(spec.observation)} and {_told(spec.actions)}; "
            f"{candidate.label} has {list(network.observation)} and {_told(network.actions)}{hint}"
        )
    return policy, chosen, spec


def _told(actions: "int | Box") -> str:
    if isinstance(actions, int):
        return f"{actions} actions"
    return f"{len(actions.low)} numbers from {min(actions.low):g} to {max(actions.high):g}"
