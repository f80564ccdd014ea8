"""The program of the guard's process: ends what is left of a local Ray when the end of its input is reached.

`ray_guard.py` starts this file and writes to it: first a line with a variable of the environment, such as
`RAY_AUTH_TOKEN=…`, then an empty line as soon as Ray has started. The input ends with the process that writes it. It
imports little, so that it is there at once and needs little memory.
"""

import contextlib
import os
import select
import signal
import sys
import time
from pathlib import Path

_ATTEMPTS = 50
_PAUSE = 0.1
"""Seconds between two attempts: a process that was about to start another may have done so."""


def main() -> None:
    variable = sys.stdin.buffer.readline().rstrip(b"\n")
    if not variable.partition(b"=")[2]:
        return  # the driver ended before it had written a token: an empty variable would be no mark of one Ray
    # Ray's agents change their titles, which overwrites a part of their environment; so they are looked up early, as
    # children of the raylet, which may be gone at the end.
    known = members(variable) if sys.stdin.buffer.readline() else []
    sys.stdin.buffer.read()
    for _ in range(_ATTEMPTS):
        running = [end(descriptor) for descriptor in (*known, *members(variable))]
        if not any(running):
            break
        time.sleep(_PAUSE)


def members(variable: bytes) -> list[int]:
    """Descriptors of all processes that have the variable in their environment, and of their descendants.

    A descriptor is opened before anything is read, so that it cannot come to mean another process meanwhile.
    """
    descriptors, parents, chosen = {}, {}, set()
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        with contextlib.suppress(OSError):  # the process has ended, or belongs to somebody else
            descriptors[pid] = os.pidfd_open(pid)
            parents[pid] = int((folder / "stat").read_bytes().rpartition(b")")[2].split()[1])
            if variable in (folder / "environ").read_bytes().split(b"\0"):
                chosen.add(pid)
    children = chosen
    while children:
        children = {pid for pid, parent in parents.items() if parent in children} - chosen
        chosen |= children
    for pid in descriptors.keys() - chosen:
        os.close(descriptors[pid])
    return [descriptors[pid] for pid in chosen]


def end(descriptor: int) -> bool:
    """Kills a process; returns whether it was running until now, so neither gone nor a zombie."""
    ended = select.poll()
    ended.register(descriptor, select.POLLIN)
    if ended.poll(0):
        return False
    with contextlib.suppress(OSError):
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    return True


if __name__ == "__main__":
    main()
