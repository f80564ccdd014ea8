"""States: those that are equal, those that follow from others, and other units in which they can be kept."""

from collections.abc import Callable, Iterator
from itertools import permutations

from germline.programs.optimizer.primitives import PRIMITIVES
from germline.programs.optimizer.simplify.averages import assemble
from germline.programs.optimizer.simplify.folding import fold, near, tidy
from germline.programs.optimizer.simplify.form import ANY_ORDER, Expression, Form, count_operations
from germline.programs.optimizer.simplify.rule import Context, Proposal, Rule
from germline.programs.optimizer.simplify.sums import MODERATE, Sum, weighted_sum

MAX_DERIVED = 8
"""A state is derived from others by at most this many operations."""


def _input(form: Form, k: int) -> Expression:
    """The present value of a state, as an input."""
    return (f"input:{form.states[k].name}",)


def _merge_equal(context: Context) -> Iterator[Proposal]:
    """Replaces each state by the first state that is equal to it: both start at zero, and if all such pairs are equal
    before a step, they are equal after it (the coarsest partition with this property)."""
    form = context.form
    classes: list[object] = [state.shape for state in form.states]
    for _ in form.states:
        keys = _keys(context, classes)
        refined: list[object] = [(classes[k], keys[node]) for k, node in enumerate(form.following)]
        numbers = {key: i for i, key in enumerate(dict.fromkeys(refined))}
        renumbered: list[object] = [numbers[key] for key in refined]
        if len(numbers) == len(set(map(repr, classes))):
            classes = renumbered
            break
        classes = renumbered
    first: dict[object, int] = {}
    changes: dict[int, Expression] = {}
    for k, group in enumerate(classes):
        if group in first:
            changes[form.present[k]] = _input(form, first[group])
        else:
            first[group] = k
    if changes:
        yield Proposal(changes)


def _keys(context: Context, classes: list[object]) -> list[object]:
    """A number for each node, equal for nodes that are the same function of the classes of states."""
    form = context.form
    class_of = dict(zip(form.present, classes, strict=True))
    numbers: dict[object, int] = {}
    keys: list[object] = []
    for i, node in enumerate(form.nodes):
        args = tuple(keys[arg] for arg in node.args)
        any_order = node.function in ANY_ORDER or (node.function in ("max", "min") and i not in context.before_poles)
        if any_order:
            args = tuple(sorted(args))  # type: ignore[type-var]
        key: object = ("state", class_of[i]) if i in class_of else (node.function, args, repr(node.literal))
        keys.append(numbers.setdefault(key, len(numbers)))
    return keys


def _derive(context: Context) -> Iterator[Proposal]:
    """Computes a state from others whose next values it is computed from, if the same holds at the start."""
    form = context.form
    for k, following in enumerate(form.following):
        others = {node: _input(form, i) for i, node in reversed(list(enumerate(form.following))) if node != following}
        expression = _over(form, others, following)
        if expression is None or k in _mentioned(form, expression):
            continue
        start = _at_zero(expression)
        if repr(start) == "0.0" or (start == 0 and form.present[k] not in context.before_poles):
            yield Proposal({form.present[k]: expression})


def _over(form: Form, others: dict[int, Expression], goal: int) -> Expression | None:
    """A node as a short expression over the present values of states, if it depends on their next values alone."""
    known: dict[int, Expression] = {}
    for i, node in enumerate(form.nodes[: goal + 1]):
        if i in others:
            known[i] = others[i]
        elif node.literal is not None:
            known[i] = node.literal
        elif node.args and PRIMITIVES[node.function].scope == "elementwise" and known.keys() >= set(node.args):
            expression: Expression = (node.function, *(known[arg] for arg in node.args))
            if count_operations(expression) <= MAX_DERIVED:
                known[i] = expression
    return known.get(goal)


def _at_zero(expression: Expression) -> float | None:
    """The value of an expression over states that are all zero; None if it is not finite."""
    if not isinstance(expression, tuple):
        return float(expression)
    function, *parts = expression
    if str(function).startswith("input:"):
        return 0.0
    values = [_at_zero(part) for part in parts]  # type: ignore[arg-type]
    return None if None in values else fold(str(function), *(value for value in values if value is not None))


def _mentioned(form: Form, expression: Expression) -> set[int]:
    """Positions of the states that an expression reads."""
    names = {f"input:{state.name}": k for k, state in enumerate(form.states)}
    if not isinstance(expression, tuple):
        return set()
    if expression[0] in names:
        return {names[str(expression[0])]}
    return set().union(*(_mentioned(form, part) for part in expression[1:] if not isinstance(part, str)))


def _rescale(context: Context) -> Iterator[Proposal]:
    """Keeps a state in another unit, in which its next value has a term without a weight, or is an average, or in which
    it is read without a factor."""
    form = context.form
    for k, (present, following) in enumerate(zip(form.present, form.following, strict=True)):
        if form.states[k].shape == "readout":
            continue
        done: list[float] = [1.0]
        for unit in (*_units_of_terms(form, k), *_units_of_readers(form, k)):
            if 1 / MODERATE <= abs(unit) <= MODERATE and not any(near(unit, other) for other in done):
                done.append(unit)
                yield Proposal(
                    {present: ("*", _input(form, k), tidy(unit))}, {k: ("*", following, tidy(1.0 / unit))}, rounds=True
                )


def _units_of_terms(form: Form, k: int) -> Iterator[float]:
    """Units of a state in which a term of its next value loses its weight."""
    for opens in _ways_to_open(form):
        total = weighted_sum(form, form.following[k], opens)
        own = total.weights.get(form.present[k], 0.0)
        for term, weight in total.weights.items():
            if term != form.present[k] and weight:
                yield weight
                if own != 1:
                    yield weight / (1 - own)
                yield -1.0 if weight < 0 else 1.0


def _units_of_readers(form: Form, k: int) -> Iterator[float]:
    """Units of a state in which it is read without a literal factor."""
    for i in form.operations:
        function, args, _, _ = form.nodes[i]
        if function == "*" and not {form.present[k], form.following[k]}.isdisjoint(args):
            yield from (1.0 / literal for arg in args if (literal := form.literal(arg)))


def _ways_to_open(form: Form) -> tuple[Callable[[int], bool], ...]:
    return (lambda at: form.uses[at] == 1, lambda at: True)


def _combine(context: Context) -> Iterator[Proposal]:
    """Keeps, instead of a state, its sum with a multiple of another: the sum of the two that some value needs."""
    form = context.form
    for i, j in permutations(range(len(form.states)), 2):
        if form.states[i].shape != form.states[j].shape:
            continue
        t = _input(form, i)
        for values in (form.following, form.present):
            if values[i] == values[j]:
                continue
            for node, total in _sums_with(context, values[i], values[j]):
                weight = total.weights.pop(values[i])
                share = tidy(total.weights.pop(values[j]) / weight)
                if not 1 / MODERATE <= abs(share) <= MODERATE:
                    continue
                combined: Expression = ("+", form.following[i], _times(form.following[j], share))
                here = t if values is form.present else combined
                yield Proposal(
                    {
                        form.present[i]: ("-", t, _times(_input(form, j), share)),
                        node: assemble([(here, weight), *total.weights.items()], total.constant),
                    },
                    {i: combined},
                    rounds=True,
                )


def _times(value: Expression, factor: float) -> Expression:
    return value if factor == 1 else ("*", value, factor)


def _sums_with(context: Context, a: int, b: int) -> Iterator[tuple[int, Sum]]:
    """The nodes that are sums in which two other nodes are terms."""
    form = context.form
    for node in form.operations:
        if context.exhausted:
            return
        if node in (a, b) or form.nodes[node].function not in ("+", "-", "interp"):
            continue
        total = weighted_sum(form, node, lambda at: at not in (a, b) and form.uses[at] == 1)
        context.visited += total.visits
        if total.weights.get(a) and total.weights.get(b):
            yield node, total


STATES = (
    Rule("merge equal states", "exact", "states that start equal and are updated equally → one state", _merge_equal),
    Rule("derive a state", "exact", "a state that follows from the next values of others → computed", _derive),
)
UNITS = (
    Rule("rescale a state", "exact", "a state s → s / a, read as a * s", _rescale),
    Rule("combine states", "almost", "a state s beside a state t → s + a * t", _combine),
)
"""Rules that only pay if others follow."""
