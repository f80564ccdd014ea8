"""Lines of an exported optimizer's docstring that are the same for every target."""

import textwrap
from collections.abc import Iterable

from germline.programs.optimizer.export.draft import WIDTH
from germline.programs.optimizer.export.formula import formulas
from germline.programs.optimizer.export.prepared import PreparedProgram
from germline.programs.optimizer.export.signs import nonnegative


def rule_lines(prepared: PreparedProgram, rate: str | None) -> list[str]:
    """The update rule as formulas, the start of its states, and the meaning of functions that need words.

    Args:
        prepared: the program.
        rate: what `lr` is written as; None: `lr`.
    """
    program = prepared.program
    lines = ['"""The update of parameters `w` with gradients `g`, at each step:', ""]
    for formula in formulas(program, prepared.names, rate, _roots_of_nonnegatives(prepared)):
        lines += [f"    {part}" for part in textwrap.wrap(formula, WIDTH - 12, subsequent_indent="    ")]
    lines.append("")
    if program.states:
        names = ", ".join(f"`{state.name}`" for state in program.states)
        several = len(program.states) > 1
        start = f"The states {names} start at zero." if several else f"The state {names} starts at zero."
        lines += textwrap.wrap(start, WIDTH - 4)
    if program.step:
        lines.append("`step` is 1 at the first step.")
    if program.loss:
        lines.append("`loss` is the loss of the batch that gave the gradients, before the step.")
    functions = {line.function for line in program.body}
    return [*lines, *(f"{form} is {meaning}" for name, (form, meaning) in _MEANINGS.items() if name in functions)]


def argument_lines(arguments: Iterable[tuple[str, float | tuple[float, ...], str]]) -> list[str]:
    """The lines of arguments, given as name, default and meaning."""
    lines: list[str] = []
    for name, default, meaning in arguments:
        lines += textwrap.wrap(
            f"{name}: {meaning} (default: {default!r})",
            WIDTH - 4,
            initial_indent="    ",
            subsequent_indent="        ",
        )
    return lines


def rate_meaning(prepared: PreparedProgram) -> str:
    """What the learning rate means."""
    if not prepared.reads_lr:
        return "not read by this rule; it is there for schedulers"
    if prepared.lr_is_rate:
        return "learning rate"
    return "learning rate; the rule reads its ratio to the default"


def rate_source(prepared: PreparedProgram, name: str) -> str:
    """The program's `lr` as an expression of the argument with the given name."""
    return name if prepared.lr_is_rate or prepared.default_rate == 1.0 else f"{name} / {prepared.default_rate!r}"


def _roots_of_nonnegatives(prepared: PreparedProgram) -> frozenset[int]:
    """The positions of square roots whose argument is never negative."""
    signs = nonnegative(prepared.program, prepared.graph)
    return frozenset(
        i
        for i, line in enumerate(prepared.program.body)
        if line.function == "sqrt" and prepared.graph.nodes[prepared.graph.statements[i]].args[0] in signs
    )


_MEANINGS = {
    "clip": ("clip(x, c)", "x * min(c / global_norm(x), 1)"),
    "cosine_sim": ("cosine_sim(x, y)", "dot(x, y) / (global_norm(x) * global_norm(y))"),
    "greater": ("greater(x, y)", "1 where x > y, else 0"),
    "where": ("where(c, x, y)", "x where c > 0, else y"),
    "log1p": ("log1p(x)", "log|1 + x|"),
    "inverse_root": ("inverse_root(x)", "a symmetric matrix to the power -1/2"),
    "eigenbasis": ("eigenbasis(x, q)", "the orthogonal factor of x q"),
    "rotate_back": ("rotate_back(x, q)", "x times the transposed q"),
}
