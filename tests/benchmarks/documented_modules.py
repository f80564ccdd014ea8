"""Four modules as a user writes them: trained together, beside a twin that is written for many candidates by hand, and
beside one candidate after the other.

Three of the modules are those of the page on one's own model; the first is a perceptron on the breast cancer data of
scikit-learn. The twins are what a competent user would write: torch's operations over `[N, …]` parameters and autograd.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import torch
import torch.nn.functional as F
from module_tasks import STEPS, seconds, training
from torch import Tensor, nn

from germline.evaluators.memory import keep_freed_memory
from germline.evaluators.optimizer.module_task import ModuleTask
from germline.evaluators.optimizer.task import TrainingTask
from germline.evaluators.task import Rung, Split
from germline.evaluators.tasks.registry import task_class

PAGE = Path(__file__).parents[2] / "docs" / "own_model.md"
Params = Mapping[str, Tensor]


class Cancer(ModuleTask):
    """A perceptron on 569 tumours, described by 30 numbers each."""

    name, rungs = "cancer", (Rung(200, 32),)

    def model(self) -> nn.Module:
        return nn.Sequential(nn.Linear(30, 32), nn.ReLU(), nn.Linear(32, 2))

    def data(self) -> tuple[Any, Any]:
        from sklearn.datasets import load_breast_cancer

        table, classes = load_breast_cancer(return_X_y=True)
        return (table - table.mean(0)) / table.std(0), classes


def documented(*names: str) -> list[type[ModuleTask]]:
    """Classes of the page on one's own model, by their names."""
    page = re.findall(r"^```python\n# (my_\w+\.py)\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    with TemporaryDirectory() as folder:
        for file, text in page:
            (Path(folder) / file).write_text(text)
        return [cast(type[ModuleTask], task_class(f"{folder}/my_modules.py:{name}")) for name in names]


def cancer(params: Params, inputs: Tensor) -> Tensor:
    """Logits `[N, batch, classes]`, as those of the other twins."""
    hidden = F.relu(_dense(params, "0", inputs.expand(len(params["0.weight"]), -1, -1)))
    return _dense(params, "2", hidden)


def convolutions(params: Params, inputs: Tensor) -> Tensor:
    """Grouped convolutions: the channels of a candidate are a group."""
    n, images = len(params["1.weight"]), inputs.view(-1, 1, 8, 8)
    hidden = F.conv2d(images, params["1.weight"].flatten(0, 1), params["1.bias"].flatten())
    hidden = F.relu(_normalised(params, "2", hidden))
    hidden = F.conv2d(hidden, params["4.weight"].flatten(0, 1), params["4.bias"].flatten(), stride=2, groups=n)
    hidden = F.relu(_normalised(params, "5", hidden))
    return _dense(params, "8", hidden.view(len(images), n, -1).transpose(0, 1))


def _normalised(params: Params, layer: str, hidden: Tensor) -> Tensor:
    """BatchNorm in training mode of `[batch, N * channels, …]`, whose statistics move on in place."""
    weight, bias = params[f"{layer}.weight"].flatten(), params[f"{layer}.bias"].flatten()
    mean, variance = (params[f"{layer}.running_{part}"].view(-1) for part in ("mean", "var"))
    return F.batch_norm(hidden, mean, variance, weight, bias, training=True)


def digit_rows(params: Params, inputs: Tensor) -> Tensor:
    """The LSTM step by step, with gates in the order of torch: input, forget, cell, output."""
    n, images = len(params["rows.weight_hh_l0"]), inputs.view(-1, 8, 8)
    bias = (params["rows.bias_ih_l0"] + params["rows.bias_hh_l0"])[:, None]
    given = torch.baddbmm(bias, images.reshape(1, -1, 8).expand(n, -1, -1), params["rows.weight_ih_l0"].mT)
    given = given.view(n, len(images), 8, -1)
    recurrent = params["rows.weight_hh_l0"].mT
    state = cell = given.new_zeros(n, len(images), 32)
    for place in range(8):
        add, forget, new, read = torch.baddbmm(given[:, :, place], state, recurrent).chunk(4, -1)
        cell = forget.sigmoid() * cell + add.sigmoid() * new.tanh()
        state = read.sigmoid() * cell.tanh()
    return _dense(params, "output", state)


def characters(params: Params, inputs: Tensor) -> Tensor:
    n, (batch, length) = len(params["places"]), inputs.shape
    own_rows = inputs + 128 * torch.arange(n)[:, None, None]
    x = F.embedding(own_rows, params["symbols.weight"].flatten(0, 1)) + params["places"][:, None]
    for layer in ("layers.layers.0", "layers.layers.1"):
        normed = _layer_norm(params, f"{layer}.norm1", x).flatten(1, 2)
        parts = _product(params, f"{layer}.self_attn.in_proj_weight", f"{layer}.self_attn.in_proj_bias", normed)
        query, key, value = parts.view(n * batch, length, 3, 2, 16).permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(query, key, value, is_causal=True).transpose(1, 2)
        x = x + _dense(params, f"{layer}.self_attn.out_proj", attended.reshape(n, -1, 32)).view_as(x)
        inner = F.relu(_dense(params, f"{layer}.linear1", _layer_norm(params, f"{layer}.norm2", x).flatten(1, 2)))
        x = x + _dense(params, f"{layer}.linear2", inner).view_as(x)
    return _dense(params, "output", x.flatten(1, 2))


def _layer_norm(params: Params, layer: str, x: Tensor) -> Tensor:
    weight, bias = params[f"{layer}.weight"][:, None, None], params[f"{layer}.bias"][:, None, None]
    return torch.addcmul(bias, F.layer_norm(x, x.shape[-1:]), weight)


def _dense(params: Params, layer: str, rows: Tensor) -> Tensor:
    """Products plus biases `[N, rows, outputs]` of `[N, rows, inputs]`."""
    return _product(params, f"{layer}.weight", f"{layer}.bias", rows)


def _product(params: Params, weight: str, bias: str, rows: Tensor) -> Tensor:
    return torch.baddbmm(params[bias][:, None], rows, params[weight].mT)


@dataclass(frozen=True)
class Measured:
    """A module, its twin and how many candidates are trained at once."""

    task: type[ModuleTask]
    twin: Callable[[Params, Tensor], Tensor]
    candidates: int


def measured() -> dict[str, Measured]:
    """What is measured by name; the first needs scikit-learn, and is left out without it."""
    convolutions_task, rows_task, characters_task = documented("Convolutions", "Rows", "Characters")
    return {
        **({"cancer": Measured(Cancer, cancer, 256)} if find_spec("sklearn") else {}),
        "convolutions": Measured(convolutions_task, convolutions, 64),
        "rows": Measured(rows_task, digit_rows, 32),
        "characters": Measured(characters_task, characters, 16),
    }


def twin_of(own: ModuleTask, logits: Callable[[Params, Tensor], Tensor]) -> TrainingTask:
    """A task with the data, parameters and initial weights of `own`, whose model is `logits`."""

    class Twin(TrainingTask):
        name, rungs, parameters, at_once = own.name, own.rungs, own.parameters, own.at_once

        def __init__(self, device: str = "cpu") -> None:
            """Its data are those of `own`."""

        def size(self, split: Split) -> int:
            return own.size(split)

        def loss(self, params: Params, split: Split, index: Tensor) -> Tensor:
            (inputs,), targets = own._examples.batch(split, index)
            outputs = logits(params, inputs)
            classes = targets.flatten().expand(len(outputs), -1)
            return F.cross_entropy(outputs.mT, classes, reduction="none").mean(1)

        def measure(self, params: Params, split: Split) -> dict[str, Tensor]:
            return own.measure(params, split)

        def start(self, generator: torch.Generator) -> dict[str, Tensor]:
            return own.start(generator)

    return Twin()


def compared(name: str, case: Measured) -> list[dict[str, object]]:
    own, alone = case.task(), case.task()
    alone.set_way("alone")
    sides = [training(task, case.candidates) for task in (own, twin_of(own, case.twin), alone)]
    for side in sides:
        side()
    ours, twin, one_by_one = seconds(sides)
    steps = STEPS * case.candidates
    return [
        {
            "name": f"own-modules/{name}/{case.candidates}",
            "value": 1e6 * ours / steps,
            "unit": "µs a candidate-step",
            "baseline": baseline,
            "ratio": other / ours,
        }
        for baseline, other in (("written for many candidates", twin), ("one candidate after the other", one_by_one))
    ]


def rows() -> list[dict[str, object]]:
    keep_freed_memory()
    return [row for name, case in measured().items() for row in compared(name, case)]
