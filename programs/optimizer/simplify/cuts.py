"""Cuts: the smaller programs that are left if a statement or a state goes, whatever that does to the updates."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from germline.programs.optimizer.program import InvalidProgram, Program, Statement
from germline.programs.optimizer.simplify.form import Form
from germline.programs.optimizer.simplify.rewriting import from_program
from germline.programs.optimizer.simplify.to_program import to_program
from germline.programs.optimizer.text import write, write_statement


@dataclass(frozen=True)
class Cut:
    """A program without one of its statements or states.

    Attributes:
        what: what goes, and what stands in its place: `g = clip(g, lr) → g`.
        program: what is left, without all on which no update depends any longer.
    """

    what: str
    program: Program


def cuts(program: Program) -> list[Cut]:
    """Every program that is left if a statement becomes one of its arguments, or a state becomes the gradient or zero.

    A term of a sum or a factor of a product, a constant too, goes where the sum or product becomes its other argument.
    Not listed are cuts whose types do not fit, that leave the same program as an earlier cut, or after which `lr` no
    longer scales the update if it did before: it is how the user of an optimizer sets the learning rate.

    Raises:
        InvalidProgram: the program does not pass abstract execution.
    """
    form = from_program(program)
    scaled = _is_scaled(form)
    result: dict[str, Cut] = {}
    for what, changed in _changes(program):
        try:
            smaller = from_program(changed)
        except InvalidProgram:
            continue
        if smaller.cost < form.cost and (_is_scaled(smaller) or not scaled):
            cut = Cut(what, to_program(smaller))
            result.setdefault(write(cut.program), cut)
    return list(result.values())


def _changes(program: Program) -> Iterator[tuple[str, Program]]:
    """Each change in words, and the program with a copy in the place of what goes."""
    for i, line in enumerate(program.body):
        for arg in dict.fromkeys(line.args):
            copy = Statement(line.target, "=", (arg,))
            what = f"{write_statement(line)} → {arg}"
            yield what, replace(program, body=(*program.body[:i], copy, *program.body[i + 1 :]))
    for state in program.states:
        for arg in ("g", 0.0):
            copy = Statement(state.name, "=", (arg,))
            yield f"state {state.name} → {arg}", replace(program, body=(copy, *program.body))


def _is_scaled(form: Form) -> bool:
    """True if `lr` is a factor of the update."""
    stack = [form.update]
    while stack:
        node = form.nodes[stack.pop()]
        if node.function == "input:lr":
            return True
        if node.function in ("*", "negative"):
            stack += node.args
        elif node.function == "/":
            stack.append(node.args[0])
    return False
