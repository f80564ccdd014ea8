"""The lines of JAX code that compute a program's step.

A value that one statement reads, and that has no name of its own, is written where it is read. Every other value is a
variable; a variable is assigned anew only once nothing reads its old value any more.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, field, replace

from germline.programs.export.names import numbered_name
from germline.programs.optimizer.export.draft import WIDTH
from germline.programs.optimizer.export.names import AUTOMATIC, name_of_value
from germline.programs.optimizer.export.prepared import PreparedProgram
from germline.programs.optimizer.export.roles import PROTECTION
from germline.programs.optimizer.export.signs import nonnegative
from germline.programs.optimizer.optax_export.expressions import (
    ATOM,
    FORMS,
    POWER,
    PRODUCT,
    SIGN,
    SUM,
    Expression,
    Form,
    literal,
    power,
)
from germline.programs.optimizer.primitives import EPSILON, PRIMITIVES
from germline.programs.optimizer.program import Argument, Statement
from germline.programs.optimizer.types import SCALAR


@dataclass(frozen=True)
class Line:
    """An assignment.

    Attributes:
        target: the variable.
        text: the expression.
        reads: the variables in it that have a value for each parameter; empty if the expression is written as it is,
            because it is a scalar or a function of whole trees.
    """

    target: str
    text: str
    reads: tuple[str, ...] = ()


@dataclass(frozen=True)
class StepLines:
    """The code of a step.

    Attributes:
        by_parameter: True if `body` computes one parameter at a time, after `head`; False if it computes whole trees.
        head: the scalars of a rule that looks at one parameter at a time.
        body: the other lines.
        update: what is subtracted from the parameters.
        states: the next value of each state.
    """

    by_parameter: bool
    head: tuple[Line, ...]
    body: tuple[Line, ...]
    update: Expression
    states: tuple[str, ...]


def step_lines(prepared: PreparedProgram, reserved: Collection[str]) -> StepLines:
    """The code of a program's step.

    Args:
        prepared: the program.
        reserved: names that no variable may have.
    """
    return _Writer(prepared, {*reserved}).run()


@dataclass
class _Writer:
    prepared: PreparedProgram
    used: set[str]
    values: dict[int, Expression] = field(default_factory=dict)
    """The value of each node so far."""
    copies: dict[str, Expression] = field(default_factory=dict)
    """Variables of the program that are copies of a number."""
    holder: dict[str, int] = field(default_factory=dict)
    """The node whose value each variable holds."""
    done: set[int] = field(default_factory=set)
    """The nodes that are computed by the lines so far."""
    in_head: set[int] = field(default_factory=set)
    """The nodes that are computed by the lines of the head."""
    head: list[Line] = field(default_factory=list)
    body: list[Line] = field(default_factory=list)

    def __post_init__(self) -> None:
        program, graph = self.prepared.program, self.prepared.graph
        free = [place for place, name in self.prepared.names.items() if self.prepared.ranges[name] == "free"]
        self.by_parameter = all(PRIMITIVES[line.function].scope != "tree" for line in program.body)
        self.width = WIDTH - (12 if self.by_parameter else 8)
        self.signs = nonnegative(program, graph, free)
        self.returned = {graph.update, *graph.next_states}
        self.consumers: dict[int, list[int]] = {}
        self.names: dict[int, str] = {}
        self.functions: dict[int, str] = {}
        targets = [line.target for line in program.body]
        self.given_again = {name for name in targets if targets.count(name) > 1}
        for line, node in zip(program.body, graph.statements, strict=True):
            if line.function == "=":
                continue
            self.names[node], self.functions[node] = line.target, line.function
            for arg in graph.nodes[node].args:
                self.consumers.setdefault(arg, []).append(node)
        for node, name in enumerate(program.inputs):
            self.values[node] = self._input(name, node)
            self.holder[name] = node
        self.used |= {*program.inputs, *targets, *self.prepared.names.values()}
        self.leaf_names = {name for name, node in self.holder.items() if not self._is_scalar(node)}
        self.leaf_names |= {name for node, name in self.names.items() if not self._is_scalar(node)}

    def run(self) -> StepLines:
        """The code of the program."""
        program, graph = self.prepared.program, self.prepared.graph
        for i, (line, node) in enumerate(zip(program.body, graph.statements, strict=True)):
            if line.function == "=":
                self._copy(i, line)
                continue
            self.values[node] = self._fitting(i, line, node)
            self.copies.pop(line.target, None)
            if not self._waits(node, line):
                self._assign(node)
        update = self.values[graph.update]
        if update.inlined and not (self.by_parameter and len(update.text) <= self.width // 2):
            self._assign(graph.update)
            update = self.values[graph.update]
        states = zip(program.returns[1:], graph.next_states, strict=True)
        return StepLines(
            self.by_parameter,
            tuple(self.head),
            tuple(self.body),
            update,
            tuple((self.copies.get(name) or self.values[node]).text for name, node in states),
        )

    def _input(self, name: str, node: int) -> Expression:
        """The value of an input of the program."""
        if not self._is_scalar(node):
            return Expression(name, reads=frozenset([name]))
        if name == "lr" and not self.prepared.lr_is_rate and self.prepared.default_rate != 1.0:
            return Expression(f"lr / {self.prepared.default_rate!r}", PRODUCT, is_number=True)
        return Expression(name, is_number=name == "lr")

    def _is_scalar(self, node: int) -> bool:
        return self.prepared.graph.nodes[node].type == SCALAR

    def _copy(self, i: int, line: Statement) -> None:
        """Remembers a copy of a number; copies of other values have the node of the value."""
        source = line.args[0]
        value = self._number((i, 0), source) if isinstance(source, float) else self.copies.get(source)
        self.copies.pop(line.target, None)
        if value is not None:
            self.copies[line.target] = value

    def _number(self, place: tuple[int, int], value: float, as_integer: bool = False) -> Expression:
        """A literal, as the hyper-parameter that it is or as a number."""
        name = self.prepared.names.get(place)
        return literal(value, as_integer) if name is None else Expression(name, is_number=True)

    # Variables.

    def _waits(self, node: int, line: Statement) -> bool:
        """True if a value is written where it is read."""
        value = self.values[node]
        if node in self.prepared.graph.next_states or line.function == "clip":
            return False
        if node == self.prepared.graph.update:
            return node not in self.consumers
        if value.is_number and not value.heavy and value.level == ATOM:
            return True
        named = not (AUTOMATIC.fullmatch(line.target) or line.target in self.given_again or line.target == "lr")
        return len(self.consumers[node]) == 1 and not named

    def _assign(self, node: int) -> None:
        """Adds the line that computes a value which waits."""
        value = self.values[node]
        self.done |= value.inlined
        is_head = self._is_scalar(node) and self.by_parameter
        if is_head:
            same = next((line.target for line in self.head if line.text == value.text), None)
            name = same or self._head_name(self._hint(node, value))
            if same is None:
                self.head.append(Line(name, value.text))
                self.holder[name] = node
            self.in_head |= value.inlined
        else:
            name = self._body_name(self._hint(node, value))
            written = self._is_scalar(node) or PRIMITIVES[self.functions[node]].scope == "tree"
            self.body.append(Line(name, value.text, () if written else _in_order(value)))
            self.holder[name] = node
        self.used.add(name)
        self.values[node] = Expression(name, reads=frozenset() if self._is_scalar(node) else frozenset([name]))

    def _hint(self, node: int, value: Expression) -> str:
        """The name that a variable should have."""
        correction = re.fullmatch(r"1 - (?:b(\d+)|\w+)\*\*\w+", value.text)
        if correction and AUTOMATIC.fullmatch(self.names[node]):
            return f"bias_correction{correction[1] or ''}"
        return name_of_value(self.names[node], self.functions[node])

    def _head_name(self, hint: str) -> str:
        """The name, or a number after it if anything outside of the head reads the value that it holds.

        The lines of the body run after all lines of the head, so what they read must keep its name.
        """
        if hint in self.holder:
            node = self.holder[hint]
            read_by = self.consumers.get(node, ())
            is_free = node not in self.returned and all(reader in self.in_head for reader in read_by)
            return hint if is_free and self._is_scalar(node) else numbered_name(hint, self.used)
        return hint if hint in self.names.values() and hint not in self.leaf_names else numbered_name(hint, self.used)

    def _body_name(self, hint: str) -> str:
        """The name, or a number after it if something still reads the value that it holds."""
        if hint in self.holder:
            node = self.holder[hint]
            # An assignment inside of the function of a parameter would hide a scalar from it.
            is_outside = self._is_scalar(node) and self.by_parameter
            return numbered_name(hint, self.used) if is_outside or self._is_needed(node) else hint
        return hint if hint in self.names.values() else numbered_name(hint, self.used)

    def _is_needed(self, node: int) -> bool:
        """True if a line that is still to come reads a value."""
        return node in self.returned or any(reader not in self.done for reader in self.consumers.get(node, ()))

    # Expressions.

    def _fitting(self, i: int, line: Statement, node: int) -> Expression:
        """The value of a statement, with arguments as variables where the line would be too long."""
        while True:
            args = [self._argument(i, j, arg, node) for j, arg in enumerate(line.args)]
            value = self._value(i, line, node, args)
            value = replace(
                value,
                reads=frozenset[str]().union(*(arg.reads for arg in args)),
                inlined=frozenset([node]).union(*(arg.inlined for arg in args)),
                heavy=value.heavy or any(arg.heavy for arg in args) or "(" in FORMS.get(line.function, _OWN).source,
            )
            waiting = [
                (len(arg.text), own)
                for arg, own in zip(args, self.prepared.graph.nodes[node].args, strict=True)
                if arg.inlined
            ]
            if len(value.text) <= self._limit(node, value) or not waiting:
                return value
            self._assign(max(waiting)[1])

    def _limit(self, node: int, value: Expression) -> int:
        """The longest expression that fits into a line."""
        name = len(self._hint(node, value)) + len("12 = ")
        if not self.by_parameter and not self._is_scalar(node):
            return self.width - 6 - len("lambda : ") - len(", ".join(value.reads))
        return self.width - name

    def _argument(self, i: int, j: int, arg: Argument, node: int) -> Expression:
        """The value of an argument of a statement, as a variable if it must not be written there."""
        line = self.prepared.program.body[i]
        if isinstance(arg, float):
            return self._number((i, j), arg, as_integer=line.function in _ARITHMETIC)
        own = self.prepared.graph.nodes[node].args[j]
        value = self.copies.get(arg) or self.values[own]
        if not value.inlined:
            return value
        if self._is_apart(j, line, own, node):
            self._assign(own)
        return self.values[own]

    def _is_apart(self, j: int, line: Statement, own: int, node: int) -> bool:
        """True if an argument that waits must not be written into the statement.

        Args:
            j: the position of the argument.
            line: the statement.
            own: the node of the argument.
            node: the node of the statement.
        """
        if FORMS.get(line.function, _OWN).repeats(j):
            return True
        if not self._is_scalar(own):
            return PRIMITIVES[line.function].scope == "tree"
        if not self.values[own].heavy:
            return False
        if not self._is_scalar(node):
            return True
        # The divisor of a quotient of a tensor and a scalar.
        return line.function == "reciprocal" and not all(map(self._is_scalar, self.consumers.get(node, ())))

    def _value(self, i: int, line: Statement, node: int, args: list[Expression]) -> Expression:
        """The value of a statement."""
        function, numbers = line.function, all(arg.is_number for arg in args)
        if function == "/":
            epsilon = self._number((i, PROTECTION), EPSILON).text
            divisor = f"{args[1].at(SUM)} + {epsilon}"
            if numbers:
                return Expression(f"jnp.divide({args[0].text}, {divisor})", heavy=True)
            return Expression(f"{args[0].at(PRODUCT)} / ({divisor})", PRODUCT)
        if function == "reciprocal":
            if numbers:
                return Expression(f"jnp.divide(1.0, {args[0].text})", heavy=True)
            divisor = args[0].at(SIGN)
            return Expression(f"1 / {divisor}", PRODUCT, divisor=None if self.prepared.exact else divisor)
        if function == "power":
            if numbers:
                return Expression(f"jnp.power({args[0].text}, {args[1].text})", heavy=True)
            return Expression(power(args[0], args[1]), POWER, heavy=True)
        if function == "greater":
            condition = f"{args[0].at(SUM)} > {args[1].at(SUM)}"
            return Expression(f"jnp.where({condition}, 1.0, 0.0)", heavy=True, condition=condition)
        if function == "where":
            condition = args[0].condition or f"{args[0].at(SUM)} > 0"
            return Expression(f"jnp.where({condition}, {args[1].text}, {args[2].text})", heavy=True)
        if function == "*":
            quotient = _quotient(*args) or _quotient(*reversed(args))
            if quotient is not None:
                return quotient
        root = function == "sqrt" and self.prepared.graph.nodes[node].args[0] in self.signs
        form = Form("jnp.sqrt({0})") if root and not self.prepared.exact else FORMS[function]
        text = form.source.format(*(arg.at(level) for arg, level in zip(args, form.levels, strict=False)))
        is_number = numbers and (function in _ARITHMETIC or PRIMITIVES[function].of_shape or not args)
        return Expression(text, form.level, is_number=is_number)


def _in_order(value: Expression) -> tuple[str, ...]:
    """The variables that an expression reads, in the order of the text."""
    return tuple(sorted(value.reads, key=lambda name: re.search(rf"\b{name}\b", value.text).start()))  # type: ignore[union-attr]


def _quotient(x: Expression, y: Expression) -> Expression | None:
    """The product of a value and a reciprocal as a quotient; None if there is none."""
    if y.divisor is None or x.divisor is not None:
        return None
    return Expression(f"{x.at(PRODUCT)} / {y.divisor}", PRODUCT)


_ARITHMETIC = ("+", "-", "*", "negative", "reciprocal", "power")
_OWN = Form("")
"""Functions whose code depends on their arguments."""
