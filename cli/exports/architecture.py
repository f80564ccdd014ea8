"""Exports of architectures."""

from collections.abc import Mapping

from germline.cli.errors import UserError, exit_status, single_line
from germline.cli.exports.request import ExportRequest, ExportResult
from germline.cli.skeleton import skeleton_of
from germline.programs.architecture import onnx_file
from germline.programs.architecture.export import free_class_name, verified_torch
from germline.programs.architecture.genome import Architecture, read
from germline.programs.architecture.skeleton import Skeleton


def torch(request: ExportRequest) -> ExportResult:
    """Exports an nn.Module, verified against the full network in size and output."""
    name = request.class_name() if request.given_class_name else free_class_name(request.class_name())
    architecture, size = _network(request)
    try:
        verified = verified_torch(architecture, size, request.origin(), name)
    except ValueError as error:
        raise UserError(single_line(error), exit_status(error)) from None
    return ExportResult(
        verified,
        description=f"class {name}(nn.Module)",
        comparison=_comparison(verified.facts),
        usage=f"net = {name}()",
    )


def onnx(request: ExportRequest) -> ExportResult:
    """Exports the full network in evaluation mode as ONNX, verified by the logits of onnxruntime."""
    architecture, size = _network(request)
    verified = onnx_file.verified_onnx(architecture, size, request.origin())
    return ExportResult(
        verified,
        description=f"an ONNX network for images {list(size.image)}; its weights are {onnx_file.WEIGHTS}",
        comparison=_comparison(verified.facts),
        usage="session.run(['logits'], {'images': images})",
    )


def _network(request: ExportRequest) -> tuple[Architecture, Skeleton]:
    """The architecture and the skeleton of its full network."""
    architecture = read(request.candidate.genome)
    return architecture, skeleton_of(request.candidate, architecture, **request.sizes)


def _comparison(facts: Mapping[str, int]) -> str:
    return f"its network ({', '.join(f'{number:,} {name}' for name, number in facts.items())})"
