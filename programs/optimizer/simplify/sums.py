"""Sums with literal weights: moving averages in moving averages, equal terms, common factors, terms that cancel."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from germline.programs.optimizer.primitives import EPSILON
from germline.programs.optimizer.simplify.folding import near, tidy
from germline.programs.optimizer.simplify.form import Expression, Form, count_operations
from germline.programs.optimizer.simplify.rule import Context, Proposal, Rule
from germline.programs.optimizer.types import SCALAR

MAX_TERMS = 8
"""Sums of more terms are left as they are."""

MAX_AVERAGED = 3
"""Sums of more terms are not written as averages."""

MODERATE = 1e6
"""Weights between its reciprocal and it move a value by so little that over- and underflow are not an issue."""

MAX_CANCELLATION = 100.0
"""An exact rule lets no weight become smaller than the sum of the magnitudes it comes from by more than this factor."""

_LINEAR = ("+", "-", "negative", "interp", "*", "/")


@dataclass
class Sum:
    """The value of a node as a weighted sum.

    Attributes:
        weights: of each term, by its node.
        constant: the sum of the literals.
        magnitudes: the sum of the magnitudes of which each weight is the sum.
        opened: the operations that the sum replaces, apart from those that others use as well.
        moderate: True if all factors on the way are moderate.
    """

    weights: dict[int, float] = field(default_factory=dict)
    constant: float = 0.0
    magnitudes: dict[int, float] = field(default_factory=dict)
    opened: int = 0
    moderate: bool = True

    @property
    def keeps_digits(self) -> bool:
        """True if weights are moderate and hardly cancel."""
        return self.moderate and all(
            self.magnitudes[term] <= MAX_CANCELLATION * abs(weight) for term, weight in self.weights.items()
        )


def weighted_sum(form: Form, node: int, opens: Callable[[int], bool]) -> Sum:
    """A node as a weighted sum; `opens` says which of the operations below it are taken apart."""
    result = Sum()
    literal_magnitude = 0.0

    def add(at: int, weight: float) -> None:
        nonlocal literal_magnitude
        result.moderate &= weight == 0 or 1 / MODERATE <= abs(weight) <= MODERATE
        literal = form.literal(at)
        if literal is not None:
            result.constant += weight * literal
            literal_magnitude += abs(weight * literal)
            return
        parts = _parts(form, at) if at == node or opens(at) else None
        if parts is None:
            result.weights[at] = result.weights.get(at, 0.0) + weight
            result.magnitudes[at] = result.magnitudes.get(at, 0.0) + abs(weight)
            return
        result.opened += at == node or form.uses[at] == 1
        for part, factor in parts:
            add(part, weight * factor)

    add(node, 1.0)
    if literal_magnitude > MAX_CANCELLATION * abs(result.constant):
        result.moderate &= literal_magnitude == 0
    for term, weight in result.weights.items():
        if abs(weight) <= 1e-14 * result.magnitudes[term]:
            result.weights[term] = 0.0
    return result


def _parts(form: Form, at: int) -> list[tuple[int, float]] | None:
    """The terms of an operation that is linear, with their weights; None for any other node."""
    node = form.nodes[at]
    if node.function not in _LINEAR:
        return None
    x, *rest = node.args
    literals = [form.literal(arg) for arg in node.args]
    match node.function, literals[-1]:
        case "+", _:
            return [(x, 1.0), (rest[0], 1.0)]
        case "-", _:
            return [(x, 1.0), (rest[0], -1.0)]
        case "negative", _:
            return [(x, -1.0)]
        case "interp", float(a):
            return [(x, 1.0 - a), (rest[0], a)]
        case "*", float(a):
            return [(x, a)]
        case "/", float(a) if a + EPSILON != 0:
            return [(x, 1.0 / (a + EPSILON))]
        case "*", None if literals[0] is not None:
            return [(rest[0], literals[0])]
    return None


def expressions(form: Form, total: Sum) -> Iterator[Expression]:
    """Short ways to compute a sum, the shortest often first."""
    weights = {term: weight for term, weight in total.weights.items() if weight != 0}
    groups = _groups(form, weights)
    if not groups:
        yield tidy(total.constant)
        return
    if total.constant == 0:
        yield from _in_averages(groups, {term: weights[term] for term in sorted(weights)})
    yield assemble(groups, total.constant)


Weighted = tuple[Expression, float]
"""A value and its weight."""


def _groups(form: Form, weights: dict[int, float]) -> list[Weighted]:
    """The terms, those of equal weights as one sum with that weight; scalars first."""
    ordered = sorted(weights, key=lambda term: (form.nodes[term].type != SCALAR, term))
    groups: list[tuple[float, list[int]]] = []
    for term in ordered:
        for weight, members in groups:
            if near(abs(weight), abs(weights[term])):
                members.append(term)
                break
        else:
            groups.append((weights[term], [term]))
    result: list[Weighted] = []
    for weight, members in groups:
        sign = -1.0 if all(weights[member] < 0 for member in members) else 1.0
        signed = [(member, 1.0 if weights[member] * sign > 0 else -1.0) for member in members]
        result.append((assemble(signed, 0.0), sign * abs(weight)))
    return result


def _in_averages(groups: list[Weighted], weights: dict[int, float]) -> Iterator[Expression]:
    """Ways to compute a sum by averages: of the groups, or of the terms themselves."""
    terms: list[Weighted] = list(weights.items())
    for parts in (groups, terms) if len(terms) != len(groups) else (groups,):
        if 2 <= len(parts) <= MAX_AVERAGED:
            yield from _averaged(parts)


def _averaged(parts: list[Weighted]) -> Iterator[Expression]:
    """Sums in which two parts after the other are replaced by an average, the shortest first."""
    for i, j in combinations(range(len(parts)), 2):
        rest = [part for k, part in enumerate(parts) if k not in (i, j)]
        for average in _averages(parts[i], parts[j]):
            if rest:
                yield from _averaged([average, *rest])
            yield assemble([average, *rest], 0.0)


def _averages(first: Weighted, second: Weighted) -> Iterator[Weighted]:
    """The sum of two weighted values as an `interp` of them, with the weight of it."""
    (x, p), (y, q) = first, second
    total = p + q
    if abs(total) * 20 < abs(p) + abs(q):
        return
    if near(total, 1.0):
        total = 1.0
    elif near(total, -1.0):
        total = -1.0
    a, b = tidy(q / total), tidy(p / total)
    # Of the two literals that may be written, the one with fewer digits.
    if len(repr(a)) <= len(repr(b)):
        yield ("interp", x, y, a), total
    else:
        yield ("interp", y, x, b), total


def assemble(parts: Sequence[Weighted], constant: float) -> Expression:
    """The sum of weighted values and a constant."""
    positive = [_scaled(value, weight) for value, weight in parts if weight > 0]
    negative = [_scaled(value, -weight) for value, weight in parts if weight < 0]
    total: Expression
    if positive:
        total, *rest = positive
    elif constant > 0:
        total, constant, rest = constant, 0.0, []
    else:
        total, rest = ("negative", negative.pop(0)), []
    for value in rest:
        total = ("+", total, value)
    for value in negative:
        total = ("-", total, value)
    if constant > 0:
        return ("+", total, tidy(constant))
    return ("-", total, tidy(-constant)) if constant < 0 else total


def _scaled(value: Expression, weight: float) -> Expression:
    return value if near(weight, 1.0) else ("*", value, tidy(weight))


def _is_exact(context: Context, node: int, total: Sum) -> bool:
    """True if no digits are lost, no pole tells zeros of different signs, and terms that partly cancel are finite."""
    if not total.keeps_digits or node in context.before_poles:
        return False
    return all(
        (weight and near(abs(weight), total.magnitudes[term])) or context.facts(lenient=False)[term].finite
        for term, weight in total.weights.items()
    )


def _collect(context: Context, exact: bool) -> Iterator[Proposal]:
    """Every shorter way to compute a node that is a sum."""
    form = context.form
    for node in form.operations:
        if _parts(form, node) is None:
            continue
        shared: set[int] = set()

        def unshared(at: int, shared: set[int] = shared) -> bool:
            if form.uses[at] > 1:
                shared.add(at)
            return form.uses[at] == 1

        sums = [weighted_sum(form, node, unshared)]
        openable = sorted(at for at in shared if _parts(form, at) is not None)
        sums += [weighted_sum(form, node, lambda at, one=one: form.uses[at] == 1 or at == one) for one in openable]  # type: ignore[misc]
        if len(openable) > 1:
            sums.append(weighted_sum(form, node, lambda at: True))
        for total in sums:
            if len(total.weights) > MAX_TERMS or (exact and not _is_exact(context, node, total)):
                continue
            for expression in expressions(form, total):
                if count_operations(expression) <= total.opened and expression != node:
                    yield Proposal({node: expression}, rounds=True)


SUMS = (
    Rule(
        "collect terms",
        "exact",
        "a sum with literal weights → the same sum in fewer operations, if no weight cancels",
        lambda context: _collect(context, exact=True),
    ),
)
CANCELLING_SUMS = (
    Rule(
        "cancel terms",
        "almost",
        "a sum with literal weights → the same sum in fewer operations",
        lambda context: _collect(context, exact=False),
    ),
)
