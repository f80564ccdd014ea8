"""Tasks of a package that is installed for the processes that a test starts, and for those alone."""

import os
from pathlib import Path

import pytest

ROOMS = '''
import os
import signal
import time

import numpy as np
from germline.evaluators.policy.environments.environment import EnvironmentSpec, Step
from germline.evaluators.policy.task import PolicyTask


class Dark:
    """A room without a window, for policies of CartPole."""

    last = 5

    def __init__(self, slots):
        self.slots, self.observations, self.pace = slots, np.zeros((slots, 4)), 12

    def reset(self, slots, seeds):
        self.observations[slots] = 0

    def step(self, slots, actions):
        self.observations[slots] += 1
        return Step(np.ones(len(slots)), self.observations[slots, 0] >= self.last)

    def behaviour(self, slots):
        return self.observations[slots][:, :2]

    def close(self):
        pass


class Bright(Dark):
    """Its pictures are floats from 0 to 1: half as bright as white."""

    def picture(self, slot):
        print("a line that is no answer")
        return np.full((12, 16, 3), [1.0, 0.5, 0.0]) if self.observations[slot, 0] else np.ones((12, 16, 3))


class Endless(Bright):
    last = 10**9

    def picture(self, slot):
        return np.uint8([[int(self.observations[slot, 0]) % 200]])


class Noisy(Bright):
    def picture(self, slot):
        return np.random.default_rng(slot).integers(0, 256, (90, 90, 3))


class Locked(Bright):
    def reset(self, slots, seeds):
        if self.slots > 1:  # as when it is played, not when it is filmed
            raise OSError("the door is locked")


class Slow(Bright):
    def step(self, slots, actions):
        time.sleep(600)


class Fatal(Bright):
    def step(self, slots, actions):
        os.kill(os.getpid(), signal.SIGKILL)


def task(room):
    spec = EnvironmentSpec((4,), 2, 5_000)
    return type("Room", (PolicyTask,), {
        "__doc__": room.__name__,
        "name": room.__name__.lower(),
        "environment_spec": classmethod(lambda cls: spec),
        "environments": lambda self, slots: room(slots),
    })


DarkTask, BrightTask, EndlessTask, NoisyTask, LockedTask, SlowTask, FatalTask = map(
    task, (Dark, Bright, Endless, Noisy, Locked, Slow, Fatal)
)
'''

NAMES = ("dark", "bright", "endless", "noisy", "locked", "slow", "fatal")
"""The names of the tasks."""


def install_rooms(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Installs the tasks `NAMES` in a folder that processes search for packages."""
    (folder / "germline_rooms.py").write_text(ROOMS)
    metadata = folder / "germline_rooms-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: germline-rooms\nVersion: 1\n")
    lines = [f"{name} = germline_rooms:{name.capitalize()}Task" for name in NAMES]
    (metadata / "entry_points.txt").write_text("\n".join(["[germline.tasks]", *lines, ""]))
    first_on_path(folder, monkeypatch)


def hide_package(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes a package look as if it were not installed, for processes that the test starts."""
    package = folder / name
    package.mkdir()
    (package / "__init__.py").write_text(f"raise ModuleNotFoundError('No module named {name}', name={name!r})\n")
    first_on_path(folder, monkeypatch)


def first_on_path(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets processes that the test starts search a folder for packages first."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH", "")])))
