"""Export of an optimizer program as a stand-alone PyTorch file, verified before it is written."""

from germline.programs.export.files import ExportUnwritable
from germline.programs.export.origin import Origin
from germline.programs.optimizer.export.names import class_name_for
from germline.programs.optimizer.export.source import TOLERANCE, export_torch
from germline.programs.optimizer.export.verify import ExportMismatch, relative_difference, verify_torch
from germline.programs.optimizer.export.write import Verified, verified_torch, write_verified

__all__ = [
    "TOLERANCE",
    "ExportMismatch",
    "ExportUnwritable",
    "Origin",
    "Verified",
    "class_name_for",
    "export_torch",
    "relative_difference",
    "verified_torch",
    "verify_torch",
    "write_verified",
]
