"""`germline doctor`: facts about this machine, and problems for a search."""

from typing import Any

import click

from germline.cli.errors import UserError
from germline.cli.formatting import BAD, QUIET, counted, plain_table, print_table, safe, size
from germline.cli.machine_facts import database_facts, machine, ray_facts, sqlite_facts, torch_facts, versions
from germline.cli.options import db_option, json_option
from germline.cli.output import console, print_json


@click.command()
@click.option("--ray", "try_ray", is_flag=True, help="Also start Ray and score a program in a worker (some seconds).")
@db_option
@json_option
def command(try_ray: bool, url: str, as_json: bool) -> None:
    """Show facts about this machine, and problems for a search.

    The facts are versions, cores, memory, disk, devices, data sets and the state of the database. Exit status 1 if a
    part does not work.

    \b
    Example:
      germline doctor --ray
    """
    parts: dict[str, Any] = {
        "versions": versions(),
        "machine": machine(),
        "torch": torch_facts(),
        "sqlite": sqlite_facts(),
        "database": database_facts(url),
        "ray": ray_facts() if try_ray else {"tried": False},
    }
    problems = [f"{name}: {facts['problem']}" for name, facts in parts.items() if facts.get("problem")]
    if as_json:
        print_json({**parts, "problems": problems})
    else:
        _print(parts)
    if problems:
        raise UserError("; ".join(problems), 1)


def _print(parts: dict[str, Any]) -> None:
    table = plain_table("", "")
    table.show_header = False
    table.columns[0].style, table.columns[0].no_wrap = QUIET, True
    for name, text in _lines(parts):
        table.add_row(name, safe(text))
    for facts in parts.values():
        if facts.get("problem"):
            table.add_row("problem", safe(facts["problem"], BAD))
    print_table(console(), table)


def _lines(parts: dict[str, Any]) -> list[tuple[str, str]]:
    """The lines of the report with their headings; the heading is empty for all but the first line of a part."""
    torch, sqlite, ray = parts["torch"], parts["sqlite"], parts["ray"]
    packages = [f"{name} {text}" for name, text in parts["versions"].items() if name != "problem" and text]
    return [
        ("versions", ", ".join(packages)),
        ("machine", _machine_text(parts["machine"])),
        ("devices", ", ".join(torch["devices"]) + ("" if torch["cuda"] else " (torch without CUDA)")),
        ("torch threads", f"{torch['threads']} here; a search uses one in each worker"),
        *_under("data", _data_lines(parts["machine"]["data"])),
        *_under("sqlite", [sqlite["version"], *([sqlite["note"]] if sqlite["note"] else [])]),
        *_under("database", _database_lines(parts["database"])),
        ("ray", _ray_text(ray)),
    ]


def _ray_text(facts: dict[str, Any]) -> str:
    if not facts["tried"]:
        return "not tried (--ray starts it)"
    return "failed" if facts.get("problem") else f"scored a program in {facts['seconds']} s"


def _under(heading: str, lines: list[str]) -> list[tuple[str, str]]:
    return [("" if i else heading, line) for i, line in enumerate(lines)]


def _machine_text(facts: dict[str, Any]) -> str:
    memory, free = facts["memory_bytes"], facts["memory_free_bytes"]
    parts = [facts["system"], f"{facts['cores']} cores"]
    parts += [f"{size(memory)} memory"] if memory else []
    parts += [f"{size(free)} of it free"] if free else []
    return ", ".join(parts)


def _data_lines(data: dict[str, Any]) -> list[str]:
    sets = data["sets"]
    missing = [title for title, where in sets.items() if not where]
    lines = [f"{title} in {where}" for title, where in sets.items() if where]
    if missing:
        lines.append(f"no {', '.join(missing)} in {data['directory']} (another directory: GERMLINE_DATA)")
    return lines


def _database_lines(database: dict[str, Any]) -> list[str]:
    lines = [database["where"] or "-"]
    if database["runs"] is not None:
        lines.append(counted(database["runs"], "run"))
    if database["disk_free_bytes"] is not None:
        lines.append(f"{size(database['disk_free_bytes'])} free on its disk")
    return lines
