"""A model and its loss as functions of the stacked tensors of many candidates, in the fastest way that is right."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from germline.evaluators.errors import InvalidTask
from germline.evaluators.optimizer.modules.checks import check_repeats
from germline.evaluators.optimizer.modules.first_call import Batch, called_once, copied, explained
from germline.evaluators.optimizer.modules.module_form import check_memory
from germline.evaluators.optimizer.modules.obstacles import obstacle_of
from germline.evaluators.optimizer.modules.plain_comparison import Numbers, alike, check_candidate, plain_numbers
from germline.evaluators.optimizer.modules.plain_values import form_of
from germline.evaluators.optimizer.modules.stacked_module import Score, StackedModule, Way
from germline.evaluators.optimizer.modules.template import built, other_tensors, same_values, trained_tensors
from germline.evaluators.optimizer.task import ParameterSpec
from germline.evaluators.optimizer.training_loop import gradients_of

NOISE = "(noise)"
"""Name of the kept number from which the next random numbers of the model follow; no tensor of a module has it."""
WAYS: tuple[Way, ...] = ("rules", "vmap")
"""Ways to compute candidates together, the fastest first."""

TOLERANCE = 1e-3
"""Relative difference at which the losses and gradients of two ways to compute them count as different."""
SHIFT = 0.01
"""By how much weights are shifted for comparisons, in shares of their mean size or of 0.1: weights that are zero at the
start would not show where they are used."""
CHECKPOINTS = (
    "it uses its parameters again in the backward pass, as torch.utils.checkpoint does: call its layers without that"
)


class Computation:
    """Computes what a model scores for each candidate.

    Args:
        model: returns a fresh module.
        specs: its trained parameters, in the order of the task.
        loss_of: the mean loss of a batch from output and target, of no axes.
        measures_of: the loss and other means of a batch by name, likewise.
        batches: the examples on which the module is tried, and others for a comparison with the module itself.
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
        specs: Sequence[ParameterSpec],
        loss_of: Score,
        measures_of: Score,
        batches: tuple[Batch, Batch],
        device: str,
        check: Callable[[Any, Tensor], None],
    ) -> None:
        self._model, self._device, self._batches = model, device, batches
        self._loss_of, self._measures_of = loss_of, measures_of
        self._names = [spec.name for spec in specs]
        self._shapes = [spec.shape for spec in specs]
        self._form = form_of(built(model, 0))
        modules = {training: self._built(0).to(device).train(training) for training in (True, False)}
        called = {mode: called_once(module, batches[0], measures_of, check) for mode, module in modules.items()}
        written = called[True].written | called[False].written
        check_memory(self._built(0), written)
        starts = [other_tensors(self._built(seed)) for seed in (0, 1)]
        drawn = {name for name, value in starts[0].items() if not same_values(value, starts[1][name])}
        self._kept = {name: value.to(device) for name, value in starts[0].items() if name in written | drawn}
        stacked = [*self._names, *self._kept]
        self._modules = {
            training: StackedModule(modules[training], stacked, record.random, record.attends)
            for training, record in called.items()
        }
        self.random = any(module.random for module in self._modules.values())
        self.elements = called[True].elements
        check_repeats(self._built(0).to(device), self._loss_by_itself(batches[0]))
        self.set_way("alone")
        start = self._shifted(1)
        for training, batch in ((True, batches[0]), (True, batches[1]), (False, batches[1])):
            self._check_candidate(start, training, batch)
        self.obstacle = CHECKPOINTS if self._reads_in_backward(start) else self._choose_way()

    def start(self, generator: torch.Generator) -> dict[str, Tensor]:
        """The tensors with which a candidate begins, by name: trained parameters, and those that the module writes."""
        model_seed, noise_seed = torch.randint(2**31, (2,), generator=generator).tolist()
        module = self._built(model_seed)
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

    def _built(self, seed: int) -> nn.Module:
        """A fresh module.

        Raises:
            InvalidTask: it is another than those before, apart from the values of its tensors.
        """
        module = built(self._model, seed)
        tensors = trained_tensors(module)
        shapes = [tuple(tensors[name].shape) if name in tensors else None for name in self._names]
        if form_of(module) != self._form or shapes != self._shapes:
            raise InvalidTask(
                "model() returns a module of other layers or shapes than before: let it return the same each time, "
                "but for random values of its parameters and buffers"
            )
        return module

    def _loss_by_itself(self, batch: Batch) -> Callable[[nn.Module], Tensor]:
        """A function that gives the loss of a module on some examples."""

        def loss_of(module: nn.Module) -> Tensor:
            inputs, target = copied(batch)
            loss: Tensor = self._loss_of(module(*inputs), target)
            return loss

        return loss_of

    def _shifted(self, seed: int) -> dict[str, Tensor]:
        """What `start` returns, on the device, for the weights of a seed, shifted, and random numbers of seed 0."""
        module, generator = self._built(seed), torch.Generator().manual_seed(seed)
        tensors = trained_tensors(module)
        for value in tensors.values():
            if value.is_floating_point():
                size = max(float(value.abs().mean()), 0.1)
                value.add_(torch.randn(value.shape, generator=generator), alpha=SHIFT * size)
        noise = {NOISE: torch.tensor(0)} if self.random else {}
        kept = {name: value for name, value in other_tensors(module).items() if name in self._kept}
        return {name: value.to(self._device) for name, value in {**tensors, **kept, **noise}.items()}

    def _check_candidate(self, start: Mapping[str, Tensor], training: bool, batch: Batch) -> None:
        """Refuses a module by which a candidate with these tensors gets other numbers than by a module of its own."""
        module = self._built(1).to(self._device).train(training)
        with torch.no_grad():
            for name, parameter in module.named_parameters():
                parameter.copy_(start.get(name, parameter))
        plain = explained(lambda: plain_numbers(module, self._loss_by_itself(batch)), batch)
        ours = explained(lambda: self._candidate(start, training, batch), batch)
        check_candidate(ours, plain, self._modules[training].module, lambda seed: self._built(seed).to(self._device))

    def _candidate(self, start: Mapping[str, Tensor], training: bool, batch: Batch) -> Numbers:
        """The numbers of a candidate with the given tensors."""
        tensors = {name: value[None].clone() for name, value in start.items()}
        if not training:
            with torch.no_grad():
                loss = self.scores(tensors, batch, False, self._loss_of)[0]
            return Numbers(loss, {}, {name: tensors[name][0] for name in self._kept})
        losses, gradients, after = self._gradients(tensors, True, batch)
        by_name = {name: each[0] for name, each in zip(self._names, gradients, strict=True)}
        return Numbers(losses[0], by_name, {name: after[name][0] for name in self._kept})

    def _reads_in_backward(self, start: Mapping[str, Tensor]) -> bool:
        """Whether gradients change if a candidate's tensors do not stand in the module during the backward pass. If
        not, they no longer do from now on, which is faster."""
        stacked = self._modules[True]
        numbers = self._candidate(start, True, self._batches[0])
        stacked.own_backward = False
        try:
            others = self._candidate(start, True, self._batches[0])
        except Exception:  # a checkpoint raises if what it computes again has other shapes
            stacked.own_backward = True
        else:
            pairs = [(others.gradients, numbers.gradients), (others.others, numbers.others)]
            stacked.own_backward = not all(alike(a[name], b[name], 0.0) for a, b in pairs for name in b)
        stacked.module.zero_grad(set_to_none=True)
        self._modules[False].own_backward = stacked.own_backward
        return stacked.own_backward

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
        losses, gradients, tensors = self._gradients(params, training, self._batches[0])
        with torch.no_grad():
            measures = self.scores(tensors, copied(self._batches[0]), False, self._measures_of)
        # Other measures are only tried: an accuracy jumps where rounding decides between two classes.
        columns = [losses, *gradients, measures["loss"]]
        return torch.cat([each.reshape(len(losses), -1) for each in columns], 1)

    def _gradients(
        self, params: Mapping[str, Tensor], training: bool, batch: Batch
    ) -> tuple[Tensor, tuple[Tensor, ...], dict[str, Tensor]]:
        """Losses `[N]` on some examples, the gradient of each trained parameter, and `params` after it."""
        tensors = {name: value.clone() for name, value in params.items()}
        leaves = [tensors[name].requires_grad_() for name in self._names]
        losses = self.scores(tensors, copied(batch), training, self._loss_of)
        return losses.detach(), gradients_of(losses, leaves), tensors


def _alike(a: Tensor, b: Tensor) -> bool:
    """Whether the numbers of candidates are equal but for rounding, `[N, numbers]` each."""
    slack = TOLERANCE * b.abs().amax(1, keepdim=True)
    return bool(((a - b).abs() <= slack).all())
