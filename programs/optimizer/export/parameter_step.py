"""The step of a program that treats every parameter by itself: one loop with the program's lines in it."""

from collections.abc import Mapping

from germline.programs.optimizer.export.expressions import PreparedProgram, assignment, expression

STATE = 'state["{0}"]'
LONGEST = 72
"""The longest line allowed in a loop, which is indented by sixteen columns."""
_LONGEST_JOINED = 60
"""The longest line that reads several variables at once."""


def parameter_step_lines(prepared: PreparedProgram) -> list[str]:
    """The body of `for group in self.param_groups`, without indentation of its own."""
    program = prepared.program
    head = [f'{name} = group["{name}"]' for name in prepared.hyperparameters.values()]
    rate = [f"lr = {prepared.schedule_value('p')}"] if "lr" in prepared.inputs_read else []
    # A program that assigns lr changes it for one parameter: the next parameter has to read it again.
    rate_once = prepared.lr_is_rate and all(line.target != "lr" for line in program.body)
    if rate_once:
        head += rate
    body = []
    if program.states or program.step:
        body.append("state = self.state[p]")
    body += read_lines(prepared, {"w", "g", *(state.name for state in program.states)} & prepared.inputs_read)
    if not rate_once:
        body += rate
    if program.step:
        body += ['state["step"] += 1', 'step = _number(state["step"], p)']
    statements = []
    for i, line in enumerate(program.body):
        statements += assignment(line.target, expression(prepared, i, {}, "p"), LONGEST)
    body = sections(body, statements, write_lines(prepared))
    return [*head, "for p in self._ready(group):", *indent(body)]


def read_lines(prepared: PreparedProgram, names: set[str]) -> list[str]:
    """Lines that read w, g and the states of one parameter, as far as they are in `names`."""
    tensors = {"w": "_widen(p)", "g": "_widen(p.grad)"}
    states = {state.name: STATE.format(state.name) for state in prepared.leaf_states}
    return [*_read_together(tensors, names), *_read_together(states, names)]


def _read_together(sources: Mapping[str, str], names: set[str]) -> list[str]:
    """`m, v = state["m"], state["v"]`, or a line for each variable if that is too long."""
    variables = {name: source for name, source in sources.items() if name in names}
    line = f"{', '.join(variables)} = {', '.join(variables.values())}"
    if len(line) > _LONGEST_JOINED:
        return [f"{name} = {source}" for name, source in variables.items()]
    return [line] if variables else []


def write_lines(prepared: PreparedProgram) -> list[str]:
    """Lines that store the states of one parameter and apply its update."""
    program = prepared.program
    lines = []
    for state, value in zip(program.states, program.returns[1:], strict=True):
        if state.shape != "scalar" and not prepared.is_constant(state):
            lines.append(f"{STATE.format(state.name)} = {prepared.stored(state, value)}")
    return [*lines, f"p.sub_({program.returns[0]})"]


def sections(*parts: list[str]) -> list[str]:
    """The parts with a blank line between them; empty parts are left out."""
    lines: list[str] = []
    for part in parts:
        lines += [*([""] if lines and part else []), *part]
    return lines


def indent(lines: list[str], depth: int = 1) -> list[str]:
    """The lines, indented by four columns for each level; blank lines stay empty."""
    return ["    " * depth + line if line else line for line in lines]
