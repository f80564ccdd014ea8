"""What the rules of a check share: lines on the births of a run, and reading what may be damaged."""

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import Connection, Select

MAX_LISTED: Final = 5
"""How many births or rows a line names at most."""


def births_line(births_with_repeats: list[int], problem: str) -> list[str]:
    """A line such as ``2 births have PROBLEM: 3, 17``, in a list; an empty list without births."""
    births = list(dict.fromkeys(births_with_repeats))  # a birth can have many evaluations
    if not births:
        return []
    listed = ", ".join(str(birth) for birth in births[:MAX_LISTED]) + (", …" if len(births) > MAX_LISTED else "")
    return [f"{len(births)} {'birth has' if len(births) == 1 else 'births have'} {problem}: {listed}"]


def query_line(connection: Connection, query: Select[Any], problem: str) -> list[str]:
    """The line of `births_line` for the births that a query selects, in a list; an empty list if it selects none."""
    return births_line(sorted(set(connection.scalars(query))), problem)


def is_readable(read: Callable[..., object], *arguments: Any) -> bool:
    """Whether a function that parses raises neither ValueError nor TypeError for these arguments."""
    try:
        read(*arguments)
    except (ValueError, TypeError):
        return False
    return True


def streamed(query: Select[Any]) -> Select[Any]:
    """The query, with rows that come in parts instead of all at once, for tables that do not fit in memory."""
    return query.execution_options(yield_per=2000)
