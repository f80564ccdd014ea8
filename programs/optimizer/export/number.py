"""Numbers of a step that depend on hyper-parameters, the learning rate and the step count alone, as source.

The source uses operators only, so that it works for Python numbers and for tensors on the device.
"""

import re
from dataclasses import dataclass

_SIMPLE = re.compile(r"[A-Za-z_]\w*|\d[\w.]*(e[-+]?\d+)?")


@dataclass(frozen=True)
class Number:
    """A product: `const` times each factor to its exponent.

    Attributes:
        const: the part that is a number.
        factors: source of each other factor, with its exponent.
        reads: the variables that the factors read.
        nonnegative: True if it can never be negative.
        positive: True if it can never be zero or negative.
        below_one: True if its magnitude is less than one.
    """

    const: float = 1.0
    factors: tuple[tuple[str, float], ...] = ()
    reads: frozenset[str] = frozenset()
    nonnegative: bool = False
    positive: bool = False
    below_one: bool = False

    @property
    def is_one(self) -> bool:
        """True for the number 1."""
        return self.const == 1.0 and not self.factors

    @property
    def inverts(self) -> bool:
        """True if it is one over something."""
        return self.const == 1.0 and bool(self.factors) and all(exponent < 0 for _, exponent in self.factors)

    def times(self, other: "Number") -> "Number":
        """The product with another number."""
        exponents = dict(self.factors)
        for factor, exponent in other.factors:
            exponents[factor] = exponents.get(factor, 0.0) + exponent
        return Number(
            self.const * other.const,
            tuple((factor, exponent) for factor, exponent in exponents.items() if exponent),
            self.reads | other.reads,
            self.nonnegative and other.nonnegative,
            self.positive and other.positive,
            self.below_one and other.below_one,
        )

    def to(self, exponent: float) -> "Number":
        """The number to a power. The number must be positive; if the exponent is positive, it may also be zero."""
        return Number(
            self.const**exponent,
            tuple((factor, old * exponent) for factor, old in self.factors),
            self.reads,
            nonnegative=True,
            positive=self.positive,
            below_one=self.below_one and exponent > 0,
        )

    def negated(self) -> "Number":
        """The number with the other sign."""
        return Number(-self.const, self.factors, self.reads, below_one=self.below_one)

    def source(self) -> str:
        """The number as an expression."""
        const, factors = abs(self.const), list(self.factors)
        if (repr(const), -1.0) in factors:
            factors.remove((repr(const), -1.0))
            const = 1.0
        factors.sort(key=lambda factor: factor[0] != "lr")
        above = [_power(factor, exponent) for factor, exponent in factors if exponent > 0]
        below = [_power(factor, -exponent) for factor, exponent in factors if exponent < 0]
        if not above or const != 1.0:
            above.insert(0, "1" if const == 1.0 and below else repr(const))
        lone = len(above) == 1 and not below and self.const > 0
        head = " * ".join(above if lone else map(_operand, above))
        sign = "-" if self.const < 0 or str(self.const) == "-0.0" else ""
        if not below:
            return f"{sign}({head})" if sign and lone_power(above) else sign + head
        return (
            f"{sign}{head} / {_operand(below[0]) if len(below) == 1 else '(' + ' * '.join(map(_operand, below)) + ')'}"
        )

    def factor_source(self) -> str:
        """The number as an operand of a product."""
        return operand(self.source())


def literal(value: float) -> Number:
    """A number that nobody can change."""
    return Number(value, nonnegative=value >= 0, positive=value > 0, below_one=abs(value) < 1)


def variable(
    name: str, nonnegative: bool = False, positive: bool = False, below_one: bool = False, reads: bool = True
) -> Number:
    """A number that a variable, or other source without operators outside of parentheses, holds."""
    names = frozenset([name]) if reads else frozenset()
    return Number(1.0, ((name, 1.0),), names, nonnegative or positive, positive, below_one)


def expression(source: str, *parts: Number, positive: bool = False, nonnegative: bool = False) -> Number:
    """A number that is computed by an expression which reads what `parts` read."""
    reads = frozenset[str]().union(*(part.reads for part in parts))
    return Number(1.0, ((source, 1.0),), reads, nonnegative or positive, positive)


def operand(source: str) -> str:
    """An expression, in parentheses unless it is a name, a plain number or a call."""
    return _operand(source)


def simple(source: str) -> bool:
    """True for a name or a plain number, around which formatters write no spaces in a power."""
    return bool(_SIMPLE.fullmatch(source))


def power_source(base: str, exponent: str) -> str:
    """`base ** exponent` as formatters write it."""
    if simple(base) and simple(exponent.removeprefix("-")):
        return f"{base}**{exponent}"
    return f"{f'({base})' if '**' in base else _operand(base)} ** {_operand(exponent)}"


def lone_power(above: list[str]) -> bool:
    """True for a single power, which formatters put in parentheses after a sign."""
    return len(above) == 1 and "**" in above[0] and not above[0].startswith("(")


def _power(factor: str, exponent: float) -> str:
    if exponent == 1.0:
        return factor
    return power_source(factor, repr(exponent) if exponent != int(exponent) else repr(int(exponent)))


def _operand(source: str) -> str:
    """A factor of a product: in parentheses if it is a sum, a product or a signed number."""
    power = re.fullmatch(r"(\w+|\([^()]*\)) ?\*\* ?[\w.-]+", source)
    call = re.fullmatch(r"\w+\([^()]*\)", source)
    return source if simple(source) or power or call else f"({source})"
