"""Completion of commands and options in a shell."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command_process import run_command


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("germline desc", {"describe"}),
        ("germline search ", {"optimizer", "architecture", "policy"}),
        ("germline search optimizer --bir", {"--births"}),
        ("germline db re", {"replay", "rename"}),
        ("germline search policy --executor i", {"inline"}),
    ],
)
def test_words_are_completed(line: str, expected: set[str]) -> None:
    words = line.split(" ")
    variables = {"_GERMLINE_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    done = run_command(variables=variables)
    assert {answer.partition(",")[2] for answer in done.stdout.split()} == expected, done.stderr


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_with_the_documented_line(tmp_path: Path) -> None:
    command = tmp_path / "germline"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m germline.cli.start "$@"\n')
    command.chmod(0o755)
    script = (
        'eval "$(_GERMLINE_COMPLETE=bash_source germline)"\n'
        'COMP_WORDS=(germline line); COMP_CWORD=1; _germline_completion germline; echo "${COMPREPLY[@]}"'
    )
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=environment)
    assert done.stdout == "lineage\n", done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_have_a_script_too(shell: str) -> None:
    done = run_command(variables={"_GERMLINE_COMPLETE": f"{shell}_source"})
    assert done.returncode == 0 and "_GERMLINE_COMPLETE" in done.stdout and "germline" in done.stdout
