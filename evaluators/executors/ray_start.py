"""Starting Ray on this machine, and connecting to a cluster.

A local Ray belongs to this process alone. It listens on the loopback interface only, its servers demand a token that is
drawn at random for it, and no other Ray on this machine is looked at, whatever the environment says.
"""

import json
import logging
import os
import re
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any

import ray

from germline.evaluators.errors import in_a_line, one_line
from germline.evaluators.executors.cluster_watch import refusal
from germline.evaluators.executors.executor import NoCluster, Stopped
from germline.evaluators.executors.ray_guard import RayGuard

CONNECT_SECONDS = 30.0
"""How long a cluster may take to accept this process."""
_ALARM_POLL = 0.5
"""Seconds between two looks for an alarm of Ray's, which goes off three seconds after it was set."""
THREADS = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""Environment of workers: a torch thread each. Two on two busy cores were up to 50 times slower."""
_LOCAL = {
    **THREADS,
    "RAY_USAGE_STATS_ENABLED": "0",
    # Ray starts its workers with the niceness 15: beside any other process they would hardly run.
    "RAY_worker_niceness": "0",
}
"""Environment of a local Ray."""
_OF_OTHERS = (
    "RAY_ADDRESS",
    "RAY_AUTH_MODE",
    "RAY_AUTH_TOKEN_PATH",
    "RAY_GCS_SERVER_PORT",
    "RAY_JOB_CONFIG_JSON_ENV_VAR",
    "RAY_REDIS_ADDRESS",
    "RAY_RUNTIME_ENV_HOOK",
)
"""Environment variables that would make a local Ray join another Ray, or have its settings."""
_SHIPPING = {"RAY_RUNTIME_ENV_IGNORE_GITIGNORE": "1"}
"""Environment in which files are sent to a cluster: those that git ignores too, since a task may read them."""
_SILENT = {"log_to_driver": False, "logging_level": logging.CRITICAL}
_LOOPBACK_VARIABLE = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""Environment variable; with the value 0, Ray keeps a loopback address as it is. Otherwise Ray replaces it by the
address of this machine, and then accepts connections from other machines."""
_TRIAL = "import json, sys, ray; ray.init(**json.loads(sys.argv[1]))"
"""A program that connects to a cluster with the arguments of `ray.init` as JSON."""
_TOKEN_ADVICE = "it demands another token: set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN or a file ~/.ray/auth_token"


class BadAddress(ValueError):
    """A text is not the address of a Ray cluster."""


def start_local(workers: int) -> RayGuard:
    """Starts Ray on this machine for a number of workers; returns the guard that ends what is left of it.

    Raises:
        NoCluster: Ray cannot be started; the message says why.
    """
    token = secrets.token_hex(32)
    variables = {**_LOCAL, "RAY_AUTH_TOKEN": token}
    guard = RayGuard(token)
    try:
        with _environment(variables, without=_OF_OTHERS), _own_signal_handlers(), _loopback(True):
            forget_token()
            ray.init(
                address="local",
                num_cpus=workers,
                include_dashboard=False,
                object_store_memory=128 * 2**20,
                _node_ip_address="127.0.0.1",
                **_SILENT,
            )
    except Exception as error:  # of many classes, among them Exception itself
        guard.end()
        raise NoCluster(f"could not start Ray on this machine ({in_a_line(error)}); try --executor inline") from None
    guard.started()
    _silence()
    return guard


def connect(address: str, runtime_env: Mapping[str, Any], stopped: Callable[[], bool]) -> None:
    """Connects to a cluster.

    Args:
        address: host and port of its GCS, or `auto`: the address in RAY_ADDRESS, or a cluster of this machine.
        runtime_env: the runtime environment of the workers.
        stopped: polled while waiting.

    Raises:
        BadAddress: the address has another form.
        NoCluster: the cluster does not accept this process within `CONNECT_SECONDS`; the message says why.
        Stopped: `stopped` returned True.
    """
    if address == "auto":
        address = os.environ.get("RAY_ADDRESS") or address
    loopback = _is_loopback(address)
    if address != "auto":
        host, _, port = address.rpartition(":")
        cause = refusal((host.strip("[]"), int(port)))
        if cause is not None:  # Ray itself would try for half a minute
            raise _not_reached(address, cause)
    options = {"address": address, **_SILENT}
    _try_to_connect(loopback, options, stopped)
    try:
        with _environment(_SHIPPING), _own_signal_handlers(), _loopback(loopback):
            ray.init(**options, runtime_env=dict(runtime_env))
    except Exception as error:
        raise _not_reached(address, in_a_line(error)) from None
    _silence()


def forget_token() -> None:
    """Makes Ray forget the token of a local Ray that has ended, and read the environment's again."""
    ray._raylet.Config.initialize("")
    ray._raylet.AuthenticationTokenLoader.instance().reset_cache()


def _try_to_connect(loopback: bool, options: Mapping[str, Any], stopped: Callable[[], bool]) -> None:
    """Connects to a cluster in a process of its own, which can be ended, unlike Ray in this process, and whose output
    can be kept off the terminal. Raises as `connect`."""
    environment = {**os.environ, "RAY_NUM_REDIS_GET_RETRIES": "5"}
    if loopback:
        environment[_LOOPBACK_VARIABLE] = "0"
    command = [sys.executable, "-c", _TRIAL, json.dumps(options)]
    deadline = time.monotonic() + CONNECT_SECONDS
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment, text=True, errors="replace"
    ) as trial:
        while True:
            try:
                _, text = trial.communicate(timeout=0.2)
                break
            except subprocess.TimeoutExpired:
                if stopped():
                    trial.kill()
                    raise Stopped from None
                if time.monotonic() > deadline:
                    trial.kill()
                    raise _not_reached(options["address"], f"no answer within {CONNECT_SECONDS:g} s") from None
    if trial.returncode:
        causes = [line for line in text.splitlines() if re.match(r"[\w.]*(Error|Exception): ", line)]
        cause = one_line(causes[-1] if causes else text) or f"exit status {trial.returncode}"
        raise _not_reached(options["address"], _TOKEN_ADVICE if "AuthenticationError" in text else cause)


def _not_reached(address: str, cause: str) -> NoCluster:
    where = f"the Ray cluster at {address!r:.100}"
    return NoCluster(f"could not connect to {where} ({cause}); check the address, or use --executor inline")


def _is_loopback(address: str) -> bool:
    """Whether an address is a loopback address. Raises BadAddress if it has another form than `auto` or `host:port`."""
    host, colon, port = address.rpartition(":")
    if address == "auto":
        return False
    if "://" in address or not (colon and host and port.isdecimal() and 0 < int(port) < 65536):
        raise BadAddress(f"expected the address of a Ray cluster as auto or host:port, got {address!r:.100}")
    try:
        return host == "localhost" or ip_address(host.strip("[]")).is_loopback
    except ValueError:  # a name
        return False


def _silence() -> None:
    """Keeps messages of Ray's servers off the terminal, such as the long error report when a node is lost.

    Also removes Ray's exception hook, which sends an uncaught exception of this process to Ray's control server (GCS):
    if that server is gone, the hook would wait for it for a minute.
    """
    worker = ray._private.worker
    worker._worker_logs_enabled = False
    if sys.excepthook is worker.custom_excepthook:
        sys.excepthook = worker.normal_excepthook


@contextmanager
def _environment(variables: Mapping[str, str], without: Sequence[str] = ()) -> Iterator[None]:
    """Sets variables of the environment, and removes others, as long as the block runs."""
    before = dict(os.environ)
    for name in without:
        os.environ.pop(name, None)
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in set(os.environ) - set(before):
            del os.environ[name]
        os.environ.update(before)


@contextmanager
def _own_signal_handlers() -> Iterator[None]:
    """Keeps the signal handlers of this process. Ray would install its own before it has started: a SIGTERM would end
    its servers, and leave this process waiting for them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    utils = ray._private.utils
    with _without_alarm():
        set_by_ray, utils.set_sigterm_handler = utils.set_sigterm_handler, lambda handler: None
        try:
            yield
        finally:
            utils.set_sigterm_handler = set_by_ray
            for number, handler in handlers.items():
                # A signal has arrived if this process's handler has set SIG_DFL, so that a second signal ends it at
                # once. It is set again, since Ray may have installed a handler of its own in C, of which Python does
                # not know.
                arrived = signal.getsignal(number) is signal.SIG_DFL
                signal.signal(number, signal.SIG_DFL if arrived else handler)


@contextmanager
def _without_alarm() -> Iterator[None]:
    """Cancels the alarm that Ray's handler of SIGTERM in C sets before it calls that of this process: Ray would abort
    the process three seconds later, whatever its own handler does. If this process has a timer already, nothing is
    cancelled."""
    if signal.getitimer(signal.ITIMER_REAL)[0]:
        yield
        return
    ended = threading.Event()

    def cancel() -> None:
        while not ended.wait(_ALARM_POLL):
            _cancel_alarm()

    thread = threading.Thread(target=cancel, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        _cancel_alarm()
        # Ray's handler of SIGTERM has set one of SIGALRM in C, of which Python does not know. This process's handler of
        # SIGTERM may have set one as well, which Python knows.
        signal.signal(signal.SIGALRM, signal.getsignal(signal.SIGALRM))


def _cancel_alarm() -> None:
    """Cancels an alarm that goes off once, as Ray's does. A timer that goes off again and again is this process's."""
    remaining, interval = signal.getitimer(signal.ITIMER_REAL)
    if remaining and not interval:
        signal.setitimer(signal.ITIMER_REAL, 0.0)


@contextmanager
def _loopback(loopback: bool) -> Iterator[None]:
    """Makes Ray keep a loopback address as it is while the block runs, if `loopback` is true; in a process that starts,
    `_LOOPBACK_VARIABLE` does this."""
    constants = ray._private.ray_constants
    before = constants.ENABLE_RAY_CLUSTER
    constants.ENABLE_RAY_CLUSTER = before and not loopback
    try:
        yield
    finally:
        constants.ENABLE_RAY_CLUSTER = before
