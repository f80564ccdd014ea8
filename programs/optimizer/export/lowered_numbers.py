"""Functions of numbers alone, which Python computes once a step."""

import re

from germline.programs.optimizer.export import number as numbers
from germline.programs.optimizer.export.kernels import Kernel
from germline.programs.optimizer.export.lowered_values import LoweredValues
from germline.programs.optimizer.export.number import Number
from germline.programs.optimizer.primitives import EPSILON
from germline.programs.optimizer.program import Statement


class LoweredNumbers(LoweredValues):
    """Numbers that follow from hyper-parameters, the learning rate and the step count."""

    def _number(self, i: int, line: Statement, args: list[Number]) -> Number | None:
        """The value of a statement of numbers as a product that the exported code computes once in a step.

        None if another rule has to write it: because all arguments are literals, no rule here has the function, or
        Python might raise an error where the language does not, such as in a division by zero.
        """
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
