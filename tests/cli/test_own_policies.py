"""Policies with a module of the user's own on the command line."""

import json
import sqlite3
from pathlib import Path

import pytest
import torch
from command_line import call, data
from own_policies import MODULES
from own_tasks import task_file
from safetensors.torch import load_file

from germline.cli.dashboard.next_commands import next_commands
from germline.cli.genome_diff import changes
from germline.cli.presenters.policy import PolicyPresenter, network_text
from germline.cli.reference import resolve
from germline.programs.policy.genome import Policy, write
from germline.programs.policy.network import Box, Network
from germline.programs.policy.own_tensor import OwnTensor

SETTINGS = ("population=12", "candidates=3", "review_episodes=2", "test_episodes=3", "sigma=0.3", "steps=80")
NETWORK = Network("own", (4,), 2, own=(OwnTensor("a\u202eb", (2, 4)), OwnTensor("c", (2,), 0.0)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file of tasks, a run on one of them in `germline.db`, and a genome of its winner."""
    folder = tmp_path_factory.mktemp("policies")
    path = task_file(folder, MODULES, "nets.py")
    options = [part for setting in SETTINGS for part in ("--set", setting)]
    done = call(
        folder / "germline.db", "search", "policy", "--task", f"{path}:Remembering", "--executor", "inline",
        "--births", "36", "--name", "mine", *options,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    (folder / "winner.json").write_text(data(folder / "germline.db", "show", "mine")["genome"])
    return folder


def test_a_network_is_told_by_its_sizes_and_shapes() -> None:
    assert network_text(NETWORK) == "own 4-2 of 2 tensors"
    assert network_text(Network("own", (2, 3), Box((-2.0,), (2.0,)), own=NETWORK.own[:1])) == (
        "own 2×3-1 of 1 tensor to [-2, 2]"
    )


def test_networks_of_other_modules_have_other_lines() -> None:
    other = Network("own", (4,), 2, own=(OwnTensor("d", (2, 4)), OwnTensor("c", (2,), 0.0)))
    first, second = (PolicyPresenter().lines(write(Policy(network, 1)))[0] for network in (NETWORK, other))
    assert first.text == f"network own 4-2 of 2 tensors #{NETWORK.layout}" != second.text
    assert changes(write(Policy(NETWORK, 1)), write(Policy(other, 1)))


@pytest.mark.slow
def test_a_policy_is_shown_played_validated_and_drawn_with_the_task_named_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, task = folder / "germline.db", f"{folder}/nets.py:Remembering"
    monkeypatch.chdir(tmp_path)
    assert "own 4-2 of 6 tensors" in call(database, "show", "mine").stdout
    refused = call(database, "play", "mine")
    assert refused.exit_code == 2 and f"add --task {task}" in refused.output
    played = data(database, "play", "mine", "--task", task, "--episodes", "2")
    assert len(played["episodes"]) == 2 and played["task"] == "remembering"
    assert call(database, "validate", "mine", "--task", task, "--seeds", "1").exit_code == 0
    assert call(database, "draw", "mine", "-o", "mine.png").exit_code == 0
    assert call(database, "db", "check").exit_code == 0
    wrong = call(database, "play", "mine", "--task", f"{folder}/nets.py:Wider")
    assert wrong.exit_code == 2
    assert "mine:" in wrong.output and "whose cell.weight_ih is [27, 4], got one with [24, 4]" in wrong.output


@pytest.mark.slow
def test_a_page_suggests_no_export_that_is_refused(folder: Path) -> None:
    database = str(folder / "germline.db")
    commands = next_commands(resolve("mine", database), database)
    assert any(line.startswith("germline export") for line in commands)
    assert not any("onnx" in line for line in commands)


@pytest.mark.slow
def test_a_policy_is_exported_with_its_run_or_from_a_file_of_its_genome(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, task = folder / "germline.db", f"{folder}/nets.py:Remembering"
    monkeypatch.chdir(tmp_path)
    done = call(database, "export", "mine", "-o", "agent.py", "--task", task)
    assert done.exit_code == 0, done.output
    assert "3 episodes of remembering, up to decision 80, had the returns of the search's own network" in done.output
    assert "policy.reset(); action = policy.act(observation)" in done.output
    assert (tmp_path / "agent.safetensors").exists()
    alone = call(database, "export", folder / "winner.json", "-o", "alone.py")
    assert alone.exit_code == 2 and "add --task FILE.py:Class" in alone.output and not Path("alone.py").exists()
    done = call(database, "export", folder / "winner.json", "-o", "alone.py", "--task", task)
    assert done.exit_code == 0, done.output
    first, second = (load_file(f"{name}.safetensors") for name in ("agent", "alone"))
    assert list(first) == list(second) and all(torch.equal(first[name], second[name]) for name in first)
    wrong = call(database, "export", folder / "winner.json", "-o", "w.py", "--task", f"{folder}/nets.py:Wider")
    assert wrong.exit_code == 2 and "whose cell.weight_ih is [27, 4]" in wrong.output
    onnx = call(database, "export", "mine", "-o", "agent.onnx", "--to", "onnx", "--task", task)
    assert onnx.exit_code == 2 and "expected a built-in network for --to onnx" in onnx.output


@pytest.mark.slow
def test_genomes_hold_names_and_shapes_but_no_code(folder: Path) -> None:
    genome = json.loads((folder / "winner.json").read_text())
    assert genome["network"] == {
        "form": "own",
        "observation": [4],
        "tensors": [
            ["cell.weight_ih", [24, 4]],
            ["cell.weight_hh", [24, 8]],
            ["cell.bias_ih", [24], 0.0],
            ["cell.bias_hh", [24], 0.0],
            ["head.weight", [2, 8]],
            ["head.bias", [2], 0.0],
        ],
        "actions": 2,
    }
    with sqlite3.connect(folder / "germline.db") as database:
        assert "GRUCell" not in "\n".join(database.iterdump())


@pytest.mark.slow
def test_a_trial_of_the_task_finds_episodes_independent(folder: Path) -> None:
    done = call(folder / "germline.db", "tasks", f"{folder}/nets.py:Remembering", "--check")
    assert done.exit_code == 0 and "depends on its policy and its seed alone" in done.output, done.output
