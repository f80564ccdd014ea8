"""The step of a program with functions of whole trees, where a parameter group is a tree.

Such a function needs a value of all parameters before any of them can go on. So the statements between two of them
share one loop over the parameters, and a value that is needed later is collected in a list (`all_m` for `m`).
Scalars are computed once, before the loop that reads them.
"""

import re
from dataclasses import dataclass, field

from germline.programs.export.names import numbered_name
from germline.programs.optimizer.export.expressions import Rule, assignment, expression
from germline.programs.optimizer.export.parameter_step import LONGEST, STATE, indent, inputs, outputs, sections
from germline.programs.optimizer.primitives import PRIMITIVES
from germline.programs.optimizer.program import Statement

LIKE = "params[0]"
LONGEST_BEFORE = LONGEST + 4
"""How long a line outside the loops may be, which stands twelve columns in."""
_INPUT = -1
"""The loop of a value that was there before the first one."""


@dataclass(eq=False)
class _Value:
    """What a variable of the program holds at present. `listed` is the name of the list of a value per parameter."""

    variable: str
    scalar: bool
    loop: int = _INPUT
    listed: str | None = None


@dataclass
class _Phase:
    """Lines for the whole group, then a loop over its parameters.

    `reads` are the variables that the loop finds when it starts, each with the list it comes from (None: it is read
    from the parameter or its states); `makes` are the values that it computes.
    """

    before: list[str] = field(default_factory=list)
    loop: list[str] = field(default_factory=list)
    reads: dict[str, str | None] = field(default_factory=dict)
    makes: list[_Value] = field(default_factory=list)
    scalars_read: set[str] = field(default_factory=set)


def tree_step(rule: Rule) -> list[str]:
    """The body of `for group in self.param_groups`, without indentation of its own."""
    head = ["params = self._ready(group)", "if not params:", "    continue"]
    head += [f'{name} = group["{name}"]' for name in rule.hyperparameters.values()]
    return [*head, *_Scheduler(rule).lines()]


class _Scheduler:
    """Walks through the program once, and deals its statements out to phases."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.phases = [_Phase()]
        self.used = {*rule.program.inputs, *(line.target for line in rule.program.body)}
        self.used |= {*rule.hyperparameters.values(), "params", "p", "group", "state"}
        scalar_inputs = {"lr", "step", *(state.name for state in rule.program.states if state.shape == "scalar")}
        self.per_leaf = {line.target for i, line in enumerate(rule.program.body) if not rule.is_scalar(i)}
        self.per_leaf |= {name for name in rule.program.inputs if name not in scalar_inputs}
        self.values: dict[str, _Value] = {}
        for name in rule.program.inputs:
            if name in rule.inputs:
                scalar = name in scalar_inputs
                self.values[name] = _Value(self._scalar_name(name) if scalar else name, scalar)

    @property
    def phase(self) -> _Phase:
        return self.phases[-1]

    @property
    def names(self) -> dict[str, str]:
        return {name: value.variable for name, value in self.values.items()}

    def lines(self) -> list[str]:
        start = self._scalar_inputs()
        for i, line in enumerate(self.rule.program.body):
            if PRIMITIVES[line.function].scope == "tree":
                self._tree_function(i, line)
            elif self.rule.is_scalar(i):
                self._scalar(line, expression(self.rule, i, self.names, LIKE))
            else:
                self._per_parameter(i, line)
        program = self.rule.program
        wanted = [program.returns[0]]
        for state, value in zip(program.states, program.returns[1:], strict=True):
            if state.shape != "scalar" and not self.rule.keeps(state):
                wanted.append(value)
        self._read(wanted)
        lines = start
        for phase in self.phases[:-1]:
            lines += [*phase.before, *self._loop(phase, [])]
        lines += [*self.phase.before, *self._loop(self.phase, outputs(self.rule))]
        for state, value in zip(program.states, program.returns[1:], strict=True):
            if state.shape == "scalar" and not self.rule.keeps(state):
                lines.append(f'group["{state.name}"] = {self.values[value].variable}')
        return lines

    def _scalar_inputs(self) -> list[str]:
        lines = []
        if "lr" in self.values:
            lines.append(f"{self.values['lr'].variable} = {self.rule.schedule_value(LIKE)}")
        if self.rule.program.step:
            lines.append('group["step"] = group.get("step", 0) + 1')
            lines.append(f'{self.values["step"].variable} = _number(group["step"], {LIKE})')
        for state in self.rule.program.states:
            if state.shape == "scalar" and state.name in self.values:
                start = f'group.setdefault("{state.name}", _number(0.0, {LIKE}))'
                lines.append(f"{self.values[state.name].variable} = {start}")
        return lines

    def _scalar_name(self, name: str) -> str:
        """`name`, unless a loop has it for values of its own or has still to read what it stood for."""
        if name in self.per_leaf or name in self.phase.scalars_read:
            name = numbered_name(name, self.used)
            self.used.add(name)
        return name

    def _scalar(self, line: Statement, source: str) -> None:
        variable = self._scalar_name(line.target)
        self.phase.before += assignment(variable, source, LONGEST_BEFORE)
        self.values[line.target] = _Value(variable, True)

    def _per_parameter(self, i: int, line: Statement) -> None:
        self._read([arg for arg in line.args if isinstance(arg, str)])
        self.phase.loop += assignment(line.target, expression(self.rule, i, self.names, "p"), LONGEST)
        value = _Value(line.target, False, len(self.phases) - 1)
        self.phase.makes.append(value)
        self.values[line.target] = value

    def _read(self, names: list[str]) -> None:
        """Has the current loop read variables: its own, those of loops before it, or scalars."""
        for name in names:
            value = self.values[name]
            if value.scalar:
                self.phase.scalars_read.add(value.variable)
            elif value.loop < len(self.phases) - 1 or (value.listed and value not in self.phase.makes):
                if value.loop != _INPUT:
                    self._list(name, value)
                self.phase.reads.setdefault(name, value.listed)

    def _tree_function(self, i: int, line: Statement) -> None:
        args = [arg for arg in line.args if isinstance(arg, str)]
        trees = {arg: self.values[arg] for arg in args if not self.values[arg].scalar}
        waits = any(value in self.phase.makes for value in trees.values())
        if waits or (self.phase.loop and not self.rule.is_scalar(i)):
            self.phases.append(_Phase())
        lists = {arg: self._list(arg, value) for arg, value in trees.items()}
        source = expression(self.rule, i, {**self.names, **lists}, LIKE)
        if self.rule.is_scalar(i):
            self._scalar(line, source)
            return
        listed = self._list_name(line.target)
        self.phase.before += assignment(listed, source, LONGEST_BEFORE)
        self.values[line.target] = _Value(line.target, False, len(self.phases) - 1, listed)

    def _list(self, name: str, value: _Value) -> str:
        """The list of a value for each parameter; loops that ended before fill it."""
        if value.listed is None:
            value.listed = self._list_name(name)
            if value.loop == _INPUT:
                read = {"w": "_widen(p)", "g": "_widen(p.grad)"}
                each = read.get(name, f"self.{STATE.replace('state', 'state[p]', 1).format(name)}")
                self.phase.before.append(f"{value.listed} = [{each} for p in params]")
        return value.listed

    def _list_name(self, name: str) -> str:
        listed = numbered_name(f"all_{name}", self.used)
        self.used.add(listed)
        return listed

    def _loop(self, phase: _Phase, last: list[str]) -> list[str]:
        """The loop of a phase; nothing where it has no statements."""
        made = [value for value in phase.makes if value.listed]
        if not phase.loop and not last:
            return []
        lists = {name: listed for name, listed in phase.reads.items() if listed}
        direct = {name for name, listed in phase.reads.items() if not listed}
        program = self.rule.program
        writes = any(line.startswith("state[") for line in last)
        opening = []
        if writes or any(state.name in direct for state in program.states):
            opening.append("state = self.state[p]")
        opening += inputs(self.rule, direct)
        closing = [f"{value.listed}.append({value.variable})" for value in made]
        uses_p = bool(last or direct or any(re.search(r"\bp\b", line) for line in phase.loop))
        columns = {**({"p": "params"} if uses_p or not lists else {}), **lists}
        source = ", ".join(columns.values())
        header = f"for {', '.join(columns)} in {source if len(columns) == 1 else f'zip({source})'}:"
        if len(header) > LONGEST_BEFORE:
            header = f"for i, p in enumerate({LIKE.removesuffix('[0]')}):"
            opening += [f"{name} = {listed}[i]" for name, listed in lists.items()]
        end = closing + last
        body = sections(opening, phase.loop, end) if opening else [*phase.loop, *end]
        return [*(f"{value.listed} = []" for value in made), header, *indent(body)]
