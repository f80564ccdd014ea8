"""The update rule of a program as formulas, for the docstring of its export."""

import re
from collections import Counter
from collections.abc import Mapping

from germline.programs.optimizer.export.names import AUTOMATIC
from germline.programs.optimizer.export.roles import PROTECTION
from germline.programs.optimizer.export.signs import Place
from germline.programs.optimizer.program import Argument, Program, Statement

_SUM, _PRODUCT, _POWER, _ATOM = 1, 2, 3, 4
_INFIX = {"+": _SUM, "-": _SUM, "*": _PRODUCT}
_FORMS = {"sqrt": "sqrt(|{0}|)", "log": "log|{0}|", "log2": "log2|{0}|", "log10": "log10|{0}|", "abs": "|{0}|"}

Written = tuple[str, int]
"""An expression and how tightly it binds."""


def formulas(program: Program, names: Mapping[Place, str], rate: str | None, positive: frozenset[int]) -> list[str]:
    """A line for each named value of a program, the last for the parameters.

    Values that one line reads are written where they are read, unless they have a name of their own.

    Args:
        program: a program.
        names: the variable at each place of a literal that is an argument.
        rate: what `lr` is written as; None: `lr`.
        positive: the positions of square roots whose argument is never negative.
    """
    inlined: dict[str, Written] = {"lr": (rate or "lr", _ATOM if not rate or rate.isidentifier() else _PRODUCT)}
    kept, last_reads = _kept(program), _last_reads(program)
    defined: dict[str, int] = {}
    lines: list[str] = []

    def add(target: str, source: str, i: int) -> None:
        """Adds a line, after those of values that are still to be read and that mention the target's old value."""
        for name, (text, _) in list(inlined.items()):
            if last_reads.get(defined.get(name, -1), -1) > i and re.search(rf"\b{target}\b", text):
                del inlined[name]
                add(name, text, i)
        lines.append(f"{target} = {source}")

    for i, line in enumerate(program.body):
        written = _statement(i, line, names, inlined, i in positive)
        inlined.pop(line.target, None)
        if i in kept:
            add(line.target, written[0], i)
        else:
            inlined[line.target], defined[line.target] = written, i
    update = inlined.get(program.returns[0], (program.returns[0], _ATOM))
    return [*lines, f"w = w - {_bound(update, _PRODUCT)}", *_renamed(program)]


def _kept(program: Program) -> frozenset[int]:
    """The positions of statements that get a line: values that are a state, or that are read more than once, or that
    have a name which is not given again."""
    current: dict[str, int] = {}
    reads: Counter[int] = Counter()
    for i, line in enumerate(program.body):
        reads.update(current[arg] for arg in line.args if isinstance(arg, str) and arg in current)
        current[line.target] = i
    reads.update(current[name] for name in program.returns if name in current)
    states = {current[name] for name in program.returns[1:] if name in current}
    last = {current.get(program.returns[0])}
    often = Counter(line.target for line in program.body)
    return frozenset(
        i
        for i, line in enumerate(program.body)
        if i in states
        or reads[i] > 1
        or not (AUTOMATIC.fullmatch(line.target) or often[line.target] > 1 or i in last or line.target == "lr")
    )


def _last_reads(program: Program) -> dict[int, int]:
    """The position of the last statement that reads the value of each statement; the end, if it is returned."""
    current: dict[str, int] = {}
    last: dict[int, int] = {}
    for i, line in enumerate(program.body):
        last |= {current[arg]: i for arg in line.args if isinstance(arg, str) and arg in current}
        current[line.target] = i
    return last | {current[name]: len(program.body) for name in program.returns if name in current}


def _renamed(program: Program) -> list[str]:
    """Lines for states whose next value has another name."""
    pairs = zip(program.states, program.returns[1:], strict=True)
    return [f"{state.name} = {name}" for state, name in pairs if state.name != name]


def _statement(
    i: int,
    line: Statement,
    names: Mapping[Place, str],
    inlined: Mapping[str, Written],
    positive: bool,
) -> Written:
    """The right-hand side of a statement."""
    args = [_argument((i, j), arg, names, inlined) for j, arg in enumerate(line.args)]
    function = line.function
    if function == "=":
        return args[0]
    if function == "*" and args[1][0].startswith("1 / ") and args[1][1] == _PRODUCT:
        return f"{_bound(args[0], _PRODUCT)} / {args[1][0].removeprefix('1 / ')}", _PRODUCT
    if function in _INFIX:
        level = _INFIX[function]
        right = level + (function == "-")
        return f"{_bound(args[0], level)} {function} {_bound(args[1], right)}", level
    if function == "/":
        epsilon = names.get((i, PROTECTION), "1e-8")
        return f"{_bound(args[0], _PRODUCT)} / ({_bound(args[1], _SUM)} + {epsilon})", _PRODUCT
    if function == "reciprocal":
        return f"1 / {_bound(args[0], _POWER)}", _PRODUCT
    if function == "square":
        return f"{_bound(args[0], _ATOM)}^2", _POWER
    if function == "power":
        return f"{_bound(args[0], _ATOM)}^{_bound(args[1], _ATOM)}", _POWER
    if function == "negative":
        return f"-{_bound(args[0], _POWER)}", _PRODUCT
    if function == "interp":
        x, y, a = args
        return (
            f"{_bound(a, _PRODUCT)} * {_bound(y, _PRODUCT)} + (1 - {_bound(a, _PRODUCT)}) * {_bound(x, _PRODUCT)}",
            _SUM,
        )
    if function == "sqrt" and positive:
        return f"sqrt({args[0][0]})", _ATOM
    if function in _FORMS:
        return _FORMS[function].format(args[0][0]), _ATOM
    return f"{function}({', '.join(source for source, _ in args)})", _ATOM


def _argument(place: Place, arg: Argument, names: Mapping[Place, str], inlined: Mapping[str, Written]) -> Written:
    if isinstance(arg, float):
        source = names.get(place) or (repr(int(arg)) if arg == int(arg) and abs(arg) < 1e6 else repr(arg))
        return source, _ATOM if arg >= 0 or place in names else _PRODUCT
    return inlined.get(arg, (arg, _ATOM))


def _bound(written: Written, level: int) -> str:
    """An expression as an operand."""
    source, own = written
    return source if own >= level else f"({source})"
