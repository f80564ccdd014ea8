"""Scores jobs on Ray: each worker is an actor with its own copy of the task.

The only file that imports Ray. Ray's own retries are off: an actor call may have run although it failed, and a genome
that kills its worker would be retried for ever. A job that ends its worker, or exceeds its time limit, is scored again
genome by genome, each in a call of its own; a genome that fails then has the failure as its outcome.
"""

import contextlib
import logging
import os
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ray

from germline.evaluators.data.directory import VARIABLE, directory
from germline.evaluators.evaluator import EvaluatorSpec
from germline.evaluators.executors.executor import Job, NoWorker, Stopped, score_safely
from germline.evaluators.hurdle import Limit
from germline.evaluators.outcome import Outcome, Status

_ENVIRONMENT = {
    # One torch thread per worker: two on two busy cores were up to 50 times slower.
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    # Ray starts its workers with the niceness 15: beside any other process they would hardly run.
    "RAY_worker_niceness": "0",
}
_POLL_SECONDS = 0.5
_START_SECONDS = 180.0
"""Time that a worker may take to start, which includes compiling, beyond the time limit of a call."""


class NoCluster(RuntimeError):
    """Ray could not be started or reached."""


class _Worker:
    """The actor in a worker process.

    The data directory is an argument, since Ray fixes the environment of its workers when it starts, which may be long
    before this search, and a worker may have another working directory.
    """

    def __init__(self, spec: EvaluatorSpec, data: str) -> None:
        os.environ[VARIABLE] = data
        self.evaluator = spec.build()

    def ready(self) -> None:
        """Returns once the evaluator is built."""

    def score(self, genomes: tuple[str, ...], rung: int, seed: int, limit: Limit | None) -> list[Outcome]:
        return score_safely(self.evaluator, genomes, rung, seed, limit)


@dataclass
class _Call:
    """A call of a worker: for a whole job, or for the genome at `position` of a job that failed as a whole."""

    job: Job
    genomes: tuple[str, ...]
    position: int | None = None
    started: float = 0.0


class RayExecutor:
    """Scores on Ray actors.

    Args:
        spec: the evaluator that each worker builds.
        workers: number of workers.
        address: of a running Ray cluster (`auto`, or `ray://host:port`); None starts Ray on this machine.
        timeout: time limit of a call in seconds at rung 0; rung r has 10^r times as long.
        stopped: polled twice a second while waiting; when it returns True, `next` raises `Stopped`.
    """

    def __init__(
        self,
        spec: EvaluatorSpec,
        workers: int,
        address: str | None = None,
        timeout: float = 600.0,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self.spec = spec
        self.stopped = stopped
        self.timeout = timeout
        self.started_here = not ray.is_initialized()
        if self.started_here:
            start(workers, address)
        available = ray.cluster_resources().get("GPU", 0)
        if spec.device == "cuda" and not available:
            raise NoCluster("expected a GPU for --device cuda, and Ray finds none; use --device cpu")
        gpus = 0 if spec.device == "cpu" else min(1.0, available / workers)
        self._actor_class: Any = ray.remote(num_cpus=1, num_gpus=gpus, max_restarts=0, max_task_retries=0)(_Worker)
        self.idle: list[Any] = []
        self.starting: dict[Any, tuple[Any, float]] = {}
        """Workers that are loading the task, and when they were started, by the reference of `ready`."""
        for _ in range(workers):
            self._start_worker()
        self.busy: dict[Any, tuple[Any, _Call]] = {}
        """Workers and their calls, by the reference of the call's result."""
        self.waiting: deque[_Call] = deque()
        self.partial: dict[tuple[int, ...], dict[int, Outcome]] = {}
        """Outcomes so far of jobs that are scored genome by genome, by the key of the job and by position."""
        self.done: deque[tuple[Job, list[Outcome]]] = deque()

    def submit(self, job: Job) -> None:
        self.waiting.append(_Call(job, job.genomes))
        self._dispatch()

    def next(self) -> tuple[Job, list[Outcome]]:
        while not self.done:
            if self.stopped():
                raise Stopped
            self._dispatch()
            ready, _ = ray.wait([*self.starting, *self.busy], num_returns=1, timeout=_POLL_SECONDS)
            for reference in ready:
                if reference in self.starting:
                    self._on_ready(reference)
                else:
                    self._collect(reference)
            self._enforce_timeouts()
        return self.done.popleft()

    def close(self) -> None:
        for worker in [
            *self.idle,
            *(worker for worker, _ in self.starting.values()),
            *(worker for worker, _ in self.busy.values()),
        ]:
            _kill(worker)
        self.idle, self.starting, self.busy = [], {}, {}
        self.waiting.clear()
        if self.started_here:
            ray.shutdown()

    def _start_worker(self) -> None:
        """Starts a worker. It gets calls, and their time limits apply, only once it has loaded the task."""
        worker = self._actor_class.remote(self.spec, str(directory()))
        self.starting[worker.ready.remote()] = (worker, time.monotonic())

    def _on_ready(self, reference: Any) -> None:
        worker, _ = self.starting.pop(reference)
        try:
            ray.get(reference)
        except ray.exceptions.RayError as error:
            raise NoWorker(self.spec.task, getattr(error, "cause", None) or error) from None
        self.idle.append(worker)

    def _dispatch(self) -> None:
        while self.idle and self.waiting:
            worker, call = self.idle.pop(0), self.waiting.popleft()
            call.started = time.monotonic()
            reference = worker.score.remote(call.genomes, call.job.rung, call.job.seed, call.job.limit)
            self.busy[reference] = (worker, call)

    def _collect(self, reference: Any) -> None:
        worker, call = self.busy.pop(reference)
        try:
            outcomes = ray.get(reference)
        except ray.exceptions.RayError as error:
            self._replace(worker)
            status: Status = "oom" if isinstance(error, ray.exceptions.OutOfMemoryError) else "crashed"
            self._retry_or_finish(call, Outcome(status, error=f"the worker process ended ({type(error).__name__})"))
        else:
            self.idle.append(worker)
            self._finish(call, outcomes)

    def _enforce_timeouts(self) -> None:
        now = time.monotonic()
        if any(now - started > self.timeout + _START_SECONDS for _, started in self.starting.values()):
            raise NoWorker(self.spec.task, TimeoutError(f"not loaded after {self.timeout + _START_SECONDS:g} s"))
        for reference, (worker, call) in list(self.busy.items()):
            timeout = self.timeout * 10**call.job.rung
            if now - call.started > timeout:
                del self.busy[reference]
                self._replace(worker)
                outcome = Outcome("timeout", seconds=timeout, error=f"no outcome after {timeout:g} s")
                self._retry_or_finish(call, outcome)

    def _replace(self, worker: Any) -> None:
        _kill(worker)
        self._start_worker()

    def _retry_or_finish(self, call: _Call, outcome: Outcome) -> None:
        """Ends a failed call: a single genome gets `outcome`, a pack is scored again genome by genome."""
        if len(call.genomes) == 1:
            self._finish(call, [outcome])
        else:
            self.waiting.extend(_Call(call.job, (genome,), i) for i, genome in enumerate(call.genomes))

    def _finish(self, call: _Call, outcomes: list[Outcome]) -> None:
        if call.position is None:
            self.done.append((call.job, outcomes))
            return
        scored = self.partial.setdefault(call.job.key, {})
        scored[call.position] = outcomes[0]
        if len(scored) == len(call.job.genomes):
            del self.partial[call.job.key]
            self.done.append((call.job, [scored[i] for i in range(len(scored))]))


def start(workers: int, address: str | None) -> None:
    """Starts Ray on this machine, reachable from it alone, or connects to the cluster at `address`.

    Raises:
        NoCluster: Ray cannot be started or reached; the message says what to do.
    """
    os.environ.update({name: value for name, value in _ENVIRONMENT.items() if name.startswith("RAY_")})
    options: dict[str, Any] = {
        "include_dashboard": False,
        "log_to_driver": False,
        "logging_level": logging.ERROR,
        "configure_logging": True,
        "runtime_env": {"env_vars": _ENVIRONMENT},
    }
    if address is None:
        # Loopback only: nothing of a local search is reachable from outside.
        options.update(num_cpus=workers, _node_ip_address="127.0.0.1", object_store_memory=128 * 2**20)
    else:
        options.update(address=address)
        del options["include_dashboard"]
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        if address and ":" in address and "://" not in address:
            _probe(address)  # Ray itself would try for most of a minute
        ray.init(**options)
    except (ConnectionError, RuntimeError, ValueError, TimeoutError, OSError) as error:
        where = f"reach the Ray cluster at {address}" if address else "start Ray on this machine"
        cause = (str(error).splitlines() or [type(error).__name__])[0]
        raise NoCluster(f"could not {where} ({cause:.200}); check the address, or use --executor inline") from None
    finally:
        # Ray installs its own handlers; the process that runs the search decides what a signal means.
        if threading.current_thread() is threading.main_thread():
            for number, handler in handlers.items():
                signal.signal(number, handler)


def _probe(address: str) -> None:
    host, _, port = address.rpartition(":")
    if not port.isdecimal():
        raise ValueError(f"expected host:port, got {address!r:.80}")
    socket.create_connection((host, int(port)), timeout=5).close()


def _kill(worker: Any) -> None:
    with contextlib.suppress(Exception):
        ray.kill(worker, no_restart=True)
