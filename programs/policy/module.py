"""The network of a policy as a torch module, and its parameters in torch's layout.

The module computes in double precision and rounds its outputs to float32, as the kernels of a search do. So both nearly
always give the same bits, although the order of their sums differs.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from germline.programs.policy.network import CONVOLUTIONS, OBSERVATION_LIMIT, Network, paddings
from germline.programs.policy.noise import Floats


class PolicyModule(nn.Module):
    """A policy's network with its parameters.

    Args:
        network: the network.
        parameters: the network's P parameters, float32 `[P]`, as `germline.programs.policy.parameters.replay` returns
            them.
    """

    def __init__(self, network: Network, parameters: Floats) -> None:
        super().__init__()
        self.network = network
        self.paddings = paddings(network)
        for name, layer in torch_layers(network):
            self.add_module(name, layer)
        self.double().load_state_dict(torch_state(network, parameters))
        if network.normalisation:
            self.mean = torch.tensor(network.normalisation.mean, dtype=torch.float64)
            self.scale = torch.tensor(network.normalisation.scale, dtype=torch.float64)

    def forward(self, observations: Tensor) -> Tensor:
        """Outputs, float32 `[batch, outputs]`, for observations `[batch, *observation]`."""
        x = observations.double()
        *hidden, output = (layer for layer in self.children() if isinstance(layer, nn.Linear))
        if self.network.form == "conv":
            x = x / 255
            convolutions = [layer for layer in self.children() if isinstance(layer, nn.Conv2d)]
            for convolution, padding in zip(convolutions, self.paddings, strict=True):
                x = F.relu(convolution(F.pad(x, padding)))
        x = x.flatten(1)
        if self.network.normalisation:
            x = ((x - self.mean) * self.scale).clamp(-OBSERVATION_LIMIT, OBSERVATION_LIMIT)
        relu = self.network.form == "conv" or self.network.activation == "relu"
        for layer in hidden:
            x = F.relu(layer(x)) if relu else torch.tanh(layer(x))
        outputs: Tensor = output(x).float()
        return outputs


def torch_layers(network: Network) -> Sequence[tuple[str, nn.Module]]:
    """Names and layers of a network in the order of its forward pass; their weights are not initialised."""
    layers: list[tuple[str, nn.Module]] = []
    strides = iter(CONVOLUTIONS)
    for weight in network.tensors[::2]:
        *kernel, inputs, units = weight.shape
        name = weight.name.removesuffix(".weight")
        if kernel:
            layers.append((name, _uninitialised(nn.Conv2d, inputs, units, kernel[0], next(strides)[2])))
        else:
            layers.append((name, _uninitialised(nn.Linear, inputs, units)))
    return layers


def torch_state(network: Network, parameters: Floats) -> dict[str, Tensor]:
    """The state dict of a network's layers, float32: weights `[units, inputs]` or `[units, inputs, height, width]`, and
    biases `[units]`.

    The dense layer behind convolutions reads their image channel by channel, as torch's `flatten` orders it; in
    `parameters` its inputs are ordered pixel by pixel.
    """
    state = {}
    for tensor in network.tensors:
        value = torch.from_numpy(tensor.view(parameters))
        if len(tensor.shape) == 4:
            value = value.permute(3, 2, 0, 1)
        elif tensor.name == "dense.weight":
            height, width = network.image_sizes[-1]
            value = value.reshape(height, width, -1, tensor.shape[1]).permute(3, 2, 0, 1).reshape(tensor.shape[::-1])
        elif len(tensor.shape) == 2:
            value = value.T
        state[tensor.name] = value.contiguous()
    return state


def _uninitialised(layer: type[nn.Module], *sizes: int) -> nn.Module:
    """A layer built without drawing its initial weights, so that torch's global generator is not advanced."""
    module: nn.Module = nn.utils.skip_init(layer, *sizes)  # type: ignore[no-untyped-call]
    return module
