"""The network of a policy as a torch module, and its tensors in torch's order.

It computes in double precision and rounds what comes out to float32, as the kernels of a search do: so both come to
nearly always the same bits, whatever order they add up in.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from germline.programs.policy.network import CONVOLUTIONS, LIMIT, Network, paddings
from germline.programs.policy.noise import Floats


class PolicyModule(nn.Module):
    """Outputs of a network.

    Args:
        network: what it is.
        parameters: float32 of shape `[P]`, as `germline.programs.policy.parameters.replay` gives them.
    """

    def __init__(self, network: Network, parameters: Floats) -> None:
        super().__init__()
        self.network = network
        self.edges = paddings(network)
        for name, layer in layers(network):
            self.add_module(name, layer)
        self.double().load_state_dict(tensors(network, parameters))
        if network.normalisation:
            self.mean = torch.tensor(network.normalisation.mean, dtype=torch.float64)
            self.scale = torch.tensor(network.normalisation.scale, dtype=torch.float64)

    def forward(self, observations: Tensor) -> Tensor:
        """float32 of shape `[batch, outputs]` for observations `[batch, *observation]`."""
        x = observations.double()
        *hidden, output = (layer for layer in self.children() if isinstance(layer, nn.Linear))
        if self.network.form == "conv":
            x = x / 255
            convolutions = [layer for layer in self.children() if isinstance(layer, nn.Conv2d)]
            for convolution, edges in zip(convolutions, self.edges, strict=True):
                x = F.relu(convolution(F.pad(x, edges)))
        x = x.flatten(1)
        if self.network.normalisation:
            x = ((x - self.mean) * self.scale).clamp(-LIMIT, LIMIT)
        relu = self.network.form == "conv" or self.network.activation == "relu"
        for layer in hidden:
            x = F.relu(layer(x)) if relu else torch.tanh(layer(x))
        found: Tensor = output(x).float()
        return found


def layers(network: Network) -> Sequence[tuple[str, nn.Module]]:
    """The layers by the names of their leaves, with weights that mean nothing yet."""
    found: list[tuple[str, nn.Module]] = []
    strides = iter(CONVOLUTIONS)
    for leaf in network.leaves[::2]:
        *inputs, taken, made = leaf.shape
        name = leaf.name.removesuffix(".weight")
        if inputs:
            found.append((name, _empty(nn.Conv2d, taken, made, inputs[0], next(strides)[2])))
        else:
            found.append((name, _empty(nn.Linear, taken, made)))
    return found


def tensors(network: Network, parameters: Floats) -> dict[str, Tensor]:
    """The parameters as torch lays them out, float32: `[outputs, inputs]`, `[outputs, inputs, height, width]`.

    The dense layer behind convolutions takes their images channel by channel, as `flatten` gives them.
    """
    found = {}
    for leaf in network.leaves:
        value = torch.from_numpy(parameters[leaf.begin : leaf.begin + leaf.size]).reshape(leaf.shape)
        if len(leaf.shape) == 4:
            value = value.permute(3, 2, 0, 1)
        elif leaf.name == "dense.weight":
            height, width = network.sizes[-1]
            value = value.reshape(height, width, -1, leaf.shape[1]).permute(3, 2, 0, 1).reshape(leaf.shape[::-1])
        elif len(leaf.shape) == 2:
            value = value.T
        found[leaf.name] = value.contiguous()
    return found


def _empty(layer: type[nn.Module], *sizes: int) -> nn.Module:
    """A layer without the random numbers that it would begin with: what draws from torch's generator is left alone."""
    made: nn.Module = nn.utils.skip_init(layer, *sizes)  # type: ignore[no-untyped-call]
    return made
