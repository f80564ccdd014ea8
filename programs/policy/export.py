"""Export of a policy as a file that defines its network with torch and safetensors, and a file of weights beside it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor, nn

from germline.programs.export.files import WEIGHTS_SUFFIX
from germline.programs.export.loading import load_module
from germline.programs.export.names import check_free_name, free_name
from germline.programs.export.origin import Origin
from germline.programs.export.verified import VerifiedExport, check_difference, check_equal
from germline.programs.policy import noise
from germline.programs.policy.exported_lines import (
    act_lines,
    actions_text,
    constants,
    example_lines,
    fact_lines,
    shape_text,
)
from germline.programs.policy.genome import Policy, fingerprint
from germline.programs.policy.interface import SAME, Interface
from germline.programs.policy.module import PolicyModule, torch_layers, torch_state
from germline.programs.policy.network import OBSERVATION_LIMIT, Network, paddings
from germline.programs.policy.noise import Floats
from germline.programs.policy.parameters import replay

USED_NAMES = frozenset(("F", "Path", "gymnasium", "load_file", "nn", "np", "safe_open", "torch"))
"""Names that exported files use, or show in their example."""
SUFFIX = "Policy"


def free_class_name(name: str) -> str:
    """`name`, with the suffix `Policy` if the exported file uses it for something else."""
    return free_name(name, USED_NAMES, SUFFIX)


def verified_torch(
    policy: Policy,
    origin: Origin,
    class_name: str,
    stem: str,
    mean_return: str | None = None,
    environment: str | None = None,
    interface: Interface = SAME,
) -> VerifiedExport[str]:
    """The exported files of a policy, whose network has been checked to give the same outputs, bit for bit.

    Args:
        policy: the policy to export.
        origin: where it comes from.
        class_name: of the network.
        stem: the name of both files without its suffix.
        mean_return: the mean return of the policy, in words; None: not stated in the file.
        environment: the id of the policy's Gymnasium environment; the file shows how it plays there. None: the file
            shows a single call of the policy.
        interface: how observations and actions of its environment differ from those of the network.

    Raises:
        ExportMismatch: the outputs differ.
        ValueError: the file uses the class's name for something else.
    """
    source = export_torch(policy, origin, class_name, stem, mean_return, environment, interface)
    parameters = replay(policy)
    weights = save(_saved(policy.network, parameters), metadata(policy))
    with torch.random.fork_rng(devices=[]):
        module = load_module(source, weights, class_name)
    observations = torch.from_numpy(random_observations(policy.network, 16))
    with torch.no_grad():
        expected, outputs = PolicyModule(policy.network, parameters)(observations), module(observations)
        alone = module(observations[0])
    check_outputs(outputs.numpy(), expected.numpy())
    check_outputs(alone.numpy(), expected[0].numpy())
    facts = {"parameters": policy.network.parameter_count}
    return VerifiedExport(source, class_name, facts=facts, weights=weights, module=module)


def check_outputs(exported: Floats, expected: Floats) -> None:
    """Raises ExportMismatch unless the outputs of an exported network equal the policy's, bit for bit."""
    check_equal("the shape of the outputs", exported.shape, expected.shape)
    if not np.array_equal(exported, expected, equal_nan=True):
        check_difference("outputs", float(np.abs(exported - expected).max()))


def random_observations(network: Network, count: int) -> NDArray[Any]:
    """Fixed random observations `[count, *observation]`: uint8 pixels, or float64 numbers of different magnitudes."""
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
    mean_return: str | None = None,
    environment: str | None = None,
    interface: Interface = SAME,
) -> str:
    """The source of the file that defines the network; the arguments are those of `verified_torch`.

    Raises:
        ValueError: the file uses the class's name for something else.
    """
    check_free_name(class_name, USED_NAMES, SUFFIX)
    network = policy.network
    imports_functional = network.form == "conv"
    return "\n".join(
        [
            '"""A policy that Germline found; its weights lie beside this file.',
            "",
            *fact_lines(policy, origin, mean_return),
            "",
            *example_lines(network, origin.task, class_name, stem, environment, interface),
            '"""',
            "",
            "from pathlib import Path",
            "",
            "import numpy as np",
            "import torch",
            *(["import torch.nn.functional as F"] if imports_functional else []),
            "from safetensors import safe_open",
            "from safetensors.torch import load_file",
            "from torch import nn",
            "",
            "",
            f"class {class_name}(nn.Module):",
            f'    """{actions_text(network.actions, interface)}',
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
            f'        weights = path or Path(__file__).with_suffix("{WEIGHTS_SUFFIX}")',
            '        with safe_open(weights, "pt") as file:',
            '            if (file.metadata() or {}).get("fingerprint") != self.fingerprint:',
            '                raise ValueError(f"{weights} holds the weights of another policy")',
            "        self.load_state_dict(load_file(weights))",
            "",
            "    def forward(self, observation):",
            f'        """Outputs [{network.output_count}] for an observation {shape_text(network)}, '
            'or for a batch of them."""',
            *(f"        {line}" for line in _forward(network)),
            "",
            "    @torch.no_grad()",
            "    def act(self, observation):",
            *(f"        {line}" for line in act_lines(network, interface)),
            "",
        ]
    )


def _layers(network: Network) -> Iterator[str]:
    """Lines of the constructor that create layers and buffers."""
    for name, layer in torch_layers(network):
        if isinstance(layer, nn.Conv2d):
            sizes = (layer.in_channels, layer.out_channels, layer.kernel_size[0], layer.stride[0])
            yield f"self.{name} = nn.Conv2d({', '.join(map(str, sizes))})"
        elif isinstance(layer, nn.Linear):
            yield f"self.{name} = nn.Linear({layer.in_features}, {layer.out_features})"
    for name, value in constants(network).items():
        yield f'self.register_buffer("{name}", torch.empty({len(value)}))'


def _forward(network: Network) -> Iterator[str]:
    """Lines of `forward`."""
    names = [name for name, _ in torch_layers(network)]
    observation = "torch.as_tensor(observation).to(self.output.weight)"
    if network.form == "conv":
        yield f"x = {observation} / 255"
        for name, edges in zip(names, paddings(network), strict=False):
            padded = f"F.pad(x, {edges})" if any(edges) else "x"
            yield f"x = F.relu(self.{name}({padded}))"
        yield "x = F.relu(self.dense(x.flatten(-3)))"
    else:
        dimensions = len(network.observation)
        yield f"x = {observation}" + (f".flatten(-{dimensions})" if dimensions > 1 else "")
        if network.normalisation:
            yield f"x = ((x - self.mean) * self.scale).clamp(-{OBSERVATION_LIMIT:g}, {OBSERVATION_LIMIT:g})"
        for name in names[:-1]:
            yield f"x = torch.{network.activation}(self.{name}(x))"
    yield "return self.output(x).float()"


def _saved(network: Network, parameters: Floats) -> dict[str, Tensor]:
    """The tensors of the file of weights by name."""
    buffers = {name: torch.tensor(value, dtype=torch.float64) for name, value in constants(network).items()}
    return torch_state(network, parameters) | buffers


def metadata(policy: Policy) -> dict[str, str]:
    """Fingerprint, layout of the network and noise generator, for the metadata of the file that holds the weights."""
    return {"fingerprint": fingerprint(policy), "layout": policy.network.layout, "noise": noise.NAME}
