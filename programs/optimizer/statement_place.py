"""Where a statement stands in the text of its program, as messages say it."""

from germline.programs.optimizer.primitives import PRIMITIVES
from germline.programs.optimizer.program import Program
from germline.programs.optimizer.statement_text import expression

LONGEST = 60
"""The most characters of a nested expression that is written out; a longer one is shown by a name."""


def statement_place(program: Program, position: int) -> str:
    """The line and the expression of a statement, as the text has them: `line 2 (u = g + matmul(g, g))`.

    A statement that stands for a nested operation is shown as this operation, without the name that was made up for it.
    Without lines in the program, statements are counted: `statement 3 (u = g + t2)`.
    """
    line = program.body[position]
    if len(program.lines) != len(program.body):
        return f"statement {position + 1} ({line.target} = {expression(line)})"
    number, rest = program.lines[position], program.lines[position + 1 :]
    nested: dict[str, str] = {}
    for other in program.body[program.lines.index(number) : position]:
        text = expression(other, nested)
        shown = f"({text})" if PRIMITIVES[other.function].operator else text
        nested[other.target] = shown if len(text) <= LONGEST else other.target
    own = expression(line, nested)
    return f"line {number} ({own})" if number in rest else f"line {number} ({line.target} = {own})"
