"""Scores jobs on Ray: each worker is an actor with a supervisor, which scores in a process of its own.

Ray brings workers to other cores and other machines, and tells when one of them is gone with its machine. What happens
in a process that scores is its supervisor's matter. Ray's own retries are off: a call may have run although it failed,
and a genome that kills its worker would be tried for ever.
"""

import math
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import ray

from germline.evaluators.data.directory import directory
from germline.evaluators.errors import in_a_line, message_of, one_line
from germline.evaluators.evaluator import EvaluatorSpec
from germline.evaluators.executors.attempts import Attempts, Call
from germline.evaluators.executors.executor import ClusterLost, Failed, Job, Lost, NoCluster, NoWorker, Stopped
from germline.evaluators.executors.ray_cluster import RayCluster, disconnect
from germline.evaluators.executors.ray_guard import RayGuard
from germline.evaluators.executors.ray_start import THREADS, connect, forget_token, start_local
from germline.evaluators.executors.shipping import shipped
from germline.evaluators.executors.supervisor import NotLoaded, Supervisor
from germline.evaluators.executors.work_clock import WorkClock
from germline.evaluators.outcome import Outcome

MOST_LOST = 50
"""When this many workers in a row have ended while they started, the search ends. Many, since a worker that cannot load
the task says so: a worker that ends without a word was ended by somebody else, such as the system."""
_POLL_SECONDS = 0.5
_LOAD_SECONDS = 180.0
"""Time that a process may take to load the task, which includes compiling, beyond the time limit of a call."""
_SILENCE_SECONDS = 60.0
"""How long after its time limit an answer is awaited; then the worker, or its machine, hangs and is given up."""
_KILL_SECONDS = 5.0


class _Actor:
    """The actor of a worker, in a process of Ray."""

    def __init__(self, spec: EvaluatorSpec, data: str, load_seconds: float) -> None:
        # Ray's own handler raises SystemExit. There is nothing to put in order here.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        self.supervisor = Supervisor(spec, data, load_seconds)

    def load(self) -> NotLoaded | None:
        return self.supervisor.load()

    def score(
        self, job: Job, only: tuple[int, ...] | None, seconds: float, fresh: bool
    ) -> list[Outcome] | Failed | Lost | NotLoaded:
        return self.supervisor.score(job, only, seconds, fresh)


@dataclass(eq=False)
class _Worker:
    """A worker, as the process of the search knows it.

    Attributes:
        actor: its handle.
        answer: a reference to the answer that is awaited: the outcomes of `call` or, without a call, that the task is
            loaded; None while the worker is idle.
        deadline: the time of the work clock at which the answer is overdue.
        call: the call that it scores; None while it loads or is idle.
        loaded: whether it has loaded the task.
    """

    actor: Any
    answer: Any
    deadline: float
    call: Call | None = None
    loaded: bool = False


class RayExecutor:
    """Scores on Ray.

    A Ray that this process is connected to already is used as it is. Otherwise it is started, or connected to, and left
    again by `close`.

    Args:
        spec: the evaluator that each worker builds.
        workers: number of workers.
        address: of a running Ray cluster, `auto` or `host:port`; None starts Ray on this machine.
        timeout: time limit of a call in seconds at rung 0; rung r has 10^r times as long.
        stopped: polled twice a second while waiting; when it returns True, `Stopped` is raised.

    Raises:
        NoCluster: Ray cannot be started or reached.
        BadAddress, TooLarge: the address, or the folder of the task, cannot be used.
        Stopped: `stopped` returned True.
    """

    def __init__(
        self,
        spec: EvaluatorSpec,
        workers: int,
        address: str | None = None,
        timeout: float = 600.0,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self._task = spec.task
        self._timeout = timeout
        self._stopped = stopped
        self._attempts = Attempts()
        self._clock = WorkClock(time.monotonic())
        self._workers: list[_Worker] = []
        self._lost_starts = 0
        """How many workers in a row have ended before they had loaded the task."""
        self._owned = not ray.is_initialized()
        self._guard: RayGuard | None = None
        """The guard of a Ray that was started for this executor; None for a Ray that it has joined."""
        if self._owned:
            if address is None:
                self._guard = start_local(workers)
            else:
                spec, files = shipped(spec)
                connect(address, {"env_vars": THREADS, **files}, stopped)
        try:
            self._cluster = RayCluster()
            _require_cores()
            gpus = _gpus_per_worker(spec, workers)
            self._actor_class: Any = ray.remote(num_cpus=1, num_gpus=gpus, max_restarts=0, max_task_retries=0)(_Actor)
            self._arguments = (spec, str(directory()), timeout + _LOAD_SECONDS)
            for _ in range(workers):
                self._start_worker()
        except Exception:
            self._leave(intact=True)
            raise

    def wait_until_ready(self) -> None:
        while not any(worker.loaded for worker in self._workers):
            self._step()

    def submit(self, job: Job) -> None:
        self._attempts.submit(job)
        self._send_calls()

    def next(self) -> tuple[Job, list[Outcome]]:
        while not self._attempts.done:
            self._step()
        return self._attempts.done.popleft()

    def close(self) -> None:
        actors = [worker.actor for worker in self._workers]
        self._workers.clear()
        self._attempts = Attempts()
        with suppress(ClusterLost):
            self._cluster.check()
            _kill(actors).join(_KILL_SECONDS)
        self._leave(self._cluster.unwatch())

    def _leave(self, intact: bool) -> None:
        if self._owned:
            disconnect(intact, self._guard)
            forget_token()

    def _step(self) -> None:
        """Sends calls to idle workers, waits for answers for half a second at most, and takes them.

        An answer that is there counts, even if it is overdue.
        """
        self._send_calls()
        answered = self._wait()
        # Now, because what ends the workers, such as the machine's shutdown, usually ends the search too.
        if self._stopped():
            raise Stopped
        self._cluster.raise_if_lost()
        for worker in answered:
            self._take_answer(worker)
        self._replace_overdue()

    def _start_worker(self) -> None:
        actor = self._actor_class.remote(*self._arguments)
        deadline = self._clock.seconds + self._timeout + _LOAD_SECONDS + _SILENCE_SECONDS
        self._workers.append(_Worker(actor, actor.load.remote(), deadline))

    def _send_calls(self) -> None:
        """Sends the next calls to idle workers."""
        for worker in self._workers:
            if worker.answer is not None:
                continue
            call = self._attempts.take([worker.call for worker in self._workers if worker.call is not None])
            if call is None:
                return
            seconds = self._timeout * 10**call.job.rung
            # The process that scores may have to be started again before.
            worker.deadline = self._clock.seconds + seconds + self._timeout + _LOAD_SECONDS + _SILENCE_SECONDS
            worker.answer = worker.actor.score.remote(call.job, call.positions, seconds, call.again)
            worker.call = call

    def _wait(self) -> list[_Worker]:
        """Returns the workers that have answered, after half a second at most."""
        awaited = {worker.answer: worker for worker in self._workers if worker.answer is not None}
        if not awaited:
            time.sleep(_POLL_SECONDS)
            return []
        ray.wait(list(awaited), num_returns=1, timeout=_POLL_SECONDS)
        ready, _ = ray.wait(list(awaited), num_returns=len(awaited), timeout=0)
        return [awaited[reference] for reference in ready]

    def _take_answer(self, worker: _Worker) -> None:
        try:
            answer = ray.get(worker.answer, timeout=_SILENCE_SECONDS)
        except Exception as error:  # of Ray, or an answer that cannot be read
            self._replace(worker, error)
            return
        call, worker.answer, worker.call = worker.call, None, None
        if isinstance(answer, NotLoaded):
            raise NoWorker(self._task, answer.cause)
        if call is None:
            worker.loaded = True
            self._lost_starts = 0
        elif isinstance(answer, Failed):
            self._attempts.failed(call, answer.outcome)
        elif isinstance(answer, Lost):
            self._attempts.lost(call, answer.outcome, answer.suspect)
        else:
            self._attempts.scored(call, answer)

    def _replace(self, worker: _Worker, error: Exception) -> None:
        """Replaces a worker that is lost, or whose answer is overdue; its call goes back to the queue, see
        `Attempts.lost`."""
        self._cluster.check()
        self._workers.remove(worker)
        _kill([worker.actor])
        cause = in_a_line(error)
        if worker.call is not None:
            full = isinstance(error, ray.exceptions.OutOfMemoryError)
            outcome = Outcome("oom" if full else "crashed", error=f"the worker ended: {cause}")
            self._attempts.lost(worker.call, outcome, suspect=full)
        elif not worker.loaded:
            if _cannot_start(error):
                raise NoWorker(self._task, _last_line(error))
            self._lost_starts += 1
            if self._lost_starts == MOST_LOST:
                raise NoWorker(self._task, f"{MOST_LOST} workers in a row ended before that; the last: {cause}")
        self._start_worker()

    def _replace_overdue(self) -> None:
        """Replaces workers whose answer is overdue. A new worker may wait for a free core as long as others work."""
        now = self._clock.tick(time.monotonic())
        for worker in [worker for worker in self._workers if worker.answer is not None and now > worker.deadline]:
            if worker.call is not None:
                self._replace(worker, TimeoutError("no answer"))
            elif not any(worker.loaded for worker in self._workers):
                cause = "no worker has started; the cluster may have no free core, or the machine may be too slow"
                raise NoWorker(self._task, cause)


def _cannot_start(error: Exception) -> bool:
    """True if another worker would not start either, since something is missing where it would run."""
    failed: bool = getattr(error, "_actor_init_failed", False)
    return failed or isinstance(error, ray.exceptions.RuntimeEnvSetupError)


def _last_line(error: Exception) -> str:
    """The last line of the message of an error of Ray, where the cause stands; its class without a message."""
    lines = [line for line in message_of(error).splitlines() if line.strip()]
    return one_line(lines[-1]) if lines else in_a_line(error)


def _require_cores() -> None:
    """Raises NoCluster if no worker will ever find a core."""
    if ray.cluster_resources().get("CPU", 0.0) < 1.0:
        raise NoCluster("the Ray cluster has no CPU for a worker; start Ray with --num-cpus on one of its machines")


def _gpus_per_worker(spec: EvaluatorSpec, workers: int) -> float:
    """The share of a GPU that each worker gets. Raises NoCluster if the device is `cuda` and the cluster has no GPU."""
    available: float = ray.cluster_resources().get("GPU", 0)
    if spec.device == "cuda" and not available:
        raise NoCluster("expected a GPU for --device cuda, and Ray finds none; use --device cpu")
    return 0.0 if spec.device == "cpu" else gpu_share(int(available), workers)


def gpu_share(gpus: int, workers: int) -> float:
    """The share of a GPU that each worker gets, so that all workers find a place; 0.0 without GPUs.

    The share of a worker has to lie on one GPU. Ray counts in ten-thousandths.
    """
    if not gpus:
        return 0.0
    workers_each = math.ceil(workers / gpus)
    return math.floor(10_000 / workers_each) / 10_000


def _kill(actors: list[Any]) -> threading.Thread:
    """Ends actors in a thread of its own, since Ray waits for an actor that is not registered yet."""

    def kill() -> None:
        for actor in actors:
            with suppress(Exception):
                ray.kill(actor, no_restart=True)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    return thread
