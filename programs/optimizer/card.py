"""The language on a page, for a reader who is to write programs: made from the tables of the language."""

from germline.programs.optimizer.library import library_text
from germline.programs.optimizer.primitives import PRIMITIVES, Primitive
from germline.programs.optimizer.space import OptimizerSpace
from germline.programs.optimizer.text import parse, write

_EXAMPLE = "lion"
_INPUTS = {
    "step": "`step`, the number of the step from 1",
    "progress": "`progress`, the share of the training that is done",
    "loss": "`loss`, the training loss of the step",
}


def card(space: OptimizerSpace) -> str:
    """The rules and every function of a search, with what it computes in terms of torch.

    Args:
        space: the programs of the search; what it refuses is not on the card.
    """
    shapes = space.state_shapes
    declared = [PRIMITIVES[name] for name in space.functions if name != "invert"]
    readout = ["A state `x: readout` has the shape of w; the model is evaluated with what it keeps, and not with w."]
    return "\n".join(
        [
            "A program is the update rule of an optimizer, written as one Python function without control flow:",
            "",
            write(parse(library_text(_EXAMPLE))),
            "w are the parameters, g their gradients, lr the learning rate of the schedule. The names between g and lr",
            "are states: they start at zero and keep what the program returns for them. The optimizer subtracts the",
            "update from w. The program returns the update and then each state, in the order of the inputs.",
            f"Further inputs after lr may be {', '.join(_INPUTS[name] for name in space.optional_inputs)}.",
            f"A state has the shape of w, or declares another, as in `s: leaf`, out of {', '.join(shapes)}.",
            *(readout if "readout" in shapes else []),
            "Each line assigns a name; expressions may be nested. Literals are numbers. There are no other statements,",
            "no imports, no attributes and no Python functions. Names are assigned before they are used.",
            f"At most {space.max_statements} statements (each operation counts) and {space.limits.states} states.",
            "",
            "Functions, with what each computes; those without a mark act on each element and broadcast, those marked",
            "leaf act on each parameter tensor, those marked tree on all of them together:",
            *map(_line, declared),
        ]
    )


def _line(primitive: Primitive) -> str:
    names = ("x", "y", "z")[: primitive.arity]
    call = f"x {primitive.name} y" if primitive.operator else f"{primitive.name}({', '.join(names)})"
    mark = f"  [{primitive.scope}]" if primitive.scope in ("leaf", "tree") else ""
    meaning = primitive.source.format(*names)
    helper = meaning.startswith("_")  # a helper of exported code says no more than the name
    return f"  {call}{mark}" if helper else f"  {call} = {meaning}{mark}"
