"""Running jobs on Ray: one actor a worker, each with its own copy of the task.

The only file that imports Ray. Ray's own retries are off: an actor call may have run although it failed, and a genome
that kills its worker would be tried for ever. A job that kills or outlasts its worker is scored again genome by genome,
each in a worker of its own; whoever fails then gets the outcome.
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
    # One torch thread a worker: two on two busy cores were up to 50 times slower.
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    # Ray gives its workers the niceness 15, and beside any other process they would hardly run.
    "RAY_worker_niceness": "0",
}
_POLL_SECONDS = 0.5
_START_SECONDS = 180.0
"""What a worker may take to start, which includes compiling, beyond the time-out of its first call."""


class NoCluster(RuntimeError):
    """Ray could not be started or reached."""


class _Scorer:
    """What runs in a worker process.

    The data directory comes as an argument: Ray's environment of a job is settled when Ray starts, which may have been
    long before, and a worker's working directory need not be ours.
    """

    def __init__(self, spec: EvaluatorSpec, data: str) -> None:
        os.environ[VARIABLE] = data
        self.evaluator = spec.build()

    def ready(self) -> None:
        """Returns when the evaluator is built."""

    def score(self, genomes: tuple[str, ...], rung: int, seed: int, limit: Limit | None) -> list[Outcome]:
        return score_safely(self.evaluator, genomes, rung, seed, limit)


@dataclass
class _Task:
    """A job, or one genome of a job that failed as a whole."""

    job: Job
    genomes: tuple[str, ...]
    position: int | None = None
    began: float = 0.0


class RayExecutor:
    """Scores on Ray actors.

    Args:
        spec: the evaluator that each worker builds.
        workers: how many.
        address: of a running Ray cluster (`auto`, or `ray://host:port`); None starts Ray on this machine.
        timeout: seconds that one call may take at rung 0; rung r has 10^r times as long.
        stopped: looked at twice a second while waiting; when it says so, `next` raises `Stopped`.
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
        found = ray.cluster_resources().get("GPU", 0)
        if spec.device == "cuda" and not found:
            raise NoCluster("expected a GPU for --device cuda, and Ray finds none; use --device cpu")
        gpus = 0 if spec.device == "cpu" else min(1.0, found / workers)
        self._actor_class: Any = ray.remote(num_cpus=1, num_gpus=gpus, max_restarts=0, max_task_retries=0)(_Scorer)
        self.idle: list[Any] = []
        self.starting: dict[Any, tuple[Any, float]] = {}
        for _ in range(workers):
            self._hire()
        self.busy: dict[Any, tuple[Any, _Task]] = {}
        self.waiting: deque[_Task] = deque()
        self.partial: dict[tuple[int, ...], dict[int, Outcome]] = {}
        self.done: deque[tuple[Job, list[Outcome]]] = deque()

    def submit(self, job: Job) -> None:
        self.waiting.append(_Task(job, job.genomes))
        self._dispatch()

    def next(self) -> tuple[Job, list[Outcome]]:
        while not self.done:
            if self.stopped():
                raise Stopped
            self._dispatch()
            ready, _ = ray.wait([*self.starting, *self.busy], num_returns=1, timeout=_POLL_SECONDS)
            for reference in ready:
                if reference in self.starting:
                    self._welcome(reference)
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

    def _hire(self) -> None:
        """Starts a worker. It takes jobs, and the clock of its first one runs, only when it has loaded the task."""
        worker = self._actor_class.remote(self.spec, str(directory()))
        self.starting[worker.ready.remote()] = (worker, time.monotonic())

    def _welcome(self, reference: Any) -> None:
        worker, _ = self.starting.pop(reference)
        try:
            ray.get(reference)
        except ray.exceptions.RayError as error:
            raise NoWorker(self.spec.task, getattr(error, "cause", None) or error) from None
        self.idle.append(worker)

    def _dispatch(self) -> None:
        while self.idle and self.waiting:
            worker, task = self.idle.pop(0), self.waiting.popleft()
            task.began = time.monotonic()
            reference = worker.score.remote(task.genomes, task.job.rung, task.job.seed, task.job.limit)
            self.busy[reference] = (worker, task)

    def _collect(self, reference: Any) -> None:
        worker, task = self.busy.pop(reference)
        try:
            outcomes = ray.get(reference)
        except ray.exceptions.RayError as error:
            self._replace(worker)
            status: Status = "oom" if isinstance(error, ray.exceptions.OutOfMemoryError) else "crashed"
            self._settle(task, Outcome(status, error=f"the worker process ended ({type(error).__name__})"))
        else:
            self.idle.append(worker)
            self._finish(task, outcomes)

    def _enforce_timeouts(self) -> None:
        now = time.monotonic()
        if any(now - began > self.timeout + _START_SECONDS for _, began in self.starting.values()):
            raise NoWorker(self.spec.task, TimeoutError(f"not loaded after {self.timeout + _START_SECONDS:g} s"))
        for reference, (worker, task) in list(self.busy.items()):
            limit = self.timeout * 10**task.job.rung
            if now - task.began > limit:
                del self.busy[reference]
                self._replace(worker)
                self._settle(task, Outcome("timeout", seconds=limit, error=f"no outcome after {limit:g} s"))

    def _replace(self, worker: Any) -> None:
        _kill(worker)
        self._hire()

    def _settle(self, task: _Task, outcome: Outcome) -> None:
        """A call that failed: a single genome has its outcome, a pack is tried genome by genome."""
        if len(task.genomes) == 1:
            self._finish(task, [outcome])
        else:
            self.waiting.extend(_Task(task.job, (genome,), i) for i, genome in enumerate(task.genomes))

    def _finish(self, task: _Task, outcomes: list[Outcome]) -> None:
        if task.position is None:
            self.done.append((task.job, outcomes))
            return
        found = self.partial.setdefault(task.job.key, {})
        found[task.position] = outcomes[0]
        if len(found) == len(task.job.genomes):
            del self.partial[task.job.key]
            self.done.append((task.job, [found[i] for i in range(len(found))]))


def start(workers: int, address: str | None) -> None:
    """Starts Ray on this machine, reachable from it alone, or connects to a cluster.

    Raises:
        NoCluster: neither worked; the message says what to do.
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
        # Ray puts its own in place; who runs the search decides what a signal means.
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
