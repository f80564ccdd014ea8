"""The table of exporters by kind and target. It imports torch, which takes seconds."""

from collections.abc import Callable
from dataclasses import dataclass

from germline.cli.candidate import Candidate
from germline.cli.errors import UserError
from germline.cli.exports import architecture, optimizer, policy
from germline.cli.exports.request import ExportRequest, ExportResult
from germline.search.kinds import kind_named


@dataclass(frozen=True)
class Exporter:
    """Export of candidates of one kind for one target.

    Attributes:
        export: makes and verifies the content of the file, and does not write it.
        has_weights_file: whether the weights go to a second file beside it.
    """

    export: Callable[[ExportRequest], ExportResult]
    has_weights_file: bool = False


EXPORTERS = {
    "optimizer": {"torch": Exporter(optimizer.torch), "optax": Exporter(optimizer.optax)},
    "architecture": {"torch": Exporter(architecture.torch), "onnx": Exporter(architecture.onnx)},
    "policy": {"torch": Exporter(policy.torch, has_weights_file=True), "onnx": Exporter(policy.onnx)},
}
"""Exporters by kind and target."""
_ARTICLES = {"optimizer": "an", "architecture": "an", "policy": "a"}


def exporter_of(candidate: Candidate, target: str) -> Exporter:
    """The exporter of a candidate's kind for a target.

    Raises:
        UnknownKind: this version does not know the candidate's kind.
        UserError: the kind has no exporter for the target.
    """
    exporters = EXPORTERS[kind_named(candidate.kind).name]
    if target not in exporters:
        kinds = [f"{_ARTICLES[kind]} {kind}" for kind, targets in EXPORTERS.items() if target in targets]
        raise UserError(
            f"expected {' or '.join(kinds)} for --to {target}, got {candidate.label} of kind {candidate.kind}; "
            f"write --to {' or '.join(exporters)}"
        )
    return exporters[target]
