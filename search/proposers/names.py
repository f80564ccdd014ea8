"""How operators from outside are written in the setting `operators`, beside those of a kind.

`llm:0.2` is the built-in operator that asks a language model, `FILE.py:function:0.2` a function in a file, and
`NAME:0.2` an operator of an installed package. The number is the share, from 0 to 1, of the births that the operator is
asked for; the operators of the kind share the rest by their weights.
"""

from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from germline.search.value_parsers import number, positive

GROUP = "germline.operators"
"""Entry-point group in which an installed package lists its operators."""
LLM = "llm"
_FILE = ".py:"


def is_file(name: str) -> bool:
    """Whether an operator is a function in a file."""
    return _FILE in name


def split_file(name: str) -> tuple[str, str]:
    """The path and the function of the name of an operator in a file, without its share."""
    path, _, function = name.rpartition(_FILE)
    return f"{path}.py", function


def absolute(name: str) -> str:
    """The name of an operator, with an absolute path if it is a function in a file."""
    if not is_file(name):
        return name
    path, function = split_file(name)
    return f"{Path(path).resolve()}:{function}"


def installed() -> Mapping[str, EntryPoint]:
    """The operators of installed packages by name."""
    return {point.name: point for point in sorted(entry_points(group=GROUP)) if point.name != LLM}


def short_name(name: str) -> str:
    """The name of an operator in records: of a function in a file `file.py:function`, without its folder."""
    if not is_file(name):
        return name
    path, function = split_file(name)
    return f"{Path(path).name}:{function}"


def shares(operators: Mapping[str, float], own: tuple[str, ...] = ()) -> dict[str, float]:
    """The operators from outside that are ever asked, with their shares; `own` are those of the kind."""
    return {name: share for name, share in operators.items() if name not in own and share > 0}


def operator_weights(
    *own: str, language_model: bool = True, recorded: bool = False
) -> Callable[[str], dict[str, float]]:
    """A parser of the setting `operators`: weights of operators of the kind, and shares of those from outside.

    It raises ValueError with the expected form.

    Args:
        own: names of the kind's operators; without any, the text may be `none`.
        language_model: whether `llm` is among those from outside.
        recorded: whether the text comes from the config of a run, which any machine can read: paths stay as they are,
            and no package has to be installed. Otherwise paths become absolute, and names must be of operators.
    """
    weighed = f"weights such as {own[0]}:1,{own[-1]}:0.5 over {', '.join(own)}" if own else ""
    shared = "shares of operators from outside such as FILE.py:function:0.2" + " or llm:0.2" * language_model
    expected = f"{weighed}, or {shared}" if own else f"{shared}, or none"

    def parse(text: str) -> dict[str, float]:
        if not own and text == "none":
            return {}
        result: dict[str, float] = {}
        for part in text.split(","):
            name, value = _parsed(part.strip(), own, language_model, recorded, expected)
            if short_name(name) in map(short_name, result):
                raise ValueError(f"different operators, each once: {expected}")
            result[name] = value
        if sum(share for name, share in result.items() if name not in own) > 1:
            raise ValueError(f"shares of at most 1 together: {expected}")
        return result

    return parse


def _parsed(part: str, own: tuple[str, ...], language_model: bool, recorded: bool, expected: str) -> tuple[str, float]:
    if is_file(part):
        path, rest = split_file(part)
        function, _, share = rest.partition(":")
        if not function.isidentifier() or path == ".py":
            raise ValueError(expected)
        file = path if recorded else str(Path(path).resolve())
        if "," in file:  # the folder that a relative path is in may have a comma
            raise ValueError(f"{expected}, with a path without commas")
        return f"{file}:{function}", _number(share, number(0, 1), expected)
    name, _, weight = part.partition(":")
    name = name.strip()
    if name in own:
        return name, _number(weight, positive, expected)
    known = language_model if name == LLM else bool(name) if recorded else name in installed()
    if not known:
        raise ValueError(expected)
    return name, _number(weight, number(0, 1), expected)


def _number(text: str, parse: Callable[[str], float], expected: str) -> float:
    try:
        return parse(text or "1")
    except ValueError as wrong:
        raise ValueError(f"{expected}, each number {wrong}") from None
