"""Export of an optimizer program as a stand-alone PyTorch file, verified before it is written."""

from germline.programs.optimizer.export.source import TOLERANCE, export_torch
from germline.programs.optimizer.export.verify import (
    compare_torch,
    relative_difference,
    verified_torch,
    verify_torch,
)

__all__ = ["TOLERANCE", "compare_torch", "export_torch", "relative_difference", "verified_torch", "verify_torch"]
