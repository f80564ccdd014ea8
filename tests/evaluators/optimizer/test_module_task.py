"""Tasks of ordinary modules: against plain torch, one candidate alone, and what is refused."""

import copy
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from documentation_blocks import blocks
from own_modules import DIGITS
from own_tasks import task_file
from torch import Tensor, nn
from torch.utils.data import Dataset, IterableDataset

from germline.evaluators.errors import InvalidTask
from germline.evaluators.optimizer.module_task import ModuleTask
from germline.evaluators.optimizer.schedule import SCHEDULE
from germline.evaluators.optimizer.trainer import train
from germline.evaluators.task import Rung
from germline.evaluators.tasks.registry import describe, task_class
from germline.evaluators.training_seeds import batches, weight_seed
from germline.programs.optimizer import library, parse
from germline.programs.optimizer.interpret import Interpreter

RUNG = Rung(12, 8)
SEED = (3, 0, 1)
ADAM, SGD = (parse(library()[name]) for name in ("adam", "sgd_momentum"))
GENERATOR = torch.Generator().manual_seed(0)
X, Y = torch.randn(90, 6, generator=GENERATOR), torch.randint(3, (90,), generator=GENERATOR)


class Small(ModuleTask):
    """Three classes of points that no model can tell apart: for tests of what a task computes."""

    name = "small"
    rungs = (RUNG,)

    def model(self) -> nn.Module:
        return nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3))

    def data(self) -> Any:
        return X, Y


class Statistics(Small):
    def model(self) -> nn.Module:
        return nn.Sequential(nn.Linear(6, 5, bias=False), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 3))


class Masked(Small):
    def model(self) -> nn.Module:
        return nn.Sequential(nn.Linear(6, 5, bias=False), nn.BatchNorm1d(5), nn.Dropout(0.5), nn.Linear(5, 3))


@pytest.mark.slow
def test_measuring_leaves_the_random_numbers_of_the_training_alone() -> None:
    task, programs, rung = Masked("cpu"), [parse(library()["adam"])] * 2, Rung(20, 16)
    plain = train(task, programs, rung, (1,))
    assert train(task, programs, rung, (1,), curve_steps=(3, 10))[0].measures == plain[0].measures


class _Tied(nn.Module):
    """Symbols that are embedded and predicted by the same weights, with a mean that `forward` replaces."""

    def __init__(self) -> None:
        super().__init__()
        self.symbols, self.output = nn.Embedding(7, 4), nn.Linear(4, 7, bias=False)
        self.output.weight = self.symbols.weight
        self.register_buffer("mean", torch.zeros(4))
        self.register_buffer("drawn", torch.randn(4))
        self.unused = nn.Parameter(torch.ones(2))

    def forward(self, symbols: Tensor) -> Tensor:
        hidden = self.symbols(symbols)
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * hidden.detach().mean((0, 1))
        result: Tensor = self.output(hidden - self.mean + self.drawn)
        return result


class Tied(Small):
    model = _Tied  # type: ignore[assignment]

    def data(self) -> Any:
        symbols = torch.randint(7, (90, 5), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
        return symbols[:, :-1], symbols[:, 1:]


class _Recurrent(nn.Module):
    def __init__(self, kind: str, **options: Any) -> None:
        super().__init__()
        self.layer = getattr(nn, kind)(2, 3, **options)
        self.output = nn.Linear(3 * (1 + options.get("bidirectional", False)), 3)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.output(self.layer(x.view(-1, 3, 2))[0][:, -1])
        return result


class Remembering(Small):
    def model(self) -> nn.Module:
        return _Recurrent("LSTM", batch_first=True, num_layers=2, bidirectional=True)


class _Attending(nn.Module):
    """A small GPT on symbols of `Tied`."""

    def __init__(self) -> None:
        super().__init__()
        self.symbols, self.norm = nn.Embedding(7, 6), nn.LayerNorm(6)
        self.project, self.output = nn.Linear(6, 18), nn.Linear(6, 7, bias=False)

    def forward(self, symbols: Tensor) -> Tensor:
        stream = self.symbols(symbols)
        batch, length, width = stream.shape
        heads = self.project(self.norm(stream)).view(batch, length, 3, 2, width // 2).permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(*heads, is_causal=True)
        result: Tensor = self.output(stream + attended.transpose(1, 2).reshape(batch, length, width))
        return result


class Attending(Tied):
    model = _Attending  # type: ignore[assignment]


class _Cells(nn.Module):
    """A recurrent cell over three positions of two inputs each."""

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__()
        self.cell, self.output = getattr(nn, name)(2, 5, **options), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        state: Any = None
        for position in x.view(-1, 3, 2).unbind(1):
            state = self.cell(position, state)
        result: Tensor = self.output(state[0] if isinstance(state, tuple) else state)
        return result


class _Masked(nn.Module):
    """Attention of three positions with a learned mask, as relative positions have it."""

    def __init__(self, scale: float | None) -> None:
        super().__init__()
        self.mask, self.scale, self.output = nn.Parameter(torch.randn(3, 3)), scale, nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        heads = x.view(-1, 1, 3, 2) + self.output.bias[:2]
        attended = F.scaled_dot_product_attention(heads, heads, heads, self.mask, scale=self.scale)
        result: Tensor = self.output(attended.flatten(1))
        return result


class _Named(nn.Module):
    """Calls functions of torch with arguments by name."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel, self.layer, self.cell = nn.Parameter(torch.randn(2, 1, 2, 2)), nn.Linear(4, 3), nn.GRUCell(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        maps = F.conv2d(input=x.view(-1, 1, 2, 3), weight=self.kernel).flatten(1)
        hidden = torch.gru_cell(
            input=x,
            hx=maps,
            w_ih=self.cell.weight_ih,
            w_hh=self.cell.weight_hh,
            b_ih=self.cell.bias_ih,
            b_hh=self.cell.bias_hh,
        )
        return F.linear(input=hidden, weight=self.layer.weight, bias=self.layer.bias)


class _Packed(_Recurrent):
    def forward(self, x: Tensor) -> Tensor:
        lengths = torch.full((len(x),), 3)
        packed = nn.utils.rnn.pack_padded_sequence(x.view(-1, 3, 2), lengths, batch_first=True)
        result: Tensor = self.output(self.layer(packed)[1][-1])
        return result


def images(*layers: nn.Module) -> Callable[[], nn.Module]:
    """A network of layers on images of 6×6."""
    return lambda: nn.Sequential(nn.Linear(6, 36), nn.Unflatten(1, (1, 6, 6)), *copy.deepcopy(layers), nn.Flatten())


@pytest.mark.slow
@pytest.mark.parametrize(
    "model",
    [
        images(nn.Conv2d(1, 4, 3, 2, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 3, (3, 2), bias=False)),
        images(nn.Conv2d(1, 4, 3, dilation=2), nn.GroupNorm(2, 4), nn.MaxPool2d(2), nn.Conv2d(4, 4, 1, groups=2)),
        lambda: _Recurrent("GRU", bias=False, batch_first=True, num_layers=2),
        lambda: _Recurrent("RNN", nonlinearity="relu", batch_first=True),
        lambda: _Cells("LSTMCell"),
        lambda: _Cells("GRUCell", bias=False),
        lambda: _Cells("RNNCell"),
        lambda: _Masked(None),
        lambda: _Named(),
        lambda: _Masked(0.0),
        lambda: nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4, affine=False), nn.LayerNorm(4, bias=False)),
        lambda: nn.Sequential(
            nn.Unflatten(1, (3, 2)), nn.TransformerEncoderLayer(2, 1, 4, batch_first=True), nn.Flatten()
        ),
    ],
)
def test_layers_of_many_candidates_have_the_gradients_of_each_alone(model: Callable[[], nn.Module]) -> None:
    task = with_data((X, Y), model=model)()
    assert task.computation.way == "rules"
    starts = [task.start(torch.Generator().manual_seed(seed)) for seed in (5, 6, 7)]
    tensors = {name: torch.stack([start[name] for start in starts]) for name in starts[0]}
    together = task.computation.numbers(tensors, training=not task.computation.random)
    task.set_way("alone")
    alone = task.computation.numbers(tensors, training=not task.computation.random)
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Perceptron", "Convolutions", "Rows", "Characters"])
def test_the_modules_of_the_documentation_train_together_by_the_rules(name: str, tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "own_model.md").read_text(encoding="utf-8")
    files = [task_file(tmp_path, block.text, block.file) for block in blocks(page) if block.file]
    [file] = [file for file in files if f"class {name}(" in file.read_text()]
    task = task_class(f"{file}:{name}")()
    assert isinstance(task, ModuleTask) and task.computation.way == "rules"
    before, after = (train(task, [ADAM], Rung(steps, 8), SEED)[0].measures for steps in (1, 40))
    assert before is not None and after is not None and after["loss"] < before["loss"]


def test_a_convolution_with_many_patches_is_grouped(monkeypatch: pytest.MonkeyPatch) -> None:
    task = with_data((X, Y), model=images(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 3, 3, padding=1)))()
    tensors = {name: value[None].repeat(2, *[1] * value.dim()) for name, value in task.start(GENERATOR).items()}
    by_patches = task.computation.numbers(tensors, training=True)
    monkeypatch.setattr("germline.evaluators.optimizer.modules.images.MOST_PATCHES", 0)
    torch.testing.assert_close(task.computation.numbers(tensors, training=True), by_patches, atol=1e-5, rtol=1e-4)


def plainly_trained(task: ModuleTask) -> float:
    """The measured loss of a module that is trained by plain torch with Adam of the library, on the examples and with
    the initial weights of `train`."""
    seed = int(torch.randint(2**31, (2,), generator=torch.Generator().manual_seed(weight_seed(SEED)))[0])
    torch.manual_seed(seed)
    module = task.model()
    weights = list(module.parameters())
    interpreter = Interpreter(ADAM)
    examples = task._examples
    for step, index in enumerate(batches(task.size("train"), RUNG, SEED, "cpu")):
        x, y = (
            column[examples.rows["train"][index]].long()
            if not column.is_floating_point()
            else column[examples.rows["train"][index]]
            for column in examples.columns
        )
        loss = F.cross_entropy(module(x).flatten(0, -2), y.flatten())
        gradients = torch.autograd.grad(loss, weights, materialize_grads=True)
        with torch.no_grad():
            updates = interpreter.step(weights, gradients, SCHEDULE.value(step, RUNG.steps))
            for weight, update in zip(weights, updates, strict=True):
                weight -= update
    x, y = (column[examples.rows["validation"]] for column in examples.columns)
    with torch.no_grad():
        output = module.eval()(x.long() if not x.is_floating_point() else x)
    return float(F.cross_entropy(output.flatten(0, -2), y.long().flatten()))


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Small, Statistics, Tied, Remembering, Attending])
def test_a_candidate_gets_the_loss_of_plain_torch(kind: type[ModuleTask]) -> None:
    task = kind()
    assert task.obstacle is None
    other, own = train(task, [SGD, ADAM], RUNG, SEED)
    assert own.measures is not None and other.measures is not None
    assert own.measures["loss"] == pytest.approx(plainly_trained(task), rel=1e-4)
    assert own.measures["loss"] != pytest.approx(other.measures["loss"], rel=1e-3)
    assert 0 <= own.measures["accuracy"] <= 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Masked, Tied])
def test_candidates_together_get_what_they_get_one_after_the_other(kind: type[ModuleTask]) -> None:
    task, alone = kind(), kind()
    alone.set_way("alone")
    together, apart = (train(each, [ADAM, SGD, ADAM], RUNG, SEED) for each in (task, alone))
    for one, other in zip(together, apart, strict=True):
        assert one.measures is not None and other.measures is not None
        assert one.measures["loss"] == pytest.approx(other.measures["loss"], rel=1e-4)
    assert together[0] == together[2]  # the same masks
    assert together == train(task, [ADAM, SGD, ADAM], RUNG, SEED)


def test_masks_change_from_step_to_step_and_follow_from_the_seed() -> None:
    task = Masked()
    index = torch.arange(8)

    def losses(seed: int) -> list[float]:
        tensors = {name: value[None].clone() for name, value in task.start(torch.Generator().manual_seed(seed)).items()}
        return [float(task.loss(tensors, "train", index)) for _ in range(3)]

    state = torch.get_rng_state()
    assert losses(0) == losses(0) != losses(1)
    assert len(set(losses(0))) == 3
    assert torch.equal(torch.get_rng_state(), state)


class _Pairs(Dataset[Any]):
    def __len__(self) -> int:
        return 90

    def __getitem__(self, i: int) -> Any:
        return X[i].numpy(), int(Y[i])


class _Stream(IterableDataset[Any]):
    def __iter__(self) -> Any:
        return iter(())


def with_data(data: Any, **attributes: Any) -> type[ModuleTask]:
    return type("Own", (Small,), {"data": lambda self: data, **attributes})


@pytest.mark.slow
def test_data_are_tensors_a_dataset_or_splits() -> None:
    index = torch.arange(5)
    parts = {"train": (X[:50], Y[:50]), "validation": (X[50:70], Y[50:70]), "heldout": (X[70:], Y[70:])}
    tasks = [kind() for kind in (Small, with_data(_Pairs()), with_data((X.double().numpy(), Y.numpy())))]
    parameters = {name: value[None] for name, value in tasks[0].start(torch.Generator().manual_seed(0)).items()}
    losses = {float(task.loss(parameters, "train", index)) for task in tasks}
    assert len(losses) == 1
    given, inside = with_data(parts)(), with_data((X, Y), shuffled=False, shares=(50, 20, 20))()
    assert torch.equal(given.loss(parameters, "heldout", index), inside.loss(parameters, "heldout", index))
    sizes = [[task.size(split) for split in ("train", "validation", "heldout")] for task in (tasks[0], given)]
    assert sizes == [[72, 9, 9], [50, 20, 20]]
    rows = torch.cat(list(tasks[0]._examples.rows.values()))
    assert sorted(rows.tolist()) == list(range(90)) != rows.tolist()


def test_a_single_tensor_is_its_own_target() -> None:
    task = with_data(X, model=lambda: nn.Linear(6, 6))()
    parameters = {name: value[None] for name, value in task.start(torch.Generator().manual_seed(0)).items()}
    assert set(task.measure(parameters, "validation")) == {"loss"}
    named = with_data((X, X), model=lambda: nn.Linear(6, 6), criterion=F.l1_loss)()
    assert float(named.loss(parameters, "train", torch.arange(9))) > 0


class _Lazy(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(nn.LazyLinear(3))


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (lambda: with_data((X, Y[:5])), "the same number of examples, not [90, 5]"),
        (lambda: with_data([1, 2]), "data has to be tensors such as (inputs, targets)"),
        (lambda: with_data({"train": (X, Y)}), "has to have train, validation, heldout, not ['train']"),
        (lambda: with_data(_Stream()), "a Dataset without a length"),
        (lambda: with_data((X[:5], Y[:5])), "no split may be empty, but 5 examples are divided into [4, 0, 0]"),
        (lambda: with_data((X, Y), shares=(0.9, 0.2, 0.1)), "shares has to be three shares"),
        (lambda: with_data((X, Y.float())), "output is (8, 3) but target is (8,)"),
        (lambda: with_data((X[:, :4], Y)), "failed on inputs (8, 4) and targets (8,)"),
        (lambda: with_data((X, Y), model=lambda: nn.Linear(6, 3).half()), "candidates train in float32"),
        (lambda: with_data((X, Y), model=_Lazy), "give its layer the number of inputs"),
        (lambda: with_data((X, Y), model=lambda: 3), "has to return a torch.nn.Module, not 3"),
        (lambda: with_data((X, Y), model=lambda: nn.ReLU()), "no parameter to train"),
        (lambda: with_data((X, Y), model=lambda: nn.Embedding(9, 3, sparse=True)), ": the model has sparse gradients"),
        (lambda: with_data((X, Y), criterion=nn.CrossEntropyLoss(reduction="none")), "a tensor of no axes, got (8,)"),
        (lambda: with_data((X, Y), loss=F.cross_entropy), "defines loss, which a ModuleTask has itself"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_a_line(kind: Callable[[], type[ModuleTask]], message: str) -> None:
    with pytest.raises(InvalidTask) as error:
        kind()()
    assert message in str(error.value) and "\n" not in str(error.value)


def test_what_cannot_be_batched_runs_one_after_the_other_and_says_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "germline"):
        task = task_class(f"{task_file(tmp_path, DIGITS)}:Branching")()
    assert isinstance(task, ModuleTask) and task.obstacle is not None
    assert [record.getMessage() for record in caplog.records] == [
        "perceptron: candidates train one after the other, which is slower: "
        "it decides by the value of a tensor: use torch.where instead of `if`"
    ]
    first, second = train(task, [ADAM, ADAM], RUNG, SEED)
    assert first == second and first.measures is not None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "change"),
    [
        (lambda: _Recurrent("LSTM", batch_first=True, num_layers=2, dropout=0.1), "one LSTM for each layer"),
        (lambda: _Packed("GRU", batch_first=True), "a packed sequence: use one GRU for each layer, and padded"),
        (
            lambda: nn.Sequential(nn.Linear(6, 3), nn.BatchNorm1d(3, momentum=None)),
            "a number for momentum of BatchNorm",
        ),
        (lambda: nn.utils.parametrizations.spectral_norm(nn.Linear(6, 3)), "operations that return new tensors"),
    ],
)
def test_what_to_change_is_said_of_layers_that_cannot_be_batched(model: Callable[[], nn.Module], change: str) -> None:
    obstacle = with_data((X, Y), model=model)().obstacle
    assert obstacle is not None and change in obstacle and "\n" not in obstacle


def test_a_module_is_described_without_its_data() -> None:
    class Unread(Small):
        def data(self) -> Any:
            raise OSError("no such file")

    assert sum(spec.size for spec in Unread.parameters) == 53
    with pytest.raises(InvalidTask, match=r"small: data\(\) failed with OSError: no such file"):
        Unread()


def test_the_file_of_a_user_is_described(tmp_path: Path) -> None:
    found = describe(f"{task_file(tmp_path, DIGITS)}:Normed")
    assert (found.kind, found.parameters) == ("optimizer", 418)
