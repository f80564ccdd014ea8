"""The guard of a local Ray, on processes that only sleep."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from germline.evaluators.executors.ray_guard import _PROGRAM, RayGuard

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the guard needs descriptors of processes")

DRIVER = """
import os, signal
from germline.evaluators.executors.ray_guard import RayGuard
RayGuard("secret")
os.kill(os.getpid(), signal.SIGKILL)
"""

RAYLET = """
import subprocess
agent = subprocess.Popen(["sleep", "60"], env={}, stdout=subprocess.DEVNULL)
print(agent.pid, flush=True)
agent.wait()
"""
"""A process with a child whose environment has no token, as if the child's title had overwritten it."""


@contextmanager
def sleeper(**environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that sleeps, with this environment."""
    with subprocess.Popen(["sleep", "60"], env=environment) as process:
        try:
            time.sleep(0.1)  # until it has its own environment
            yield process
        finally:
            process.kill()


@pytest.mark.slow
def test_after_the_end_of_a_killed_driver_its_ray_ends_and_no_other_process() -> None:
    with sleeper(RAY_AUTH_TOKEN="secret") as own, sleeper(RAY_AUTH_TOKEN="secret2") as other, sleeper() as unrelated:
        subprocess.run([sys.executable, "-c", DRIVER], check=False)
        assert own.wait(timeout=10) == -9
        assert other.poll() is None and unrelated.poll() is None


@pytest.mark.slow
def test_while_the_driver_lives_its_ray_lives_until_it_is_ended() -> None:
    with sleeper(RAY_AUTH_TOKEN="secret3") as own:
        guard = RayGuard("secret3")
        with pytest.raises(subprocess.TimeoutExpired):
            own.wait(timeout=0.5)
        guard.end()
        assert own.wait(timeout=1) == -9
        guard.end()  # nothing is left


@pytest.mark.slow
def test_a_process_without_the_token_whose_parent_was_there_at_the_start_ends_too() -> None:
    variables = {"RAY_AUTH_TOKEN": "secret4"}
    with subprocess.Popen([sys.executable, "-c", RAYLET], env=variables, stdout=subprocess.PIPE) as raylet:
        assert raylet.stdout is not None
        agent = psutil.Process(int(raylet.stdout.readline()))
        guard = RayGuard("secret4")
        guard.started()
        time.sleep(0.5)  # until the guard has looked
        raylet.kill()
        raylet.wait()
        assert agent.is_running()
        guard.end()
        psutil.wait_procs([agent], timeout=1)
        assert not agent.is_running() or agent.status() == psutil.STATUS_ZOMBIE


def test_its_processes_are_told_from_more_others_than_it_may_open_files() -> None:
    limited = "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (12, 12))\n" + _PROGRAM.read_text()
    with sleeper(RAY_AUTH_TOKEN="secret5") as own:
        for _ in range(20):
            subprocess.Popen(["sleep", "1"])
        command = [sys.executable, "-c", limited]
        subprocess.run(command, input=b"RAY_AUTH_TOKEN=secret5\n", check=True, timeout=10)
        assert own.wait(timeout=1) == -9


@pytest.mark.parametrize("written", [b"", b"\n", b"RAY_AUTH_TOKEN=", b"RAY_AUTH_TOKEN=\n\n"])
def test_without_a_token_nothing_is_killed(written: bytes) -> None:
    harmless = "import signal\nsignal.pidfd_send_signal = lambda *process: print('killed')\n" + _PROGRAM.read_text()
    done = subprocess.run([sys.executable, "-c", harmless], input=written, capture_output=True, check=True)
    assert done.stdout == b""
