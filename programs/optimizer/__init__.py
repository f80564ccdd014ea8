"""Optimizer programs: the language and its text form, types and shapes (`trace`), mutation, fingerprint, interpreter,
library, simplification and exports."""

from germline.programs.optimizer.graph import Graph, trace
from germline.programs.optimizer.library import library
from germline.programs.optimizer.program import InvalidProgram, Program, Statement
from germline.programs.optimizer.text import parse, write

__all__ = ["Graph", "InvalidProgram", "Program", "Statement", "library", "parse", "trace", "write"]
