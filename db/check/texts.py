"""Rules for JSON of a run that must be readable: its settings, and what is kept with its individuals."""

from typing import Any

from sqlalchemy import Connection, Row, select

from germline.db import exact_json
from germline.db.check.lines import births_line, is_readable, streamed
from germline.db.json_texts import read_config
from germline.db.schema import simplified, verdict


def settings(connection: Connection, row: Row[Any]) -> list[str]:
    """The seed of the run is no negative number; its config and environment can be read."""
    lines = [] if row.seed >= 0 else ["a seed below 0"]
    if not is_readable(read_config, row.config):
        lines.append("a config that cannot be read")
    if not is_readable(exact_json.load_plain, row.environment):
        lines.append("an environment that cannot be read")
    return lines


def simplifications(connection: Connection, row: Row[Any]) -> list[str]:
    """The steps of simplifications can be read."""
    rows = connection.execute(
        streamed(select(simplified.c.birth, simplified.c.steps).where(simplified.c.run_id == row.id))
    )
    unreadable = [birth for birth, steps in rows if not is_readable(exact_json.load_plain, steps)]
    return births_line(unreadable, "a simplification that cannot be read")


def verdicts(connection: Connection, row: Row[Any]) -> list[str]:
    """Verdicts can be read."""
    rows = connection.execute(streamed(select(verdict.c.birth, verdict.c.content).where(verdict.c.run_id == row.id)))
    unreadable = [birth for birth, content in rows if not is_readable(exact_json.load_plain, content)]
    return births_line(unreadable, "a verdict that cannot be read")
