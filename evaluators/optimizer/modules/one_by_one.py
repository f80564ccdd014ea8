"""Candidates that pass through a module one after the other, if need be each with a backward pass of its own."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from germline.evaluators.optimizer.modules.slots import Slots

Stacked = Mapping[str, Tensor]
"""Tensors `[N, *shape]` by name."""


@dataclass(frozen=True)
class OneByOne:
    """A module that is called for a candidate at a time.

    Attributes:
        slots: the places of the candidates' tensors in the module.
        score: calls the module on inputs of its own, and returns a tensor of no axes or a dict of them.
        seeded: a context in which a call gets its random numbers.
        own_backward: whether each candidate has a backward pass of its own, during which its tensors still stand in the
            module. `torch.utils.checkpoint` needs that, since it calls layers again. False is faster: the backward pass
            of all candidates comes later.
    """

    slots: Slots
    score: Callable[[], Any]
    seeded: Callable[[], AbstractContextManager[None]]
    own_backward: bool = True

    def scores(self, params: Stacked, kept: Stacked) -> Any:
        """What `score` returns for each candidate, `[N]` or a dict of such tensors, as `StackedModule` does."""
        if self.own_backward and torch.is_grad_enabled() and any(tensor.requires_grad for tensor in params.values()):
            return _Losses.apply(self, tuple(params), kept, *params.values())  # type: ignore[no-untyped-call]
        scores = []
        for row, copies in _rows(params, kept):
            with self.seeded(), self.slots.filled({**row, **copies}):
                scores.append(self.score())
                self._keep(copies, kept, len(scores) - 1)
        if isinstance(scores[0], dict):
            return {name: torch.stack([score[name] for score in scores]) for name in scores[0]}
        return torch.stack(scores)

    def losses_and_gradients(self, params: Stacked, kept: Stacked) -> tuple[Tensor, list[Tensor]]:
        """The loss of each candidate, `[N]`, and the gradient of each parameter, `[N, *shape]`."""
        losses: list[Tensor] = []
        gradients: list[list[Tensor]] = [[] for _ in params]
        for row, copies in _rows(params, kept):
            leaves = {name: tensor.detach().requires_grad_() for name, tensor in row.items()}
            with self.seeded(), self.slots.filled({**leaves, **copies}):
                loss = self.score()
                if loss.requires_grad:
                    loss.backward()
                self._keep(copies, kept, len(losses))
            losses.append(loss.detach())
            for each, leaf in zip(gradients, leaves.values(), strict=True):
                each.append(torch.zeros_like(leaf) if leaf.grad is None else leaf.grad)
        return torch.stack(losses), [torch.stack(each) for each in gradients]

    def _keep(self, copies: Stacked, kept: Stacked, number: int) -> None:
        for name in copies:
            kept[name][number].copy_(self.slots.now(name).detach())


class _Losses(torch.autograd.Function):
    """The losses of candidates as a function of their parameters. A loss is a number, so that its gradient is known
    but for a factor once the loss is; thus all of a candidate's backward pass can happen while its tensors stand in the
    module, and by `backward`, to which reentrant checkpoints are bound."""

    @staticmethod
    def forward(ctx: Any, each: OneByOne, names: Sequence[str], kept: Stacked, *params: Tensor) -> Tensor:
        with torch.enable_grad():
            losses, gradients = each.losses_and_gradients(dict(zip(names, params, strict=True)), kept)
        ctx.save_for_backward(*gradients)
        return losses

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, factors: Tensor) -> tuple[Any, ...]:
        gradients = (each * factors.view(-1, *[1] * (each.dim() - 1)) for each in ctx.saved_tensors)
        return (None, None, None, *gradients)


def _rows(params: Stacked, kept: Stacked) -> Iterator[tuple[dict[str, Tensor], dict[str, Tensor]]]:
    """Yields the parameters of each candidate by name, and copies of what is kept for it. With `unbind` a backward pass
    stacks the gradients of all in one step."""
    rows = zip(*(tensor.unbind(0) for tensor in params.values()), strict=True)
    for number, row in enumerate(rows):
        yield dict(zip(params, row, strict=True)), {name: tensor[number].clone() for name, tensor in kept.items()}
