"""The step of a program with functions of whole trees, for which a parameter group is one tree.

Such a function needs a value of every parameter before any parameter can go on. The statements between two such
functions therefore share one loop over the parameters, and a value that is needed later is collected in a list
(`all_m` for `m`). Scalars are computed once, before the loop that reads them.
"""

import re
from dataclasses import dataclass, field

from germline.programs.export.names import numbered_name
from germline.programs.optimizer.export.expressions import PreparedProgram, assignment, expression
from germline.programs.optimizer.export.parameter_step import (
    LONGEST,
    STATE,
    indent,
    read_lines,
    sections,
    write_lines,
)
from germline.programs.optimizer.primitives import PRIMITIVES
from germline.programs.optimizer.program import Statement

LIKE = "params[0]"
LONGEST_BEFORE = LONGEST + 4
"""The longest line allowed outside the loops, which is indented by twelve columns."""
_INPUT = -1
"""In place of a loop's number: the value is an input of the program."""


@dataclass(eq=False)
class _Value:
    """The value that a variable of the program holds at present.

    Attributes:
        variable: its name in the code.
        scalar: True if the whole tree has one value.
        loop: the number of the loop that computes it.
        list_name: the name of the list with its value for each parameter; None if there is no list.
    """

    variable: str
    scalar: bool
    loop: int = _INPUT
    list_name: str | None = None


@dataclass
class _Phase:
    """Lines for the whole group, then a loop over its parameters.

    Attributes:
        before: lines before the loop.
        loop: lines in the loop.
        reads: variables that the loop reads, each with the list it comes from; None: from the parameter or its states.
        computed: the values that the loop computes.
        scalars_read: the scalar variables that the loop reads.
    """

    before: list[str] = field(default_factory=list)
    loop: list[str] = field(default_factory=list)
    reads: dict[str, str | None] = field(default_factory=dict)
    computed: list[_Value] = field(default_factory=list)
    scalars_read: set[str] = field(default_factory=set)


def group_step_lines(prepared: PreparedProgram) -> list[str]:
    """The body of `for group in self.param_groups`, without indentation of its own."""
    head = ["params = self._ready(group)", "if not params:", "    continue"]
    head += [f'{name} = group["{name}"]' for name in prepared.hyperparameters.values()]
    return [*head, *_Scheduler(prepared).lines()]


class _Scheduler:
    """Assigns the statements of a program to phases, in one pass."""

    def __init__(self, prepared: PreparedProgram) -> None:
        self.prepared = prepared
        self.phases = [_Phase()]
        program = prepared.program
        self.used = {*program.inputs, *(line.target for line in program.body)}
        self.used |= {*prepared.hyperparameters.values(), "params", "p", "group", "state"}
        scalar_inputs = {"lr", "step", *(state.name for state in program.states if state.shape == "scalar")}
        self.per_leaf = {line.target for i, line in enumerate(program.body) if not prepared.is_scalar(i)}
        self.per_leaf |= {name for name in program.inputs if name not in scalar_inputs}
        self.values: dict[str, _Value] = {}
        for name in program.inputs:
            if name in prepared.inputs_read:
                scalar = name in scalar_inputs
                self.values[name] = _Value(self._scalar_name(name) if scalar else name, scalar)

    @property
    def phase(self) -> _Phase:
        return self.phases[-1]

    @property
    def names(self) -> dict[str, str]:
        """The name in the code of each variable of the program."""
        return {name: value.variable for name, value in self.values.items()}

    def lines(self) -> list[str]:
        """The lines of all phases, followed by the assignments of scalar states."""
        lines = self._scalar_inputs()
        program = self.prepared.program
        for i, line in enumerate(program.body):
            if PRIMITIVES[line.function].scope == "tree":
                self._tree_function(i, line)
            elif self.prepared.is_scalar(i):
                self._scalar(line, expression(self.prepared, i, self.names, LIKE))
            else:
                self._per_parameter(i, line)
        returned = [program.returns[0]]
        for state, value in zip(program.states, program.returns[1:], strict=True):
            if state.shape != "scalar" and not self.prepared.is_constant(state):
                returned.append(value)
        self._read(returned)
        for phase in self.phases[:-1]:
            lines += [*phase.before, *self._loop(phase, [])]
        lines += [*self.phase.before, *self._loop(self.phase, write_lines(self.prepared))]
        for state, value in zip(program.states, program.returns[1:], strict=True):
            if state.shape == "scalar" and not self.prepared.is_constant(state):
                lines.append(f'group["{state.name}"] = {self.values[value].variable}')
        return lines

    def _scalar_inputs(self) -> list[str]:
        """Lines that read the learning rate, the step count and the scalar states."""
        lines = []
        if "lr" in self.values:
            lines.append(f"{self.values['lr'].variable} = {self.prepared.schedule_value(LIKE)}")
        if self.prepared.program.step:
            lines.append('group["step"] = group.get("step", 0) + 1')
            lines.append(f'{self.values["step"].variable} = _number(group["step"], {LIKE})')
        for state in self.prepared.program.states:
            if state.shape == "scalar" and state.name in self.values:
                start = f'group.setdefault("{state.name}", _number(0.0, {LIKE}))'
                lines.append(f"{self.values[state.name].variable} = {start}")
        return lines

    def _scalar_name(self, name: str) -> str:
        """`name`, or a numbered name if a loop uses `name` for values of its own or still has to read its old value."""
        if name in self.per_leaf or name in self.phase.scalars_read:
            name = numbered_name(name, self.used)
            self.used.add(name)
        return name

    def _scalar(self, line: Statement, source: str) -> None:
        """Adds a statement with one value for the whole tree."""
        variable = self._scalar_name(line.target)
        self.phase.before += assignment(variable, source, LONGEST_BEFORE)
        self.values[line.target] = _Value(variable, True)

    def _per_parameter(self, i: int, line: Statement) -> None:
        """Adds a statement that each parameter computes by itself."""
        self._read([arg for arg in line.args if isinstance(arg, str)])
        self.phase.loop += assignment(line.target, expression(self.prepared, i, self.names, "p"), LONGEST)
        value = _Value(line.target, False, len(self.phases) - 1)
        self.phase.computed.append(value)
        self.values[line.target] = value

    def _read(self, names: list[str]) -> None:
        """Makes variables available in the current loop: reads lists of earlier loops, and marks scalars as read."""
        for name in names:
            value = self.values[name]
            if value.scalar:
                self.phase.scalars_read.add(value.variable)
            elif value.loop < len(self.phases) - 1 or (value.list_name and value not in self.phase.computed):
                if value.loop != _INPUT:
                    self._list(name, value)
                self.phase.reads.setdefault(name, value.list_name)

    def _tree_function(self, i: int, line: Statement) -> None:
        """Adds a function of whole trees, in a new phase if the current loop has to end before it."""
        args = [arg for arg in line.args if isinstance(arg, str)]
        trees = {arg: self.values[arg] for arg in args if not self.values[arg].scalar}
        needs_loop = any(value in self.phase.computed for value in trees.values())
        if needs_loop or (self.phase.loop and not self.prepared.is_scalar(i)):
            self.phases.append(_Phase())
        lists = {arg: self._list(arg, value) for arg, value in trees.items()}
        source = expression(self.prepared, i, {**self.names, **lists}, LIKE)
        if self.prepared.is_scalar(i):
            self._scalar(line, source)
            return
        list_name = self._list_name(line.target)
        self.phase.before += assignment(list_name, source, LONGEST_BEFORE)
        self.values[line.target] = _Value(line.target, False, len(self.phases) - 1, list_name)

    def _list(self, name: str, value: _Value) -> str:
        """The name, in the code, of the list that holds `value` (of the program's variable `name`) for every parameter.

        The first call names the list. The loop that computes the value fills it; for an input of the program, a line
        before the current loop does.
        """
        if value.list_name is None:
            value.list_name = self._list_name(name)
            if value.loop == _INPUT:
                tensors = {"w": "_widen(p)", "g": "_widen(p.grad)"}
                source = tensors.get(name, f"self.{STATE.replace('state', 'state[p]', 1).format(name)}")
                self.phase.before.append(f"{value.list_name} = [{source} for p in params]")
        return value.list_name

    def _list_name(self, name: str) -> str:
        list_name = numbered_name(f"all_{name}", self.used)
        self.used.add(list_name)
        return list_name

    def _loop(self, phase: _Phase, last: list[str]) -> list[str]:
        """The loop of a phase, which ends with the lines in `last`; no lines if it would be empty."""
        if not phase.loop and not last:
            return []
        collected = [value for value in phase.computed if value.list_name]
        lists = {name: list_name for name, list_name in phase.reads.items() if list_name}
        direct = {name for name, list_name in phase.reads.items() if not list_name}
        writes_state = any(line.startswith("state[") for line in last)
        opening = []
        if writes_state or any(state.name in direct for state in self.prepared.program.states):
            opening.append("state = self.state[p]")
        opening += read_lines(self.prepared, direct)
        closing = [*(f"{value.list_name}.append({value.variable})" for value in collected), *last]
        uses_p = bool(last or direct or any(re.search(r"\bp\b", line) for line in phase.loop))
        columns = {**({"p": "params"} if uses_p or not lists else {}), **lists}
        source = ", ".join(columns.values())
        header = f"for {', '.join(columns)} in {source if len(columns) == 1 else f'zip({source})'}:"
        if len(header) > LONGEST_BEFORE:
            header = f"for i, p in enumerate({LIKE.removesuffix('[0]')}):"
            opening += [f"{name} = {list_name}[i]" for name, list_name in lists.items()]
        body = sections(opening, phase.loop, closing) if opening else [*phase.loop, *closing]
        return [*(f"{value.list_name} = []" for value in collected), header, *indent(body)]
