"""What is checked of a module and its examples before candidates train with them: mistakes that training would hide."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from germline.evaluators.errors import InvalidTask
from germline.evaluators.optimizer.modules.template import tried

IGNORED = -100
"""The target of an example that the cross entropy of torch leaves out."""
LOOKED_AT = 10_000_000
"""Numbers of a column that are looked at, so that a large data set is checked in a fraction of a second."""
TOLERANCE = 1e-3
"""Relative difference at which the losses and gradients of two ways to compute them count as different."""
REPEATED = 1e-6
"""Relative difference at which the losses of two calls with the same numbers count as different."""

Score = Callable[[nn.Module], Tensor]
"""The loss of a module on the first examples."""


def check_numbers(columns: Sequence[Tensor]) -> None:
    """Refuses examples that hold NaN.

    Args:
        columns: tensors with a row for each example, the targets last.

    Raises:
        InvalidTask: it names the column and the first such row.
    """
    for number, column in enumerate(columns):
        part = _first_numbers(column)
        if not part.is_floating_point() or not part.numel() or not part.amax().isnan():
            continue
        row = int(part.flatten(1).isnan().any(1).nonzero()[0]) if part.dim() > 1 else int(part.isnan().nonzero()[0])
        what = "targets" if number == len(columns) - 1 else f"tensor {number}"
        raise InvalidTask(f"the {what} of data hold NaN, first in row {row}: leave such examples out")


def check_classes(output: Tensor, targets: Tensor) -> None:
    """Refuses targets that are not classes on the last axis of a model's output.

    Args:
        output: of the model, `[batch, …, classes]`.
        targets: whole numbers, a row for each example.

    Raises:
        InvalidTask: a target is no class.
    """
    part = _first_numbers(targets).long()
    classes = output.shape[-1]
    wrong = ((part < 0) & (part != IGNORED)) | (part >= classes)
    if wrong.any():
        raise InvalidTask(
            f"expected targets from 0 to {classes - 1}, since the output of the model has {classes} classes on its "
            f"last axis, or {IGNORED} for what the loss ignores; got {int(part[wrong][0])}"
        )


def check_repeats(module: nn.Module, score: Score) -> None:
    """Refuses a module whose loss depends on what earlier calls left behind elsewhere than in its tensors.

    Such a state would be shared by all candidates, and lost between training and measuring, which use modules of their
    own.

    Args:
        module: with its initial weights.
        score: its loss on the first examples, which it gets anew each time.

    Raises:
        InvalidTask: it names the attributes that change, if there are any.
    """
    losses: list[float] = []
    before = _attributes(module)
    for training in (False, True, False, True):
        module.train(training)
        losses.append(float(tried(module, lambda: score(module).detach()).result))
    for first, again in (losses[0::2], losses[1::2]):
        if first != again and not abs(first - again) <= REPEATED * abs(first):
            after = _attributes(module)
            changed = [name for name, value in after.items() if before.get(name, after) is not value]
            cause = (
                f"{', '.join(changed[:3])} changed: register it as a buffer, so that each candidate has its own"
                if changed
                else "draw random numbers from the global generators of torch, numpy or Python, which are seeded"
            )
            raise InvalidTask(
                f"two calls with the same weights and examples give the losses {first:.6g} and {again:.6g}; {cause}"
            )


def check_gradients(module: nn.Module, score: Score, ours: Mapping[str, Tensor]) -> None:
    """Refuses a module of which parameters are used elsewhere than in their places, where candidates have theirs.

    Args:
        module: in the mode in which `ours` were computed, with the same weights.
        score: its loss on the first examples.
        ours: the gradient of each trained parameter as candidates get it, by name.

    Raises:
        InvalidTask: a gradient is another than that of the module itself; it names the parameters.
    """
    parameters = {name: each for name, each in module.named_parameters() if each.requires_grad}
    leaves = list(parameters.values())
    seen = tried(module, lambda: torch.autograd.grad(score(module), leaves, allow_unused=True, materialize_grads=True))
    plain: dict[str, Tensor] = dict(zip(parameters, seen.result, strict=True))
    slack = TOLERANCE * max(float(each.abs().max()) for each in plain.values() if each.numel())
    wrong = [name for name in parameters if not bool(((plain[name] - ours[name]).abs() <= slack).all())]
    if wrong:
        raise InvalidTask(
            f"the gradient of {', '.join(wrong[:3])} is another than that of the module by itself: the module also "
            "holds it in a list, a tuple or a function, which candidates cannot replace; use it as an attribute alone, "
            "or in an nn.ParameterList"
        )


def _first_numbers(column: Tensor) -> Tensor:
    """The first rows of a column, of about `LOOKED_AT` numbers together."""
    each = column[0].numel() if len(column) else 1
    return column[: max(1, LOOKED_AT // max(1, each))]


def _attributes(module: nn.Module) -> dict[str, Any]:
    """The plain attributes of all layers, such as counters and cached tensors, by name."""
    ours = set(vars(nn.Module()))
    return {
        f"{prefix}.{name}" if prefix else name: value
        for prefix, layer in module.named_modules()
        for name, value in vars(layer).items()
        if name not in ours
    }
