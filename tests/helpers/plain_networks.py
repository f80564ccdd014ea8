"""The models of the training tasks as an ordinary user would write them, for one candidate."""

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from germline.evaluators.optimizer.task import TrainingTask
from germline.evaluators.tasks.diamonds_mlp import DiamondsMLP
from germline.evaluators.tasks.digits_deep import LAYERS, DigitsDeep
from germline.evaluators.tasks.digits_mlp import DigitsMLP
from germline.evaluators.tasks.digits_small_batch import DigitsSmallBatch
from germline.evaluators.tasks.mnist5k_autoencoder import SIZES, MNIST5kAutoencoder
from germline.evaluators.tasks.mnist5k_conv import MNIST5kConv
from germline.evaluators.tasks.mnist5k_noisy import MNIST5kNoisy
from germline.evaluators.tasks.text import SEQUENCE
from germline.evaluators.tasks.text_conv import DILATIONS, TextConv
from germline.evaluators.tasks.text_gru import WIDTH, TextGRU
from germline.evaluators.tasks.text_transformer import TextTransformer
from germline.evaluators.tasks.text_transformer_deep import DeepTextTransformer

Params = Mapping[str, Tensor]
Loss = Callable[[TrainingTask, Params, Tensor], Tensor]
"""The training loss of a task's model with a candidate's parameters on the examples of an index."""


def classifier(logits: Callable[[TrainingTask, Params, Tensor], Tensor]) -> Loss:
    """The loss of a model of the digits, from its logits `[batch, 10]` on images `[batch, …]`."""

    def loss(task: TrainingTask, p: Params, index: Tensor) -> Tensor:
        images = (task._images if hasattr(task, "_images") else task._pixels)["train"]
        labels = task._labels["train"]  # type: ignore[attr-defined]
        rows = images if len(images) == len(labels) else images.T
        return F.cross_entropy(logits(task, p, rows[index]), labels[index])

    return loss


def text_model(logits: Callable[[TrainingTask, Params, Tensor], Tensor]) -> Loss:
    """The loss of a model of the text, from its logits `[batch, 32, 73]` on symbols `[batch, 32]`."""

    def loss(task: TrainingTask, p: Params, index: Tensor) -> Tensor:
        symbols = task._symbols["train"]  # type: ignore[attr-defined]
        windows = torch.stack([symbols[start : start + SEQUENCE + 1] for start in index.tolist()]).long()
        return F.cross_entropy(logits(task, p, windows[:, :-1]).flatten(0, 1), windows[:, 1:].flatten())

    return loss


def perceptron(task: TrainingTask, p: Params, hidden: Tensor) -> Tensor:
    for layer in ("hidden1", "hidden2"):
        hidden = F.linear(hidden, p[f"{layer}.weight"], p[f"{layer}.bias"]).relu()
    return F.linear(hidden, p["output.weight"], p["output.bias"])


def deep_perceptron(task: TrainingTask, p: Params, hidden: Tensor) -> Tensor:
    for layer in range(1, LAYERS + 1):
        hidden = F.linear(hidden, p[f"hidden{layer}.weight"], p[f"hidden{layer}.bias"]).tanh()
    return F.linear(hidden, p["output.weight"], p["output.bias"])


def one_convolution(task: TrainingTask, p: Params, pixels: Tensor) -> Tensor:
    hidden = F.conv2d(pixels.view(-1, 1, 8, 8), p["conv.weight"], p["conv.bias"]).relu()
    return F.linear(hidden.flatten(1), p["output.weight"], p["output.bias"])


def autoencoder(task: TrainingTask, p: Params, index: Tensor) -> Tensor:
    assert isinstance(task, MNIST5kAutoencoder)
    pixels = hidden = task._pixels["train"].T[index]
    layers = range(1, len(SIZES))
    for layer in layers:
        hidden = F.linear(hidden, p[f"layer{layer}.weight"], p[f"layer{layer}.bias"])
        hidden = hidden.sigmoid() if layer == layers[-1] else hidden.tanh()
    return F.binary_cross_entropy(hidden, pixels)


def price_perceptron(task: TrainingTask, p: Params, index: Tensor) -> Tensor:
    assert isinstance(task, DiamondsMLP)
    guess = perceptron(task, p, task._features["train"].T[index])
    return F.mse_loss(guess[:, 0], task._prices["train"][index])


def convolutions(task: TrainingTask, p: Params, images: Tensor) -> Tensor:
    hidden = images[:, None]
    for layer in ("conv1", "conv2"):
        hidden = F.conv2d(hidden, p[f"{layer}.weight"], p[f"{layer}.bias"], stride=2).relu()
    return F.linear(hidden.flatten(1), p["output.weight"], p["output.bias"])


def transformer(task: TrainingTask, p: Params, symbols: Tensor) -> Tensor:
    assert isinstance(task, TextTransformer)
    stream = p["symbol"][symbols] + p["position"]
    for layer in range(task.layers):
        query, key, value = (
            part.unflatten(-1, (task.heads, -1)).transpose(1, 2)
            for part in (normed(p, f"{layer}.norm1", stream) @ p[f"{layer}.attend.weight"]).chunk(3, -1)
        )
        attended = F.scaled_dot_product_attention(query, key, value, is_causal=True).transpose(1, 2).flatten(2)
        stream = stream + attended @ p[f"{layer}.attended.weight"]
        inner = (normed(p, f"{layer}.norm2", stream) @ p[f"{layer}.expand.weight"]).relu()
        stream = stream + inner @ p[f"{layer}.contract.weight"]
    return F.linear(normed(p, "norm", stream), p["output.weight"])


def normed(p: Params, name: str, stream: Tensor) -> Tensor:
    return F.layer_norm(stream, stream.shape[-1:], 1 + p[f"{name}.scale"], p[f"{name}.bias"])


def text_convolutions(task: TrainingTask, p: Params, symbols: Tensor) -> Tensor:
    stream = p["symbol"][symbols]
    for layer, dilation in enumerate(DILATIONS):
        kernel = p[f"{layer}.conv.weight"].unflatten(0, (2, -1)).permute(2, 1, 0)
        padded = F.pad(stream.mT, (dilation, 0))
        hidden = F.conv1d(padded, kernel, p[f"{layer}.conv.bias"], dilation=dilation).relu()
        stream = stream + hidden.mT @ p[f"{layer}.mix.weight"]
    return F.linear(stream, p["output.weight"], p["output.bias"])


def recurrent(task: TrainingTask, p: Params, symbols: Tensor) -> Tensor:
    state, states = torch.zeros(len(symbols), WIDTH), []
    for symbol in symbols.T:
        state = torch.gru_cell(p["symbol"][symbol], state, torch.eye(3 * WIDTH), p["recurrent.weight"].T)
        states.append(state)
    return F.linear(torch.stack(states, 1), p["output.weight"], p["output.bias"])


PLAIN: dict[type[TrainingTask], Loss] = {
    DigitsMLP: classifier(perceptron),
    MNIST5kConv: classifier(convolutions),
    TextTransformer: text_model(transformer),
    DeepTextTransformer: text_model(transformer),
    TextGRU: text_model(recurrent),
    TextConv: text_model(text_convolutions),
    MNIST5kAutoencoder: autoencoder,
    MNIST5kNoisy: classifier(perceptron),
    DigitsSmallBatch: classifier(one_convolution),
    DiamondsMLP: price_perceptron,
    DigitsDeep: classifier(deep_perceptron),
}
