"""A program as the text of a Python file with one `torch.optim.Optimizer` in it.

The file imports torch and the standard library only. The class follows torch.optim: its constructor takes the program's
constants as the field names them, and a step runs in-place kernels, for one parameter after another or for all of them
at once (`foreach`).
"""

import textwrap
from dataclasses import replace

from germline.programs.export.names import check_class_name
from germline.programs.export.origin import Origin
from germline.programs.optimizer.export import arguments as hyper
from germline.programs.optimizer.export.class_text import Parts, class_text
from germline.programs.optimizer.export.emit import Emitter, list_names
from germline.programs.optimizer.export.formula import formulas
from germline.programs.optimizer.export.helpers import helpers_for
from germline.programs.optimizer.export.learning_rate import find_learning_rate
from germline.programs.optimizer.export.lowering import lower
from germline.programs.optimizer.export.names import rename, without_unread_copies
from germline.programs.optimizer.export.prepared import PreparedProgram
from germline.programs.optimizer.export.signs import Place, nonnegative
from germline.programs.optimizer.graph import live_program, trace
from germline.programs.optimizer.program import Program
from germline.programs.optimizer.text import parse, write

WIDTH = 88
"""The longest line of code, which no formatter wraps."""

TOLERANCE = 1e-9
"""The largest relative difference of an element allowed between an exported file and its program, in float64."""

STEPS = 20
"""The number of steps over which a file is compared with its program."""

_LENGTHS = (40, 24, 16, 12, 8, 6, 4)
"""While a line is too long, names are cut shorter."""


def export_torch(program: Program, origin: Origin, class_name: str, exact: bool = False) -> str:
    """The text of a file that defines `class_name`, a `torch.optim.Optimizer` that does what `program` does.

    Args:
        program: the program to export; its dead statements and states are left out.
        origin: where it comes from, for the docstring.
        class_name: the name of the class.
        exact: True computes every statement as the interpreter does, bit for bit, in a new tensor. False merges the
            constant factor of the update into `lr` and uses in-place kernels, which round differently.

    Raises:
        InvalidProgram: the program does not pass abstract execution, or has a name outside of the language.
        ValueError: no class can have the name.
    """
    check_class_name(class_name)
    # Parsing the program's own text proves that it consists of names and numbers only.
    program = parse(write(program))
    program = without_unread_copies(live_program(program))
    rate = find_learning_rate(program)
    simplified = None if exact else rate.simplified
    fixed = rate.literals if simplified is None else frozenset[Place]()
    arguments = hyper.hyper_parameters(simplified or program, fixed)
    body, facts = "", frozenset(origin.lines())
    for longest in _LENGTHS:
        names = [*(argument.name for argument in arguments), *hyper.ranges(arguments)]
        renamed = rename(simplified or program, names, longest)
        prepared = PreparedProgram(
            renamed,
            trace(renamed),
            simplified is not None,
            rate.default,
            hyper.variables(arguments),
            hyper.ranges(arguments),
            exact,
        )
        meanings = (argument.meaning for argument in hyper.hyper_parameters(renamed, fixed))
        described = tuple(replace(own, meaning=meaning) for own, meaning in zip(arguments, meanings, strict=True))
        body = _body(prepared, described, origin, class_name)
        if all(len(line) <= WIDTH for line in body.splitlines() if line.strip() not in facts):
            break
    helpers = helpers_for(body)
    return f"{_HEADER.format(class_name, _imports(body))}\n{helpers}\n\n{body}"


def _body(
    prepared: PreparedProgram, arguments: tuple[hyper.HyperParameter, ...], origin: Origin, class_name: str
) -> str:
    """The text of the file after the helper functions."""
    step = lower(prepared)
    lists = list_names(step, prepared.names.values())
    single = Emitter(step, lists, WIDTH - 8)
    foreach = Emitter(step, lists, WIDTH - (4 if prepared.whole_tree else 8))
    parts = Parts(
        prepared,
        arguments,
        lists,
        step,
        single.head(),
        single.single(),
        foreach.foreach(),
        _docstring(prepared, arguments, origin),
    )
    return class_text(parts, class_name)


def _imports(body: str) -> str:
    """The names that the file imports from torch.optim.optimizer."""
    names = ["ParamsT", *(name for name in ("_default_to_fused_or_foreach", "_view_as_real") if name in body)]
    return ", ".join(names)


def _docstring(prepared: PreparedProgram, arguments: tuple[hyper.HyperParameter, ...], origin: Origin) -> list[str]:
    """The docstring of the class."""
    program = prepared.program
    signs = nonnegative(program, prepared.graph)
    positive = frozenset(
        i
        for i, line in enumerate(program.body)
        if line.function == "sqrt" and prepared.graph.nodes[prepared.graph.statements[i]].args[0] in signs
    )
    rate = None if prepared.lr_is_rate or prepared.default_rate == 1.0 else f"lr / {prepared.default_rate!r}"
    lines = formulas(program, prepared.names, rate, positive)
    functions = {line.function for line in program.body}
    meanings = [f"{form} is {meaning}" for name, (form, meaning) in _MEANINGS.items() if name in functions]
    text = ['"""The update of parameters `w` with gradients `g`, at each step:', ""]
    for line in lines:
        text += [f"    {part}" for part in textwrap.wrap(line, WIDTH - 12, subsequent_indent="    ")]
    text.append("")
    if program.states:
        names = ", ".join(f"`{state.name}`" for state in program.states)
        text += textwrap.wrap(
            f"The states {names} start at zero." if len(program.states) > 1 else f"The state {names} starts at zero.",
            WIDTH - 4,
        )
    if program.step:
        text.append("`step` is 1 at the first step.")
    text += meanings
    if prepared.whole_tree:
        text += ["What is taken over all parameters is taken over those of a group that have a gradient."]
    text += [
        "Half-precision parameters are updated in float32, and their states are kept in it.",
        "",
        "Args:",
        "    params: parameters, named parameters, or dicts that define parameter groups",
    ]
    items: list[tuple[str, float | tuple[float, ...], str]] = [("lr", prepared.default_rate, _lr_meaning(prepared))]
    items += [(argument.name, argument.default, argument.meaning) for argument in arguments]
    for name, default, meaning in items:
        text += textwrap.wrap(
            f"{name}: {meaning} (default: {default!r})",
            WIDTH - 4,
            initial_indent="    ",
            subsequent_indent="        ",
        )
    text += [
        "    foreach: use kernels for lists of tensors (default: None, as torch chooses)"
        if not prepared.whole_tree
        else "    foreach: not read, this rule always works on all parameters at once",
        "    maximize: maximize the objective instead of minimizing it (default: False)",
        "    capturable: safe to capture in a CUDA graph (default: False)",
        "    differentiable: not supported (default: False)",
        "",
        "Exported by Germline.",
        *origin.lines(),
        f"Verified: in {STEPS} steps, parameters and states equal those of the program that was",
        f"searched: each element to {TOLERANCE:g} in float64, and up to rounding in float32.",
        '"""',
    ]
    return text


def _lr_meaning(prepared: PreparedProgram) -> str:
    """What the argument `lr` means."""
    if not prepared.reads_lr:
        return "not read by this rule; it is there for schedulers"
    if prepared.lr_is_rate:
        return "learning rate"
    return "learning rate; the rule reads its ratio to the default"


_MEANINGS = {
    "clip": ("clip(x, c)", "x * min(c / global_norm(x), 1)"),
    "cosine_sim": ("cosine_sim(x, y)", "dot(x, y) / (global_norm(x) * global_norm(y))"),
    "greater": ("greater(x, y)", "1 where x > y, else 0"),
    "where": ("where(c, x, y)", "x where c > 0, else y"),
    "log1p": ("log1p(x)", "log|1 + x|"),
}

_HEADER = '''"""{0}, a PyTorch optimizer exported by Germline."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch.optim.optimizer import {1}
'''
