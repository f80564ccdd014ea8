"""The command line as tests call it: in this process, on a given database."""

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from germline.cli.main import cli


def call(database: Path, *args: str) -> Result:
    """Runs `germline` with arguments; `--db` is `database`."""
    return CliRunner().invoke(cli, args, env={"GERMLINE_DB": str(database)})


def data(database: Path, *args: str) -> Any:
    """What `germline … --json` prints; the command has to succeed."""
    result = call(database, *args, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)
