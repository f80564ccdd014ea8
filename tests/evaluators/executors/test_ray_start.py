"""Connecting to a Ray that is not there; `tests/reliability` has those that are."""

import os
import signal
import socket
import subprocess
import sys
import time

import pytest
from nodes import TOKEN, nodes

from germline.evaluators.executors.executor import NoCluster, Stopped

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("address", ["", "foo", "ray://127.0.0.1:10001", "127.0.0.1:", "127.0.0.1:0", ":80", "a:b:c"])
def test_an_address_of_another_form_is_refused(address: str) -> None:
    from germline.evaluators.executors.ray_start import BadAddress, connect

    with pytest.raises(BadAddress, match="expected the address of a Ray cluster as auto or host:port, got"):
        connect(address, {}, lambda: False)


def test_a_server_that_is_no_cluster_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    from germline.evaluators.executors import ray_start

    monkeypatch.setattr(ray_start, "CONNECT_SECONDS", 2.0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(NoCluster, match=rf"could not connect to .* '{address}' \(no answer within 2 s\)"):
            ray_start.connect(address, {}, lambda: False)
        with pytest.raises(Stopped):
            ray_start.connect(address, {}, lambda: True)
        assert time.monotonic() - began < 10.0


def test_a_ray_that_demands_another_token_is_told(local_ray: None) -> None:
    import ray

    from germline.evaluators.executors.ray_start import connect

    with pytest.raises(NoCluster, match="demands another token: set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN or a file"):
        connect(ray.get_runtime_context().gcs_address, {}, lambda: False)


def test_an_exception_that_ends_this_process_is_not_sent_to_ray(local_ray: None) -> None:
    import ray

    assert sys.excepthook is not ray._private.worker.custom_excepthook


def test_a_signal_while_ray_starts_reaches_the_handler_of_this_process() -> None:
    import ray

    from germline.evaluators.executors import ray_start

    received: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: received.append(number))
    try:
        with ray_start._own_signal_handlers():
            ray._private.utils.set_sigterm_handler(lambda number, frame: pytest.fail("Ray's handler"))
            os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert received == [signal.SIGTERM] * 2


INTERRUPTED = """
import os, signal, time
import ray
from germline.evaluators.executors import ray_start
received = []
signal.signal(signal.SIGTERM, lambda number, frame: received.append(number))
signal.signal(signal.SIGALRM, lambda number, frame: received.append(number))
init = ray.init
def interrupted(**options):
    init(**options)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(SLEEP)
ray.init = interrupted
guard = ray_start.start_local(1)
time.sleep(4 - SLEEP)
print(received == [signal.SIGTERM])
ray.shutdown()
guard.end()
"""


@pytest.mark.parametrize("sleep", [0, 4], ids=["at the end", "long before the end"])
def test_a_sigterm_while_ray_starts_does_not_abort_this_process_later(sleep: int) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", INTERRUPTED.replace("SLEEP", str(sleep))]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr


ENDED = """
import os, signal, time
import ray
from germline.cli.interrupts import Interrupted, end_on_signal, stop_raising
from germline.evaluators.executors import ray_start
end_on_signal()
init = ray.init
def interrupted(**options):
    init(**options)
    os.kill(os.getpid(), signal.SIGTERM)
ray.init = interrupted
try:
    ray_start.start_local(1)
except Interrupted as error:
    time.sleep(4)
    print(error.number == signal.SIGTERM)
    stop_raising()
    ray.shutdown()
"""


def test_a_sigterm_that_raises_while_ray_starts_does_not_abort_this_process_later() -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", ENDED], env=environment, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr


CONNECT = """
import sys
import ray
from scripted_evaluator import ScriptedSpec
from germline.evaluators.executors.executor import NoCluster
from germline.evaluators.executors.ray_executor import RayExecutor
try:
    RayExecutor(ScriptedSpec(), workers=1, address=sys.argv[1])
except NoCluster as error:
    print(error)
print(ray.is_initialized())
"""


def test_a_cluster_without_cores_is_refused_and_left() -> None:
    environment = {**os.environ, **TOKEN, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with nodes(0) as cluster:
        command = [sys.executable, "-c", CONNECT, cluster.address]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    cause, connected = done.stdout.splitlines()
    assert cause.startswith("the Ray cluster has no CPU for a worker") and connected == "False", done.stderr
