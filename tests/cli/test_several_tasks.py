"""Several tasks on the command line, one of them an ordinary module in a file."""

from pathlib import Path

import pytest
from command_line import call, data
from own_modules import DIGITS
from own_tasks import task_file


@pytest.mark.slow
def test_a_search_on_several_tasks_is_validated_on_each(tmp_path: Path) -> None:
    module, db = f"{task_file(tmp_path, DIGITS)}:Normed", tmp_path / "runs.db"
    small = [part for text in ("lengths=0.1", "block=8", "population=8", "review_every=0") for part in ("--set", text)]
    tasks = ("--task", module, "--task", "digits-mlp")
    found = call(db, "search", "optimizer", *tasks, *small, "--births", "8", "--executor", "inline")
    assert found.exit_code == 0, found.output
    row = data(db, "show", "optimizer-1")
    assert row["task"] == f"{module}+digits-mlp"
    objectives = row["evaluations"]["this"][0]["objectives"]
    assert set(objectives) == {"gain", "perceptron:validation_loss", "digits-mlp:validation_loss"}
    unnamed = call(db, "validate", "optimizer-1", "--rung", "0", "--seeds", "1")
    assert unnamed.exit_code == 2 and f"add --task {module}+digits-mlp" in unnamed.output
    validated = data(db, "validate", "optimizer-1", *tasks, "--rung", "0", "--seeds", "1")
    assert [each["task"] for each in validated] == [module, module, "digits-mlp", "digits-mlp"]
    resumed = call(db, "resume", "optimizer-1", *tasks, "--births", "16", "--executor", "inline")
    assert resumed.exit_code == 0, resumed.output
    refused = call(db, "simplify", "optimizer-1", "--ablate", "--task", row["task"])
    assert refused.exit_code == 2 and "expected one task to ablate on" in refused.output
