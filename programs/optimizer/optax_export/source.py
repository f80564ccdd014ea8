"""A program as the text of a Python file with one optax optimizer in it.

The file imports jax, jax.numpy, optax and the standard library's typing. Its function follows optax: arguments under
optax's names, a learning rate that may be a schedule, and a state that is a NamedTuple. A rule that looks at one
parameter at a time is a function of that parameter; any other rule maps each value over the tree.
"""

import re
import textwrap

from germline.programs.export.called_helpers import helpers_for
from germline.programs.export.names import RESERVED, check_class_name, numbered_name
from germline.programs.export.origin import Origin
from germline.programs.optimizer.export.arguments import HyperParameter
from germline.programs.optimizer.export.docstring import argument_lines, rate_meaning, rate_source, rule_lines
from germline.programs.optimizer.export.draft import WIDTH, draft_of, fitted
from germline.programs.optimizer.export.prepared import PreparedProgram
from germline.programs.optimizer.optax_export.arguments import optax_arguments
from germline.programs.optimizer.optax_export.function_text import Parts, function_text
from germline.programs.optimizer.optax_export.helpers import HELPERS
from germline.programs.optimizer.optax_export.lines import step_lines
from germline.programs.optimizer.program import Program

STEPS = 20
"""The number of steps over which a file is compared with its program."""

TOLERANCE = 1e-6
"""The largest difference allowed between an exported file and its program, relative to the largest element that a
tensor has had."""

_NAMES = (
    "jax", "jnp", "optax", "NamedTuple", "count", "updates", "params", "rule", "states", "learning_rate", "extra_args",
    "init_fn", "update_fn",
)  # fmt: skip
"""Names of the code around an exported optimizer's own lines."""


def function_name(class_name: str) -> str:
    """The name of the function for a class name of the torch export: `MyRun12` gives `my_run12`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", class_name).lower()
    return f"{words}_optimizer" if words in RESERVED or words in _NAMES else words


def export_optax(program: Program, origin: Origin, class_name: str, exact: bool = False) -> str:
    """The text of a file that defines a function which returns an optax optimizer that does what `program` does.

    Args:
        program: the program to export; its dead statements and states are left out.
        origin: where it comes from, for the docstring.
        class_name: the name of the class in the torch export; the function is named after it by `function_name`.
        exact: True computes every statement as the interpreter does. False merges the constant factor of the update
            into `learning_rate`, and reciprocals into quotients, which round differently.

    Raises:
        InvalidProgram: the program does not pass abstract execution, or has a name outside of the language.
        ValueError: no class can have the name.
    """
    check_class_name(class_name)
    name = function_name(class_name)
    draft = draft_of(program, exact)
    arguments = optax_arguments(draft.arguments)

    def write_body(longest: int) -> str:
        prepared = draft.prepared(arguments, _NAMES, longest)
        return _body(prepared, optax_arguments(draft.described(prepared)), origin, name)

    body = fitted(write_body, frozenset(origin.lines()))
    helpers = helpers_for(body, HELPERS)
    return f"{_HEADER.format(name)}\n{helpers}\n\n{body}"


def _body(prepared: PreparedProgram, arguments: tuple[HyperParameter, ...], origin: Origin, name: str) -> str:
    """The text of the file after the helper functions."""
    reserved = {*RESERVED, *_NAMES}
    step = step_lines(prepared, reserved)
    words = "".join(word[0].upper() + word[1:] for word in name.split("_") if word)
    state_class = numbered_name(f"{words}State", reserved)
    docstring = _docstring(prepared, arguments, origin)
    return function_text(Parts(name, state_class, prepared, arguments, step, docstring))


def _docstring(prepared: PreparedProgram, arguments: tuple[HyperParameter, ...], origin: Origin) -> list[str]:
    """The docstring of the function."""
    rate = f"{rate_meaning(prepared)}, or a schedule of it"
    whole = "What is taken over all parameters is taken over those that have a gradient."
    return [
        *rule_lines(prepared, rate_source(prepared, "learning_rate")),
        *([whole] if prepared.whole_tree else []),
        *(line for name in _readouts(prepared) for line in textwrap.wrap(_READOUT.format(name), WIDTH - 4)),
        *textwrap.wrap(_PRECISION, WIDTH - 4),
        "",
        "Args:",
        *argument_lines([("learning_rate", prepared.default_rate, rate)]),
        *argument_lines((argument.name, argument.default, argument.meaning) for argument in arguments),
        "",
        "Returns:",
        "    the optimizer; its `update` needs `params`" if _reads_parameters(prepared) else "    the optimizer",
        "",
        "Exported by Germline.",
        *origin.lines(),
        f"Verified: in {STEPS} steps, step by step and under jit, parameters and states equal",
        f"those of the search's interpreter: in float32 to {TOLERANCE:g} of the largest that a",
        "tensor has had, or as near as its own rounding allows, and to 1e-09 in float64.",
        '"""',
    ]


def _readouts(prepared: PreparedProgram) -> list[str]:
    """The states that are the read-out: at most one."""
    return [state.name for state in prepared.leaf_states if state.shape == "readout"]


def _reads_parameters(prepared: PreparedProgram) -> bool:
    """True if a step reads the parameters."""
    graph = prepared.graph
    w = prepared.program.inputs.index("w")
    return w in graph.live or w in (graph.update, *graph.next_states)


_READOUT = (
    "After the first update, evaluate the model with `state.{}` in the place of those parameters that have gradients; "
    "it is zero for the others."
)
_PRECISION = (
    "Half-precision parameters are updated in float32, and their states are kept in it; updates have the precision of "
    "the gradients."
)

_HEADER = '''"""{0}, an optax optimizer exported by Germline."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

'''
