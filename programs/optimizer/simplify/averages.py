"""Short ways to compute a weighted sum: by averages, and by terms of equal weights."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from germline.programs.optimizer.simplify.folding import near, tidy
from germline.programs.optimizer.simplify.form import Expression, Form
from germline.programs.optimizer.types import SCALAR

MAX_AVERAGED = 3
"""Sums of more terms are not written as averages."""

DIGITS = 1e-13
"""The most by which the weights of a sum may change, as a share of each, where it is written in another way."""

READABLE = 12
"""Characters up to which a literal may be longer than those that it replaces."""


def sum_expressions(form: Form, weights: Mapping[int, float], constant: float) -> Iterator[Expression]:
    """Short ways to compute a sum, the shortest often first."""
    weights = {term: weight for term, weight in weights.items() if weight != 0}
    groups = _groups(form, weights)
    if not groups:
        yield tidy(constant)
        return
    if constant == 0:
        yield from _in_averages(groups, {term: weights[term] for term in sorted(weights)})
    yield assemble(groups, constant)


Weighted = tuple[Expression, float]
"""A value and its weight."""


def _groups(form: Form, weights: dict[int, float]) -> list[Weighted]:
    """The weighted terms of a sum, grouped by the absolute value of the weight, up to rounding.

    0.5 a - 0.5 b becomes (a - b) with the weight 0.5. Terms that are scalars come first.

    Args:
        form: the form of the terms.
        weights: the weight of each term, by the number of its node; none is zero.
    """
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
    # Either weight may be the literal. The other is 1 minus it, and has lost digits if it is near 0. Of the literals
    # that lose none, that with fewer digits is written, unless it has more digits than both weights had.
    options = [(a, ("interp", x, y, a), p), (b, ("interp", y, x, b), q)]
    longest = max(READABLE, *(len(repr(tidy(weight))) for weight in (p, q)))
    for literal, average, other in sorted(options, key=lambda option: len(repr(option[0]))):
        if abs((1.0 - literal) * total - other) <= DIGITS * abs(other) and len(repr(literal)) <= longest:
            yield average, total
            return


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
