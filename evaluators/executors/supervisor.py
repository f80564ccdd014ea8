"""The supervisor of a process that scores jobs: it watches the process, and replaces it when something went wrong.

The supervisor decides whether a process ended by itself (a crash, an exit, exhausted memory) or was ended by somebody
else, which says nothing about the genomes that it scored. Its fork server, the parent of these processes, learns how
they ended. Time limits are measured here too. A supervisor does not use Ray; the actor of each Ray worker has one.
"""

import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from typing import Any

from germline.evaluators.evaluator import EvaluatorSpec
from germline.evaluators.executors.executor import Failed, Job, Lost
from germline.evaluators.executors.fork_server import ForkServer, ForkServerLost, ending
from germline.evaluators.executors.work_clock import WorkClock
from germline.evaluators.memory import memory_of_machine
from germline.evaluators.outcome import Outcome

MOST_STARTS = 10
"""When this many processes in a row have ended before they had loaded the task, no further process is started."""
_POLL_SECONDS = 0.1
_CLOSING_SECONDS = 5.0
"""How long a process that has closed its connection may take to end."""
_STATUS_SECONDS = 1.0
"""How long the fork server may take to say, before a job is sent, whether the process still runs."""
_FROM_ELSEWHERE = frozenset((signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGKILL))
"""Signals that a process gets from somebody else. The kernel also sends SIGKILL to a process that fills the memory."""


@dataclass(frozen=True)
class NotLoaded:
    """No process has built the evaluator, and why: an error, the time limit, or too many processes that ended."""

    cause: str


class Late:
    """Stands for the answer of a process that has not answered in time."""


class Supervisor:
    """A process that scores, and its replacements. The first starts at once, and begins to load the task.

    Args:
        spec: of the evaluator.
        data: the data directory.
        load_seconds: how long a process may take to load the task.
    """

    def __init__(self, spec: EvaluatorSpec, data: str, load_seconds: float) -> None:
        self._spec = spec
        self._data = data
        self._load_seconds = load_seconds
        self._process = _Process(ForkServer(spec), spec, data)

    def load(self) -> NotLoaded | None:
        """Waits until a process has loaded the task, and returns None; or returns why no process can load it."""
        ended = ""
        for _ in range(MOST_STARTS):
            if self._process.is_loaded:
                return None
            answer = self._process.receive(self._load_seconds)
            if isinstance(answer, Late):
                self._replace()
                return NotLoaded(f"not loaded after {self._load_seconds:g} s")
            if not isinstance(answer, Lost):
                self._process.is_loaded = answer is None
                return None if answer is None else NotLoaded(answer)
            ended = answer.outcome.error or ""
            self._replace()
        return NotLoaded(f"{MOST_STARTS} processes in a row ended before that, the last because {ended}")

    def score(
        self, job: Job, only: Sequence[int] | None, seconds: float, fresh: bool = False
    ) -> list[Outcome] | Failed | Lost | NotLoaded:
        """Scores a job, or some of its genomes.

        Returns the outcomes of these genomes in order; Failed if the task raised or the time limit passed, Lost if the
        process ended, NotLoaded if no process could load the task.

        Args:
            job: the job.
            only: positions of the genomes to score; None: all.
            seconds: time limit.
            fresh: True if the process must have scored nothing before.
        """
        if (fresh and self._process.has_scored) or self._process.ended(_STATUS_SECONDS):
            self._replace()
        not_loaded = self.load()
        if not_loaded:
            return not_loaded
        self._process.send((job, only))
        answer: list[Outcome] | Failed | Lost | Late = self._process.receive(seconds)
        if isinstance(answer, Late):
            answer = Failed(Outcome("timeout", seconds=seconds, error=f"no outcome after {seconds:g} s"))
        if isinstance(answer, Failed | Lost):
            self._replace()
        return answer

    def close(self) -> None:
        """Ends the process, those that the task has started, and the fork server."""
        try:
            self._process.end()
        finally:
            self._process.server.close()

    def _replace(self) -> None:
        in_order = self._process.end()
        server = self._process.server
        if not in_order:
            server.close()
            server = ForkServer(self._spec)
        self._process = _Process(server, self._spec, self._data)


class _Process:
    """A process that runs `scoring_process`, and the connection to it.

    Attributes:
        server: the fork server that starts it.
        is_loaded: whether it has loaded the task.
        has_scored: whether it has been sent a job.
    """

    def __init__(self, server: ForkServer, spec: EvaluatorSpec, data: str) -> None:
        self.server = server
        self.is_loaded = False
        self.has_scored = False
        self._connection, theirs = Pipe()
        with theirs:
            server.start(theirs.fileno())
        self._status: int | None = None
        self._server_lost = ""
        """Why the fork server is of no use any more; empty while it is."""
        self._ended_in_order: bool | None = None
        """What `end` returned; None before."""
        self._peak_memory = 0
        self._send((spec, data))

    def send(self, message: Any) -> None:
        """Sends a job to score."""
        self.has_scored = True
        self._send(message)

    def receive(self, seconds: float) -> Any:
        """Returns the next answer; Lost if the process ended, Late after `seconds`."""
        clock = WorkClock(time.monotonic())
        while True:
            # In this order: an answer that is there counts, however late it is read.
            late = clock.tick(time.monotonic()) > seconds
            ended = self.ended()
            if self._connection.poll(0 if late or ended else _POLL_SECONDS):
                try:
                    return self._connection.recv()
                except Exception:  # the end of the connection, or what a task has written into it
                    return self._lost()
            if ended:
                return self._lost()
            if late:
                return Late()

    def ended(self, seconds: float = 0.0) -> bool:
        """Returns True if the process has ended by itself, was ended by somebody else, or if its fork server is lost.

        A fork server that takes longer than `seconds` to answer has its answer heard at the next call.
        """
        if self._status is None and not self._server_lost:
            try:
                self._status = self.server.status(seconds)
            except ForkServerLost as lost:
                self._server_lost = str(lost)
        return self._status is not None or bool(self._server_lost)

    def end(self) -> bool:
        """Ends the process and its group. Returns False if the fork server could not do that, because it is lost, still
        importing, or waiting for the kernel: then it has to be closed, and the process ends with it."""
        if self._ended_in_order is None:
            self._connection.close()
            try:
                self._ended_in_order = not self._server_lost and self.server.started()
                if self._ended_in_order:
                    status, self._peak_memory = self.server.end()
                    self._ended_in_order = status is not None
            except ForkServerLost:
                self._ended_in_order = False
        return self._ended_in_order

    def _send(self, message: Any) -> None:
        with suppress(ConnectionError):  # it has ended, which `receive` finds out
            self._connection.send(message)

    def _lost(self) -> Lost:
        """The outcome for the genomes of a process that has closed its connection, or sent what cannot be read, and
        whether they are suspect. They are not if the fork server is lost, nor if a signal of `_FROM_ELSEWHERE` ended
        the process, unless that is SIGKILL and the process had filled more than half of the memory."""
        self._wait()
        if self._server_lost:
            return Lost(Outcome("crashed", error=self._server_lost), suspect=False)
        if self._status is None:
            return Lost(Outcome("crashed", error="the process closed its connection"), suspect=True)
        self.end()  # which tells the peak of its memory
        error = f"the process ended with {ending(self._status)}"
        if self._status >= 0:
            return Lost(Outcome("crashed", error=error), suspect=True)
        if -self._status == signal.SIGKILL and self._peak_memory > memory_of_machine() / 2:
            error = f"the process filled the memory with {self._peak_memory / 2**30:.1f} GiB and was killed"
            return Lost(Outcome("oom", error=error), suspect=True)
        suspect = -self._status not in _FROM_ELSEWHERE
        return Lost(Outcome("crashed", error=error), suspect)

    def _wait(self) -> None:
        """Waits for the end of a process that is about to end; gives up if the kernel keeps it."""
        deadline = time.monotonic() + _CLOSING_SECONDS
        while not self.ended() and time.monotonic() < deadline:
            time.sleep(0.01)
