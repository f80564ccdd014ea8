"""Modules and examples with which candidates cannot train as in torch are refused, in a line that says why."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from germline.evaluators.errors import InvalidTask
from germline.evaluators.optimizer.module_task import ModuleTask
from germline.evaluators.optimizer.trainer import train
from germline.evaluators.task import Rung
from germline.evaluators.tasks.task_checks import checked
from germline.programs.optimizer import library, parse
from germline.search.task_trial.rows import DRAWS, SIZES, equal_rows

GENERATOR = torch.Generator().manual_seed(0)
X, Y = torch.randn(90, 6, generator=GENERATOR), torch.randint(3, (90,), generator=GENERATOR)
SGD, MUON = (parse(library()[name]) for name in ("sgd_momentum", "muon"))


class Points(ModuleTask):
    """Three classes of points that no model can tell apart."""

    name = "points"
    rungs = (Rung(12, 8),)

    def model(self) -> nn.Module:
        return nn.Linear(6, 3)

    def data(self) -> Any:
        return X, Y


def task_of(module: type[nn.Module] | Callable[[], nn.Module], **attributes: Any) -> ModuleTask:
    """A task of a module, with other attributes of its class."""
    own = type("Own", (Points,), {"model": lambda self: module(), **attributes})
    task = own()
    assert isinstance(task, ModuleTask)
    return task


class Base(nn.Module):
    """A linear layer, with something that a subclass adds."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.layer(x)
        return result


class InList(Base):
    def __init__(self) -> None:
        super().__init__()
        self.held = [self.layer.weight]

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.held[0].T + self.layer.bias


class Clamped(Base):
    def forward(self, x: Tensor) -> Tensor:
        self.layer.weight.data.clamp_(-0.05, 0.05)
        return super().forward(x)


class Counted(Base):
    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return super().forward(x) * (1 - 0.5**self.calls)


class MeanOfTraining(Base):
    """Keeps a running mean as a plain attribute, which only measuring reads."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = torch.zeros(3)

    def forward(self, x: Tensor) -> Tensor:
        result = super().forward(x)
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * result.detach().mean(0)
            return result
        return result - self.mean


class OwnGenerator(Base):
    def __init__(self) -> None:
        super().__init__()
        self.generator = np.random.default_rng(0)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * float(self.generator.random())


class LateBuffer(Base):
    def forward(self, x: Tensor) -> Tensor:
        if not hasattr(self, "mask"):
            self.register_buffer("mask", torch.ones(3))
        return super().forward(x) * self.mask


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (InList, "held holds parameters or layers in a list, a tuple or a dict"),
        (Clamped, "forward writes into the parameter layer.weight"),
        (Counted, "each call of the model changes calls: register it as a buffer"),
        (MeanOfTraining, "mean changed: register it as a buffer"),
        (OwnGenerator, "draw them from the global generators of torch, numpy or Python"),
        (LateBuffer, "forward registers the buffer mask: register it with its first value in __init__"),
    ],
)
def test_a_module_that_candidates_cannot_train_as_torch_does_is_refused(module: type[nn.Module], expected: str) -> None:
    with pytest.raises(InvalidTask, match="points: ") as error:
        task_of(module)
    assert expected in str(error.value) and "\n" not in str(error.value)


class Drawing(Base):
    """Draws from the generators of Python and numpy, as layer drop and shuffled channels do."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("order", torch.from_numpy(np.random.permutation(6)))  # noqa: NPY002

    def forward(self, x: Tensor) -> Tensor:
        kept = random.random() < 0.5 if self.training else True
        return super().forward(x[:, self.order]) * (1.0 if kept else 0.5)


def test_random_numbers_of_python_and_numpy_follow_from_the_seed() -> None:
    trainings = []
    for state in (1, 2):
        random.seed(state)
        np.random.seed(state)  # noqa: NPY002
        before = random.getstate()
        trainings.append(train(task_of(Drawing), [SGD, MUON], Rung(12, 8), (1,)))
        assert random.getstate() == before
    assert trainings[0][0].measures is not None
    assert [each.measures for each in trainings[0]] == [each.measures for each in trainings[1]]


class Frozen(Base):
    """Keeps a moving average as a parameter that is not trained."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(3), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        result = super().forward(x)
        if self.training:
            with torch.no_grad():
                self.mean.mul_(0.9).add_(result.mean(0), alpha=0.1)
        return result - self.mean


def test_a_frozen_parameter_that_forward_writes_is_kept_for_each_candidate() -> None:
    task = task_of(Frozen)
    four = train(task, [SGD] * 4, Rung(12, 8), (1,))
    again = train(task, [SGD] * 4, Rung(12, 8), (1,))
    assert [each.measures for each in four] == [each.measures for each in again]
    losses = [each.measures["loss"] for each in four if each.measures is not None]
    # On CPUs with AVX-512 the last bits depend on the place in a pack.
    assert losses == pytest.approx([losses[0]] * 4, rel=1e-6)


class Temperature(Base):
    """Has a parameter of no axes, and one that is not used."""

    def __init__(self) -> None:
        super().__init__()
        self.scale, self.unused = nn.Parameter(torch.tensor(1.0)), nn.Parameter(torch.ones(2))

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * self.scale


@pytest.mark.slow
def test_parameters_without_axes_and_without_use_train() -> None:
    task = task_of(Temperature)
    results = train(task, [SGD, MUON], Rung(12, 8), (1,))
    assert all(result.measures is not None for result in results)
    _, compared = equal_rows(task)
    assert compared == DRAWS * sum(SIZES)


@pytest.mark.parametrize("first", [nn.ReLU(inplace=True), nn.Hardtanh(inplace=True)])
def test_a_module_may_write_into_its_inputs(first: nn.Module) -> None:
    task = task_of(lambda: nn.Sequential(first, nn.Linear(6, 3)))
    plain = task_of(lambda: nn.Sequential(type(first)(), nn.Linear(6, 3)))
    task.set_way("alone")
    written, expected = (train(each, [SGD, SGD], Rung(12, 8), (1,)) for each in (task, plain))
    assert written[1].measures is not None and expected[1].measures is not None
    assert written[1].measures["loss"] == pytest.approx(expected[1].measures["loss"], rel=1e-5)


class Broken(Dataset[Any]):
    def __len__(self) -> int:
        return 30

    def __getitem__(self, place: int) -> Any:
        if place == 3:
            raise FileNotFoundError("img_3.png")
        return X[place], Y[place]


class Dicts(Broken):
    def __getitem__(self, place: int) -> Any:
        return {"image": X[place], "label": Y[place]}


class Empty(Broken):
    def __len__(self) -> int:
        return 0


def splits(**others: Any) -> dict[str, Any]:
    """All examples in each split, but for the splits that are given."""
    return {"train": (X, Y), "validation": (X, Y), "heldout": (X, Y), **others}


NAN = torch.cat([X[:5], torch.full((1, 6), torch.nan), X[6:]])
INFINITE = torch.cat([X[:7], torch.full((1, 6), -torch.inf), X[8:]])


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"data": lambda self: (X, Y + 7 * (Y == 2))}, "expected targets from 0 to 2"),
        ({"data": lambda self: (NAN, Y)}, "tensor 0 of data holds NaN, first in row 5"),
        ({"data": lambda self: (X, INFINITE)}, "the targets of data hold an infinite number, first in row 7"),
        ({"data": lambda self: (X.numpy()[:, ::-1], Y)}, "an array of data cannot be a tensor: ValueError"),
        ({"data": lambda self: (X, Y > 0)}, "targets are bool: return them as float"),
        ({"data": lambda self: ((X * 10).to(torch.uint8), Y)}, "scale pictures to float in data()"),
        ({"data": lambda self: Broken()}, "item 3 of the Dataset failed with FileNotFoundError: img_3.png"),
        ({"data": lambda self: DataLoader(TensorDataset(X, Y))}, "not a DataLoader; return its .dataset"),
        ({"data": lambda self: (X.tolist(), Y)}, "return torch.tensor(…) of it"),
        ({"data": lambda self: {}["train"]}, "data() failed with KeyError: 'train' (test_checks.py:"),
        ({"__init__": lambda self, device="cpu": None}, "Own.__init__ does not call super().__init__(device): leave"),
        ({"__init__": lambda self, size: None}, "Own.__init__ does not take the device: leave it out"),
        ({"criterion": nn.CrossEntropyLoss(reduction="none")}, "a tensor of no axes, got (8,); end it with .mean()"),
        ({"data": lambda self: Dicts()}, "have to be pairs (input, target), not dicts of image, label"),
        ({"data": lambda self: Empty()}, "data is a Dataset without items"),
        ({"model": lambda self: nn.LSTM(6, 3)}, "expected a tensor from model, got tuple"),
        ({"criterion": nn.PReLU()}, "criterion has parameters, which are not trained"),
        ({"criterion": lambda self, output, target: output.sum() / 0 * 0}, "loss of the untrained model"),
        ({"measures": lambda self, o, t: {"hits": (o.argmax(-1) == t).float()}}, "the mean of hits as a tensor of no"),
        ({"measures": lambda self, o, t: {"hits": 0.5}}, "the mean of hits as a tensor of no axes, got 0.5"),
        ({"measures": lambda self, o, t: None}, "expected from measures a dict of means by name"),
        ({"measures": lambda self, o, t: {"validation_loss": o.sum()}}, "validation_loss in measures is the name of"),
        (
            {"measures": lambda self, o, t: {"heldout_loss": o.sum()}},
            "heldout_loss in measures is the name of the loss",
        ),
        ({"measures": lambda self, o, t: {"loss": o.sum()}}, "loss in measures is the name of the loss from criterion"),
        ({"measures": lambda self, o, t: {"a\nb": o.sum()}}, "names in measures that are printable texts"),
        ({"criterion": nn.CrossEntropyLoss}, "criterion is the class CrossEntropyLoss: add ()"),
        ({"criterion": lambda self, o, t: torch.tensor(1.0)}, "the loss depends on no parameter of the model"),
        ({"criterion": lambda self, o, t: F.cross_entropy(o.detach(), t)}, "the loss depends on no parameter"),
        ({"model": nn.Linear(6, 3)}, "model is a module: make it a method"),
        ({"data": lambda self: (X.to_sparse(), Y)}, "data has a sparse tensor: return an ordinary tensor of it"),
        ({"data": lambda self: torch.nested.nested_tensor([X[:2], X[:3]])}, "data has a nested tensor"),
        ({"data": lambda self: (X.to(torch.complex64), Y)}, "tensor 0 of data is complex"),
        ({"data": lambda self: (X > 0, Y)}, "tensor 0 of data is bool: return it as float"),
        ({"data": lambda self: (X.half(), Y)}, "tensor 0 of data is torch.float16: return it as float32"),
        ({"data": lambda self: splits(validation=(X[:5, :4], Y[:5]))}, "differ between splits: torch.float32 (6,) in"),
        ({"data": lambda self: splits(heldout=(X[:0], Y[:0]))}, "but data has [90, 90, 0] examples of train"),
    ],
)
def test_examples_and_functions_that_cannot_be_used_are_refused(attributes: dict[str, Any], expected: str) -> None:
    own = type("Own", (Points,), attributes)
    with pytest.raises(InvalidTask) as error:
        own()
    assert expected in str(error.value) and "\n" not in str(error.value)


def test_an_attribute_that_is_nearly_the_name_of_a_setting_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    type("Own", (Points,), {"rung": (Rung(5, 5),), "criterio": nn.L1Loss(), "helper": None})
    meant = [record.message.partition("mean ")[2] for record in caplog.records]
    assert meant == ["rungs?", "criterion?"]


def test_targets_that_the_loss_ignores_do_not_count_in_the_accuracy() -> None:
    output = torch.eye(3)
    task = Points()
    assert task.measures(output, torch.tensor([0, 1, 0]))["accuracy"] == pytest.approx(2 / 3)
    assert task.measures(output, torch.tensor([0, -100, 0]))["accuracy"] == pytest.approx(1 / 2)
    own = type("Own", (Points,), {"data": lambda self: (X, torch.where(Y == 2, -100, Y))})
    [result] = train(own(), [SGD], Rung(12, 8), (1,))
    assert result.measures is not None


def test_what_data_draws_is_the_same_in_each_instance() -> None:
    own = type("Own", (Points,), {"data": lambda self: (torch.randn(90, 6), Y)})
    torch.manual_seed(1)
    first = own()
    torch.manual_seed(2)
    second = own()
    index = torch.arange(9)
    assert torch.equal(first._examples.batch("train", index)[0][0], second._examples.batch("train", index)[0][0])


def test_a_gap_keeps_windows_of_a_series_in_one_split() -> None:
    series = torch.arange(200)
    windows = series.unfold(0, 33, 1)

    class Series(Points):
        shuffled, gap, shares = False, 32, (0.4, 0.3, 0.3)

        def model(self) -> nn.Module:
            return nn.Embedding(200, 200)

        def data(self) -> Any:
            return windows[:, :-1], windows[:, 1:]

    task = Series()
    places = {split: set(windows[rows].flatten().tolist()) for split, rows in task._examples.rows.items()}
    assert not places["train"] & places["validation"] and not places["validation"] & places["heldout"]


def test_the_last_part_of_a_measurement_is_never_a_single_example() -> None:
    own = type(
        "Own",
        (Points,),
        {
            "data": lambda self: (X.repeat(29, 1), Y.repeat(29)),
            "shares": (1_000, 251, 251),
            "model": lambda self: nn.Sequential(nn.Linear(6, 3), nn.BatchNorm1d(3, track_running_stats=False)),
        },
    )
    [result] = train(own(), [SGD], Rung(3, 8), (1,))
    assert result.measures is not None


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"measured": 0}, "measured has to be a whole number from 1"),
        ({"rungs": (Rung(5, 0),)}, "batch of rung 0 has to be a whole number from 1"),
        ({"rungs": (Rung(5, 4), Rung(0, 4))}, "steps of rung 1 has to be a whole number from 1"),
    ],
)
def test_counts_of_a_task_are_whole_numbers_from_1(attributes: dict[str, Any], expected: str) -> None:
    with pytest.raises(InvalidTask, match=expected):
        checked("Own", type("Own", (Points,), attributes))
