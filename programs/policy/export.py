"""Export of a policy as a file with its network and, beside it, one with its weights: torch and safetensors suffice."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor, nn

from germline.programs.export.loading import class_in
from germline.programs.export.origin import Origin, inert
from germline.programs.policy import noise
from germline.programs.policy.genome import Policy, fingerprint
from germline.programs.policy.module import PolicyModule, torch_layers, torch_state
from germline.programs.policy.network import OBSERVATION_LIMIT, Box, Network, paddings
from germline.programs.policy.parameters import replay

SUFFIX = ".safetensors"

_TAKEN = ("F", "Path", "gymnasium", "load_file", "nn", "safe_open", "torch")
"""Names that exported files use, or show in use."""


class ExportMismatch(ValueError):
    """An exported network is not the policy's; the message says in what it differs."""


@dataclass(frozen=True)
class Verified:
    """The two files, and the network that they make, which has been compared with the policy's."""

    source: str
    weights: bytes
    module: Any


def free_name(class_name: str) -> str:
    """The name, or one that the file does not use itself."""
    return f"{class_name}Policy" if class_name in _TAKEN else class_name


def verified_torch(
    policy: Policy,
    origin: Origin,
    class_name: str,
    stem: str,
    score: str | None = None,
    environment: str | None = None,
) -> Verified:
    """The files of a policy, after the network that they make has come to the same outputs, bit for bit.

    Args:
        policy: what is exported.
        origin: where it comes from; for what a policy is worth its fitness says little.
        class_name: of the network.
        stem: the name of both files without its end.
        score: what the policy is worth, in words.
        environment: the id of an environment of gymnasium in which the network can play as it is; the file shows how.

    Raises:
        ExportMismatch: it has not.
        ValueError: the class's name is taken by something in the file.
    """
    source = export_torch(policy, origin, class_name, stem, score, environment)
    parameters = replay(policy)
    weights = save(_saved(policy.network, parameters), metadata(policy))
    with tempfile.TemporaryDirectory(prefix="germline-export-") as folder, torch.random.fork_rng(devices=[]):
        path = Path(folder) / "exported.py"
        path.write_text(source, encoding="utf-8")
        path.with_suffix(SUFFIX).write_bytes(weights)
        module = class_in(path, class_name)()
    seen = torch.from_numpy(random_observations(policy.network, 16))
    with torch.no_grad():
        ours, theirs = PolicyModule(policy.network, parameters)(seen), module(seen)
        alone = module(seen[0])
    if not (torch.equal(ours, theirs) and torch.equal(ours[0], alone)):
        raise ExportMismatch("expected the exported network to come to the policy's outputs, got others")
    return Verified(source, weights, module)


def random_observations(network: Network, count: int) -> NDArray[Any]:
    """`[count, *observation]`: pixels, or numbers of different sizes; always the same."""
    rng = np.random.default_rng(0)
    shape = (count, *network.observation)
    if network.form == "conv":
        return rng.integers(0, 256, shape, dtype=np.uint8)
    return rng.normal(size=shape) * np.logspace(-2, 1, count).reshape(-1, *[1] * len(network.observation))


def export_torch(
    policy: Policy,
    origin: Origin,
    class_name: str,
    stem: str,
    score: str | None = None,
    environment: str | None = None,
) -> str:
    """The source of the file with the network; `verified_torch` says what the arguments are.

    Raises:
        ValueError: the class's name is taken by something in the file.
    """
    if class_name in _TAKEN:
        raise ValueError(
            f"expected a class name that the file does not use itself, got {class_name!r:.60}; write a name such as "
            f"{free_name(class_name)}"
        )
    network = policy.network
    facts = [
        *origin.lines(),
        *([f"Return: {inert(score)}"] if score else []),
        f"Mutations: {len(policy.mutations)}",
        f"Parameters: {network.parameter_count:,}",
    ]
    functional = network.form == "conv"
    return "\n".join(
        [
            '"""A policy that Germline found; its weights lie beside this file.',
            "",
            *facts,
            "",
            *_example(network, origin.task, class_name, stem, environment),
            '"""',
            "",
            "from pathlib import Path",
            "",
            "import torch",
            *(["import torch.nn.functional as F"] if functional else []),
            "from safetensors import safe_open",
            "from safetensors.torch import load_file",
            "from torch import nn",
            "",
            "",
            f"class {class_name}(nn.Module):",
            f'    """{_chooses(network.actions)}',
            "",
            "    It computes in double precision and rounds once, so that the same actions come",
            "    out wherever it runs.",
            "",
            "    Args:",
            "        path: of the weights; those beside this file unless given.",
            '    """',
            "",
            f'    fingerprint = "{fingerprint(policy)}"',
            "",
            "    def __init__(self, path=None):",
            "        super().__init__()",
            *(f"        {line}" for line in _layers(network)),
            "        self.double()",
            f'        weights = path or Path(__file__).with_suffix("{SUFFIX}")',
            '        with safe_open(weights, "pt") as file:',
            '            if (file.metadata() or {}).get("fingerprint") != self.fingerprint:',
            '                raise ValueError(f"{weights} holds the weights of another policy")',
            "        self.load_state_dict(load_file(weights))",
            "",
            "    def forward(self, observation):",
            f'        """Outputs [{network.output_count}] for an observation {_shape(network)}, '
            'or for a batch of them."""',
            *(f"        {line}" for line in _forward(network)),
            "",
            "    @torch.no_grad()",
            "    def act(self, observation):",
            *(f"        {line}" for line in _act(network.actions)),
            "",
        ]
    )


def _example(network: Network, task: str | None, class_name: str, stem: str, environment: str | None) -> Iterator[str]:
    name = stem if stem.isidentifier() else "NAME"
    if environment is None:
        dtype = "uint8" if network.form == "conv" else "numbers"
        where = f", as germline plays {inert(task)}" if task else ""
        yield from (f"It sees an observation, {dtype} {_shape(network)}{where}:", "")
        yield from (f"    from {name} import {class_name}", "", f"    policy = {class_name}()")
        yield "    action = policy.act(observation)"
        return
    yield from ("To see it play:", "", "    import gymnasium", f"    from {name} import {class_name}", "")
    yield f'    env, policy = gymnasium.make("{inert(environment)}", render_mode="human"), {class_name}()'
    yield from ("    observation, _ = env.reset(seed=0)", "    over = False", "    while not over:")
    yield "        action = policy.act(observation)"
    yield "        observation, reward, terminated, truncated, _ = env.step(action)"
    yield "        over = terminated or truncated"


def _shape(network: Network) -> str:
    return str(list(network.observation))


def _chooses(actions: int | Box) -> str:
    if isinstance(actions, int):
        return f"Chooses one of {actions} actions, counted from 0."
    return f"Sets {len(actions.low)} numbers." if len(actions.low) > 1 else "Sets a number."


def _layers(network: Network) -> Iterator[str]:
    for name, layer in torch_layers(network):
        if isinstance(layer, nn.Conv2d):
            sizes = (layer.in_channels, layer.out_channels, layer.kernel_size[0], layer.stride[0])
            yield f"self.{name} = nn.Conv2d({', '.join(map(str, sizes))})"
        elif isinstance(layer, nn.Linear):
            yield f"self.{name} = nn.Linear({layer.in_features}, {layer.out_features})"
    for name, value in _buffers(network).items():
        yield f'self.register_buffer("{name}", torch.empty({len(value)}))'


def _forward(network: Network) -> Iterator[str]:
    names = [name for name, _ in torch_layers(network)]
    taken = "torch.as_tensor(observation).to(self.output.weight)"
    if network.form == "conv":
        yield f"x = {taken} / 255"
        for name, edges in zip(names, paddings(network), strict=False):
            padded = f"F.pad(x, {edges})" if any(edges) else "x"
            yield f"x = F.relu(self.{name}({padded}))"
        yield "x = F.relu(self.dense(x.flatten(-3)))"
    else:
        dimensions = len(network.observation)
        yield f"x = {taken}" + (f".flatten(-{dimensions})" if dimensions > 1 else "")
        if network.normalisation:
            yield f"x = ((x - self.mean) * self.scale).clamp(-{OBSERVATION_LIMIT:g}, {OBSERVATION_LIMIT:g})"
        for name in names[:-1]:
            yield f"x = torch.{network.activation}(self.{name}(x))"
    yield "return self.output(x).float()"


def _act(actions: int | Box) -> Iterator[str]:
    if isinstance(actions, int):
        yield '"""The action for one observation: the place of the largest output."""'
        yield "return int(self(observation).argmax())"
        return
    yield '"""The action for one observation: outputs from -1 to 1, scaled to the box."""'
    yield "share = (self(observation).double().clamp(-1, 1) + 1) / 2"
    yield "return (self.low + share * (self.high - self.low)).float().numpy(force=True)"


def _buffers(network: Network) -> dict[str, tuple[float, ...]]:
    """What a network knows besides its weights, in double precision."""
    found: dict[str, tuple[float, ...]] = {}
    if network.normalisation:
        found |= {"mean": network.normalisation.mean, "scale": network.normalisation.scale}
    if isinstance(network.actions, Box):
        found |= {"low": network.actions.low, "high": network.actions.high}
    return found


def _saved(network: Network, parameters: noise.Floats) -> dict[str, Tensor]:
    buffers = {name: torch.tensor(value, dtype=torch.float64) for name, value in _buffers(network).items()}
    return torch_state(network, parameters) | buffers


def metadata(policy: Policy) -> dict[str, str]:
    return {"fingerprint": fingerprint(policy), "layout": policy.network.layout, "noise": noise.NAME}
