"""Tasks of a user's own: what they import, open and draw."""

import os
import secrets
import subprocess
import time
from pathlib import Path

import pytest
from command_process import run_command

from germline.programs.policy.genome import Policy, write
from germline.programs.policy.network import Network

WORLD = """
import gymnasium
import numpy as np
import {helper}

class World(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(-1, 1, (1,))
    action_space = gymnasium.spaces.Discrete(2)
    render_mode = "rgb_array"

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.n = 0
        return np.zeros(1, np.float32), {{}}

    def step(self, action):
        from {late} import REWARD
        self.n += 1
        return np.zeros(1, np.float32), REWARD * float(action), self.n > 3, False, {{}}

    def render(self):
        return np.full((8, 8, 3), 50 * self.n)

gymnasium.register("World-v0", entry_point="{module}:World")
"""

TASK = """
from germline.evaluators.tasks.gym import GymnasiumTask
from worlds import World

class Task(GymnasiumTask):
    '''A world in the file beside.'''
    name = "world"

    def make(self):
        return World()
"""

SIMULATOR = """
import subprocess
import gymnasium, numpy as np
from germline.evaluators.tasks.gym import GymnasiumTask

class World(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(-1, 1, (1,))
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self):
        self.simulator = subprocess.Popen(["sleep", "1234.5"])

    def close(self):
        self.simulator.kill()
        self.simulator.wait()
        raise OSError("closed already")

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.n = 0
        return np.zeros(1, np.float32), {}

    def step(self, action):
        self.n += 1
        return np.zeros(1, np.float32), float(action), self.n > 3, False, {}

class Task(GymnasiumTask):
    '''A world with a process of its own.'''
    name = "simulated"
    clean = True

    def make(self):
        return World()

class Torn(Task):
    name = "torn"
    made = 0

    def make(self):
        Torn.made += 1
        if Torn.made == 5:
            raise OSError("no more")
        return World()
"""

SMALL = ["population=4", "parents=1", "candidates=0", "test_episodes=0"]
SEARCH = ["search", "policy", "--births", "8", "--db", "runs.db", *(word for s in SMALL for word in ("--set", s))]


def germline(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return run_command(*words, cwd=folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A task, the module beside it, and what that imports when it is imported and later, when it runs."""
    (tmp_path / "task.py").write_text(TASK)
    (tmp_path / "worlds.py").write_text(WORLD.format(helper="helper", late="late", module="worlds"))
    (tmp_path / "helper.py").write_text("")
    (tmp_path / "late.py").write_text("REWARD = 1.0")
    return tmp_path


@pytest.mark.slow
def test_a_task_imports_the_files_beside_it(folder: Path) -> None:
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    assert "A world in the file beside." in germline(elsewhere, "tasks", "../task.py:Task").stdout
    done = germline(elsewhere, *SEARCH, "--task", "../task.py:Task", "--executor", "inline")
    assert done.returncode == 0 and "fitness 4.0000" in done.stdout, done.stderr


@pytest.mark.slow
def test_a_module_of_the_working_directory_registers_an_environment(folder: Path) -> None:
    task = "gym:worlds:World-v0"
    assert "observations [1]" in germline(folder, "tasks", task).stdout
    done = germline(folder, *SEARCH, "--task", task, "--executor", "inline")
    assert done.returncode == 0 and "fitness 4.0000" in done.stdout, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("task", ["task.py:Task", "gym:worlds:World-v0"])
def test_ray_workers_import_the_same_files(folder: Path, task: str) -> None:
    done = germline(folder, *SEARCH, "--task", task, "--executor", "ray", "--workers", "1")
    assert done.returncode == 0 and "fitness 4.0000" in done.stdout, done.stderr
    assert "starting Ray workers, which load" in done.stderr


@pytest.mark.slow
def test_frames_of_another_number_type_are_filmed(folder: Path) -> None:
    germline(folder, *SEARCH, "--task", "task.py:Task", "--executor", "inline", "--name", "world")
    done = germline(
        folder,
        *["play", "world", "--episodes", "1", "--video", "film.gif", "--db", "runs.db", "--task", "task.py:Task"],
    )
    assert done.returncode == 0 and (folder / "film.gif").exists(), done.stderr


def simulators(seconds: str) -> set[int]:
    """The processes `sleep SECONDS` that environments have started and that still run."""
    running = set()
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and f"sleep\0{seconds}\0" == (entry / "cmdline").read_text():
                running.add(int(entry.name))
        except OSError:
            continue
    return running


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        [*SEARCH, "--task", "simulated.py:Task", "--executor", "inline"],
        [*SEARCH, "--task", "simulated.py:Torn", "--executor", "inline"],
        ["validate", "policy.json", "--task", "simulated.py:Task", "--rung", "0"],
        ["play", "policy.json", "--task", "simulated.py:Task"],
        ["play", "policy.json", "--task", "simulated.py:Task", "--video", "film.gif"],
        ["tasks", "simulated.py:Task"],
    ],
    ids=["search inline", "environments that cannot be made", "validate", "play", "film", "tasks"],
)
def test_no_process_of_an_environment_is_left(tmp_path: Path, words: list[str]) -> None:
    seconds = f"1{secrets.randbelow(10**8)}.5"
    (tmp_path / "simulated.py").write_text(SIMULATOR.replace("1234.5", seconds))
    (tmp_path / "policy.json").write_text(write(Policy(Network("mlp", (1,), 2, (2,)), 3)))
    done = germline(tmp_path, *words)
    assert "Traceback" not in done.stderr
    assert done.returncode == 0 or "simulated.py:Torn" in words or "film.gif" in words, done.stderr
    deadline = time.monotonic() + 10
    while (left := simulators(seconds)) and time.monotonic() < deadline:
        time.sleep(0.1)
    for process in left:
        os.kill(process, 9)
    assert not left
