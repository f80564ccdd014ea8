"""The module that a task of a user's own has as the network of its policies: built, checked, and its parameters."""

import inspect

import numpy as np
import torch
from torch import Tensor, nn

from germline.evaluators.errors import InvalidTask, in_a_line, of_foreign_code, place_of, shown
from germline.evaluators.optimizer.modules.declared import declared
from germline.evaluators.optimizer.modules.module_form import module_of
from germline.evaluators.optimizer.modules.randomness import seeded
from germline.evaluators.optimizer.modules.template import other_tensors, same_values, trained_tensors
from germline.evaluators.policy.task import PolicyTask
from germline.programs.policy.network import MAX_PARAMETERS
from germline.programs.policy.own_tensor import LARGEST_START, MOST_NAME, MOST_TENSORS, OwnTensor

DRAW_ELSEWHERE = "make it a parameter, or draw it from a torch.Generator with a fixed seed"
"""What to do with random numbers of a module that are no parameters."""


def fresh_module(task: type[PolicyTask], seed: int = 0) -> nn.Module:
    """The module that `network` of a task returns, in float32 and evaluation mode on the CPU.

    Args:
        task: a task with a network of its own (`PolicyTask.has_network`).
        seed: of the global generators of random numbers from which the module may draw.

    Raises:
        InvalidTask: `network` fails, or what it returns cannot be the network of policies.
    """
    with seeded(seed):
        try:
            network = declared(task, task(), "network")
            if isinstance(network, nn.Module):
                raise InvalidTask("network has to be a class or a method that returns a module, got a module itself")
            module = network()
        except InvalidTask:
            raise
        except of_foreign_code() as error:
            raise InvalidTask(f"network() failed with {in_a_line(error)}{place_of(error)}") from error
        if not isinstance(module, nn.Module):
            raise InvalidTask(f"network() has to return a torch.nn.Module, not {shown(module)}")
        if not any(parameter.requires_grad for parameter in module.parameters()):
            raise InvalidTask(
                "the module has no parameter that could evolve; those with requires_grad=False stay as they are"
            )
        return module_of(module).eval()


def own_tensors(task: type[PolicyTask]) -> tuple[OwnTensor, ...]:
    """The parameters of the module of a task, in the order of `named_parameters`, with how a genome begins them.

    The module is built with two seeds. What is the same in both and has a single value, such as the ones of a norm or
    the zeros of a last layer, begins so. What is drawn at random begins as the weights of built-in networks do: by the
    number of inputs, or at zero if it has a single axis.

    Raises:
        InvalidTask: the module cannot be the network of policies; the message says what to change.
    """
    first, second = fresh_module(task, 0), fresh_module(task, 1)
    if first is second:
        raise InvalidTask(
            "network() returns the same module each time, whose weights policies would share: build it anew"
        )
    if any(type(part).get_extra_state is not nn.Module.get_extra_state for part in first.modules()):
        raise InvalidTask("the module has extra state (get_extra_state), for which a genome has no place: leave it out")
    others = other_tensors(second)
    for name, value in other_tensors(first).items():
        if name not in others or not same_values(value, others[name]):
            of_torch = "parametrizations." in name or name.endswith(("_u", "_v"))
            advice = "leave the parametrization out" if of_torch else DRAW_ELSEWHERE
            raise InvalidTask(
                f"{name} is drawn at random, but does not evolve, and a genome has no seed for it: {advice}"
            )
    drawn, again = trained_tensors(first), trained_tensors(second)
    if [(k, v.shape) for k, v in drawn.items()] != [(k, v.shape) for k, v in again.items()]:
        raise InvalidTask("network() returns modules with other parameters each time: return the same layers")
    tensors = tuple(_tensor(name, value, again[name]) for name, value in drawn.items())
    count = sum(value.numel() for value in drawn.values())
    if count > MAX_PARAMETERS or len(tensors) > MOST_TENSORS:
        raise InvalidTask(f"the module has {count:,} parameters in {len(tensors):,} tensors, which are too many")
    return tensors


def takes_state(module: nn.Module) -> bool:
    """Whether `forward` has a second argument by position, the state: then the network is recurrent."""
    try:
        parameters = list(inspect.signature(module.forward).parameters.values())
    except (TypeError, ValueError):
        return False
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(parameter.kind in positional for parameter in parameters) >= 2


def _tensor(name: str, value: Tensor, again: Tensor) -> OwnTensor:
    shape = tuple(value.shape)
    if len(name) > MOST_NAME or not name.isprintable():
        raise InvalidTask(f"the parameter {shown(name)} has a name that a genome cannot hold: give it a shorter name")
    if not torch.equal(value, again):
        return OwnTensor(name, shape, None if value.dim() > 1 else 0.0)
    start = np.float32(value.flatten()[0].item())
    if not bool((value == value.flatten()[0]).all()) or not abs(start) <= LARGEST_START:
        raise InvalidTask(
            f"{name} starts with several values that are not drawn at random, of which a genome keeps none: start it "
            "with a single value, and add these in forward from a buffer"
        )
    return OwnTensor(name, shape, float(str(start)) + 0.0)  # the fewest digits that give the same float32
