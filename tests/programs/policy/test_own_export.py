"""Exported policies with a module of the user's own: they play the same episodes, whoever gives them the module."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch
from own_policies import MODULES, NAMES
from own_tasks import task_file

from germline.evaluators.policy.export_check import check_actions, check_by_playing, gymnasium_id_of, interface_of
from germline.evaluators.policy.networks.own_module import fresh_module
from germline.evaluators.policy.networks.own_network import tensors_of
from germline.evaluators.policy.networks.own_trial import own_network
from germline.evaluators.policy.own_code import own_code
from germline.evaluators.policy.task import PolicyTask
from germline.evaluators.tasks.registry import task_class
from germline.programs.export.files import write_verified
from germline.programs.export.loading import class_in
from germline.programs.export.origin import Origin
from germline.programs.export.verified import ExportMismatch, VerifiedExport
from germline.programs.policy.genome import Policy
from germline.programs.policy.interface import SAME
from germline.programs.policy.network import Network, Normalisation
from germline.programs.policy.own_export import export_own, verified_own

ORIGIN = Origin("a run", 3, "abc", None, "own.py:Task")
SCALES = Normalisation((0.1, 0.0, -0.1, 0.0), (2.0, 1.0, 3.0, 0.5))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield task_file(tmp_path_factory.mktemp("own"), MODULES, "own_modules_of_a_user.py")


def loaded(path: Path, name: str) -> type[PolicyTask]:
    return task_class(f"{path}:{name}")  # type: ignore[return-value]


def policy_of(task: type[PolicyTask], normalisation: Normalisation | None = None) -> Policy:
    spec = task.environment_spec()
    network = Network("own", spec.observation, spec.actions, normalisation=normalisation, own=tensors_of(task))
    return Policy(network, 7, ((5, 0.3),))


def exported(task: type[PolicyTask], policy: Policy | None = None, stem: str = "found") -> VerifiedExport[str]:
    policy = policy or policy_of(task)
    return verified_own(policy, own_code(task, stem), ORIGIN, "Found", stem, interface=interface_of(task()))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_an_exported_policy_plays_the_episodes_of_the_search(path: Path, name: str) -> None:
    task = loaded(path, name)
    checked = check_by_playing(exported(task).module, policy_of(task), task(), [3, 4], 60, interface_of(task()))
    assert checked.exact and all(episode.steps > 5 for episode in checked.results)


@pytest.mark.slow
def test_an_exported_policy_standardises_observations_as_the_search_does(path: Path) -> None:
    task = loaded(path, "Remembering")
    policy = policy_of(task, SCALES)
    module = exported(task, policy).module
    assert check_by_playing(module, policy, task(), [3, 4], 60).exact
    with pytest.raises(ExportMismatch):
        check_actions(exported(task).module, policy, SAME, task())


@pytest.mark.slow
def test_weights_of_another_policy_are_noticed(path: Path) -> None:
    task = loaded(path, "Remembering")
    policy = policy_of(task)
    module = exported(task, Policy(policy.network, 8, ((5, 0.3),))).module
    with pytest.raises(ExportMismatch):
        check_by_playing(module, policy, task(), [3], 60)


@pytest.mark.slow
def test_a_recurrent_policy_forgets_at_reset_and_an_episode_can_be_stepped_by_hand(path: Path) -> None:
    task = loaded(path, "Remembering")
    module = exported(task).module
    assert module is not None
    observations = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    first = [module.act(observation) for observation in observations]
    states = [module.state.numpy().copy()]
    module.reset()
    assert [module.act(observation) for observation in observations] == first
    np.testing.assert_array_equal(module.state.numpy(), states[0])
    state = None
    with torch.no_grad():
        for observation in observations:
            outputs, state = module(observation, state)
    assert outputs.shape == (2,) and outputs.dtype == torch.float32
    np.testing.assert_array_equal(state.numpy(), states[0])


PLAY = """
import gymnasium
from {stem} import Found
policy, env = Found({argument}), gymnasium.make("CartPole-v1")
observation, _ = env.reset(seed=3)
policy.reset()
total, over = 0.0, False
while not over:
    observation, reward, terminated, truncated, _ = env.step(policy.act(observation))
    total, over = total + reward, terminated or truncated
print(total)
"""


@pytest.mark.slow
@pytest.mark.parametrize("given", [False, True])
def test_files_play_in_a_process_of_their_own(path: Path, tmp_path: Path, given: bool) -> None:
    task = loaded(path, "Remembering")
    write_verified(tmp_path / "agent.py", exported(task, stem="agent"))
    argument = "__import__('own_modules_of_a_user').Memory()" if given else ""
    script = f"import sys; sys.path.insert(0, {str(path.parent)!r})" + PLAY.format(stem="agent", argument=argument)
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    [result] = check_by_playing(exported(task).module, policy_of(task), task(), [3], 500).results
    assert float(done.stdout) == result.total_reward


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Remembering", "Deep", "Plain", "Torque", "Blind"])
def test_files_pass_the_linter_and_the_formatter(path: Path, name: str, tmp_path: Path) -> None:
    task = loaded(path, name)
    environment = gymnasium_id_of(task())
    code, normalisation = own_code(task, "found"), SCALES if name == "Remembering" else None
    source = export_own(policy_of(task, normalisation), code, ORIGIN, "Found", "found", "3 ± 1", environment)
    assert len(source.splitlines()) <= 105
    (tmp_path / "found.py").write_text(source)
    for command in (["check", "--select", "E,F,I,B,UP"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--isolated", "--no-cache", str(tmp_path)]
        result = subprocess.run(ruff, capture_output=True, text=True, timeout=60)
        assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.slow
def test_the_module_is_imported_from_the_file_of_its_class_or_of_its_task(path: Path) -> None:
    own = own_code(loaded(path, "Remembering"), "found")
    assert (own.module, own.name, own.expression) == (path.stem, "Memory", "Memory()")
    asked = own_code(loaded(path, "Plain"), "found")
    assert (asked.module, asked.expression) == (path.stem, "Plain().network()")
    clash = own_code(loaded(path, "Remembering"), path.stem)  # the file would import itself
    assert clash.module is None
    source = export_own(policy_of(loaded(path, "Remembering")), clash, ORIGIN, "Found", path.stem)
    assert "def __init__(self, network, path=None):" in source and "Found(network)" in source
    imported = {node.module for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)}
    assert imported == {"pathlib", "safetensors", "safetensors.torch", "torch"}


@pytest.mark.slow
def test_a_nested_state_is_rounded_and_tensors_of_the_module_are_of_double_precision(path: Path) -> None:
    task = loaded(path, "Deep")
    own = own_network(task)
    assert own.nested and own.double_default
    source = export_own(policy_of(task), own_code(task, "found"), ORIGIN, "Found", "found")
    assert "def _rounded(state):" in source and "torch.set_default_dtype(torch.float64)" in source
    module = exported(task).module
    assert module is not None
    module.act(np.ones(4))
    assert module.state["count"].tolist() == [1] and module.state["both"][0].dtype == torch.float64
    assert (module.state["both"][0].float().double() == module.state["both"][0]).all()
    assert torch.get_default_dtype() == torch.float32


@pytest.mark.slow
def test_weights_are_of_the_module_with_its_buffers(path: Path, tmp_path: Path) -> None:
    task = loaded(path, "Plain")
    write_verified(tmp_path / "agent.py", exported(task, stem="agent"))
    found = class_in(tmp_path / "agent.py", "Found")
    with pytest.raises(RuntimeError, match=r"size mismatch|Missing key"):
        found(torch.nn.Linear(4, 2))
    again = found(fresh_module(task))
    assert again.network[1].running_var.tolist() == [1.0] * 6 and not again.training
    assert again.network[4] is again.network[6]
    assert isinstance(gymnasium.make("CartPole-v1").action_space.n, np.integer)
