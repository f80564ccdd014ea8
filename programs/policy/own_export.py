"""Export of a policy whose network is a user's own module: a file that takes the module, and a file of weights.

A genome has no code, so the module stays where it is: the exported class gets it as an argument, or imports it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from safetensors.torch import save
from torch import Tensor, nn

from germline.programs.export.files import WEIGHTS_SUFFIX
from germline.programs.export.loading import load_module
from germline.programs.export.names import check_free_name
from germline.programs.export.origin import Origin
from germline.programs.export.verified import VerifiedExport
from germline.programs.policy.export import SUFFIX, USED_NAMES, metadata
from germline.programs.policy.exported_lines import (
    actions_text,
    constants,
    example_lines,
    fact_lines,
    raw_shape_text,
    shape_text,
)
from germline.programs.policy.genome import Policy, fingerprint
from germline.programs.policy.interface import SAME, Interface
from germline.programs.policy.network import OBSERVATION_LIMIT, Network
from germline.programs.policy.parameters import replay

_USED_NAMES = USED_NAMES | {"_rounded"}


@dataclass(frozen=True)
class OwnCode:
    """What an exported file has to know of a user's module.

    Args:
        build: returns a fresh module.
        module: the name of the Python module that exported code imports `name` from; None if it has none that can be
            imported, and the network has to be given.
        name: a class in that module.
        expression: Python that makes the network of `name`.
        recurrent: whether the network takes and returns a state.
        nested: whether its state is anything else than a single tensor with fractions.
        double_default: whether it creates tensors that have to be of double precision by default.
    """

    build: Callable[[], nn.Module]
    module: str | None
    name: str
    expression: str
    recurrent: bool
    nested: bool
    double_default: bool


def verified_own(
    policy: Policy,
    code: OwnCode,
    origin: Origin,
    class_name: str,
    stem: str,
    mean_return: str | None = None,
    environment: str | None = None,
    interface: Interface = SAME,
) -> VerifiedExport[str]:
    """The exported files of a policy, with the class loaded from them around a fresh module; what it computes is to be
    compared by the caller, who has the network of the search.

    Args:
        code: the module of the policy's network.
        others: as of `germline.programs.policy.export.verified_torch`.

    Raises:
        ValueError: the file uses the class's name for something else, or the weights do not fit the module.
    """
    source = export_own(policy, code, origin, class_name, stem, mean_return, environment, interface)
    weights = save(_saved(policy, code), metadata(policy))
    module = load_module(source, weights, class_name, code.build())
    facts = {"parameters": policy.network.parameter_count}
    return VerifiedExport(source, class_name, facts=facts, weights=weights, module=module)


def _saved(policy: Policy, code: OwnCode) -> dict[str, Tensor]:
    """The tensors of the file of weights by name: all of the module, and constants of the network."""
    module, parameters = code.build(), replay(policy)
    places = dict(module.named_parameters())
    with torch.no_grad():
        for tensor in policy.network.tensors:
            places[tensor.name].copy_(torch.from_numpy(tensor.view(parameters)))
    state = {name: value for name, value in module.state_dict().items() if isinstance(value, Tensor)}
    return {
        **{f"network.{name}": value.clone().contiguous() for name, value in state.items()},
        **{
            name: torch.tensor(value, dtype=torch.float64).view(_constant_shape(policy.network, name))
            for name, value in constants(policy.network).items()
        },
    }


def _constant_shape(network: Network, name: str) -> tuple[int, ...]:
    return network.observation if name in ("mean", "scale") else (network.output_count,)


def export_own(
    policy: Policy,
    code: OwnCode,
    origin: Origin,
    class_name: str,
    stem: str,
    mean_return: str | None = None,
    environment: str | None = None,
    interface: Interface = SAME,
) -> str:
    """The source of the file that defines the policy; the arguments are those of `verified_own`.

    Raises:
        ValueError: the file uses the class's name for something else.
    """
    check_free_name(class_name, _USED_NAMES, SUFFIX)
    network = policy.network
    given = "" if code.module else "network"
    return "\n".join(
        [
            '"""A policy that Germline found; its weights lie beside this file, and its network is a',
            "module of its user.",
            "",
            *fact_lines(policy, origin, mean_return),
            "",
            *example_lines(
                network, origin.task, class_name, stem, environment, interface, given, recurrent=code.recurrent
            ),
            '"""',
            "",
            "from pathlib import Path",
            "",
            "import numpy as np",
            "import torch",
            "from safetensors import safe_open",
            "from safetensors.torch import load_file",
            "from torch import nn",
            "",
            "",
            *(_ROUNDED if code.nested else ()),
            f"class {class_name}(nn.Module):",
            f'    """{actions_text(network.actions, interface)}',
            "",
            "    It computes in double precision and rounds once, so that the same actions come",
            "    out wherever it runs.",
            "",
            "    Args:",
            *_network_argument(code),
            "        path: of the weights; those beside this file unless given.",
            '    """',
            "",
            f'    fingerprint = "{fingerprint(policy)}"',
            "",
            *(f"    {line}" if line else "" for line in _constructor(network, code)),
            "",
            *(f"    {line}" if line else "" for line in _forward(network, code)),
            "",
            *(f"    {line}" if line else "" for line in _act(network, code, interface)),
            "",
        ]
    )


_ROUNDED = (
    "def _rounded(state):",
    '    """A state with fractions rounded to single precision, as the search keeps it."""',
    "    if isinstance(state, torch.Tensor):",
    "        return state.float().to(state.dtype) if state.is_floating_point() else state",
    "    if isinstance(state, dict):",
    "        return {name: _rounded(value) for name, value in state.items()}",
    "    return type(state)(map(_rounded, state))",
    "",
    "",
)


def _network_argument(code: OwnCode) -> Iterator[str]:
    """Lines of the docstring on the argument `network`."""
    yield "        network: a fresh module of the user's, as it was searched with, which gets the"
    unless = f"; unless given {code.expression} of {code.module}" if code.module else ""
    yield f"            weights{unless}."


def _constructor(network: Network, code: OwnCode) -> Iterator[str]:
    yield f"def __init__(self, network{'=None' if code.module else ''}, path=None):"
    yield "    super().__init__()"
    if code.module:
        yield "    if network is None:"
        yield f"        from {code.module} import {code.name}"
        yield ""
        yield f"        network = {code.expression}"
    yield "    self.network = network.float()"
    for name in constants(network):
        shape = ", ".join(map(str, _constant_shape(network, name)))
        yield f'    self.register_buffer("{name}", torch.empty({shape}))'
    yield "    self.double().eval()"
    yield f'    weights = path or Path(__file__).with_suffix("{WEIGHTS_SUFFIX}")'
    yield '    with safe_open(weights, "pt") as file:'
    yield '        if (file.metadata() or {}).get("fingerprint") != self.fingerprint:'
    yield '            raise ValueError(f"{weights} holds the weights of another policy")'
    yield "    self.load_state_dict(load_file(weights))"
    if code.recurrent:
        yield "    self.reset()"


def _forward(network: Network, code: OwnCode) -> Iterator[str]:
    outputs = f"Outputs [{network.output_count}] for an observation {shape_text(network)}"
    yield f"def forward(self, observation{', state=None' if code.recurrent else ''}):"
    if code.recurrent:
        yield f'    """{outputs} and a state, and the next state;'
        yield '    the state None begins an episode."""'
    else:
        yield f'    """{outputs}."""'
    yield "    device = next(self.network.parameters()).device"
    yield "    x = torch.as_tensor(observation, dtype=torch.float64, device=device)[None]"
    if network.normalisation:
        yield f"    x = ((x - self.mean) * self.scale).clamp(-{OBSERVATION_LIMIT:g}, {OBSERVATION_LIMIT:g})"
    call = "outputs, state = self.network(x, state)" if code.recurrent else "outputs = self.network(x)"
    if code.double_default:
        yield "    default = torch.get_default_dtype()"
        yield "    torch.set_default_dtype(torch.float64)  # of tensors that the network creates"
        yield from ("    try:", f"        {call}", "    finally:", "        torch.set_default_dtype(default)")
    else:
        yield f"    {call}"
    if not code.recurrent:
        yield "    return outputs[0].float()"
        return
    rounded = "_rounded(state)" if code.nested else "state.float().to(state.dtype)"
    yield f"    return outputs[0].float(), {rounded}"


def _act(network: Network, code: OwnCode, interface: Interface) -> Iterator[str]:
    """Lines of `reset`, of a recurrent network, and of `act`."""
    if code.recurrent:
        yield from ("def reset(self):", '    """Begins an episode: forgets the observations before."""')
        yield from ("    self.state = None", "")
    discrete = isinstance(network.actions, int)
    rule = "the place of the largest output" if discrete else "outputs from -1 to 1, scaled to the box"
    which = "the next observation" if code.recurrent else "an observation"
    yield from ("@torch.no_grad()", "def act(self, observation):")
    yield f'    """The action for {which} {raw_shape_text(network, interface)}:'
    yield f'    {rule}."""'
    yield "    observation = np.ascontiguousarray(observation, dtype=np.float64)"
    if interface.channels_last:
        yield "    observation = np.moveaxis(observation, -1, -3)"
    if code.recurrent:
        yield "    outputs, self.state = self(observation, self.state)"
    else:
        yield "    outputs = self(observation)"
    if discrete:
        yield f"    return int(outputs.argmax()){f' + {interface.first_action}' if interface.first_action else ''}"
        return
    yield "    share = (outputs.double().clamp(-1, 1) + 1) / 2"
    yield "    action = (self.low + share * (self.high - self.low)).float()"
    cast = "" if interface.action_type == "float32" else f".astype(np.{interface.action_type})"
    yield f"    return action.numpy(force=True){cast}"
