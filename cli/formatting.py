"""Values as text: numbers, times, sizes, settings and tables, safe for a terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from germline.cli.printing import on_a_line, say
from germline.db.records import EvaluationRecord

GOOD, BAD, QUIET = "green", "red", "dim"


def safe(value: object, style: str = "") -> Text:
    """`value` on one line, with control characters replaced, and cut if it is long."""
    return Text(on_a_line(str(value)), style)


def number(value: float | None) -> str:
    """A number with four digits after the point, or four significant digits if large or small; `-` for None."""
    if value is None:
        return "-"
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e5 else f"{value:.4g}"


def counted(count: int, noun: str) -> str:
    """A count with its noun, in the plural unless it is 1: `1 episode`, `2,000 episodes`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def with_interval(value: float | None, width: float | None) -> str:
    """A value with the half width of its confidence interval, `487.2 ± 3.1`; the value alone if `width` is None."""
    return number(value) if value is None or width is None else f"{number(value)} ± {number(width)}"


def gain(value: float | None) -> Text:
    """A difference with its sign, green for a gain and red for a loss; empty for None."""
    if value is None:
        return safe("")
    sign = "+" if value >= 0 else "-"
    return safe(sign + number(abs(value)), GOOD if value > 0 else BAD if value < 0 else QUIET)


def duration(seconds: float) -> str:
    """A time in the largest unit of which it has at least two: `2.5 h`."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


def milliseconds(value: float) -> str:
    """A time in milliseconds with three digits, all digits before the point if there are more: `2.53 ms`, `1253 ms`."""
    return f"{value:.3g} ms" if value < 999.5 else f"{value:.0f} ms"


def size(count: float) -> str:
    """A number of bytes in binary units: `1.5 MiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if round(count, 1) < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def setting(value: Any) -> str:
    """The value of a setting for display, as `--set` reads it: numbers are rounded to 6 digits, None is `off`."""
    if value is None:
        return "off"
    if isinstance(value, Mapping):
        return ",".join(f"{key}:{weight:g}" for key, weight in value.items())
    if isinstance(value, list | tuple):
        return "none" if not value else ",".join(item if isinstance(item, str) else f"{item:g}" for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def level(evaluation: EvaluationRecord, home: str) -> str:
    """The task, rung and seed of an evaluation; without the seed 0, and without the task if it is `home`, the run's."""
    parts = [f"rung {evaluation.rung}"]
    if evaluation.seed:
        parts.append(f"seed {evaluation.seed}")
    if evaluation.task != home:
        parts.insert(0, evaluation.task)
    return " ".join(parts)


def plain_table(*headers: str, right: tuple[str, ...] = ()) -> Table:
    """An empty table without borders. Columns with their header in `right` are aligned to the right."""
    table = Table(box=None, header_style=QUIET, pad_edge=False, padding=(0, 2, 0, 0))
    for header in headers:
        table.add_column(header, justify="right" if header in right else "left", no_wrap=header in right)
    return table


def print_table(out: Console, table: Table) -> None:
    """Prints a table, without trailing blanks if the output is not a terminal."""
    if out.is_terminal:
        out.print(table)
        return
    with out.capture() as captured:
        out.print(table)
    say("\n".join(line.rstrip() for line in captured.get().splitlines()))
