"""The end of the process of a command, whatever threads, child processes and exit handlers a task has left behind."""

import atexit
import contextlib
import os
import sys
import threading
import time
from typing import NoReturn

PATIENCE = 1.0
"""Seconds in which threads that are not daemons may end by themselves."""
LIMIT = 30.0
"""Seconds after which the process ends at once, if its orderly end takes longer."""


def leave(status: int) -> NoReturn:
    """Ends this process with an exit status. The work of the command is done, and what it opened is closed.

    Python would wait for every thread that is no daemon, for every child process of `multiprocessing` and for every
    exit handler, without end if one of a task's does not end.
    """
    threading.Thread(target=_end_later, args=(status,), daemon=True).start()
    _end_child_processes()
    deadline = time.monotonic() + PATIENCE
    for thread in _awaited_threads():
        thread.join(max(0.0, deadline - time.monotonic()))
    # What `sys.exit` does after waiting for the threads. Thereafter the interpreter would take itself apart, and
    # signals would have the handlers of the system.
    with contextlib.suppress(BaseException):
        atexit._run_exitfuncs()
    _end(status)


def _awaited_threads() -> list[threading.Thread]:
    """The threads that Python would wait for at its end."""
    me = threading.current_thread()
    return [thread for thread in threading.enumerate() if thread is not me and not thread.daemon]


def _end_child_processes() -> None:
    """Ends the child processes of `multiprocessing`, if it was used, by SIGKILL."""
    multiprocessing = sys.modules.get("multiprocessing")
    with contextlib.suppress(Exception):
        for process in multiprocessing.active_children() if multiprocessing else ():
            process.kill()


def _end_later(status: int) -> None:
    time.sleep(LIMIT)
    _end(status)


def _end(status: int) -> NoReturn:
    """Ends the process now; what was printed is not lost."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(status)
