"""The step of a program that treats every parameter by itself: one loop with the program's lines in it."""

from collections.abc import Mapping

from germline.programs.optimizer.export.expressions import Rule, assignment, expression

STATE = 'state["{0}"]'
LONGEST = 72
"""How long a line in a loop may be, which stands sixteen columns in."""
_TOGETHER = 60
"""Up to how many characters several variables are read in one line."""


def local_step(rule: Rule) -> list[str]:
    """The body of `for group in self.param_groups`, without indentation of its own."""
    program = rule.program
    head = [f'{name} = group["{name}"]' for name in rule.hyperparameters.values()]
    rate = [f"lr = {rule.schedule_value('p')}"] if "lr" in rule.inputs else []
    # The loop must not find an lr that it changed for the parameter before.
    once = rule.plain and all(line.target != "lr" for line in program.body)
    if once:
        head += rate
    body = []
    if program.states or program.step:
        body.append("state = self.state[p]")
    body += inputs(rule, {"w", "g", *(state.name for state in program.states)} & rule.inputs)
    if not once:
        body += rate
    if program.step:
        body += ['state["step"] += 1', 'step = _number(state["step"], p)']
    rule_lines = []
    for i, line in enumerate(program.body):
        rule_lines += assignment(line.target, expression(rule, i, {}, "p"), LONGEST)
    body = sections(body, rule_lines, outputs(rule))
    return [*head, "for p in self._ready(group):", *indent(body)]


def inputs(rule: Rule, names: set[str]) -> list[str]:
    """Lines that read those of w, g and the states of one parameter that are in `names`."""
    tensors = {"w": "_widen(p)", "g": "_widen(p.grad)"}
    states = {state.name: STATE.format(state.name) for state in rule.leaf_states}
    return [*_together(tensors, names), *_together(states, names)]


def _together(sources: Mapping[str, str], names: set[str]) -> list[str]:
    """`m, v = state["m"], state["v"]`, or a line for each where that gets long."""
    found = {name: source for name, source in sources.items() if name in names}
    line = f"{', '.join(found)} = {', '.join(found.values())}"
    if len(line) > _TOGETHER:
        return [f"{name} = {source}" for name, source in found.items()]
    return [line] if found else []


def outputs(rule: Rule) -> list[str]:
    """Lines that keep the states of one parameter and apply its update."""
    program = rule.program
    lines = []
    for state, value in zip(program.states, program.returns[1:], strict=True):
        if state.shape != "scalar" and not rule.keeps(state):
            lines.append(f"{STATE.format(state.name)} = {rule.stored(state, value)}")
    return [*lines, f"p.sub_({program.returns[0]})"]


def sections(*parts: list[str]) -> list[str]:
    """Parts with a blank line between them; those without lines are left out."""
    lines: list[str] = []
    for part in parts:
        lines += [*([""] if lines and part else []), *part]
    return lines


def indent(lines: list[str], depth: int = 1) -> list[str]:
    return ["    " * depth + line if line else line for line in lines]
