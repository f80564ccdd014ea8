"""Texts of hand-made optimizers, one file each."""

from difflib import get_close_matches
from functools import cache
from importlib.resources import files


class UnknownProgram(ValueError):
    """The library has no program of that name."""


@cache
def library() -> dict[str, str]:
    """The text of every program of the library by name, in alphabetical order."""
    texts = [entry for entry in files(__name__).iterdir() if entry.name.endswith(".txt")]
    return {text.name.removesuffix(".txt"): text.read_text(encoding="utf-8") for text in sorted(texts, key=_name)}


def library_text(name: str) -> str:
    """The text of a program of the library.

    Raises:
        UnknownProgram: there is no such program; the message suggests the nearest name.
    """
    texts = library()
    if name not in texts:
        near = get_close_matches(name, texts, n=1)
        hint = f"did you mean library:{near[0]}?" if near else f"there are {', '.join(texts)}"
        raise UnknownProgram(f"expected a program of the library, got {name!r:.60}; {hint}")
    return texts[name]


def _name(entry: object) -> str:
    return str(getattr(entry, "name", ""))
