"""The kernels of a program's step, chosen statement by statement.

Values stay sums of products as long as possible, so that `m * reciprocal(c) * lr / sqrt(v)`, subtracted from the
parameters, becomes one `addcdiv_`. What no kernel fits is an expression with a new tensor as its result.
"""

from collections import Counter
from dataclasses import dataclass

from germline.programs.optimizer.export import number as numbers
from germline.programs.optimizer.export.buffers import ONE
from germline.programs.optimizer.export.kernels import Kernel, Lazy, Term, base
from germline.programs.optimizer.export.lowered_expressions import LoweredExpressions
from germline.programs.optimizer.export.lowered_numbers import LoweredNumbers
from germline.programs.optimizer.export.lowered_tensors import LoweredTensors
from germline.programs.optimizer.export.lowered_values import Value
from germline.programs.optimizer.export.number import Number
from germline.programs.optimizer.export.prepared import PreparedProgram
from germline.programs.optimizer.graph import Node
from germline.programs.optimizer.primitives import PRIMITIVES
from germline.programs.optimizer.program import Statement
from germline.programs.optimizer.types import TREE, Type


@dataclass(frozen=True)
class Step:
    """The kernels of one step.

    Attributes:
        kernels: in order; the last ones change the parameters `w` in place.
        types: the type of each variable; a scalar has one value for the parameter group.
        per_parameter: the numbers that differ between parameters, because they follow from their step counts.
        dynamic: numbers that may be tensors: the learning rate, the step count and what follows from them.
    """

    kernels: tuple[Kernel, ...]
    types: dict[str, Type]
    per_parameter: frozenset[str]
    dynamic: frozenset[str]


def lower(prepared: PreparedProgram) -> Step:
    """The kernels of a program's step."""
    return _Lowering(prepared).run()


class _Lowering(LoweredNumbers, LoweredTensors, LoweredExpressions):
    """The kernels of a program's step under construction."""

    def run(self) -> Step:
        """The kernels of the program."""
        program, graph = self.prepared.program, self.prepared.graph
        for i, line in enumerate(program.body):
            if line.function == "=":
                self._copy(i, line)
                continue
            self._statement(i, line)
            self.copies.pop(line.target, None)
        for state, node, following in zip(program.states, graph.state_nodes, graph.next_states, strict=True):
            self._store(state.name, node, following)
        self._update()
        return Step(
            tuple(self.buffers.kernels),
            self.buffers.types,
            frozenset(self.per_parameter),
            frozenset(self.buffers.dynamic),
        )

    def _copy(self, i: int, line: Statement) -> None:
        """Remembers a copy of a number; copies of other values have the node of the value."""
        source = line.args[0]
        value = self._literal((i, 0), source) if isinstance(source, float) else self.copies.get(source)
        self.copies.pop(line.target, None)
        if value is not None:
            self.copies[line.target] = value

    def _statement(self, i: int, line: Statement) -> None:
        """Computes, or defers, the value of a statement."""
        graph = self.prepared.graph
        at = graph.statements[i]
        node = graph.nodes[at]
        args = [self._argument(i, j, arg, node) for j, arg in enumerate(line.args)]
        self.uses.subtract(node.args)
        self.shared = _shared([arg for arg in args if isinstance(arg, Lazy)])
        value = self._value(i, line, node, args)
        self.shared = frozenset()
        if isinstance(value, Lazy) and value.variable is None:
            position = graph.next_states.index(at) if at in graph.next_states else None
            if position is not None:
                value = self._next_state(position, value, line.target)
            elif self.uses[at] > 1 and (value.single is None or value.single.kind != "base"):
                value = base(self.buffers.compute(value, self._hint(line)), value.type)
        self.values[at] = value

    def _next_state(self, position: int, value: Lazy, hint: str) -> Lazy:
        """Computes the next value of a state, in place if nothing reads the present value any more."""
        graph = self.prepared.graph
        name, node = self.prepared.program.states[position].name, graph.state_nodes[position]
        in_place = self.uses[node] == 0 and not self.prepared.exact and value.mentions(name)
        if in_place:
            self._release(name)
        return base(self.buffers.compute(value, hint, state=name if in_place else None), value.type)

    def _store(self, name: str, node: int, following: int) -> None:
        """Copies the next value of a state into it, unless it is there already."""
        value = self.values[following]
        self.uses[following] -= 1
        if following == node or (isinstance(value, Lazy) and value.variable == name):
            return
        if isinstance(value, Number):
            value = self._tensor(value, f"{name}_next")
        if not value.mentions(name):
            self._release(name)
        source = self.buffers.compute(value, f"{name}_next")
        if value.mentions(name) and source != name:
            self._release(name)
        self.buffers.add(Kernel(name, "copy", (source,)))

    def _update(self) -> None:
        """Subtracts the update from the parameters."""
        graph, buffers = self.prepared.graph, self.buffers
        value = self.values[graph.update]
        self.uses[graph.update] -= 1
        assert isinstance(value, Lazy), "trace() admits only a tree as the update"
        if any(term.kind != "base" and term.mentions("w") for term in value.terms):
            value = base(buffers.compute(value, "update"), value.type)
        rest = [term for term in value.terms if not term.mentions("w")]
        own = [term.scale for term in value.terms if term.mentions("w")]
        if own:
            total = own[0].source() if len(own) == 1 else " + ".join(scale.source() for scale in own)
            kept = numbers.expression(f"1 - {numbers.operand(total) if len(own) > 1 else total}", *own)
            kept = numbers.literal(1 - own[0].const) if len(own) == 1 and not own[0].factors else kept
            buffers.scale("w", kept)
        for term in rest:
            if term.kind == "inverse":
                term = Term(
                    term.scale, "base", buffers.compute(Lazy((Term(ONE, "inverse", "", term.b),), TREE), "update")
                )
            function = {"base": "add", "mul": "addcmul", "div": "addcdiv"}[term.kind]
            if function == "add" and term.scale.is_one:
                buffers.add(Kernel("w", "sub", (term.a,)))
                continue
            args = (term.a,) if term.kind == "base" else (term.a, term.b)
            buffers.add(Kernel("w", function, args, term.scale.negated()))
        for number in value.numbers:
            buffers.add(Kernel("w", "add", (number.negated(),)))

    def _value(self, i: int, line: Statement, node: Node, args: list[Value]) -> Value:
        """The value of a statement, computed as late as possible."""
        if self.prepared.exact:
            return self._expression(i, line, node, args)
        value: Value | None = None
        if node.literal is not None:
            return numbers.literal(node.literal)
        all_numbers = [arg for arg in args if isinstance(arg, Number)]
        if len(all_numbers) == len(args) and PRIMITIVES[line.function].scope == "elementwise":
            value = self._number(i, line, all_numbers)
        elif PRIMITIVES[line.function].scope == "elementwise":
            value = self._tensor_value(i, line, node, args)
        return self._expression(i, line, node, args) if value is None else value


def _shared(values: list[Lazy]) -> frozenset[str]:
    """The variables that several of the values read."""
    reads = Counter(name for value in values for name in {part for term in value.terms for part in (term.a, term.b)})
    return frozenset(name for name, count in reads.items() if count > 1)
