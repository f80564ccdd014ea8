"""Pieces that models written for many candidates share: packs that fit the cache, and what a classifier measures."""

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

Params = Mapping[str, Tensor]


def in_packs(loss: Callable[[Params], Tensor], params: Params, pack: int) -> Tensor:
    """Apply `loss` to `pack` candidates at a time on a CPU, and to all of them at once on any other device.

    On a CPU the activations of a small pack stay in the cache, which is worth up to a factor of two; on a GPU one
    launch for all candidates is what is fast. The result is the same bit for bit.

    Args:
        loss: takes parameters of `n` candidates, returns a tensor whose first axis is `n`.
        params: tensors of shape `[N, *leaf.shape]`.
        pack: how many candidates at a time.

    Returns:
        A tensor whose first axis is `N`.
    """
    first = next(iter(params.values()))
    if first.device.type != "cpu" or len(first) <= pack:
        return loss(params)
    packs = zip(*(torch.split(tensor, pack) for tensor in params.values()), strict=True)
    return torch.cat([loss(dict(zip(params, tensors, strict=True))) for tensors in packs])


def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """The mean cross entropy of each candidate in nats.

    The examples are the last axis on purpose: torch's softmax over the last axis rounds a row differently depending on
    where it lies in memory, so that a candidate's loss would depend on who else is in the batch.

    Args:
        logits: float32 of shape `[N, classes, examples]`.
        target: int64 of shape `[examples]`.

    Returns:
        A tensor of shape `[N]`.
    """
    return F.cross_entropy(logits, target.expand(len(logits), -1), reduction="none").mean(1)


def loss_and_accuracy(logits: Tensor, target: Tensor) -> Tensor:
    """Mean cross entropy in nats and the share of right answers: a tensor of shape `[N, 2]`."""
    right = (logits.argmax(1) == target).float().mean(1)
    return torch.stack([cross_entropy(logits, target), right], dim=1)
