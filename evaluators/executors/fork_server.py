"""The fork server: a process that has imported what scoring needs, and forks the process that scores.

To import torch takes seconds, so a process that is started anew would be ready long after the one that it replaces has
crashed. A fork of a process that has imported it is ready at once, and shares its memory.

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
    "import json, sys; sys.path[:] = json.loads(sys.argv[2]); "
    "from germline.evaluators.executors.{module} import {function}; {function}(int(sys.argv[1]))"
)
"""What a new process runs. Its arguments are the descriptor of its end of a connection, and the module search path of
the process that starts it as JSON."""
_END_SECONDS = 5.0
"""How long the end of a process is waited for."""
_ANSWER_SECONDS = 2 * _END_SECONDS


class ForkServerLost(Exception):
    """The fork server has ended, or does not answer."""


class ForkServer:
    """The fork server, as its supervisor knows it. It has at most one process that scores at a time.

    Args:
        spec: of the evaluator that its processes will build.
    """

    def __init__(self, spec: EvaluatorSpec) -> None:
        self._connection, theirs = Pipe()
        with theirs:
            self._popen = _python("fork_server", "run", theirs.fileno(), start_new_session=True)
        self._started = False
        """Whether the answer to the last `start`, the process's number, has been received."""
        self.pid: int | None = None
        """Of the process that scores; None until `started`."""
        self._request(spec)

    def start(self, descriptor: int) -> None:
        """Starts a process that serves a connection, see `scoring_process.serve`. Does not wait for it: the fork server
        may still be importing."""
        self.pid = None
        self._request(_START)
        with suppress(OSError):  # it has ended, which `started` finds out
            send_handle(self._connection, descriptor, self._popen.pid)

    def started(self) -> bool:
        """True if the process has been started. Raises ForkServerLost."""
        if self.pid is None and (self._connection.poll() or self._popen.poll() is not None):
            self.pid = self._answer()
        return self.pid is not None

    def status(self) -> int | None:
        """The exit status of the process, minus its signal if that ended it; None while it runs.

        Raises:
            ForkServerLost: see there. The process ends with the fork server.
        """
        if not self.started():
            return None
        self._request(_STATUS)
        status: int | None = self._answer()
        return status

    def end(self) -> tuple[int | None, int]:
        """Ends the process and its group.

        Returns:
            Its exit status as of `status`, None if the kernel keeps it; and the peak of its memory in bytes.

        Raises:
            ForkServerLost: see there.
        """
        self._request(_END)
        ended: tuple[int | None, int] = self._answer()
        return ended

    def close(self) -> None:
        """Ends the fork server, and the process that scores with it."""
        self._popen.kill()
        self._popen.wait()
        self._connection.close()

    def _request(self, request: Any) -> None:
        with suppress(OSError):  # it has ended, which the answer tells
            self._connection.send(request)

    def _answer(self) -> Any:
        try:
            if self._connection.poll(_ANSWER_SECONDS):
                return self._connection.recv()
        except (EOFError, OSError):
            pass
        raise ForkServerLost


def _python(module: str, function: str, descriptor: int, **options: Any) -> subprocess.Popen[bytes]:
    """Starts a new Python that calls a function of a module of this folder with its end of a connection."""
    program = _PROGRAM.format(module=module, function=function)
    return subprocess.Popen(
        [sys.executable, "-c", program, str(descriptor), json.dumps(sys.path)],
        pass_fds=[descriptor],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **options,
    )


def run(descriptor: int) -> None:
    """Is the fork server: answers its supervisor until that is gone."""
    end_with_parent()
    with suppress(EOFError, OSError), Connection(descriptor) as supervisor:
        with suppress(Exception):  # what cannot be imported, the process that scores tells when it builds
            spec: EvaluatorSpec = supervisor.recv()
            if FORKS:
                spec.preload()
        if FORKS:
            gc.collect()
            gc.freeze()  # so that a collection in a fork does not copy what they share
        pid = 0
        while True:
            request = supervisor.recv()
            if request == _START:
                pid = _start(recv_handle(supervisor), supervisor)
                supervisor.send(pid)
            else:
                supervisor.send(_status(pid) if request == _STATUS else _end(pid))
    os._exit(0)


def _start(descriptor: int, supervisor: Connection) -> int:
    """Starts a process that serves a connection, at the head of a process group of its own, so that processes which the
    task starts can be ended with it. Returns its number."""
    if not FORKS:
        pid = _python("scoring_process", "serve", descriptor, process_group=0).pid
    elif (pid := os.fork()) == 0:
        try:
            os.setpgid(0, 0)
            os.close(supervisor.fileno())
            serve(descriptor)
        finally:
            os._exit(1)
    os.close(descriptor)
    with suppress(OSError):  # here too, since it may have to be ended before it gets there
        os.setpgid(pid, pid)
    return pid


def _status(pid: int) -> int | None:
    """The exit status of the process, which stays a zombie until `_end`, so that its number is not used again."""
    ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    if ended is None:
        return None
    return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status


def _end(pid: int) -> tuple[int | None, int]:
    for end in (os.killpg, os.kill):
        with suppress(ProcessLookupError, PermissionError):
            end(pid, signal.SIGKILL)
    deadline = time.monotonic() + _END_SECONDS
    while time.monotonic() < deadline:
        ended, status, usage = os.wait4(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status), usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        time.sleep(0.01)
    return None, 0
