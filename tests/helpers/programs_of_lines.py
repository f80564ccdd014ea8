"""Optimizer programs written in a test, line by line."""

from germline.programs.optimizer import Program, parse


def program_of(signature: str, *lines: str) -> Program:
    """The program with these inputs, such as `w, g, m, lr`, and these statements, of which the last returns."""
    return parse("\n".join((f"def train({signature}):", *(f"  {line}" for line in lines))) + "\n")
