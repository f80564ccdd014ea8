"""A task for optimizers from an ordinary module, a loss and data, with nothing written for many candidates."""

from __future__ import annotations

import inspect
import logging
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from germline.evaluators.errors import InvalidTask, in_a_line, shown
from germline.evaluators.optimizer.modules.declared import declared
from germline.evaluators.optimizer.modules.examples import examples_of
from germline.evaluators.optimizer.modules.obstacles import obstacle_of
from germline.evaluators.optimizer.modules.stacked_module import Score, StackedModule, Way
from germline.evaluators.optimizer.modules.template import (
    Tried,
    built,
    other_tensors,
    specs_of,
    trained_tensors,
    tried,
)
from germline.evaluators.optimizer.task import ParameterSpec, TrainingTask
from germline.evaluators.optimizer.training_loop import gradients_of
from germline.evaluators.task import Rung, Split

if TYPE_CHECKING:
    from torch import nn

log = logging.getLogger(__name__)

NOISE = "(noise)"
"""Name of the kept number from which the next random numbers of the model follow; no tensor of a module has it."""
MEASURED_AT_ONCE = 250
"""Examples that pass through the models together when they are measured."""
WAYS: tuple[Way, ...] = ("rules", "vmap")
"""Ways to compute candidates together, the fastest first."""
CACHED = 1 << 22
"""Numbers that the layers of all candidates may return together so that they stay in the cache, more or less."""
TOLERANCE = 1e-3
"""Relative difference at which the losses and gradients of candidates together and of one alone count as different."""


class _SpecsOfModel:
    """The attribute `parameters` of a class: those of its model, which is built once a class."""

    def __get__(self, instance: object, owner: type[ModuleTask]) -> tuple[ParameterSpec, ...]:
        if "_specs" not in vars(owner):
            try:
                owner._specs = specs_of(built(owner._model_function(), 0))
            except InvalidTask as error:
                raise InvalidTask(f"{owner.__name__}: {error}") from error
        return owner._specs


class ModuleTask(TrainingTask):
    """Trains the module that `model` returns on the examples that `data` returns.

    A subclass defines `model` and `data`, and may define `criterion`. All candidates start with the same weights, which
    follow from the seed of the evaluation, and pass through the module together by `torch.func.vmap`. Dropout has the
    same masks for all of them; buffers that the module writes, such as the statistics of BatchNorm, are kept for each.
    """

    rungs = (Rung(200, 32), Rung(2_000, 32), Rung(20_000, 32))
    parameters: ClassVar[tuple[ParameterSpec, ...]] = _SpecsOfModel()  # type: ignore[assignment]
    shares: ClassVar[tuple[float, float, float]] = (0.8, 0.1, 0.1)
    """Shares of the examples, or numbers of examples, for training, validation and the held-out split."""
    shuffled: ClassVar[bool] = True
    """Whether examples are divided into splits in an order drawn at random, the same each time. False: as they stand,
    the first for training; for windows of a text or a series, which overlap."""
    measured: ClassVar[int] = 2_000
    """Most examples on which a trained model is measured, spread evenly over the split."""
    _specs: ClassVar[tuple[ParameterSpec, ...]]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        own = vars(cls).get("loss")
        if own is not None and not (inspect.isfunction(own) and len(inspect.signature(own).parameters) == 4):
            raise InvalidTask(f"{cls.__name__} defines loss, which a ModuleTask has itself: call it criterion")

    @abstractmethod
    def model(self) -> nn.Module:
        """Returns a fresh module. Its random weights come from torch's global generator, as usual.

        It is called before `data`, on an object without attributes of its own.
        """

    @abstractmethod
    def data(self) -> Any:
        """Returns the examples: tensors or arrays `(inputs, targets)` with a row for each example, or a `Dataset` whose
        items are such pairs; or a dict with one of these for each of `train`, `validation` and `heldout`.

        With more than two tensors the model is called with all but the last. A single tensor is its own target.
        """

    def criterion(self, output: Any, target: Tensor) -> Tensor:
        """Returns the mean loss over a batch, a tensor of no axes, given the model's output.

        Unless a subclass has its own, it is the cross entropy if targets are whole numbers, the number of a class on
        the last axis of the output, and the mean squared error otherwise. `criterion = nn.L1Loss()` in the class works
        too, and so does any function of output and target.
        """
        if target.is_floating_point():
            if output.shape != target.shape:
                raise ValueError(f"output is {tuple(output.shape)} but target is {tuple(target.shape)}")
            return F.mse_loss(output, target)
        if output.shape[:-1] != target.shape:
            expected = f"expected output {(*target.shape, 'classes')} for target {tuple(target.shape)}"
            raise ValueError(f"{expected}, got {tuple(output.shape)}; or define criterion")
        return F.cross_entropy(output.flatten(0, -2), target.flatten())

    def measures(self, output: Any, target: Tensor) -> dict[str, Tensor]:
        """Returns means over a batch that are recorded beside the loss, by name, each a tensor of no axes.

        Unless a subclass has its own, it is the accuracy (0 to 1) if targets are whole numbers and the output has
        classes on its last axis.
        """
        if isinstance(output, Tensor) and not target.is_floating_point() and output.shape[:-1] == target.shape:
            return {"accuracy": (output.argmax(-1) == target).float().mean()}
        return {}

    def __init__(self, device: str = "cpu") -> None:
        self.device = device
        try:
            data = declared(type(self), self, "data")()
        except Exception as error:
            raise InvalidTask(f"{self.name}: data() failed with {in_a_line(error)}") from error
        self._criterion = declared(type(self), self, "criterion")
        self._measures = declared(type(self), self, "measures")
        self._examples = examples_of(data, self.shares, self.shuffled, device)
        called = {training: self._called_once(training) for training in (True, False)}
        written = called[True][1].written | called[False][1].written
        starts = [other_tensors(built(self._model_function(), seed)) for seed in (0, 1)]
        drawn = {name for name, value in starts[0].items() if not torch.equal(value, starts[1][name])}
        self._kept = {name: value.to(device) for name, value in starts[0].items() if name in written | drawn}
        names = [*(spec.name for spec in self.parameters), *self._kept]
        self._modules = {
            training: StackedModule(module, names, seen.random, seen.attends)
            for training, (module, seen) in called.items()
        }
        if type(self).at_once is TrainingTask.at_once:
            self.at_once = at_once(called[True][1].elements)  # type: ignore[misc]
        self.obstacle = self._choose_way()
        """Why candidates pass through the module one after the other; None if they do so together."""
        if self.obstacle is not None:
            log.warning("%s: candidates train one after the other, 2 to 6 times slower: %s", self.name, self.obstacle)

    def size(self, split: Split) -> int:
        return len(self._examples.rows[split])

    def loss(self, params: Mapping[str, Tensor], split: Split, index: Tensor) -> Tensor:
        losses: Tensor = self._scores(params, split, index, split == "train", self._loss_of)
        return losses

    def measure(self, params: Mapping[str, Tensor], split: Split) -> dict[str, Tensor]:
        count = min(self.measured, self.size(split))
        places = torch.arange(count, device=self.device) * self.size(split) // count
        totals: dict[str, Tensor] = {}
        with torch.no_grad():
            for index in torch.split(places, MEASURED_AT_ONCE):
                for name, values in self._scores(params, split, index, False, self._measures_of).items():
                    totals[name] = totals.get(name, 0) + values * (len(index) / count)
        return totals

    def start(self, generator: torch.Generator) -> dict[str, Tensor]:
        model_seed, noise_seed = torch.randint(2**31, (2,), generator=generator).tolist()
        module = built(self._model_function(), model_seed)
        others = other_tensors(module)
        noise = {NOISE: torch.tensor(noise_seed)} if self._random else {}
        return {**trained_tensors(module), **{name: others[name] for name in self._kept}, **noise}

    @property
    def _random(self) -> bool:
        return any(module.random for module in self._modules.values())

    def _scores(self, params: Mapping[str, Tensor], split: Split, index: Tensor, training: bool, score: Score) -> Any:
        """What `score` returns for each candidate on the examples `index` of a split."""
        inputs, target = self._examples.batch(split, index)
        trained = {spec.name: params[spec.name] for spec in self.parameters}
        count = len(next(iter(trained.values())))
        # Parameters alone, without what else `start` returned, are those of candidates that have not trained yet.
        kept = {
            name: params[name] if name in params else value.expand(count, *value.shape).clone()
            for name, value in self._kept.items()
        }
        seed = 0
        if NOISE in params:
            seed = int(params[NOISE][0])
            if training:  # measuring draws nothing that a later step depends on
                params[NOISE].add_(1)
        return self._modules[training](trained, kept, inputs, target, score, seed)

    def _loss_of(self, output: Any, target: Tensor) -> Tensor:
        loss = self._criterion(output, target)
        if not isinstance(loss, Tensor) or loss.dim():
            got = tuple(loss.shape) if isinstance(loss, Tensor) else shown(loss)
            raise ValueError(f"expected the mean loss of a batch from criterion, a tensor of no axes, got {got}")
        return loss

    def _measures_of(self, output: Any, target: Tensor) -> dict[str, Tensor]:
        return {**self._measures(output, target), "loss": self._loss_of(output, target)}

    @classmethod
    def _model_function(cls) -> Callable[[], object]:
        return declared(cls, cls.__new__(cls), "model")

    def _first_examples(self) -> Tensor:
        return torch.arange(min(self.rungs[0].batch, self.size("train")), device=self.device)

    def _called_once(self, training: bool) -> tuple[nn.Module, Tried]:
        """The module in training mode, or in the mode in which it is measured, and what is seen when it is called.

        Raises:
            InvalidTask: the call of the module, or of criterion, fails.
        """
        inputs, target = self._examples.batch("train", self._first_examples())
        module = built(self._model_function(), 0).to(self.device).train(training)
        try:
            return module, tried(module, lambda: self._measures_of(module(*inputs), target))
        except Exception as error:
            shapes = " and ".join(str(tuple(part.shape)) for part in inputs)
            raise InvalidTask(
                f"{self.name}: model or criterion failed on inputs {shapes} and targets {tuple(target.shape)} "
                f"with {in_a_line(error)}"
            ) from error

    def _choose_way(self) -> str | None:
        """Sets the fastest way in which two candidates get what each gets alone; returns the obstacle to both ways of
        computing them together, or None."""
        starts = [self.start(torch.Generator().manual_seed(seed)) for seed in (0, 1)]
        starts[1] |= {name: value for name, value in starts[0].items() if name == NOISE}
        both = {name: torch.stack([start[name] for start in starts]).to(self.device) for name in starts[0]}
        self.set_way("alone")
        alone = self._numbers(both, training=not self._random)
        obstacle = None
        for way in WAYS:
            self.set_way(way)
            try:
                equal = _alike(self._numbers(both, training=not self._random), alone)
                if self._random:  # together, the random numbers may be others than those that a module alone draws
                    each = [{name: value[row : row + 1] for name, value in both.items()} for row in range(len(starts))]
                    rows = torch.cat([self._numbers(one, training=True) for one in each])
                    equal = equal and _alike(self._numbers(both, training=True), rows)
            except Exception as error:
                obstacle = obstacle_of(error)
                continue
            if equal:
                return None
            obstacle = "its numbers for two candidates together are not those of each alone"
        self.set_way("alone")
        return obstacle

    def set_way(self, way: Way) -> None:
        """Sets how candidates are computed, for comparisons: otherwise the fastest way that is right is chosen."""
        for module in self._modules.values():
            module.way = way

    def _numbers(self, params: Mapping[str, Tensor], training: bool) -> Tensor:
        """Loss, gradients and measured loss of each candidate on the first examples, `[N, numbers]`."""
        tensors = {name: value.clone() for name, value in params.items()}
        leaves = [tensors[spec.name].requires_grad_() for spec in self.parameters]
        index = self._first_examples()
        losses = self._scores(tensors, "train", index, training, self._loss_of)
        gradients = gradients_of(losses, leaves)
        with torch.no_grad():
            measured = self._scores(tensors, "train", index, False, self._loss_of)
        return torch.cat([losses.detach()[:, None], *(each.flatten(1) for each in gradients), measured[:, None]], 1)


def at_once(elements: int) -> int:
    """Candidates that pass through a module together on a CPU, a power of two, given the numbers that its layers
    return: more of a small model, whose layers take less time than what is around them."""
    return 1 << max(2, min(8, (CACHED // max(1, elements)).bit_length() - 1))


def _alike(one: Tensor, other: Tensor) -> bool:
    """Whether the numbers of candidates are equal but for rounding, `[N, numbers]` each."""
    slack = TOLERANCE * other.abs().amax(1, keepdim=True)
    return bool(((one - other).abs() <= slack).all())
