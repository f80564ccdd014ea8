"""Checks that a policy can play a task: both have the same shape of observations and the same actions."""

from typing import NamedTuple

from germline.evaluators.policy.environments.environment import EnvironmentSpec
from germline.evaluators.policy.task import PolicyTask, environment_spec_of
from germline.evaluators.tasks.registry import task_class
from germline.programs.policy.genome import InvalidPolicy, Policy, read
from germline.programs.policy.network import Box, Network


class CannotPlay(ValueError):
    """A genome is not a valid policy, a task is not for policies, or they do not fit each other."""


class Playable(NamedTuple):
    """A policy, a task that it can play, and the specification of the task's environments."""

    policy: Policy
    task: type[PolicyTask]
    spec: EnvironmentSpec


def playable(genome: str, task: str, label: str = "the policy", hint: str = "") -> Playable:
    """Returns a policy with a task that it can play.

    Args:
        genome: the text of the policy.
        task: the full name of the task, such as `gym:CartPole-v1`.
        label: what error messages call the policy.
        hint: the end of the message about a policy that does not fit, with what to do.

    Raises:
        CannotPlay: the genome is not a valid policy, the task is not for policies, or they do not fit each other.
        UnknownTask, InvalidTask: there is no such task, or it cannot be used.
    """
    try:
        policy = read(genome)
    except InvalidPolicy as invalid:
        raise CannotPlay(f"{label} is not a valid genome: {invalid}") from None
    chosen = task_class(task)
    if not issubclass(chosen, PolicyTask):
        raise CannotPlay(f"expected a task for policies, got {task}, which is for kind {chosen.kind}")
    spec = environment_spec_of(chosen)
    if misfit := misfit_of(policy.network, chosen, spec):
        raise CannotPlay(f"{label}: {misfit}{hint}")
    return Playable(policy, chosen, spec)


def misfit_of(network: Network, task: type[PolicyTask], spec: EnvironmentSpec) -> str | None:
    """Why a network cannot play a task, whose environments have `spec`, in a line; None if it can.

    Raises:
        InvalidTask: the module of the task cannot be the network of policies.
    """
    if misfit := own_misfit(network, task):
        return misfit
    if (network.observation, network.actions) == (spec.observation, spec.actions):
        return None
    return (
        f"expected a policy for {task.name}, with observations {list(spec.observation)} and "
        f"{_actions_text(spec.actions)}, got a policy with {list(network.observation)} and "
        f"{_actions_text(network.actions)}"
    )


def own_misfit(network: Network, task: type[PolicyTask]) -> str | None:
    """Why the module of a task is not the one that an own network is for, in a line; None if it is, and for built-in
    networks.

    Raises:
        InvalidTask: the module cannot be the network of policies.
    """
    if network.form != "own":
        return None
    if not task.has_network():
        return f"expected the task whose own network the policy has, got {task.name}, which has none"
    from germline.evaluators.policy.networks.own_network import tensors_of  # imports torch

    expected = {tensor.name: list(tensor.shape) for tensor in tensors_of(task)}
    given = {tensor.name: list(tensor.shape) for tensor in network.own}
    for name in [*given, *expected]:
        if given.get(name) != expected.get(name):
            own, other = (shapes.get(name, "missing") for shapes in (given, expected))
            return f"expected a policy for the network of {task.name}, whose {name:.100} is {other}, got one with {own}"
    if list(given) != list(expected):
        return f"expected a policy for the network of {task.name}, got one with its parameters in another order"
    return None


def _actions_text(actions: int | Box) -> str:
    if isinstance(actions, int):
        return f"{actions} actions"
    return f"{len(actions.low)} numbers from {min(actions.low):g} to {max(actions.high):g}"
