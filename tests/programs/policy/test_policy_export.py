"""Exported policies: stand-alone files with the same outputs and actions, in torch and in another runtime."""

import ast
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from germline.evaluators.policy.environments.cart_pole import CartPole
from germline.evaluators.policy.environments.environment import Environments
from germline.evaluators.policy.export_check import check_actions, check_by_playing, gymnasium_id_of, interface_of
from germline.evaluators.policy.networks.backend import networks_of
from germline.evaluators.policy.player import Episode, play
from germline.evaluators.tasks.gym import GymnasiumTask, GymTask
from germline.evaluators.tasks.hard_maze import HardMazeTask
from germline.programs.export.files import ExportUnwritable, write_together, write_verified
from germline.programs.export.loading import class_in
from germline.programs.export.onnx_graph import OnnxMissing
from germline.programs.export.origin import Origin
from germline.programs.export.verified import ExportMismatch
from germline.programs.policy import export, noise, onnx_file
from germline.programs.policy.export import export_torch, free_class_name, random_observations, verified_torch
from germline.programs.policy.genome import Policy, fingerprint
from germline.programs.policy.interface import Interface
from germline.programs.policy.module import PolicyModule
from germline.programs.policy.network import Box, Network, Normalisation
from germline.programs.policy.onnx_file import verified_onnx
from germline.programs.policy.parameters import replay

ORIGIN = Origin("a run", 3, "abc", None, "gym:CartPole-v1")
CART_POLE = Policy(Network("mlp", (4,), 2, (32, 32)), 7, ((5, 0.3),))
POLICIES = {
    "mlp": CART_POLE,
    "linear": Policy(Network("mlp", (3,), 3), 1),
    "box": Policy(Network("mlp", (2, 3), Box((-2.0, 0.0), (2.0, 1.0)), (16,), "relu"), 2),
    "normalised": Policy(Network("mlp", (3,), 4, (8,), normalisation=Normalisation((0.5,) * 3, (30.0,) * 3)), 3),
    "same": Policy(Network("conv", (4, 84, 84), 18), 4),
    "valid": Policy(Network("conv", (3, 40, 52), 5, padding="valid"), 5),
}
every_network = pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)


@pytest.mark.slow
@every_network
def test_an_exported_network_has_the_policys_outputs_and_actions(policy: Policy) -> None:
    module = verified_torch(policy, ORIGIN, "Found", "found").module
    check_actions(module, policy)
    observations = random_observations(policy.network, 3)
    with torch.no_grad():
        assert module(observations).shape == (3, policy.network.output_count)
        assert (
            torch.equal(module(observations[1]), module(observations)[1])
            and module(observations).dtype == torch.float32
        )
    action = module.act(observations[0])
    if isinstance(policy.network.actions, int):
        assert type(action) is int
    else:
        assert action.dtype == np.float32 and action.shape == (policy.network.output_count,)


def test_weights_are_float32_and_carry_metadata(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    write_verified(tmp_path / "weights.py", verified_torch(CART_POLE, ORIGIN, "Found", "found"))
    with safe_open(path, "pt") as file:
        assert file.metadata() == {
            "fingerprint": fingerprint(CART_POLE),
            "layout": CART_POLE.network.layout,
            "noise": noise.NAME,
        }
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float32}
    assert sum(tensor.numel() for tensor in tensors.values()) == CART_POLE.network.parameter_count


PLAYED = """
import json
import gymnasium
from agent import Found

policy, environment, returns = Found(), gymnasium.make("CartPole-v1"), []
for seed in range(4):
    observation, _ = environment.reset(seed=seed)
    total, over = 0.0, False
    while not over:
        observation, reward, terminated, truncated, _ = environment.step(policy.act(observation))
        total, over = total + reward, terminated or truncated
    returns.append(total)
print(json.dumps(returns))
"""


@pytest.mark.slow
def test_an_exported_policy_plays_the_same_episodes_in_another_process(tmp_path: Path) -> None:
    verified = verified_torch(CART_POLE, ORIGIN, "Found", "agent")
    write_verified(tmp_path / "agent.py", verified)
    (tmp_path / "play.py").write_text(PLAYED)
    done = subprocess.run([sys.executable, "play.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    networks = networks_of(CART_POLE.network, [replay(CART_POLE)])
    environments = GymTask.of("CartPole-v1")().environments(4)
    expected = play(networks.forward, 2, environments, [Episode(0, seed) for seed in range(4)], 500)
    assert json.loads(done.stdout) == [episode.total_reward for episode in expected]
    assert len(set(json.loads(done.stdout))) > 1


def test_weights_of_another_policy_are_refused(tmp_path: Path) -> None:
    verified = verified_torch(CART_POLE, ORIGIN, "Found", "agent")
    other = verified_torch(CART_POLE.child(9, 0.1), ORIGIN, "Found", "agent")
    path = tmp_path / "agent.py"
    write_verified(path, replace(verified, weights=other.weights))
    policy_class = class_in(path, "Found")
    with pytest.raises(ValueError, match=r"agent\.safetensors holds the weights of another policy"):
        policy_class()
    write_verified(path, verified)
    check_actions(policy_class(), CART_POLE)
    bare = tmp_path / "bare.safetensors"
    save_file(policy_class().state_dict(), bare)
    with pytest.raises(ValueError, match="another policy"):
        policy_class(bare)


class DivergingModule:
    """An exported network whose outputs are multiplied by a factor after some calls."""

    def __init__(self, module: Any, calls: int, by: float) -> None:
        self.module, self.calls, self.by = module, calls, by

    def __call__(self, observation: Any) -> Any:
        self.calls -= 1
        return self.module(observation) * (1 if self.calls >= 0 else self.by)

    def act(self, observation: Any) -> Any:
        return self.module.act(observation)


def test_a_network_that_plays_other_episodes_is_refused() -> None:
    task = GymTask.of("CartPole-v1")()
    module = verified_torch(CART_POLE, ORIGIN, "Found", "found").module
    checked = check_by_playing(module, CART_POLE, task, [5, 6], 500)
    assert checked.exact and [episode.steps for episode in checked.results] == [
        episode.total_reward for episode in checked.results
    ]
    with pytest.raises(ExportMismatch, match="expected the exported network to play the episodes of seeds 5, 6 as"):
        check_by_playing(DivergingModule(module, 16, -1.0), CART_POLE, task, [5, 6], 500)
    with torch.no_grad():
        module.output.weight.neg_()
    with pytest.raises(ExportMismatch, match="expected the same outputs, got a difference of"):
        check_by_playing(module, CART_POLE, task, [5, 6], 500)


@pytest.mark.slow
def test_outputs_are_compared_if_a_rounding_changes_the_episode() -> None:
    task, box = GymTask.of("Pendulum-v1")(), Box((-2.0,), (2.0,))
    policy = Policy(Network("mlp", (3,), box, (8,)), 3)
    module = verified_torch(policy, ORIGIN, "Found", "found").module
    assert check_by_playing(module, policy, task, [1], 200).exact
    assert not check_by_playing(DivergingModule(module, 16, 1 + 2e-7), policy, task, [1], 200).exact
    with pytest.raises(ExportMismatch, match=r"got another return: .*, and outputs that differ by 0\.0"):
        check_by_playing(DivergingModule(module, 16, 1.1), policy, task, [1], 200)


class Counting(CartPole):
    """Reports another behaviour in each episode, for any actions."""

    counted = 0

    def behaviour(self, slots: Any) -> Any:
        self.counted += 1
        return np.full((len(slots), 1), float(self.counted))


class CountingTask(GymTask):
    name, environment = "counting", "CartPole-v1"

    def environments(self, slots: int) -> Environments:
        return Counting(slots)


def test_outputs_are_compared_if_each_episode_differs() -> None:
    module = verified_torch(CART_POLE, ORIGIN, "Found", "found").module
    assert not check_by_playing(module, CART_POLE, CountingTask(), [5], 500).exact


@pytest.mark.parametrize("fault", ["_forward", "_layers"])
def test_an_export_that_differs_is_refused(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = getattr(export, fault)
    edits = {"_forward": ("torch.tanh", "torch.relu"), "_layers": ("nn.Linear(32, 2)", "nn.Linear(32, 2, bias=False)")}
    old, new = edits[fault]
    monkeypatch.setattr(export, fault, lambda network: (line.replace(old, new) for line in right(network)))
    with pytest.raises((ExportMismatch, RuntimeError)):
        verified_torch(CART_POLE, ORIGIN, "Found", "found")


@pytest.mark.slow
@every_network
def test_files_are_short_and_pass_the_linter_and_the_formatter(policy: Policy, tmp_path: Path) -> None:
    environment = "CartPole-v1" if policy is CART_POLE else None
    source = export_torch(policy, ORIGIN, "Found", "found", "487.2 ± 3.1 over 200 episodes", environment)
    assert len(source.splitlines()) <= 90
    (tmp_path / "found.py").write_text(source)
    for command in (["check", "--select", "E,F,I,B,UP"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--isolated", "--no-cache", str(tmp_path)]
        result = subprocess.run(ruff, capture_output=True, text=True, timeout=60)
        assert result.returncode == 0, result.stdout + result.stderr


def test_files_import_numpy_torch_and_safetensors_only() -> None:
    tree = ast.parse(export_torch(POLICIES["same"], ORIGIN, "Found", "found"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in imported} == {"pathlib", "numpy", "torch", "safetensors"}


def test_the_name_of_a_run_cannot_break_out_of_the_docstring() -> None:
    evil = Origin('"""\nimport os\n', 3, "abc", None, 'gym:"""; import os; """')
    tree = ast.parse(export_torch(CART_POLE, evil, "Found", '"""', '"""', '"""; import os; """'))
    kinds = [type(node).__name__ for node in tree.body]
    assert kinds == ["Expr", "ImportFrom", "Import", "Import", *["ImportFrom"] * 3, "ClassDef"]


def test_the_docstring_shows_how_to_play_on_the_task_of_the_run() -> None:
    source = export_torch(CART_POLE, ORIGIN, "Found", "agent", "487.2 ± 3.1 over 200 episodes", "CartPole-v1")
    for line in ("Run: a run", "Return: 487.2 ± 3.1 over 200 episodes", "Mutations: 1", "Parameters: 1,282"):
        assert f"\n{line}\n" in source
    assert 'gymnasium.make("CartPole-v1", render_mode="human")' in source and "from agent import Found" in source
    maze = export_torch(POLICIES["valid"], Origin(None, None, "abc", None, "hard-maze"), "Found", "not-a-name")
    assert "uint8 [3, 40, 52], as germline plays hard-maze:" in maze and "from NAME import Found" in maze


class Small(gymnasium.Env[Any, Any]):
    """An environment with observations of a shape, and two actions numbered from `start`."""

    def __init__(self, shape: tuple[int, ...], start: int = 0) -> None:
        self.observation_space = gymnasium.spaces.Box(0, 255, shape, np.uint8)
        self.action_space = gymnasium.spaces.Discrete(2, start=start)


@pytest.mark.parametrize(("shape", "start"), [((4,), 0), ((4,), 1), ((96, 96, 3), 0)])
def test_the_file_shows_how_to_play_in_every_environment_of_gymnasium(
    shape: tuple[int, ...], start: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gymnasium.envs.registration, "registry", dict(gymnasium.registry))
    name = f"Small{len(shape)}{start}-v0"
    gymnasium.register(name, lambda **_: Small(shape, start))
    task = GymTask.of(name)()
    interface = interface_of(task)
    assert interface == Interface(len(shape) == 3, start)
    policy = Policy(Network("mlp", task.environment_spec().observation, 2), 1)
    origin = Origin("a run", 3, "abc", None, task.name)
    source = export_torch(policy, origin, "Found", "agent", None, gymnasium_id_of(task), interface)
    assert f'gymnasium.make("{name}"' in source and f"counted from {start}." in source
    assert f"an observation {list(shape)}, or actions" in source


class Sign(gymnasium.Env[Any, Any]):
    """Shows a red or a blue picture, or a number; the action -1, 0 or 1 that it rewards follows from it."""

    action_space = gymnasium.spaces.Discrete(3, start=-1)

    def __init__(self, picture: bool) -> None:
        self.picture = picture
        pixels, numbers = gymnasium.spaces.Box(0, 255, (8, 10, 3), np.uint8), gymnasium.spaces.Box(-1, 1, (1,))
        self.observation_space = pixels if picture else numbers

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.steps = 0
        return self._observation(), {}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action)
        reward, self.steps = float(action == self.right), self.steps + 1
        return self._observation(), reward, self.steps == 20, False, {}

    def _observation(self) -> Any:
        self.right = int(self.np_random.integers(-1, 2))
        if not self.picture:
            return np.array([self.right], np.float32)
        picture = self.np_random.integers(0, 50, (8, 10, 3)).astype(np.uint8)
        picture[..., self.right + 1] += 200
        return picture


class SignTask(GymnasiumTask):
    """Numbers."""

    name = "sign"
    picture = False

    def make(self) -> gymnasium.Env[Any, Any]:
        return Sign(self.picture)


class PictureTask(SignTask):
    """Pictures."""

    picture = True


@pytest.mark.parametrize("task", [SignTask(), PictureTask()], ids=["numbers", "pictures"])
def test_act_takes_what_an_environment_gives_and_returns_what_it_takes(task: SignTask) -> None:
    interface = interface_of(task)
    assert interface == Interface(task.picture, -1)
    spec = task.environment_spec()
    policy = Policy(Network("mlp", spec.observation, 3, hidden=()), 1).child(7, 0.5)
    module = verified_torch(policy, ORIGIN, "Found", "found", interface=interface).module
    checked = check_by_playing(module, policy, task, [1, 2, 3], 20, interface)
    assert checked.exact and {result.steps for result in checked.results} == {20}
    environment = task.make()
    batch = np.stack([environment.reset(seed=seed)[0] for seed in range(6)])
    actions = [module.act(observation) for observation in batch]
    assert {type(action) for action in actions} == {int} and set(actions) <= {-1, 0, 1}
    assert module.act(batch).tolist() == actions
    assert module.act(batch[0][::-1]) in (-1, 0, 1)  # an array in reverse, which torch does not take
    with pytest.raises(ExportMismatch):
        unaware = verified_torch(policy, ORIGIN, "Found", "found").module
        check_by_playing(unaware, policy, task, [1, 2, 3], 20)


class Thirds(gymnasium.Env[Any, Any]):
    """Takes an action of double precision; the reward is not the same if it is computed in single precision."""

    observation_space = gymnasium.spaces.Box(-1, 1, (2,))
    action_space = gymnasium.spaces.Box(-1, 1, (1,), np.float64)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return self.np_random.uniform(-1, 1, 2).astype(np.float32), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert action.dtype == np.float64
        return self.np_random.uniform(-1, 1, 2).astype(np.float32), float((action / 3.0)[0]), False, False, {}


class ThirdsTask(GymnasiumTask):
    """Thirds."""

    name, steps = "thirds", 20

    def make(self) -> gymnasium.Env[Any, Any]:
        return Thirds()


def test_act_returns_actions_of_the_type_that_the_environment_takes() -> None:
    task = ThirdsTask()
    interface = interface_of(task)
    assert interface == Interface(action_type="float64")
    policy = Policy(Network("mlp", (2,), task.environment_spec().actions, hidden=()), 1).child(7, 0.5)
    module = verified_torch(policy, ORIGIN, "Found", "found", interface=interface).module
    assert check_by_playing(module, policy, task, [1, 2, 3], 20, interface).exact


def test_a_task_that_is_not_of_gymnasium_shows_no_environment() -> None:
    assert gymnasium_id_of(GymTask.of("CartPole-v1")()) == "CartPole-v1"
    assert gymnasium_id_of(HardMazeTask()) is None


def test_a_class_is_not_named_like_what_the_file_uses() -> None:
    assert [free_class_name(name) for name in ("Path", "F", "Found")] == ["PathPolicy", "FPolicy", "Found"]
    tree = ast.parse(export_torch(POLICIES["same"], ORIGIN, "Found", "found"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    for name in {alias.asname or alias.name for node in imports for alias in node.names if "." not in alias.name}:
        with pytest.raises(ValueError, match=f"expected a class name .*, got '{name}'; write .* {name}Policy"):
            verified_torch(CART_POLE, ORIGIN, name, "found")


def test_two_files_appear_both_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "taken.py").mkdir()
    with pytest.raises(ExportUnwritable):
        write_together([(tmp_path / "taken.safetensors", b"weights"), (tmp_path / "taken.py", "source")])
    assert [entry.name for entry in tmp_path.iterdir()] == ["taken.py"]


@pytest.mark.slow
@every_network
def test_another_runtime_comes_to_the_same_outputs_and_actions(policy: Policy) -> None:
    session = onnxruntime.InferenceSession(verified_onnx(policy, ORIGIN).content)
    observations = random_observations(policy.network, 5)
    outputs, action = session.run(["outputs", "action"], {"observation": observations})
    with torch.no_grad():
        ours = PolicyModule(policy.network, replay(policy))(torch.from_numpy(observations)).numpy()
    assert np.array_equal(outputs, ours)
    module = verified_torch(policy, ORIGIN, "Found", "found").module
    assert np.array_equal(action, np.array([module.act(observation) for observation in observations]))


def test_an_onnx_file_states_its_origin() -> None:
    model = onnx.load_from_string(verified_onnx(CART_POLE, ORIGIN, "487.2 over 200 episodes").content)
    facts = {fact.key: fact.value for fact in model.metadata_props}
    assert (facts["run"], facts["birth"], facts["task"]) == ("a run", "3", "gym:CartPole-v1")
    assert (facts["return"], facts["noise"]) == ("487.2 over 200 episodes", noise.NAME)
    assert facts["fingerprint"] == fingerprint(CART_POLE)


def test_an_onnx_file_with_other_actions_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    right = onnx_file._normalised
    monkeypatch.setattr(onnx_file, "_normalised", lambda graph, *args: graph.node("Neg", right(graph, *args)))
    with pytest.raises(ExportMismatch, match="expected the same actions, got others; outputs differ by up to"):
        verified_onnx(CART_POLE, ORIGIN)


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_missing_packages_are_reported_with_a_hint(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(OnnxMissing, match=r"pip install 'germline\[onnx\]'"):
        verified_onnx(CART_POLE, ORIGIN)
