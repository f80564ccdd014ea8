"""Optimizer programs: language, abstract execution, fingerprint, variation, interpreter and library."""

from germline.programs.optimizer.graph import Graph, trace
from germline.programs.optimizer.library import library
from germline.programs.optimizer.program import InvalidProgram, Program, Statement
from germline.programs.optimizer.text import parse, write

__all__ = ["Graph", "InvalidProgram", "Program", "Statement", "library", "parse", "trace", "write"]
