"""The fork server: a process that has imported what scoring needs, and forks the process that scores.

To import torch takes seconds, and a process that scores is replaced whenever it crashes, raises or hangs. A fork of a
process that has imported torch has only to load the task, and shares its memory.

The fork server is a process of its own, because a fork copies the forking thread alone: a worker of Ray has many. It
starts no thread, runs no code of a task and touches no GPU. On other systems than Linux, whose libraries may start
threads when they are imported, it imports nothing and starts each process anew.
"""

import gc
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle, send_handle
from typing import Any

from germline.evaluators.evaluator import EvaluatorSpec
from germline.evaluators.executors.scoring_process import end_with_parent, serve

FORKS = sys.platform == "linux"
_START, _STATUS, _END = "start", "status", "end"
_PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[3]); "
    "from germline.evaluators.executors.{module} import {function}; {function}(int(sys.argv[1]), int(sys.argv[2]))"
)
"""What a new process runs. Its arguments are the descriptor of its end of a connection and, of the process that starts
it, the number and the module search path as JSON."""
_END_SECONDS = 3.0
"""How long the fork server waits for the end of a process that it has killed."""
_ANSWER_SECONDS = 4.0
"""How long the supervisor waits for the fork server to end a process: together with a time limit less than the limit
and 5 s."""


class ForkServerLost(Exception):
    """The fork server has ended, cannot fork, or does not answer; the message says which."""


class ForkServer:
    """The fork server, as its supervisor knows it. It is asked for one process that scores at a time.

    Args:
        spec: of the evaluator that its processes will build.

    Attributes:
        pid: the number of the process that scores; None until the fork server has told it.
    """

    def __init__(self, spec: EvaluatorSpec) -> None:
        self.pid: int | None = None
        self._asked_for_status = False
        """Whether an answer to `_STATUS` is still to come."""
        self._connection, theirs = Pipe()
        with theirs:
            self._popen = _python("fork_server", "run", theirs.fileno(), start_new_session=True)
        self._request(spec)

    def start(self, descriptor: int) -> None:
        """Asks for a process that serves a connection, see `scoring_process.serve`. On Linux it does not wait: the fork
        server may still be importing."""
        self.pid = None
        self._request(_START)
        with suppress(OSError, RuntimeError):  # it has ended, which `started` finds out
            send_handle(self._connection, descriptor, self._popen.pid)

    def started(self) -> bool:
        """True if there is a process. Raises ForkServerLost."""
        if self.pid is None and (self._connection.poll() or self._popen.poll() is not None):
            answer = self._answer(_ANSWER_SECONDS)
            if isinstance(answer, str):
                raise ForkServerLost(answer)
            self.pid = answer
        return self.pid is not None

    def status(self, seconds: float = 0.0) -> int | None:
        """The exit status of the process, minus the number of the signal if that ended it; None while it runs.

        Args:
            seconds: how long to wait for the answer; one that takes longer is given by the next call. With 0.0, the
                answer may be that to an earlier call.

        Raises:
            ForkServerLost: see there.
        """
        if not self.started():
            return None
        if seconds and self._asked_for_status and (status := self._heard_status(seconds)) is not None:
            return status
        return self._heard_status(seconds)

    def _heard_status(self, seconds: float) -> int | None:
        """The answer to `_STATUS`, which is asked for unless an answer is still to come; None also if there is none."""
        if not self._asked_for_status:
            self._request(_STATUS)
            self._asked_for_status = True
        if not self._connection.poll(seconds) and self._popen.poll() is None:
            return None
        status: int | None = self._answer(_ANSWER_SECONDS)
        self._asked_for_status = False
        return status

    def end(self) -> tuple[int | None, int]:
        """Ends the process and its group.

        Returns:
            Its exit status as of `status`, and the peak of its memory in bytes; None and 0 if the kernel keeps it.

        Raises:
            ForkServerLost: see there.
        """
        deadline = time.monotonic() + _ANSWER_SECONDS
        self._request(_END)
        if self._asked_for_status:
            self._answer(deadline - time.monotonic())
            self._asked_for_status = False
        ended: tuple[int | None, int] = self._answer(deadline - time.monotonic())
        return ended

    def close(self) -> None:
        """Ends the fork server, and the process that scores with it."""
        self._popen.kill()
        with suppress(subprocess.TimeoutExpired):
            self._popen.wait(_END_SECONDS)
        self._connection.close()

    def _request(self, request: Any) -> None:
        with suppress(OSError):  # it has ended, which the answer tells
            self._connection.send(request)

    def _answer(self, seconds: float) -> Any:
        with suppress(EOFError, OSError):
            if not self._connection.poll(max(0.0, seconds)):
                raise ForkServerLost(f"the fork server gave no answer in {_ANSWER_SECONDS:g} s")
            return self._connection.recv()
        with suppress(subprocess.TimeoutExpired):
            self._popen.wait(_END_SECONDS)
        raise ForkServerLost(f"the fork server ended with {ending(self._popen.returncode)}")


def ending(status: int | None) -> str:
    """An exit status in words."""
    if status is None:
        return "an unknown status"
    if status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:  # most real-time signals have no name
        return f"signal {-status}"


def _python(module: str, function: str, descriptor: int, **options: Any) -> subprocess.Popen[bytes]:
    """Starts a new Python that calls a function of a module of this folder with its end of a connection and the number
    of this process."""
    program = _PROGRAM.format(module=module, function=function)
    return subprocess.Popen(
        [sys.executable, "-c", program, str(descriptor), str(os.getpid()), json.dumps(sys.path)],
        pass_fds=[descriptor],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **options,
    )


def run(descriptor: int, parent: int) -> None:
    """Is the fork server: answers its supervisor, the process `parent`, until that is gone."""
    end_with_parent(parent)
    with suppress(EOFError, OSError), Connection(descriptor) as supervisor:
        forks = FORKS and _preload(supervisor)
        child: _Child | None = None
        while True:
            request = supervisor.recv()
            if request == _START:
                try:
                    child = _Child(recv_handle(supervisor), supervisor, forks)
                    supervisor.send(child.pid)
                except OSError as error:
                    supervisor.send(f"no process could be started: {error.strerror}")
            elif child is not None:
                supervisor.send(child.status() if request == _STATUS else child.end())
    os._exit(0)


def _preload(supervisor: Connection) -> bool:
    """Receives the spec of the evaluator, and imports what it needs. False if something cannot be imported: what was
    half imported would give forks another error than the true one."""
    spec: EvaluatorSpec = supervisor.recv()
    try:
        spec.preload()
    except Exception:
        return False
    gc.collect()
    gc.freeze()  # so that a collection in a fork does not copy what they share
    return True


class _Child:
    """A process that serves a connection, as the fork server knows it.

    It leads a process group of its own, so that processes which the task starts can be ended with it. It stays a zombie
    until `end`, so that its number is not used again.

    Args:
        descriptor: its end of the connection.
        supervisor: the fork server's own connection.
        fork: False starts it anew.

    Raises:
        OSError: the system has no room for a process.
    """

    def __init__(self, descriptor: int, supervisor: Connection, fork: bool) -> None:
        self._popen: subprocess.Popen[bytes] | None = None
        self._reaped: tuple[int, int] | None = None
        """Exit status and peak memory, once the system has been asked for them for good."""
        parent = os.getpid()
        try:
            if not fork:
                self._popen = _python("scoring_process", "serve", descriptor, process_group=0)
                self.pid = self._popen.pid
            elif (pid := os.fork()) == 0:
                try:
                    os.setpgid(0, 0)
                    os.close(supervisor.fileno())
                    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # not what a library has installed here
                    _reseed()
                    serve(descriptor, parent)
                finally:
                    os._exit(1)
            else:
                self.pid = pid
                with suppress(OSError):  # here too, since it may have to be ended before it gets there
                    os.setpgid(pid, pid)
        finally:
            os.close(descriptor)

    def status(self) -> int | None:
        """The exit status, see `ForkServer.status`; None while it runs."""
        if self._reaped is None and hasattr(os, "waitid"):  # not in Python 3.11 and 3.12 on macOS
            ended = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if ended is None:
                return None
            return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
        self._reap()
        return self._reaped[0] if self._reaped else None

    def end(self) -> tuple[int | None, int]:
        """Ends the process and its group; see `ForkServer.end` for what it returns."""
        for end in (os.killpg, os.kill) if self._reaped is None else (os.killpg,):
            with suppress(ProcessLookupError, PermissionError):
                end(self.pid, signal.SIGKILL)
        deadline = time.monotonic() + _END_SECONDS
        while self._reaped is None and time.monotonic() < deadline:
            self._reap()
            time.sleep(0.0 if self._reaped else 0.01)
        return self._reaped or (None, 0)

    def _reap(self) -> None:
        if self._reaped is None:
            pid, status, usage = os.wait4(self.pid, os.WNOHANG)
            if pid:
                peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
                self._reaped = os.waitstatus_to_exitcode(status), peak
                if self._popen is not None:
                    self._popen.returncode = self._reaped[0]


def _reseed() -> None:
    """Gives this fork random numbers of its own where a task forgets to seed them, as a new process has them."""
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()
