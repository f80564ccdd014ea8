"""Templates of the dashboard and of the report: every text is escaped, made printable and kept short."""

from collections.abc import Sequence
from statistics import median
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from germline.cli.formatting import duration, number
from germline.cli.printing import on_a_line

LONGEST_NAME = 80
"""The most characters of a name on a page."""

LONGEST_LINK = 2_000
"""The most characters of a name in a link; a run with a longer name has no page."""


def environment() -> Environment:
    """The environment of all templates. A name that a template lacks is an error."""
    templates = Environment(
        loader=PackageLoader("germline.cli.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {
        "line": lambda value: on_a_line(str(value), LONGEST_NAME),
        "text": lambda value: on_a_line(str(value)),
        "number": number,
        "signed": _signed,
        "count": lambda value: f"{value:,}",
        "share": _share,
        "duration": duration,
        "rate": rate,
        "exact": _exact,
        "time": _time,
        "median": _median,
        "island": Markup,  # what `page_json` returns
        "verbatim": Markup,  # files of this package alone
        "formula": Markup,  # `formula` passes only elements that draw
    }
    templates.globals |= {"link": link, "links": links}
    return templates


def link(path: str, **values: object) -> str:
    """The address of a page about a run: `link("run", name="first")`."""
    return f"/{path}?{urlencode({key: str(value) for key, value in values.items()}, errors='replace')}"


def links(path: str, names: Sequence[str]) -> str:
    """The address of a page about several runs."""
    return f"/{path}?{urlencode([('name', name) for name in names], errors='replace')}"


def _median(values: Sequence[float]) -> float | None:
    return median(values) if values else None


def _signed(value: float | None) -> str:
    return "-" if value is None else f"{'+' if value >= 0 else '-'}{number(abs(value))}"


def _share(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.1%}" if 0 < value < 0.0995 else f"{value:.0%}"


def rate(value: float | None) -> str:
    """A number of evaluations a second, with two digits or all those before the point; `-` for None."""
    return "-" if value is None else f"{value:,.0f}" if value >= 99.5 else f"{value:.2g}"


def _exact(value: float) -> str:
    """A number as `number` writes it, but a whole number with all its digits: a measure may be a count."""
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) < 1e15 else number(value)


def _time(text: object) -> str:
    """A recorded time to the minute; a text that is no time as it is."""
    short = on_a_line(str(text), 40)
    return short[:16].replace("T", " ") if short[4:5] == "-" and short[10:11] == "T" else short


def plain(value: Any) -> str:
    """A value as text of one line, for titles."""
    return on_a_line(str(value), LONGEST_NAME)
