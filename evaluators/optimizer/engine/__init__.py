"""Applies many different update programs at once, each to its own row of the parameters.

A program is traced (`programs.optimizer.graph`), lowered to micro-operations (`micro`) and assembled to bytecode
(`bytecode`). One compiled interpreter (`interpreter` on a CPU, `cuda` on a GPU) runs the bytecode of all rows
(`bytecode_rows`). Programs that bytecode cannot express run in plain torch (`torch_rows`).
"""

from germline.evaluators.optimizer.engine.engine import ProgramEngine as ProgramEngine
from germline.evaluators.optimizer.engine.engine import prepare as prepare
