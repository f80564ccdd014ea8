"""A program as LaTeX formulas: a line for each state, each value that is used more than once, and the weights."""

from collections.abc import Callable, Mapping

from germline.programs.optimizer.program import Program
from germline.programs.optimizer.simplify.facts import facts
from germline.programs.optimizer.simplify.form import Form
from germline.programs.optimizer.simplify.rewriting import from_program
from germline.programs.optimizer.types import SCALAR

_SUM, _PRODUCT, _FRACTION, _ATOM = 1, 2, 3, 4
"""How strongly an expression holds together: a fraction needs brackets only below a power."""

MAX_DEPTH = 12
"""An expression that is nested more deeply is written in several lines."""

Text = tuple[str, int]
"""LaTeX and how strongly it holds together."""

_INPUTS = {
    "input:w": "w_t",
    "input:g": "g_t",
    "input:lr": r"\eta_t",
    "input:step": "t",
    "input:progress": r"\mathrm{progress}_t",
    "input:loss": r"\mathrm{loss}_t",
}

_LETTERS = frozenset(
    "alpha beta gamma delta epsilon theta kappa lambda mu nu xi rho sigma tau phi chi psi omega".split()  # noqa: SIM905
)


def latex(program: Program) -> str:
    """The update of a program as an `aligned` environment.

    `w_t`, `g_t` and the states with the index t - 1 are the inputs of step t; `\\eta_t` is the schedule value.

    Raises:
        InvalidProgram: the program does not pass abstract execution.
    """
    form = from_program(program)
    writer = _Writer(form)
    lines = [rf"{name} &= {writer.written(node)}" for node, name in writer.named.items()]
    lines += [
        rf"{_symbol(state.name)}_t &= {writer.text(node)[0]}"
        for state, node in zip(form.states, form.following, strict=True)
        if node not in writer.named
    ]
    lines.append(rf"w_{{t+1}} &= w_t - {writer.grouped(form.update, _PRODUCT)}")
    return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"


class _Writer:
    """Writes the nodes of a form; `named` are the nodes that have a line of their own, with their symbols."""

    def __init__(self, form: Form) -> None:
        self.form = form
        self.facts = facts(form)
        self.present = {node: _symbol(s.name) for s, node in zip(form.states, form.present, strict=True)}
        self.named = _named(form)

    def text(self, node: int) -> Text:
        """A node as it is read: by its symbol, if it has one."""
        if node in self.named:
            return self.named[node], _ATOM
        if node in self.present:
            return f"{self.present[node]}_{{t-1}}", _ATOM
        value = self.form.nodes[node]
        if value.literal is not None:
            return _number(value.literal), _ATOM if value.literal >= 0 else _SUM
        if value.function in _INPUTS:
            return _INPUTS[value.function], _ATOM
        return self._operation(node)

    def written(self, node: int) -> str:
        """A node as it is computed."""
        return self._operation(node)[0]

    def grouped(self, node: int, strength: int) -> str:
        """A node in brackets, unless it holds together strongly enough."""
        text, rank = self.text(node)
        return text if rank >= strength else rf"\left({text}\right)"

    def _operation(self, node: int) -> Text:
        function, args, _, _ = self.form.nodes[node]
        writer = _FUNCTIONS.get(function)
        if writer is not None:
            return writer(self, args)
        inner = ", ".join(self.text(arg)[0] for arg in args)
        if function in ("max", "min"):
            return rf"\{function}\left({inner}\right)", _ATOM
        return rf"\operatorname{{{function.replace('_', chr(92) + '_')}}}\left({inner}\right)", _ATOM


def _named(form: Form) -> dict[int, str]:
    """Symbols of the nodes that have a line, in the order of computation: next values of states, values that are used
    more than once, and parts of deeply nested expressions."""
    states = {node: f"{_symbol(s.name)}_t" for s, node in reversed(list(zip(form.states, form.following, strict=True)))}
    used = set(states.values()) | {"w_t", "g_t"}
    named: dict[int, str] = {}
    depth = [0] * len(form.nodes)
    for node in form.operations:
        depth[node] = 1 + max((depth[arg] for arg in form.nodes[node].args), default=0)
        if node in states:
            named[node] = states[node]
        elif form.uses[node] > 1 or depth[node] > MAX_DEPTH:
            depth[node] = 0
            symbol = f"{_symbol(form.names[node] or 'x')}_t"
            named[node] = symbol if symbol not in used else f"{_symbol(f'{form.names[node]} {node}')}_t"
            used.add(named[node])
    return named


def _symbol(name: str) -> str:
    """A name as a symbol: a letter alone, a Greek letter, or upright."""
    if len(name) == 1:
        return name
    if name in _LETTERS:
        return rf"\{name}"
    return rf"\mathrm{{{name.replace('_', chr(92) + '_')}}}"


def _number(value: float) -> str:
    """A number; as a power of ten if it is very small or large."""
    digits, _, exponent = f"{value:.15g}".partition("e")
    if not exponent:
        return digits
    power = f"10^{{{int(exponent)}}}"
    return f"{digits[:-1]}{power}" if digits in ("1", "-1") else rf"{digits} \cdot {power}"


def _sum(writer: _Writer, args: tuple[int, ...]) -> Text:
    right = writer.grouped(args[1], _SUM)
    literal = writer.form.literal(args[1])
    if literal is not None and literal < 0:
        return f"{writer.text(args[0])[0]} - {_number(-literal)}", _SUM
    return f"{writer.text(args[0])[0]} + {right}", _SUM


def _difference(writer: _Writer, args: tuple[int, ...]) -> Text:
    literal = writer.form.literal(args[1])
    if literal is not None and literal < 0:
        return f"{writer.text(args[0])[0]} + {_number(-literal)}", _SUM
    return f"{writer.text(args[0])[0]} - {writer.grouped(args[1], _PRODUCT)}", _SUM


def _product(writer: _Writer, args: tuple[int, ...]) -> Text:
    nodes = writer.form.nodes
    for divided, divisor in (args, args[::-1]):
        if nodes[divisor].function == "reciprocal" and divisor not in writer.named:
            inner = writer.text(nodes[divisor].args[0])[0]
            return rf"\frac{{{writer.text(divided)[0]}}}{{{inner}}}", _FRACTION
    # Literals, then scalars: the order in which formulas are read.
    ordered = sorted(args, key=lambda arg: (nodes[arg].literal is None, nodes[arg].type != SCALAR))
    left, right = (writer.grouped(arg, _PRODUCT) for arg in ordered)
    between = r" \cdot " if right[:1].isdigit() else r" \, "
    return f"{left}{between}{right}", _PRODUCT


def _quotient(writer: _Writer, args: tuple[int, ...]) -> Text:
    return rf"\frac{{{writer.text(args[0])[0]}}}{{{writer.text(args[1])[0]} + 10^{{-8}}}}", _FRACTION


def _average(writer: _Writer, args: tuple[int, ...]) -> Text:
    x, y, a = args
    share = writer.form.literal(a)
    left, right = writer.grouped(x, _PRODUCT), writer.grouped(y, _PRODUCT)
    if share is not None:
        rest = float(f"{1 - share:.12g}")
        first, second = rf"{_number(share)} \, {right}", rf"{_number(abs(rest))} \, {left}"
        return f"{first} {'+' if rest >= 0 else '-'} {second}", _SUM
    weight = writer.grouped(a, _FRACTION)
    return rf"{weight} \, {right} + \left(1 - {writer.text(a)[0]}\right) {left}", _SUM


def _root(writer: _Writer, args: tuple[int, ...]) -> Text:
    inner = writer.text(args[0])[0]
    return (rf"\sqrt{{{inner}}}" if writer.facts[args[0]].low >= 0 else rf"\sqrt{{\left|{inner}\right|}}"), _ATOM


def _power(exponent: str) -> Callable[[_Writer, tuple[int, ...]], Text]:
    def write(writer: _Writer, args: tuple[int, ...]) -> Text:
        text, rank = writer.text(args[0])
        plain = rank == _ATOM and text.isalnum()
        base = text if plain else rf"\left({text}\right)" if rank < _ATOM or "^" in text else f"{{{text}}}"
        return f"{base}^{{{exponent or writer.text(args[1])[0]}}}", _PRODUCT

    return write


def _around(left: str, right: str, strength: int = _ATOM) -> Callable[[_Writer, tuple[int, ...]], Text]:
    return lambda writer, args: (f"{left}{writer.text(args[0])[0]}{right}", strength)


_FUNCTIONS: Mapping[str, Callable[[_Writer, tuple[int, ...]], Text]] = {
    "+": _sum,
    "-": _difference,
    "*": _product,
    "/": _quotient,
    "interp": _average,
    "sqrt": _root,
    "square": _power("2"),
    "cube": _power("3"),
    "power": _power(""),
    "abs": _around(r"\left|", r"\right|"),
    "norm": _around(r"\left\lVert ", r"\right\rVert"),
    "global_norm": _around(r"\left\lVert ", r"\right\rVert_{\mathrm{all}}"),
    "reciprocal": _around(r"\frac{1}{", "}", _FRACTION),
    "negative": lambda writer, args: (f"-{writer.grouped(args[0], _PRODUCT)}", _SUM),
}
