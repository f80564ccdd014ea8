"""Products: literal factors merged and moved to scalars, powers gathered, factors that cancel."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import gcd, inf, isfinite

from germline.programs.optimizer.primitives import EPSILON
from germline.programs.optimizer.simplify.folding import tidy
from germline.programs.optimizer.simplify.form import Expression, Form, count_operations
from germline.programs.optimizer.simplify.rule import Context, Proposal, Rule
from germline.programs.optimizer.simplify.sums import MAX_VISITS, MODERATE
from germline.programs.optimizer.types import LEAF, SCALAR

MAX_FACTORS = 8
"""Products of more factors are left as they are."""

_POWERS = {"square": 2, "cube": 3, "reciprocal": -1}


@dataclass
class Product:
    """The value of a node as a product.

    Attributes:
        literal: the product of the literals and signs; not finite at a pole, or where it overflows.
        exponents: of each factor, by its node.
        divisors: the values y of the divisions `x / y`, which divide by y + 1e-8.
        opened: the operations that the product replaces, apart from those that others use as well.
        moderate: True if no literal on the way is very large or very small.
        cancels: True if a factor was both multiplied and divided.
    """

    literal: float = 1.0
    exponents: dict[int, int] = field(default_factory=dict)
    divisors: list[int] = field(default_factory=list)
    opened: int = 0
    moderate: bool = True
    cancels: bool = False

    @property
    def factors(self) -> int:
        """The number of factors that are no literals."""
        return sum(map(abs, self.exponents.values())) + len(self.divisors)


def product(form: Form, node: int, through: frozenset[str], shared: bool) -> Product:
    """A node as a product.

    Args:
        form: the form.
        node: a node of it.
        through: the functions that are taken apart.
        shared: whether values are taken apart that others use as well.
    """
    result = Product()
    visits = 0

    def multiply(at: int, exponent: int) -> None:
        nonlocal visits
        visits += 1
        literal = form.literal(at)
        if literal is not None:
            result.literal *= _to_power(literal, exponent)
            result.moderate &= 1 / MODERATE <= abs(literal) <= MODERATE
            return
        function, args = form.nodes[at].function, form.nodes[at].args
        if function not in through or not (at == node or shared or form.uses[at] == 1) or visits > MAX_VISITS:
            old = result.exponents.get(at, 0)
            result.cancels |= old * exponent < 0
            result.exponents[at] = old + exponent
            return
        if function == "/" and exponent != 1:
            result.exponents[at] = result.exponents.get(at, 0) + exponent
            return
        result.opened += at == node or form.uses[at] == 1
        if function == "*":
            multiply(args[0], exponent)
            multiply(args[1], exponent)
        elif function == "negative":
            result.literal *= (-1.0) ** exponent
            multiply(args[0], exponent)
        elif function == "/":
            multiply(args[0], exponent)
            number = form.literal(args[1])
            if number is None:
                result.divisors.append(args[1])
            else:
                divisor = number + EPSILON
                result.literal = result.literal / divisor if divisor else inf
                result.moderate &= 1 / MODERATE <= abs(divisor) <= MODERATE
        else:
            multiply(args[0], exponent * _POWERS[function])

    multiply(node, 1)
    return result


def _to_power(literal: float, exponent: int) -> float:
    """A literal to a power; infinity at a pole, or where it overflows."""
    try:
        return literal**exponent
    except (OverflowError, ZeroDivisionError):
        return inf


def expressions(form: Form, whole: Product) -> Iterator[Expression]:
    """Short ways to compute a product: scalars first, so that few operations are on trees."""
    exponents = {at: exponent for at, exponent in whole.exponents.items() if exponent}
    ordered = sorted(exponents, key=lambda at: (_rank(form, at), at))
    common = gcd(*exponents.values()) if exponents else 1
    if len(exponents) > 1 and common > 1 and whole.literal == 1 and not whole.divisors:
        base = _times([_power(at, exponents[at] // common) for at in ordered])
        power = None if base is None else _power(base, common)
        if power is not None:
            yield power
    powers = [(_power(at, exponents[at]), _rank(form, at)) for at in ordered]
    divisors = sorted(whole.divisors, key=lambda at: (_rank(form, at), at))
    for literal_first in (True, False):
        result = _chain(powers, divisors, whole.literal, literal_first, form)
        if result is not None:
            yield result


def _chain(
    powers: list[tuple[Expression | None, int]], divisors: list[int], literal: float, literal_first: bool, form: Form
) -> Expression | None:
    """The factors of each rank multiplied, then divided by the divisors of that rank; the literal beside the first
    factor or at the end. None if a power has no short expression."""
    result: Expression | None = None
    sign = literal == -1
    pending = None if literal in (1, -1) else tidy(literal)
    for rank in range(3):
        for power, its_rank in powers:
            if its_rank != rank:
                continue
            if power is None:
                return None
            result = power if result is None else ("*", result, power)
            if pending is not None and literal_first:
                result, pending = ("*", result, pending), None
        for at in divisors:
            if _rank(form, at) == rank and (result is not None or rank == 2 or not powers):
                result = ("/", 1.0 if result is None else result, at)
    late = [at for at in divisors if _rank(form, at) < 2 and not _mentions(result, at)]
    for at in late:
        result = ("/", 1.0 if result is None else result, at)
    if pending is not None:
        result = pending if result is None else ("*", result, pending)
    if result is None:
        return tidy(literal)
    return ("negative", result) if sign else result


def _mentions(expression: Expression | None, divisor: int) -> bool:
    """True if an expression divides by a node."""
    if not isinstance(expression, tuple):
        return False
    return (expression[0] == "/" and expression[2] == divisor) or any(
        _mentions(part, divisor) for part in expression[1:] if not isinstance(part, str)
    )


def _rank(form: Form, at: int) -> int:
    """0 for scalars, 1 for a scalar per leaf, 2 for other trees."""
    kind = form.nodes[at].type
    return 0 if kind == SCALAR else 1 if kind == LEAF else 2


def _times(factors: list[Expression | None]) -> Expression | None:
    result: Expression | None = None
    for factor in factors:
        if factor is None:
            return None
        result = factor if result is None else ("*", result, factor)
    return result


def _power(base: Expression, exponent: int) -> Expression | None:
    """A small integer power; None if it has no short expression."""
    match exponent:
        case 1:
            return base
        case 2:
            return ("square", base)
        case 3:
            return ("cube", base)
        case 4:
            return ("square", ("square", base))
        case 6:
            return ("square", ("cube", base))
        case 9:
            return ("cube", ("cube", base))
        case -1 | -2 | -3:
            power = _power(base, -exponent)
            return None if power is None else ("reciprocal", power)
    return None


_SCALING = frozenset(("*", "negative"))
_DIVIDING = frozenset(("*", "negative", "/"))
_POLYNOMIAL = frozenset(("*", "negative", "/", "square", "cube"))
_RATIONAL = frozenset(("*", "negative", "/", "square", "cube", "reciprocal"))


def _gather(context: Context, exact: bool) -> Iterator[Proposal]:
    """Every shorter way to compute a node that is a product."""
    form = context.form
    ways = (_SCALING, _DIVIDING, _POLYNOMIAL) if exact else (_SCALING, _DIVIDING, _POLYNOMIAL, _RATIONAL)
    for node in reversed(form.operations):
        function = form.nodes[node].function
        if function not in _RATIONAL:
            continue
        done: list[Expression] = []
        for through in ways:
            if function not in through:
                continue
            for shared in (False, True):
                whole = product(form, node, through, shared)
                safe = whole.moderate and whole.factors <= 2 and not whole.cancels
                usable = whole.literal != 0 and isfinite(whole.literal) and len(whole.exponents) <= MAX_FACTORS
                if not usable or (exact and not safe):
                    continue
                for expression in expressions(form, whole):
                    fewer = whole.opened - count_operations(expression)
                    if expression not in done and fewer >= (0 if exact else 1) and expression != node:
                        done.append(expression)
                        yield Proposal({node: expression}, rounds=True)


PRODUCTS = (
    Rule(
        "merge factors",
        "exact",
        "literal factors of a product of two values → one literal, beside a scalar if there is one",
        lambda context: _gather(context, exact=True),
        parts=3,
    ),
)
REORDERED_PRODUCTS = (
    Rule(
        "reorder factors",
        "almost",
        "a product → the same product in fewer operations, with powers gathered and equal factors cancelled",
        lambda context: _gather(context, exact=False),
        parts=1,
    ),
)
