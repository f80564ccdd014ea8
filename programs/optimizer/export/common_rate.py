"""An update whose terms share a learning rate, as one product with that rate.

| the update | becomes |
|---|---|
| `u * (lr * 0.001) + w * (lr * 2e-05)` | `(u + w * 0.02) * (lr * 0.001)` |
| `(u * 0.001 + w * 2e-05) * lr` | `(u + w * 0.02) * lr * 0.001` |
| `u * (lr * 0.001) - v * lr / c` | `(u * 0.001 - v / c) * lr` |

The rate is the number of the term that is no weight decay, which depends on the parameters alone; of several terms that
of the largest number. Where `lr` is a factor of the whole update, as in the second line, nothing is taken out unless
there is a weight decay and no number beside `lr`.
"""

from dataclasses import dataclass, replace
from math import isfinite

from germline.programs.optimizer.graph import Node
from germline.programs.optimizer.program import Program
from germline.programs.optimizer.simplify.folding import tidy
from germline.programs.optimizer.simplify.form import Expression, Form
from germline.programs.optimizer.simplify.rewriting import from_program, rewrite
from germline.programs.optimizer.simplify.to_program import to_program

MAX_SIZE = 60
"""An update of more operations than this is left as it is."""

_TINY = 1e-30
"""No learning rate is smaller."""


@dataclass(frozen=True)
class _Factored:
    """A value as a product: a number, perhaps `lr`, and the rest.

    Attributes:
        number: the number.
        has_lr: True if `lr` is a factor.
        rest: the other factors; None if there are none.
        size: how many operations the rest consists of.
        decays: True if the value depends on the parameters, and neither on gradients nor on states.
        from_sum: True if a factor was taken out of a sum.
    """

    number: float
    has_lr: bool = False
    rest: Expression | None = None
    size: int = 0
    decays: bool = False
    from_sum: bool = False


def with_common_rate(program: Program) -> Program:
    """A live program with the factors that all terms of its update share taken out of the sum.

    Results differ by rounding alone. It is the program itself if there are no such factors.
    """
    form = from_program(program)
    update = _of_update(form, without_lr=False)
    if update is not None and not update.from_sum and update.number == 1:
        update = _of_update(form, without_lr=True)
    if update is None or not update.from_sum or update.rest is None:
        return program
    rate = abs(update.number)
    if not isfinite(rate) or rate < _TINY:
        return program
    factor: Expression = ("*", ("input:lr",), rate) if update.has_lr else rate
    rest = update.rest if update.number > 0 else ("negative", update.rest)
    after = rewrite(form, {form.update: ("*", rest, factor)})
    return program if after is None else to_program(after)


def _of_update(form: Form, without_lr: bool) -> _Factored | None:
    """The update as a product; None if it depends on `lr` in another way.

    Args:
        form: the program.
        without_lr: whether factors are taken out of sums that do not depend on `lr`, too.
    """
    values: list[_Factored | None] = []
    reads_w: list[bool] = []
    reads_others: list[bool] = []
    for i, node in enumerate(form.nodes):
        reads_w.append(node.function == "input:w" or any(reads_w[arg] for arg in node.args))
        other = node.function == "input:g" or i in form.present
        reads_others.append(other or any(reads_others[arg] for arg in node.args))
        decays = reads_w[i] and not reads_others[i]
        value = _value(form, i, values, without_lr)
        values.append(None if value is None else replace(value, decays=decays))
    return values[form.update]


def _value(form: Form, i: int, values: list[_Factored | None], without_lr: bool) -> _Factored | None:
    """A node as a product, given the earlier nodes; None if it depends on `lr` in another way.

    What does not depend on `lr` stays whole if others use it as well, or if it is a sum and not `without_lr`.
    """
    node = form.nodes[i]
    if node.literal is not None:
        return _Factored(node.literal)
    if node.function == "input:lr":
        return _Factored(1.0, has_lr=True)
    args = [values[arg] for arg in node.args]
    known = [arg for arg in args if arg is not None]
    if len(known) < len(args):
        return None
    depends = any(arg.has_lr for arg in known)
    value = _operation(node, known)
    opens = depends or (form.uses[i] == 1 and (without_lr or node.function not in ("+", "-")))
    if value is not None and value.size <= MAX_SIZE and opens:
        return value
    return None if depends else _Factored(1.0, rest=i)


def _operation(node: Node, args: list[_Factored]) -> _Factored | None:
    """A function of products as a product; None if it is no product."""
    match node.function, args:
        case "*", [x, y] if not (x.has_lr and y.has_lr):
            has_lr, from_sum = x.has_lr or y.has_lr, x.from_sum or y.from_sum
            rest = x.rest if y.rest is None else y.rest if x.rest is None else ("*", x.rest, y.rest)
            return _Factored(x.number * y.number, has_lr, rest, x.size + y.size + 1, from_sum=from_sum)
        case "/", [x, y] if not y.has_lr:
            rest = ("/", 1.0 if x.rest is None else x.rest, node.args[1])
            return _Factored(x.number, x.has_lr, rest, x.size + 1, from_sum=x.from_sum)
        case "negative", [x]:
            return replace(x, number=-x.number)
        case "+", [x, y]:
            return _sum(x, y)
        case "-", [x, y]:
            return _sum(x, replace(y, number=-y.number))
    return None


def _sum(x: _Factored, y: _Factored) -> _Factored | None:
    """A sum as a product with what its terms share; None if they share nothing."""
    if x.has_lr != y.has_lr or not (x.number and y.number):
        return None
    if x.decays != y.decays:
        rate = abs(y.number if x.decays else x.number)
    else:
        rate = max(abs(x.number), abs(y.number))
    if not x.has_lr and (rate == 1 or x.decays == y.decays):
        return None
    first, second = (_times(term.rest, tidy(abs(term.number) / rate)) for term in (x, y))
    rest: Expression = ("+", first, second)
    if x.number * y.number < 0:
        rest = ("-", first, second) if x.number > 0 else ("-", second, first)
    number = -rate if x.number < 0 and y.number < 0 else rate
    return _Factored(number, x.has_lr, rest, x.size + y.size + 3, from_sum=True)


def _times(rest: Expression | None, number: float) -> Expression:
    """A product with a number, and no other operations than it needs."""
    if rest is None:
        return number
    return rest if number == 1 else ("*", rest, number)
