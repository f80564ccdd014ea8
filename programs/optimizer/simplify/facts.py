"""What is known about the values of a program as a `form.Form`: range, and whether they can be zero, infinite or NaN.

Found by abstract interpretation: from states of zero to a fixpoint or, if none is reached soon, with nothing assumed of
states. A fact holds for every element of a value, in every step, for finite inputs, in single and in double precision;
with `lenient` only where nothing over- or underflows and no function leaves its domain.
"""

from dataclasses import replace

from germline.programs.optimizer.simplify.form import Form
from germline.programs.optimizer.simplify.ranges import INF, NOTHING, SMALL, Fact, fact_of, join, number

_FINITE = Fact(infinite=False, nan=False)


def facts(form: Form, lenient: bool = False) -> list[Fact]:
    """The facts about each node of a form."""
    state_at = dict(zip(form.present, form.following, strict=True))
    known = {node: number(0.0) for node in state_at}
    for iteration in range(8 + 4 * len(state_at)):
        values = _execute(form, known, lenient)
        joined = {node: join(fact, values[state_at[node]]) for node, fact in known.items()}
        if joined == known:
            return values
        known = {node: _widened(joined[node], known[node]) for node in known} if iteration > 1 else joined
    return _execute(form, dict.fromkeys(state_at, _lenient(NOTHING) if lenient else NOTHING), lenient)


def _execute(form: Form, states: dict[int, Fact], lenient: bool) -> list[Fact]:
    """The facts of one step, from those about the states."""
    values: list[Fact] = []
    for i, node in enumerate(form.nodes):
        if node.literal is not None:
            values.append(number(node.literal))
        elif i in states:
            values.append(states[i])
        elif node.function.startswith("input:"):
            values.append(Fact(1.0, INF, False, False, False) if node.function == "input:step" else _FINITE)
        else:
            fact = fact_of(node.function, [values[arg] for arg in node.args])
            values.append(_lenient(fact) if lenient else _with_underflow(node.function, fact))
    return values


def _lenient(fact: Fact) -> Fact:
    return replace(fact, infinite=False, nan=False)


def _widened(new: Fact, old: Fact) -> Fact:
    """A bound that moved is given up, except that what is not negative (or not positive) may stay so."""
    low = new.low if new.low == old.low else 0.0 if new.low >= 0 else -INF
    high = new.high if new.high == old.high else 0.0 if new.high <= 0 else INF
    return replace(new, low=low, high=high)


def _with_underflow(function: str, fact: Fact) -> Fact:
    """The fact about a value that may underflow."""
    near_zero = function in _UNDERFLOWS and fact.low < SMALL and fact.high > -SMALL
    return replace(fact, zero=True) if near_zero else fact


_UNDERFLOWS = frozenset(
    ("*", "/", "square", "cube", "exp", "exp2", "exp10", "expm1", "interp", "reciprocal", "power")
) | frozenset(("row_mean", "column_mean", "leaf_mean"))
"""Functions whose value may be zero only because it is too small."""
