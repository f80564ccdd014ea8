"""How values look in text: numbers, times, and words from a database that a terminal may safely show."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from germline.cli.errors import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from germline.db.records import EvaluationRecord

GOOD, BAD, QUIET = "green", "red", "dim"


def safe(value: object, style: str = "") -> "Text":
    """One line of text in which neither control characters nor rich's markup do anything."""
    from rich.text import Text

    return Text(printable(str(value)).replace("\n", " ").replace("\t", " "), style)


def number(value: float | None) -> str:
    """A fitness or a measure; `-` if there is none."""
    if value is None:
        return "-"
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e5 else f"{value:.4g}"


def gain(value: float | None) -> "Text":
    """A difference with its sign, green for the better."""
    if value is None:
        return safe("")
    sign = "+" if value >= 0 else "-"
    return safe(sign + number(abs(value)), GOOD if value > 0 else BAD if value < 0 else QUIET)


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


def size(count: float) -> str:
    """Bytes in binary units."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def setting(value: Any) -> str:
    """A setting's value as `--set` takes it."""
    if value is None:
        return "off"
    if isinstance(value, Mapping):
        return ",".join(f"{key}:{weight:g}" for key, weight in value.items())
    if isinstance(value, list | tuple):
        return "none" if not value else ",".join(item if isinstance(item, str) else f"{item:g}" for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def level(evaluation: "EvaluationRecord", home: str) -> str:
    """Where an evaluation was done: its rung, and its task and seed where they are not the run's own."""
    parts = [f"rung {evaluation.rung}"]
    if evaluation.seed:
        parts.append(f"seed {evaluation.seed}")
    if evaluation.task != home:
        parts.insert(0, evaluation.task)
    return " ".join(parts)


def plain_table(*headers: str, right: tuple[str, ...] = ()) -> "Table":
    """A table without lines; the columns named in `right` are numbers."""
    from rich.table import Table

    table = Table(box=None, header_style=QUIET, pad_edge=False, padding=(0, 2, 0, 0))
    for header in headers:
        table.add_column(header, justify="right" if header in right else "left", no_wrap=header in right)
    return table


def print_table(out: "Console", table: "Table") -> None:
    """Prints a table; in a pipe without the blanks that fill up its lines."""
    if out.is_terminal:
        out.print(table)
        return
    with out.capture() as captured:
        out.print(table)
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))
