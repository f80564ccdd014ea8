"""A program as the text of a Python file with one `torch.optim.Optimizer` in it.

The file imports torch and the standard library only. The class follows torch.optim: its constructor takes the program's
constants as the field names them, and a step runs in-place kernels, for one parameter after another or for all of them
at once (`foreach`).
"""

import textwrap

from germline.programs.export.called_helpers import helpers_for
from germline.programs.export.names import check_class_name
from germline.programs.export.origin import Origin
from germline.programs.optimizer.export.arguments import HyperParameter
from germline.programs.optimizer.export.class_text import class_text
from germline.programs.optimizer.export.docstring import argument_lines, rate_meaning, rate_source, rule_lines
from germline.programs.optimizer.export.draft import WIDTH, draft_of, fitted
from germline.programs.optimizer.export.emit import Emitter, list_names
from germline.programs.optimizer.export.helpers import HELPERS
from germline.programs.optimizer.export.lowering import lower
from germline.programs.optimizer.export.parts import Parts
from germline.programs.optimizer.export.prepared import PreparedProgram
from germline.programs.optimizer.program import Program

TOLERANCE = 1e-9
"""The largest relative difference of an element allowed between an exported file and its program, in float64."""

STEPS = 20
"""The number of steps over which a file is compared with its program."""

_WHOLE = "What is taken over all parameters is taken over those of a group that have a gradient."

_READOUT = (
    "The model is evaluated with `{}` in the place of the parameters: call `optimizer.eval()` before it is used or "
    "saved, and `optimizer.train()` before it is trained on."
)


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
    draft = draft_of(program, exact)

    def write_body(longest: int) -> str:
        prepared = draft.prepared(draft.arguments, (), longest)
        return _body(prepared, draft.described(prepared), origin, class_name)

    body = fitted(write_body, frozenset(origin.lines()))
    helpers = helpers_for(body, HELPERS)
    return f"{_HEADER.format(class_name, _imports(body))}\n{helpers}\n\n{body}"


def _body(prepared: PreparedProgram, arguments: tuple[HyperParameter, ...], origin: Origin, class_name: str) -> str:
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


def _docstring(prepared: PreparedProgram, arguments: tuple[HyperParameter, ...], origin: Origin) -> list[str]:
    """The docstring of the class."""
    text = rule_lines(prepared, rate_source(prepared, "lr"))
    if prepared.whole_tree:
        text += textwrap.wrap(_WHOLE, WIDTH - 4)
    for state in prepared.leaf_states:
        if state.shape == "readout":
            text += textwrap.wrap(_READOUT.format(state.name), WIDTH - 4)
    text += [
        "Half-precision parameters are updated in float32, and their states are kept in it.",
        "",
        "Args:",
        "    params: parameters, named parameters, or dicts that define parameter groups",
    ]
    text += argument_lines([("lr", prepared.default_rate, rate_meaning(prepared))])
    text += argument_lines((argument.name, argument.default, argument.meaning) for argument in arguments)
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
        f"Verified: in {STEPS} steps, parameters and states equal those of the interpreter of the",
        f"search: each element to {TOLERANCE:g} in float64, and up to rounding in float32.",
        '"""',
    ]
    return text


_HEADER = '''"""{0}, a PyTorch optimizer exported by Germline."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch.optim.optimizer import {1}
'''
