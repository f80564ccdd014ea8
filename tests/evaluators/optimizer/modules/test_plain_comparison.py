"""What a plain loop of torch computes, candidates compute too, with weights of any seed; else the module is refused."""

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from germline.evaluators.errors import InvalidTask
from germline.evaluators.optimizer.module_task import ModuleTask
from germline.evaluators.optimizer.modules.computation import CHECKPOINTS
from germline.evaluators.optimizer.training_loop import gradients_of
from germline.evaluators.task import Rung

GENERATOR = torch.Generator().manual_seed(0)
X, Y = torch.randn(90, 6, generator=GENERATOR), torch.randint(3, (90,), generator=GENERATOR)


def task_of(module: Callable[[], nn.Module]) -> ModuleTask:
    """A task of a module."""
    attributes: dict[str, Any] = {"name": "points", "rungs": (Rung(12, 8),), "data": lambda self: (X, Y)}
    task = type("Own", (ModuleTask,), {**attributes, "model": lambda self: module()})()
    assert isinstance(task, ModuleTask)
    return task


class Base(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.inner, self.last = nn.Linear(6, 5), nn.Linear(5, 5), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.last(torch.relu(self.inner(torch.relu(self.first(x)))))
        return result


class Checkpointed(Base):
    reentrant = False

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.relu(self.first(x))
        result: Tensor = self.last(torch.relu(checkpoint(self.inner, hidden, use_reentrant=self.reentrant)))
        return result


class Reentrant(Checkpointed):
    reentrant = True


class OfInputs(Base):
    """A reentrant checkpoint whose first input is that of the module."""

    def forward(self, x: Tensor) -> Tensor:
        hidden = checkpoint(self.first, x.requires_grad_(), use_reentrant=True)
        result: Tensor = self.last(torch.relu(self.inner(torch.relu(hidden))))
        return result


class InTraining(Base):
    """A checkpoint in training mode alone, with dropout."""

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.dropout(torch.relu(self.first(x)), 0.5, self.training)
        inner = checkpoint(self.inner, hidden, use_reentrant=False) if self.training else self.inner(hidden)
        result: Tensor = self.last(torch.relu(inner))
        return result


class AllZero(Checkpointed):
    """Begins with weights that are the same for all seeds."""

    def __init__(self) -> None:
        super().__init__()
        for parameter in self.parameters():
            nn.init.constant_(parameter, 0.1)


@pytest.mark.parametrize("module", [Checkpointed, Reentrant, OfInputs, InTraining, AllZero])
@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
def test_a_module_with_checkpoints_has_the_gradients_of_torch(module: type[nn.Module]) -> None:
    task = task_of(module)
    assert (task.computation.way, task.obstacle) == ("alone", CHECKPOINTS)
    if task.computation.random:
        return
    names, index = [spec.name for spec in task.parameters], torch.arange(8)
    starts = [task.start(torch.Generator().manual_seed(seed)) for seed in (6, 7)]
    tensors = {name: torch.stack([start[name] for start in starts]).requires_grad_() for name in names}
    gradients = gradients_of(task.loss(tensors, "train", index), [tensors[name] for name in names])
    inputs, target = task._examples.batch("train", index)
    for row, start in enumerate(starts):
        plain = module()
        plain.load_state_dict(start)
        nn.CrossEntropyLoss()(plain(*(part.clone() for part in inputs)), target).backward()
        for name, gradient in zip(names, gradients, strict=True):
            torch.testing.assert_close(gradient[row], plain.get_parameter(name).grad)


class Cached(Base):
    """Computes with weights that are kept from the first call in evaluation mode to the next training."""

    def __init__(self) -> None:
        super().__init__()
        self.cache: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.cache = None
            return super().forward(x)
        if self.cache is None:
            self.cache = self.first.weight.detach().clone()
        result: Tensor = self.last(torch.relu(self.inner(torch.relu(x @ self.cache.T + self.first.bias))))
        return result


class Merged(Cached):
    """Drops what it keeps when its mode changes, as layers with merged low-rank weights do."""

    def train(self, mode: bool = True) -> "Merged":
        super().train(mode)
        self.cache = None
        return self


class FirstBatch(Base):
    """Keeps the mean of the first examples that it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.mean: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.mean is None:
            self.mean = x.mean(0)
        return super().forward(x - self.mean)


class Slow(Base):
    """Counts its trainings, with an effect that is too small to be seen at first."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def forward(self, x: Tensor) -> Tensor:
        self.count += self.training
        return super().forward(x) * (1 - 1e-9 * self.count)


class Closure(Base):
    def __init__(self) -> None:
        super().__init__()
        weight = self.first.weight
        self.project = lambda x: x @ weight.T

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.last(self.project(x))
        return result


class DrawnAttribute(Base):
    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.randn(6)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x * self.scale)


class LayerInList(Base):
    def __init__(self) -> None:
        super().__init__()
        self.others = [nn.Linear(6, 6)]

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(self.others[0](x))


class Transposed(Base):
    def __init__(self) -> None:
        super().__init__()
        self.inner.weight = nn.Parameter(self.inner.weight.t())
        self.other = nn.Parameter(self.inner.weight.t())


class BufferOfWeight(Base):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("initial", self.first.weight.data)


class Expanded(Base):
    def __init__(self) -> None:
        super().__init__()
        self.first.bias = nn.Parameter(torch.zeros(1).expand(5))


def changed(change: Callable[[Base], Any]) -> Callable[[], nn.Module]:
    """Makes modules that a function has changed."""

    def build() -> nn.Module:
        module = Base()
        change(module)
        return module

    return build


def _counting_hook(module: nn.Module) -> None:
    calls: list[None] = []
    module.register_forward_pre_hook(lambda layer, inputs: calls.append(None) or (inputs[0] * (1 + len(calls) % 2),))


def _end() -> nn.Module:
    raise SystemExit(3)


ACTIVATIONS = [nn.ReLU(), nn.Tanh()]


def _alternating() -> nn.Module:
    ACTIVATIONS.reverse()
    return nn.Sequential(nn.Linear(6, 3), ACTIVATIONS[0])


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (Cached, "cache keeps what an earlier call computed"),
        (Merged, "cache keeps what an earlier call computed"),
        (FirstBatch, "mean keeps what an earlier call computed"),
        (Slow, "each call of the model changes count: register it as a buffer"),
        (Closure, "it keeps weights or earlier results elsewhere than in parameters and buffers"),
        (changed(_counting_hook), "if it counts or keeps something in a hook or a function"),
        (DrawnAttribute, "model() draws scale, which is a plain attribute"),
        (LayerInList, "others holds parameters or layers in a list"),
        (Transposed, "inner.weight shares memory with other"),
        (BufferOfWeight, "initial shares memory with first.weight"),
        (Expanded, "elements of first.bias share memory, as after expand"),
        (_alternating, "model() returns a module of other layers or shapes than before"),
        (_end, "model() failed with SystemExit: 3"),
        (lambda: nn.Linear(6, 3, device="meta"), "weight of the model is on the meta device"),
        (changed(lambda m: m.first.weight.register_hook(lambda g: 0 * g)), "first.weight of the model has a hook"),
        (changed(lambda m: m.last.bias.data.fill_(torch.nan)), "last.bias of the model is not finite at the start"),
        (
            changed(lambda m: m.register_parameter("empty", nn.Parameter(torch.zeros(0, 3)))),
            "empty of the model is (0, 3), without elements",
        ),
        (lambda: torch.jit.script(Base()), "the model is a script module"),
    ],
)
def test_a_module_that_would_train_otherwise_is_refused(module: Callable[[], nn.Module], expected: str) -> None:
    with warnings.catch_warnings(), pytest.raises(InvalidTask, match="points: ") as error:
        warnings.simplefilter("ignore")  # of torch.jit, which is deprecated
        task_of(module)
    assert expected in str(error.value) and "\n" not in str(error.value)


class Harmless(Base):
    """Keeps a mask of the shape of its inputs, the last output, its size and a NaN, which change no later result."""

    def __init__(self) -> None:
        super().__init__()
        whole = 0.1 * torch.randn(11, 6)
        self.first.weight, self.other = nn.Parameter(whole[:5]), nn.Parameter(whole[5:])
        self.mask: Tensor | None = None
        self.size = 0
        self.register_buffer("unset", torch.full((1,), torch.nan))

    def forward(self, x: Tensor) -> Tensor:
        if self.mask is None or self.mask.shape != x.shape:
            self.mask = torch.ones_like(x).tril()
        self.output, self.size = super().forward(x * self.mask + x @ self.other.T), len(x)
        return self.output


def test_a_module_may_keep_what_has_no_effect_and_divide_a_memory() -> None:
    assert task_of(Harmless).computation.way == "rules"


def test_a_single_column_stays_the_target_if_the_module_writes_into_its_inputs() -> None:
    attributes: dict[str, Any] = {"name": "points", "rungs": (Rung(12, 8),), "data": lambda self: X}
    task = type(
        "Own", (ModuleTask,), {**attributes, "model": lambda self: nn.Sequential(nn.ReLU(True), nn.Linear(6, 6))}
    )()
    start = {name: value[None] for name, value in task.start(torch.Generator().manual_seed(6)).items()}
    weight, bias = start["1.weight"][0], start["1.bias"][0]
    [inputs], target = task._examples.batch("train", torch.arange(8))
    expected = nn.functional.mse_loss(torch.relu(inputs) @ weight.T + bias, target)
    assert float(task.loss(start, "train", torch.arange(8))) == pytest.approx(float(expected))
