"""What a classifier written for many candidates loses and gets right."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

Params = Mapping[str, Tensor]


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
