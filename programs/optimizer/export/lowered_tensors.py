"""Elementwise functions of tensors, for which there is a kernel."""

from dataclasses import replace

from germline.programs.optimizer.export import number as numbers
from germline.programs.optimizer.export.buffers import ONE, single
from germline.programs.optimizer.export.kernels import Kernel, Lazy, Term, base
from germline.programs.optimizer.export.lowered_values import LoweredValues, Value
from germline.programs.optimizer.export.number import Number
from germline.programs.optimizer.export.roles import PROTECTION
from germline.programs.optimizer.graph import Node
from germline.programs.optimizer.primitives import EPSILON
from germline.programs.optimizer.program import Statement
from germline.programs.optimizer.types import Type


class LoweredTensors(LoweredValues):
    """Lowers elementwise functions of tensors to kernels.

    Sums and products wait, as `Lazy`, until their tensor is needed. A kernel writes its result into an argument that
    nothing else reads.
    """

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
