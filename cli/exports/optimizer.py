"""Exports of optimizers."""

from germline.cli.exports.request import ExportRequest, ExportResult
from germline.programs.optimizer import parse
from germline.programs.optimizer.export import verified_torch


def torch(request: ExportRequest) -> ExportResult:
    """Exports a torch.optim.Optimizer, verified against the interpreter."""
    name = request.class_name()
    return ExportResult(
        verified_torch(parse(request.candidate.genome), request.origin(), name),
        description=f"class {name}(torch.optim.Optimizer)",
        comparison="the interpreter",
        usage=f"optimizer = {name}(model.parameters())",
    )
