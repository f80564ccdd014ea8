"""A program as the text of a Python file with one `torch.optim.Optimizer` in it.

The file imports torch and the standard library only, and is written for readers: the program's own lines in their
order, its constants as constructor arguments, and a docstring with its origin.
"""

import textwrap
from collections.abc import Mapping

from germline.programs.export.names import check_class_name
from germline.programs.export.origin import Origin
from germline.programs.optimizer.export.expressions import PreparedProgram
from germline.programs.optimizer.export.group_step import group_step_lines
from germline.programs.optimizer.export.helpers import helpers_for
from germline.programs.optimizer.export.learning_rate import find_learning_rate
from germline.programs.optimizer.export.names import Place, hyperparameters, rename, without_unread_copies
from germline.programs.optimizer.export.parameter_step import STATE, indent, parameter_step_lines
from germline.programs.optimizer.graph import live_program, trace
from germline.programs.optimizer.program import Argument, Program
from germline.programs.optimizer.text import parse, write, write_statement

WIDTH = 88
"""The longest line of code, which no formatter wraps."""

TOLERANCE = 1e-6
"""The largest relative difference allowed between an exported file and its program; most files have no difference."""

STEPS = 20
"""The number of steps over which a file is compared with its program."""

_MEANINGS = {
    "interp": ("interp(x, y, a)", "(1 - a) * x + a * y"),
    "/": ("x / y", "x / (y + 1e-8)"),
    "sqrt": ("sqrt(x)", "sqrt(|x|)"),
    "log": ("log(x)", "log(|x|)"),
    "log2": ("log2(x)", "log2(|x|)"),
    "log10": ("log10(x)", "log10(|x|)"),
    "log1p": ("log1p(x)", "log(|1 + x|)"),
    "clip": ("clip(x, c)", "x * min(c / global_norm(x), 1)"),
    "cosine_sim": ("cosine_sim(x, y)", "dot(x, y) / (global_norm(x) * global_norm(y))"),
    "greater": ("greater(x, y)", "1 where x > y, else 0"),
    "where": ("where(c, x, y)", "x where c > 0, else y"),
}


def export_torch(program: Program, origin: Origin, class_name: str, exact: bool = False) -> str:
    """The text of a file that defines `class_name`, a `torch.optim.Optimizer` that does what `program` does.

    Args:
        program: the program to export; its dead statements and states are left out.
        origin: where it comes from, for the docstring.
        class_name: the name of the class.
        exact: True keeps the operations of the interpreter bit for bit. False merges the constant factor of the update
            into `lr`, if the update is proportional to `lr` and nothing else reads it.

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
    fixed = rate.literals if simplified is None else frozenset()
    # While a line is too long, names are cut shorter; with names of four characters every line fits.
    for longest in (40, 24, 16, 12, 8, 6, 4):
        prepared = _prepare(simplified or program, simplified is not None, rate.default, fixed, longest)
        step = group_step_lines(prepared) if prepared.whole_tree else parameter_step_lines(prepared)
        step = indent(step, 3)
        if all(len(line) <= WIDTH for line in step):
            break
    return _file(prepared, step, origin, class_name)


def _prepare(
    program: Program, lr_is_rate: bool, default_rate: float, fixed: frozenset[Place], longest: int
) -> PreparedProgram:
    """The program with names of at most `longest` characters; literals at the places `fixed` get no name."""
    names = hyperparameters(program, fixed)
    program = rename(program, set(names.values()), longest)
    needed = set(program.returns)
    for line in reversed(program.body):
        needed.discard(line.target)
        needed.update(arg for arg in line.args if isinstance(arg, str))
    return PreparedProgram(
        program, trace(program), lr_is_rate, default_rate, names, frozenset(needed & set(program.inputs))
    )


def _file(prepared: PreparedProgram, step: list[str], origin: Origin, class_name: str) -> str:
    """The text of the file; `step` is the body of the loop over parameter groups."""
    numbers = {name: prepared.program.body[i].args[j] for (i, j), name in prepared.hyperparameters.items()}
    body = "\n".join(
        [
            f"class {class_name}(torch.optim.Optimizer):",
            *indent(_docstring(prepared, origin)),
            "",
            *indent(_constructor(prepared, numbers)),
            "",
            *indent(_METHODS.strip("\n").splitlines()),
            *step,
            *indent(["return loss"], 2),
            "",
            *indent(_ready(prepared, class_name)),
            "",
            *([] if not prepared.leaf_states else [*indent(_LOAD.strip("\n").splitlines()), ""]),
        ]
    )
    helpers = helpers_for(body)
    return _HEADER.format(class_name) + (f"\n\n{helpers}" if helpers else "") + f"\n\n{body}"


def _docstring(prepared: PreparedProgram, origin: Origin) -> list[str]:
    """The docstring of the class."""
    program = prepared.program
    functions = {line.function for line in program.body}
    meanings = [f"{form} means {meaning}" for name, (form, meaning) in _MEANINGS.items() if name in functions]
    text = ['"""Turns a parameter `w` with the gradient `g` into `w - update`, by this rule:', ""]
    text += [*indent(_rule_text(program)), ""]
    if meanings:
        text += ["There,", *indent(meanings), ""]
    if program.states:
        text.append(f"States start at zero: {', '.join(state.name for state in program.states)}.")
    if prepared.whole_tree:
        text += [
            "Each parameter group is one tree: what the rule takes over all parameters, it takes over",
            "those of the group that have a gradient.",
        ]
    text += [
        "Half-precision parameters are updated in float32, and their states are kept in it.",
        "",
        *origin.lines(),
        f"Checked: equals the program that was searched to {TOLERANCE:g} (relative, over {STEPS} steps)",
        "",
        "Args:",
        *indent(["params: parameters to optimize, or dicts that define parameter groups", *_lr_text(prepared)]),
    ]
    for (i, j), name in prepared.hyperparameters.items():
        text += indent([f"{name}: the {program.body[i].args[j]!r} of `{write_statement(program.body[i])}`"])
    return [*text, '"""']


def _rule_text(program: Program) -> list[str]:
    """The program's own text, wrapped to the width of the docstring."""
    lines = []
    for line in write(program).splitlines():
        deeper = " " * (len(line) - len(line.lstrip()) + 4)
        lines += textwrap.wrap(line, WIDTH - 4, subsequent_indent=deeper, break_long_words=False)
    return lines


def _lr_text(prepared: PreparedProgram) -> list[str]:
    """The documentation of the argument `lr`."""
    if "lr" not in prepared.inputs_read:
        return ["lr: not read by this rule; it is there for schedulers"]
    if prepared.lr_is_rate:
        return ["lr: learning rate"]
    schedule_value = "lr" if prepared.default_rate == 1.0 else f"lr / {prepared.default_rate!r}"
    return [f"lr: learning rate; the rule reads {schedule_value}, a schedule's value, 1 at the default"]


def _constructor(prepared: PreparedProgram, numbers: Mapping[str, Argument]) -> list[str]:
    """The constructor, whose defaults are the program's literals."""
    items = ", ".join(f'"{name}": {name}' for name in ("lr", *numbers))
    defaults = [f"    defaults = {{{items}}}"]
    if len(defaults[0]) + 4 > WIDTH:
        defaults = ["    defaults = {", *(f'        "{name}": {name},' for name in ("lr", *numbers)), "    }"]
    return [
        "def __init__(",
        "    self,",
        "    params: Iterable[torch.Tensor] | Iterable[dict[str, Any]],",
        f"    lr: float | torch.Tensor = {prepared.default_rate!r},",
        *(f"    {name}: float = {number!r}," for name, number in numbers.items()),
        ") -> None:",
        *defaults,
        "    super().__init__(params, defaults)",
    ]


def _ready(prepared: PreparedProgram, class_name: str) -> list[str]:
    """The method that returns the parameters with a gradient and creates their states."""
    program = prepared.program
    starts = [f"{STATE.format(state.name)} = {_START[state.shape]}" for state in prepared.leaf_states]
    if program.step and not prepared.whole_tree:
        starts.append('state["step"] = 0')
    lines = [
        "def _ready(self, group: dict[str, Any]) -> list[torch.Tensor]:",
        f'    """The parameters of a group that have a gradient{", their states made" if starts else ""}."""',
        '    params = [p for p in group["params"] if p.grad is not None]',
        "    for p in params:",
        "        if p.grad.layout != torch.strided:",
        f'            raise RuntimeError("{class_name} does not support sparse gradients")',
        "        if p.is_complex():",
        f'            raise RuntimeError("{class_name} does not support complex parameters")',
    ]
    if starts:
        lines += ["        state = self.state[p]", "        if not state:"]
        lines += indent((["w = _widen(p)"] if prepared.leaf_states else []) + starts, 3)
    return [*lines, "    return params"]


_START = {
    "tree": "torch.zeros_like(w)",
    "leaf": "w.new_zeros(())",
    "row": "torch.zeros_like(_row_mean(w))",
    "column": "torch.zeros_like(_column_mean(w))",
}

_HEADER = '''"""{}, a PyTorch optimizer exported by Germline."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
'''

_METHODS = '''
def add_param_group(self, param_group: dict[str, Any]) -> None:
    """Add a group of parameters, which may have hyper-parameters of its own."""
    options = {**self.defaults, **param_group}
    for name in self.defaults:
        value = options[name]
        number = isinstance(value, (float, int, torch.Tensor))
        if not number or not math.isfinite(value):
            raise ValueError(f"expected a finite number as {name}, got {value!r}")
    if options["lr"] < 0:
        raise ValueError(f"expected lr at or above 0, got {options['lr']!r}")
    super().add_param_group(param_group)

@torch.no_grad()
def step(self, closure: Callable[[], Any] | None = None) -> Any:
    """Update the parameters once; `closure`, if given, computes the loss again."""
    loss = None
    if closure is not None:
        with torch.enable_grad():
            loss = closure()

    for group in self.param_groups:
'''

_LOAD = '''
def load_state_dict(self, state_dict: dict[str, Any]) -> None:
    """Load what `state_dict` returned; states keep the precision they were saved in."""
    super().load_state_dict(state_dict)
    # The base class has cast the states to the precision of their parameters.
    keys = [key for group in state_dict["param_groups"] for key in group["params"]]
    params = [p for group in self.param_groups for p in group["params"]]
    for key, p in zip(keys, params):
        for name, value in state_dict["state"].get(key, {}).items():
            if isinstance(value, torch.Tensor):
                self.state[p][name] = value.to(p.device)
'''
