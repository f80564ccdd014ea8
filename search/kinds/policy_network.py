"""The network of a run's policies, which follows from the settings and the task."""

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from germline.evaluators.policy.compatibility import own_misfit
from germline.evaluators.policy.environments.environment import EnvironmentSpec
from germline.evaluators.policy.task import PolicyTask, environment_spec_of, opened_environments
from germline.programs.policy.network import Box, InvalidNetwork, Network, Normalisation
from germline.programs.policy.network_data import read_network
from germline.search.settings import BadSetting

log = logging.getLogger(__name__)


class NetworkSettings(Protocol):
    """The settings of a policy search that decide its network (`PolicySettings` has them)."""

    @property
    def network(self) -> str: ...
    @property
    def actions(self) -> str: ...
    @property
    def hidden(self) -> Sequence[int]: ...
    @property
    def activation(self) -> str: ...
    @property
    def padding(self) -> str: ...
    @property
    def normalise(self) -> str: ...


def network_for(settings: NetworkSettings, task: type[PolicyTask]) -> Network:
    """The network of a run on a task, not yet with normalisation of its observations.

    Raises:
        BadSetting: the settings ask for a network that does not fit the task.
    """
    network = _network(settings, task)
    if network.form == "conv" and not settings.hidden:
        raise BadSetting(f"expected network=mlp for hidden=none, got conv for the images of {task.name}")
    return network


def with_normalisation(network: Network, settings: NetworkSettings, task: type[PolicyTask]) -> Network:
    """The network with normalisation of observations, measured now, if the settings ask for it; else as it is.

    Raises:
        BadSetting: the network or the task allows no normalisation.
    """
    if settings.normalise == "off":
        return network
    if network.form == "conv":
        raise BadSetting("expected normalise=off for network=conv, got on: images are divided by 255")
    log.info("measuring the observations of untrained policies in %s", task.name)
    return replace(network, normalisation=_measured_normalisation(task, network))


def behaviour_length(task: type[PolicyTask]) -> int | None:
    """The number of components of the behaviour descriptor that a task reports; None if its episodes cannot start, of
    which scoring raises the real error."""
    slot = np.zeros(1, np.int64)
    with suppress(Exception), opened_environments(task(), 1) as environments:
        environments.reset(slot, [0])
        return int(environments.behaviour(slot).shape[1])
    return None


def _network(settings: NetworkSettings, task: type[PolicyTask]) -> Network:
    spec = environment_spec_of(task)
    discrete = isinstance(spec.actions, int)
    if settings.actions != "auto" and discrete != (settings.actions == "discrete"):
        has = f"{spec.actions} actions to choose from" if discrete else f"{_dimensions(spec.actions)} to set"
        raise BadSetting(f"expected {settings.actions} actions, got {task.name}, which has {has}; --set actions=auto")
    if settings.network == "auto" and task.has_network():
        return _own_network(spec, task)
    form = settings.network if settings.network != "auto" else "conv" if spec.pixels else "mlp"
    if form == "conv" and not (spec.pixels and len(spec.observation) == 3):
        raise BadSetting(
            f"expected images for network=conv, got {task.name} with observations of shape {list(spec.observation)}; "
            "--set network=mlp"
        )
    data: dict[str, Any] = {"form": form, "observation": list(spec.observation)}
    if form == "conv":
        data["padding"] = settings.padding
    else:
        data["hidden"] = settings.hidden
        data["activation"] = settings.activation if settings.hidden else "tanh"
    box = spec.actions
    data["actions"] = {"low": list(box.low), "high": list(box.high)} if isinstance(box, Box) else box
    try:
        return read_network(data)
    except InvalidNetwork as invalid:
        raise BadSetting(str(invalid)) from None


def _own_network(spec: EnvironmentSpec, task: type[PolicyTask]) -> Network:
    """The network that the module of a task is, which is tried."""
    from germline.evaluators.policy.networks.own_trial import own_network  # imports torch

    own = own_network(task)
    return Network("own", spec.observation, spec.actions, own=own.tensors)


def check_own_network(network: Network, task: type[PolicyTask]) -> None:
    """Refuses a run whose own network is not, or no longer, the module of its task.

    Raises:
        BadSetting: the parameters have other names or shapes.
    """
    if misfit := own_misfit(network, task):
        raise BadSetting(f"{misfit}; the run goes on with the module that it began with")


def _measured_normalisation(task: type[PolicyTask], network: Network) -> Normalisation:
    from germline.evaluators.policy.observation_statistics import normalisation  # loads the compiler

    try:
        return normalisation(task, network)
    except ValueError as invalid:
        raise BadSetting(str(invalid)) from None


def _dimensions(actions: int | Box) -> str:
    assert isinstance(actions, Box)
    return "1 number" if len(actions.low) == 1 else f"{len(actions.low)} numbers"
