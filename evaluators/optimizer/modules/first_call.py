"""The first call of a module, by which a task learns what the module needs, and refuses what fails."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from germline.evaluators.errors import InvalidTask, in_a_line, of_foreign_code, place_of
from germline.evaluators.optimizer.modules.template import CallRecord, recorded_call

Batch = tuple[Sequence[Tensor], Tensor]
"""Inputs and target of some examples."""
Measures = Callable[[Any, Tensor], dict[str, Tensor]]
"""The loss and other means of a batch by name, each of no axes, from a model's output and the target."""


def called_once(
    module: nn.Module, batch: Batch, measures_of: Measures, check: Callable[[Any, Tensor], None]
) -> CallRecord:
    """The record of a call of a module, in the mode in which it stands, on some examples.

    Args:
        module: on the device of the examples.
        batch: the examples, which stay as they are.
        measures_of: computes the loss and other measures; both are tried.
        check: is called with output and target, and may refuse them.

    Raises:
        InvalidTask: the call fails, or its loss is not finite, or, in training mode, depends on no parameter.
    """

    def call() -> dict[str, Tensor]:
        inputs, target = copied(batch)
        output = module(*inputs)
        check(output, target)
        return measures_of(output, target)

    record: CallRecord = explained(lambda: recorded_call(module, call), batch)
    loss: Tensor = record.result["loss"]
    if not loss.isfinite():
        raise InvalidTask(f"the loss of the untrained model on the first examples is {loss:.4g}")
    if module.training and not loss.requires_grad:
        raise InvalidTask(
            "the loss depends on no parameter of the model, so that nothing is trained: compute it from the output "
            "of the model with operations of torch, without detach(), item() or torch.no_grad()"
        )
    return record


def copied(batch: Batch) -> Batch:
    """Copies of examples, since a module or a criterion may write into what it gets."""
    inputs, target = batch
    return [part.clone() for part in inputs], target.clone()


def explained(call: Callable[[], Any], batch: Batch) -> Any:
    """What a call of a model or a criterion returns.

    Raises:
        InvalidTask: the call fails; it says on which shapes, and what to change if that is known.
    """
    inputs, target = batch
    try:
        return call()
    except InvalidTask:
        raise
    except of_foreign_code() as error:
        shapes = " and ".join(str(tuple(part.shape)) for part in inputs)
        raise InvalidTask(
            f"model or criterion failed on inputs {shapes} and targets {tuple(target.shape)} with "
            f"{in_a_line(error)}{place_of(error)}{_hint(inputs, str(error))}"
        ) from error


def _hint(inputs: Sequence[Tensor], message: str) -> str:
    """What to change in inputs whose dtype the model does not take; nothing if the dtype is not the cause."""
    if "dtype" not in message and "data type" not in message:
        return ""
    for number, part in enumerate(inputs):
        if part.is_complex():
            return f"; tensor {number} of data is complex: return torch.view_as_real of it"
        if part.dtype != torch.float32 and part.is_floating_point():
            return f"; tensor {number} of data is {part.dtype}: return it as float32, which candidates train in"
        if part.dtype == torch.bool:
            return f"; tensor {number} of data is bool: return it as float"
        if not part.is_floating_point():
            return "; whole numbers reach the model as int64: scale pictures to float in data()"
    return ""
