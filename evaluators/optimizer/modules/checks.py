"""What is checked of a module and its examples before candidates train with them: mistakes that training would hide."""

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from germline.evaluators.errors import InvalidTask
from germline.evaluators.optimizer.modules.plain_values import attributes_of, numbers_of
from germline.evaluators.optimizer.modules.template import recorded_call

IGNORED = -100
"""The target of an example that the cross entropy of torch leaves out."""
LOOKED_AT = 10_000_000
"""Numbers of a column that are looked at, so that a large data set is checked in a fraction of a second."""
REPEATED = 1e-6
"""Relative difference at which the losses of two calls with the same numbers count as different."""

ModuleLoss = Callable[[nn.Module], Tensor]
"""The loss of a module on the first examples."""


def check_numbers(columns: Sequence[Tensor]) -> None:
    """Refuses examples that hold NaN or infinite numbers.

    Args:
        columns: tensors with a row for each example, the targets last.

    Raises:
        InvalidTask: it names the column and the first such row.
    """
    for number, column in enumerate(columns):
        part = _first_numbers(column)
        if not part.is_floating_point() or not part.numel() or (part.amax() - part.amin()).isfinite():
            continue
        wrong = (~part.isfinite()).flatten(1).any(1) if part.dim() > 1 else ~part.isfinite()
        if not wrong.any():
            continue
        row = int(wrong.nonzero()[0])
        what = "the targets of data hold" if number == len(columns) - 1 else f"tensor {number} of data holds"
        value = "NaN" if part[row].isnan().any() else "an infinite number"
        raise InvalidTask(f"{what} {value}, first in row {row}: leave such examples out, or replace the number")


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


def check_repeats(module: nn.Module, score: ModuleLoss) -> None:
    """Refuses a module whose loss depends on what earlier calls left behind elsewhere than in its tensors.

    Such a state would be shared by all candidates, and lost between training and measuring, which use modules of their
    own.

    Args:
        module: with its initial weights.
        score: its loss on the first examples, which it gets anew each time.

    Raises:
        InvalidTask: it names the attributes that change, if there are any.
    """
    losses: dict[bool, list[float]] = {True: [], False: []}
    register = "register it as a buffer, so that each candidate has its own"
    attributes = attributes_of(module)
    for training in (False, True, True, False, False):
        module.train(training)
        numbers = numbers_of(module)
        losses[training].append(float(recorded_call(module, lambda: score(module).detach()).result))
        counted = [name for name, value in numbers_of(module).items() if numbers.get(name, value) != value]
        # A counter may have an effect only after many calls, or a very small one.
        if counted and len(losses[training]) > 1:
            raise InvalidTask(f"each call of the model changes {', '.join(counted[:3])}: {register}")
    for first, *others in losses.values():
        again = max(others, key=lambda loss: abs(first - loss))
        if first != again and not abs(first - again) <= REPEATED * abs(first):
            after = attributes_of(module)
            changed = [name for name, value in after.items() if attributes.get(name, after) is not value]
            cause = (
                f"{', '.join(changed[:3])} changed: {register}"
                if changed
                else "if it draws random numbers, draw them from the global generators of torch, numpy or Python, "
                "which are seeded; if it counts or keeps something in a hook or a function, let that be a buffer"
            )
            raise InvalidTask(
                f"two calls with the same weights and examples give the losses {first:.6g} and {again:.6g}; {cause}"
            )


def _first_numbers(column: Tensor) -> Tensor:
    """The first rows of a column, of about `LOOKED_AT` numbers together."""
    each = column[0].numel() if len(column) else 1
    return column[: max(1, LOOKED_AT // max(1, each))]
