"""Loss and accuracy of classifiers, for many candidates at once."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

Params = Mapping[str, Tensor]


def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Returns the mean cross entropy of each candidate in nats.

    Examples are the last axis on purpose: torch's softmax over the last axis rounds a row differently depending on its
    place in memory, so that a candidate's loss would depend on the other candidates.

    Args:
        logits: float32 of shape `[N, classes, examples]`.
        target: int64 of shape `[examples]`.

    Returns:
        A tensor of shape `[N]`.
    """
    return F.cross_entropy(logits, target.expand(len(logits), -1), reduction="none").mean(1)


def loss_and_accuracy(logits: Tensor, target: Tensor) -> Tensor:
    """Returns mean cross entropy in nats and accuracy (0 to 1) of each candidate, `[N, 2]`; see `cross_entropy`."""
    correct = (logits.argmax(1) == target).float().mean(1)
    return torch.stack([cross_entropy(logits, target), correct], dim=1)
