"""Sums with literal weights: moving averages in moving averages, equal terms, common factors, terms that cancel."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from germline.programs.optimizer.primitives import EPSILON
from germline.programs.optimizer.simplify.averages import sum_expressions
from germline.programs.optimizer.simplify.folding import near
from germline.programs.optimizer.simplify.form import Form, count_operations
from germline.programs.optimizer.simplify.rule import Context, Proposal, Rule

MAX_TERMS = 8
"""Sums of more terms are left as they are."""

MAX_VISITS = 40
"""Values that are looked at for one sum or product: where they are shared, their number can grow exponentially."""

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
        visits: the values that were looked at.
    """

    weights: dict[int, float] = field(default_factory=dict)
    constant: float = 0.0
    magnitudes: dict[int, float] = field(default_factory=dict)
    opened: int = 0
    moderate: bool = True
    visits: int = 0

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
        result.visits += 1
        result.moderate &= weight == 0 or 1 / MODERATE <= abs(weight) <= MODERATE
        literal = form.literal(at)
        if literal is not None:
            result.constant += weight * literal
            literal_magnitude += abs(weight * literal)
            return
        opened = at == node or (result.visits < MAX_VISITS and opens(at))
        parts = _parts(form, at) if opened else None
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
        if context.exhausted:
            return
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
        context.visited += sum(total.visits for total in sums)
        for total in sums:
            if len(total.weights) > MAX_TERMS or (exact and not _is_exact(context, node, total)):
                continue
            for expression in sum_expressions(form, total.weights, total.constant):
                context.visited += len(total.weights)
                if count_operations(expression) <= total.opened and expression != node:
                    name = "" if exact or 0 in total.weights.values() else "reorder terms"
                    yield Proposal({node: expression}, rounds=True, name=name)


SUMS = (
    Rule(
        "collect terms",
        "exact",
        "a sum with literal weights → the same sum in no more operations, if no weight cancels",
        lambda context: _collect(context, exact=True),
    ),
)
CANCELLING_SUMS = (
    Rule(
        "cancel terms",
        "almost",
        "a sum with literal weights → the same sum in no more operations",
        lambda context: _collect(context, exact=False),
    ),
)
