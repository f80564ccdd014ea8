"""The text of an exported optax function and of the class of its state."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from germline.programs.optimizer.export.arguments import HyperParameter
from germline.programs.optimizer.export.draft import WIDTH
from germline.programs.optimizer.export.prepared import PreparedProgram
from germline.programs.optimizer.optax_export.expressions import negated
from germline.programs.optimizer.optax_export.lines import Line, StepLines
from germline.programs.optimizer.program import State


@dataclass(frozen=True)
class Parts:
    """What a function is written from.

    Attributes:
        name: of the function.
        state_class: the name of the class of its state.
        prepared: the program.
        arguments: the arguments beside learning_rate.
        step: the code of a step.
        docstring: lines of the function's docstring.
    """

    name: str
    state_class: str
    prepared: PreparedProgram
    arguments: tuple[HyperParameter, ...]
    step: StepLines
    docstring: list[str]

    @property
    def states(self) -> tuple[State, ...]:
        """The states of the program."""
        return self.prepared.program.states

    def reads(self, name: str) -> bool:
        """True if the step reads a variable."""
        lines = (*self.step.head, *self.step.body)
        texts = [*(line.text for line in lines), self.step.update.text, *self.step.states]
        return any(re.search(rf"(?<![\w.]){name}\b", text) for text in texts)


def function_text(parts: Parts) -> str:
    """The class of the state and the function."""
    lines = [
        *_state_class(parts),
        "",
        "",
        f"def {parts.name}(",
        f"    learning_rate: optax.ScalarOrSchedule = {parts.prepared.default_rate!r},",
        *(f"    {argument.name}: jax.typing.ArrayLike = {argument.default!r}," for argument in parts.arguments),
        ") -> optax.GradientTransformationExtraArgs:",
        *_indented(parts.docstring),
        "",
        *_indented(_init(parts)),
        "",
        *_indented(_update(parts)),
        "",
        "    return optax.GradientTransformationExtraArgs(init_fn, update_fn)",
    ]
    return "\n".join(lines) + "\n"


def _indented(lines: Sequence[str], depth: int = 1) -> list[str]:
    return ["    " * depth + line if line else line for line in lines]


def _state_class(parts: Parts) -> list[str]:
    return [
        f"class {parts.state_class}(NamedTuple):",
        f'    """The state of `{parts.name}`."""',
        "",
        "    count: jax.Array",
        *(f"    {state.name}: {'jax.Array' if state.shape == 'scalar' else 'Any'}" for state in parts.states),
    ]


def _init(parts: Parts) -> list[str]:
    return [
        f"def init_fn(params: optax.Params) -> {parts.state_class}:",
        *([] if parts.states else ["    del params"]),
        *(
            [f"    return {parts.state_class}(count=jnp.zeros([], jnp.int32))"]
            if not parts.states
            else [
                f"    return {parts.state_class}(",
                "        count=jnp.zeros([], jnp.int32),",
                *(f"        {state.name}={_STARTS[state.shape]}," for state in parts.states),
                "    )",
            ]
        ),
    ]


_STARTS = {
    "tree": "jax.tree.map(_zeros, params)",
    "readout": "jax.tree.map(_zeros, params)",
    "leaf": "jax.tree.map(lambda p: _zeros(p, ()), params)",
    "row": "jax.tree.map(lambda p: _zeros(p, _row_shape(p)), params)",
    "column": "jax.tree.map(lambda p: _zeros(p, _column_shape(p)), params)",
    "left": "jax.tree.map(lambda p: _zeros(p, _left_shape(p)), params)",
    "right": "jax.tree.map(lambda p: _zeros(p, _right_shape(p)), params)",
    "scalar": "_scalar(params)",
}


def _update(parts: Parts) -> list[str]:
    step = _by_parameter(parts) if parts.step.by_parameter else _by_tree(parts)
    if parts.reads("w"):
        message = f'"{parts.name} reads the parameters; pass params to update"'
        start = [
            "del extra_args",
            "if params is None:",
            *_indented(_bracketed("raise ValueError", "", [message], WIDTH - 12)),
        ]
    else:
        start = ["del params, extra_args"]
    if parts.reads("loss"):
        message = f'"{parts.name} reads the loss; pass value=loss to update"'
        start += ["if value is None:", *_indented(_bracketed("raise ValueError", "", [message], WIDTH - 12))]
        start += ["loss = value"]
    return [
        "def update_fn(",
        "    updates: optax.Updates,",
        f"    state: {parts.state_class},",
        "    params: optax.Params | None = None,",
        *(["    *,", "    value: jax.typing.ArrayLike | None = None,"] if parts.reads("loss") else []),
        "    **extra_args: Any,",
        f") -> tuple[optax.Updates, {parts.state_class}]:",
        *_indented([*start, "count = optax.safe_increment(state.count)", *_schedule(parts), *step]),
    ]


def _schedule(parts: Parts) -> list[str]:
    """The lines that give `lr` and `step` their values."""
    lines = []
    if parts.reads("lr"):
        lines += ["lr = learning_rate(state.count) if callable(learning_rate) else learning_rate"]
    if parts.reads("step"):
        lines += ["# Weakly typed: it takes the precision of the values that it meets.", "step = 1.0 * count"]
    return lines


def _by_parameter(parts: Parts) -> list[str]:
    """The end of the update of a rule that looks at one parameter at a time."""
    scalars = [state.name for state in parts.states if state.shape == "scalar"]
    nexts = dict(zip((state.name for state in parts.states), parts.step.states, strict=True))
    leaves = [name for name in nexts if name not in scalars]
    own = ["g", *(["w"] if parts.reads("w") else []), *leaves]
    results = [negated(parts.step.update), *(nexts[name] for name in leaves)]
    rule = [f"{line.target} = {line.text}" for line in parts.step.body]
    if len(results) == 1:
        rule.append(f"return ({results[0]},)")
    else:
        rule += _bracketed("return ", "", results, WIDTH - 12, bare=True)
    inputs = "(params,)" if parts.reads("w") else "()"
    if scalars:
        targets, states = ", ".join(["updates", *leaves]), _tuple([f"state.{name}" for name in leaves])
        values = [f"_next({nexts[name]}, state.{name})" if name in scalars else name for name in nexts]
    else:
        targets, states, values = "updates, *states", "state[1:]", ["*states"]
    return [
        *(f"{name} = state.{name}" for name in scalars if parts.reads(name)),
        *(f"{line.target} = {line.text}" for line in parts.step.head),
        "",
        *_bracketed("def rule", ":", own, WIDTH - 8),
        *_indented(rule),
        "",
        *_bracketed(f"{targets} = _map", "", ["rule", "updates", inputs, states], WIDTH - 8),
        *_bracketed(f"return updates, {parts.state_class}", "", ["count", *values], WIDTH - 8),
    ]


def _by_tree(parts: Parts) -> list[str]:
    """The end of the update of a rule that looks at all parameters at once."""
    lines = ["g = jax.tree.map(_widen, updates)"] if parts.reads("g") else []
    lines += ["w = _at_gradients(updates, params)"] if parts.reads("w") else []
    for state in parts.states:
        if parts.reads(state.name):
            value = f"state.{state.name}"
            value = value if state.shape == "scalar" else f"_at_gradients(updates, {value})"
            lines.append(f"{state.name} = {value}")
    lines.append("")
    for line in parts.step.body:
        lines += _assignment(line)
    nexts = [f"_next({name}, state.{state.name})" for name, state in zip(parts.step.states, parts.states, strict=True)]
    return [
        *lines,
        f"updates = _to_updates({parts.step.update.text}, updates)",
        *_bracketed(f"return updates, {parts.state_class}", "", ["count", *nexts], WIDTH - 8),
    ]


def _assignment(line: Line) -> list[str]:
    """A line for all parameters."""
    if not line.reads:
        return [f"{line.target} = {line.text}"]
    names = ", ".join(line.reads)
    function = line.text.removesuffix(f"({names})")
    is_call = re.fullmatch(r"[\w.]+", function) and function != line.text
    items = [function if is_call else f"lambda {names}: {line.text}", *line.reads]
    return _bracketed(f"{line.target} = jax.tree.map", "", items, WIDTH - 8)


def _tuple(items: Sequence[str]) -> str:
    return f"({items[0]},)" if len(items) == 1 else f"({', '.join(items)})"


def _bracketed(start: str, end: str, items: Sequence[str], width: int, bare: bool = False) -> list[str]:
    """Items between parentheses as formatters break them: on one line, on a line of their own, or on a line each.

    Args:
        start: the text before.
        end: the text after.
        items: the items.
        width: the longest line.
        bare: True for a tuple, which needs no parentheses on one line; its items then get a line each.
    """
    joined = ", ".join(items)
    line = f"{start}{joined}{end}" if bare else f"{start}({joined}){end}"
    if len(line) <= width:
        return [line]
    if not bare and len(joined) + 4 <= width:
        return [f"{start}(", f"    {joined}", f"){end}"]
    return [f"{start}(", *(f"    {item}," for item in items), f"){end}"]
