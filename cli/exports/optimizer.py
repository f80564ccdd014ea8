"""Exports of optimizers."""

import importlib

from germline.cli.errors import UserError
from germline.cli.exports.request import ExportRequest, ExportResult
from germline.cli.interrupts import deferred_signals
from germline.programs.optimizer import parse
from germline.programs.optimizer.export import verified_torch
from germline.programs.optimizer.optax_export import verified_optax


def torch(request: ExportRequest) -> ExportResult:
    """Exports a torch.optim.Optimizer, verified against the interpreter."""
    name = request.class_name()
    _import_compiler()
    return ExportResult(
        verified_torch(parse(request.candidate.genome), request.origin(), name),
        description=f"class {name}(torch.optim.Optimizer)",
        comparison="the interpreter",
        usage=f"optimizer = {name}(model.parameters())",
    )


def optax(request: ExportRequest) -> ExportResult:
    """Exports a function that returns an optax optimizer, verified against the interpreter."""
    verified = verified_optax(parse(request.candidate.genome), request.origin(), request.class_name())
    return ExportResult(
        verified,
        description=f"function {verified.class_name}() -> optax.GradientTransformationExtraArgs",
        comparison="the interpreter",
        usage=f"optimizer = {verified.class_name}()",
    )


def _import_compiler() -> None:
    """Imports what the first optimizer of torch imports. An exception within its C++ code would abort the process, so
    signals wait for the end of the import.

    Raises:
        UserError: a signal has arrived.
    """
    with deferred_signals() as noted:
        importlib.import_module("torch._dynamo")
    if noted:
        raise UserError("interrupted; nothing is written", 128 + noted[0])
