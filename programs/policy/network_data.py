"""Networks of policies from plain data, which may come from anywhere: everything is checked."""

from collections.abc import Mapping
from math import prod
from typing import Any

from germline.programs.policy.network import (
    MAX_PARAMETERS,
    Box,
    InvalidNetwork,
    Network,
    Normalisation,
)
from germline.programs.policy.own_tensor import InvalidTensor, read_tensors

_REQUIRED = {"mlp": ("hidden", "activation"), "conv": ("padding",), "own": ("tensors",)}
"""What the data of a network of each form have besides form, observation and actions."""


def read_network(data: Any) -> Network:
    """The network that plain data describe.

    Raises:
        InvalidNetwork: the data describe no valid network.
    """
    if not isinstance(data, dict) or data.get("form") not in tuple(_REQUIRED):
        raise InvalidNetwork(f'expected a network with "form": "mlp", "conv" or "own", got {data!r:.60}')
    form = data["form"]
    required = {"form", "observation", "actions", *_REQUIRED[form]}
    if not required <= set(data) <= required | (set() if form == "conv" else {"normalise"}):
        raise InvalidNetwork(f"expected a network of {', '.join(sorted(required))}, got {', '.join(sorted(data)):.80}")
    fewest, most = (3, 3) if form == "conv" else (1, 8)
    observation = _positive_integers("observation", data["observation"], fewest, most)
    actions = _read_actions(data["actions"])
    normalisation = _read_normalisation(data.get("normalise"), prod(observation))
    if form == "mlp":
        hidden = _positive_integers("hidden", data["hidden"], 0, 16)
        activation = _option("activation", data["activation"], ("tanh", "relu"))
        network = Network(form, observation, actions, hidden, activation, normalisation=normalisation)
    elif form == "own":
        try:
            own = read_tensors(data["tensors"])
        except InvalidTensor as invalid:
            raise InvalidNetwork(str(invalid)) from None
        network = Network(form, observation, actions, normalisation=normalisation, own=own)
    else:
        network = Network(form, observation, actions, padding=_option("padding", data["padding"], ("same", "valid")))
        if min(min(size) for size in network.image_sizes) < 1:
            raise InvalidNetwork(f"expected images large enough for three convolutions, got {observation}")
    if network.parameter_count > MAX_PARAMETERS:
        raise InvalidNetwork(f"expected at most {MAX_PARAMETERS:,} parameters, got {network.parameter_count:,}")
    return network


def _positive_integers(name: str, value: Any, fewest: int, most: int) -> tuple[int, ...]:
    valid = isinstance(value, list) and all(type(item) is int and 0 < item <= 10**6 for item in value)
    if not valid or not fewest <= len(value) <= most:
        raise InvalidNetwork(f"{name}: expected {fewest} to {most} whole numbers from 1, got {value!r:.60}")
    return tuple(value)


def _finite_numbers(name: str, value: Any, count: int | None = None) -> tuple[float, ...]:
    valid = isinstance(value, list) and all(type(item) in (int, float) and abs(item) <= 1e30 for item in value)
    if not valid or not value or count not in (None, len(value)) or len(value) > 10**6:
        raise InvalidNetwork(f"{name}: expected {count or 'some'} finite numbers, got {value!r:.60}")
    return tuple(map(float, value))


def _option(name: str, value: Any, options: tuple[Any, ...]) -> Any:
    if value not in options:
        raise InvalidNetwork(f"{name}: expected {' or '.join(options)}, got {value!r:.60}")
    return value


def _read_actions(value: Any) -> int | Box:
    if type(value) is int and 1 <= value <= 10**6:
        return value
    if isinstance(value, Mapping) and set(value) == {"low", "high"}:
        low = _finite_numbers("actions.low", value["low"])
        high = _finite_numbers("actions.high", value["high"], len(low))
        if all(lowest < highest for lowest, highest in zip(low, high, strict=True)):
            return Box(low, high)
    raise InvalidNetwork(f'actions: expected the number of actions, or {{"low": […], "high": […]}}, got {value!r:.60}')


def _read_normalisation(value: Any, count: int) -> Normalisation | None:
    if value is None:
        return None
    if not isinstance(value, Mapping) or set(value) != {"mean", "scale"}:
        raise InvalidNetwork(f"normalise: expected mean and scale, got {value!r:.60}")
    return Normalisation(
        _finite_numbers("normalise.mean", value["mean"], count),
        _finite_numbers("normalise.scale", value["scale"], count),
    )
