"""Moving averages that a program writes by hand, as `interp`, so that a decay and its complement are one number.

| by hand | becomes |
|---|---|
| `0.9 * m + 0.1 * x` | `interp(x, m, 0.9)` |
| `m + 0.1 * (x - m)`, `m - 0.1 * (m - x)` | `interp(x, m, 0.9)` |
| `interp(m, x, 0.1)` | `interp(x, m, 0.9)` |

Here `m` is a state. Only the two weights of one sum are a pair. If `x` depends on the parameters alone, the sum has to
be the next value of `m`, an average of the parameters; else 0.1 is a weight decay beside a momentum of 0.9. Two
averages with one state and equal decays share an argument, as in Nesterov's momentum.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from germline.programs.optimizer.export.nodes import (
    COMPLEMENT_ROUNDING,
    is_of_parameters_alone,
    number_of,
    state_of,
)
from germline.programs.optimizer.graph import Graph, live_program, trace
from germline.programs.optimizer.program import InvalidProgram, Program, Statement


def with_averages(program: Program) -> Program:
    """A live program with every average that is written by hand as `interp`; other results differ by rounding alone."""
    for _ in program.body:
        candidate = next(_rewritten(program), None)
        if candidate is None:
            break
        program = candidate
    return program


def _rewritten(program: Program) -> Iterator[Program]:
    """Programs in which one more moving average has the form `interp(x, m, decay)`, where `m` is a state; each without
    dead statements.

    A sum that could be an average of either of two states is taken only if it is the next value of one of them. A
    rewriting that is not valid, or that changes the type of the value, is left out.
    """
    sums = _Sums(program, trace(program))
    for i in range(len(program.body)):
        for lines in sums.averages(i):
            changed = replace(program, body=tuple(lines.get(k, old) for k, old in enumerate(program.body)))
            try:
                after = trace(changed)
            except InvalidProgram:
                continue
            before = sums.graph
            if after.nodes[after.statements[i]].type == before.nodes[before.statements[i]].type:
                yield live_program(changed)


@dataclass
class _Sums:
    program: Program
    graph: Graph

    def __post_init__(self) -> None:
        graph = self.graph
        self.lines = {graph.statements[i]: i for i, line in enumerate(self.program.body) if line.function != "="}
        self.uses = Counter([graph.update, *graph.next_states])
        for node in self.lines:
            self.uses.update(graph.nodes[node].args)

    def averages(self, i: int) -> Iterator[dict[int, Statement]]:
        """Statements that make statement `i` an `interp`, by position, in each way that there is."""
        line = self.program.body[i]
        if line.function == "interp" and state_of(self.graph, self._args(i)[0]) is not None:
            weight = number_of(self.graph, self._args(i)[2])
            if weight is not None and 0 < weight < 1 and state_of(self.graph, self._args(i)[1]) is None:
                yield {i: replace(line, args=(line.args[1], line.args[0], _complement(weight)))}
        if line.function == "+":
            ways = [way for j in (0, 1) if (way := self._weighed_sum(i, j)) is not None]
            own = [lines for state, lines in ways if self._next(i) == state]
            if len(ways) == 1 or len(own) == 1:
                yield own[0] if len(own) == 1 else ways[0][1]
            for j in (0, 1):
                yield from self._step_towards(i, j, 1)
        if line.function == "-":
            yield from self._step_towards(i, 0, 0)

    def _weighed_sum(self, i: int, j: int) -> tuple[int, dict[int, Statement]] | None:
        """A sum whose argument `j` is a state times its decay, and whose other argument has the complement as a factor:
        the state, and the statements that make it an average."""
        decayed, other = self._args(i)[j], self._args(i)[1 - j]
        if self.uses[decayed] != 1 or self._function(decayed) != "*":
            return None
        at = self.lines[decayed]
        for k in (0, 1):
            decay, state = number_of(self.graph, self._args(at)[k]), state_of(self.graph, self._args(at)[1 - k])
            if decay is None or state is None or not 0 < decay < 1:
                continue
            if self._next(i) != state and is_of_parameters_alone(self.graph, other):
                continue
            name = self._name(self.program.body[at].args[1 - k], self._args(at)[1 - k], i)
            rest = self._without_factor(other, 1 - decay, i)
            if name is not None and rest is not None:
                value, lines = rest
                return state, {**lines, i: Statement(self.program.body[i].target, "interp", (value, name, decay))}
        return None

    def _without_factor(self, node: int, factor: float, i: int) -> tuple[str, dict[int, Statement]] | None:
        """What a factor of a product multiplies: its variable at statement `i`, and the statements that compute it
        anew, by position; None if the product, which nothing else may read, has no such factor."""
        if self.uses[node] != 1 or self._function(node) != "*":
            return None
        at = self.lines[node]
        line = self.program.body[at]
        for k in (0, 1):
            number = number_of(self.graph, self._args(at)[k])
            if number is not None and abs(number - factor) <= COMPLEMENT_ROUNDING:
                name = self._name(line.args[1 - k], self._args(at)[1 - k], i)
                return None if name is None else (name, {})
        for k in (0, 1):
            rest = self._without_factor(self._args(at)[k], factor, at)
            name = self._name(line.target, node, i)
            if rest is not None and name is not None:
                args = (rest[0], line.args[1]) if k == 0 else (line.args[0], rest[0])
                return name, {**rest[1], at: replace(line, args=args)}
        return None

    def _step_towards(self, i: int, j: int, first: int) -> Iterator[dict[int, Statement]]:
        """A sum or difference of a state, its argument `j`, and a share of its distance to a value.

        Args:
            i: the statement.
            j: the position of the state.
            first: the position of the state in the difference of the two.
        """
        node, product = self._args(i)[j], self._args(i)[1 - j]
        if state_of(self.graph, node) is None or self._function(product) != "*" or self.uses[product] != 1:
            return
        at = self.lines[product]
        for k in (0, 1):
            share, distance = number_of(self.graph, self._args(at)[k]), self._args(at)[1 - k]
            if share is None or not 0 < share < 1 or self._function(distance) != "-" or self.uses[distance] != 1:
                continue
            between = self.lines[distance]
            if self._args(between)[first] != node:
                continue
            value = self._name(self.program.body[between].args[1 - first], self._args(between)[1 - first], i)
            if value is not None:
                line = self.program.body[i]
                yield {i: Statement(line.target, "interp", (value, line.args[j], _complement(share)))}

    def _args(self, i: int) -> tuple[int, ...]:
        """The nodes of a statement's arguments."""
        return self.graph.nodes[self.graph.statements[i]].args

    def _function(self, node: int) -> str:
        return self.graph.nodes[node].function

    def _next(self, i: int) -> int | None:
        """The position of the state whose next value a statement is."""
        node = self.graph.statements[i]
        return self.graph.next_states.index(node) if node in self.graph.next_states else None

    def _name(self, arg: str | float, node: int, i: int) -> str | None:
        """A variable that holds a node at statement `i`: an argument elsewhere, if it has not been assigned anew."""
        if not isinstance(arg, str):
            return None
        holds: dict[str, int] = {name: position for position, name in enumerate(self.program.inputs)}
        holds.update(
            (line.target, at) for line, at in zip(self.program.body[:i], self.graph.statements[:i], strict=True)
        )
        names = [name for name in (arg, *holds) if holds.get(name) == node]
        return names[0] if names else None


def _complement(weight: float) -> float:
    """One minus a weight, as a person would write it."""
    return float(f"{1 - weight:.15g}")
