"""Export of an optimizer program as a stand-alone optax file, verified before it is written."""

from germline.programs.optimizer.optax_export.source import export_optax, function_name
from germline.programs.optimizer.optax_export.verify import OptaxMissing, verified_optax, verify_optax

__all__ = ["OptaxMissing", "export_optax", "function_name", "verified_optax", "verify_optax"]
