"""A trial makes a user's own module the network of policies: what the module needs, and what would go wrong."""

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from germline.evaluators.errors import InvalidTask, in_a_line, of_foreign_code, place_of, shown
from germline.evaluators.optimizer.modules.obstacles import obstacle_of
from germline.evaluators.optimizer.modules.plain_values import attributes_of
from germline.evaluators.optimizer.modules.slots import Slots
from germline.evaluators.optimizer.modules.stacked_module import Way
from germline.evaluators.optimizer.modules.template import recorded_call, same_values
from germline.evaluators.policy.environments.environment import EnvironmentSpec
from germline.evaluators.policy.networks.own_module import DRAW_ELSEWHERE, takes_state
from germline.evaluators.policy.networks.own_network import OwnNetwork, Rows, double_module, tensors_of
from germline.evaluators.policy.networks.own_state import leaves_of
from germline.evaluators.policy.task import PolicyTask, environment_spec_of, opened_environments
from germline.programs.policy.network import Network, choose_actions
from germline.programs.policy.own_tensor import OwnTensor
from germline.programs.policy.parameters import initial_parameters, mutate

log = logging.getLogger(__name__)

DECISIONS = 4
POLICIES = 3
SIGMA = 0.1
"""Standard deviation of the noise on all parameters in the trial, so that a last layer of zeros hides nothing."""
TOLERANCE = 1e-9
"""Relative difference of outputs up to which policies may be computed together: roundings of double precision."""


@cache
def own_network(task: type[PolicyTask], device: str = "cpu") -> OwnNetwork:
    """The network of a task with a module of its own, tried on a few observations once per process.

    Raises:
        InvalidTask: the module cannot be the network of policies; the message says what to change.
    """
    tensors = tensors_of(task)
    try:
        network, obstacle = _tried_network(task, tensors, device)
    except InvalidTask as error:
        raise InvalidTask(f"{task.name}: {error}") from None
    if obstacle is not None:
        log.warning("%s: policies compute one after the other, which is slower: %s", task.name, obstacle)
    return network


def _tried_network(task: type[PolicyTask], tensors: Sequence[OwnTensor], device: str) -> tuple[OwnNetwork, str | None]:
    """The network of a task, in the fastest way that is right, and why policies cannot be computed together; None if
    they can.

    Raises:
        InvalidTask: the module fails, or policies would not be independent of each other.
    """
    spec = environment_spec_of(task)
    module = double_module(task, device)
    network = OwnNetwork(task, module, Slots(module, (tensor.name for tensor in tensors)), takes_state(module))
    inputs = torch.from_numpy(first_observations(task, spec)).to(device, torch.float64)[:, None]
    layout = Network("own", spec.observation, spec.actions, own=tuple(tensors))
    rows = stacked_rows(layout, np.stack([_parameters(layout, seed) for seed in range(POLICIES)]), device)
    network = _called_once(network, inputs[0], layout.output_count)
    alone = replace(network, way="alone")
    expected = _episode(alone, rows, inputs)
    if any(bool(output.isnan().any()) for output in expected):
        raise InvalidTask(
            "forward returns NaN for the first observations of an episode, with weights as they are drawn, so that it "
            "chooses no action"
        )
    before = attributes_of(module)
    again = _episode(alone, rows, inputs)
    if not all(map(same_values, expected, again)):
        after = attributes_of(module)
        changed = [name for name, value in after.items() if before.get(name, after) is not value]
        kept = f"{', '.join(changed[:3])} changed" if changed else "it keeps or draws something elsewhere"
        raise InvalidTask(
            f"two episodes with the same weights and observations give other outputs; {kept}: what a network remembers "
            "has to be its state, which forward takes and returns"
        )
    _check_other_builds(alone, rows, inputs, expected)
    return _together(network, rows, inputs, expected)


def _check_other_builds(network: OwnNetwork, rows: Rows, inputs: Tensor, expected: Sequence[Tensor]) -> None:
    """Raises InvalidTask if outputs depend on more than parameters, observations and the state: on what a module has
    drawn when it was built, or on what it has kept of its first call."""
    for seed, has_played in ((0, True), (1, False)):
        module = double_module(network.task, str(inputs.device), seed)
        other = replace(network, module=module, slots=Slots(module, rows))
        if has_played:
            _episode(other, {name: values.flip(0) for name, values in rows.items()}, inputs.flip(0))
        if not all(map(same_values, expected, _episode(other, rows, inputs))):
            cause = (
                "after other observations and weights it gives other outputs for the same: what a network remembers "
                "has to be its state, which forward takes and returns, and what follows from weights is computed anew"
                if has_played
                else "built anew it gives other outputs with the same parameters, so something else in it is drawn at "
                f"random: {DRAW_ELSEWHERE}"
            )
            raise InvalidTask(cause)


def stacked_rows(network: Network, parameters: NDArray[np.float32], device: str) -> dict[str, Tensor]:
    """Parameters of n policies by name, float64 `[n, *shape]`, from rows float32 `[n, P]`."""
    rows = torch.from_numpy(parameters).to(device).double()
    return {tensor.name: tensor.view(rows) for tensor in network.tensors}


def first_observations(task: type[PolicyTask], spec: EnvironmentSpec) -> NDArray[Any]:
    """The first observations of an episode, `[DECISIONS, *observation]`; zeros after its end, or if it cannot begin, of
    which playing raises the real error."""
    seen = np.zeros((DECISIONS, *spec.observation))
    slot, count = np.zeros(1, np.int64), 1 if isinstance(spec.actions, int) else len(spec.actions.low)
    with suppress(Exception), opened_environments(task(), 1) as environments:
        environments.reset(slot, [0])
        for place in range(DECISIONS):
            seen[place] = environments.observations[0]
            if environments.step(slot, choose_actions(spec.actions, np.zeros((1, count), np.float32))).over[0]:
                break
    return seen


def _parameters(network: Network, seed: int) -> NDArray[np.float32]:
    row = initial_parameters(network, seed)
    mutate(row, seed, SIGMA)
    return row


def _called_once(network: OwnNetwork, observation: Tensor, outputs: int) -> OwnNetwork:
    """The network with what its first call shows: the form of its state, and what it needs.

    Raises:
        InvalidTask: the call fails, or does what the network of a policy must not do.
    """
    arguments = (None,) if network.recurrent else ()
    shape = list(observation.shape)
    failures = []
    for double_default in (False, True):
        ready = replace(network, double_default=double_default)
        try:
            with torch.no_grad(), ready.defaults():
                seen = recorded_call(network.module, lambda: network.module(observation.clone(), *arguments))
                # Also with the state that it returned: it may be of another type than what forward creates.
                if network.recurrent and isinstance(seen.result, tuple) and len(seen.result) == 2:
                    network.module(observation.clone(), seen.result[1])
            break
        except InvalidTask:
            raise
        except of_foreign_code() as error:
            failures.append(error)
    else:
        raise InvalidTask(
            f"forward failed on an observation {shape} with {in_a_line(failures[0])}{place_of(failures[0])}"
            f"{_hint(failures[0])}"
        ) from failures[0]
    if seen.written:
        raise InvalidTask(
            f"forward writes into {', '.join(sorted(seen.written)[:3])}, which all policies and episodes would share: "
            "what a network remembers has to be its state, which forward takes and returns"
        )
    if seen.random:
        raise InvalidTask(
            "forward draws random numbers in evaluation mode, but an episode has to follow from its seed and the "
            "policy: leave them out"
        )
    output, state = seen.result, None
    if network.recurrent:
        if not isinstance(output, tuple) or len(output) != 2:
            raise InvalidTask(
                f"forward takes a second argument, the state, and so has to return (outputs, state), got "
                f"{_description(output)}"
            )
        output, state = output
        leaves_of(state)
    if not isinstance(output, Tensor) or tuple(output.shape) != (1, outputs) or not output.is_floating_point():
        more = ", and a second argument, the state, if it is recurrent" if isinstance(output, tuple) else ""
        raise InvalidTask(
            f"forward has to return outputs [1, {outputs}] for an observation {shape}{more}, got {_description(output)}"
        )
    return replace(ready, state=state, attends=seen.attends)


def _episode(network: OwnNetwork, rows: Rows, inputs: Tensor) -> list[Tensor]:
    """Outputs `[n, outputs]` of n policies for each observation of an episode, `[decisions, 1, *observation]`.

    Raises:
        InvalidTask: a decision fails, or a state has another form than that after the first decision.
    """
    leaves, outputs = None, []
    count = len(next(iter(rows.values())))
    for decision, observation in enumerate(inputs, 1):
        try:
            output, after = network.outputs(rows, observation.expand(count, *observation.shape), leaves)
        except InvalidTask:
            raise
        except of_foreign_code() as error:
            if network.way != "alone":
                raise
            cause = f"{in_a_line(error)}{place_of(error)}"
            raise InvalidTask(f"forward failed at decision {decision} with {cause}") from error
        outputs.append(output)
        if network.recurrent:
            leaves = after
    return outputs


def _together(
    network: OwnNetwork, rows: Rows, inputs: Tensor, expected: Sequence[Tensor]
) -> tuple[OwnNetwork, str | None]:
    """The network in the fastest way that gives the outputs of policies alone, and the obstacle to all such ways."""
    ways: tuple[Way, ...] = ("rules", "vmap")
    obstacle = ""
    for way in ways:
        chosen = replace(network, way=way)
        try:
            outputs = _episode(chosen, rows, inputs)
        except of_foreign_code() as error:
            obstacle = obstacle_of(error)
            continue
        scale = max(1.0, *(float(output.abs().max()) for output in expected))
        differences = [float((a - b).abs().max()) for a, b in zip(outputs, expected, strict=True)]
        if max(differences) <= TOLERANCE * scale or not all(bool(output.isfinite().all()) for output in expected):
            return chosen, None
        obstacle = f"together their outputs differ by {max(differences):.1g}"
    return replace(network, way="alone"), obstacle


def _description(value: Any) -> str:
    return f"a tensor {list(value.shape)} of {str(value.dtype)[6:]}" if isinstance(value, Tensor) else shown(value)


def _hint(error: BaseException) -> str:
    text = str(error)
    if "dtype" in text or "scalar type" in text or "data type" in text:
        return (
            "; policies compute in double precision: leave casts such as .float() out, or cast to the dtype of a weight"
        )
    return ""
