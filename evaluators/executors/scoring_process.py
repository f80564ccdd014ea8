"""The process in which a task runs. Its fork server starts it, and its supervisor sends it jobs.

Whatever a task does stays in this process: crashes, threads, memory, changes to torch. It does not use Ray.
"""

import os
import signal
import sys
import threading
import time
from contextlib import suppress
from ctypes import CDLL
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from germline.evaluators.data.directory import VARIABLE
from germline.evaluators.errors import in_a_line
from germline.evaluators.evaluator import EvaluatorSpec
from germline.evaluators.executors.executor import score

_PR_SET_PDEATHSIG = 1


def serve(descriptor: int, parent: int) -> None:
    """Answers the supervisor until it is gone. `parent` is the number of the process that has started this one.

    The first message is the spec of the evaluator and the data directory; its answer is why the evaluator cannot be
    built, or None. Further messages are the arguments `job` and `only` of `score`; their answer is what that returns.
    """
    end_with_parent(parent)
    _end_group_with_this_process(descriptor)
    # A signal from elsewhere ends the process at once. Python would raise KeyboardInterrupt within the task.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with suppress(EOFError, ConnectionError), Connection(descriptor) as connection:
        evaluator, cause = _build(*connection.recv())
        connection.send(cause)
        while evaluator is not None:
            job, only = connection.recv()
            connection.send(score(evaluator, job, only))
    os._exit(0)  # threads of the task would keep the process alive


def _build(spec: EvaluatorSpec, data: str) -> tuple[Any, str | None]:
    """The evaluator and None, or None and why it could not be built.

    `data` is the data directory of the search, which may run on another machine. If there is no such directory on this
    machine, its own variable GERMLINE_DATA decides, if it is set.
    """
    if Path(data).is_dir() or VARIABLE not in os.environ:
        os.environ[VARIABLE] = data
    try:
        return spec.build(), None
    except BaseException as error:
        return None, in_a_line(error)


def end_with_parent(parent: int) -> None:
    """Ends this process when its parent, the process `parent`, ends; on Linux even within compiled code."""
    if sys.platform == "linux":
        CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it has ended before
            os._exit(1)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


def _end_group_with_this_process(descriptor: int) -> None:
    """Starts a guard, which ends the group of this process as soon as this process has ended.

    A supervisor ends the group too, and the guard with it. But Ray kills a worker and its supervisor at once, and
    processes that the task has started, such as simulators, would stay.
    """
    guarded = os.getpid()
    if os.fork():
        return
    os.close(descriptor)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    if sys.platform == "linux":
        CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGUSR1)
    while os.getppid() == guarded:
        if sys.platform == "linux":
            signal.sigtimedwait([signal.SIGUSR1], 60.0)
        else:
            time.sleep(1.0)
    os.killpg(0, signal.SIGKILL)
