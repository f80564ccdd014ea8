"""The kernels of a program's step, chosen statement by statement.

Values stay sums of products as long as possible, so that `m * reciprocal(c) * lr / sqrt(v)`, subtracted from the
parameters, becomes one `addcdiv_`. What no kernel fits is an expression with a new tensor as its result.
"""

import re
from collections import Counter
from dataclasses import dataclass, field, replace

from germline.programs.export.names import RESERVED
from germline.programs.optimizer.export import number as numbers
from germline.programs.optimizer.export.buffers import ONE, Buffers, single
from germline.programs.optimizer.export.kernels import Kernel, Lazy, Term, base
from germline.programs.optimizer.export.names import AUTOMATIC, name_of_value
from germline.programs.optimizer.export.number import Number
from germline.programs.optimizer.export.prepared import PreparedProgram
from germline.programs.optimizer.export.roles import PROTECTION
from germline.programs.optimizer.export.signs import Place, nonnegative
from germline.programs.optimizer.graph import Node
from germline.programs.optimizer.primitives import EPSILON, PRIMITIVES
from germline.programs.optimizer.program import Argument, Statement
from germline.programs.optimizer.types import LEAF, SCALAR, TREE, Type

Value = Number | Lazy


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


@dataclass
class _Lowering:
    prepared: PreparedProgram
    values: dict[int, Value] = field(default_factory=dict)
    """The value of each node so far."""
    copies: dict[str, Number] = field(default_factory=dict)
    """Variables of the program that are copies of a literal."""
    per_parameter: set[str] = field(default_factory=set)
    shared: frozenset[str] = frozenset()
    """Variables that several arguments of the present statement read."""

    def __post_init__(self) -> None:
        prepared = self.prepared
        program, graph = prepared.program, prepared.graph
        free = [place for place, name in prepared.names.items() if prepared.ranges[name] == "free"]
        self.signs = nonnegative(program, graph, free)
        self.uses = Counter([graph.update, *graph.next_states])
        for i, line in enumerate(program.body):
            if line.function != "=":
                self.uses.update(graph.nodes[graph.statements[i]].args)
        states = [state.name for state in program.states]
        used = {"w", "g", "lr", "step", *states, *RESERVED, *prepared.names.values()}
        self.buffers = Buffers(used, {"lr", "step"}, self._is_read)
        self.buffers.types |= {"w": TREE, "g": TREE}
        for node, name in enumerate(program.inputs):
            if not self.uses[node]:
                continue
            if name in ("lr", "step"):
                self.values[node] = self._schedule(name)
            else:
                self.buffers.types[name] = graph.nodes[node].type
                self.values[node] = base(name, graph.nodes[node].type)

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

    def _schedule(self, name: str) -> Value:
        """The value of the input `lr` or `step`."""
        prepared = self.prepared
        if name == "step" and not prepared.whole_tree:
            self.per_parameter.add(name)
        value = numbers.variable(name, nonnegative=True, positive=name == "step")
        if name == "lr" and not prepared.lr_is_rate and prepared.default_rate != 1.0:
            value = value.times(Number(1.0, ((repr(prepared.default_rate), -1.0),), nonnegative=True, positive=True))
        return self._tensor(value, f"{name}_now") if prepared.exact else value

    def _is_read(self, variable: str) -> bool:
        """True if a value that is still needed reads a variable."""
        return variable in self.shared or any(
            self.uses[node] > 0 and isinstance(value, Lazy) and value.mentions(variable)
            for node, value in self.values.items()
        )

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

    def _release(self, variable: str) -> None:
        """Computes all values that wait for a variable which is about to change."""
        for node, value in list(self.values.items()):
            if self.uses[node] > 0 and isinstance(value, Lazy) and value.mentions(variable):
                hint = next((line.target for line, at in self._lines() if at == node), f"{variable}_before")
                self.values[node] = base(self.buffers.compute(value, hint, copy=True), value.type)

    def _lines(self) -> list[tuple[Statement, int]]:
        return list(zip(self.prepared.program.body, self.prepared.graph.statements, strict=True))

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

    # Arguments.

    def _argument(self, i: int, j: int, arg: Argument, node: Node) -> Value:
        """The value of an argument of a statement."""
        if isinstance(arg, float):
            return self._literal((i, j), arg)
        return self.copies.get(arg) or self.values[node.args[j]]

    def _literal(self, place: Place, value: float) -> Number:
        """A literal, as the hyper-parameter that it is or as a number."""
        name = self.prepared.names.get(place)
        if name is None:
            return numbers.literal(value)
        kind = self.prepared.ranges[name]
        nonnegative_ = kind not in ("free", "nonpositive")
        return numbers.variable(name, nonnegative=nonnegative_, positive=kind == "count", below_one=kind == "decay")

    def _hint(self, line: Statement) -> str:
        """The name of a new variable for a statement."""
        if AUTOMATIC.fullmatch(line.target) and line.function == "sqrt" and self._divides(line):
            return "denom"
        return name_of_value(line.target, line.function)

    # Values.

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

    def _number(self, i: int, line: Statement, args: list[Number]) -> Number | None:
        """The result of a function of numbers, computed by Python; None if Python might raise an error."""
        function, x = line.function, args[0]
        if all(not arg.factors for arg in args):
            return None
        if function == "*":
            return x.times(args[1])
        if function == "negative":
            return x.negated()
        if function == "reciprocal":
            return x.to(-1) if x.positive else None
        if function == "square":
            return x.times(x) if x.nonnegative else None
        if function == "sqrt":
            return x.to(0.5) if x.nonnegative else None
        if function == "/" and args[1].nonnegative:
            divisor = numbers.expression(f"{args[1].source()} + {EPSILON!r}", args[1], positive=True)
            return x.times(divisor.to(-1))
        if function == "power":
            return self._power(line, x, args[1])
        if function in ("+", "-"):
            return self._sum(line, x, args[1])
        if function == "interp" and all(arg.nonnegative for arg in args) and args[2].below_one:
            y, weight = args[1].factor_source(), args[2]
            source = f"(1 - {weight.source()}) * {x.factor_source()} + {weight.factor_source()} * {y}"
            return self._local(line, source, args, nonnegative=True)
        if function in ("max", "min"):
            positive = [arg.positive for arg in args]
            return self._local(
                line,
                f"_{function}({x.source()}, {args[1].source()})",
                args,
                positive=any(positive) if function == "max" else all(positive),
            )
        return None

    def _power(self, line: Statement, x: Number, exponent: Number) -> Number | None:
        """`x ** exponent`, if neither can make Python raise an error."""
        if x.below_one and x.nonnegative and exponent.positive:
            if not (x.factors and exponent.reads):
                return None
            source = numbers.power_source(x.source(), exponent.source())
            result = numbers.expression(source, x, exponent, nonnegative=True)
            return Number(1.0, result.factors, result.reads, nonnegative=True, below_one="step" in exponent.reads)
        if x.source() == "step" and self.prepared.ranges.get(exponent.source()) == "nonpositive":
            return numbers.expression(numbers.power_source("step", exponent.source()), x, exponent, nonnegative=True)
        if x.positive and not exponent.factors and abs(exponent.const) <= 4:
            return x.to(exponent.const)
        return None

    def _sum(self, line: Statement, x: Number, y: Number) -> Number | None:
        """The sum or difference of two numbers."""
        complement = line.function == "-" and not x.factors and x.const == 1.0
        if complement and len(y.factors) == 1:
            base_name = re.fullmatch(r"beta(\d*)\*\*\w+", y.source())
            hint = f"bias_correction{base_name[1]}" if base_name else self._hint(line)
            return self._local(line, f"1 - {y.source()}", [y], positive=y.below_one, hint=hint)
        right = y.source() if line.function == "+" and not y.const < 0 else y.factor_source()
        both = line.function == "+" and x.nonnegative and y.nonnegative
        return self._local(
            line,
            f"{x.source()} {line.function} {right}",
            [x, y],
            positive=both and (x.positive or y.positive),
            nonnegative=both,
        )

    def _local(
        self,
        line: Statement,
        source: str,
        parts: list[Number],
        positive: bool = False,
        nonnegative: bool = False,
        hint: str = "",
    ) -> Number:
        """A number under a name of its own; the same expression has one name."""
        for kernel in self.buffers.kernels:
            if kernel.function == "number" and kernel.source == source:
                return numbers.variable(kernel.target, nonnegative, positive)
        name = self.buffers.name(hint or self._hint(line))
        reads = frozenset[str]().union(*(part.reads for part in parts))
        if reads & self.buffers.dynamic:
            self.buffers.dynamic.add(name)
        if reads & self.per_parameter:
            self.per_parameter.add(name)
        self.buffers.add(Kernel(name, "number", tuple(parts), new=True, source=source))
        return numbers.variable(name, nonnegative, positive)

    def _tensor_value(self, i: int, line: Statement, node: Node, args: list[Value]) -> Value | None:
        """The value of an elementwise function with tensors among its arguments; None if no kernel fits."""
        function = line.function
        result = self._type(node, args)
        if function in ("+", "-"):
            x, y = (self._as_sum(arg, result) for arg in args)
            y = y.times(numbers.literal(-1.0)) if function == "-" else y
            return Lazy((*x.terms, *y.terms), result, (*x.numbers, *y.numbers))
        if function == "negative":
            return args[0].times(numbers.literal(-1.0)) if isinstance(args[0], Lazy) else None
        if function == "*":
            return self._product(line, result, args[0], args[1])
        if function == "square":
            return self._product(line, result, args[0], args[0])
        if function == "reciprocal" and isinstance(args[0], Lazy):
            term = single(self.buffers, args[0], f"{self._hint(line)}_divisor")
            if term.scale.positive:
                return Lazy((Term(term.scale.to(-1), "inverse", "", term.a),), result)
            variable = self.buffers.compute(Lazy((term,), args[0].type), self._hint(line))
            return Lazy((Term(ONE, "inverse", "", variable),), result)
        if function == "/":
            return self._quotient(i, line, result, args[0], args[1])
        if function == "interp" and isinstance(args[2], Number) and args[2].factors:
            weight = args[2]
            complement = numbers.expression(f"1 - {weight.source()}", weight, nonnegative=weight.below_one)
            x, y = self._as_sum(args[0], result).times(complement), self._as_sum(args[1], result).times(weight)
            return Lazy((*y.terms, *x.terms), result, (*y.numbers, *x.numbers))
        if function == "sqrt" and isinstance(args[0], Lazy):
            return self._square_root(i, line, result, args[0])
        if function in _UNARY and isinstance(args[0], Lazy):
            variable = self.buffers.compute(args[0], self._hint(line))
            return base(self._unary(_UNARY[function], variable, result, self._hint(line)), result)
        if function in ("max", "min"):
            return self._bound(line, result, args)
        return None

    def _type(self, node: Node, args: list[Value]) -> Type:
        """The type of a value. A scalar that follows from the step count of a parameter has a value for each."""
        leaf = any(arg.type == LEAF if isinstance(arg, Lazy) else bool(arg.reads & self.per_parameter) for arg in args)
        return LEAF if node.type == SCALAR and leaf and not self.prepared.whole_tree else node.type

    def _as_sum(self, value: Value, result: Type) -> Lazy:
        return Lazy((), result, (value,)) if isinstance(value, Number) else value

    def _product(self, line: Statement, result: Type, x: Value, y: Value) -> Lazy:
        """The product of two values."""
        if isinstance(x, Number):
            x, y = y, x
        assert isinstance(x, Lazy)
        if isinstance(y, Number):
            return replace(x.times(y), type=result)
        if y.single is not None and y.single.kind == "inverse":
            x, y = y, x
        if x.single is not None and x.single.kind == "inverse" and not (y.single and y.single.kind == "inverse"):
            factor = single(self.buffers, y, self._hint(line))
            return Lazy((Term(x.single.scale.times(factor.scale), "div", factor.a, x.single.b),), result)
        first = single(self.buffers, x, f"{self._hint(line)}_factor")
        second = first if x is y else single(self.buffers, y, self._hint(line))
        return Lazy((Term(first.scale.times(second.scale), "mul", first.a, second.a),), result)

    def _quotient(self, i: int, line: Statement, result: Type, x: Value, y: Value) -> Lazy | None:
        """The protected quotient of two values."""
        epsilon = self._literal((i, PROTECTION), EPSILON)
        if isinstance(y, Number):
            if not y.nonnegative or not isinstance(x, Lazy):
                return None
            divisor = numbers.expression(f"{y.source()} + {EPSILON!r}", y, positive=True)
            return replace(x.times(divisor.to(-1)), type=result)
        divisor_value = Lazy(y.terms, y.type, (*y.numbers, epsilon))
        factor = x if isinstance(x, Number) else single(self.buffers, x, f"{self._hint(line)}_dividend")
        variable = self.buffers.compute(divisor_value, "denom")
        if isinstance(factor, Number):
            return Lazy((Term(factor, "inverse", "", variable),), result)
        return Lazy((Term(factor.scale, "div", factor.a, variable),), result)

    def _square_root(self, i: int, line: Statement, result: Type, value: Lazy) -> Lazy:
        """The square root of a magnitude; a factor that cannot be negative is taken out of it."""
        argument = self.prepared.graph.nodes[self.prepared.graph.statements[i]].args[0]
        term = single(self.buffers, value, self._hint(line))
        if term.scale.nonnegative:
            scale, variable = term.scale.to(0.5), term.a
        else:
            scale, variable = ONE, self.buffers.compute(Lazy((term,), value.type), self._hint(line))
        if argument not in self.signs:
            variable = self._unary("abs", variable, result, self._hint(line))
        return base(self._unary("sqrt", variable, result, self._hint(line)), result, scale)

    def _divides(self, line: Statement) -> bool:
        """True if the value of a statement is read by a quotient."""
        return any(user.function in ("/", "reciprocal", "+") and line.target in user.args for user, _ in self._lines())

    def _unary(self, function: str, variable: str, result: Type, hint: str) -> str:
        """A function of one tensor, in place if nothing else reads it."""
        if self.buffers.free(variable, result):
            self.buffers.add(Kernel(variable, function))
            return variable
        return self.buffers.new(hint, result, function, variable)

    def _bound(self, line: Statement, result: Type, args: list[Value]) -> Lazy:
        """The larger or smaller of two values."""
        lazies = [arg for arg in args if isinstance(arg, Lazy)]
        variables = [self.buffers.compute(arg, self._hint(line)) for arg in lazies]
        bound = next((arg for arg in args if isinstance(arg, Number)), None)
        suffix = line.function
        graph = self.prepared.graph
        at = next(node for own, node in self._lines() if own is line)
        for k, variable in enumerate(variables):
            state = next(
                (
                    position
                    for position, name in enumerate(state.name for state in self.prepared.program.states)
                    if name == variable
                    and graph.next_states[position] == at
                    and self.uses[graph.state_nodes[position]] == 0
                ),
                None,
            )
            if state is not None:
                self._release(variable)
            if state is not None or self.buffers.free(variable, result):
                other = bound if bound is not None else variables[1 - k]
                self.buffers.add(Kernel(variable, _BOUNDS[suffix, bound is None], (other,)))
                return base(variable, result)
        if bound is not None:
            return base(self.buffers.new(self._hint(line), result, _BOUNDS[suffix, False], variables[0], bound), result)
        return base(self.buffers.new(self._hint(line), result, _BOUNDS[suffix, True], *variables), result)

    # Expressions.

    def _tensor(self, number: Number, hint: str) -> Lazy:
        """A number as a tensor without dimensions."""
        kind = LEAF if number.reads & self.per_parameter else SCALAR
        source = f"_number({number.source()}, ⟨@⟩)"
        return base(self.buffers.new(hint, kind, "expression", number, source=source), kind)

    def _expression(self, i: int, line: Statement, node: Node, args: list[Value]) -> Lazy:
        """The value of a statement as the interpreter computes it, in a new tensor."""
        primitive = PRIMITIVES[line.function]
        if primitive.scope == "constant":
            source = f"_number({primitive.source}, ⟨@⟩)"
            return base(self.buffers.new(self._hint(line), SCALAR, "expression", source=source), SCALAR)
        is_number = [isinstance(arg, Number) for arg in args]
        words = []
        for j, arg in enumerate(args):
            if isinstance(arg, Lazy):
                words.append(f"⟨{self.buffers.compute(arg, self._hint(line))}⟩")
            elif _takes_number(line.function, j, is_number):
                words.append(arg.factor_source() if primitive.operator or line.function == "interp" else arg.source())
            else:
                words.append(f"_number({arg.source()}, ⟨@⟩)")
        if line.function == "interp" and all(is_number):
            source = f"_interp({', '.join(words)})"
        elif line.function == "/" and (i, PROTECTION) in self.prepared.names:
            source = f"{words[0]} / ({words[1]} + {self.prepared.names[i, PROTECTION]})"
        else:
            source = primitive.source.format(*words)
        own = [arg for arg in args if isinstance(arg, Number)]
        result = self._type(node, args)
        function = "tree" if primitive.scope == "tree" else "expression"
        variable = self.buffers.new(self._hint(line), result, function, *own, source=source)
        if line.function in _VIEWS:
            self.buffers.owned.discard(variable)
        return base(variable, result)


_VIEWS = {"row_mean", "column_mean", "transpose", "orthogonalize", "rank_one"}
"""Functions that return their argument below rank 2."""


def _shared(values: list[Lazy]) -> frozenset[str]:
    """The variables that several of the values read."""
    reads = Counter(name for value in values for name in {part for term in value.terms for part in (term.a, term.b)})
    return frozenset(name for name, count in reads.items() if count > 1)


def _takes_number(function: str, j: int, is_number: list[bool]) -> bool:
    """True if torch takes a Python number as argument `j`, with the same bits in the result as for a tensor."""
    if function in ("greater", "modulo"):
        return j == 1 and not is_number[0]
    if function == "where":
        return (j == 2 or (j == 1 and not is_number[2])) and not is_number[0]
    return (PRIMITIVES[function].operator or function == "interp") and not all(is_number)


_UNARY = {
    name: name.replace("arc", "a")
    for name in (
        "abs", "cos", "sin", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "exp", "expm1", "sign"
    )
}  # fmt: skip
"""Functions that have a kernel of the same meaning, with its name."""

_BOUNDS = {
    ("max", True): "maximum", ("min", True): "minimum", ("max", False): "clamp_min", ("min", False): "clamp_max",
}  # fmt: skip
