"""Reads and writes the text of programs, in the form of Chen et al. 2023: a Python function, which is never executed.

    def train(w, g, m, v, lr):
      m = interp(g, m, 0.9)
      update = sign(m) * lr
      return update, m, v

States are the names between `g` and `lr`; a state that is not shaped like w declares its shape (`t: leaf`, see
`types.STATE_TYPES`). Each nested operation becomes a statement of its own.
"""

import ast
import keyword
import math
import re
import warnings
from collections.abc import Iterator
from difflib import get_close_matches
from functools import cached_property

from germline.programs.optimizer.primitives import PRIMITIVES
from germline.programs.optimizer.program import (
    OPTIONAL_INPUTS,
    Argument,
    InvalidProgram,
    Program,
    State,
    Statement,
    unused_names,
)
from germline.programs.optimizer.statement_text import expression
from germline.programs.optimizer.types import STATE_TYPES

MAX_CHARACTERS = 65_536
MAX_STATEMENTS = 1_000
MAX_DEPTH = 50

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}\Z", re.ASCII)
_OPERATORS: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_EXAMPLE = "write `def train(w, g, m, v, lr):` with assignments and one `return update, m, v`"


def parse(text: str) -> Program:
    """The program of a text, which is parsed and never executed.

    Only the syntax is checked. `graph.trace` checks that names are assigned before they are used, and the types.

    Raises:
        InvalidProgram: the text is outside of the language.
    """
    if len(text) > MAX_CHARACTERS:
        raise InvalidProgram("too long", f"expected at most {MAX_CHARACTERS} characters, got {len(text)}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except SyntaxError as error:
        raise InvalidProgram("syntax", f"line {error.lineno or 1}: not Python ({error.msg:.70}); {_EXAMPLE}") from None
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        cause = (str(error).splitlines() or ["nested too deeply"])[0]
        raise InvalidProgram("syntax", f"not Python ({cause:.80}); {_EXAMPLE}") from None
    functions = [node for node in tree.body if not _is_docstring(node)]
    if len(functions) != 1 or not isinstance(functions[0], ast.FunctionDef):
        got = type(functions[0]).__name__.lower() if functions else "nothing"
        raise InvalidProgram("syntax", f"expected one function, got {got}; {_EXAMPLE}")
    return _Reader(functions[0]).read()


def write(program: Program) -> str:
    """The text of a program: a line for the inputs, for each statement, and for the return. `parse(write(p)) == p`."""
    states = [s.name if s.shape == "tree" else f"{s.name}: {s.shape}" for s in program.states]
    inputs = ["w", "g", *states, "lr", *program.optional_inputs]
    lines = [f"def train({', '.join(inputs)}):"]
    lines += [line.text or _cached_text(line) for line in program.body]
    lines.append(f"  return {', '.join(program.returns)}")
    return "\n".join(lines) + "\n"


def write_statement(line: Statement) -> str:
    """The line of a statement, without its indentation."""
    return f"{line.target} = {expression(line)}"


def _cached_text(line: Statement) -> str:
    """The line of a statement, with its indentation; stores the line in the statement."""
    text = f"  {write_statement(line)}"
    object.__setattr__(line, "text", text)
    return text


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _fail(node: ast.AST, reason: str, message: str) -> InvalidProgram:
    """The error for a node, with its line number."""
    return InvalidProgram(reason, f"line {getattr(node, 'lineno', 1)}: {message}")


class _Reader:
    """Converts the syntax tree of a function into statements."""

    def __init__(self, function: ast.FunctionDef) -> None:
        self.function = function
        self.body: list[Statement] = []
        self.lines: list[int] = []

    @cached_property
    def new_names(self) -> Iterator[str]:
        """Names for nested operations: those of t1, t2, … that the text does not use."""
        return unused_names("t", {node.id for node in ast.walk(self.function) if isinstance(node, ast.Name)})

    def read(self) -> Program:
        """The program of the function."""
        if self.function.name != "train":
            raise _fail(self.function, "syntax", f"expected a function named train, got {self.function.name!r:.60}")
        if self.function.decorator_list or self.function.returns or getattr(self.function, "type_params", None):
            raise _fail(self.function, "syntax", "expected a plain function, got a decorator or a type; remove it")
        states, optional = self._signature(self.function.args)
        lines = [node for node in self.function.body if not _is_docstring(node)]
        if not lines or not isinstance(lines[-1], ast.Return):
            raise _fail(lines[-1] if lines else self.function, "syntax", "expected a return line at the end")
        for node in lines[:-1]:
            self._assignment(node)
        returns = self._returns(lines[-1], states)
        program = Program(tuple(self.body), states, returns=returns, **dict.fromkeys(optional, True))
        object.__setattr__(program, "lines", tuple(self.lines))
        return program

    def _signature(self, args: ast.arguments) -> tuple[tuple[State, ...], list[str]]:
        """The states, and the inputs after `lr`."""
        if args.vararg or args.kwarg or args.kwonlyargs or args.posonlyargs or args.defaults:
            raise _fail(self.function, "syntax", "expected plain inputs, got defaults or stars; write `w, g, m, v, lr`")
        names = [arg.arg for arg in args.args]
        last = names.index("lr") if "lr" in names else 0
        optional = names[last + 1 :]
        in_order = optional == [name for name in OPTIONAL_INPUTS if name in optional]
        if names[:2] != ["w", "g"] or last < 2 or not in_order or "step" in names[:last]:
            raise _fail(
                self.function,
                "signature",
                "expected the inputs w, g, states, lr and optionally step, progress and loss, in this order, got "
                f"{', '.join(names)!r:.80}",
            )
        if len(set(names)) < len(names):
            raise _fail(self.function, "signature", "expected different inputs, got a name twice")
        middle = args.args[2:last]
        for arg in (*args.args[:2], *args.args[2 + len(middle) :]):
            if arg.annotation is not None:
                raise _fail(arg, "signature", f"expected a shape on states only, got a shape on {arg.arg}")
        states = tuple(self._state(arg) for arg in middle)
        if sum(state.shape == "readout" for state in states) > 1:
            raise _fail(self.function, "signature", "expected at most one state of shape readout, got several")
        return states, optional

    def _state(self, arg: ast.arg) -> State:
        self._check_name(arg, arg.arg)
        if arg.annotation is None:
            return State(arg.arg)
        shape = arg.annotation.id if isinstance(arg.annotation, ast.Name) else "something else"
        if shape not in STATE_TYPES:
            shapes = ", ".join(STATE_TYPES)
            raise _fail(arg, "signature", f"expected a state's shape out of {shapes}, got {shape!r:.60}")
        return State(arg.arg, shape)

    def _returns(self, node: ast.Return, states: tuple[State, ...]) -> tuple[str, ...]:
        """The names on the return line."""
        values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value] if node.value else []
        names = [value.id for value in values if isinstance(value, ast.Name)]
        if len(names) < len(values) or len(names) != 1 + len(states):
            example = ", ".join(["update", *(state.name for state in states)])
            raise _fail(node, "return", f"expected {1 + len(states)} names after return, as in `return {example}`")
        return tuple(names)

    def _assignment(self, node: ast.stmt) -> None:
        """Appends the statements of a line."""
        if not isinstance(node, ast.Assign) or len(node.targets) != 1 or not isinstance(node.targets[0], ast.Name):
            construct = _CONSTRUCTS.get(type(node), type(node).__name__.lower())
            raise _fail(node, "syntax", f"expected an assignment such as `m = interp(g, m, 0.9)`, got {construct}")
        target = node.targets[0].id
        self._check_name(node, target)
        value = self._operation(node.value, 0)
        if isinstance(value, tuple):
            self._append(node, Statement(target, *value))
        else:
            self._append(node, Statement(target, "=", (value,)))
        self.lines += [node.lineno] * (len(self.body) - len(self.lines))

    def _append(self, node: ast.AST, line: Statement) -> None:
        if len(self.body) == MAX_STATEMENTS:
            raise _fail(node, "too long", f"expected at most {MAX_STATEMENTS} statements")
        self.body.append(line)

    def _operation(self, node: ast.expr, depth: int) -> tuple[str, tuple[Argument, ...]] | Argument:
        """The function and arguments of an expression, or the name or literal that it consists of."""
        if depth > MAX_DEPTH:
            raise _fail(node, "syntax", f"expected at most {MAX_DEPTH} nested operations; split the line")
        if isinstance(node, ast.Name):
            self._check_name(node, node.id)
            return node.id
        if isinstance(node, ast.Constant):
            return self._literal(node, node.value)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            if isinstance(node.operand, ast.Constant):
                return -self._literal(node, node.operand.value)
            return "negative", (self._argument(node.operand, depth),)
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            return _OPERATORS[type(node.op)], (self._argument(node.left, depth), self._argument(node.right, depth))
        if isinstance(node, ast.Call):
            return self._call(node, depth)
        construct = _CONSTRUCTS.get(type(node), type(node).__name__.lower())
        if isinstance(node, ast.BinOp | ast.UnaryOp):
            construct = f"the operator {type(node.op).__name__.lower()}"
        raise _fail(node, "syntax", f"expected calls, + - * /, names and numbers, got {construct}")

    def _call(self, node: ast.Call, depth: int) -> tuple[str, tuple[Argument, ...]]:
        """The function and arguments of a call."""
        if not isinstance(node.func, ast.Name):
            raise _fail(node, "syntax", "expected a function of the language, got an attribute or an expression")
        name = node.func.id
        if name not in PRIMITIVES or PRIMITIVES[name].operator:
            near = get_close_matches(name, PRIMITIVES, n=1)
            hint = f"; did you mean {near[0]}?" if near else "; docs/language.md lists the functions"
            raise _fail(node, "unknown function", f"expected a function of the language, got {name!r:.60}{hint}")
        if node.keywords or any(isinstance(arg, ast.Starred) for arg in node.args):
            raise _fail(node, "syntax", f"expected plain arguments for {name}, got a keyword or a star")
        arity = PRIMITIVES[name].arity
        if len(node.args) != arity:
            plural = "" if arity == 1 else "s"
            raise _fail(node, "arity", f"expected {arity} argument{plural} for {name}, got {len(node.args)}")
        return name, tuple(self._argument(arg, depth) for arg in node.args)

    def _argument(self, node: ast.expr, depth: int) -> Argument:
        """An argument; a nested operation becomes a statement with a new name."""
        value = self._operation(node, depth + 1)
        if not isinstance(value, tuple):
            return value
        self._append(node, Statement(next(self.new_names), *value))
        return self.body[-1].target

    def _literal(self, node: ast.AST, value: object) -> float:
        """The number of a literal, which has to be finite."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _fail(node, "literal", f"expected a number, got {type(value).__name__}")
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise _fail(node, "literal", "expected a finite number, got a number that overflows")
        return number

    def _check_name(self, node: ast.AST, name: str) -> None:
        if not _NAME.match(name) or keyword.iskeyword(name):
            raise _fail(
                node, "name", f"expected a name of letters, digits and _ (at most 40, a letter first), got {name!r:.60}"
            )


_CONSTRUCTS: dict[type[ast.AST], str] = {
    ast.Import: "an import",
    ast.ImportFrom: "an import",
    ast.For: "a loop",
    ast.While: "a loop",
    ast.If: "a branch",
    ast.IfExp: "a branch",
    ast.Attribute: "an attribute",
    ast.Subscript: "an index",
    ast.Lambda: "a lambda",
    ast.AugAssign: "an augmented assignment; write it out",
    ast.AnnAssign: "an annotated assignment",
    ast.Compare: "a comparison; use greater(x, y)",
    ast.Return: "an early return",
    ast.Expr: "an expression whose value is lost",
    ast.FunctionDef: "a function",
    ast.ClassDef: "a class",
    ast.Assign: "several targets",
}
