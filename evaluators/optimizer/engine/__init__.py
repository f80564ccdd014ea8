"""Applies many different update programs at once, each to its own row.

A program is traced (`programs.optimizer.graph`), lowered to micro-operations (`micro`), assembled to bytecode
(`bytecode`) and run with all others by an interpreter that is itself compiled (`interpreter`). What bytecode cannot
express runs in plain torch (`grouped`).
"""

from germline.evaluators.optimizer.engine.engine import ProgramEngine as ProgramEngine
from germline.evaluators.optimizer.engine.engine import prepare as prepare
