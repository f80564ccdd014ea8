"""The command line as tests call it: in this process, on a given database."""

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from germline.cli.main import cli


def call(database: str | Path, *args: str | Path, stdin: str | bytes = "") -> Result:
    """Runs `germline` with arguments; `database` is the path or URL of its default database."""
    return CliRunner().invoke(cli, [str(arg) for arg in args], input=stdin, env={"GERMLINE_DB": str(database)})


def data(database: str | Path, *args: str | Path) -> Any:
    """What `germline … --json` prints; the command has to succeed, and to print standard JSON."""
    result = call(database, *args, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> float:
    raise AssertionError(f"{name} is not standard JSON")
