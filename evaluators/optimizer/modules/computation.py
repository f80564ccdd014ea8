"""A model and its loss as functions of the stacked tensors of many candidates, in the fastest way that is right."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from germline.evaluators.errors import InvalidTask, in_a_line
from germline.evaluators.optimizer.modules.checks import TOLERANCE, check_gradients, check_repeats
from germline.evaluators.optimizer.modules.obstacles import obstacle_of
from germline.evaluators.optimizer.modules.stacked_module import Score, StackedModule, Way
from germline.evaluators.optimizer.modules.template import Tried, built, other_tensors, trained_tensors, tried
from germline.evaluators.optimizer.training_loop import gradients_of

NOISE = "(noise)"
"""Name of the kept number from which the next random numbers of the model follow; no tensor of a module has it."""
WAYS: tuple[Way, ...] = ("rules", "vmap")
"""Ways to compute candidates together, the fastest first."""

Batch = tuple[Sequence[Tensor], Tensor]
"""Inputs and target of some examples."""


class Computation:
    """Computes what a model scores for each candidate.

    Args:
        model: returns a fresh module.
        names: of its trained parameters, in the order of the task.
        loss_of: the mean loss of a batch from output and target, of no axes.
        measures_of: the loss and other means of a batch by name, likewise.
        first: the examples on which the module is tried.
        device: where candidates are computed.
        check: is called with the first output and target, and may refuse them.

    Attributes:
        elements: numbers that all layers of the module return for the first examples.
        random: whether the module draws random numbers.
        way: how candidates are computed.
        obstacle: why candidates pass through the module one after the other; None if they do so together.

    Raises:
        InvalidTask: the module fails on these examples, or is one that candidates cannot train with.
    """

    def __init__(
        self,
        model: Callable[[], object],
        names: Sequence[str],
        loss_of: Score,
        measures_of: Score,
        first: Batch,
        device: str,
        check: Callable[[Any, Tensor], None],
    ) -> None:
        self._model, self._names, self._first, self._device = model, names, first, device
        self._loss_of, self._measures_of = loss_of, measures_of
        called = {training: self._called_once(training, check) for training in (True, False)}
        written = called[True][1].written | called[False][1].written
        starts = [other_tensors(built(model, seed)) for seed in (0, 1)]
        drawn = {name for name, value in starts[0].items() if not torch.equal(value, starts[1][name])}
        self._kept = {name: value.to(device) for name, value in starts[0].items() if name in written | drawn}
        stacked = [*names, *self._kept]
        self._modules = {
            training: StackedModule(module, stacked, seen.random, seen.attends)
            for training, (module, seen) in called.items()
        }
        self.random = any(module.random for module in self._modules.values())
        self.elements = called[True][1].elements
        self._check_module()
        self.obstacle = self._choose_way()

    def start(self, generator: torch.Generator) -> dict[str, Tensor]:
        """The tensors with which a candidate begins, by name: trained parameters, and those that the module writes."""
        model_seed, noise_seed = torch.randint(2**31, (2,), generator=generator).tolist()
        module = built(self._model, model_seed)
        others = other_tensors(module)
        noise = {NOISE: torch.tensor(noise_seed)} if self.random else {}
        return {**trained_tensors(module), **{name: others[name] for name in self._kept}, **noise}

    def scores(self, params: Mapping[str, Tensor], batch: Batch, training: bool, score: Score) -> Any:
        """What `score` returns for each candidate, `[N]` or a dict of such tensors.

        Args:
            params: what `start` returns, stacked, `[N, *shape]`; what is not trained is updated in place.
            batch: the examples.
            training: whether the module is in training mode.
            score: function of output and target.
        """
        trained = {name: params[name] for name in self._names}
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
        return self._modules[training](trained, kept, *batch, score, seed)

    @property
    def way(self) -> Way:
        return self._modules[True].way

    def set_way(self, way: Way) -> None:
        """Sets how candidates are computed."""
        for module in self._modules.values():
            module.way = way

    def _called_once(self, training: bool, check: Callable[[Any, Tensor], None]) -> tuple[nn.Module, Tried]:
        """The module in training mode, or in the mode in which it is measured, and what is seen when it is called."""
        inputs, target = self._first
        module = built(self._model, 0).to(self._device).train(training)

        def call() -> dict[str, Tensor]:
            output = module(*(part.clone() for part in inputs))
            check(output, target)
            measures: dict[str, Tensor] = self._measures_of(output, target)
            return measures

        try:
            seen = tried(module, call)
        except InvalidTask:
            raise
        except Exception as error:
            whole = any(not part.is_floating_point() for part in inputs) and "dtype" in str(error)
            hint = "; whole numbers reach the model as int64: scale pictures to float in data()" if whole else ""
            shapes = " and ".join(str(tuple(part.shape)) for part in inputs)
            raise InvalidTask(
                f"model or criterion failed on inputs {shapes} and targets {tuple(target.shape)} with "
                f"{in_a_line(error)}{hint}"
            ) from error
        if not seen.result["loss"].isfinite():
            raise InvalidTask(f"the loss of the untrained model on the first examples is {seen.result['loss']:.4g}")
        return module, seen

    def _check_module(self) -> None:
        """Refuses a module that keeps more than its tensors, or reads its parameters elsewhere than in their places."""
        inputs, target = self._first

        def score(module: nn.Module) -> Tensor:
            loss: Tensor = self._loss_of(module(*(part.clone() for part in inputs)), target)
            return loss

        module = built(self._model, 0).to(self._device)
        start = {**trained_tensors(module), **self._kept}
        check_repeats(module, score)
        training = not self.random  # random numbers of a call by `vmap` and of a plain call may differ
        self.set_way("alone")
        _, gradients, _ = self._gradients({name: value[None] for name, value in start.items()}, training)
        ours = {name: each[0] for name, each in zip(self._names, gradients, strict=True)}
        check_gradients(module.train(training), score, ours)

    def _choose_way(self) -> str | None:
        """Sets the fastest way in which two candidates get what each gets alone; returns the obstacle to both ways of
        computing them together, or None."""
        starts = [self.start(torch.Generator().manual_seed(seed)) for seed in (0, 1)]
        starts[1] |= {name: value for name, value in starts[0].items() if name == NOISE}
        both = {name: torch.stack([start[name] for start in starts]).to(self._device) for name in starts[0]}
        self.set_way("alone")
        alone = self.numbers(both, training=not self.random)
        obstacle = None
        for way in WAYS:
            self.set_way(way)
            try:
                equal = _alike(self.numbers(both, training=not self.random), alone)
                if self.random:  # together, the random numbers may be others than those that a module alone draws
                    each = [{name: value[row : row + 1] for name, value in both.items()} for row in range(len(starts))]
                    rows = torch.cat([self.numbers(part, training=True) for part in each])
                    equal = equal and _alike(self.numbers(both, training=True), rows)
            except Exception as error:
                obstacle = obstacle_of(error)
                continue
            if equal:
                return None
            obstacle = "its numbers for two candidates together are not those of each alone"
        self.set_way("alone")
        return obstacle

    def numbers(self, params: Mapping[str, Tensor], training: bool) -> Tensor:
        """Loss, gradients and measured loss of each candidate on the first examples, `[N, numbers]`."""
        losses, gradients, tensors = self._gradients(params, training)
        with torch.no_grad():
            measures = self.scores(tensors, self._first, False, self._measures_of)
        # Other measures are only tried: an accuracy jumps where rounding decides between two classes.
        columns = [losses, *gradients, measures["loss"]]
        return torch.cat([each.reshape(len(losses), -1) for each in columns], 1)

    def _gradients(
        self, params: Mapping[str, Tensor], training: bool
    ) -> tuple[Tensor, tuple[Tensor, ...], dict[str, Tensor]]:
        """Losses `[N]` on the first examples, the gradient of each trained parameter, and `params` after it."""
        tensors = {name: value.clone() for name, value in params.items()}
        leaves = [tensors[name].requires_grad_() for name in self._names]
        losses = self.scores(tensors, self._first, training, self._loss_of)
        return losses.detach(), gradients_of(losses, leaves), tensors


def _alike(a: Tensor, b: Tensor) -> bool:
    """Whether the numbers of candidates are equal but for rounding, `[N, numbers]` each."""
    slack = TOLERANCE * b.abs().amax(1, keepdim=True)
    return bool(((a - b).abs() <= slack).all())
