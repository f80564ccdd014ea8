"""What a simplification says: each step in a line, and a paragraph about the program that came out."""

from collections.abc import Sequence
from dataclasses import dataclass

from germline.programs.optimizer.program import Program
from germline.programs.optimizer.simplify.engine import Simplified, Step
from germline.programs.optimizer.simplify.form import Form
from germline.programs.optimizer.simplify.rewriting import from_program
from germline.programs.optimizer.simplify.sums import weighted_sum

_OPTIONAL = {"step": "the step count", "progress": "the share of the training that is done", "loss": "the loss"}
"""What optional inputs are."""


@dataclass(frozen=True)
class Size:
    """How large a program is: statements, states by name, and literals."""

    statements: int
    states: tuple[str, ...]
    literals: int


def size_of(program: Program) -> Size:
    """The size of a program, dead parts included."""
    return Size(len(program.body), tuple(state.name for state in program.states), len(program.constants))


def what_went(step: Step) -> str:
    """What a step took away, or added: `1 statement, state v`; if nothing, what became better instead."""
    before, after = size_of(step.before), size_of(step.after)
    parts = [_change(before.statements - after.statements, "statement")]
    gone = [name for name in before.states if name not in after.states]
    parts.append(f"state{'s' if len(gone) > 1 else ''} {', '.join(gone)}" if gone else "")
    parts.append(_change(before.literals - after.literals, "constant"))
    return ", ".join(part for part in parts if part) or f"nothing; {_gain(step)}"


def _gain(step: Step) -> str:
    """What is better after a step that takes nothing away, in words."""
    if step.rewriting is None:
        return "written anew"
    before, after = step.rewriting.before.cost, step.rewriting.after.cost
    part = next((part for part, (old, new) in enumerate(zip(before, after, strict=True)) if new < old), None)
    return "a start for the next steps" if part is None or after[:part] > before[:part] else _GAINS[part]


_GAINS = (
    "a copy fewer",
    "single numbers in the place of tensors",
    "a constant in fewer places",
    "one number in the place of two",
    "fewer results wait for others",
    "fewer arguments",
)
"""What it means that a part of a form's cost became smaller; see `form.Cost`."""


def _change(fewer: int, noun: str) -> str:
    if not fewer:
        return ""
    count = abs(fewer)
    return f"{'' if fewer > 0 else '+'}{count} {noun}{'' if count == 1 else 's'}"


def paragraph(simplified: Simplified, nearest: Sequence[tuple[str, float]]) -> str:
    """What a simplified program is: size, states and what they hold, constants, and similar library programs."""
    given, program = size_of(simplified.given), size_of(simplified.program)
    statements, states = _count(program.statements, "statement"), _count(len(program.states), "state")
    sentences = [f"{statements} of {given.statements} and {states} of {len(given.states)} are left."]
    sentences += _states(simplified.program)
    hyperparameters = _hyperparameters(simplified.program)
    if hyperparameters:
        sentences.append(f"Hyper-parameters: {'; '.join(hyperparameters)}.")
    inputs = {node.function for node in from_program(simplified.program).nodes}
    read = [_OPTIONAL[name] for name in simplified.program.optional_inputs if f"input:{name}" in inputs]
    if read:
        sentences.append(f"It depends on {_listed(read)}.")
    alike = [f"library:{name} ({cosine:.2f})" for name, cosine in nearest]
    if alike:
        sentences.append(f"Its updates point most like those of {_listed(alike)}, by their mean cosine.")
    return " ".join(sentences)


def _states(program: Program) -> list[str]:
    """A sentence for each state."""
    form = from_program(program)
    sentences = []
    for k, (state, present, following) in enumerate(zip(form.states, form.present, form.following, strict=True)):
        total = weighted_sum(form, following, lambda at: False)
        if present not in total.weights:
            total = weighted_sum(form, following, lambda at: True)
        own = total.weights.get(present)
        what = "a value of the step before"
        if own is not None:
            others = sum(weight for node, weight in total.weights.items() if node != present)
            average = 0 < own < 1 and abs(own + others - 1) < 1e-9
            what = f"a moving average with decay {own:.6g}" if average else f"a sum with decay {own:.6g}"
            what = "a sum over all steps" if own == 1 else what
        elif (maximum := _own_factor(form, k, ("max",))) is not None:
            what = "a running maximum" if maximum == 1 else f"a running maximum with decay {maximum:.6g}"
        elif any(present in form.nodes[i].args for i in form.operations) and _depends(form.nodes, following, present):
            what = "a value that is updated from itself"
        shape = "" if state.shape == "tree" else f" ({state.shape})"
        sentences.append(f"State {state.name}{shape} is {what}.")
    return sentences


def _own_factor(form: Form, k: int, through: tuple[str, ...]) -> float | None:
    """The number by which a state enters its own next value, through some functions: 0.999 in `max(0.999 * u, x)`.

    None if it does not, and for the product with a number that the next value is without one of these functions.

    Args:
        form: the program.
        k: the position of the state.
        through: the functions that are taken apart.
    """
    present, stack = form.present[k], [form.following[k]]
    opened = False
    while stack:
        function, args, _, _ = form.nodes[stack.pop()]
        if function in through:
            opened = True
            if present in args:
                return 1.0
            stack += args
        elif function == "*" and opened and present in args:
            number = form.literal(args[0] if args[1] == present else args[1])
            if number is not None:
                return number
    return None


def _factors(form: Form) -> dict[str, dict[int, float]]:
    """The momentum of each state that has one, `0.9 * m + x` or `0.9 * (m + x)`, and the decays of averages and maxima
    that are written as products, by the nodes that such a number multiplies."""
    momenta: dict[int, float] = {}
    decays: dict[int, float] = {}
    for k, (present, following) in enumerate(zip(form.present, form.following, strict=True)):
        maximum = _own_factor(form, k, ("max",))
        if maximum is not None:
            decays[present] = maximum
        number = _own_factor(form, k, ("+", "-"))
        if number is not None:
            weights = weighted_sum(form, following, lambda at: True).weights.values()
            own = decays if abs(sum(weights) - 1) <= 1e-9 else momenta
            own.update({present: number, following: number})
        function, args, _, _ = form.nodes[following]
        inner = [arg for arg in args if form.nodes[arg].function == "+" and present in form.nodes[arg].args]
        literal = next((literal for arg in args if (literal := form.literal(arg)) is not None), None)
        if function == "*" and inner and literal is not None:
            momenta.update({inner[0]: literal, present: literal, following: literal})
    return {"momentum": momenta, "decay": decays}


def _hyperparameters(program: Program) -> list[str]:
    """The constants by what they are for, `decays 0.9 and 0.99`; a number counts once for each purpose."""
    form = from_program(program)
    divisors = {node.args[-1] for node in form.nodes if node.function in ("/", "reciprocal", "sqrt")}
    factors = _factors(form)
    values: dict[str, dict[str, None]] = {role: {} for role in _ROLES}
    for i in form.operations:
        function, args, _, _ = form.nodes[i]
        for place, arg in enumerate(args):
            literal = form.literal(arg)
            if literal is None or (function == "-" and place == 0 and literal == 1):
                continue
            others = [form.nodes[other].function for other in args if other != arg]
            role = _role(function, place, others, i in divisors)
            if function == "*":
                role = next((kind for kind, own in factors.items() if any(own.get(at) == literal for at in args)), role)
            # `interp(m, g, 0.1)` has the decay 0.9.
            towards_state = function == "interp" and args[0] in form.present and args[1] not in form.present
            values[role][f"{1 - literal:.12g}" if towards_state else f"{literal:.15g}"] = None
    return [
        f"{_ROLES[role] if len(numbers) > 1 else role} {_listed(list(numbers))}"
        for role, numbers in values.items()
        if numbers
    ]


_ROLES = {
    "learning rate": "learning rates",
    "weight decay": "weight decays",
    "momentum": "momenta",
    "decay": "decays",
    "epsilon": "epsilons",
    "clipping threshold": "clipping thresholds",
    "other constant": "other constants",
}
"""What a constant may be for, with the plural."""


def _role(function: str, place: int, others: Sequence[str], divides: bool) -> str:
    """What a literal is for, from its function, its place among the arguments and the functions of the others."""
    if function == "*" and others[:1] == ["input:lr"]:
        return "learning rate"
    if function == "*" and others[:1] == ["input:w"]:
        return "weight decay"
    if (function == "interp" and place == 2) or (function == "power" and place == 0 and others == ["input:step"]):
        return "decay"
    if function == "+" and divides:
        return "epsilon"
    return "clipping threshold" if function == "clip" else "other constant"


def _depends(nodes: Sequence[object], node: int, on: int) -> bool:
    """True if a node depends on another within a step."""
    stack, visited = [node], {node}
    while stack:
        at = stack.pop()
        if at == on:
            return True
        for arg in nodes[at].args:  # type: ignore[attr-defined]
            if arg not in visited:
                visited.add(arg)
                stack.append(arg)
    return False


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _listed(words: Sequence[str]) -> str:
    """`a, b and c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
