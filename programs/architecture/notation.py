"""Texts of architectures as other projects write them: genotypes of DARTS and cell strings of NAS-Bench-201.

A genotype is an expression of Python, `Genotype(normal=[('sep_conv_3x3', 0), …], normal_concat=range(2, 6), …)`, as the
programs of DARTS, EEEA-Net and NSGA-Net print it. It is parsed and never executed. A cell string is
`|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|+|…|`: the nodes, each with its operations and the numbers of their sources.
"""

import ast
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from germline.programs.architecture.genome import (
    MAX_CHARACTERS,
    NAMES,
    Architecture,
    InvalidArchitecture,
    from_data,
    write,
)

_GENOTYPE = "Genotype(normal=[('sep_conv_3x3', 1), …], normal_concat=range(2, 6), reduce=[…], reduce_concat=[…])"


def is_published(text: str) -> bool:
    """Whether a text is meant to be a genotype or a cell string; it need not be valid."""
    return text.lstrip().startswith("|") or "Genotype(" in text


def from_published(text: str) -> Architecture:
    """The architecture of a genotype or a cell string.

    Raises:
        InvalidArchitecture: the text is neither, or its architecture is not valid.
    """
    if len(text) > MAX_CHARACTERS:
        raise InvalidArchitecture(f"expected at most {MAX_CHARACTERS} characters, got {len(text)}")
    return from_data(_cell_string(text.strip()) if text.lstrip().startswith("|") else _genotype(text))


def genotype(architecture: Architecture) -> str:
    """The genotype of a pair of cells; `from_published(genotype(a)) == a`.

    Raises:
        InvalidArchitecture: the architecture is a single cell.
    """
    if architecture.inputs != 2:
        raise InvalidArchitecture("expected a normal and a reduction cell for a genotype of DARTS, got a single cell")
    parts = []
    for name, cell in zip(NAMES[2], architecture.cells, strict=True):
        parts += [f"{name}={list(cell.edges)!r}", f"{name}_concat={list(cell.concat)!r}"]
    return f"Genotype({', '.join(parts)})"


def cell_string(architecture: Architecture) -> str:
    """The cell string of a single cell; `from_published(cell_string(a)) == a`.

    Raises:
        InvalidArchitecture: the architecture is a pair of cells.
    """
    if architecture.inputs != 1:
        raise InvalidArchitecture("expected a single cell for a string of NAS-Bench-201, got a pair of cells")
    nodes = ("".join(f"|{operation}~{source}" for operation, source in node) for node in architecture.cells[0].nodes)
    return "+".join(f"{node}|" for node in nodes)


NOTATIONS: Mapping[str, Callable[[Architecture], str]] = {"json": write, "darts": genotype, "nb201": cell_string}
"""How to write an architecture, by the name of the notation."""


def _cell_string(text: str) -> dict[str, Any]:
    pairs = []
    for node in text.split("+"):
        if len(node) < 2 or not (node.startswith("|") and node.endswith("|")):
            raise InvalidArchitecture(f"expected nodes such as |nor_conv_3x3~0|none~1| between +, got {node!r:.60}")
        for edge in node[1:-1].split("|"):
            operation, tilde, source = edge.partition("~")
            if not (tilde and source.isdecimal() and len(source) < 4):
                raise InvalidArchitecture(f"expected an edge such as nor_conv_3x3~0, got {edge!r:.60}")
            pairs.append([operation, int(source)])
    return {"cell": pairs}


def _genotype(text: str) -> dict[str, Any]:
    try:
        with warnings.catch_warnings():  # of Python, such as about escapes
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        cause = getattr(error, "msg", None) or (str(error).splitlines() or ["nested too deeply"])[0]
        raise InvalidArchitecture(f"expected {_GENOTYPE}, got a text that is not Python ({cause:.80})") from None
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _name(node.func) == "Genotype"]
    if len(calls) != 1:
        raise InvalidArchitecture(f"expected one genotype, got {len(calls)}; keep one in the file")
    arguments = {keyword.arg: keyword.value for keyword in calls[0].keywords}
    if calls[0].args or None in arguments:
        raise InvalidArchitecture(f"expected arguments with names; write {_GENOTYPE}")
    return {
        str(name): _numbers(value) if str(name).endswith("_concat") else _pairs(value)
        for name, value in arguments.items()
    }


def _name(function: ast.expr) -> str | None:
    """The name of a function that is called; its last part if it is in a module."""
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else None


def _pairs(value: ast.expr) -> Any:
    pairs = _literal(value)
    return [list(pair) if isinstance(pair, tuple) else pair for pair in pairs] if _is_sequence(pairs) else pairs


def _numbers(value: ast.expr) -> Any:
    """The numbers of a list, or of a call of `range` with small bounds."""
    if isinstance(value, ast.Call) and _name(value.func) == "range" and not value.keywords:
        bounds = [_literal(argument) for argument in value.args]
        if len(bounds) in (1, 2) and all(type(bound) is int and 0 <= bound < 100 for bound in bounds):
            return list(range(*bounds))
    numbers = _literal(value)
    return list(numbers) if _is_sequence(numbers) else numbers


def _is_sequence(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _literal(value: ast.expr) -> Any:
    """The value of a literal of Python; for other expressions a text, which is no valid part of an architecture."""
    try:
        return ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return f"an expression ({type(value).__name__})"
