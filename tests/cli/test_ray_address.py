"""Addresses of Ray clusters that lead nowhere, as a user meets them: one line, and no run that holds its name.

The commands have processes of their own, since this one may be connected to a Ray already.
"""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from command_process import run_command

from germline.cli.main import cli

pytestmark = pytest.mark.slow
SMALL = ["--set", "population=20", "--set", "block=16", "--set", "lengths=0.05", "--births", "16"]


@pytest.mark.parametrize(
    ("address", "code", "message"),
    [
        ("nowhere", 2, "Error: expected the address of a Ray cluster as auto or host:port, got 'nowhere'\n"),
        (
            "127.0.0.1:1",
            1,
            "Error: could not connect to the Ray cluster at '127.0.0.1:1' (Connection refused); check the address, "
            "or use --executor inline\n",
        ),
    ],
)
def test_a_bad_address_is_one_line_and_leaves_no_run(tmp_path: Path, address: str, code: int, message: str) -> None:
    database = str(tmp_path / "runs.db")
    done = run_command("search", "optimizer", *SMALL, "--db", database, "--ray-address", address)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", message)
    assert json.loads(CliRunner().invoke(cli, ["runs", "--json", "--db", database]).stdout) == []


def test_a_run_that_cannot_be_resumed_on_a_cluster_stays(tmp_path: Path) -> None:
    database = str(tmp_path / "runs.db")
    words = ["search", "optimizer", *SMALL, "--db", database, "--executor", "inline", "--name", "first"]
    assert CliRunner().invoke(cli, words).exit_code == 0
    done = run_command("resume", "first", "--births", "32", "--db", database, "--ray-address", "127.0.0.1:1")
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert f"all outcomes are recorded. Go on with: germline resume first --births 32 --db {database}" in done.stderr
    (row,) = json.loads(CliRunner().invoke(cli, ["runs", "--json", "--db", database]).stdout)
    assert (row["births"], row["status"]) == (16, "finished")
