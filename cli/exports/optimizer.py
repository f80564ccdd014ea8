"""Exports of optimizers."""

import importlib
from dataclasses import replace

from germline.cli.errors import UserError
from germline.cli.exports.request import ExportRequest, ExportResult
from germline.cli.interrupts import deferred_signals
from germline.evaluators.optimizer.schedule import SCHEDULE
from germline.programs.export.origin import Origin
from germline.programs.optimizer import parse
from germline.programs.optimizer.export import verified_torch
from germline.programs.optimizer.optax_export import verified_optax


def torch(request: ExportRequest) -> ExportResult:
    """Exports a torch.optim.Optimizer, verified against the interpreter."""
    name = request.class_name()
    _import_compiler()
    return ExportResult(
        verified_torch(parse(request.candidate.genome), _origin(request), name),
        description=f"class {name}(torch.optim.Optimizer)",
        comparison="the interpreter",
        usage=f"optimizer = {name}(model.parameters())",
    )


def optax(request: ExportRequest) -> ExportResult:
    """Exports a function that returns an optax optimizer, verified against the interpreter."""
    verified = verified_optax(parse(request.candidate.genome), _origin(request), request.class_name())
    return ExportResult(
        verified,
        description=f"function {verified.class_name}() -> optax.GradientTransformationExtraArgs",
        comparison="the interpreter",
        usage=f"optimizer = {verified.class_name}()",
    )


def _origin(request: ExportRequest) -> Origin:
    """The origin of a program, with the schedule of its search."""
    origin = request.origin()
    return origin if origin.run is None else replace(origin, schedule=str(SCHEDULE))


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
