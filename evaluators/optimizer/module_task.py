"""A task for optimizers from an ordinary module, a loss and data, with nothing written for many candidates."""

from __future__ import annotations

import copy
import functools
import inspect
import logging
from abc import abstractmethod
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from germline.evaluators.errors import InvalidTask, in_a_line, of_foreign_code, place_of, shown
from germline.evaluators.optimizer.modules.checks import IGNORED, check_classes, check_numbers
from germline.evaluators.optimizer.modules.computation import Computation
from germline.evaluators.optimizer.modules.declared import declared
from germline.evaluators.optimizer.modules.examples import SHUFFLE_SEED, examples_of
from germline.evaluators.optimizer.modules.randomness import seeded
from germline.evaluators.optimizer.modules.stacked_module import Way
from germline.evaluators.optimizer.modules.template import built, specs_of
from germline.evaluators.optimizer.task import MEASURED_AT_ONCE, ParameterSpec, TrainingTask
from germline.evaluators.task import Rung, Split

log = logging.getLogger(__name__)

CLOSE = 0.85
"""Similarity from which a name in a class counts as a misspelled setting, from 0 to 1 (`difflib`)."""
CACHED = 1 << 22
"""Numbers that the layers of all candidates may return together so that they stay in the cache, more or less."""


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
    gap: ClassVar[int] = 0
    """Examples that are left out between two splits if `shuffled` is False: with windows of n places that begin at each
    place of a series n - 1, so that no place is in two splits."""
    measured: ClassVar[int] = 2_000
    """Most examples on which a trained model is measured, spread evenly over the split."""
    _specs: ClassVar[tuple[ParameterSpec, ...]]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        own = vars(cls).get("loss")
        if own is not None and not (inspect.isfunction(own) and len(inspect.signature(own).parameters) == 4):
            raise InvalidTask(f"{cls.__name__} defines loss, which a ModuleTask has itself: call it criterion")
        known = [name for name in dir(ModuleTask) if not name.startswith("_")]
        for name in vars(cls):
            if name not in known and (meant := get_close_matches(name, known, 1, CLOSE)):
                log.warning("%s.%s has no effect on the task: did you mean %s?", cls.__name__, name, meant[0])
        if "__init__" in vars(cls):
            cls.__init__ = _that_starts(cls.__init__)  # type: ignore[method-assign]

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
        if not isinstance(output, Tensor):
            raise TypeError(f"expected a tensor from model, got {type(output).__name__}; or define criterion")
        if target.dtype == torch.bool:
            raise TypeError(
                "targets are bool: return them as float with criterion = nn.BCEWithLogitsLoss(), or as whole numbers"
            )
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
        classes on its last axis; targets of -100, which the cross entropy ignores, do not count.
        """
        if not isinstance(output, Tensor) or target.is_floating_point() or output.shape[:-1] != target.shape:
            return {}
        hits = (output.argmax(-1) == target).float()
        counted = target != IGNORED
        return {"accuracy": hits.mean() if bool(counted.all()) else hits.sum() / counted.sum().clamp(min=1)}

    def __init__(self, device: str = "cpu") -> None:
        self.device = device
        try:
            # What data() draws is the same in each process, as the order of its examples is.
            with seeded(SHUFFLE_SEED):
                self._examples = examples_of(self._data(), self.shares, self.shuffled, device, self.gap)
            check_numbers(self._examples.columns)
            self._criterion = self._own_criterion()
            self._measures = declared(type(self), self, "measures")
            first = torch.arange(min(self.rungs[0].batch, self.size("train")), device=device)
            last = self.size("train") - 1 - first
            batches = self._examples.batch("train", first), self._examples.batch("train", last)
            model, check = self._model_function(), self._check_targets
            self.computation = Computation(
                model, self.parameters, self._loss_of, self._measures_of, batches, device, check
            )
            """How candidates pass through the module."""
        except InvalidTask as error:
            raise InvalidTask(f"{self.name}: {error}") from error
        if type(self).at_once is TrainingTask.at_once:
            self.at_once = at_once(self.computation.elements)  # type: ignore[misc]
        self.obstacle = self.computation.obstacle
        """Why candidates pass through the module one after the other; None if they do so together."""
        if self.obstacle is not None:
            log.warning("%s: candidates train one after the other, which is slower: %s", self.name, self.obstacle)

    def size(self, split: Split) -> int:
        return len(self._examples.rows[split])

    def loss(self, params: Mapping[str, Tensor], split: Split, index: Tensor) -> Tensor:
        batch = self._examples.batch(split, index)
        losses: Tensor = self.computation.scores(params, batch, split == "train", self._loss_of)
        return losses

    def measure(self, params: Mapping[str, Tensor], split: Split) -> dict[str, Tensor]:
        count = min(self.measured, self.size(split))
        places = torch.arange(count, device=self.device) * self.size(split) // count
        totals: dict[str, Tensor] = {}
        with torch.no_grad():
            for index in _parts(places):
                batch = self._examples.batch(split, index)
                for name, values in self.computation.scores(params, batch, False, self._measures_of).items():
                    totals[name] = totals.get(name, 0) + values * (len(index) / count)
        return totals

    def start(self, generator: torch.Generator) -> dict[str, Tensor]:
        return self.computation.start(generator)

    def set_way(self, way: Way) -> None:
        """Sets how candidates are computed, for comparisons: otherwise the fastest way that is right is chosen."""
        self.computation.set_way(way)

    def _loss_of(self, output: Any, target: Tensor) -> Tensor:
        loss = self._criterion(output, target)
        if not isinstance(loss, Tensor) or loss.dim():
            got = f"{tuple(loss.shape)}; end it with .mean()" if isinstance(loss, Tensor) else shown(loss)
            raise ValueError(f"expected the mean loss of a batch from criterion, a tensor of no axes, got {got}")
        return loss

    def _measures_of(self, output: Any, target: Tensor) -> dict[str, Tensor]:
        measures = self._measures(output, target)
        if not isinstance(measures, Mapping):
            raise InvalidTask(f"expected from measures a dict of means by name, such as {{}}, got {shown(measures)}")
        for name, value in measures.items():
            self._check_name(name)
            if not isinstance(value, Tensor) or value.dim():
                got = tuple(value.shape) if isinstance(value, Tensor) else shown(value)
                raise ValueError(f"expected from measures the mean of {name} as a tensor of no axes, got {got}")
        return {**measures, "loss": self._loss_of(output, target)}

    def _check_name(self, name: object) -> None:
        """Refuses a measure whose name is that of the loss, or is no text on a line. A task that declares objectives of
        its own may measure them; those that it inherits are its loss."""
        ours = type(self).objectives is TrainingTask.objectives
        taken = [name for each in self.objectives for name in (each.name, each.heldout_name)] if ours else []
        if name == "loss" or name in taken:
            raise InvalidTask(f"{name} in measures is the name of the loss from criterion: give the measure another")
        if not isinstance(name, str) or not name.isprintable() or not name.strip():
            raise InvalidTask(f"expected names in measures that are printable texts, got {shown(name)}")

    def _data(self) -> Any:
        try:
            return declared(type(self), self, "data")()
        except of_foreign_code() as error:
            own_start = isinstance(error, AttributeError) and "__init__" in vars(type(self))
            hint = "; set what it reads before super().__init__(device), which calls it" if own_start else ""
            raise InvalidTask(f"data() failed with {in_a_line(error)}{place_of(error)}{hint}") from error

    def _own_criterion(self) -> Callable[[Any, Tensor], Tensor]:
        """The function that gives the loss from output and target; a module among its forms moves to the device.

        Raises:
            InvalidTask: the criterion has parameters, which would not be trained.
        """
        criterion = declared(type(self), self, "criterion")
        if isinstance(criterion, type):
            raise InvalidTask(f"criterion is the class {criterion.__name__}: add () to make a module of it")
        if isinstance(criterion, nn.Module):
            if any(True for _ in criterion.parameters()):
                raise InvalidTask("criterion has parameters, which are not trained: move them into the model")
            return copy.deepcopy(criterion).to(self.device)
        return criterion

    def _check_targets(self, output: Any, target: Tensor) -> None:
        """Refuses targets that are no classes, where the criterion is the cross entropy of this class."""
        whole = not target.is_floating_point() and target.dtype != torch.bool
        ours = type(self).criterion is ModuleTask.criterion
        if ours and whole and isinstance(output, Tensor) and output.shape[:-1] == target.shape:
            check_classes(output, self._examples.columns[-1])

    @classmethod
    def _model_function(cls) -> Callable[[], object]:
        model = declared(cls, cls.__new__(cls), "model")
        if isinstance(model, nn.Module):
            raise InvalidTask("model is a module: make it a method that returns a fresh module each time")
        return model


def _that_starts(own: Callable[..., None]) -> Callable[..., None]:
    """The `__init__` of a subclass, which raises InvalidTask if it takes no device, or does not pass it on."""

    @functools.wraps(own)
    def started(self: ModuleTask, *arguments: Any, **options: Any) -> None:
        advice = "leave it out, and load what the task needs in data()"
        try:
            inspect.signature(own).bind(self, *arguments, **options)
        except TypeError as error:
            raise InvalidTask(f"{type(self).__name__}.__init__ does not take the device: {advice}") from error
        own(self, *arguments, **options)
        if "computation" not in vars(self):
            raise InvalidTask(f"{type(self).__name__}.__init__ does not call super().__init__(device): {advice}")

    return started


def _parts(places: Tensor) -> list[Tensor]:
    """Places in parts of `MEASURED_AT_ONCE`; a single one that is left over joins the last part, since a model may look
    at its batch as a whole, as BatchNorm does."""
    parts = list(torch.split(places, MEASURED_AT_ONCE))
    if len(parts) > 1 and len(parts[-1]) == 1:
        parts[-2:] = [torch.cat(parts[-2:])]
    return parts


def at_once(elements: int) -> int:
    """Candidates that pass through a module together on a CPU, a power of two, given the numbers that its layers
    return: more of a small model, whose layers take less time than what is around them."""
    return 1 << max(2, min(8, (CACHED // max(1, elements)).bit_length() - 1))
